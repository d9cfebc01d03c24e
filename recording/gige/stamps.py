"""Numbers and times of GigE Vision frames: counters that wrap made to grow, clocks made one.

A frame of GigE Vision's stream protocol (GVSP) carries a block id, which is the camera's count of
frames, and a time stamp in ticks of the camera's own clock.
"""

from __future__ import annotations

import time
from typing import Final

__all__ = ["ArrivalClock", "BlockCounter", "TickClock"]

_BLOCK_IDS: Final = 65_535
"""Block ids of 16 bits run from 1 to 65535; 0 means something else and is skipped (read in the
source of Aravis, which follows GigE Vision 1.x)."""

_NS_PER_SECOND: Final = 1_000_000_000
_WRAP_TICKS: Final = 1 << 32
"""Some cameras count ticks in 32 bits, although the stamp has room for 64."""

_WRAP_TOLERANCE_NS: Final = 2 * _NS_PER_SECOND
"""How far a stamp may be from where a wrap would put it: arrivals are late by no more."""

_RESOLUTION_NS: Final = 1_000_000
"""Aravis stamps in whole microseconds, and reading two clocks takes a moment."""


class BlockCounter:
    """Block ids of 16 bits as a count that does not wrap; ids of 64 bits pass as they are.

    An id that goes back is a wrap where that means fewer than half of all ids are missing;
    elsewhere the camera has begun to count anew, and the number goes back with it.
    """

    def __init__(self) -> None:
        """Starts before the first frame."""
        self._last: int | None = None
        self._passed = 0

    def number(self, block_id: int) -> int:
        """The frame number of a block id; ids must come in the order in which they were sent."""
        back = 0 if self._last is None else self._last - block_id
        if back > _BLOCK_IDS // 2 and self._last is not None and self._last <= _BLOCK_IDS:
            self._passed += _BLOCK_IDS
        self._last = block_id
        return self._passed + block_id


class TickClock:
    """Stamps of a camera in nanoseconds that grow, also where 32 bits of ticks wrap.

    A stamp that goes back is a wrap where 2^32 ticks bring it to where the host's clock expects it;
    elsewhere the camera has set its clock anew, and the stamp is left as it is.
    """

    def __init__(self, ticks_hz: int) -> None:
        """Starts before the first frame; `ticks_hz` is the frequency that the camera states."""
        self._wrap_ns = _WRAP_TICKS * _NS_PER_SECOND // ticks_hz
        self._passed_ns = 0
        self._last: tuple[int, int] | None = None

    def unwrap(self, stamp_ns: int, host_ns: int) -> int:
        """The stamp in nanoseconds since the clock's start.

        Args:
            stamp_ns: Ticks as nanoseconds.
            host_ns: When the frame arrived, on the host's clock.
        """
        if self._last is not None and stamp_ns < self._last[0]:
            expected_ns = self._last[0] + host_ns - self._last[1]
            if abs(stamp_ns + self._wrap_ns - expected_ns) < _WRAP_TOLERANCE_NS:
                self._passed_ns += self._wrap_ns
        self._last = (stamp_ns, host_ns)
        return self._passed_ns + stamp_ns


class ArrivalClock:
    """Moments of the wall clock, by which Aravis stamps arrivals, on the monotonic clock.

    Frames may have waited for seconds until they are read. Where the wall clock was set in between,
    the difference of the two clocks from before that is tried too, and the one taken that puts the
    frame after the one before it and not into the future.
    """

    def __init__(self) -> None:
        """Reads both clocks."""
        self._ahead_ns = _wall_clock_ahead_ns()
        self._last_ns = time.monotonic_ns()

    def monotonic(self, realtime_ns: int) -> int:
        """When a frame arrived, by the monotonic clock; arrivals are given in their order."""
        before_ns, self._ahead_ns = self._ahead_ns, _wall_clock_ahead_ns()
        now_ns = time.monotonic_ns()
        for ahead_ns in (self._ahead_ns, before_ns):
            arrived_ns = realtime_ns - ahead_ns
            if self._last_ns - _RESOLUTION_NS <= arrived_ns <= now_ns + _RESOLUTION_NS:
                break
        else:
            arrived_ns = now_ns
        self._last_ns = max(self._last_ns + 1, min(arrived_ns, now_ns))
        return self._last_ns


def _wall_clock_ahead_ns() -> int:
    """How far the wall clock is ahead of the monotonic clock."""
    return time.time_ns() - time.monotonic_ns()
