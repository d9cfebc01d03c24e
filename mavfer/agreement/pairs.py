"""Raters two by two: a matrix of any measure, and each rater against the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.agreement.estimate import VALUES_AT_ONCE, by_session
from mavfer.agreement.moments import PairMoments, is_kept, pair_moments, rater_means
from mavfer.errors import CommandError
from mavfer.metrics import MEASURES, compare_rows, has_gap, ranks

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from mavfer.metrics import Measure

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

__all__ = ["PairMoments", "leave_one_out", "others_mean", "pair_moments", "pairwise", "rater_means"]


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
    return by_session(lambda sessions: _matrices(sessions, measure), ratings)


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
    return by_session(lambda sessions: _against_others(sessions, measure), ratings)


def others_mean(session: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each rater of (..., K, T) the mean of the others who are there; NaN where nobody is."""
    if session.shape[-2] > 1 and not has_gap(session):
        mean: Floats = session.sum(axis=-2, keepdims=True) - session
        mean /= session.shape[-2] - 1
        return mean
    is_there = ~np.isnan(session)
    values = np.where(is_there, session, 0.0)
    others = is_there.sum(axis=-2, keepdims=True) - is_there
    total = values.sum(axis=-2, keepdims=True) - values
    mean = np.full(session.shape, np.nan)
    np.divide(total, others, out=mean, where=others > 0)
    return mean


def _against_others(sessions: Floats, measure: Measure) -> Floats:
    count, raters, times = sessions.shape
    others = others_mean(sessions).reshape(-1, times)
    return compare_rows(sessions.reshape(-1, times), others, measure).reshape(count, raters)


def _matrices(sessions: Floats, measure: Measure) -> Floats:
    """(S, K, K) by products of matrices, and pair by pair where these lost digits."""
    if measure in _FAST:
        matrices, is_lost = _FAST[measure](sessions)
    else:
        count, raters, _ = sessions.shape
        matrices, is_lost = np.empty((count, raters, raters)), np.ones((raters, raters), np.bool_)
        is_lost = np.broadcast_to(is_lost, matrices.shape)
    pairs = np.argwhere(np.triu(is_lost))
    step = max(1, VALUES_AT_ONCE // sessions.shape[2])
    for start in range(0, len(pairs), step):
        at, i, j = pairs[start : start + step].T
        matrices[at, i, j] = compare_rows(sessions[at, i], sessions[at, j], measure)
        matrices[at, j, i] = matrices[at, i, j]
    return matrices


# Each gives the matrices (S, K, K) and whether a pair has to be counted by itself.


def _ccc(sessions: Floats) -> tuple[Floats, Flags]:
    pairs = pair_moments(sessions, sessions)
    spread = pairs.variance_a + pairs.variance_b + pairs.bias**2
    is_safe = is_kept(spread, pairs.raw_a + pairs.raw_b)
    ccc = np.clip(2 * pairs.covariance / np.where(is_safe, spread, np.nan), -1, 1)
    return ccc, ~is_safe & (pairs.count > 0)


def _pearson(sessions: Floats) -> tuple[Floats, Flags]:
    pairs = pair_moments(sessions, sessions)
    return pairs.correlation, ~pairs.is_safe & (pairs.count > 0)


def _spearman(sessions: Floats) -> tuple[Floats, Flags]:
    ranked = ranks(sessions)
    pairs = pair_moments(ranked, ranked)
    own = np.diagonal(pairs.count, axis1=1, axis2=2)
    # Where one is missing and the other is not, both have to be ranked anew.
    has_gap = (pairs.count < own[:, :, None]) | (pairs.count < own[:, None, :])
    return pairs.correlation, has_gap & (pairs.count > 0)


def _rmse(sessions: Floats) -> tuple[Floats, Flags]:
    pairs = pair_moments(sessions, sessions)
    square = pairs.variance_a + pairs.variance_b - 2 * pairs.covariance + pairs.bias**2
    is_safe = is_kept(square, pairs.raw_a + pairs.raw_b + pairs.offset**2)
    is_same = np.eye(sessions.shape[1], dtype=np.bool_) & (pairs.count > 0)
    square = np.where(is_same, 0.0, np.where(is_safe, square, np.nan))
    return np.sqrt(square), ~(is_safe | is_same) & (pairs.count > 0)


def _sagr(sessions: Floats) -> tuple[Floats, Flags]:
    return _share_of_same(sessions > 0, sessions < 0, ~np.isnan(sessions))


def _sda(sessions: Floats) -> tuple[Floats, Flags]:
    before, after = sessions[..., :-1], sessions[..., 1:]
    is_there = ~np.isnan(sessions)
    is_step = is_there[..., :-1] & is_there[..., 1:]
    share, is_lost = _share_of_same(after > before, after < before, is_step)
    return 2 * share - 1, is_lost


def _share_of_same(is_up: Flags, is_down: Flags, is_there: Flags) -> tuple[Floats, Flags]:
    """Share of the common times at which two raters are both up, both down, or neither."""
    is_neither = is_there & ~(is_up | is_down)
    same = sum(_together(each) for each in (is_up, is_down, is_neither) if each.any())
    count = _together(is_there)
    share = np.divide(same, count, out=np.full(count.shape, np.nan), where=count > 0)
    return share, np.zeros(count.shape, np.bool_)


def _together(flags: Flags) -> Floats:
    """How often two raters (S, K, T) are both flagged: (S, K, K)."""
    if flags.all():
        return np.full((*flags.shape[:2], flags.shape[1]), float(flags.shape[2]))
    numbers = flags.astype(np.float32)  # exact up to 16 million times
    return (numbers @ numbers.swapaxes(1, 2)).astype(np.float64)


_FAST: Final[dict[Measure, Callable[[Floats], tuple[Floats, Flags]]]] = {
    "ccc": _ccc,
    "pearson": _pearson,
    "spearman": _spearman,
    "rmse": _rmse,
    "sagr": _sagr,
    "sda": _sda,
}


def _require_measure(measure: str) -> None:
    if measure not in MEASURES:
        message = f"measure is {measure!r}. Choose one of {', '.join(MEASURES)}"
        raise CommandError(message)
