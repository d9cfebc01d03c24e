"""The verb `mavfer preprocess`."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, Final, Literal

import click

__all__ = ["register"]

_NUMBER: Final = r"\d+(\.\d+)?"
_PLACE: Final = re.compile(
    rf"(?P<session>[^=]+)=(?P<x>{_NUMBER}),(?P<y>{_NUMBER})"
    rf"(,(?P<width>{_NUMBER}))?(@(?P<frame>\d+))?"
)


def register(group: click.Group) -> None:
    """Adds the verb to the command line."""
    group.add_command(preprocess)


@click.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("-j", "--jobs", default=1, show_default=True, help="Sessions at a time.")
@click.option("--alignment", default="mavfer224", show_default=True, help="Preset of the crops.")
@click.option(
    "--subject",
    "subjects",
    multiple=True,
    metavar="SESSION=X,Y[,WIDTH][@FRAME]",
    help="Where the subject's face is, in pixels of a color frame, where several people are seen; "
    "kept with the session. May be given several times.",
)
@click.option(
    "--approx",
    "approximate",
    is_flag=True,
    help="Place depth and thermal by the face where there is no calibration, a few pixels off.",
)
@click.option("--no-media", is_flag=True, help="Make shards alone, nothing for raters to see.")
@click.option(
    "--blank-background", is_flag=True, help="Leave nothing but the subject's head in the crops."
)
@click.option(
    "--landmarks",
    type=click.Path(path_type=Path),
    help="The landmark model, where it is not installed.",
)
@click.option(
    "--landmark-points",
    type=click.Choice(["68", "5"]),
    help="Which landmark model; the one with 5 points may be used commercially.  [default: 68]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, last.")
@click.option(
    "--json-lines", is_flag=True, help="Print a JSON object a line as things happen, for batches."
)
def preprocess(
    *,
    study: Path,
    jobs: int,
    alignment: str,
    subjects: tuple[str, ...],
    approximate: bool,
    no_media: bool,
    blank_background: bool,
    landmarks: Path | None,
    landmark_points: Literal["68", "5"] | None,
    as_json: bool,
    json_lines: bool,
) -> None:
    """Turn sessions into shards and media.

    What is done and has not changed is skipped; what was cut short is gone on with.

    Example: mavfer preprocess my-study -j 2
    """
    from mavfer.preprocess import Options, preprocess_study

    for place in subjects:
        _point(study, place)
    outcome = preprocess_study(
        study,
        Options(
            alignment=alignment,
            landmark_model=landmarks,
            landmark_points=landmark_points,
            approximate=approximate,
            media=not no_media,
            blank_background=blank_background,
        ),
        jobs=jobs,
        tell=_print_line if json_lines else None,
    )
    for notice in outcome.notices:
        click.echo(notice, err=True)
    if any(result.state == "done" for result in outcome.results):
        click.echo(f"See what was done: mavfer quality {study}", err=True)
    document = outcome.to_document()
    if json_lines:
        _print_line({"event": "end", **document})
    else:
        click.echo(json.dumps(document, ensure_ascii=False) if as_json else str(outcome))
    if not outcome.is_good:
        raise click.exceptions.Exit(1)


def _print_line(event: dict[str, Any]) -> None:
    click.echo(json.dumps(event, ensure_ascii=False))
    sys.stdout.flush()


def _point(study: Path, place: str) -> None:
    """Keeps where somebody pointed at the subject of one session."""
    from mavfer.study.session import Session
    from mavfer.study.study import Study

    match = _PLACE.fullmatch(place)
    if match is None:
        message = f"--subject {place}: must be SESSION=X,Y, for example S01-001=640,310"
        raise click.UsageError(message)
    folder = Study.open(study, writable=True).session_folder(match["session"])
    Session.open(folder).point_at(
        frame=None if match["frame"] is None else int(match["frame"]),
        x=float(match["x"]),
        y=float(match["y"]),
        width=None if match["width"] is None else float(match["width"]),
    )
