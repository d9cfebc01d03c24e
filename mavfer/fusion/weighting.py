"""Raters weighted by likeness, their mean or median, and the band around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from scipy.special import stdtrit

from mavfer.agreement.pairs import leave_one_out, pairwise
from mavfer.metrics import pearson

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["BAND", "LIKENESS", "Joint", "alike", "likeness_weights", "median_of", "weighted_of"]

BAND: Final = 0.95
"""Quantile at the upper end of the 90 % band."""

_MEDIAN_WIDTH: Final = float(np.sqrt(np.pi / 2))
"""Standard error of the median over that of the mean, normal raters."""

_ONE_VOICE: Final = 1 + 1e-9
"""With no more raters than this behind a value there is no spread to measure."""


@dataclass(frozen=True)
class Joint:
    """What raters whose lags are out say together."""

    trace: NDArray[np.float64]
    """(T,), NaN where no rater with a weight is there."""
    half_band: NDArray[np.float64]
    """(T,), half the width of the 90 % band; NaN where it cannot be told."""
    weights: NDArray[np.float64]
    """(K,), from 0, summing to 1."""
    is_fallback: bool = False
    """The method had nothing to say, so that raters count alike."""


def weighted_of(
    aligned: NDArray[np.float64], weights: NDArray[np.float64], *, is_fallback: bool = False
) -> Joint:
    """The weighted mean of (K, T); a rater who is missing gives the weight to the others.

    The band is Student's, with as many raters as 1 / sum of squared weights (ours).
    """
    trace = _weighted_mean(aligned, weights)
    return Joint(trace, _half_band(aligned, weights, trace), weights, is_fallback)


def median_of(aligned: NDArray[np.float64]) -> Joint:
    """The median of (K, T) of those who are there, and its band."""
    trace = np.full(aligned.shape[1], np.nan)
    is_there = (~np.isnan(aligned)).any(axis=0)
    trace[is_there] = np.nanmedian(aligned[:, is_there], axis=0)
    weights = alike(aligned)
    return Joint(trace, _half_band(aligned, weights, trace) * _MEDIAN_WIDTH, weights)


def alike(aligned: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same weight (K,) for all who are there at all, summing to 1."""
    is_there = (~np.isnan(aligned)).any(axis=1)
    equal: Floats = np.where(is_there, 1.0, 0.0) if is_there.any() else np.ones(len(aligned))
    equal /= equal.sum()
    return equal


def likeness_weights(
    aligned: NDArray[np.float64], likeness: Callable[[Floats], Floats]
) -> tuple[NDArray[np.float64], bool]:
    """Weights (K,) from what `likeness` says above 0, and whether it had nothing to say."""
    raw = np.maximum(np.nan_to_num(likeness(aligned), nan=0.0), 0.0)
    return (raw / raw.sum(), False) if raw.sum() > 0 else (alike(aligned), True)


def _with_mean_of_all(aligned: Floats) -> Floats:
    mean = _weighted_mean(aligned, np.ones(len(aligned)))
    return np.array([pearson(trace, mean) for trace in aligned])


def _with_each_other(aligned: Floats, measure: Literal["pearson", "ccc"]) -> Floats:
    """Mean over the other raters; those of whom nothing can be said do not count."""
    matrix = pairwise(aligned, measure)
    np.fill_diagonal(matrix, np.nan)
    is_known = ~np.isnan(matrix)
    total = np.sum(matrix, axis=1, where=is_known)
    mean: Floats = total / np.maximum(is_known.sum(axis=1), 1)
    return mean


LIKENESS: Final[dict[str, Callable[[Floats], Floats]]] = {
    "ewe": _with_mean_of_all,
    "ewe_loo": lambda aligned: leave_one_out(aligned, "pearson"),
    "ewe_pairwise": lambda aligned: _with_each_other(aligned, "pearson"),
    "ewe_ccc": lambda aligned: _with_each_other(aligned, "ccc"),
}
"""Of the evaluator-weighted estimators: how like the others each rater is (K,)."""


def _weighted_mean(aligned: Floats, weights: Floats) -> Floats:
    is_there = ~np.isnan(aligned)
    weights = weights / weights.max()  # exactly 1 where all are alike
    total = weights @ is_there
    values = weights @ np.where(is_there, aligned, 0.0)
    mean: Floats = np.divide(values, total, out=np.full(len(total), np.nan), where=total > 0)
    return mean


def _half_band(aligned: Floats, weights: Floats, trace: Floats) -> Floats:
    """Half the width of the 90 % band (T,), NaN where one rater alone is behind the value."""
    is_there = ~np.isnan(aligned)
    total, squares = weights @ is_there, weights**2 @ is_there
    half = np.full(len(trace), np.nan)
    voices = np.divide(total**2, squares, out=np.ones(len(trace)), where=squares > 0)
    several = voices > _ONE_VOICE
    rest = np.where(is_there, aligned - trace, 0.0)[:, several] ** 2
    voices = voices[several]
    variance = weights @ rest / total[several] / (1 - 1 / voices)
    half[several] = stdtrit(voices - 1, BAND) * np.sqrt(variance / voices)
    return half
