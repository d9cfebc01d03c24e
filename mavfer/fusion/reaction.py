"""How late raters are in all, told by the pictures that they saw.

Ratings alone tell lags only relative to each other. Where no calibration clip was shown, features
of the pictures tell the rest: what raters say goes with what was to be seen some time before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import ndtri

from mavfer.agreement.estimate import as_ratings
from mavfer.errors import CommandError, InvalidArray
from mavfer.fusion.lags import MAX_LAG_SECONDS, shifted
from mavfer.metrics import ranks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = ["Reaction", "reaction_from_features"]

_RIDGE: Final = 0.05
"""Added to the variance of each feature, so that two alike are no trouble."""

_FEWEST_FRAMES_A_FEATURE: Final = 20
_SMALLEST_SHARE: Final = 0.5
"""A delay at which less than this of the frames is left tells of chance."""

_UNEXPLAINED: Final = 1e-12
"""Share of the variance that always stays, so that the logarithm is finite."""

_CLEARLY: Final = 0.01
"""Nats by which the best delay must tell more than any that makes no sense."""


@dataclass(frozen=True)
class Reaction:
    """A delay, and how clearly it stands out."""

    seconds: float
    """How late the raters are; NaN where the features do not tell."""
    delays_seconds: NDArray[np.float64]
    """(L,), delays that were tried; before 0 and after the limit only to compare with."""
    information: NDArray[np.float64]
    """(L,), nats that the features tell of the ratings at each delay."""


def reaction_from_features(
    ratings: ArrayLike,
    features: ArrayLike,
    rate_hz: float,
    lags: ArrayLike | None = None,
    max_seconds: float = MAX_LAG_SECONDS,
) -> Reaction:
    """How late raters are behind features of the pictures, beyond their lags among each other.

    The delay at which features and the raters' mean have the most mutual information, both made
    normal by their ranks: -log(1 - R^2) / 2 with R^2 of the linear regression (Gaussian copula;
    the estimate is ours, the idea that of the source). A reaction cannot come before its cause:
    delays from -`max_seconds` to twice `max_seconds` are tried, and where the best of them is not
    between 0 and `max_seconds` the answer is NaN.

    Args:
        ratings: (K, T), NaN = missing. To take several sessions together, put them one after the
            other with twice `max_seconds` of NaN between.
        features: (F, T), what was to be seen at the same times, NaN = missing.
        rate_hz: Times a second.
        lags: (K,) seconds that each rater is moved earlier before; None moves nobody.
        max_seconds: The longest reaction.

    Raises:
        CommandError: The rate or the limit is not positive.
        InvalidArray: The shapes do not fit, or a value is infinite.

    Source: Mariooryad and Busso 2015, IEEE Trans. Affective Computing 6(2), 97-108.
    """
    if rate_hz <= 0 or max_seconds <= 0:
        message = f"rate_hz {rate_hz} and max_seconds {max_seconds} must be above 0"
        raise CommandError(message)
    array, seen = as_ratings(ratings), _features(features)
    if array.ndim != 2 or array.shape[1] != seen.shape[1]:  # noqa: PLR2004 (K, T)
        message = f"ratings {array.shape} and features {seen.shape}: give (K, T) and (F, T)"
        raise InvalidArray(message)
    moved = np.zeros(len(array)) if lags is None else np.asarray(lags, np.float64)
    if moved.shape != (len(array),) or not np.isfinite(moved).all():
        message = f"lags of shape {moved.shape}: give one number a rater, {len(array)}"
        raise InvalidArray(message)
    said = _normal(_standard_mean(shifted(array, np.round(moved * rate_hz, 9)))[None])
    seen = _normal(np.where(np.isnan(seen).any(axis=0), np.nan, seen))
    most = int(max_seconds * rate_hz)
    delays = np.arange(-most, 2 * most + 1)
    information = np.array([_information(said[0], seen, int(delay)) for delay in delays])
    return Reaction(_best(delays, information, most) / rate_hz, delays / rate_hz, information)


def _best(delays: NDArray[np.int64], information: Floats, most: int) -> float:
    """The delay that tells most, in frames; NaN where one that makes no sense tells as much."""
    is_possible = (delays >= 0) & (delays <= most)
    inside = np.where(is_possible, information, -np.inf)
    at = int(inside.argmax())
    is_edge = delays[at] in {0, most}
    is_clear = inside[at] > information[~is_possible].max() + _CLEARLY
    return float(delays[at]) if is_clear and not is_edge else np.nan


def _features(features: ArrayLike) -> Floats:
    seen = np.asarray(features, np.float64)
    if seen.ndim != 2 or not len(seen) or np.isinf(seen).any():  # noqa: PLR2004 (F, T)
        message = f"features of shape {seen.shape}: give (F, T) without infinite values"
        raise InvalidArray(message)
    return seen


def _standard_mean(traces: Floats) -> Floats:
    """Mean of the raters (T,), each with mean 0 and spread 1 before; NaN where nobody rates."""
    is_there = ~np.isnan(traces)
    count = np.maximum(is_there.sum(axis=1), 1)
    centred = traces - (np.sum(traces, axis=1, where=is_there) / count)[:, None]
    spread = np.sqrt(np.sum(centred**2, axis=1, where=is_there) / count)
    standard = centred / np.where(spread > 0, spread, np.inf)[:, None]
    told = is_there.sum(axis=0)
    total = np.sum(standard, axis=0, where=is_there)
    mean: Floats = np.divide(total, told, out=np.full(len(told), np.nan), where=told > 0)
    return mean


def _normal(rows: Floats) -> Floats:
    """Each row as standard normal scores of its ranks, NaN where missing; a constant as 0."""
    is_there = ~np.isnan(rows[0])
    scores = np.full(rows.shape, np.nan)
    if is_there.any():
        values = rows[:, is_there]
        normal = ndtri((ranks(values) - 0.5) / values.shape[1])
        scores[:, is_there] = np.where(np.ptp(values, axis=1)[:, None] > 0, normal, 0.0)
    return scores


def _information(said: Floats, seen: Floats, delay: int) -> float:
    """Nats that the features tell of the ratings `delay` frames later; 0 with too few frames."""
    frames = len(said)
    whole = int((~np.isnan(said) & ~np.isnan(seen[0])).sum())
    inputs = seen[:, max(-delay, 0) : max(frames - max(delay, 0), 0)]
    output = said[max(delay, 0) : max(frames + min(delay, 0), 0)]
    both = ~np.isnan(output) & ~np.isnan(inputs[0])
    count = int(both.sum())
    if count < max(_FEWEST_FRAMES_A_FEATURE * len(seen), _SMALLEST_SHARE * whole):
        return 0.0
    inputs, output = inputs[:, both], output[both]
    inputs, output = inputs - inputs.mean(axis=1, keepdims=True), output - output.mean()
    covariance = inputs @ inputs.T / count + _RIDGE * np.eye(len(seen))
    with_output = inputs @ output / count
    explained = float(with_output @ np.linalg.solve(covariance, with_output))
    total = float(output @ output / count)
    return -np.log(max(1 - explained / total, _UNEXPLAINED)) / 2 if total > 0 else 0.0
