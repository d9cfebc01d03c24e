"""What a camera's counter does to its stamps: it rolls over, and it counts in steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["find_resolution_ns", "unwrap_counter"]

_COUNTS_OF_32_BITS: Final = 2**32
_USUAL_TICKS_HZ: Final = (1e3, 9e4, 1e6, 1e7, 1.5e7, 2.7e7, 4.8e7, 1e8, 1.25e8, 1e9)
"""Rates of counters in cameras: milliseconds, video clocks, microseconds, USB, GigE Vision."""
_NEAR_NS: Final = 1e9
"""A frame that is late by less than this does not hide that the counter rolled over."""
_LEAST_RESOLUTION_NS: Final = 1_000
_NEAR_PERIOD: Final = 0.25


def unwrap_counter(
    device_ns: NDArray[np.int64], host_ns: NDArray[np.int64], wrap_ns: float | None = None
) -> NDArray[np.int64]:
    """What must be added to each stamp (T,) so that a counter that rolled over goes on.

    A jump is a roll-over where it is, to within a second, a whole number of the counter's periods
    more than the arrivals allow; what is left of the jump is for others to explain.

    Args:
        device_ns: int64 (T,), stamps as the counter gave them.
        host_ns: int64 (T,), arrivals; they tell how many roll-overs a long gap hides.
        wrap_ns: Nanoseconds until the counter begins again; by default one of the periods that
            counters of 32 bits have.
    """
    missing = np.diff(host_ns - device_ns)
    turns = np.zeros(len(device_ns), dtype=np.int64)
    for frame in np.flatnonzero(np.abs(missing) > _NEAR_NS).tolist():
        turns[frame + 1] = _nearest_wrap(int(missing[frame]), _periods(wrap_ns))
    return np.cumsum(turns)


def find_resolution_ns(device_ns: NDArray[np.int64]) -> int:
    """The step in which a counter's stamps go up; 0 where it is too fine to matter or unknown.

    It is the greatest common divisor of the times between frames that follow each other, once
    these differ: stamps that are always the same time apart tell nothing, and lose nothing.
    """
    spacing = np.diff(device_ns)
    ahead = spacing[spacing > 0]
    if ahead.size == 0:
        return 0
    period = float(np.median(ahead))
    near = np.unique(ahead[np.abs(ahead - period) < _NEAR_PERIOD * period])
    if near.size < 2:  # noqa: PLR2004 (one spacing says nothing)
        return 0
    divisor = int(np.gcd.reduce(near))
    return divisor if divisor >= _LEAST_RESOLUTION_NS else 0


def _periods(wrap_ns: float | None) -> Sequence[float]:
    if wrap_ns is not None:
        return (wrap_ns,)
    return [_COUNTS_OF_32_BITS * 1e9 / hz for hz in _USUAL_TICKS_HZ]


def _nearest_wrap(missing_ns: int, periods: Sequence[float]) -> int:
    """The whole number of periods nearest to what is missing, in ns; 0 where none is near.

    Of an unknown counter the longest period is taken, once: with short ones, or many, everything
    could be explained.
    """
    is_known = len(periods) == 1
    for period in sorted(periods, reverse=True):
        turns = round(missing_ns / period)
        if not is_known:
            turns = min(turns, 1)
        if turns > 0 and abs(missing_ns - turns * period) < _NEAR_NS:
            return round(turns * period)
    return 0
