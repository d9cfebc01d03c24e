"""How alike two traces are: one number for a pair of arrays.

A pair of values counts where both are there; NaN means missing and never counts as 0. Where
nothing can be said (no pair, or a constant whose spread would have to be divided by) the answer
is NaN. Lin's concordance uses 1/n throughout; `ddof=1` uses 1/(n - 1) throughout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from mavfer.errors import InvalidArray

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "MEASURES",
    "Measure",
    "ccc",
    "mae",
    "pearson",
    "ranks",
    "rmse",
    "sagr",
    "sda",
    "spearman",
]

Measure = Literal["ccc", "pearson", "spearman", "rmse", "mae", "sagr", "sda"]


def ccc(a: ArrayLike, b: ArrayLike, *, ddof: int = 0) -> float:
    """Agreement of two traces in value and shape (1 the same, 0 unrelated, -1 mirrored).

    Args:
        a: (T,), any finite scale, NaN = missing.
        b: (T,), at the same times.
        ddof: Variances and the covariance are divided by n - ddof, all of them alike.

    Returns:
        In [-1, 1]. 0 where one trace is constant and the other is not, or both are constants that
        differ; NaN where both are the same constant, and where there are not more than `ddof`
        pairs. One pair alone is two constants.

    Raises:
        InvalidArray: Not two (T,) of one length, or a value is infinite.

    Source: Lin 1989, Biometrics 45(1), 255-268, equation 2 (ddof 0: the estimate of section 3).
    """
    a, b = _paired(a, b)
    count = len(a)
    if count <= ddof:
        return np.nan
    da, db = _deviations(a), _deviations(b)
    bias = a.mean() - b.mean() if (a != b).any() else 0.0
    spread = (da @ da + db @ db) / (count - ddof) + bias**2
    return _ratio(float(2 * (da @ db) / (count - ddof)), float(spread))


def pearson(a: ArrayLike, b: ArrayLike) -> float:
    """Linear correlation of two traces, in [-1, 1].

    Returns:
        NaN where either is constant over the pairs; so also for one pair. Two pairs give 1 or -1.

    Raises:
        InvalidArray: Not two (T,) of one length, or a value is infinite.

    Source: Pearson 1896, Phil. Trans. R. Soc. A 187, 253-318.
    """
    return _correlation(*_paired(a, b))


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Pearson's correlation of the ranks; equal values share their mean rank.

    Returns:
        In [-1, 1]; NaN where either is constant over the pairs.

    Raises:
        InvalidArray: Not two (T,) of one length, or a value is infinite.

    Source: Spearman 1904, Am. J. Psychol. 15(1), 72-101.
    """
    a, b = _paired(a, b)
    return _correlation(ranks(a), ranks(b))


def rmse(a: ArrayLike, b: ArrayLike) -> float:
    """Root of the mean squared difference; NaN without a pair.

    Raises:
        InvalidArray: Not two (T,) of one length, or a value is infinite.
    """
    a, b = _paired(a, b)
    return float(np.sqrt(np.mean((a - b) ** 2))) if len(a) else np.nan


def mae(a: ArrayLike, b: ArrayLike) -> float:
    """Mean absolute difference; NaN without a pair.

    Raises:
        InvalidArray: Not two (T,) of one length, or a value is infinite.
    """
    a, b = _paired(a, b)
    return float(np.mean(np.abs(a - b))) if len(a) else np.nan


def sagr(a: ArrayLike, b: ArrayLike) -> float:
    """Share of pairs with the same sign, in [0, 1]; 0 is a sign of its own. NaN without a pair.

    Raises:
        InvalidArray: Not two (T,) of one length, or a value is infinite.

    Source: Nicolaou, Gunes and Pantic 2011, IEEE Trans. Affective Computing 2(2), 92-105.
    """
    a, b = _paired(a, b)
    return float(np.mean(np.sign(a) == np.sign(b))) if len(a) else np.nan


def sda(a: ArrayLike, b: ArrayLike) -> float:
    """How often two traces move the same way, from -1 (never) to 1 (always).

    A step counts where both traces have both of its ends. No change in both is agreement.

    Returns:
        NaN without such a step, so also for a single pair.

    Raises:
        InvalidArray: Not two (T,) of one length, or a value is infinite.

    Source: signed differential agreement, Booth and Narayanan 2020, ICMI, "Fifty shades of green".
    """
    a, b = _traces(a, b)
    steps_a, steps_b = np.sign(np.diff(a)), np.sign(np.diff(b))
    is_there = ~(np.isnan(steps_a) | np.isnan(steps_b))
    if not is_there.any():
        return np.nan
    return float(2 * np.mean(steps_a[is_there] == steps_b[is_there]) - 1)


MEASURES: Final[dict[Measure, Callable[..., float]]] = {
    "ccc": ccc,
    "pearson": pearson,
    "spearman": spearman,
    "rmse": rmse,
    "mae": mae,
    "sagr": sagr,
    "sda": sda,
}


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1 along the last axis (T,) or (K, T); equal values share their mean rank."""
    from scipy.stats import rankdata  # takes a third of a second to import

    ranked: NDArray[np.float64] = rankdata(values, axis=-1)
    return ranked


def _traces(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both as float64 (T,), checked."""
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        message = (
            f"traces of shapes {first.shape} and {second.shape}: both must be (T,) of one length. "
            f"Bring them to the same times first"
        )
        raise InvalidArray(message)
    if np.isinf(first).any() or np.isinf(second).any():
        message = "a trace holds an infinite value. Write NaN where a value is missing"
        raise InvalidArray(message)
    return first, second


def _paired(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The values where both are there."""
    first, second = _traces(a, b)
    is_there = ~(np.isnan(first) | np.isnan(second))
    return first[is_there], second[is_there]


def _deviations(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Differences from the mean; exactly 0 for a constant, whose mean may be rounded."""
    if not len(values) or values.min() == values.max():
        return np.zeros(len(values))
    deviations: NDArray[np.float64] = values - values.mean()
    return deviations


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    da, db = _deviations(a), _deviations(b)
    raw = _ratio(float(da @ db), float(np.sqrt((da @ da) * (db @ db))))
    return float(np.clip(raw, -1, 1))  # rounding may leave 1 + 2e-16


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator > 0 else np.nan
