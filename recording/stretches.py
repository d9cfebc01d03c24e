"""One count and one clock for a stream whose camera went away and came back.

A camera that was opened again counts from nought, and its clock may too. What is stored goes on:
the count by the time that passed, the clock by the same, and the first frame of the new stretch is
flagged, so that a reader can fit the clock of each stretch by itself. Stamps of the host's clock go
on by themselves and are left as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from recording.camera import ClockDomain, Frame, FrameFlag, LostFrame

if TYPE_CHECKING:
    from typing import TypeVar

    AnyFrame = TypeVar("AnyFrame", Frame, LostFrame)

__all__ = ["Gap", "LastStamp", "Stretches"]

_NANOSECONDS: Final = 1_000_000_000
_COUNT_DOUBT_FRAMES: Final = 3
_COUNT_DOUBT_SHARE: Final = 0.02
"""A count that is this near to what the time says went on by itself (ours)."""
_CLOCK_DOUBT_NS: Final = 100_000_000
_CLOCK_DOUBT_SHARE: Final = 500e-6
"""The same for a clock: the longest usual delay of a frame, and five times a crystal's drift."""


@dataclass(frozen=True)
class LastStamp:
    """Where a stream stands: what is stored of its last frame."""

    host_ns: int
    device_ns: int
    frame_number: int


@dataclass(frozen=True)
class Gap:
    """The time between two stretches of a stream."""

    seconds: float
    """From the last frame before to the first one after."""
    frames: int
    """Frames that did not come meanwhile, by the time that passed or by the camera's count."""
    counted: int
    """The number that the camera gave to its first frame after."""
    number: int
    """The number under which that frame is stored."""
    moved_ns: int
    """What is added to the camera's stamps since then."""

    def __str__(self) -> str:
        """For the table of events, at most 128 bytes."""
        return (
            f"{self.seconds:.3f} s, about {self.frames} frames; count {self.counted} goes on as "
            f"{self.number}; clock moved by {self.moved_ns} ns"
        )


class Stretches:
    """Carries the count and the clock of one stream over the gaps of its camera."""

    def __init__(self, rate_hz: float, last: LastStamp | None = None) -> None:
        """Begins the stream, or goes on after `last`, as after a gap."""
        self._rate_hz = rate_hz
        self._last = last
        self._is_new = last is not None
        self._added_frames = 0
        self._moved_ns = 0

    @property
    def is_between(self) -> bool:
        """True from a restart until the first frame after it."""
        return self._is_new

    def restart(self) -> None:
        """Says that the camera was opened again: the next frame begins a stretch."""
        self._is_new = self._last is not None

    def carry(self, frame: Frame) -> tuple[Frame, Gap | None]:
        """The frame as it is stored, and the gap that it ends, if it does."""
        gap = self._begin(frame, self._last) if self._is_new and self._last is not None else None
        self._is_new = False
        carried = self.renumber(frame)
        if gap is not None:
            carried = replace(carried, flags=carried.flags | FrameFlag.RESTARTED)
        if self._moved_ns:
            carried = replace(carried, device_ns=carried.device_ns + self._moved_ns)
        self._last = LastStamp(carried.host_ns, carried.device_ns, carried.frame_number)
        return carried, gap

    def renumber(self, frame: AnyFrame) -> AnyFrame:
        """The frame under the number that goes on."""
        if not self._added_frames:
            return frame
        return replace(frame, frame_number=frame.frame_number + self._added_frames)

    def _begin(self, frame: Frame, last: LastStamp) -> Gap:
        """Finds what is added to the count and the clock from `frame` on."""
        elapsed_ns = frame.host_ns - last.host_ns
        periods = max(1, round(elapsed_ns / _NANOSECONDS * self._rate_hz))
        passed = frame.frame_number + self._added_frames - last.frame_number
        doubt_frames = _COUNT_DOUBT_FRAMES + _COUNT_DOUBT_SHARE * periods
        if passed < 1 or abs(passed - periods) > doubt_frames:
            self._added_frames += periods - passed
        strayed_ns = frame.device_ns + self._moved_ns - last.device_ns - elapsed_ns
        doubt_ns = _CLOCK_DOUBT_NS + _CLOCK_DOUBT_SHARE * elapsed_ns
        is_of_host = frame.domain == ClockDomain.HOST
        if not is_of_host and (abs(strayed_ns) > doubt_ns or elapsed_ns + strayed_ns < 0):
            self._moved_ns -= strayed_ns
        number = frame.frame_number + self._added_frames
        return Gap(
            seconds=elapsed_ns / _NANOSECONDS,
            frames=number - last.frame_number - 1,
            counted=frame.frame_number,
            number=number,
            moved_ns=self._moved_ns,
        )
