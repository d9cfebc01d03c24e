"""`warping.collect_plain` as a compiled loop. Imported by its neighbour alone, where numba is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["collect_compiled"]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def collect_compiled(centre: Floats, traces: Floats, window: int) -> tuple[Floats, Floats]:
    """See `warping.collect_plain`."""
    raters, frames = traces.shape
    total, count = np.zeros((raters, frames)), np.zeros((raters, frames))
    steps = np.empty((frames, 2 * window + 1), np.int8)
    for rater in range(raters):
        trace = traces[rater]
        _accumulate(centre, trace, window, steps)
        _walk(trace, window, steps, total[rater], count[rater])
    return total, count


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _accumulate(centre: Floats, trace: Floats, window: int, steps: NDArray[np.int8]) -> None:
    """Fills `steps` with the best step into each cell: 0 both, 1 the centre's, 2 the trace's."""
    frames = len(centre)
    above = np.full(2 * window + 2, np.inf)
    row = np.full(2 * window + 2, np.inf)
    for i in range(frames):
        before = np.inf
        for at in range(2 * window + 1):
            j = i + at - window
            if j < 0 or j >= frames:
                row[at] = before = np.inf
                continue
            difference = centre[i] - trace[j]
            cost = 0.0 if np.isnan(difference) else difference * difference
            best, step = above[at], 0
            if i == 0 and j == 0:
                best = 0.0
            if above[at + 1] < best:
                best, step = above[at + 1], 1
            if before < best:
                best, step = before, 2
            steps[i, at] = step
            row[at] = before = best + cost
        above, row = row, above


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _walk(
    trace: Floats, window: int, steps: NDArray[np.int8], total: Floats, count: Floats
) -> None:
    """Goes back along the best path and collects the trace's values at each of its frames."""
    i = j = len(trace) - 1
    while True:
        if not np.isnan(trace[j]):
            total[i] += trace[j]
            count[i] += 1
        if i == 0 and j == 0:
            return
        step = steps[i, j - i + window]
        i -= step != 2  # noqa: PLR2004 (the trace's step)
        j -= step != 1
