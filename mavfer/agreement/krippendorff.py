"""Krippendorff's alpha, for any number of raters, any gaps and four levels of measurement.

No matrix of coincidences is built: "interval" has a closed form, "ordinal" is "interval" on the
ranks of all values, "nominal" counts equal pairs. "ratio" compares every two distinct values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from mavfer.agreement.estimate import as_ratings
from mavfer.errors import CommandError, InvalidArray
from mavfer.metrics import ranks

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = ["krippendorff_alpha"]

Level = Literal["nominal", "ordinal", "interval", "ratio"]

_PAIR: Final = 2
_ROWS_AT_ONCE: Final = 1 << 20
"""Differences held at once while every two distinct values are compared."""


def krippendorff_alpha(ratings: ArrayLike, level: Level = "interval") -> Any:
    """Agreement beyond chance: 1 the same, 0 as by chance, negative where raters contradict.

    Args:
        ratings: (K, T) or (S, K, T), NaN = missing. Times with a single rater are left out.
        level: How values differ: "nominal" by being others, "ordinal" by the values between them,
            "interval" by their difference, "ratio" by their difference beside their sum.

    Returns:
        A float, or (S,). NaN where no time has two raters, or all values are the same.

    Raises:
        CommandError: There is no such level.
        InvalidArray: See `as_ratings`; or a negative value at the level "ratio".

    Source: Krippendorff 2011, Computing Krippendorff's alpha-reliability; the closed forms are
    ours, checked against the coincidence matrix.
    """
    if level not in _DISAGREEMENT:
        message = f"level is {level!r}. Choose one of {', '.join(_DISAGREEMENT)}"
        raise CommandError(message)
    array = as_ratings(ratings)
    if array.ndim == 2:  # noqa: PLR2004 (K, T)
        return _alpha(array, level)
    return np.array([_alpha(session, level) for session in array])


def _alpha(session: Floats, level: Level) -> float:
    count = (~np.isnan(session)).sum(axis=0)
    units = session[:, count >= _PAIR]
    if units.size == 0:
        return np.nan
    observed, expected = _DISAGREEMENT[level](units)
    return float(1 - observed / expected) if expected > 0 else np.nan


def _interval(units: Floats) -> tuple[float, float]:
    """Disagreement within the times, and of all values with all."""
    is_there = ~np.isnan(units)
    count, total = is_there.sum(axis=0), int(is_there.sum())
    values = units[is_there]
    if values.min() == values.max():
        return 0.0, 0.0
    filled = np.where(is_there, units - values.mean(), 0.0)
    rest = np.where(is_there, filled - filled.sum(axis=0) / count, 0.0)
    within = float(np.sum(rest**2, axis=0) @ (count / (count - 1)))
    among = float(np.sum(filled**2))
    return 2 * within / total, 2 * among / (total - 1)


def _ordinal(units: Floats) -> tuple[float, float]:
    """The values between two values, half of themselves included, are a difference of ranks."""
    ranked = units.copy()
    is_there = ~np.isnan(units)
    ranked[is_there] = ranks(units[is_there])
    return _interval(ranked)


def _nominal(units: Floats) -> tuple[float, float]:
    is_there = ~np.isnan(units)
    count, total = is_there.sum(axis=0), int(is_there.sum())
    values, codes = np.unique(units[is_there], return_inverse=True)
    at = np.nonzero(is_there)[1]
    cells, sizes = np.unique(at * len(values) + codes, return_counts=True)
    same = np.zeros(units.shape[1])
    np.add.at(same, cells // len(values), sizes.astype(np.float64) ** 2)
    within = float(np.sum((count**2 - same) / (count - 1)))
    of_value = np.bincount(codes).astype(np.float64)
    return within / total, (total**2 - float(of_value @ of_value)) / (total * (total - 1))


def _ratio(units: Floats) -> tuple[float, float]:
    is_there = ~np.isnan(units)
    count, total = is_there.sum(axis=0), int(is_there.sum())
    if np.nanmin(units) < 0:
        message = "ratings hold negative values, which have no ratios. Choose level='interval'"
        raise InvalidArray(message)
    differences = np.zeros(units.shape[1])
    for row in units:
        differences += np.nansum(_relative(units, row), axis=0)
    values, sizes = np.unique(units[is_there], return_counts=True)
    step = max(1, _ROWS_AT_ONCE // len(values))
    among = sum(
        float(sizes[at : at + step] @ _relative(values[at : at + step, None], values) @ sizes)
        for at in range(0, len(values), step)
    )
    return float(np.sum(differences / (count - 1))) / total, among / (total * (total - 1))


def _relative(a: Floats, b: Floats) -> Floats:
    """Squared difference beside the sum, 0 for two zeros."""
    total = a + b
    quotient: Floats = np.divide(a - b, total, out=np.zeros(total.shape), where=total != 0)
    return quotient**2


_DISAGREEMENT: Final[dict[Level, Callable[[Floats], tuple[float, float]]]] = {
    "nominal": _nominal,
    "ordinal": _ordinal,
    "interval": _interval,
    "ratio": _ratio,
}
