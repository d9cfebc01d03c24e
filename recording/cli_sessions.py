"""The verb `mavfer archive`: what is done with sessions once they are recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from mavfer.errors import DataError, NotFound
from mavfer.progress import progress
from mavfer.study.session import Session
from mavfer.study.study import Study
from recording.archive import archive_session, restore_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recording.archive import ArchiveReport

__all__ = ["archive"]

_MB: Final = 1e6
_PASSES: Final = 2
"""A frame is counted when it is written and when it was read back."""


@click.command(epilog="Example: mavfer archive my-study/sessions/S01-001")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--restore", is_flag=True, help="Move the frames back into streams.h5.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
def archive(paths: tuple[Path, ...], *, restore: bool, as_json: bool) -> None:
    """Pack depth and thermal of finished sessions into a fraction of their room, bit for bit.

    PATHS are folders of sessions, or a study, of which all sessions are taken. Nothing is deleted
    before every frame was read back from the disk and compared. Exit status 1 where one failed; the
    others are done all the same.
    """
    reports: list[ArchiveReport] = []
    failed: dict[str, str] = {}
    for folder in _session_folders(paths):
        try:
            reports.append(_archive(folder, restore=restore))
            _print_report(reports[-1])
        except DataError as error:
            failed[folder.name] = str(error)
            click.echo(f"{folder.name}: {error}", err=True)
    if as_json:
        document = {"sessions": [report.to_document() for report in reports], "failed": failed}
        click.echo(json.dumps(document))
    if failed:
        raise click.exceptions.Exit(1)


def _session_folders(paths: Sequence[Path]) -> list[Path]:
    """Folders of the sessions that are meant."""
    folders: list[Path] = []
    for path in paths:
        if (path / "study.json").is_file():
            study = Study.open(path, writable=True)
            folders += [study.session_folder(name) for name in study.sessions()]
        else:
            folders.append(path)
    if not folders:
        message = f"{paths[0]}: no sessions yet. Record one first: mavfer record"
        raise NotFound(message)
    return folders


def _archive(folder: Path, *, restore: bool) -> ArchiveReport:
    """Archives or restores under a bar that counts frames."""
    session = Session.open(folder)
    counts = (session.document.get("audit") or {}).get("streams", {})
    frames = sum(entry["frames"] for name, entry in counts.items() if name != "color")
    title = f"{'restore' if restore else 'archive'} {session.name}"
    with progress(title, _PASSES * frames, "frame") as advance:
        return (restore_session if restore else archive_session)(folder, advance)


def _print_report(report: ArchiveReport) -> None:
    """The report for people, on stdout."""
    if report.state == "unchanged":
        click.echo(f"{report.session}: {report.why}")
        return
    before, after = report.bytes_before / _MB, report.bytes_after / _MB
    click.echo(
        f"{report.session}: {report.state}, all frames compared; {before:.1f} MB before, "
        f"{after:.1f} MB now"
    )
    for name, stream in report.streams.items():
        before, after = stream.bytes_before / _MB, stream.bytes_after / _MB
        click.echo(f"  {name}: {stream.frames} frames, {before:.1f} MB before, {after:.1f} MB now")
