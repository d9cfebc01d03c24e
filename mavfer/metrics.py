"""How alike two traces are: one number for a pair of arrays.

A pair of values counts where both are there; NaN means missing and never counts as 0. Where
nothing can be said (no pair, or a constant whose spread would have to be divided by) the answer
is NaN. Lin's concordance uses 1/n throughout; `ddof=1` uses 1/(n - 1) throughout.

Each measure is written once, for the rows of two arrays; two traces are arrays of one row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from mavfer.errors import InvalidArray

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = [
    "MEASURES",
    "CentredRows",
    "Measure",
    "ccc",
    "centred_rows",
    "compare_rows",
    "has_gap",
    "mae",
    "pearson",
    "ranks",
    "rmse",
    "row_dots",
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
    return _number(lambda first, second: _ccc(first, second, ddof), a, b)


def pearson(a: ArrayLike, b: ArrayLike) -> float:
    """Linear correlation of two traces, in [-1, 1].

    Returns:
        NaN where either is constant over the pairs; so also for one pair. Two pairs give 1 or -1.

    Raises:
        InvalidArray: Not two (T,) of one length, or a value is infinite.

    Source: Pearson 1896, Phil. Trans. R. Soc. A 187, 253-318.
    """
    return _number(_pearson, a, b)


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Pearson's correlation of the ranks; equal values share their mean rank.

    Returns:
        In [-1, 1]; NaN where either is constant over the pairs.

    Raises:
        InvalidArray: Not two (T,) of one length, or a value is infinite.

    Source: Spearman 1904, Am. J. Psychol. 15(1), 72-101.
    """
    return _number(_spearman, a, b)


def rmse(a: ArrayLike, b: ArrayLike) -> float:
    """Root of the mean squared difference; NaN without a pair.

    Raises:
        InvalidArray: Not two (T,) of one length, or a value is infinite.
    """
    return _number(_rmse, a, b)


def mae(a: ArrayLike, b: ArrayLike) -> float:
    """Mean absolute difference; NaN without a pair.

    Raises:
        InvalidArray: Not two (T,) of one length, or a value is infinite.
    """
    return _number(_mae, a, b)


def sagr(a: ArrayLike, b: ArrayLike) -> float:
    """Share of pairs with the same sign, in [0, 1]; 0 is a sign of its own. NaN without a pair.

    Raises:
        InvalidArray: Not two (T,) of one length, or a value is infinite.

    Source: Nicolaou, Gunes and Pantic 2011, IEEE Trans. Affective Computing 2(2), 92-105.
    """
    return _number(_sagr, a, b)


def sda(a: ArrayLike, b: ArrayLike) -> float:
    """How often two traces move the same way, from -1 (never) to 1 (always).

    A step counts where both traces have both of its ends. No change in both is agreement.

    Returns:
        NaN without such a step, so also for a single pair.

    Raises:
        InvalidArray: Not two (T,) of one length, or a value is infinite.

    Source: signed differential agreement, Booth and Narayanan 2020, ICMI, "Fifty shades of green".
    """
    return _number(_sda, a, b)


MEASURES: Final[dict[Measure, Callable[..., float]]] = {
    "ccc": ccc,
    "pearson": pearson,
    "spearman": spearman,
    "rmse": rmse,
    "mae": mae,
    "sagr": sagr,
    "sda": sda,
}


def compare_rows(
    a: NDArray[np.float64], b: NDArray[np.float64], measure: Measure
) -> NDArray[np.float64]:
    """`measure` of every row of `a` (N, T) with the same row of `b` (N, T): (N,).

    The rows are not checked: floats or NaN, as the measures themselves take them.
    """
    return _by_row(_KERNELS[measure], a, b)


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1 along the last axis of (..., T); equal values share their mean rank.

    NaN stays NaN, and the others are ranked as if it were not there.
    """
    if not values.size:
        return np.empty(values.shape)
    is_missing = np.isnan(values) if has_gap(values) else None
    finite = values if is_missing is None else np.where(is_missing, np.inf, values)
    rows = finite.reshape(-1, values.shape[-1])
    order = np.argsort(rows, axis=1)  # several times as fast without NaN
    ascending = np.take_along_axis(rows, order, axis=1)
    ranked = np.empty(values.shape)
    np.put_along_axis(ranked.reshape(rows.shape), order, _places(ascending), axis=1)
    if is_missing is not None:
        ranked[is_missing] = np.nan
    return ranked


@dataclass(frozen=True)
class CentredRows:
    """Rows (..., T) as differences from their means; the mean is in two parts, for its digits."""

    deviations: NDArray[np.float64]
    """(..., T), 0 where missing; exactly 0 for a constant, whose mean may be rounded."""
    first: NDArray[np.float64]
    """The first value that is there (...), 0 without any."""
    beyond: NDArray[np.float64]
    """Mean of the differences from the first (...)."""
    count: NDArray[np.float64]
    """Values that are there (...)."""

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean of each row (...), exact for a constant, 0 for a row without a value."""
        mean: Floats = self.first + self.beyond
        return mean


def centred_rows(rows: NDArray[np.float64]) -> CentredRows:
    """Rows (..., T), NaN = missing, with their means taken off.

    The first value is taken off before the mean is taken: no digit is lost to a far offset.
    """
    times = rows.shape[-1]
    first = rows[..., :1].sum(axis=-1)
    deviations = rows - first[..., None]
    beyond = deviations.sum(axis=-1) / max(times, 1)
    if not has_gap(beyond):
        deviations -= beyond[..., None]
        return CentredRows(deviations, first, beyond, np.full(first.shape, float(times)))
    is_missing = np.isnan(rows)
    at = is_missing.argmin(axis=-1)
    first = np.nan_to_num(np.take_along_axis(rows, at[..., None], axis=-1)[..., 0])
    count = times - is_missing.sum(axis=-1, dtype=np.float64)
    deviations = rows - first[..., None]
    deviations[is_missing] = 0
    beyond = deviations.sum(axis=-1) / np.maximum(count, 1)
    deviations -= beyond[..., None]
    deviations[is_missing] = 0
    return CentredRows(deviations, first, beyond, count)


def has_gap(values: NDArray[np.float64]) -> bool:
    """Whether any value is NaN; twice as fast as to look at each."""
    return bool(np.isnan(values.min(initial=np.inf)))


def row_dots(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scalar product of every row of `a` (..., T) with the same row of `b`: (...)."""
    # Not by BLAS: it wakes threads for rows of ten thousand, which on busy cores takes far longer.
    products: Floats = np.einsum("...t,...t->...", a, b)
    return products


# Kernels take (N, T) twice, NaN in both or in neither, and return (N,).


def _ccc(a: Floats, b: Floats, ddof: int = 0) -> Floats:
    first, second = centred_rows(a), centred_rows(b)
    count = np.where(first.count > ddof, first.count - ddof, np.nan)
    squares = row_dots(first.deviations, first.deviations)
    squares += row_dots(second.deviations, second.deviations)
    bias = (first.first - second.first) + (first.beyond - second.beyond)
    raw = _ratio(
        2 * row_dots(first.deviations, second.deviations) / count, squares / count + bias**2
    )
    return np.clip(raw, -1, 1)  # rounding may leave 1 + 2e-16


def _pearson(a: Floats, b: Floats) -> Floats:
    first, second = centred_rows(a).deviations, centred_rows(b).deviations
    spread = np.sqrt(row_dots(first, first) * row_dots(second, second))
    return np.clip(_ratio(row_dots(first, second), spread), -1, 1)


def _spearman(a: Floats, b: Floats) -> Floats:
    return _pearson(ranks(a), ranks(b))


def _rmse(a: Floats, b: Floats) -> Floats:
    return np.sqrt(_mean((a - b) ** 2))


def _mae(a: Floats, b: Floats) -> Floats:
    return _mean(np.abs(a - b))


def _sagr(a: Floats, b: Floats) -> Floats:
    return _share_of_same(np.sign(a), np.sign(b))


def _sda(a: Floats, b: Floats) -> Floats:
    steps = np.sign(np.diff(a, axis=1)), np.sign(np.diff(b, axis=1))
    return 2 * _share_of_same(*steps) - 1


_KERNELS: Final[dict[Measure, Callable[[Floats, Floats], Floats]]] = {
    "ccc": _ccc,
    "pearson": _pearson,
    "spearman": _spearman,
    "rmse": _rmse,
    "mae": _mae,
    "sagr": _sagr,
    "sda": _sda,
}


def _by_row(kernel: Callable[[Floats, Floats], Floats], a: Floats, b: Floats) -> Floats:
    """The kernel's answers (N,) from the values where both are there."""
    if not a.shape[1]:
        return np.full(len(a), np.nan)
    if has_gap(a) or has_gap(b):
        is_missing = np.isnan(a) | np.isnan(b)
        a, b = np.where(is_missing, np.nan, a), np.where(is_missing, np.nan, b)
    with np.errstate(divide="ignore", invalid="ignore"):
        return kernel(a, b)


def _number(kernel: Callable[[Floats, Floats], Floats], a: ArrayLike, b: ArrayLike) -> float:
    first, second = _traces(a, b)
    return float(_by_row(kernel, first[None], second[None])[0])


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


def _places(ascending: Floats) -> Floats:
    """Ranks (N, T) of rows that ascend; equal ones share the mean of theirs."""
    is_new = np.ones(ascending.shape, np.bool_)
    np.not_equal(ascending[:, 1:], ascending[:, :-1], out=is_new[:, 1:])
    if is_new.all():
        return np.broadcast_to(np.arange(1.0, ascending.shape[1] + 1), ascending.shape)
    starts = np.flatnonzero(is_new)
    sizes = np.diff(starts, append=ascending.size)
    places = np.repeat(starts + (sizes + 1) / 2, sizes).reshape(ascending.shape)
    places -= np.arange(0.0, ascending.size, ascending.shape[1])[:, None]
    return places


def _mean(values: Floats) -> Floats:
    """Mean of what is there in each row, NaN without any."""
    if has_gap(values):
        is_missing = np.isnan(values)
        count = values.shape[1] - is_missing.sum(axis=1)
        mean: Floats = np.where(is_missing, 0.0, values).sum(axis=1) / count
    else:
        mean = values.mean(axis=1)
    return mean


def _share_of_same(a: Floats, b: Floats) -> Floats:
    """Share of equal values among those that are there in each row, NaN without any."""
    count = a.shape[1] - np.isnan(a).sum(axis=1)
    share: Floats = (a == b).sum(axis=1) / count
    return share


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """NaN where the denominator is not above 0."""
    ratio: Floats = numerator / np.where(denominator > 0, denominator, np.nan)
    return ratio
