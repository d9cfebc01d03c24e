"""A number with its interval, and the sessions that all statistics take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import InvalidArray

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = ["VALUES_AT_ONCE", "Estimate", "as_ratings", "by_session", "complete_times"]

_ONE_SESSION, _MANY_SESSIONS = 2, 3

VALUES_AT_ONCE: Final = 1 << 17
"""Ratings taken together (1 MB): enough to outweigh a call, few enough for the cache."""

_KEPT_BYTES: Final = 24 << 20
"""What the C library keeps of freed memory. Handing every few megabytes back to the system and
asking for them again costs more than the arithmetic; glibc learns from one block of this size."""


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
    if _has_infinite(array):
        message = "ratings hold an infinite value. Write NaN where a value is missing"
        raise InvalidArray(message)
    return array


def by_session(
    kernel: Callable[[NDArray[np.float64]], NDArray[np.float64]], ratings: ArrayLike
) -> NDArray[np.float64]:
    """The kernel's answers (S, ...) for sessions (S, K, T); without S for one session (K, T).

    Args:
        kernel: From a few sessions (S, K, T) at a time, T at least 1, to (S, ...).
        ratings: (K, T) or (S, K, T), NaN = missing. Of an array of another type, or on disk
            (`np.memmap`), only those few sessions are copied at a time.

    Raises:
        InvalidArray: See `as_ratings`.
    """
    sessions = _sessions(ratings)
    if sessions.ndim == _ONE_SESSION:
        answer: Floats = kernel(_with_a_time(sessions[None]))[0]
        return answer
    count, raters, times = sessions.shape
    step = max(1, VALUES_AT_ONCE // (raters * max(times, 1)))
    np.empty(_KEPT_BYTES, np.uint8)  # freed at once
    few = (as_ratings(sessions[at : at + step]) for at in range(0, count, step))
    return np.concatenate([kernel(_with_a_time(each)) for each in few])


def _sessions(ratings: ArrayLike) -> NDArray[Any]:
    """An array of sessions as it is, to be checked a few at a time; all else checked."""
    if isinstance(ratings, np.ndarray) and ratings.ndim == _MANY_SESSIONS:
        return ratings if 0 not in ratings.shape[:-1] else as_ratings(ratings)
    return as_ratings(ratings)


def complete_times(session: NDArray[np.float64]) -> NDArray[np.float64]:
    """The times (K, n) of a session (K, T) at which no rater is missing."""
    return session[:, ~np.isnan(session).any(axis=0)]


def _has_infinite(array: NDArray[np.float64]) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):
        total = array.sum()  # much faster than to look at every value
    return not np.isfinite(total) and bool(np.isinf(array).any())


def _with_a_time(sessions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sessions without a time are as sessions with one at which everybody is missing."""
    if sessions.shape[-1]:
        return np.ascontiguousarray(sessions)
    return np.full((*sessions.shape[:-1], 1), np.nan)
