"""Whether a take is whole: counts, gaps and rates of every stream; interrupted takes are mended."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from mavfer.errors import DataError
from mavfer.files import locked
from mavfer.study.lock import LOCK_NAME
from mavfer.study.session import Session, write_session_document
from mavfer.study.streams_file import DROP_CAUSES, STREAM_NUMBERS, TIMES, detail_names, open_streams
from mavfer.study.video_copy import count_frames, count_packets
from recording.camera import FrameFlag
from recording.recovery import mend_files
from recording.segments import join_segment, pending_segment, set_segment_aside

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from mavfer.streams import StreamName
    from mavfer.study.streams_file import StreamsFile

__all__ = ["AuditReport", "GapReport", "StreamReport", "audit_session", "inspect_session"]

Verdict = Literal["ok", "recovered", "damaged"]

_NANOSECONDS: Final = 1_000_000_000
_NANOSECONDS_A_MILLISECOND: Final = 1_000_000


@dataclass(frozen=True)
class GapReport:
    """A time without a camera, within a stream."""

    after_frame: int
    """Row of the last frame before it."""
    seconds: float
    """From that frame to the next."""
    frames: int
    """About so many frames did not come; they have no numbers and are not among the drops."""


@dataclass(frozen=True)
class StreamReport:
    """What the audit found in one stream."""

    frames: int
    """Frames whose pixels and stamps are both there."""
    drops: int
    """Frames that are listed as missing."""
    causes: dict[str, int]
    """The same by cause: device, link, queue, disk; causes without a frame are left out."""
    rate_hz: float | None
    """Mean rate between the first and the last frame; None for fewer than two frames."""
    longest_gap_ms: float | None
    """Longest time between two frames' arrivals."""
    gaps: tuple[GapReport, ...]
    """Where the camera was lost and came back, or a further segment begins."""


@dataclass(frozen=True)
class AuditReport:
    """What the audit found in one session."""

    session: str
    verdict: Verdict
    """ok; recovered: it was interrupted and mended; damaged: something is missing or torn."""
    streams: dict[StreamName, StreamReport]
    problems: tuple[str, ...]
    """What is wrong, one sentence each; of a recovered take what was given up."""
    cut: dict[StreamName, int]
    """Recovered takes: frames at the end of which only the stamp or only the pixels were there."""

    def to_document(self) -> dict[str, Any]:
        """The report as JSON says it."""
        return {
            "session": self.session,
            "verdict": self.verdict,
            "streams": {
                name: {**asdict(report), "gaps": [asdict(gap) for gap in report.gaps]}
                for name, report in self.streams.items()
            },
            "problems": list(self.problems),
            "cut": dict(self.cut),
        }


def audit_session(folder: Path) -> AuditReport:
    """Audits the session in `folder`, after mending it where its recorder was interrupted.

    Auditing again gives the same verdict and changes nothing.

    Raises:
        NotFound: There is no session.
        InvalidFile: session.json is torn or against its schema.
        Busy: The session is being recorded at this moment.
    """
    if Session.open(folder).state != "recording":
        return inspect_session(folder)
    with locked(folder / LOCK_NAME, f"session {folder.name} is being recorded"):
        session = Session.open(folder)
        if session.state != "recording":  # its recorder finished it a moment ago
            return inspect_session(folder)
        return _recover(session)


def inspect_session(folder: Path) -> AuditReport:
    """What is in the session in `folder`, as it is; changes nothing."""
    session = Session.open(folder)
    problems: list[str] = []
    streams: dict[StreamName, StreamReport] = {}
    try:
        with open_streams(session.streams_path) as file:
            counts = _count_pixels(session, file)
            for stream in session.streams:
                streams[stream] = _inspect_stream(stream, file, counts[stream], problems)
    except DataError as error:
        problems.append(str(error))
    before = (session.document.get("audit") or {}).get("cut", {})
    return AuditReport(session.name, _verdict(session, problems), streams, tuple(problems), before)


def _recover(session: Session) -> AuditReport:
    """Mends the files of an interrupted take, and says so in session.json."""
    mended = _mend(session)
    state = "damaged" if mended.is_damaged else "recovered"
    document = {**mended.document, "state": state, "audit": {"cut": mended.cut}}
    write_session_document(session.folder, document)
    found = inspect_session(session.folder)
    together = tuple(dict.fromkeys((*mended.problems, *found.problems)))
    report = replace(found, problems=together)
    document = {**document, "state": report.verdict, "audit": report.to_document()}
    write_session_document(session.folder, document)
    return report


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


def _verdict(session: Session, problems: list[str]) -> Verdict:
    if problems or session.state == "damaged":
        return "damaged"
    return "recovered" if session.state == "recovered" else "ok"


def _count_pixels(session: Session, file: StreamsFile) -> dict[StreamName, int]:
    """Frames of each stream whose pixels are in the files."""
    counts: dict[StreamName, int] = {}
    for stream in session.streams:
        if stream == "color":
            # a packet of our own codecs is a frame; other codecs may hide some
            ours = not session.document["streams"]["color"]["lossless_copy"]
            counts[stream] = (count_packets if ours else count_frames)(session.color_path)
        else:
            name = f"/{stream}/frames"
            counts[stream] = _stored_frames(file[name]) if name in file else 0
    return counts


def _stored_frames(frames: Any) -> int:
    """Frames that were written; one that was made room for and never filled does not count."""
    stored: int = min(frames.shape[0], frames.id.get_num_chunks())
    return stored


def _inspect_stream(
    stream: StreamName, file: StreamsFile, pixels: int, problems: list[str]
) -> StreamReport:
    name = f"/{stream}/times"
    times = file[name][:] if name in file else np.empty(0, TIMES)
    host_ns = times["host_ns"]
    if len(host_ns) != pixels:
        problems.append(f"{stream}: {pixels} frames for {len(host_ns)} stamps")
    if detail_names(file, stream):
        details = len(file[f"/{stream}/details"])
        if details != len(host_ns):
            problems.append(f"{stream}: {details} rows of details for {len(host_ns)} stamps")
    if not len(host_ns):
        problems.append(f"{stream}: no frames")
    backwards = np.flatnonzero(np.diff(host_ns) < 0)
    if len(backwards):
        problems.append(f"{stream}: time goes backwards after frame {backwards[0]}")
    drops = file["/drops"][:]
    listed = drops["cause"][drops["stream"] == STREAM_NUMBERS[stream]]
    counts = {name: int(np.count_nonzero(listed == code)) for name, code in DROP_CAUSES.items()}
    return StreamReport(
        frames=min(len(host_ns), pixels),
        drops=len(listed),
        causes={name: count for name, count in counts.items() if count},
        rate_hz=_mean_rate_hz(host_ns),
        longest_gap_ms=_longest_gap_ms(host_ns),
        gaps=tuple(_gaps(times)),
    )


def _gaps(times: NDArray[Any]) -> Iterator[GapReport]:
    """The times that end with a frame that is flagged as the first of a stretch."""
    for row in np.flatnonzero(times["flags"] & FrameFlag.RESTARTED):
        if row:
            before, after = times[row - 1], times[row]
            yield GapReport(
                after_frame=int(row) - 1,
                seconds=round(int(after["host_ns"] - before["host_ns"]) / _NANOSECONDS, 3),
                frames=int(after["frame_number"] - before["frame_number"]) - 1,
            )


def _mean_rate_hz(host_ns: NDArray[np.int64]) -> float | None:
    if len(host_ns) < 2 or host_ns[-1] <= host_ns[0]:  # noqa: PLR2004 (a rate needs two frames)
        return None
    return round((len(host_ns) - 1) * _NANOSECONDS / int(host_ns[-1] - host_ns[0]), 3)


def _longest_gap_ms(host_ns: NDArray[np.int64]) -> float | None:
    if len(host_ns) < 2:  # noqa: PLR2004 (a gap needs two frames)
        return None
    return round(int(np.diff(host_ns).max()) / _NANOSECONDS_A_MILLISECOND, 3)
