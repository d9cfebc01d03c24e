"""Rater-aligned annotation weighting: smoothed, standardised, warped to each other, weighted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import savgol_filter

from mavfer.fusion.warping import warped
from mavfer.fusion.weighting import LIKENESS, Joint, likeness_weights, weighted_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["raaw_of"]

_SMOOTHED_FRAMES: Final = 5
_ORDER: Final = 2
"""Of the polynomial; ours."""

_AVERAGED_FRAMES: Final = 11
"""The first odd number after the toolbox's 10, so that nothing moves by half a frame (ours)."""


def raaw_of(aligned: NDArray[np.float64], rate_hz: float) -> Joint:
    """The raters' trace after their standardised traces were warped to a common one.

    Each rater is smoothed (Savitzky-Golay, 5 frames) and standardised over all sessions; all are
    warped to their barycentre and averaged with the mean pairwise CCC of the raw traces as
    weights; the mean is smoothed over 11 frames and put back to the raters' scale.

    Where the toolbox aligns by generalised canonical time warping, this warps to the barycentre:
    of traces of one dimension canonical correlation only changes the scale (ours). The scale of
    the result is the weighted mean of the raters' own (ours; the toolbox leaves it standardised).

    Args:
        aligned: (K, T), lags taken out, NaN = missing.
        rate_hz: Frames a second.

    Source: Stappen et al. 2021, MuSe-Toolbox.
    """
    weights, is_fallback = likeness_weights(aligned, LIKENESS["ewe_ccc"])
    mean, spread = _scale(aligned)
    smoothed = _by_run(
        aligned,
        _SMOOTHED_FRAMES,
        lambda run: np.asarray(savgol_filter(run, _SMOOTHED_FRAMES, _ORDER)),
    )
    standard = (smoothed - mean[:, None]) / np.where(spread > 0, spread, 1.0)[:, None]
    heard = weights > 0  # who has no weight must not draw the others to where they are
    moved = np.full(standard.shape, np.nan)
    moved[heard] = warped(standard[heard], rate_hz)
    joint = weighted_of(moved, weights)
    scale = float(weights @ spread)
    trace = float(weights @ mean) + scale * _by_run(joint.trace[None], 2, _averaged)[0]
    return Joint(trace, scale * joint.half_band, weights, is_fallback)


def _scale(traces: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each rater (K,); 0 and 0 for one without a value."""
    is_there = ~np.isnan(traces)
    count = np.maximum(is_there.sum(axis=1), 1)
    mean = np.sum(traces, axis=1, where=is_there) / count
    square = np.sum((traces - mean[:, None]) ** 2, axis=1, where=is_there) / count
    return mean, np.sqrt(square)


def _averaged(run: Floats) -> Floats:
    averaged: Floats = uniform_filter1d(run, min(_AVERAGED_FRAMES, len(run) | 1), mode="nearest")
    return averaged


def _by_run(traces: Floats, shortest: int, smooth: Callable[[Floats], Floats]) -> Floats:
    """Each unbroken run of values of (K, T) smoothed; those shorter than `shortest` as they are."""
    out = traces.copy()
    for row, smoothed in zip(traces, out, strict=True):
        is_there = np.concatenate([[False], ~np.isnan(row), [False]])
        for start, end in np.flatnonzero(np.diff(is_there)).reshape(-1, 2):
            if end - start >= shortest:
                smoothed[start:end] = smooth(row[start:end])
    return out
