"""Moments of every two raters over the times that both have, by products of matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.metrics import centred_rows, has_gap, row_dots

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["PairMoments", "is_kept", "pair_moments", "rater_means"]

_CANCELLED: Final = 1e-6
"""A spread this small beside what it was subtracted from has lost digits, and is counted anew."""


@dataclass(frozen=True)
class PairMoments:
    """Moments of every rater of one array with every rater of another, all (..., K, J).

    Values are differences from each rater's own mean over all times.
    """

    count: NDArray[np.float64]
    """Times that both have."""
    mean_a: NDArray[np.float64]
    mean_b: NDArray[np.float64]
    raw_a: NDArray[np.float64]
    """Mean square."""
    raw_b: NDArray[np.float64]
    covariance: NDArray[np.float64]
    """With 1/n, as the variances."""
    offset: NDArray[np.float64]
    """Mean of the one over all its times, less that of the other."""

    @property
    def variance_a(self) -> NDArray[np.float64]:
        """Over the times that both have, with 1/n."""
        variance: Floats = self.raw_a - self.mean_a**2
        return variance

    @property
    def variance_b(self) -> NDArray[np.float64]:
        """Over the times that both have, with 1/n."""
        variance: Floats = self.raw_b - self.mean_b**2
        return variance

    @property
    def bias(self) -> NDArray[np.float64]:
        """Mean of the one less mean of the other, over the times that both have."""
        bias: Floats = self.offset + (self.mean_a - self.mean_b)
        return bias

    @property
    def is_safe(self) -> NDArray[np.bool_]:
        """Whether both variances have kept their digits."""
        return is_kept(self.variance_a, self.raw_a) & is_kept(self.variance_b, self.raw_b)

    @property
    def correlation(self) -> NDArray[np.float64]:
        """Pearson's, NaN where a spread is lost to rounding."""
        spread = np.sqrt(np.where(self.is_safe, self.variance_a * self.variance_b, np.nan))
        correlation: Floats = np.clip(self.covariance / spread, -1, 1)
        return correlation


def pair_moments(a: NDArray[np.float64], b: NDArray[np.float64]) -> PairMoments:
    """Moments of every row of `a` (..., K, T) with every row of `b` (..., J, T)."""
    rows = centred_rows(a)
    columns = rows if b is a else centred_rows(b)
    offset = _between(rows.first, columns.first) + _between(rows.beyond, columns.beyond)
    if has_gap(a) or (b is not a and has_gap(b)):
        return _common_moments(a, b, rows.deviations, columns.deviations, offset)
    count = np.full(offset.shape, float(a.shape[-1]))
    products = rows.deviations @ _turned(columns.deviations)
    squares_a = _diagonal(products) if b is a else row_dots(rows.deviations, rows.deviations)
    squares_b = squares_a if b is a else row_dots(columns.deviations, columns.deviations)
    mean = np.zeros(offset.shape)
    with np.errstate(invalid="ignore"):  # without a time all is unknown
        raw_a, raw_b = squares_a[..., :, None] / count, squares_b[..., None, :] / count
        return PairMoments(count, mean, mean, raw_a, raw_b, products / count, offset)


def rater_means(session: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of each rater (K,), exact for a constant, 0 for a rater without a value."""
    return centred_rows(session).mean


def is_kept(spread: NDArray[np.float64], raw: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a spread has kept its digits, beside the squares it was subtracted from."""
    kept: NDArray[np.bool_] = spread > _CANCELLED * raw
    return kept


def _common_moments(a: Floats, b: Floats, a0: Floats, b0: Floats, offset: Floats) -> PairMoments:
    """Over the times that both have, from differences `a0` and `b0` from own means."""
    in_a = (~np.isnan(a)).astype(np.float64)
    in_b = in_a if b is a else (~np.isnan(b)).astype(np.float64)
    count = in_a @ _turned(in_b)
    share = np.divide(1.0, count, out=np.full(count.shape, np.nan), where=count > 0)
    mean_a, raw_a = (a0 @ _turned(in_b)) * share, (a0**2 @ _turned(in_b)) * share
    if b is a:
        mean_b, raw_b = _turned(mean_a), _turned(raw_a)
    else:
        mean_b, raw_b = (in_a @ _turned(b0)) * share, (in_a @ _turned(b0**2)) * share
    covariance = (a0 @ _turned(b0)) * share - mean_a * mean_b
    return PairMoments(count, mean_a, mean_b, raw_a, raw_b, covariance, offset)


def _turned(rows: Floats) -> Floats:
    return rows.swapaxes(-1, -2)


def _between(a: Floats, b: Floats) -> Floats:
    """Every one of `a` (..., K) less every one of `b` (..., J)."""
    difference: Floats = a[..., :, None] - b[..., None, :]
    return difference


def _diagonal(matrices: Floats) -> Floats:
    return np.diagonal(matrices, axis1=-2, axis2=-1)
