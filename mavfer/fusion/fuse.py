"""One trace from several raters: lags taken out, raters weighted, and how sure the result is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
from scipy.special import stdtrit

from mavfer.agreement.estimate import as_ratings
from mavfer.agreement.pairs import leave_one_out, pairwise
from mavfer.errors import CommandError, InvalidArray
from mavfer.fusion.flags import flag_raters
from mavfer.fusion.lags import MAX_LAG_SECONDS, estimate_lags, shifted
from mavfer.metrics import pearson

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = ["METHODS", "Fused", "Method", "fuse"]

Method = Literal["mean", "median", "ewe", "ewe_loo", "ewe_pairwise", "ewe_ccc"]

METHODS: Final[tuple[Method, ...]] = get_args(Method)

_BAND: Final = 0.95
"""Quantile at the upper end of the 90 % band."""

_MEDIAN_WIDTH: Final = float(np.sqrt(np.pi / 2))
"""Standard error of the median over that of the mean, normal raters."""

_ONE_VOICE: Final = 1 + 1e-9
"""With no more raters than this behind a value there is no spread to measure."""


@dataclass(frozen=True)
class Fused:
    """What the raters say together; with sessions every field has S in front."""

    trace: Any
    """float64 (T,), NaN where no rater with a weight is there."""
    weights: Any
    """float64 (K,), from 0, summing to 1."""
    lags_seconds: Any
    """float64 (K,), by how much each rater was moved earlier."""
    low: Any
    """float64 (T,), lower end of the 90 % band; NaN where fewer than two raters are behind it."""
    high: Any
    """float64 (T,), upper end of the band."""
    flagged: Any
    """bool (K,), raters to doubt."""
    reasons: tuple[Any, ...]
    """K strings: why, "" for those not flagged."""
    is_fallback: Any = False
    """True where no rater got a weight from the method, so that all were taken alike."""


def fuse(
    ratings: ArrayLike,
    method: Method = "ewe",
    rate_hz: float = 1.0,
    lags: ArrayLike | None = None,
    reaction_seconds: float = 0.0,
) -> Fused:
    """The raters' common trace, with weights, lags and a band.

    Every rater is moved earlier by their lag, then weighted. "mean" and "median" take all alike.
    The evaluator-weighted estimators weight by a likeness below which 0 stands: "ewe" Pearson's
    with the mean of all, "ewe_loo" with the mean of the others, "ewe_pairwise" the mean over
    the other raters one by one, "ewe_ccc" the same with Lin's concordance. Where no rater has a
    weight, or a single one rated, all count alike and `is_fallback` says so. A rater who is
    missing for a while gives the weight to the others.

    The band is the 90 % interval of what more raters such as these would say on average: Student's
    with the effective number of raters, 1 / sum of squared weights (ours).

    Args:
        ratings: (K, T) or (S, K, T), NaN = missing.
        method: One of METHODS.
        rate_hz: Times a second.
        lags: (K,) or (S, K) seconds; None estimates them, relative to the fastest rater. A rater
            whose lag is NaN is moved by the median of the others, and flagged.
        reaction_seconds: Added to all lags: how late the fastest rater is.

    Raises:
        CommandError: There is no such method, or the rate is not above 0.
        InvalidArray: See `agreement.as_ratings`; or `lags` is not one number a rater.

    Source: Grimm and Kroschel 2005, ASRU, 381-385, equations 5 and 6; the mean pairwise CCC:
    Stappen et al. 2021, MuSe-Toolbox.
    """
    if method not in METHODS:
        message = f"method is {method!r}. Choose one of {', '.join(METHODS)}"
        raise CommandError(message)
    if rate_hz <= 0:
        message = f"rate_hz is {rate_hz}, must be above 0"
        raise CommandError(message)
    array = as_ratings(ratings)
    found = estimate_lags(array, rate_hz) if lags is None else _given_lags(lags, array)
    late = found + reaction_seconds
    limit = MAX_LAG_SECONDS if lags is None else np.inf
    if array.ndim == 2:  # noqa: PLR2004 (K, T)
        return _fuse(array, method, rate_hz, late, limit + reaction_seconds)
    sessions = [
        _fuse(session, method, rate_hz, own, limit + reaction_seconds)
        for session, own in zip(array, late, strict=True)
    ]
    return _stacked(sessions)


def _fuse(session: Floats, method: Method, rate_hz: float, lags: Floats, limit: float) -> Fused:
    is_known = ~np.isnan(lags)
    used = np.where(is_known, lags, np.median(lags[is_known]) if is_known.any() else 0.0)
    aligned = shifted(session, np.round(used * rate_hz, 9))
    weights, is_fallback = _weights(aligned, method)
    trace = _median(aligned) if method == "median" else _weighted_mean(aligned, weights)
    half = _half_band(aligned, weights, trace) * (_MEDIAN_WIDTH if method == "median" else 1)
    reasons = flag_raters(aligned, lags, limit - 0.5 / rate_hz)
    return Fused(
        trace=trace,
        weights=weights,
        lags_seconds=used,
        low=trace - half,
        high=trace + half,
        flagged=np.array([bool(reason) for reason in reasons]),
        reasons=reasons,
        is_fallback=is_fallback,
    )


def _weights(aligned: Floats, method: Method) -> tuple[Floats, bool]:
    """(K,) summing to 1, and whether the method had nothing to say."""
    is_there = (~np.isnan(aligned)).any(axis=1)
    equal = np.where(is_there, 1.0, 0.0) if is_there.any() else np.ones(len(aligned))
    equal /= equal.sum()
    if method not in _LIKENESS:
        return equal, False
    raw = np.maximum(np.nan_to_num(_LIKENESS[method](aligned), nan=0.0), 0.0)
    return (raw / raw.sum(), False) if raw.sum() > 0 else (equal, True)


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


_LIKENESS: Final[dict[Method, Callable[[Floats], Floats]]] = {
    "ewe": _with_mean_of_all,
    "ewe_loo": lambda aligned: leave_one_out(aligned, "pearson"),
    "ewe_pairwise": lambda aligned: _with_each_other(aligned, "pearson"),
    "ewe_ccc": lambda aligned: _with_each_other(aligned, "ccc"),
}


def _weighted_mean(aligned: Floats, weights: Floats) -> Floats:
    is_there = ~np.isnan(aligned)
    weights = weights / weights.max()  # exactly 1 where all are alike
    total = weights @ is_there
    values = weights @ np.where(is_there, aligned, 0.0)
    mean: Floats = np.divide(values, total, out=np.full(len(total), np.nan), where=total > 0)
    return mean


def _median(aligned: Floats) -> Floats:
    trace = np.full(aligned.shape[1], np.nan)
    is_there = (~np.isnan(aligned)).any(axis=0)
    trace[is_there] = np.nanmedian(aligned[:, is_there], axis=0)
    return trace


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
    half[several] = stdtrit(voices - 1, _BAND) * np.sqrt(variance / voices)
    return half


def _given_lags(lags: ArrayLike, array: Floats) -> Floats:
    given = np.asarray(lags, np.float64)
    if given.shape != array.shape[:-1] or np.isinf(given).any():
        message = f"lags of shape {given.shape}: give one number a rater, {array.shape[:-1]}"
        raise InvalidArray(message)
    return given


def _stacked(sessions: list[Fused]) -> Fused:
    return Fused(
        **{
            name: np.stack([getattr(session, name) for session in sessions])
            for name in ("trace", "weights", "lags_seconds", "low", "high", "flagged")
        },
        reasons=tuple(session.reasons for session in sessions),
        is_fallback=np.array([session.is_fallback for session in sessions]),
    )
