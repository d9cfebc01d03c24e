"""The verb `mavfer release`."""

from __future__ import annotations

import json
from pathlib import Path

import click

__all__ = ["register"]


def register(group: click.Group) -> None:
    """Adds the verb to the command line."""
    group.add_command(release)


@click.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.argument("target", metavar="DST", type=click.Path(path_type=Path))
@click.option(
    "--labels",
    "labels",
    multiple=True,
    metavar="NAME",
    help="A label to put inside the shards; may be given several times.  [default: all]",
)
@click.option("--ratings", "has_ratings", is_flag=True, help="Put the raters' own traces in.")
@click.option(
    "--plain", "is_plain", is_flag=True, help="Add copies that HDF5 reads without any plugin."
)
@click.option("--release-version", default="1.0", show_default=True, help="Version of the release.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, last.")
def release(
    *,
    study: Path,
    target: Path,
    labels: tuple[str, ...],
    has_ratings: bool,
    is_plain: bool,
    release_version: str,
    as_json: bool,
) -> None:
    """Make an immutable copy that may be given away.

    Only sessions of subjects who agreed to share go in.

    Example: mavfer release my-study my-release --plain
    """
    from mavfer.release.plan import Options
    from mavfer.release.run import release_study

    outcome = release_study(
        study,
        target,
        Options(labels, has_ratings=has_ratings, is_plain=is_plain, version=release_version),
        notify=lambda text: click.echo(text, err=True),
    )
    document = json.dumps(outcome.to_document(), ensure_ascii=False)
    click.echo(document if as_json else str(outcome))
