"""How sure a score is, and whether two models differ: subjects are drawn again, not frames.

Frames of a session are alike, so an interval over frames is far too narrow. A block is a subject;
where there is only one, a session, which is said. Blocks are drawn with replacement, the same ones
for every run, and the statistic is the mean over a model's seeds of the pooled CCC, so that no seed
is chosen. All from sums of sessions: nothing is trained or predicted again.

Source: Efron and Tibshirani 1993, An introduction to the bootstrap, sections 8.5 (units) and 13.3
(percentile intervals); Holm 1979, Scand. J. Statist. 6(2), 65-70.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from baselines.moments import Moments, total_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Blocks", "Compared", "Interval", "ccc_interval", "compare_ccc", "holm", "subject_of"]

FEW_BLOCKS: Final = 20
"""Below, an interval is rough, and whoever prints it says so."""
_FREE_SUMS: Final = 6
_CONFIDENCE: Final = 95.0

Unit = Literal["subject", "session"]


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its interval over blocks."""

    values: tuple[float, ...]
    """Pooled CCC of every seed."""
    mean: float
    """Of `values`."""
    deviation: float
    """Standard deviation of `values` (1/(n-1)); NaN of a single seed."""
    low: float
    """Lower end of the 95 % interval over blocks; NaN where there is but one."""
    high: float
    """Upper end of it."""
    unit: Unit
    """What a block is."""
    blocks: int
    """How many there are."""

    @property
    def is_rough(self) -> bool:
        """Whether there are too few blocks to trust the interval's ends."""
        return self.blocks < FEW_BLOCKS


@dataclass(frozen=True)
class Compared:
    """The CCC of one group of runs minus that of another, on the same frames."""

    first: Interval
    second: Interval
    difference: float
    """Mean of the first minus mean of the second."""
    low: float
    """Lower end of the 95 % interval of the difference over blocks, drawn alike for both."""
    high: float
    """Upper end of it."""
    p: float
    """Two-sided: twice the share of draws on the far side of 0, never below 2 / (draws + 1)."""


@dataclass(frozen=True)
class Blocks:
    """Sums of every seed by block, ready to be drawn."""

    sums: Floats
    """(seeds, blocks, 6), about a common centre."""
    unit: Unit
    values: tuple[float, ...]
    """Pooled CCC of every seed, exact."""

    @classmethod
    def of(cls, seeds: Sequence[Mapping[str, Moments]]) -> Blocks:
        """The blocks of runs that scored the same sessions."""
        totals = [total_of(sessions.values()) for sessions in seeds]
        frames = totals[0].frames
        centre = float(totals[0].label / frames) if frames else 0.0
        subjects = {subject_of(session) for session in seeds[0]}
        unit: Unit = "subject" if len(subjects) > 1 else "session"
        sums = [list(_by_block(sessions, unit, centre).values()) for sessions in seeds]
        return cls(np.array(sums, np.float64), unit, tuple(total.ccc() for total in totals))

    def draws(self, resamples: int, seed: int) -> Floats:
        """Mean CCC over the seeds of each draw of blocks (resamples,)."""
        blocks = self.sums.shape[1]
        random = np.random.default_rng(seed)
        chosen = random.integers(0, blocks, (resamples, blocks))
        counts = np.stack([(chosen == number).sum(axis=1) for number in range(blocks)], axis=1)
        drawn = counts @ self.sums  # (seeds, resamples, 6)
        return np.asarray(_ccc(drawn).mean(axis=0))

    def interval(self, draws: Floats) -> Interval:
        """The values with the interval that the draws give."""
        low, high = _ends(draws, self.sums.shape[1])
        deviation = float(np.std(self.values, ddof=1)) if len(self.values) > 1 else math.nan
        return Interval(
            self.values,
            float(np.mean(self.values)),
            deviation,
            low,
            high,
            self.unit,
            self.sums.shape[1],
        )


def subject_of(session: str) -> str:
    """The subject of a session id, "<subject>-<NNN>".

    >>> subject_of("S01-002")
    'S01'
    """
    return session.rpartition("-")[0]


def ccc_interval(
    seeds: Sequence[Mapping[str, Moments]], *, resamples: int = 2000, seed: int = 0
) -> Interval:
    """The pooled CCC of a model, over its seeds and over blocks.

    Args:
        seeds: One for each run, sums by session; all of the same sessions.
        resamples: Draws of blocks.
        seed: Of the draws.
    """
    blocks = Blocks.of(seeds)
    return blocks.interval(blocks.draws(resamples, seed))


def compare_ccc(
    first: Sequence[Mapping[str, Moments]],
    second: Sequence[Mapping[str, Moments]],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Compared:
    """The difference of two models' CCC: the same blocks are drawn for both.

    Args:
        first: One for each seed, sums by session.
        second: Likewise, of the same sessions in the same order.
        resamples: Draws of blocks.
        seed: Of the draws.
    """
    one, two = Blocks.of(first), Blocks.of(second)
    drawn_one, drawn_two = one.draws(resamples, seed), two.draws(resamples, seed)
    differences = drawn_one - drawn_two
    low, high = _ends(differences, one.sums.shape[1])
    there = differences[np.isfinite(differences)]
    return Compared(
        one.interval(drawn_one),
        two.interval(drawn_two),
        float(np.mean(one.values) - np.mean(two.values)),
        low,
        high,
        _p_of(there) if math.isfinite(low) else math.nan,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values of several comparisons, each as large as the whole table requires.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [math.nan] * len(p_values)
    known = sorted((p, place) for place, p in enumerate(p_values) if math.isfinite(p))
    largest = 0.0
    for rank, (p, place) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - rank)))
        adjusted[place] = largest
    return adjusted


def _by_block(sessions: Mapping[str, Moments], unit: Unit, centre: float) -> dict[str, list[float]]:
    """The six sums of each block about `centre`, blocks sorted by name."""
    blocks: dict[str, Moments] = {}
    for session in sorted(sessions):
        name = subject_of(session) if unit == "subject" else session
        blocks[name] = blocks.get(name, Moments()) + sessions[session]
    return {name: moments.about(centre) for name, moments in blocks.items()}


def _ccc(sums: Floats) -> Floats:
    """CCC of sums (…, 6) as `Moments.about` gives them: Lin 1989, equation 2."""
    n, a, b, aa, bb, ab = (sums[..., place] for place in range(_FREE_SUMS))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_a, mean_b = a / n, b / n
        spread = aa / n - mean_a**2 + bb / n - mean_b**2 + (mean_a - mean_b) ** 2
        ccc: Floats = 2 * (ab / n - mean_a * mean_b) / np.where(spread > 0, spread, np.nan)
    return ccc


def _ends(draws: Floats, blocks: int) -> tuple[float, float]:
    there = draws[np.isfinite(draws)]
    if blocks == 1 or not len(there):
        return math.nan, math.nan
    rest = (100 - _CONFIDENCE) / 2
    low, high = np.percentile(there, [rest, 100 - rest])
    return float(low), float(high)


def _p_of(differences: Floats) -> float:
    below, above = (differences <= 0).sum(), (differences >= 0).sum()
    return float(min(1.0, 2 * (1 + min(below, above)) / (len(differences) + 1)))
