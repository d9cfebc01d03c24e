"""Intraclass correlation and what follows from the same analysis of variance.

Times are the targets, raters the judges. Frames of a trace are not independent, so that the
intervals here, which take them for independent, are far too narrow: they are given because other
programs give them. The interval to report comes from `bootstrap`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from scipy.special import fdtrc, fdtri

from mavfer.agreement.estimate import Estimate, as_ratings, complete_times
from mavfer.errors import CommandError, InvalidArray

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

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
        than two complete times, or no spread at all. Negative values are reported negative.

    Raises:
        InvalidArray: See `as_ratings`.

    Source: Shrout and Fleiss 1979, Psychol. Bull. 86(2), 420-428; names and intervals after McGraw
    and Wong 1996, Psychol. Methods 1(1), 30-46, tables 4 and 7. F and p of "A" test for 0 with
    the F of "C".
    """
    array = as_ratings(ratings)
    if array.ndim == 2:  # noqa: PLR2004 (K, T)
        return _icc(array)
    sessions = [_icc(session) for session in array]
    return {form: Estimate.stack([session[form] for session in sessions]) for form in ICC_FORMS}


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
    array = as_ratings(ratings)
    kernel = _alpha_listwise if missing == "listwise" else _alpha_pairwise
    if array.ndim == 2:  # noqa: PLR2004 (K, T)
        return kernel(array)
    return Estimate.stack([kernel(session) for session in array])


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
    """Two-way analysis of variance of (k raters, n times): mean squares."""

    k: int
    n: int
    times: float
    raters: float
    error: float
    within: float
    """Of everything within a time: raters and error together."""

    @classmethod
    def of(cls, session: NDArray[np.float64]) -> _Variance:
        k, n = session.shape
        centred = session - session.mean()
        of_times, of_raters = centred.mean(axis=0), centred.mean(axis=1)
        rest = np.ravel(centred - of_times - of_raters[:, None])
        raters, error = n * (of_raters @ of_raters), rest @ rest
        return cls(
            k=k,
            n=n,
            times=float(k * (of_times @ of_times) / (n - 1)),
            raters=float(raters / (k - 1)),
            error=float(error / ((n - 1) * (k - 1))),
            within=float((raters + error) / (n * (k - 1))),
        )


def _icc(session: NDArray[np.float64]) -> dict[IccForm, Estimate]:
    rated = complete_times(session)
    if min(rated.shape) < 2 or rated.min() == rated.max():  # noqa: PLR2004 (two of each)
        return dict.fromkeys(ICC_FORMS, Estimate(np.nan))
    table = _Variance.of(rated)
    k, n = table.k, table.n
    one_way = _shape(table, table.within, n * (k - 1))
    two_way = _shape(table, table.error, (n - 1) * (k - 1))
    value = _quotient(
        table.times - table.error,
        table.times + (k - 1) * table.error + k * (table.raters - table.error) / n,
    )
    low, high = _absolute_interval(table, value)
    absolute = Estimate(value, low, high, two_way.f, two_way.df1, two_way.df2, two_way.p)
    singles: dict[IccForm, Estimate] = {
        "ICC(1,1)": one_way,
        "ICC(A,1)": absolute,
        "ICC(C,1)": two_way,
    }
    means: dict[IccForm, Estimate] = {
        "ICC(1,k)": _of_mean(one_way, k),
        "ICC(A,k)": _of_mean(absolute, k),
        "ICC(C,k)": _of_mean(two_way, k),
    }
    return singles | means


def _shape(table: _Variance, noise: float, df2: int) -> Estimate:
    """ICC(1,1) where `noise` is the mean square within, ICC(C,1) where it is the error's."""
    k, df1 = table.k, table.n - 1
    if noise == 0:
        return Estimate(1.0, 1.0, 1.0, np.inf, df1, df2, 0.0)
    f = table.times / noise
    bounds = f, f / fdtri(df1, df2, _UPPER), f * fdtri(df2, df1, _UPPER)
    value, low, high = (float((each - 1) / (each + k - 1)) for each in bounds)
    return Estimate(value, low, high, f, df1, df2, float(fdtrc(df1, df2, f)))


def _absolute_interval(table: _Variance, value: float) -> tuple[float, float]:
    """Interval of ICC(A,1), McGraw and Wong 1996, table 7; multiplied out by the error."""
    k, n, times, raters, error = table.k, table.n, table.times, table.raters, table.error
    if raters == 0 and error == 0:
        return 1.0, 1.0
    factor = n * (1 + (k - 1) * value) - k * value
    above = (k - 1) * (n - 1) * (k * value * raters + factor * error) ** 2
    below = (n - 1) * (k * value * raters) ** 2 + (factor * error) ** 2
    if below == 0:
        return np.nan, np.nan
    df = above / below
    upper, lower = fdtri(n - 1, df, _UPPER), fdtri(df, n - 1, _UPPER)
    rest = k * raters + (k * n - k - n) * error
    low = n * (times - upper * error) / (upper * rest + n * times)
    high = n * (lower * times - error) / (rest + n * lower * times)
    return float(low), float(high)


def _of_mean(single: Estimate, k: int) -> Estimate:
    """Spearman and Brown's step from one rater to the mean of k."""
    value, low, high = (
        _quotient(k * each, 1 + (k - 1) * each) for each in (single.value, single.low, single.high)
    )
    return Estimate(value, low, high, single.f, single.df1, single.df2, single.p)


def _alpha_listwise(session: NDArray[np.float64]) -> Estimate:
    return _icc(session)["ICC(C,k)"]


def _alpha_pairwise(session: NDArray[np.float64]) -> Estimate:
    k, n = session.shape
    covariance = _pairwise_covariance(session)
    total = covariance.sum()
    if k < 2 or not total > 0:  # noqa: PLR2004 (two raters)
        return Estimate(np.nan)
    value = float(k / (k - 1) * (1 - np.trace(covariance) / total))
    df1, df2 = n - 1, (n - 1) * (k - 1)
    if value == 1:
        return Estimate(1.0, 1.0, 1.0, np.inf, df1, df2, 0.0)
    f = 1 / (1 - value)
    low, high = f / fdtri(df1, df2, _UPPER), f * fdtri(df2, df1, _UPPER)
    p = float(fdtrc(df1, df2, f))
    return Estimate(value, float(1 - 1 / low), float(1 - 1 / high), f, df1, df2, p)


def _pairwise_covariance(session: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K, K), each over the times that both raters have, divided by n - 1; NaN below two."""
    covariance = np.full((len(session), len(session)), np.nan)
    for i, first in enumerate(session):
        for j, second in enumerate(session[: i + 1]):
            both = complete_times(np.stack([first, second]))
            if both.shape[1] > 1:
                covariance[i, j] = covariance[j, i] = np.cov(both)[0, 1]
    return covariance


def _quotient(above: float, below: float) -> float:
    return above / below if below != 0 else np.nan
