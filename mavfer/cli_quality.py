"""The verb `mavfer quality`."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["register"]


def register(group: click.Group) -> None:
    """Adds the verb to the command line."""
    group.add_command(quality)


@click.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option(
    "--session",
    "sessions",
    multiple=True,
    metavar="ID",
    help="Make this session's page again though it is up to date; may be given several times.",
)
def quality(study: Path, sessions: tuple[str, ...]) -> None:
    """Write pages on which to see what preprocessing did.

    reports/quality.html ranks the sessions; each has a page of its own in reports/quality/.

    Example: mavfer quality my-study
    """
    from mavfer.report import write_quality_pages

    click.echo(f"{write_quality_pages(study, sessions)}: written")
