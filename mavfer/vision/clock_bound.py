"""How far a fitted clock may be from the truth, told from the delays above it.

What is bounded is the time of each frame's exposure plus the shortest possible delay; that delay,
the same for all frames, cannot be seen in stamps.

The bound has three parts (ours; its constants are from simulation, see `benchmarks/clock_fit.py`):

- luck: an edge that rests on N frames is as far above the true one as the least of N delays. That
  is read off the delays themselves, at the share of them that N frames would be sure to undercut,
  and taken to be long where there are too few delays to tell;
- bend: what is left between edge and delays in the worst part of the take, because the clock does
  not run as straight as the edge or the shortest delay changes;
- the step in which the stamps count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["bound_bend_ns", "bound_edge", "is_bent", "largest_lift_ns"]

_SURE_FRAMES: Final = 16.0
"""The least of N delays is below their quantile 16/N, with room for edges that tilt (simulated)."""
_LUCK: Final = 2.2
_UNSEEN_NS: Final = 100e6
"""Of so few frames all may be late; by how much they cannot tell: the longest usual wait (ours)."""
_WINDOWS: Final = 10
_FRAMES_PER_WINDOW: Final = 5
_FRAMES_TO_JUDGE: Final = 20
_GRAIN_FRAMES: Final = 10
_FRAMES_TO_BEND: Final = 100
_SECONDS_TO_BEND: Final = 10.0
_MOST_BENDS: Final = 40
_BEND: Final = 1.3
_BENT_NS: Final = 30_000.0
_TIMES_GRAIN: Final = 4.0
_FRAMES_TO_LEARN: Final = 30


def bound_edge(
    elapsed_ns: NDArray[np.float64],
    residual_ns: NDArray[np.float64],
    piece: NDArray[np.int64],
    reach_ns: float,
) -> NDArray[np.float64]:
    """Largest error (T,) to expect of each frame's time from luck alone, nanoseconds.

    Args:
        elapsed_ns: float64 (T,), device times without steps.
        residual_ns: float64 (T,), delays above the edge, at least 0.
        piece: int64 (T,), number of each frame's piece, ascending from 0.
        reach_ns: How far frames on either side help to place the edge.
    """
    counts = np.bincount(piece)
    learnt = residual_ns[counts[piece] >= min(_FRAMES_TO_LEARN, counts.max())]
    if len(learnt) <= _SURE_FRAMES:
        learnt = np.append(learnt, max(_UNSEEN_NS, learnt.max()))
    order = np.sort(learnt)
    share = np.minimum(_SURE_FRAMES / _frames_near(elapsed_ns, piece, reach_ns), 1)
    quantile = np.interp(share * (len(order) - 1), np.arange(len(order)), order)
    # The longest delay of all needs no room above it.
    bound: NDArray[np.float64] = (_LUCK - (_LUCK - 1) * share) * quantile
    return bound


def bound_bend_ns(elapsed_ns: NDArray[np.float64], residual_ns: NDArray[np.float64]) -> float:
    """Largest error to expect because the clock does not run as the edge does, nanoseconds.

    It is the largest distance from the edge to the earliest arrival in windows that are as short as
    they can be without meaning luck.
    """
    seconds = np.ptp(elapsed_ns) / 1e9
    windows = min(len(elapsed_ns) // _FRAMES_TO_BEND, int(seconds / _SECONDS_TO_BEND), _MOST_BENDS)
    return _BEND * largest_lift_ns(residual_ns, max(windows, 1))


def largest_lift_ns(residual_ns: NDArray[np.float64], windows: int = _WINDOWS) -> float:
    """Largest distance from the edge to the earliest arrival in any window of the take."""
    return max(float(part.min()) for part in _split(residual_ns, windows))


def is_bent(residual_ns: NDArray[np.float64], windows: int = _WINDOWS) -> bool:
    """True where the earliest arrivals of some window lie too high for it to be luck.

    Luck is as large as the distance between a window's earliest arrivals.
    """
    parts = _split(residual_ns, windows)
    if min(len(part) for part in parts) < _FRAMES_TO_JUDGE:
        return False
    least = np.array([np.partition(part, _GRAIN_FRAMES)[: _GRAIN_FRAMES + 1] for part in parts])
    grain = float(np.median(least.max(axis=1) - least.min(axis=1)))
    return bool(least.min(axis=1).max() > max(_BENT_NS, _TIMES_GRAIN * grain))


def _split(residual: NDArray[np.float64], windows: int) -> list[NDArray[np.float64]]:
    return np.array_split(residual, min(windows, -(-len(residual) // _FRAMES_PER_WINDOW)))


def _frames_near(
    elapsed: NDArray[np.float64], piece: NDArray[np.int64], reach: float
) -> NDArray[np.int64]:
    """Frames (T,) of the same piece within reach of each, itself included."""
    order = np.sort(elapsed)
    starts = np.searchsorted(piece, piece)
    ends = np.searchsorted(piece, piece, side="right")
    first = np.maximum(np.searchsorted(order, elapsed - reach), starts)
    last = np.minimum(np.searchsorted(order, elapsed + reach, side="right"), ends)
    near: NDArray[np.int64] = np.maximum(last - first, 1)
    return near
