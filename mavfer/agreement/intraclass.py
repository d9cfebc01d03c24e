"""Intraclass correlation and what follows from the same analysis of variance.

Times are the targets, raters the judges. Frames of a trace are not independent, so that the
intervals here, which take them for independent, are far too narrow: they are given because other
programs give them. The interval to report comes from `bootstrap`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from scipy.special import fdtrc, fdtri

from mavfer.agreement.estimate import Estimate, by_session, complete_times
from mavfer.agreement.moments import is_kept, pair_moments
from mavfer.errors import CommandError, InvalidArray
from mavfer.metrics import centred_rows, row_dots

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = ["ICC_FORMS", "IccForm", "cronbach_alpha", "icc", "intra_rater", "raters_needed"]

IccForm = Literal["ICC(1,1)", "ICC(A,1)", "ICC(C,1)", "ICC(1,k)", "ICC(A,k)", "ICC(C,k)"]

ICC_FORMS: Final[tuple[IccForm, ...]] = (
    "ICC(1,1)",
    "ICC(A,1)",
    "ICC(C,1)",
    "ICC(1,k)",
    "ICC(A,k)",
    "ICC(C,k)",
)

_UPPER: Final = 0.975
"""Quantile at the upper end of a 95 % interval."""


_WHOLE: Final = 1e-9
"""Raters this little above a whole number are rounding."""


def icc(ratings: ArrayLike) -> dict[IccForm, Estimate]:
    """The six intraclass correlations with F, p and the 95 % interval.

    "1" takes each time's raters for others than the next time's, "A" asks for the same values,
    "C" for the same shape; ",1" is about one rater, ",k" about the mean of all.

    Args:
        ratings: (K, T) or (S, K, T), NaN = missing. Times at which a rater is missing are left out.

    Returns:
        Six Estimates, of (S,) where sessions were given. NaN with fewer than two raters, fewer
        than two complete times, or no spread at all; "C" also where every rater is constant.
        Negative values are reported negative.

    Raises:
        InvalidArray: See `as_ratings`.

    Source: Shrout and Fleiss 1979, Psychol. Bull. 86(2), 420-428; names and intervals after McGraw
    and Wong 1996, Psychol. Methods 1(1), 30-46, tables 4 and 7. F and p of "A" test for 0 with
    the F of "C".
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        table = _Variance.of(ratings)
        shape = _shape(table, table.error, (table.n - 1) * (table.k - 1))
        pairs = _shape(table, table.within, table.n * (table.k - 1)), _absolute(table, shape), shape
    singles, means = zip(*pairs, strict=True)
    return dict(zip(ICC_FORMS, singles + means, strict=True))


def intra_rater(first: ArrayLike, second: ArrayLike) -> Estimate:
    """How far raters agree with themselves: ICC(A,1) between two takes of the same sessions.

    Args:
        first: (T,), or (S, T) for several sessions or raters; NaN = missing.
        second: The same, rated again.

    Returns:
        One Estimate, of (S,) where (S, T) were given; NaN as in `icc`.

    Raises:
        InvalidArray: The shapes differ, or see `as_ratings`.

    Source: Koo and Li 2016, J. Chiropr. Med. 15(2), 155-163: absolute agreement for one rater.
    """
    takes = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if takes[0].shape != takes[1].shape:
        message = f"takes of shapes {takes[0].shape} and {takes[1].shape}: both must cover the same"
        raise InvalidArray(message)
    return icc(np.stack(takes, axis=-2))["ICC(A,1)"]


def cronbach_alpha(
    ratings: ArrayLike, missing: Literal["listwise", "pairwise"] = "listwise"
) -> Estimate:
    """Consistency of the raters' sum, with its 95 % interval; the same as ICC(C,k).

    Args:
        ratings: (K, T) or (S, K, T), NaN = missing.
        missing: "listwise" leaves out times at which a rater is missing; "pairwise" takes every
            covariance over the times that both raters have, and all times for the interval.

    Returns:
        At most 1, negative where raters contradict each other. NaN with fewer than two raters or
        times, or where the sum does not vary.

    Raises:
        CommandError: `missing` is neither.
        InvalidArray: See `as_ratings`.

    Source: Cronbach 1951, Psychometrika 16, 297-334, equation 2; interval: Feldt, Woodruff and
    Salih 1987, Appl. Psychol. Meas. 11(1), 93-103.
    """
    if missing not in {"listwise", "pairwise"}:
        message = f"missing is {missing!r}. Choose listwise or pairwise"
        raise CommandError(message)
    if missing == "pairwise":
        return _alpha_pairwise(ratings)
    with np.errstate(divide="ignore", invalid="ignore"):
        table = _Variance.of(ratings)
        return _shape(table, table.error, (table.n - 1) * (table.k - 1))[1]


def raters_needed(icc_single: float, target: float = 0.8) -> float:
    """Raters whose mean reaches the reliability `target`, where one rater has `icc_single`.

    From ICC(A,1) it is about ICC(A,k), from ICC(C,1) about ICC(C,k).

    Returns:
        A whole number, at least 1; infinity where `icc_single` is not above 0; NaN for NaN.

    Raises:
        CommandError: `target` is not between 0 and 1.

    Source: Spearman 1910 and Brown 1910, Br. J. Psychol. 3, solved for the number of raters.
    """
    if not 0 < target < 1:
        message = f"target is {target}: give a reliability between 0 and 1"
        raise CommandError(message)
    if math.isnan(icc_single):
        return math.nan
    if icc_single <= 0:
        return math.inf
    exact = target * (1 - icc_single) / (icc_single * (1 - target))
    return float(max(1, math.ceil(exact - _WHOLE)))


@dataclass(frozen=True)
class _Variance:
    """Two-way analyses of variance of sessions of k raters; the rest are (S,), or () for one.

    NaN with fewer than two raters or times, and where nothing varies.
    """

    k: int
    n: Floats
    """Times at which nobody is missing."""
    times: Floats
    """Mean square between the times."""
    raters: Floats
    error: Floats
    within: Floats
    """Of everything within a time: raters and error together."""

    @classmethod
    def of(cls, ratings: ArrayLike) -> _Variance:
        """Of (K, T) or (S, K, T); times at which a rater is missing are left out."""
        columns = by_session(_sums_of_squares, ratings)
        counts, n, times, raters, error = np.moveaxis(columns, -1, 0)
        k = int(counts.flat[0])
        is_known = (k > 1) & (n > 1) & (times + raters + error > 0)
        n = np.where(is_known, n, np.nan)
        return cls(
            k=k,
            n=n,
            times=times / (n - 1),
            raters=np.where(is_known, raters / max(k - 1, 1), np.nan),
            error=error / ((n - 1) * (k - 1)),
            within=(raters + error) / (n * (k - 1)),
        )


def _sums_of_squares(sessions: Floats) -> Floats:
    """Raters, complete times, and sums of squares between times, raters and of the error (S, 5)."""
    count, raters, frames = sessions.shape
    centred = centred_rows(sessions)
    if (centred.count < frames).any():
        is_missing = np.isnan(sessions).any(axis=1, keepdims=True)
        centred = centred_rows(np.where(is_missing, np.nan, sessions))
    n, of_times = centred.count[:, 0], centred.deviations.mean(axis=1)
    times, error = raters * row_dots(of_times, of_times), _squares(centred.deviations)
    is_lost = ~is_kept(error - times, error)  # subtracted time by time then
    error -= times
    error[is_lost] = _squares(centred.deviations[is_lost] - of_times[is_lost, None])
    of_raters = (centred.first - centred.first[:, :1]) + centred.beyond
    of_raters -= of_raters.mean(axis=1, keepdims=True)
    of_all = np.full(count, float(raters)), n, times, n * row_dots(of_raters, of_raters), error
    return np.stack(of_all, axis=1)


def _squares(sessions: Floats) -> Floats:
    """Sum of all squares of each session (S,)."""
    count, raters, frames = sessions.shape
    flat = sessions.reshape(count, raters * frames)
    return row_dots(flat, flat)


def _shape(table: _Variance, noise: Floats, df2: Floats) -> tuple[Estimate, Estimate]:
    """For one rater and the mean of all: "1" where `noise` is what is within, "C" for the error.

    McGraw and Wong 1996, tables 4 and 7; multiplied out by the noise.
    """
    df1, times = table.n - 1, table.times
    upper, lower = _quantile(df1, df2), 1 / _quantile(df2, df1)
    f = times / noise
    p = np.asarray(fdtrc(df1, df2, f), np.float64)
    single, mean = (
        [_ratio(times - each * noise, times + rest * each * noise) for each in (1, upper, lower)]
        for rest in (table.k - 1, 0)
    )
    return _estimate(*single, f, df1, df2, p), _estimate(*mean, f, df1, df2, p)


def _absolute(table: _Variance, shape: tuple[Estimate, Estimate]) -> tuple[Estimate, Estimate]:
    """For one rater and the mean of all; F is that of the shape.

    McGraw and Wong 1996, tables 4 and 7; multiplied out by the error. The degrees of freedom are
    the same for one and for all.
    """
    k, n, times, error = table.k, table.n, table.times, table.error
    rests = k * table.raters + (k * n - k - n) * error, table.raters - error
    value = _ratio(n * (times - error), rests[0] + n * times)
    of_raters = k * value * table.raters
    of_error = (n * (1 + (k - 1) * value) - k * value) * error
    df = (of_raters + of_error) ** 2 * (k - 1) * (n - 1)
    df = df / ((n - 1) * of_raters**2 + of_error**2)
    upper, lower = _quantile(n - 1, df), 1 / _quantile(df, n - 1)
    is_same = (table.raters == 0) & (error == 0)
    bounds = 1.0, np.where(is_same, 1.0, upper), np.where(is_same, 1.0, lower)
    single, mean = (
        [_ratio(n * (times - each * error), each * rest + n * times) for each in bounds]
        for rest in rests
    )
    f = shape[0].f, shape[0].df1, shape[0].df2, shape[0].p
    return _estimate(*single, *f), _estimate(*mean, *f)


def _quantile(df1: Floats, df2: Floats) -> Floats:
    """Of F, at the upper end of the interval; counted once where it is the same for all."""
    is_one = df1.size > 1 and (df1 == df1.flat[0]).all() and (df2 == df2.flat[0]).all()
    return _f_at(df1[:1], df2[:1]) if is_one else _f_at(df1, df2)


def _f_at(df1: Floats, df2: Floats) -> Floats:
    quantile: Floats = np.asarray(fdtri(df1, df2, _UPPER), np.float64)
    return quantile


def _alpha_pairwise(ratings: ArrayLike) -> Estimate:
    with np.errstate(divide="ignore", invalid="ignore"):
        share, df1, df2 = np.moveaxis(by_session(_share_of_error, ratings), -1, 0)
        f = 1 / share
        low, high = share * _quantile(df1, df2), share / _quantile(df2, df1)
        p = np.asarray(fdtrc(df1, df2, f), np.float64)
        return _estimate(1 - share, 1 - low, 1 - high, f, df1, df2, p)


def _share_of_error(sessions: Floats) -> Floats:
    """1 less alpha, and the degrees of freedom of its interval (S, 3)."""
    _, k, n = sessions.shape
    with np.errstate(divide="ignore", invalid="ignore"):
        covariance = _pairwise_covariance(sessions)
        total = covariance.sum(axis=(1, 2))
        total = np.where((k > 1) & (total > 0), total, np.nan)
        own = np.trace(covariance, axis1=1, axis2=2)
        share = 1 - k / max(k - 1, 1) * (1 - own / total)
    is_known = ~np.isnan(share)
    df1, df2 = (np.where(is_known, each, np.nan) for each in (n - 1, (n - 1) * (k - 1)))
    return np.stack([share, df1, df2], axis=1)


def _pairwise_covariance(sessions: Floats) -> Floats:
    """(S, K, K), each over the times that both raters have, divided by n - 1; NaN below two."""
    pairs = pair_moments(sessions, sessions)
    covariance: Floats = pairs.covariance * (pairs.count / (pairs.count - 1))
    for at, i, j in np.argwhere(~pairs.is_safe & (pairs.count > 1)):
        first, second = centred_rows(complete_times(sessions[at][[i, j]])).deviations
        covariance[at, i, j] = first @ second / (len(first) - 1)
    return covariance


def _estimate(*fields: Floats) -> Estimate:
    """Of (S,), or of floats."""
    return Estimate(*(_plain(each.copy()) for each in np.broadcast_arrays(*fields)))


def _plain(values: Floats) -> Any:
    return values if values.ndim else float(values)


def _ratio(above: Floats, below: Floats) -> Floats:
    """NaN, not infinity, where nothing is there to divide by."""
    ratio: Floats = above / np.where(below != 0, below, np.nan)
    return ratio
