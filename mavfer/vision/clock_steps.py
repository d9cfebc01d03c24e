"""Frames at which a device's clock was set, told from frames that are only late.

A clock that is set leaves two marks: all later delays are higher or lower, and two stamps are apart
by a time that no number of frames explains. Late frames leave neither for long.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.vision.clock_edge import MAX_DRIFT_PPM

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mavfer.vision.clock_spacings import Spacings

__all__ = ["RoughDelays", "find_steps", "rough_delays"]

_FRAMES_TO_GUESS: Final = 8
_WINDOWS_TO_GUESS: Final = 8
_SECONDS_TO_GUESS: Final = 20.0
_LEAST_STEP_NS: Final = 150_000.0
"""Smaller steps are left to the bound of the fit."""
_TIMES_SPREAD: Final = 10.0
"""A level that changes by this many times the usual change is a step. Changes of the least of
exponential delays are beyond it once in a thousand."""
_LEAST_LONELY_NS: Final = 500_000.0
_TIMES_LONELY: Final = 30.0
"""A lowest frame that lies below its neighbours by so much, and by this many times the usual depth,
is no luck. Where delays thin out towards their least, lucky frames are what the edge rests on."""
_SHORT_FRAMES: Final = (1, 4, 16, 64, 256)
"""Frames on either side that are compared where the spacing is odd."""
_LEAST_GRID_FRAMES: Final = 4
_SURE_GRID_FRAMES: Final = 16
"""Frames on either side that place a grid at all, and against those that are exposed late."""
_TIMES_USUAL: Final = 3.0
"""A step is known to within so many times the usual change of the level."""
_TIMES_LONG: Final = 1.4
"""Where there are thousands of frames to choose from, chance goes further."""
_LONG_SECONDS: Final = 10.0
"""Where the spacing tells nothing a run of late frames that lasts so long passes for a step."""
_LEAST_SECONDS: Final = 3.0
_LEAST_FRAMES: Final = 8


@dataclass(frozen=True)
class RoughDelays:
    """Delays with a first guess of the drift taken out."""

    level_ns: NDArray[np.float64]
    """(T,) delay, less as much of the guessed drift as a clock can have."""
    drift: float
    """The guess, as a share of one."""
    doubt: float
    """How far the guess may be off."""


def rough_delays(elapsed_ns: NDArray[np.float64], delay_ns: NDArray[np.float64]) -> RoughDelays:
    """Delays less the drift that most parts of the take agree on.

    The drift is the median, over all frames, of how much the least delay of the seconds after a
    frame differs from that of the seconds before: a few steps or bursts do not move it.

    Args:
        elapsed_ns: float64 (T,), arrivals after the first.
        delay_ns: float64 (T,), arrival minus device time.
    """
    frames = len(delay_ns)
    if frames < _FRAMES_TO_GUESS or elapsed_ns[-1] <= 0:
        return RoughDelays(delay_ns, 0.0, np.inf)
    window = min(
        frames // _WINDOWS_TO_GUESS, int(_SECONDS_TO_GUESS * 1e9 / elapsed_ns[-1] * frames) + 2
    )
    middle = np.arange(window, frames - window + 1)
    change = _level_changes(delay_ns, window)[middle]
    apart = elapsed_ns[-1] / (frames - 1) * window
    drift = float(np.median(change)) / apart
    doubt = float(np.median(np.abs(change - np.median(change)))) / apart
    likely = float(np.clip(drift, -MAX_DRIFT_PPM * 1e-6, MAX_DRIFT_PPM * 1e-6))
    return RoughDelays(delay_ns - likely * elapsed_ns, drift, doubt)


def find_steps(
    elapsed_ns: NDArray[np.float64], level_ns: NDArray[np.float64], spacings: Spacings
) -> list[int]:
    """Frames, ascending, that are the first of a new piece: the clock was set just before.

    Where the spacing of stamps is odd and their grid moves, a few frames on either side are enough
    to tell a step; elsewhere it takes seconds on either side, and where a steady camera's stamps
    follow each other there is none. Stamps that lie alone far below all others, in the future, are
    pieces of one frame.

    Args:
        elapsed_ns: float64 (T,), arrivals after the first.
        level_ns: float64 (T,), delays without drift.
        spacings: Result of `classify_spacings`.
    """
    frames = len(level_ns)
    if frames < 3 or elapsed_ns[-1] <= 0:  # noqa: PLR2004 (a step needs something on both sides)
        return []
    per_second = (frames - 1) * 1e9 / elapsed_ns[-1]
    window = int(max(_LONG_SECONDS * per_second, _LEAST_FRAMES))
    least = int(max(_LEAST_SECONDS * per_second, _LEAST_FRAMES))
    cuts = _lonely_frames(level_ns, window, spacings) | _odd_steps(level_ns, spacings)
    window = min(window, frames // 2)
    threshold = _TIMES_LONG * _threshold(_level_changes(level_ns, window))
    pieces = list(pairwise([0, *sorted(cuts), frames]))
    while pieces:
        first, last = pieces.pop()
        changes = _level_changes(level_ns[first:last], window)
        changes[spacings.is_single[first:last]] = 0
        cut = _long_step(changes, window, least, threshold)
        if cut:
            cuts.add(first + cut)
            pieces += [(first, first + cut), (first + cut, last)]
    return sorted(cuts)


def _least_around(
    values: NDArray[np.float64], window: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Least of `window` values before each, and from each on, (T,) each.

    At the ends the windows are as long as there are values; infinite before the first.
    """
    from scipy.ndimage import minimum_filter1d

    size = min(window, len(values))
    until = minimum_filter1d(values, size, mode="constant", cval=np.inf, origin=(size - 1) // 2)
    onward = minimum_filter1d(values, size, mode="constant", cval=np.inf, origin=-(size // 2))
    return np.append(np.inf, until[:-1]), onward


def _level_changes(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """By how much the least of `window` values from each on exceeds that before it; first 0."""
    before, onward = _least_around(values, window)
    before[0] = onward[0]
    changes: NDArray[np.float64] = onward - before
    return changes


def _threshold(changes: NDArray[np.float64]) -> float:
    """Change of level beyond what chance makes, from the usual change."""
    return max(_LEAST_STEP_NS, _TIMES_SPREAD * float(np.median(np.abs(changes))))


def _lonely_frames(level: NDArray[np.float64], window: int, spacings: Spacings) -> set[int]:
    """Frames far below all others within a window on either side, and the frames after them.

    A steady camera's stamp that is in the future is odd, or the one after it is.
    """
    before, onward = _least_around(level, window)
    depth = np.minimum(before, np.append(onward[1:], np.inf)) - level
    usual = float(np.median(depth[depth > 0])) if (depth > 0).any() else 0.0
    is_lonely = depth > max(_LEAST_LONELY_NS, _TIMES_LONELY * usual)
    if spacings.period_ns > 0:
        is_lonely &= spacings.is_odd | np.append(spacings.is_odd[1:], False)
    lonely = np.flatnonzero(is_lonely)
    both = np.concatenate([lonely, lonely + 1])
    return set(both[(both > 0) & (both < len(level))].tolist())


def _odd_steps(level: NDArray[np.float64], spacings: Spacings) -> set[int]:
    """Frames of odd spacing at which the level changes, seen with any number of frames.

    Of a steady camera the grid of the stamps must move by the same. Where stamps went back, or the
    camera was away, there is no grid to ask. Odd frames near a step see it too: first comes that
    which itself follows by as much as the level changes.
    """
    steps: set[int] = set()
    odd = np.flatnonzero(spacings.is_odd)
    has_no_grid = spacings.is_impossible | spacings.is_interrupted
    for window in _SHORT_FRAMES:
        changes = _level_changes(level, window)
        is_step = np.abs(changes[odd]) > _threshold(changes)
        is_step &= (odd >= window) & (odd <= len(level) - window)
        is_step &= has_no_grid[odd] | _moves_grid(odd, changes, window, spacings)
        found = odd[is_step]
        by_fit = np.argsort(np.abs(spacings.excess_ns[found] + changes[found]))
        for frame in found[by_fit].tolist():
            if has_no_grid[frame] or _moves_here(frame, steps, spacings):
                steps.add(frame)
    return steps


def _moves_here(frame: int, steps: set[int], spacings: Spacings) -> bool:
    """True where the grid moves before this frame, and not only before a step that is near."""
    reach = min((abs(frame - step) for step in steps), default=_SURE_GRID_FRAMES)
    if reach == 0 or reach >= _SURE_GRID_FRAMES:
        return reach > 0
    near, wide = (spacings.grid_shifts_ns(np.array([frame]), n) for n in (reach, _SURE_GRID_FRAMES))
    return bool(spacings.are_alike(near, wide)[0])


def _moves_grid(
    frames: NDArray[np.int64], changes: NDArray[np.float64], window: int, spacings: Spacings
) -> NDArray[np.bool_]:
    """True (N,) before which of the frames the grid moves as the level does, the other way.

    Where few frames tell the grid, chance makes some agree: then the stamps must follow each other
    by the step itself, without frames lost between them.
    """
    if spacings.period_ns == 0 or window < _LEAST_GRID_FRAMES:
        return np.zeros(len(frames), dtype=np.bool_)
    shifts_ns, steps_ns = spacings.grid_shifts_ns(frames, window), -changes[frames]
    has_moved = np.abs(shifts_ns) > spacings.tolerance_ns
    if window < _SURE_GRID_FRAMES:
        is_direct = np.abs(spacings.excess_ns[frames] - steps_ns) < spacings.period_ns / 2
        return has_moved & is_direct & spacings.are_alike(steps_ns, shifts_ns)
    doubt_ns = _TIMES_USUAL * float(np.median(np.abs(changes)))
    return has_moved & spacings.are_alike(steps_ns, shifts_ns, doubt_ns)


def _long_step(changes: NDArray[np.float64], window: int, least: int, threshold: float) -> int:
    """The frame of the largest step in a piece; 0 where there is none.

    A step is seen from everywhere within a window around it: the first frame from which on all are
    higher, or the last before which all are higher, is the one. Near the ends of the piece the
    least of fewer frames is compared, which varies more.
    """
    if len(changes) < 2 * least:
        return 0
    frames = np.arange(least, len(changes) - least + 1)
    fewest = np.minimum(np.minimum(frames, len(changes) - frames), window)
    inner = changes[frames] * (fewest / window)
    largest = int(np.argmax(np.abs(inner)))
    if abs(inner[largest]) <= threshold:
        return 0
    change = changes[frames[largest]]
    alike = np.flatnonzero(np.abs(changes[frames] - change) <= threshold)
    alike = alike[np.abs(alike - largest) < window]
    return int(frames[alike[0] if change > 0 else alike[-1]])
