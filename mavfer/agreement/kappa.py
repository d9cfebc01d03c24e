"""Agreement on categories beyond chance: two raters (Cohen), or many (Fleiss)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from mavfer.errors import CommandError, InvalidArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["cohen_kappa", "fleiss_kappa"]

Weights = Literal["linear", "quadratic"] | None

_POWER: Final = {"linear": 1, "quadratic": 2}


def cohen_kappa(
    a: ArrayLike,
    b: ArrayLike,
    weights: Weights = None,
    edges: Sequence[float] | None = None,
) -> float:
    """Agreement of two raters on categories, 1 the same, 0 as by chance.

    Args:
        a: (T,), NaN = missing; times at which either is missing are left out.
        b: (T,), at the same times.
        weights: None counts every difference alike; "linear" and "quadratic" by the steps between
            the categories and by their square.
        edges: Inner cut points as in `np.digitize`, ascending: m of them make m + 1 categories.
            None takes the values that occur for the categories, in ascending order, a step apart.

    Returns:
        NaN without a common time, and where both raters know a single category.

    Raises:
        CommandError: There is no such weighting, or the edges do not ascend.
        InvalidArray: Not two (T,) of one length.

    Source: Cohen 1960, Educ. Psychol. Meas. 20(1), 37-46; weights: Cohen 1968, Psychol. Bull.
    70(4), 213-220.
    """
    if weights is not None and weights not in _POWER:
        message = f"weights is {weights!r}. Choose None, linear or quadratic"
        raise CommandError(message)
    rows, columns, categories = _categories(a, b, edges)
    if not len(rows):
        return np.nan
    pairs = np.bincount(rows * categories + columns, minlength=categories**2)
    observed = pairs.reshape(categories, categories) / len(rows)
    expected = np.outer(observed.sum(axis=1), observed.sum(axis=0))
    distance = _distance(categories, weights)
    chance = float(np.sum(distance * expected))
    return float(1 - np.sum(distance * observed) / chance) if chance > 0 else np.nan


def fleiss_kappa(counts: ArrayLike) -> float:
    """Agreement of several raters on categories, 1 the same, 0 as by chance.

    Args:
        counts: (N, C), how many raters chose each category for each of N things; every thing was
            rated by as many raters.

    Returns:
        NaN where a single category was chosen throughout.

    Raises:
        InvalidArray: Not (N, C), a count is negative or no whole number, or rows differ in sum or
            hold fewer than two raters.

    Source: Fleiss 1971, Psychol. Bull. 76(5), 378-382, equations 2 to 7.
    """
    table = _counts(counts)
    things, raters = len(table), table[0].sum()
    by_thing = (np.sum(table**2, axis=1) - raters) / (raters * (raters - 1))
    shares = table.sum(axis=0) / (things * raters)
    observed, chance = float(by_thing.mean()), float(shares @ shares)
    return (observed - chance) / (1 - chance) if chance < 1 else np.nan


def _categories(
    a: ArrayLike, b: ArrayLike, edges: Sequence[float] | None
) -> tuple[NDArray[np.intp], NDArray[np.intp], int]:
    """Categories of both from 0, at the times that both have, and how many there are."""
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        message = (
            f"traces of shapes {first.shape} and {second.shape}: both must be (T,) of one length"
        )
        raise InvalidArray(message)
    both = np.stack([first, second])
    both = both[:, ~np.isnan(both).any(axis=0)]
    if edges is None:
        values, index = np.unique(both, return_inverse=True)
        index = index.reshape(both.shape)
        return index[0], index[1], len(values)
    cuts = np.asarray(edges, np.float64)
    if cuts.ndim != 1 or not np.all(np.diff(cuts) > 0):
        message = f"edges are {edges}: give ascending cut points"
        raise CommandError(message)
    index = np.digitize(both, cuts)
    return index[0], index[1], len(cuts) + 1


def _distance(categories: int, weights: Weights) -> NDArray[np.float64]:
    steps = np.abs(np.subtract.outer(np.arange(categories), np.arange(categories)))
    if weights is None:
        return (steps > 0).astype(np.float64)
    distance: NDArray[np.float64] = steps.astype(np.float64) ** _POWER[weights]
    return distance


def _counts(counts: ArrayLike) -> NDArray[np.float64]:
    table = np.asarray(counts, np.float64)
    if table.ndim != 2 or 0 in table.shape:  # noqa: PLR2004 (things, categories)
        message = f"counts of shape {table.shape}: give (things, categories)"
        raise InvalidArray(message)
    if not np.all((table >= 0) & (table == np.floor(table))):
        message = "counts must be whole numbers from 0"
        raise InvalidArray(message)
    raters = table.sum(axis=1)
    if np.ptp(raters) > 0 or raters[0] < 2:  # noqa: PLR2004 (two raters)
        message = (
            f"counts: rows hold {raters.min():g} to {raters.max():g} raters. "
            f"Every row must hold the same number, at least 2"
        )
        raise InvalidArray(message)
    return table
