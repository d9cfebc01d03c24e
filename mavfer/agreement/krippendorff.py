"""Krippendorff's alpha, for any number of raters, any gaps and four levels of measurement.

No matrix of coincidences is built: "interval" has a closed form, "ordinal" is "interval" on the
ranks of all values, "nominal" counts equal pairs. "ratio" compares every two distinct values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from mavfer.agreement.estimate import by_session
from mavfer.errors import CommandError, InvalidArray
from mavfer.metrics import centred_rows, has_gap, ranks, row_dots

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
    alpha = by_session(lambda sessions: _alpha(sessions, level), ratings)
    return alpha if alpha.ndim else float(alpha)


def _alpha(sessions: Floats, level: Level) -> Floats:
    units = sessions
    if has_gap(sessions) or sessions.shape[1] < _PAIR:
        is_alone = (~np.isnan(sessions)).sum(axis=1, keepdims=True) < _PAIR
        units = np.where(is_alone, np.nan, sessions)
    with np.errstate(divide="ignore", invalid="ignore"):
        observed, expected = _DISAGREEMENT[level](units)
        alpha: Floats = 1 - observed / np.where(expected > 0, expected, np.nan)
    return alpha


def _interval(units: Floats) -> tuple[Floats, Floats]:
    """Disagreement within the times, and of all values with all: (S,) twice."""
    centred = centred_rows(units.reshape(len(units), -1))
    among = row_dots(centred.deviations, centred.deviations)
    within = _spread_within(units, centred.deviations.reshape(units.shape))
    return 2 * within / centred.count, 2 * among / (centred.count - 1)


def _spread_within(units: Floats, rest: Floats) -> Floats:
    """Sum of squared differences `rest` (S, K, T) from each time's mean, each m / (m - 1) times.

    The differences are changed in place; m is how many raters a time has.
    """
    raters = units.shape[1]
    if has_gap(units):
        is_missing = np.isnan(units)
        count = raters - is_missing.sum(axis=1)
        rest -= (rest.sum(axis=1) / np.maximum(count, 1))[:, None]
        rest[is_missing] = 0
        return row_dots(np.sum(rest**2, axis=1), count / np.maximum(count - 1, 1))
    rest -= rest.mean(axis=1, keepdims=True)
    flat = rest.reshape(len(rest), -1)
    within: Floats = row_dots(flat, flat) * (raters / (raters - 1))
    return within


def _ordinal(units: Floats) -> tuple[Floats, Floats]:
    """The values between two values, half of themselves included, are a difference of ranks."""
    return _interval(ranks(units.reshape(len(units), -1)).reshape(units.shape))


def _nominal(units: Floats) -> tuple[Floats, Floats]:
    return _each(_nominal_of_one, units)


def _ratio(units: Floats) -> tuple[Floats, Floats]:
    return _each(_ratio_of_one, units)


def _each(
    disagreement: Callable[[Floats], tuple[float, float]], units: Floats
) -> tuple[Floats, Floats]:
    """One session after the other: each has values of its own."""
    rated = [session[:, ~np.isnan(session).all(axis=0)] for session in units]
    answers = [disagreement(each) if each.size else (np.nan, np.nan) for each in rated]
    return tuple(np.array(answers).T)


def _nominal_of_one(units: Floats) -> tuple[float, float]:
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


def _ratio_of_one(units: Floats) -> tuple[float, float]:
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


_DISAGREEMENT: Final[dict[Level, Callable[[Floats], tuple[Floats, Floats]]]] = {
    "nominal": _nominal,
    "ordinal": _ordinal,
    "interval": _interval,
    "ratio": _ratio,
}
