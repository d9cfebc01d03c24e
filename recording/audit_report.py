"""What an audit says of one session."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from mavfer.streams import StreamName
    from mavfer.study.session_files import FileReport

__all__ = [
    "AuditReport",
    "ClockReport",
    "GapReport",
    "MarkerReport",
    "MarkersReport",
    "StreamReport",
    "Verdict",
]

Verdict = Literal["ok", "recovered", "damaged"]


@dataclass(frozen=True)
class GapReport:
    """A time without frames, within a stream."""

    after_frame: int
    """Row of the last frame before it."""
    at_seconds: float
    """When that frame came, after the first frame of the take."""
    seconds: float
    """From that frame to the next."""
    frames: int
    """About so many frames did not come."""
    is_restart: bool
    """True where the camera was lost and came back, or a further segment begins: the frames have no
    numbers and are not among the drops. Otherwise they are, as far as the camera counted them."""


@dataclass(frozen=True)
class ClockReport:
    """How well the times of a stream's frames are known."""

    domains: tuple[str, ...]
    """Whose clock stamped the frames: device, host or arrival; mostly one."""
    fit: dict[str, Any] | None
    """Numbers of the fit, as `StreamClock.describe` gives them; None where it failed."""
    problem: str | None
    """Why it failed."""


@dataclass(frozen=True)
class StreamReport:
    """What the audit found in one stream."""

    frames: int
    """Frames whose pixels and stamps are both there."""
    drops: int
    """Frames that are listed as missing."""
    causes: dict[str, int]
    """The same by cause: device, link, queue, disk; causes without a frame are left out."""
    flags: dict[str, int]
    """Frames that the camera said something of: shutter, incomplete, repeated, restarted; flags
    without a frame are left out."""
    rate_hz: float | None
    """Mean rate while the camera was there; None for fewer than two frames in a row."""
    longest_gap_ms: float | None
    """Longest time between two frames' arrivals."""
    gaps: tuple[GapReport, ...]
    """Times in which the camera was lost or gave nothing for long."""
    clock: ClockReport | None
    """The clock fit; None without frames."""


@dataclass(frozen=True)
class MarkerReport:
    """A mark of a stimulus."""

    label: str
    seconds: float
    """After the first frame of the take."""


@dataclass(frozen=True)
class MarkersReport:
    """The marks of a take."""

    count: int
    first: MarkerReport | None
    """The earliest; None without marks."""
    last: MarkerReport | None
    """The latest."""
    is_in_order: bool
    """True where they were written in the order of their times."""
    outside: int
    """Marks before the first frame of the take or after its last."""


@dataclass(frozen=True)
class AuditReport:
    """What the audit found in one session."""

    session: str
    verdict: Verdict
    """ok; recovered: it was interrupted and mended; damaged: something is missing, torn or no
    longer what was recorded."""
    streams: dict[StreamName, StreamReport]
    markers: MarkersReport | None
    """None where the stamps cannot be read."""
    files: dict[str, FileReport]
    """What became of the files since the take, by name; empty where no hashes were recorded."""
    problems: tuple[str, ...]
    """What is wrong, one sentence each; of a recovered take what was given up."""
    notices: tuple[str, ...]
    """What whoever goes on with the session should know; nothing of it is damage."""
    cut: dict[StreamName, int]
    """Recovered takes: frames at the end of which only the stamp or only the pixels were there."""

    @property
    def is_passed(self) -> bool:
        """True unless the session is damaged."""
        return self.verdict != "damaged"

    def to_document(self) -> dict[str, Any]:
        """The report as JSON says it."""
        document = asdict(self)
        for stream in document["streams"].values():
            stream["gaps"] = list(stream["gaps"])
            if stream["clock"] is not None:
                stream["clock"]["domains"] = list(stream["clock"]["domains"])
        return {
            "session": document.pop("session"),
            "verdict": document.pop("verdict"),
            "pass": self.is_passed,
            **document,
            "problems": list(self.problems),
            "notices": list(self.notices),
        }

    def to_session_entry(self) -> dict[str, Any]:
        """The report as session.json keeps it: its files stand beside it there."""
        return {key: value for key, value in self.to_document().items() if key != "files"}
