"""A number with its interval, and the array of ratings that all statistics take."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from mavfer.errors import InvalidArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Estimate", "as_ratings", "complete_times"]

_ONE_SESSION, _MANY_SESSIONS = 2, 3


@dataclass(frozen=True)
class Estimate:
    """A statistic; every field is a float, or (S,) where sessions were given. NaN = unknown."""

    value: Any
    """The statistic itself."""
    low: Any = np.nan
    """Lower end of its interval (95 % where nothing else was asked for)."""
    high: Any = np.nan
    """Upper end of its interval."""
    f: Any = np.nan
    """The F ratio that the interval and `p` rest on."""
    df1: Any = np.nan
    """Degrees of freedom of F's numerator."""
    df2: Any = np.nan
    """Degrees of freedom of F's denominator."""
    p: Any = np.nan
    """Chance of such an F, or a larger one, where the true value is 0."""

    @classmethod
    def stack(cls, estimates: Sequence[Estimate]) -> Estimate:
        """One Estimate whose fields are (S,)."""
        columns = ([getattr(each, field.name) for each in estimates] for field in fields(cls))
        return cls(*(np.array(column, np.float64) for column in columns))


def as_ratings(ratings: ArrayLike) -> NDArray[np.float64]:
    """`ratings` as float64 (K, T) or (S, K, T), checked.

    Raises:
        InvalidArray: Another shape, raters of unequal length, no rater, no session, or an
            infinite value.
    """
    try:
        array = np.asarray(ratings, np.float64)
    except ValueError as error:
        message = (
            f"ratings: {error}. Give every rater the same length, with NaN where nothing was rated"
        )
        raise InvalidArray(message) from error
    if array.ndim not in {_ONE_SESSION, _MANY_SESSIONS} or 0 in array.shape[:-1]:
        message = (
            f"ratings of shape {array.shape}: give (raters, times) or (sessions, raters, times)"
        )
        raise InvalidArray(message)
    if np.isinf(array).any():
        message = "ratings hold an infinite value. Write NaN where a value is missing"
        raise InvalidArray(message)
    return array


def complete_times(session: NDArray[np.float64]) -> NDArray[np.float64]:
    """The times (K, n) of a session (K, T) at which no rater is missing."""
    return session[:, ~np.isnan(session).any(axis=0)]
