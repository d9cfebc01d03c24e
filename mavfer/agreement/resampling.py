"""Intervals that hold for traces: whole sessions, or long blocks of frames, drawn again.

Frames of a trace follow from each other, so that formulas which count them as independent give
intervals that are far too narrow. Drawing sessions asks "with other sessions?", drawing blocks
"with other stretches of these sessions?".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from scipy.special import ndtr, stdtrit

from mavfer.agreement.estimate import Estimate, as_ratings
from mavfer.errors import CommandError, InvalidArray

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Statistic = Callable[[list[Floats]], float]

__all__ = ["block_length", "bootstrap"]

_LARGEST_SHARE: Final = 3
"""A block is at most this part of its session, so that there is something to draw."""


def bootstrap(
    sessions: Sequence[ArrayLike],
    statistic: Statistic,
    *,
    resamples: int = 2000,
    unit: Literal["session", "block"] = "session",
    seed: int = 0,
    confidence: float = 0.95,
    block_frames: int | None = None,
) -> Estimate:
    """`statistic` of the sessions, with the interval of what it would be for others like them.

    Args:
        sessions: (K, T) each; T may differ. A statistic that is a mean over sessions is drawn
            fastest from one (1, 1) a session that holds the session's own value.
        statistic: From a list of (K, T) to a float.
        resamples: How often to draw.
        unit: "session" draws whole sessions, "block" runs of frames within each session.
        seed: The same seed draws the same.
        confidence: Share of the draws inside the interval.
        block_frames: Frames of a block; None chooses for each session, see `block_length`.

    Returns:
        Value and expanded percentile interval: a few sessions or blocks, drawn again, vary less
        than others would, so that the percentiles lie further out. Draws without an answer (NaN)
        are left out; the interval is NaN where none has one, and where one session, or one block
        of each, leaves nothing to draw.

    Raises:
        CommandError: There is no such unit, or a number makes no sense.
        InvalidArray: There is no session, or see `as_ratings`.

    Source: Efron 1979, Ann. Stat. 7(1), 1-26; blocks: Künsch 1989, Ann. Stat. 17(3), 1217-1241;
    percentiles: Hesterberg 2015, Am. Stat. 69(4), 371-386; for several sessions by blocks, the
    blocks of all counted together (ours).
    """
    if unit not in {"session", "block"} or resamples < 1 or not 0 < confidence < 1:
        message = (
            f"unit {unit!r}, resamples {resamples}, confidence {confidence}: unit is session or "
            f"block, resamples at least 1, confidence between 0 and 1"
        )
        raise CommandError(message)
    arrays = [_session(each) for each in sessions]
    if not arrays:
        message = "no session to draw from. Give a list of (raters, times)"
        raise InvalidArray(message)
    value = float(statistic(arrays))
    lengths: list[int] = []
    pieces = [len(arrays)]
    if unit == "block":
        lengths = [_length(array, block_frames) for array in arrays]
        pieces = [-(-a.shape[1] // n) for a, n in zip(arrays, lengths, strict=True)]
    edges = _edges(confidence, sum(pieces), len(pieces))
    random = np.random.default_rng(seed)
    draws = np.empty(resamples if edges else 0)
    for number in range(len(draws)):
        draws[number] = statistic(_draw(arrays, lengths, random))
    answers = draws[~np.isnan(draws)]
    if not len(answers):
        return Estimate(value)
    low, high = np.quantile(answers, edges)
    return Estimate(value, float(low), float(high))


def block_length(session: NDArray[np.float64]) -> int:
    """Frames that a block of a session (K, T) should have, from how slowly its mean moves.

    Carlstein's rule for a first-order autoregression, with the mean trace's correlation from a
    frame to the next; at most a third of the session (ours).

    Source: Carlstein 1986, Ann. Stat. 14(3), 1171-1179, equation 3.5.
    """
    frames = session.shape[1]
    is_there = ~np.isnan(session)
    total = np.sum(session, axis=0, where=is_there)
    mean = total[is_there.any(axis=0)] / is_there.sum(axis=0)[is_there.any(axis=0)]
    centred = mean - mean.mean() if len(mean) else mean
    power = float(centred @ centred)
    follows = float(centred[1:] @ centred[:-1]) / power if power > 0 else 0.0
    follows = min(max(follows, 0.0), 1 - 1e-9)
    exact = (2 * follows / (1 - follows**2)) ** (2 / 3) * frames ** (1 / 3)
    return int(min(max(1, np.ceil(exact)), max(1, frames // _LARGEST_SHARE)))


def _session(session: ArrayLike) -> Floats:
    array = as_ratings(session)
    if array.ndim != 2:  # noqa: PLR2004 (K, T)
        message = f"a session of shape {array.shape}: give a list of (raters, times)"
        raise InvalidArray(message)
    return array


def _length(session: Floats, block_frames: int | None) -> int:
    """Frames of a block, at most the session's."""
    frames = int(session.shape[1])
    return max(1, min(block_frames or block_length(session), frames))


def _edges(confidence: float, drawn: int, groups: int) -> list[float]:
    """Lower and upper quantile of draws of so many pieces from groups; [] without a choice."""
    free = drawn - groups
    if free <= 0:
        return []
    wide = np.sqrt(drawn / free) * stdtrit(free, (1 + confidence) / 2)
    return [float(ndtr(-wide)), float(ndtr(wide))]


def _draw(arrays: list[Floats], lengths: list[int], random: np.random.Generator) -> list[Floats]:
    """Sessions where there are no lengths of blocks, else blocks within each."""
    if not lengths:
        return [arrays[at] for at in random.integers(0, len(arrays), len(arrays))]
    return [_draw_blocks(a, n, random) for a, n in zip(arrays, lengths, strict=True)]


def _draw_blocks(session: Floats, length: int, random: np.random.Generator) -> Floats:
    """As many frames as the session has, in runs of `length` that start anywhere."""
    frames = session.shape[1]
    starts = random.integers(0, max(1, frames - length + 1), -(-frames // length))
    rows = (starts[:, None] + np.arange(length)).ravel()[:frames]
    drawn: Floats = session.take(rows, axis=1)
    return drawn
