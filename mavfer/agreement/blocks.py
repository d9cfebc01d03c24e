"""Intervals of all statistics of a session at once, from blocks of its frames drawn again.

Every statistic here is a function of sums over frames. So the sums of every block are taken once,
and a draw of blocks is a sum of their sums: a thousand draws are one product of matrices, where
`bootstrap` would count every statistic a thousand times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.agreement.estimate import Estimate, complete_times
from mavfer.agreement.intraclass import ICC_FORMS
from mavfer.agreement.resampling import block_length
from mavfer.metrics import ranks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Places = NDArray[np.intp]
    Sums = dict[str, Floats]

__all__ = ["drawn_mean", "drawn_pair", "session_intervals"]

_STARTS_PER_BLOCK: Final = 8
"""A block starts at every eighth of a block's length, which is near enough to anywhere."""

_OF_TWO: Final = ("ccc", "pearson", "rmse", "bias")
_PAIR: Final = 2
_EDGES: Final = (0.025, 0.975)
_CANCELLED: Final = 1e-12
"""A spread this small beside the square it was subtracted from is none."""


def session_intervals(
    session: NDArray[np.float64], *, resamples: int = 1000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95 % intervals for other stretches of the same session.

    Args:
        session: (K, T), NaN = missing.
        resamples: How often blocks are drawn, as many as fill the session.
        seed: The same seed draws the same.

    Returns:
        Low and high of "ccc", "pearson", "spearman", "rmse", "sda" (means over the pairs of
        raters), the six forms of `icc`, "cronbach" and "krippendorff"; NaN where nothing can be
        said. Ranks are those of the whole session; they are not taken anew in each draw (ours).

    Source: blocks: Künsch 1989, Ann. Stat. 17(3), 1217-1241; see `block_length`.
    """
    drawn = _drawn(*_block_sums(session), resamples, seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistics = _statistics(drawn)
    return {name: _interval(values) for name, values in statistics.items()}


def drawn_mean(values: NDArray[np.float64], *, resamples: int = 2000, seed: int = 0) -> Estimate:
    """Mean over sessions of a number (S,) that each has, with the 95 % interval of other sessions.

    Sessions whose number is NaN are left out; with one session left the interval is NaN.

    Source: Efron 1979, Ann. Stat. 7(1), 1-26.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return Estimate(np.nan)
    if len(known) == 1:
        return Estimate(float(known[0]))
    counts = _counts(len(known), len(known), resamples, seed)
    return Estimate(float(known.mean()), *_interval(counts @ known / len(known)))


def drawn_pair(
    sessions: Sequence[NDArray[np.float64]], *, resamples: int = 2000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95 % intervals of "ccc", "pearson", "rmse", "bias" and "ICC(A,1)" of two traces.

    Args:
        sessions: (2, T) each, NaN = missing; the numbers are of all sessions joined. Sessions are
            drawn where there are two or more, else blocks of the one.
        resamples: How often to draw.
        seed: The same seed draws the same.
    """
    rated = [each for each in sessions if (~np.isnan(each)).all(axis=0).any()]
    if not rated:
        return dict.fromkeys((*_OF_TWO, "ICC(A,1)"), (np.nan, np.nan))
    centre = np.mean([np.nanmean(each) for each in rated])
    if len(rated) == 1:
        drawn = _drawn(*_block_sums(rated[0]), resamples, seed)["whole"]
    else:
        sums = np.concatenate([_whole_sums(each[:, None] - centre) for each in rated])
        drawn = np.tensordot(_counts(len(rated), len(rated), resamples, seed), sums, axes=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistics = _of_two(*_covariance(drawn))
    return {name: _interval(values) for name, values in statistics.items()}


# Sums of blocks.


def _block_sums(session: Floats) -> tuple[Sums, int]:
    """Sums over the frames of every block, (blocks, ...) by kind; and blocks that fill it."""
    frames, length = session.shape[1], block_length(session)
    cell = max(1, length // _STARTS_PER_BLOCK)
    centred = session - np.nanmean(session) if np.isfinite(session).any() else session
    cells = _cells(centred, cell)  # (K, C, n)
    is_whole = ~np.isnan(centred).any(axis=0)
    ranked = np.full(session.shape, np.nan)
    ranked[:, is_whole] = ranks(complete_times(session)) - (is_whole.sum() + 1) / 2
    steps = np.diff(centred, axis=1, prepend=np.nan)
    parts = {
        "pairs": _pair_sums(cells),
        "whole": _whole_sums(cells),
        "ranked": _whole_sums(_cells(ranked, cell)),
        "steps": _step_sums(_cells(np.sign(steps), cell)),
        "units": _unit_sums(cells),
    }
    width = min(max(1, round(length / cell)), -(-frames // cell))
    sums = {name: _windows(each, width) for name, each in parts.items()}
    return sums, max(1, round(frames / (width * cell)))


def _cells(session: Floats, frames: int) -> Floats:
    """(K, C, frames), with NaN behind the end."""
    raters, length = session.shape
    missing = -length % frames
    padded = np.pad(session, ((0, 0), (0, missing)), constant_values=np.nan)
    return padded.reshape(raters, -1, frames)


def _windows(cells: Floats, width: int) -> Floats:
    """Sums of `width` cells that follow each other."""
    total = np.concatenate([np.zeros((1, *cells.shape[1:])), np.cumsum(cells, axis=0)])
    sums: Floats = total[width:] - total[:-width]
    return sums


def _pair_sums(cells: Floats) -> Floats:
    """(C, 3K, 2K): [there, value, square] times [there, value]."""
    there = (~np.isnan(cells)).astype(np.float64)
    value = np.nan_to_num(cells)
    left = np.concatenate([there, value, value**2]).transpose(1, 0, 2)
    right = np.concatenate([there, value]).transpose(1, 2, 0)
    sums: Floats = left @ right
    return sums


def _whole_sums(cells: Floats) -> Floats:
    """(C, 1+K, 1+K) of the times at which nobody is missing: count, sums and products."""
    there = (~np.isnan(cells)).all(axis=0, keepdims=True)
    value = np.where(there, cells, 0.0)
    rows = np.concatenate([there.astype(np.float64), value]).transpose(1, 0, 2)
    sums: Floats = rows @ rows.transpose(0, 2, 1)
    return sums


def _step_sums(signs: Floats) -> Floats:
    """(C, 2K, K): how often two raters moved the same way, and how often both are known."""
    known = (~np.isnan(signs)).astype(np.float64)
    same = sum(_products((signs == way).astype(np.float64)) for way in (-1, 0, 1))
    return np.concatenate([same, _products(known)], axis=1)


def _products(rows: Floats) -> Floats:
    products: Floats = rows.transpose(1, 0, 2) @ rows.transpose(1, 2, 0)
    return products


def _unit_sums(cells: Floats) -> Floats:
    """(C, 4) of the times with two raters: disagreement within, values, their sum and squares."""
    there = ~np.isnan(cells)
    count = there.sum(axis=0)
    value = np.where(there & (count >= _PAIR), cells, 0.0)
    total, square = value.sum(axis=0), (value**2).sum(axis=0)
    many = np.maximum(count, _PAIR)
    within = (square - total**2 / many) * many / (many - 1)
    known = np.where(count >= _PAIR, count, 0)
    sums: Floats = np.stack([within, known, total, square]).sum(axis=2).T
    return sums


def _drawn(blocks: Sums, draws: int, resamples: int, seed: int) -> Sums:
    """Sums over blocks that were drawn, (resamples, ...) by kind."""
    counts = _counts(len(blocks["whole"]), draws, resamples, seed)
    return {name: np.tensordot(counts, each, axes=1) for name, each in blocks.items()}


def _counts(choices: int, draws: int, resamples: int, seed: int) -> Floats:
    """How often each is drawn (resamples, choices)."""
    random = np.random.default_rng(seed)
    shares = np.full(choices, 1 / choices)
    return random.multinomial(draws, shares, size=resamples).astype(np.float64)


def _interval(draws: Floats) -> tuple[float, float]:
    known = draws[np.isfinite(draws)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, _EDGES)
    return float(low), float(high)


# Statistics of sums.


def _statistics(sums: Mapping[str, Floats]) -> Sums:
    """Every statistic (R,) of sums (R, ...)."""
    raters = sums["steps"].shape[2]
    a, b = np.triu_indices(raters, 1)
    same, known = sums["steps"][:, a, b], sums["steps"][:, raters + a, b]
    of_pairs = _of_pairs(sums["pairs"], a, b)
    of_pairs["spearman"] = _correlations(_covariance(sums["ranked"])[2], a, b)
    of_pairs["sda"] = 2 * same / known - 1
    means = {name: _mean(each) for name, each in of_pairs.items()}
    intraclass = _intraclass(*_covariance(sums["whole"]))
    return means | intraclass | {"krippendorff": _krippendorff(sums["units"])}


def _of_two(count: Floats, means: Floats, covariance: Floats) -> Sums:
    """Measures (R,) of two traces."""
    bias, product = means[:, 0] - means[:, 1], covariance[:, 0, 1]
    spread = covariance[:, 0, 0] + covariance[:, 1, 1]
    return {
        "ccc": 2 * product / (spread + bias**2),
        "pearson": product / np.sqrt(covariance[:, 0, 0] * covariance[:, 1, 1]),
        "rmse": np.sqrt(np.maximum(spread - 2 * product + bias**2, 0)),
        "bias": bias,
        "ICC(A,1)": _intraclass(count, means, covariance)["ICC(A,1)"],
    }


def _of_pairs(sums: Floats, a: Places, b: Places) -> Sums:
    """Measures (R, pairs) of raters `a` with raters `b`, over the times that both have."""
    raters = sums.shape[2] // 2
    count = sums[:, a, b]
    mean_a, mean_b = sums[:, raters + a, b] / count, sums[:, raters + b, a] / count
    square_a, square_b = sums[:, 2 * raters + a, b] / count, sums[:, 2 * raters + b, a] / count
    variance_a, variance_b = square_a - mean_a**2, square_b - mean_b**2
    variance_a[variance_a < _CANCELLED * square_a] = 0
    variance_b[variance_b < _CANCELLED * square_b] = 0
    covariance = sums[:, raters + a, raters + b] / count - mean_a * mean_b
    spread, bias = variance_a + variance_b, mean_a - mean_b
    return {
        "ccc": 2 * covariance / (spread + bias**2),
        "pearson": covariance / np.sqrt(variance_a * variance_b),
        "rmse": np.sqrt(np.maximum(spread - 2 * covariance + bias**2, 0)),
    }


def _covariance(sums: Floats) -> tuple[Floats, Floats, Floats]:
    """Count (R,), means (R, K) and covariances (R, K, K) of the times at which nobody misses."""
    count = sums[:, 0, 0]
    means = sums[:, 0, 1:] / count[:, None]
    covariance = sums[:, 1:, 1:] / count[:, None, None] - means[:, :, None] * means[:, None, :]
    return count, means, covariance


def _correlations(covariance: Floats, a: Places, b: Places) -> Floats:
    spread = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    correlations: Floats = covariance[:, a, b] / (spread[:, a] * spread[:, b])
    return correlations


def _intraclass(count: Floats, means: Floats, covariance: Floats) -> Sums:
    """The six forms and Cronbach's alpha (R,), from the mean squares; see `icc`."""
    k, n = means.shape[1], count
    if k < _PAIR:
        return dict.fromkeys((*ICC_FORMS, "cronbach"), np.full(len(n), np.nan))
    of_times = n * covariance.sum(axis=(1, 2)) / k
    of_raters = n * np.sum((means - means.mean(axis=1, keepdims=True)) ** 2, axis=1)
    of_error = n * np.trace(covariance, axis1=1, axis2=2) - of_times
    times, raters, error = of_times / (n - 1), of_raters / (k - 1), of_error / ((n - 1) * (k - 1))
    within = (of_raters + of_error) / (n * (k - 1))
    one_way = (times - within) / (times + (k - 1) * within)
    absolute = (times - error) / (times + (k - 1) * error + k * (raters - error) / n)
    shape = (times - error) / (times + (k - 1) * error)
    singles = dict(zip(ICC_FORMS[:3], (one_way, absolute, shape), strict=True))
    of_mean = [k * each / (1 + (k - 1) * each) for each in singles.values()]
    return {**singles, **dict(zip(ICC_FORMS[3:], of_mean, strict=True)), "cronbach": of_mean[2]}


def _krippendorff(sums: Floats) -> Floats:
    within, count, total, square = sums.T
    observed = within / count
    expected = (square - total**2 / count) / (count - 1)
    alpha: Floats = 1 - observed / expected
    return alpha


def _mean(values: Floats) -> Floats:
    """Mean (R,) of what is known of (R, pairs)."""
    known = np.isfinite(values)
    mean: Floats = np.where(known, values, 0).sum(axis=1) / known.sum(axis=1)
    return mean
