"""Scores of predictions from sums over frames: exact, whatever the frames are cut into.

Six sums of a session say its CCC, correlation and RMSE, two more its MAE and share of equal signs.
They are held as fractions, without any rounding: sums of parts added in any order are equal to the
last bit, and nothing is lost to a far offset. The measures are those of `mavfer.metrics`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.errors import InvalidArray

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = ["Moments", "total_of"]

_SPLITTER: Final = 2.0**27 + 1
"""Cuts a float64 in two halves of 26 bits (Dekker 1971, Numer. Math. 18, 224-242)."""


@dataclass(frozen=True)
class Moments:
    """Sums over frames that have both a prediction and a label."""

    frames: int = 0
    """Frames that count."""
    predicted: Fraction = Fraction(0)
    """Sum of the predictions."""
    label: Fraction = Fraction(0)
    """Sum of the labels."""
    predicted_squared: Fraction = Fraction(0)
    """Sum of the predictions' squares."""
    label_squared: Fraction = Fraction(0)
    """Sum of the labels' squares."""
    product: Fraction = Fraction(0)
    """Sum of prediction times label."""
    apart: Fraction = Fraction(0)
    """Sum of the absolute differences, each rounded to float64."""
    same_sign: int = 0
    """Frames where both have the same sign; 0 is a sign of its own."""

    @classmethod
    def of(cls, predicted: ArrayLike, label: ArrayLike) -> Moments:
        """The sums of some frames.

        Args:
            predicted: (T,), NaN = missing.
            label: (T,), NaN = missing.

        Raises:
            InvalidArray: Not two (T,) of one length, or a value is infinite.
        """
        a, b = _pairs(predicted, label)
        return cls(
            len(a),
            _exact_sum(a),
            _exact_sum(b),
            _exact_sum(*_exact_product(a, a)),
            _exact_sum(*_exact_product(b, b)),
            _exact_sum(*_exact_product(a, b)),
            _exact_sum(np.abs(a - b)),
            int(np.count_nonzero(np.sign(a) == np.sign(b))),
        )

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.frames + other.frames,
            self.predicted + other.predicted,
            self.label + other.label,
            self.predicted_squared + other.predicted_squared,
            self.label_squared + other.label_squared,
            self.product + other.product,
            self.apart + other.apart,
            self.same_sign + other.same_sign,
        )

    def ccc(self, *, ddof: int = 0) -> float:
        """Lin's concordance, as `mavfer.metrics.ccc`; NaN where that is NaN.

        Source: Lin 1989, Biometrics 45(1), 255-268, equation 2.
        """
        if self.frames <= ddof:
            return math.nan
        above, first, second = self._centred()
        n = self.frames
        divisor = n * (n - ddof)
        bias = (self.predicted - self.label) / n
        below = (first + second) / divisor + bias**2
        return float(2 * above / divisor / below) if below else math.nan

    def pearson(self) -> float:
        """Linear correlation; NaN where either is constant."""
        above, first, second = self._centred()
        if not first or not second:
            return math.nan
        square = float(above * above / (first * second))
        return math.copysign(math.sqrt(square), above)

    def rmse(self) -> float:
        """Root of the mean squared difference; NaN without a frame."""
        squares = self.predicted_squared + self.label_squared - 2 * self.product
        return math.sqrt(squares / self.frames) if self.frames else math.nan

    def mae(self) -> float:
        """Mean absolute difference; NaN without a frame."""
        return float(self.apart / self.frames) if self.frames else math.nan

    def sagr(self) -> float:
        """Share of frames with the same sign; NaN without a frame."""
        return self.same_sign / self.frames if self.frames else math.nan

    def about(self, centre: float) -> list[float]:
        """Frames, and the five sums (p, l, pp, ll, pl) of values from which `centre` is taken off.

        Rounded to float64 here, so that weighted sums of many sessions can be taken at once.
        """
        c, n = Fraction(centre), self.frames
        sums = (
            self.predicted - n * c,
            self.label - n * c,
            self.predicted_squared - 2 * c * self.predicted + n * c**2,
            self.label_squared - 2 * c * self.label + n * c**2,
            self.product - c * (self.predicted + self.label) + n * c**2,
        )
        return [float(n), *map(float, sums)]

    def _centred(self) -> tuple[Fraction, Fraction, Fraction]:
        """n^2 times the covariance, the predictions' and the labels' variance, each with 1/n."""
        n = self.frames
        return (
            n * self.product - self.predicted * self.label,
            n * self.predicted_squared - self.predicted**2,
            n * self.label_squared - self.label**2,
        )


def total_of(parts: Iterable[Moments]) -> Moments:
    """The sums of all parts together."""
    total = Moments()
    for part in parts:
        total += part
    return total


def _pairs(predicted: ArrayLike, label: ArrayLike) -> tuple[Floats, Floats]:
    """Both as float64, only where both are there."""
    a, b = np.asarray(predicted, np.float64), np.asarray(label, np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        message = f"traces of shapes {a.shape} and {b.shape}: both must be (T,) of one length"
        raise InvalidArray(message)
    is_there = ~(np.isnan(a) | np.isnan(b))
    a, b = a[is_there], b[is_there]
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        message = "a trace holds an infinite value. Write NaN where a value is missing"
        raise InvalidArray(message)
    return a, b


def _exact_product(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Each product rounded, and what rounding left of it; their sum is exact."""
    product = a * b
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    left = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, left


def _halves(values: Floats) -> tuple[Floats, Floats]:
    large = _SPLITTER * values
    high = large - (large - values)
    return high, values - high


def _exact_sum(*arrays: Floats) -> Fraction:
    """The sum without rounding: what is left after the rounded sum is summed again, until 0."""
    left = [value for array in arrays for value in array.tolist()]
    total = Fraction(0)
    while part := math.fsum(left):
        total += Fraction(part)
        left.append(-part)
    return total
