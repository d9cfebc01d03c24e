"""The lower edge of a cloud of delays: one bent line, raised or lowered at steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.errors import NotAligned

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MAX_DRIFT_PPM", "LowerEdge", "fit_lower_edge"]

MAX_DRIFT_PPM: Final = 500.0
"""Crystals of cameras and hosts stay within 100 ppm of each other; five times that is generous."""
_MAX_BEND_PPM: Final = 5.0
"""Most by which the drift changes from one stretch to the next. A crystal changes by some 0.1 ppm a
kelvin near its turning point; a delay that jumps must not pass for one that does."""
_NS_PER_MS: Final = 1e6


@dataclass(frozen=True)
class LowerEdge:
    """The tightest edge below all delays."""

    knots_ns: NDArray[np.float64]
    """(J+1,) device times at which the drift may change, ascending."""
    heights_ns: NDArray[np.float64]
    """(J+1,) delay at the knots, in the first piece."""
    offsets_ns: NDArray[np.float64]
    """(K,) what each piece adds; 0 for the first."""

    def heights_at(self, elapsed_ns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Delay in the first piece at device times (T,); beyond the knots the line goes on."""
        knots, heights = self.knots_ns, self.heights_ns
        slopes = np.diff(heights) / np.diff(knots)
        before = np.minimum(elapsed_ns - knots[0], 0) * slopes[0]
        after = np.maximum(elapsed_ns - knots[-1], 0) * slopes[-1]
        heights_ns: NDArray[np.float64] = np.interp(elapsed_ns, knots, heights) + before + after
        return heights_ns


def fit_lower_edge(
    elapsed_ns: NDArray[np.float64],
    delay_ns: NDArray[np.float64],
    piece: NDArray[np.int64],
    segments: int,
) -> LowerEdge:
    """Among all edges that no delay undercuts, the one with the least summed distance to them.

    For delays that are exponential this is the most likely edge. It is a linear program in the
    heights at the knots and the offsets of the pieces; of each piece between two knots only the
    corners of the lower convex hull can touch the edge, so only they are constraints (ours).

    Args:
        elapsed_ns: float64 (T,), device times.
        delay_ns: float64 (T,), arrival minus device time.
        piece: int64 (T,), number of each frame's piece, ascending from 0.
        segments: Stretches of one drift each, of the same length.

    Raises:
        NotAligned: The linear program has no solution.
    """
    from scipy.optimize import linprog

    first, last = float(elapsed_ns.min()), float(elapsed_ns.max())
    knots = np.linspace(first, max(last, first + 1.0), segments + 1)
    stretch = np.clip(np.searchsorted(knots, elapsed_ns, side="right") - 1, 0, segments - 1)
    share = (elapsed_ns - knots[stretch]) / (knots[stretch + 1] - knots[stretch])
    gain = _summed_weights(stretch, share, piece, segments)
    corners = _corners(elapsed_ns, delay_ns, piece * segments + stretch)
    rows = _rows(stretch[corners], share[corners], piece[corners], len(gain))
    slope_rows, slope_limits = _slope_limits(knots, len(gain))
    solution = linprog(
        -gain / len(piece),
        A_ub=np.vstack([rows, slope_rows]),
        b_ub=np.concatenate([delay_ns[corners] / _NS_PER_MS, slope_limits]),
        bounds=(None, None),
        method="highs",
    )
    if solution.x is None:
        message = (
            f"clock fit: no edge below {len(piece)} delays ({solution.message}). Run mavfer audit "
            f"on the session, or use arrival times"
        )
        raise NotAligned(message)
    found = np.asarray(solution.x) * _NS_PER_MS
    return LowerEdge(knots, found[: segments + 1], np.append(0.0, found[segments + 1 :]))


def _summed_weights(
    stretch: NDArray[np.int64], share: NDArray[np.float64], piece: NDArray[np.int64], segments: int
) -> NDArray[np.float64]:
    """By how much the summed edge rises with each height and with each offset but the first."""
    begin = np.bincount(stretch, 1 - share, segments + 1)
    end = np.bincount(stretch + 1, share, segments + 1)
    return np.concatenate([begin + end, np.bincount(piece)[1:]])


def _rows(
    stretch: NDArray[np.int64], share: NDArray[np.float64], piece: NDArray[np.int64], width: int
) -> NDArray[np.float64]:
    """The edge at some frames (N,) as a sum of heights and offsets: (N, width)."""
    rows = np.zeros((len(stretch), width))
    frames = np.arange(len(stretch))
    rows[frames, stretch] = 1 - share
    rows[frames, stretch + 1] = share
    later = np.flatnonzero(piece)
    rows[later, width - 1 - piece.max() + piece[later]] = 1
    return rows


def _slope_limits(
    knots: NDArray[np.float64], width: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows and right sides (in ms) that keep the drift and its changes within their limits."""
    steps = len(knots) - 1
    length_ms = (knots[1] - knots[0]) / _NS_PER_MS
    rise = np.zeros((steps, width))
    rise[np.arange(steps), np.arange(steps)] = -1
    rise[np.arange(steps), np.arange(steps) + 1] = 1
    bend = np.diff(rise, axis=0)
    rows = np.vstack([rise, -rise, bend, -bend])
    limits = np.repeat(
        [MAX_DRIFT_PPM * 1e-6 * length_ms, _MAX_BEND_PPM * 1e-6 * length_ms],
        [2 * steps, 2 * (steps - 1)],
    )
    return rows, limits


def _corners(
    elapsed: NDArray[np.float64], delay: NDArray[np.float64], cell: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Frames at the corners of the lower hull of each cell; the frames of a cell are together."""
    starts = np.flatnonzero(np.diff(cell, prepend=-1))
    ends = np.append(starts[1:], len(cell))
    corners = [
        start + _lower_hull(elapsed[start:end], delay[start:end])
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]
    return np.concatenate(corners)


def _lower_hull(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices of the lower convex hull of points, one point for each x.

    Source: Andrew 1979, Information Processing Letters 9(5), 216-219 (the lower chain).
    """
    order = np.lexsort((y, x))
    order = order[np.r_[True, np.diff(x[order]) > 0]]
    while len(order) > 2:  # noqa: PLR2004 (two points are a hull)
        # What lies above a line between two others is no corner, so that all such points may go at
        # once: a few sweeps over arrays instead of a loop over points.
        left, middle, right = order[:-2], order[1:-1], order[2:]
        rise = (y[right] - y[left]) * (x[middle] - x[left])
        is_below = (y[middle] - y[left]) * (x[right] - x[left]) < rise
        if is_below.all():
            break
        order = order[np.r_[True, is_below, True]]
    return order
