"""Whether a take is whole: every stream, the marks, the files; interrupted takes are mended."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from mavfer.errors import Busy, DataError
from mavfer.files import locked
from mavfer.study.lock import LOCK_NAME
from mavfer.study.session import Session, write_session_document
from mavfer.study.session_files import compare_files, describe_files, recorded_files
from mavfer.study.streams_file import STREAM_NUMBERS, open_streams
from mavfer.study.video_copy import count_frames, count_packets
from recording.audit_report import AuditReport
from recording.inspection import (
    Span,
    edges_of,
    inspect_markers,
    inspect_stream,
    notices_of,
    problems_of,
    read_times,
)
from recording.leftovers import find_leftovers, remove_leftovers
from recording.recovery import mend_files
from recording.segments import join_segment, pending_segment, set_segment_aside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mavfer.streams import StreamName
    from mavfer.study.session_files import FileReport
    from mavfer.study.streams_file import StreamsFile
    from recording.audit_report import StreamReport, Verdict

__all__ = ["add_hashes", "audit_session", "conclude_session", "inspect_session"]

_HASHES_LEFT_OUT: Final[dict[str, Any]] = {}
"""What session.json says of its files until an audit has hashed them; without the word, the session
is older than hashes."""


def audit_session(
    folder: Path, *, is_quick: bool = False, advance: Callable[[int], None] | None = None
) -> AuditReport:
    """Audits the session in `folder`, after mending it where its recorder was interrupted.

    What an interrupted archiving left over is removed, and hashes that the recorder left out are
    added to session.json.

    Auditing again gives the same verdict and changes nothing.

    Args:
        folder: The session's.
        is_quick: Compares the sizes of a finished session's files with those that were recorded,
            and leaves their hashes out.
        advance: Called with numbers of bytes that were hashed, not always from the same thread.

    Raises:
        NotFound: There is no session.
        InvalidFile: session.json is torn or against its schema.
        Busy: The session is being recorded at this moment.
    """
    session = Session.open(folder)
    if session.state != "recording":
        _tidy(session)
        if session.document.get("files") == _HASHES_LEFT_OUT and not is_quick:
            return add_hashes(folder, advance)
        return inspect_session(folder, is_quick=is_quick, advance=advance)
    with locked(folder / LOCK_NAME, f"session {folder.name} is being recorded"):
        session = Session.open(folder)
        if session.state != "recording":  # its recorder finished it a moment ago
            return inspect_session(folder, is_quick=is_quick, advance=advance)
        return _recover(session, advance)


def inspect_session(
    folder: Path, *, is_quick: bool = False, advance: Callable[[int], None] | None = None
) -> AuditReport:
    """What is in the session in `folder`, as it is; changes nothing."""
    session = Session.open(folder)
    found = _inspect(session)
    files = compare_files(session, is_quick=is_quick, advance=advance)
    problems = (*found.problems, *_changes(files))
    return replace(found, files=files, problems=problems, verdict=_verdict(session, problems))


def add_hashes(folder: Path, advance: Callable[[int], None] | None = None) -> AuditReport:
    """Audits a finished session whose files were not hashed yet, and hashes them.

    A session that has hashes, or is damaged, is left as it is.

    Args:
        folder: The session's.
        advance: As of `audit_session`; what it raises ends the hashing, and nothing was changed.

    Raises:
        Busy: The session is being archived, recorded or hashed at this moment.
    """
    with locked(folder / LOCK_NAME, f"session {folder.name} is being worked on"):
        session = Session.open(folder)
        report = inspect_session(folder, is_quick=True)
        if session.document.get("files") != _HASHES_LEFT_OUT or not report.is_passed:
            return report
        files = describe_files(folder, advance)
        write_session_document(folder, {**session.document, "files": files})
        return replace(report, files=recorded_files(files))


def _tidy(session: Session) -> None:
    """Removes what was left over, unless somebody is archiving at this moment."""
    if find_leftovers(session):
        with (
            suppress(Busy),
            locked(session.folder / LOCK_NAME, f"session {session.name} is being archived"),
        ):
            remove_leftovers(session)


def conclude_session(
    session: Session,
    state: Literal["finished", "recovered", "damaged"],
    problems: Sequence[str] = (),
    *,
    with_hashes: bool = True,
    advance: Callable[[int], None] | None = None,
) -> AuditReport:
    """Audits a take that is over, and says in session.json what was found and what its files are.

    Args:
        session: The take; its document is what session.json will say beside that.
        state: How the take ended, if the audit finds nothing wrong.
        problems: What is known to be wrong already, and not to be found in the files.
        with_hashes: Hash the files now; else `add_hashes` does, or the next audit.
        advance: As of `audit_session`.
    """
    document = {**session.document, "state": state}
    found = _inspect(Session(session.folder, document))
    report = replace(found, problems=tuple(dict.fromkeys((*problems, *found.problems))))
    said = {
        **document,
        "state": "damaged" if report.verdict == "damaged" else state,
        "files": _HASHES_LEFT_OUT,
        "audit": report.to_session_entry(),
    }
    write_session_document(session.folder, said)  # first, so that hashing may be interrupted
    if not with_hashes:
        return report
    files = describe_files(session.folder, advance)
    write_session_document(session.folder, {**said, "files": files})
    return replace(report, files=recorded_files(files))


def _inspect(session: Session) -> AuditReport:
    """What is in the session's files, whatever they were before."""
    cut = (session.document.get("audit") or {}).get("cut", {})
    empty = AuditReport(session.name, "damaged", {}, None, {}, (), (), cut)
    try:
        with open_streams(session.streams_path) as file:
            found = _inspect_streams(session, file, empty)
    except DataError as error:
        found = replace(empty, problems=(str(error),))
    return replace(found, verdict=_verdict(session, found.problems))


def _inspect_streams(session: Session, file: StreamsFile, empty: AuditReport) -> AuditReport:
    counts = _count_pixels(session, file)
    times = {stream: read_times(file, stream) for stream in session.streams}
    rates_hz = {stream: session.document["streams"][stream]["rate_hz"] for stream in times}
    span, drops = Span.of(times), file["/drops"][:]
    streams: dict[StreamName, StreamReport] = {
        stream: inspect_stream(
            rows,
            drops[drops["stream"] == STREAM_NUMBERS[stream]],
            pixels=counts[stream],
            rate_hz=rates_hz[stream],
            span=span,
        )
        for stream, rows in times.items()
    }
    markers = inspect_markers(file["/markers"][:], span)
    problems = (
        problem
        for stream, rows in times.items()
        for problem in problems_of(stream, file, rows, counts[stream])
    )
    return replace(
        empty,
        streams=streams,
        markers=markers,
        problems=tuple(problems),
        notices=(*edges_of(times, rates_hz, span), *notices_of(streams, markers)),
    )


def _recover(session: Session, advance: Callable[[int], None] | None) -> AuditReport:
    """Mends the files of an interrupted take, and says so in session.json."""
    mended = _mend(session)
    state: Literal["recovered", "damaged"] = "damaged" if mended.is_damaged else "recovered"
    document = {**mended.document, "state": state, "audit": {"cut": mended.cut}}
    write_session_document(session.folder, document)
    mended_session = Session(session.folder, document)
    return conclude_session(mended_session, state, mended.problems, advance=advance)


@dataclass(frozen=True)
class _Mended:
    """What became of an interrupted take."""

    document: dict[str, Any]
    """Its session.json."""
    cut: dict[StreamName, int]
    problems: tuple[str, ...] = ()
    is_damaged: bool = False


def _mend(session: Session) -> _Mended:
    """Mends what the recorder had in hand; segments before the last were whole, and stay so."""
    segment = pending_segment(session)
    if segment is None:
        try:
            return _Mended(session.document, mend_files(session))
        except DataError as error:
            return _Mended(session.document, {}, (str(error),), is_damaged=True)
    earlier: dict[StreamName, int] = (session.document.get("audit") or {}).get("cut", {})
    try:
        cut = mend_files(segment)
    except DataError as error:
        problem = f"the last segment was given up, its files are kept beside the session: {error}"
        return _Mended(set_segment_aside(session, segment), earlier, (problem,))
    together = {stream: count + earlier.get(stream, 0) for stream, count in cut.items()}
    try:
        join_segment(session, segment)
    except DataError as error:
        return _Mended(session.document, together, (str(error),), is_damaged=True)
    return _Mended(session.document, together)


def _verdict(session: Session, problems: Sequence[str]) -> Verdict:
    if problems or session.state == "damaged":
        return "damaged"
    return "recovered" if session.state == "recovered" else "ok"


def _changes(files: Mapping[str, FileReport]) -> Iterator[str]:
    """What happened to files since the take."""
    for name, file in files.items():
        if file.state == "missing":
            yield f"{name}: recorded with the take, and missing now. Restore it from a copy"
        elif file.state == "changed":
            yield f"{name}: changed since the take was recorded. Restore it from a copy"


def _count_pixels(session: Session, file: StreamsFile) -> dict[StreamName, int]:
    """Frames of each stream whose pixels are in the files."""
    counts: dict[StreamName, int] = {}
    for stream in session.streams:
        if stream == "color":
            # a packet of our own codecs is a frame; other codecs may hide some
            ours = not session.document["streams"]["color"]["lossless_copy"]
            counts[stream] = (count_packets if ours else count_frames)(session.color_path)
        else:
            counts[stream] = file.count_frames(stream)
    return counts
