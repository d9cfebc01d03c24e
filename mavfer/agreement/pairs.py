"""Raters two by two: a matrix of any measure, and each rater against the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.agreement.estimate import as_ratings
from mavfer.errors import CommandError
from mavfer.metrics import MEASURES, ranks

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from mavfer.metrics import Measure

    Floats = NDArray[np.float64]

__all__ = ["PairMoments", "leave_one_out", "others_mean", "pair_moments", "pairwise", "rater_means"]

_CANCELLED: Final = 1e-6
"""A spread this small beside what it was subtracted from has lost digits, and is counted anew."""


def pairwise(ratings: ArrayLike, measure: Measure = "ccc") -> NDArray[np.float64]:
    """`measure` between every two raters: (K, K), or (S, K, K), symmetric.

    Args:
        ratings: (K, T) or (S, K, T), NaN = missing; each pair uses the times that both have.
        measure: A name of `mavfer.metrics`.

    Returns:
        What the measure says of each pair; NaN where it cannot say. On the diagonal stands what
        it says of a rater and the same rater: 1, or 0 for differences, or NaN for a constant.

    Raises:
        CommandError: There is no such measure.
        InvalidArray: See `as_ratings`.
    """
    _require_measure(measure)
    array = as_ratings(ratings)
    if array.ndim == 2:  # noqa: PLR2004 (K, T)
        return _pairwise(array, measure)
    return np.stack([_pairwise(session, measure) for session in array])


def leave_one_out(ratings: ArrayLike, measure: Measure = "ccc") -> NDArray[np.float64]:
    """`measure` between each rater and the mean of the others: (K,), or (S, K).

    Args:
        ratings: (K, T) or (S, K, T), NaN = missing. The mean is that of the other raters who are
            there at a time.
        measure: A name of `mavfer.metrics`.

    Returns:
        NaN for a single rater, and where the measure cannot say.

    Raises:
        CommandError: There is no such measure.
        InvalidArray: See `as_ratings`.
    """
    _require_measure(measure)
    array = as_ratings(ratings)
    if array.ndim == 2:  # noqa: PLR2004 (K, T)
        return _leave_one_out(array, measure)
    return np.stack([_leave_one_out(session, measure) for session in array])


@dataclass(frozen=True)
class PairMoments:
    """Moments of every rater of one array with every rater of another, all (K, J).

    Values are differences from each rater's own mean over all times.
    """

    count: NDArray[np.float64]
    """Times that both have."""
    mean_a: NDArray[np.float64]
    mean_b: NDArray[np.float64]
    variance_a: NDArray[np.float64]
    """Over the times that both have, with 1/n."""
    variance_b: NDArray[np.float64]
    covariance: NDArray[np.float64]
    raw_a: NDArray[np.float64]
    """Mean square that the variance was taken from."""
    raw_b: NDArray[np.float64]

    @property
    def correlation(self) -> NDArray[np.float64]:
        """Pearson's, NaN where a spread is lost to rounding."""
        is_safe = (self.variance_a > _CANCELLED * self.raw_a) & (
            self.variance_b > _CANCELLED * self.raw_b
        )
        spread = np.sqrt(np.where(is_safe, self.variance_a * self.variance_b, np.nan))
        correlation: Floats = np.clip(self.covariance / spread, -1, 1)
        return correlation


def pair_moments(a: NDArray[np.float64], b: NDArray[np.float64]) -> PairMoments:
    """Moments of every row of `a` (K, T) with every row of `b` (J, T), over the common times."""
    a0, in_a = _zero_filled(a)
    b0, in_b = _zero_filled(b)
    count = in_a @ in_b.T
    share = np.divide(1.0, count, out=np.full(count.shape, np.nan), where=count > 0)
    mean_a, mean_b = (a0 @ in_b.T) * share, (in_a @ b0.T) * share
    raw_a, raw_b = (a0**2 @ in_b.T) * share, (in_a @ (b0**2).T) * share
    return PairMoments(
        count=count,
        mean_a=mean_a,
        mean_b=mean_b,
        variance_a=raw_a - mean_a**2,
        variance_b=raw_b - mean_b**2,
        covariance=(a0 @ b0.T) * share - mean_a * mean_b,
        raw_a=raw_a,
        raw_b=raw_b,
    )


def others_mean(session: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each rater the mean of the others who are there (K, T); NaN where nobody else is."""
    is_there = ~np.isnan(session)
    values = np.where(is_there, session, 0.0)
    others = is_there.sum(axis=0) - is_there
    total = values.sum(axis=0) - values
    mean: Floats = np.divide(total, others, out=np.full(session.shape, np.nan), where=others > 0)
    return mean


def rater_means(session: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of each rater (K,), exact for a constant, 0 for a rater without a value."""
    is_there = ~np.isnan(session)
    lowest = np.min(session, axis=1, where=is_there, initial=np.inf)
    total = np.sum(session - lowest[:, None], axis=1, where=is_there)
    count = np.maximum(is_there.sum(axis=1), 1)
    mean: Floats = np.where(np.isinf(lowest), 0.0, lowest + total / count)
    return mean


def _pairwise(session: Floats, measure: Measure) -> Floats:
    """A fast matrix, and the measure itself for every pair whose digits the matrix lost."""
    matrix = _FAST[measure](session) if measure in _FAST else np.full((len(session),) * 2, np.nan)
    exact = MEASURES[measure]
    for i, j in np.argwhere(np.triu(np.isnan(matrix))):
        matrix[i, j] = matrix[j, i] = exact(session[i], session[j])
    return matrix


def _ccc_matrix(session: Floats) -> Floats:
    pairs = pair_moments(session, session)
    means = rater_means(session)
    bias = (means[:, None] + pairs.mean_a) - (means[None, :] + pairs.mean_b)
    spread = pairs.variance_a + pairs.variance_b + bias**2
    is_safe = spread > _CANCELLED * (pairs.raw_a + pairs.raw_b)
    return np.clip(2 * pairs.covariance / np.where(is_safe, spread, np.nan), -1, 1)


def _pearson_matrix(session: Floats) -> Floats:
    return pair_moments(session, session).correlation


def _spearman_matrix(session: Floats) -> Floats:
    rated = session[:, ~np.isnan(session).all(axis=0)]
    if np.isnan(rated).any():  # ranks have to be taken anew for every pair
        return np.full((len(session), len(session)), np.nan)
    return _pearson_matrix(ranks(rated))


def _rmse_matrix(session: Floats) -> Floats:
    pairs = pair_moments(session, session)
    means = rater_means(session)
    offset = means[:, None] - means[None, :]
    square = pairs.raw_a + pairs.raw_b - 2 * (pairs.covariance + pairs.mean_a * pairs.mean_b)
    square += offset**2 + 2 * offset * (pairs.mean_a - pairs.mean_b)
    is_safe = square > _CANCELLED * (pairs.raw_a + pairs.raw_b + offset**2)
    return np.sqrt(np.where(is_safe, square, np.nan))


def _sagr_matrix(session: Floats) -> Floats:
    return _same_share(np.sign(session))


def _sda_matrix(session: Floats) -> Floats:
    return 2 * _same_share(np.sign(np.diff(session, axis=1))) - 1


def _same_share(signs: Floats) -> Floats:
    """Share of common times at which two rows of -1, 0, 1 are the same."""
    is_there = (~np.isnan(signs)).astype(np.float64)
    count = is_there @ is_there.T
    same = np.zeros(count.shape)
    for sign in (-1, 0, 1):
        has_sign = (signs == sign).astype(np.float64)
        same += has_sign @ has_sign.T
    share: Floats = np.divide(same, count, out=np.full(count.shape, np.nan), where=count > 0)
    return share


_FAST: Final[dict[Measure, Callable[[Floats], Floats]]] = {
    "ccc": _ccc_matrix,
    "pearson": _pearson_matrix,
    "spearman": _spearman_matrix,
    "rmse": _rmse_matrix,
    "sagr": _sagr_matrix,
    "sda": _sda_matrix,
}


def _leave_one_out(session: Floats, measure: Measure) -> Floats:
    others = others_mean(session)
    exact = MEASURES[measure]
    return np.array([exact(own, rest) for own, rest in zip(session, others, strict=True)])


def _zero_filled(session: Floats) -> tuple[Floats, Floats]:
    """Differences from each rater's mean with 0 where missing, and 1 where not missing."""
    is_there = ~np.isnan(session)
    values = np.where(is_there, session - rater_means(session)[:, None], 0.0)
    return values, is_there.astype(np.float64)


def _require_measure(measure: str) -> None:
    if measure not in MEASURES:
        message = f"measure is {measure!r}. Choose one of {', '.join(MEASURES)}"
        raise CommandError(message)
