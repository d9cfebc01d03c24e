"""The verbs `mavfer rig probe` and `mavfer rig selftest`."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mavfer.errors import AlreadyThere
from recording.cli_progress import TakeDisplay
from recording.recorder import stopping_on_signals
from recording.rig import probe_cameras, run_selftest
from recording.rig.probing import LIMIT_SECONDS
from recording.rig.proposal import choose_cameras, propose_rig, write_rig
from recording.rigs import open_rig, switched_on

if TYPE_CHECKING:
    from recording.rig.findings import Finding
    from recording.rig.probing import DriverReport
    from recording.rig.selftest import SelftestReport

__all__ = ["rig"]

_HINT: Final = "Nothing is kept; Ctrl-C ends it early"
_COLUMNS: Final = 100
"""The most that lines are filled to."""
_INDENT: Final = " " * 6
_MARKS: Final = {"pass": "pass", "look": "LOOK", "fail": "FAIL"}


@click.group(epilog="Example: mavfer rig probe --write lab.toml")
def rig() -> None:
    """Find the cameras that are connected, and try a rig out."""


@rig.command(epilog="Example: mavfer rig probe --write lab.toml")
@click.option(
    "--write",
    "target",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a first rig's file here; never over one that exists.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
def probe(target: Path | None, *, as_json: bool) -> None:
    """List the cameras that are connected, and propose a rig of them.

    A driver that is not installed or fails is told in one line; the others are listed.
    """
    if target is not None and target.exists():
        raise AlreadyThere(f"{target}: exists already. Choose another name, or move it away")
    click.echo(f"asking the drivers for cameras, up to {LIMIT_SECONDS:.0f} s", err=True)
    reports = probe_cameras()
    _print_cameras(reports)
    if target is not None:
        write_rig(target, propose_rig(reports, target.stem))
        click.echo(f"{target}: written. Read it, then run: mavfer rig selftest {target}", err=True)
    elif choose_cameras(reports):
        click.echo("to write a first rig's file: mavfer rig probe --write lab.toml", err=True)
    if as_json:
        click.echo(json.dumps(_probe_document(reports, target)))


@rig.command(epilog="Example: mavfer rig selftest lab.toml --seconds 20 --flash")
@click.argument("rig_name", metavar="RIG")
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=20.0,
    show_default=True,
    help="How long the cameras are watched.",
)
@click.option(
    "--flash",
    is_flag=True,
    help="Wait until all cameras saw a board or a lamp, and tell how far their stamps lie apart.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="Where frames are written meanwhile, best on the study's disk; nothing is kept.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
def selftest(
    rig_name: str, *, seconds: float, flash: bool, folder: Path | None, as_json: bool
) -> None:
    """Run the cameras of RIG as in a take, keep nothing, and say what is well.

    RIG is a rig's file (.toml) or a name that mavfer record takes. Exit status 1 where a check
    failed.
    """
    opened = open_rig(rig_name, seconds=seconds)
    with (
        switched_on(opened),
        stopping_on_signals() as stop,
        TakeDisplay(opened, seconds, stop, _HINT, ends_itself=False) as display,
    ):
        report = run_selftest(
            opened,
            seconds=seconds,
            with_flash=flash,
            folder=folder,
            stop=stop,
            tell=lambda text: click.echo(text, err=True),
            progress=display.show,
        )
    _print_report(report)
    if as_json:
        click.echo(json.dumps(report.to_document()))
    if report.result == "fail":
        raise click.exceptions.Exit(1)


def _print_cameras(reports: list[DriverReport]) -> None:
    for report in reports:
        if report.state != "ok":
            click.echo(f"{report.driver}: {report.state}: {report.text}", err=True)
        elif not report.cameras:
            click.echo(f"{report.driver}: no camera")
        for camera in report.cameras:
            gives = " and ".join(camera.streams) or "no stream"
            serial = f", serial {camera.serial}" if camera.serial else ""
            problem = f" ({camera.problem})" if camera.problem else ""
            click.echo(f"{camera.driver}: {camera.name}{serial}, {camera.place}: {gives}{problem}")
    chosen = choose_cameras(reports)
    for stream, camera in chosen.items():
        click.echo(f"{stream}: from {camera.name}")
    if not chosen:
        click.echo("plug cameras in and ask again, or record with --rig simulated", err=True)


def _probe_document(reports: list[DriverReport], target: Path | None) -> dict[str, Any]:
    chosen = choose_cameras(reports)
    return {
        "drivers": [report.to_document() for report in reports],
        "streams": {stream: camera.serial or camera.place for stream, camera in chosen.items()},
        "written": None if target is None else str(target),
    }


def _print_report(report: SelftestReport) -> None:
    """The findings as a table; what to do stands below what is not well."""
    wheres = max(len(finding.where) for finding in report.findings)
    for finding in report.findings:
        click.echo(_line(finding, wheres))
        if finding.advice:
            click.echo(_filled(finding.advice, _INDENT, _INDENT))
    counts = {
        result: sum(finding.result == result for finding in report.findings) for result in _MARKS
    }
    told = ", ".join(f"{count} {result}" for result, count in counts.items())
    click.echo(f"{report.rig}: {report.result} after {report.seconds:.0f} s: {told}")
    for sentence in report.unproven:
        click.echo(_filled(sentence, "", ""))


def _line(finding: Finding, wheres: int) -> str:
    check, where = finding.check.ljust(11), finding.where.ljust(wheres)
    head = f"{_MARKS[finding.result]}  {check}  {where}  "
    return (
        _filled(finding.found, head, " " * len(head))
        if sys.stdout.isatty()
        else (f"{head}{finding.found}")
    )


def _filled(text: str, first: str, further: str) -> str:
    """Lines as wide as the terminal, and no wider than is read well."""
    columns = min(_COLUMNS, shutil.get_terminal_size((_COLUMNS, 0)).columns)
    return textwrap.fill(text, columns, initial_indent=first, subsequent_indent=further)
