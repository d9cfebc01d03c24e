"""The verbs `mavfer record` and `mavfer audit`; those of rigs are in `cli_rig`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mavfer.errors import CommandError
from mavfer.study.session_files import bytes_to_hash
from mavfer.study.study import Study, utc_now
from recording.audit import add_hashes, audit_session
from recording.audit_text import report_lines
from recording.cli_progress import TakeDisplay, hashing_bar
from recording.cli_rig import rig as rig_verbs
from recording.cli_sessions import archive, mark, replay
from recording.recorder import record_take, stopping_on_signals
from recording.rig.description import Storage
from recording.rigs import open_rig, switched_on

if TYPE_CHECKING:
    from recording.audit_report import AuditReport
    from recording.camera import Rig
    from recording.recorder import Take

__all__ = ["register"]

_LARGEST_SEED: Final = 2**32 - 1
_LATER: Final = "; Ctrl-C leaves that to mavfer audit"


def register(group: click.Group) -> None:
    """Adds this tool's verbs to the command line."""
    group.add_command(record)
    group.add_command(audit)
    group.add_command(archive)
    group.add_command(mark)
    group.add_command(replay)
    group.add_command(rig_verbs)


@click.command(
    short_help="Record one take, and audit it.",
    epilog="Example: mavfer record my-study --subject S01 --rig simulated --seconds 20 --pace fast",
)
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--subject", required=True, help="Subject code: letters, digits and _.")
@click.option(
    "--continue",
    "continues",
    metavar="SESSION",
    help="Go on with an interrupted session that was audited, as a further segment.",
)
@click.option(
    "--rig",
    "rig_name",
    required=True,
    help="The cameras: a rig's file (.toml), realsense, simulated, served, or a session's folder.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    required=True,
    help="Length of the take, by the clock on the wall.",
)
@click.option(
    "--seed", type=click.IntRange(0, _LARGEST_SEED), help="Of the simulated rig; 0 unless given."
)
@click.option(
    "--lighting",
    type=click.Choice(["bright", "dark", "flicker"]),
    help="Light on the simulated subject; bright unless given.",
)
@click.option(
    "--shows",
    type=click.Choice(["all", "split"]),
    help="Simulated: all streams show all, unless given; or thermal arousal, depth valence alone.",
)
@click.option(
    "--pace",
    type=click.Choice(["real", "fast"]),
    help="Simulated: frames in real time, as unless given, or as fast as they can be drawn.",
)
@click.option(
    "--rate",
    "rates_hz",
    multiple=True,
    metavar="STREAM=HZ",
    help="Frames a second of a stream, for example thermal=9. May be repeated.",
)
@click.option(
    "--size",
    "sizes",
    multiple=True,
    metavar="STREAM=WxH",
    help="Size of a stream, for example color=1280x720. May be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
def record(
    study: Path,
    *,
    subject: str,
    rig_name: str,
    seconds: float,
    as_json: bool,
    continues: str | None,
    **options: Any,
) -> None:
    """Record one take of SUBJECT into STUDY, and audit it.

    Ctrl-C ends the take early and keeps what there is; another one leaves the hashes of its files
    to mavfer audit. Exit status 1 where the take is damaged.
    """
    opened = Study.open(study, writable=True)
    rig = open_rig(
        rig_name,
        seconds=seconds,
        subject_code=subject,
        take=int(opened.next_session(subject).rpartition("-")[2]),
        created_utc=utc_now(),
        **_asked(options),
    )
    with switched_on(rig):
        take = _record(opened, rig, subject, seconds, continues=continues)
    report = _hash(take)
    _print_report(report)
    for stream, reason in take.failures.items():
        click.echo(f"{stream}: ended early: {reason}", err=True)
    if take.failures and report.is_passed and rig.is_paced:
        again = f"mavfer record {study} --subject {subject} --rig {rig_name} --seconds {seconds:g}"
        click.echo(f"once it is mended: {again} --continue {take.session}", err=True)
    if as_json:
        click.echo(json.dumps({**report.to_document(), "failures": take.failures}))
    _exit_for(report)


@click.command(
    short_help="Say whether a session is whole, and mend it.",
    epilog="Example: mavfer audit my-study/sessions/S01-001",
)
@click.argument("session", type=click.Path(path_type=Path))
@click.option(
    "--quick", is_flag=True, help="Compare the sizes of files, and leave their hashes out."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
def audit(session: Path, *, quick: bool, as_json: bool) -> None:
    """Say whether a session is whole; mend it where its recorder was interrupted.

    SESSION is the session's folder. Exit status 1 only where it is damaged: something is missing,
    torn, or no longer what was recorded.
    """
    size = 0 if quick or not session.is_dir() else bytes_to_hash(session)
    with hashing_bar(session.name, size) as advance:
        report = audit_session(session, is_quick=quick, advance=advance)
    _print_report(report)
    if as_json:
        click.echo(json.dumps(report.to_document()))
    _exit_for(report)


def _asked(options: dict[str, Any]) -> dict[str, Any]:
    """The options of the rig that were given, as its class takes them."""
    rates = dict(_rate(text) for text in options.pop("rates_hz"))
    sizes = dict(_size(text) for text in options.pop("sizes"))
    given = {**options, "rates_hz": rates or None, "sizes": sizes or None}
    return {name: value for name, value in given.items() if value is not None}


def _record(study: Study, rig: Rig, subject: str, seconds: float, *, continues: str | None) -> Take:
    """Records under a display of what is going on; the hashes come after."""
    ends_itself = "seconds" in rig.settings
    hints = [f"Goes on with {continues}, as a further segment"] if continues else []
    hints.append("Ctrl-C ends the take and keeps it")
    if rig.is_paced:
        hints.append(f"Mark a stimulus: mavfer mark {study.root} LABEL")
    hint = "\n".join(hints)
    storage: Storage = getattr(rig, "storage", Storage())
    with (
        stopping_on_signals() as stop,
        TakeDisplay(rig, seconds, stop, hint, ends_itself=ends_itself) as display,
    ):
        return record_take(
            study,
            rig,
            subject=subject,
            continues=continues,
            seconds=None if ends_itself else seconds,
            queue_frames=storage.queue_frames,
            reserve_bytes=storage.reserve_bytes,
            stop=stop,
            progress=display.show,
            with_hashes=False,
        )


def _hash(take: Take) -> AuditReport:
    """The report of a take with the hashes of its files; without them where Ctrl-C left them out.

    The take is whole by then.
    """
    if not take.report.is_passed:
        return take.report
    try:
        with hashing_bar(take.session, bytes_to_hash(take.folder), _LATER) as advance:
            return add_hashes(take.folder, advance)
    except KeyboardInterrupt:
        click.echo(
            f"{take.session}: whole, its files are not hashed. Later: mavfer audit {take.folder}",
            err=True,
        )
        return take.report


def _print_report(report: AuditReport) -> None:
    """The report for people, on stdout."""
    for line in report_lines(report):
        click.echo(line)


def _exit_for(report: AuditReport) -> None:
    if not report.is_passed:
        raise click.exceptions.Exit(1)


def _rate(text: str) -> tuple[str, float]:
    """What `--rate STREAM=HZ` says."""
    stream, _, number = text.partition("=")
    try:
        return stream, float(number)
    except ValueError as error:
        message = f"--rate {text!r}: not of the form STREAM=HZ, for example thermal=9"
        raise CommandError(message) from error


def _size(text: str) -> tuple[str, tuple[int, int]]:
    """What `--size STREAM=WxH` says."""
    stream, _, size = text.partition("=")
    width, _, height = size.partition("x")
    try:
        return stream, (int(width), int(height))
    except ValueError as error:
        message = f"--size {text!r}: not of the form STREAM=WxH, for example color=1280x720"
        raise CommandError(message) from error
