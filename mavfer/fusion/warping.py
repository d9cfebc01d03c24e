"""Dynamic time warping of traces to a common centre, and their barycentre.

A path may leave the diagonal by a window only: further away it would invent what nobody rated.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.fusion.stretches import stretches_of
from mavfer.fusion.weighting import Joint, alike, weighted_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["WINDOW_SECONDS", "barycentre", "collect_plain", "dba_of", "warped"]

WINDOW_SECONDS: Final = 3.0
"""Reaction lags are out already; raters differ from one event to the next by less than this."""

_ROUNDS: Final = 10
_SETTLED: Final = 1e-6
"""A barycentre that moves by less, beside its spread, has settled."""

_BOTH, _CENTRE, _TRACE = 0, 1, 2


def dba_of(aligned: NDArray[np.float64], rate_hz: float) -> Joint:
    """The barycentre of raters whose lags are out; the band is that of the warped traces (ours)."""
    centre, total, count = _settled(aligned, rate_hz)
    spread = weighted_of(_quotient(total, count), alike(aligned))
    return Joint(centre, spread.half_band, spread.weights)


def barycentre(traces: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
    """The trace (T,) nearest to all of (K, T) once each is warped to it; NaN where nobody rates.

    Each stretch in which anybody rates is warped by itself.

    Args:
        traces: (K, T), lags taken out, NaN = missing: fits anything and tells nothing.
        rate_hz: Frames a second.

    Source: Petitjean, Ketterlin and Gançarski 2011, Pattern Recognition 44(3), 678-693, begun from
    the mean; the window: Sakoe and Chiba 1978, IEEE Trans. ASSP 26(1), 43-49.
    """
    centre, _, _ = _settled(traces, rate_hz)
    return centre


def warped(traces: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
    """Each rater's trace (K, T) warped to the barycentre: the mean of what falls on a frame.

    NaN where nothing that was rated falls on it.
    """
    _, total, count = _settled(traces, rate_hz)
    return _quotient(total, count)


def collect_plain(centre: Floats, traces: Floats, window: int) -> tuple[Floats, Floats]:
    """Sum and number (K, T) of the values of each rater that fall on each frame of the centre.

    Args:
        centre: (T,) without NaN.
        traces: (K, T), NaN = missing.
        window: Frames that a path may be from the diagonal.
    """
    steps = _steps(centre, traces, window)
    raters = np.arange(len(traces))
    total, count = np.zeros(traces.shape), np.zeros(traces.shape)
    filled, is_there = np.nan_to_num(traces), (~np.isnan(traces)).astype(np.float64)
    i = np.full(len(traces), len(centre) - 1)
    j, walks = i.copy(), np.ones(len(traces), bool)
    while walks.any():
        total[raters, i] += filled[raters, j] * walks
        count[raters, i] += is_there[raters, j] * walks
        walks = (i > 0) | (j > 0)
        step = steps[i, raters, j - i + window]
        i = i - (walks & (step != _TRACE))
        j = j - (walks & (step != _CENTRE))
    return total, count


def _quotient(total: Floats, count: Floats) -> Floats:
    mean: Floats = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean


def _settled(traces: Floats, rate_hz: float) -> tuple[Floats, Floats, Floats]:
    """The barycentre (T,), and what `collect_plain` says of it."""
    centre = np.full(traces.shape[1], np.nan)
    total, count = np.zeros(traces.shape), np.zeros(traces.shape)
    for rows in stretches_of(traces):
        centre[rows], total[:, rows], count[:, rows] = _stretch(traces[:, rows], rate_hz)
    return centre, total, count


def _stretch(traces: Floats, rate_hz: float) -> tuple[Floats, Floats, Floats]:
    collect = _collector()
    window = min(max(1, round(WINDOW_SECONDS * rate_hz)), traces.shape[1])
    centre = np.nanmean(traces, axis=0)
    for _ in range(_ROUNDS):
        total, count = collect(centre, traces, window)
        told = count.sum(axis=0)
        moved = np.divide(total.sum(axis=0), told, out=centre.copy(), where=told > 0)
        change, centre = np.abs(moved - centre).max(), moved
        if change <= _SETTLED * np.ptp(centre):
            break
    return centre, total, count


def _collector() -> Callable[[Floats, Floats, int], tuple[Floats, Floats]]:
    """The compiled loop where numba is installed."""
    if find_spec("numba") is None:
        return collect_plain
    from mavfer.fusion.warping_kernels import collect_compiled

    return collect_compiled  # type: ignore[no-any-return]  # numba has no types


def _steps(centre: Floats, traces: Floats, window: int) -> NDArray[np.int8]:
    """The best step into each cell (T, K, 2 * window + 1): a row is a frame of the centre.

    Steps along a row follow from each other; they become a running minimum once the costs that
    were summed up along the row are taken off.
    """
    raters, frames = traces.shape
    width = 2 * window + 1
    padded = np.full((raters, frames + 2 * window), np.inf)
    padded[:, window : window + frames] = traces
    steps = np.empty((frames, raters, width), np.int8)
    above = np.full((raters, width + 1), np.inf)
    above[:, window] = 0.0
    for i in range(frames):
        cost = (padded[:, i : i + width] - centre[i]) ** 2
        cost[np.isnan(cost)] = 0.0
        down, both = above[:, 1:], above[:, :-1]
        entered = np.minimum(both, down)
        is_outside = np.isinf(cost)
        summed = np.cumsum(np.where(is_outside, 0.0, cost), axis=1)
        left = summed - np.where(is_outside, 0.0, cost)
        row = summed + np.minimum.accumulate(entered - left, axis=1)
        row[is_outside] = np.inf
        before = np.concatenate([np.full((raters, 1), np.inf), row[:, :-1]], axis=1)
        steps[i] = np.where(before < entered, _TRACE, np.where(down < both, _CENTRE, _BOTH))
        above[:, :-1] = row
    return steps
