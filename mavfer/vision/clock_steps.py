"""Frames at which a device's clock was set, told from frames that are only late.

A clock that is set leaves two marks: all later delays are higher or lower, and two stamps are apart
by a time that no number of frames explains. Late frames leave neither for long.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["RoughDelays", "Spacings", "classify_spacings", "find_steps", "rough_delays"]

_FRAMES_TO_GUESS: Final = 8
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
_TIMES_LONG: Final = 1.4
"""Where there are thousands of frames to choose from, chance goes further."""
_LONG_SECONDS: Final = 10.0
"""Where the spacing tells nothing a run of late frames that lasts so long passes for a step."""
_LEAST_SECONDS: Final = 3.0
_LEAST_FRAMES: Final = 8
_RETURN_FRAMES: Final = 3
_IRREGULAR: Final = 0.125
"""Share of the period by which stamps may jitter before their spacing tells nothing."""
_ALIKE_NS: Final = 1e6
_STRANGE_NS: Final = 1e9
_TIMES_JITTER: Final = 8.0
_LEAST_JITTER: Final = 1e-4
"""Share of the period that no camera keeps better, each frame of a gap adding its own."""


@dataclass(frozen=True)
class RoughDelays:
    """Delays with a first guess of the drift taken out."""

    level_ns: NDArray[np.float64]
    """(T,) delay, less the guessed drift."""
    drift: float
    """The guess, as a share of one."""
    doubt: float
    """How far the guess may be off."""


@dataclass(frozen=True)
class Spacings:
    """How each stamp follows the one before; arrays (T,), the first frame follows nothing."""

    is_odd: NDArray[np.bool_]
    """By a time that is no whole number of frames."""
    is_single: NDArray[np.bool_]
    """By the time of one frame."""
    is_interrupted: NDArray[np.bool_]
    """After a second or more without arrivals."""
    excess_ns: NDArray[np.float64]
    """By how much more than the time of one frame."""
    period_ns: float
    """Time of one frame; 0 where the stamps are too irregular."""
    alike_ns: float
    """A step as delays tell it and as the spacing tells it agree to within this."""

    def may_step(self, frame: int, step_ns: float) -> bool:
        """True where a steady camera's clock can have been set by this much before a frame.

        What the spacing has beyond a whole number of frames is then the step. A shortest delay that
        changes, for example as another camera comes onto the bus, does not show in the spacing. A
        camera that was away for long may have begun anew between two frames.
        """
        if self.period_ns == 0 or self.is_interrupted[frame] or abs(step_ns) > _STRANGE_NS:
            return True
        if not self.is_odd[frame] and abs(step_ns) < self.period_ns / 2:
            return False
        apart = (step_ns - self.excess_ns[frame]) / self.period_ns
        return bool(abs(apart - round(apart)) * self.period_ns < self.alike_ns)

    def may_be_wrong(self) -> NDArray[np.bool_]:
        """True (T,) for frames whose stamps alone are off: the next spacing takes it back."""
        following = np.append(self.excess_ns[1:], np.inf)
        is_taken_back: NDArray[np.bool_] = np.abs(self.excess_ns + following) < self.alike_ns
        return self.is_odd & is_taken_back


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
    window = min(frames // 4, int(_SECONDS_TO_GUESS * 1e9 / elapsed_ns[-1] * frames) + 2)
    middle = np.arange(window, frames - window + 1)
    change = _level_changes(delay_ns, window)[middle]
    apart = elapsed_ns[-1] / frames * window
    drift = float(np.median(change)) / apart
    doubt = float(np.median(np.abs(change - np.median(change)))) / apart
    return RoughDelays(delay_ns - drift * elapsed_ns, drift, doubt)


def classify_spacings(
    device_ns: NDArray[np.int64], host_ns: NDArray[np.int64], resolution_ns: float
) -> Spacings:
    """Which stamps follow the one before as a steady camera's would.

    Stamps that go back are odd, and those that return after one; of a steady camera also those that
    no number of frames explains. A stamp that repeats the one before is not: it is the same
    exposure again.
    """
    spacing = np.diff(device_ns).astype(np.float64)
    ahead = spacing[spacing > 0]
    period = float(np.median(ahead)) if ahead.size else 0.0
    jitter = float(np.median(np.abs(ahead - period))) if ahead.size else 0.0
    tolerance = max(_TIMES_JITTER * jitter, 3.0 * resolution_ns, _LEAST_JITTER * period)
    is_steady = period > 0 and tolerance <= _IRREGULAR * period
    frames = np.maximum(np.rint(spacing / max(period, 1.0)), 1)
    is_whole = np.abs(spacing - frames * period) <= tolerance + _LEAST_JITTER * frames * period
    is_single = is_steady & is_whole & (frames == 1)
    is_back = spacing < 0
    returns = np.append(False, is_back[:-1]) & (spacing > (_RETURN_FRAMES + 1) * period)
    is_odd = is_back | returns
    if is_steady:
        is_odd |= ~is_single & (spacing != 0) & ~is_whole
    return Spacings(
        is_odd=np.append(False, is_odd),
        is_single=np.append(False, is_single),
        is_interrupted=np.append(False, np.diff(host_ns) > _STRANGE_NS),
        excess_ns=np.append(0.0, spacing - period),
        period_ns=period if is_steady else 0.0,
        alike_ns=max(tolerance, _ALIKE_NS),
    )


def find_steps(
    elapsed_ns: NDArray[np.float64], level_ns: NDArray[np.float64], spacings: Spacings
) -> list[int]:
    """Frames, ascending, that are the first of a new piece: the clock was set just before.

    Where the spacing of stamps is odd, a few frames on either side are enough to tell a step;
    elsewhere it takes seconds on either side, and where a steady camera's stamps follow each other
    there is none. Stamps that lie alone far below all others, in the future, are pieces of one
    frame.

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
    cuts = _lonely_frames(level_ns, window) | _odd_steps(level_ns, spacings.is_odd)
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


def _lonely_frames(level: NDArray[np.float64], window: int) -> set[int]:
    """Frames far below all others within a window on either side, and the frames after them."""
    before, onward = _least_around(level, window)
    depth = np.minimum(before, np.append(onward[1:], np.inf)) - level
    usual = float(np.median(depth[depth > 0])) if (depth > 0).any() else 0.0
    lonely = np.flatnonzero(depth > max(_LEAST_LONELY_NS, _TIMES_LONELY * usual))
    both = np.concatenate([lonely, lonely + 1])
    return set(both[(both > 0) & (both < len(level))].tolist())


def _odd_steps(level: NDArray[np.float64], is_odd: NDArray[np.bool_]) -> set[int]:
    """Frames of odd spacing at which the level changes, seen with any number of frames."""
    steps: set[int] = set()
    candidates = np.flatnonzero(is_odd)
    for window in _SHORT_FRAMES:
        changes = _level_changes(level, window)
        is_step = np.abs(changes[candidates]) > _threshold(changes)
        is_whole = (candidates >= window) & (candidates <= len(level) - window)
        steps.update(candidates[is_step & is_whole].tolist())
    return steps


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
