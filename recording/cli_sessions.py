"""The verbs `mavfer archive`, `mark` and `replay`: what is done with sessions beside recording."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from mavfer.errors import CommandError, DataError, NotFound
from mavfer.progress import progress
from mavfer.study.session import Session
from mavfer.study.session_files import bytes_to_hash
from mavfer.study.study import Study
from recording.archive import archive_session, restore_session
from recording.cli_progress import tell_of_hashing
from recording.markers import mark_stimulus, process_began_ns
from recording.recorder import record_take, stopping_on_signals
from recording.replay import ReplayRig, play, report_replay

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mavfer.streams import StreamName
    from recording.archive import ArchiveReport
    from recording.recorder import Take, TakeProgress
    from recording.replay import Pace, StreamReplay

__all__ = ["archive", "mark", "replay"]

_MB: Final = 1e6
_PASSES: Final = 2
"""A frame is counted when it is written and when it was read back."""


@click.command(
    short_help="Pack depth and thermal bit for bit, and back.",
    epilog="Example: mavfer archive my-study/sessions/S01-001",
)
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


@click.command(
    short_help="Mark a stimulus in the take being recorded.",
    epilog='Example: mavfer mark my-study "video 1"',
)
@click.argument("study", type=click.Path(path_type=Path))
@click.argument("label")
@click.option("--session", metavar="ID", help="Which, where several takes are recorded at once.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
def mark(study: Path, label: str, *, session: str | None, as_json: bool) -> None:
    """Mark this moment in the take that is being recorded into STUDY.

    LABEL says what begins, ends or happens; the time is that at which the command was started, to a
    hundredth of a second. Programs in Python call recording.markers.mark_stimulus.
    """
    done = mark_stimulus(study, label, host_ns=process_began_ns(), session=session)
    if as_json:
        click.echo(json.dumps(asdict(done)))
    else:
        click.echo(f"{done.session}: {done.label} at {done.seconds:.3f} s")


@click.command(
    short_help="Play a session as its cameras gave it.",
    epilog="Example: mavfer replay my-study/sessions/S01-001 --into trials --pace fast",
)
@click.argument("session", type=click.Path(path_type=Path))
@click.option("--into", type=click.Path(path_type=Path), help="Record it as a take of this study.")
@click.option("--subject", help="Subject code of that take; the session's unless given.")
@click.option(
    "--pace",
    default="real",
    show_default=True,
    metavar="real|fast|FACTOR",
    help="In real time, as fast as it is read, or so many times as fast.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
def replay(
    session: Path, *, into: Path | None, subject: str | None, pace: str, as_json: bool
) -> None:
    """Play a recorded session as its cameras gave it: into nothing, or into a new take.

    Rates, and how late frames came, are told in the end. Ctrl-C ends a take early and keeps it.
    """
    rig = ReplayRig(session, pace=_pace(pace))
    take = None
    with progress(f"replay {rig.session.name}", _frames(rig), "frame") as advance:
        if into is None:
            play(rig, advance)
        else:
            study = Study.open(into, writable=True)
            take = _record(study, rig, subject or rig.session.subject, advance)
    streams = report_replay(rig)
    _print_replay(rig, streams, take)
    if as_json:
        document = {
            "session": rig.session.name,
            "streams": {name: report.to_document() for name, report in streams.items()},
            "take": None if take is None else take.report.to_document(),
        }
        click.echo(json.dumps(document))
    if take is not None and take.report.verdict == "damaged":
        raise click.exceptions.Exit(1)


def _pace(text: str) -> Pace:
    """What `--pace` says."""
    if text == "fast":
        return "fast"
    if text == "real":
        return "real"
    try:
        return float(text)
    except ValueError as error:
        message = f"--pace {text}: give real, fast, or a number, for example 2"
        raise CommandError(message) from error


def _frames(rig: ReplayRig) -> int:
    return sum(camera.frame_count for camera in rig.replays)


def _record(study: Study, rig: ReplayRig, subject: str, advance: Callable[[int], None]) -> Take:
    """Records the replay as a take."""
    done = 0

    def show(state: TakeProgress) -> None:
        nonlocal done
        before, done = done, sum(state.frames.values())
        advance(done - before)

    with stopping_on_signals() as stop:
        return record_take(study, rig, subject=subject, stop=stop, progress=show)


def _print_replay(
    rig: ReplayRig, streams: dict[StreamName, StreamReplay], take: Take | None
) -> None:
    """The report for people, on stdout."""
    click.echo(f"{rig.session.name}: played")
    for name, stream in streams.items():
        rate = "" if stream.rate_hz is None else f", {stream.rate_hz:.2f} frames a second"
        late = ""
        if stream.late_ms_median is not None:
            late = f", {stream.late_ms_median:.1f} ms late (median), {stream.late_ms_most:.1f} most"
        click.echo(f"  {name}: {stream.frames} frames, {stream.lost} told lost{rate}{late}")
    if take is not None:
        click.echo(f"recorded as {take.folder}")
        click.echo(f"{take.session}: {take.report.verdict}")
        for problem in take.report.problems:
            click.echo(f"  {problem}")
        for stream_name, reason in take.failures.items():
            click.echo(f"{stream_name}: ended early: {reason}", err=True)


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
    tell_of_hashing(f"{session.name}: before anything is changed", bytes_to_hash(folder))
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
