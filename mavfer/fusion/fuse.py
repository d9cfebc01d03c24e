"""One trace from several raters: lags taken out, raters weighted, and how sure the result is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from mavfer.agreement.estimate import as_ratings
from mavfer.errors import CommandError, InvalidArray
from mavfer.fusion.flags import flag_raters
from mavfer.fusion.lags import MAX_LAG_SECONDS, estimate_lags, shifted
from mavfer.fusion.model import model_of
from mavfer.fusion.raaw import raaw_of
from mavfer.fusion.warping import dba_of
from mavfer.fusion.weighting import LIKENESS, alike, likeness_weights, median_of, weighted_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from mavfer.fusion.weighting import Joint

    Floats = NDArray[np.float64]

__all__ = ["METHODS", "Fused", "Method", "fuse"]

Method = Literal[
    "mean", "median", "ewe", "ewe_loo", "ewe_pairwise", "ewe_ccc", "dba", "raaw", "model"
]

METHODS: Final[tuple[Method, ...]] = get_args(Method)


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
    method: Method = "model",
    rate_hz: float = 1.0,
    lags: ArrayLike | None = None,
    reaction_seconds: float = 0.0,
) -> Fused:
    """The raters' common trace, with weights, lags and a band.

    Every rater is moved earlier by their lag, then:

    - "mean" and "median" take all alike.
    - The evaluator-weighted estimators weight by a likeness below which 0 stands: "ewe" Pearson's
      with the mean of all, "ewe_loo" with the mean of the others, "ewe_pairwise" the mean over
      the other raters one by one, "ewe_ccc" the same with Lin's concordance.
    - "dba" is the barycentre of traces that may be warped by up to 3 s, "raaw" a weighted mean of
      smoothed, standardised, warped traces.
    - "model" takes each rater for a scaled, shifted, noisy copy of what was felt, and tells what
      was felt. Flagged raters are not heard: their weight is 0.

    Where no rater has a weight, or a single one rated, all count alike and `is_fallback` says so.
    A rater who is missing for a while gives the weight to the others.

    The band is the 90 % interval of what more raters such as these would say on average: Student's
    with the effective number of raters, 1 / sum of squared weights (ours); for "model" that of
    what was felt (see `fusion.model`).

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

    Source: Grimm and Kroschel 2005, ASRU, 381-385, equations 5 and 6; the mean pairwise CCC and
    "raaw": Stappen et al. 2021, MuSe-Toolbox; "dba": see `fusion.warping`; "model": ours.
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
    reasons = flag_raters(aligned, lags, limit - 0.5 / rate_hz)
    flagged = np.array([bool(reason) for reason in reasons])
    joint = _joint(aligned, method, rate_hz, flagged)
    return Fused(
        trace=joint.trace,
        weights=joint.weights,
        lags_seconds=used,
        low=joint.trace - joint.half_band,
        high=joint.trace + joint.half_band,
        flagged=flagged,
        reasons=reasons,
        is_fallback=joint.is_fallback,
    )


def _joint(aligned: Floats, method: Method, rate_hz: float, flagged: NDArray[np.bool_]) -> Joint:
    if method == "mean":
        return weighted_of(aligned, alike(aligned))
    if method == "median":
        return median_of(aligned)
    if method == "dba":
        return dba_of(aligned, rate_hz)
    if method == "raaw":
        return raaw_of(aligned, rate_hz)
    if method == "model":
        return model_of(aligned, rate_hz, ~flagged)
    weights, is_fallback = likeness_weights(aligned, LIKENESS[method])
    return weighted_of(aligned, weights, is_fallback=is_fallback)


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
