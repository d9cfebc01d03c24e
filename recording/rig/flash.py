"""A change that all cameras see: when each stream saw it, and how far their stamps lie apart.

A board before all lenses shows in color, depth and thermal; a lamp in color, and if it warms in
thermal. The stamp of a frame is the middle of its exposure; what changed before that middle fills
more than half of the exposure. So the first frame beyond half of the change and the one before
bound the moment, whatever the exposure time is (ours). The frames of two cameras lie to each other
differently each time: several changes narrow the bound. A board takes some frames to cover a lens,
and so bounds less than a lamp.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mavfer.streams import StreamName

__all__ = ["Change", "FlashOffset", "find_changes", "flash_offsets", "match_changes"]

_WINDOW_SECONDS: Final = 0.25
"""Time before and after a change over which the level is taken."""
_SUDDEN_SECONDS: Final = 0.15
"""A board is over a lens within that time."""
_TIMES_QUIET: Final = 16.0
_QUIET_PERCENTILE: Final = 25
"""A change stands out by that factor from what the level does in the quieter quarter of the time:
in the rest the board may be moved again and again (ours)."""
_LEAST_SHARE: Final = 0.002
"""And it is at least that share of the level: a lamp is more than a noise."""
_PLATEAU: Final = 0.9
_BEGUN: Final = 0.1
"""Share of a change that may be noise."""
_LAMP_FRAMES: Final = 3
"""A lamp is seen whole at most so many frames after the last one without it: a rolling shutter cuts
two. What takes longer is bounded by its begin and its end."""
_SAME_FLASH_SECONDS: Final = 0.5
_LEAST_WINDOW_FRAMES: Final = 3


@dataclass(frozen=True)
class Change:
    """A sudden change of a stream's mean level."""

    first_ns: int
    """The change was not half done at this time,"""
    last_ns: int
    """and it was at this one."""
    size: float
    """Level after it less that before it."""

    @property
    def middle_ns(self) -> int:
        """The best guess."""
        return (self.first_ns + self.last_ns) // 2


@dataclass(frozen=True)
class FlashOffset:
    """How much later than another stream one says that the lamp was switched."""

    stream: StreamName
    reference: StreamName
    offset_ms: float
    uncertainty_ms: float
    flashes: int
    agree: bool
    """Whether one offset explains all flashes; if not, the uncertainty is that of a single one."""


def find_changes(times_ns: NDArray[np.int64], levels: NDArray[np.float64]) -> list[Change]:
    """Sudden changes of a level that stand out from what it does all the time.

    Args:
        times_ns: int64 (T,), rising: the middle of each exposure on the host's clock.
        levels: float64 (T,), mean of each frame.
    """
    if len(levels) < 4 * _LEAST_WINDOW_FRAMES:
        return []
    period_ns = float(np.median(np.diff(times_ns)))
    window = max(_LEAST_WINDOW_FRAMES, round(_WINDOW_SECONDS * 1e9 / period_ns))
    reach = max(1, round(_SUDDEN_SECONDS * 1e9 / period_ns / 2))
    centres = np.arange(window + reach, len(levels) - window - reach)
    if not len(centres):
        return []
    before = np.array([np.median(levels[c - reach - window : c - reach]) for c in centres])
    after = np.array([np.median(levels[c + reach : c + reach + window]) for c in centres])
    sizes = np.abs(after - before)
    quiet = float(np.percentile(sizes, _QUIET_PERCENTILE))
    least = max(_TIMES_QUIET * quiet, _LEAST_SHARE * float(np.median(levels)))
    found = []
    while sizes.max(initial=0.0) > least:
        best = _middle_of_plateau(sizes)
        middle, span = int(centres[best]), reach + window // 2
        around = slice(middle - span, middle + span + 1)
        shares = (levels[around] - before[best]) / (after[best] - before[best])
        change = _half_way(times_ns[around], shares, float(after[best] - before[best]))
        if change is not None:
            found.append(change)
        sizes[max(0, best - window - 2 * reach) : best + window + 2 * reach + 1] = 0.0
    return sorted(found, key=lambda change: change.first_ns)


def match_changes(changes: Mapping[StreamName, Sequence[Change]]) -> list[dict[StreamName, Change]]:
    """Changes that all streams saw at about the same time, in order."""
    streams = list(changes)
    flashes = []
    for first in changes[streams[0]]:
        seen = {stream: _nearest(changes[stream], first) for stream in streams}
        flash = {stream: change for stream, change in seen.items() if change is not None}
        if len(flash) == len(streams):
            flashes.append(flash)
    return flashes


def flash_offsets(flashes: Sequence[Mapping[StreamName, Change]]) -> list[FlashOffset]:
    """Offsets of all streams against the first one.

    Each flash bounds the offset; what all bounds have in common holds for all, if the offset is
    always the same.
    """
    if not flashes:
        return []
    reference, *others = flashes[0]
    return [_offset(stream, reference, flashes) for stream in others]


def _offset(
    stream: StreamName, reference: StreamName, flashes: Sequence[Mapping[StreamName, Change]]
) -> FlashOffset:
    least = np.array([f[stream].first_ns - f[reference].last_ns for f in flashes]) / 1e6
    most = np.array([f[stream].last_ns - f[reference].first_ns for f in flashes]) / 1e6
    low, high = float(least.max()), float(most.min())
    agree = low <= high
    if not agree:
        middles = (least + most) / 2
        low = float(np.median(middles) - np.max(most - least) / 2)
        high = float(np.median(middles) + np.max(most - least) / 2)
    return FlashOffset(stream, reference, (low + high) / 2, (high - low) / 2, len(flashes), agree)


def _nearest(changes: Sequence[Change], to: Change) -> Change | None:
    """The change closest to another, where it may be of the same flash."""
    if not changes:
        return None
    nearest = min(changes, key=lambda change: abs(change.middle_ns - to.middle_ns))
    is_same = abs(nearest.middle_ns - to.middle_ns) < _SAME_FLASH_SECONDS * 1e9
    return nearest if is_same else None


def _middle_of_plateau(sizes: NDArray[np.float64]) -> int:
    """The middle of the frames around which the change is about as large as anywhere."""
    best = int(np.argmax(sizes))
    is_lower = sizes < _PLATEAU * sizes[best]
    first = int(np.flatnonzero(is_lower[:best])[-1]) + 1 if is_lower[:best].any() else 0
    last = best + int(np.argmax(is_lower[best:])) - 1 if is_lower[best:].any() else len(sizes) - 1
    return (first + last) // 2


def _half_way(
    times_ns: NDArray[np.int64], shares: NDArray[np.float64], size: float
) -> Change | None:
    """The two frames between which half of the change was done; None where it was before.

    Args:
        times_ns: Of some frames around the change.
        shares: How much of it was done in each, from 0 to 1.
        size: Level after it less that before it.
    """
    beyond = np.flatnonzero(shares >= 1 / 2)
    if not len(beyond) or beyond[0] == 0:
        return None
    last = int(beyond[0])
    first = last - 1
    below = np.flatnonzero(shares[:last] < _BEGUN)
    above = last + np.flatnonzero(shares[last:] > 1 - _BEGUN)
    if len(below) and len(above) and above[0] - below[-1] > _LAMP_FRAMES:  # a board, a hand
        first, last = int(below[-1]), int(above[0])
    return Change(int(times_ns[first]), int(times_ns[last]), size)
