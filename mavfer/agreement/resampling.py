"""Intervals that hold for traces: whole sessions, or long blocks of frames, drawn again.

Frames of a trace follow from each other, so that formulas which count them as independent give
intervals that are far too narrow. Drawing sessions asks "with other sessions?", drawing blocks
"with other stretches of these sessions?".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np

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
        Value and percentile interval. Draws without an answer (NaN) are left out; the interval is
        NaN where one session alone is drawn, or no draw has an answer.

    Raises:
        CommandError: There is no such unit, or a number makes no sense.
        InvalidArray: There is no session, or see `as_ratings`.

    Source: Efron 1979, Ann. Stat. 7(1), 1-26; blocks: Künsch 1989, Ann. Stat. 17(3), 1217-1241.
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
    if unit == "session" and len(arrays) == 1:
        return Estimate(value)
    random = np.random.default_rng(seed)
    lengths = [block_frames or block_length(array) for array in arrays]
    draws = np.empty(resamples)
    for number in range(resamples):
        if unit == "session":
            drawn = [arrays[at] for at in random.integers(0, len(arrays), len(arrays))]
        else:
            drawn = [_draw_blocks(a, n, random) for a, n in zip(arrays, lengths, strict=True)]
        draws[number] = statistic(drawn)
    answers = draws[~np.isnan(draws)]
    if not len(answers):
        return Estimate(value)
    low, high = np.quantile(answers, [(1 - confidence) / 2, (1 + confidence) / 2])
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


def _draw_blocks(session: Floats, length: int, random: np.random.Generator) -> Floats:
    """As many frames as the session has, in runs of `length` that start anywhere."""
    frames = session.shape[1]
    length = min(length, frames)
    starts = random.integers(0, frames - length + 1, -(-frames // length))
    rows = (starts[:, None] + np.arange(length)).ravel()[:frames]
    return session[:, rows]
