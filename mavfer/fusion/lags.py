"""Reaction lags: how much later than the event each rater moves.

Traces alone tell lags only relative to each other: shifting all of them alike changes nothing.
The absolute lag comes from a target whose time is known, shown in a calibration clip.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.fft import irfft, next_fast_len, rfft

from mavfer.agreement.estimate import as_ratings
from mavfer.agreement.pairs import rater_means
from mavfer.errors import CommandError, InvalidArray

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Frames = NDArray[np.int64]

__all__ = ["MAX_LAG_SECONDS", "estimate_lags", "shifted"]

MAX_LAG_SECONDS: Final = 6.0
"""Raters lag by 1 to 6 s (Mariooryad and Busso 2015)."""

_MIRRORED: Final = 0.9
"""A mirrored likeness counts a tenth less, so that it wins where it is clear, not by chance."""

_SMALLEST_SHARE: Final = 0.5
"""Traces must overlap by half of what they have in common unshifted."""

_FEWEST: Final = 3
"""Two values always lie on a line."""

_CANCELLED: Final = 1e-6
"""A spread this small beside what it was subtracted from is rounding."""

_PIECE_FRAMES: Final = 1024
_PIECES_AT_ONCE: Final = 64
"""So that long studies do not need more memory than short ones."""

_DOUBTFUL: Final = 0.5
"""A rater half as correlated with the others as raters usually are has no lag to speak of."""

_PERFECT: Final = 1 - 1e-12
_STARTS: Final = 3
_ROUNDS: Final = 50


def estimate_lags(
    ratings: ArrayLike,
    rate_hz: float,
    max_seconds: float = MAX_LAG_SECONDS,
    reference: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Lag of every rater in seconds, in whole frames: (K,), or (S, K).

    Args:
        ratings: (K, T) or (S, K, T), NaN = missing. To tell one lag from several sessions, put
            them one after the other, with `max_seconds` of NaN between.
        rate_hz: Times a second.
        max_seconds: Lags, and differences of lags, are looked for up to this.
        reference: (T,), what a calibration clip showed. None compares the raters with each other.

    Returns:
        With a reference the lag behind it. Without, relative to the fastest rater, whose lag is 0.
        NaN where no lag can be told: a constant trace, or one that is not like the others (less
        than half the usual correlation). A single rater has lag 0.

    Raises:
        CommandError: The rate or the limit is not positive.
        InvalidArray: See `agreement.as_ratings`; or the reference is not (T,).

    Source: ours. The lags are those at which the raters together tell most of each other: the sum
    over pairs of the mutual information of two normal variables, -log(1 - r^2) / 2.
    """
    if rate_hz <= 0 or max_seconds <= 0:
        message = f"rate_hz {rate_hz} and max_seconds {max_seconds} must be above 0"
        raise CommandError(message)
    array = as_ratings(ratings)
    target = None if reference is None else _reference(reference, array.shape[-1])
    sessions = array[None] if array.ndim == 2 else array  # noqa: PLR2004 (K, T)
    most = min(int(np.floor(max_seconds * rate_hz + 1e-9)), max(array.shape[-1] - 2, 0))
    frames = [
        _relative(session, most) if target is None else _absolute(session, target, most)
        for session in sessions
    ]
    lags: Floats = np.stack(frames) / rate_hz
    return lags[0] if array.ndim == 2 else lags  # noqa: PLR2004 (K, T)


def shifted(session: NDArray[np.float64], lags_frames: NDArray[np.float64]) -> Floats:
    """Every rater moved earlier by their lag: value(t) = rating(t + lag), (K, T).

    Linear between frames where the lag is not whole; NaN beyond the ends.
    """
    times = np.arange(session.shape[1])
    out = np.full(session.shape, np.nan)
    for row, lag, moved in zip(session, lags_frames, out, strict=True):
        whole = int(np.floor(lag))
        part = lag - whole
        is_inside = (times + whole >= 0) & (times + whole + (part > 0) < len(times))
        at = times[is_inside] + whole
        moved[is_inside] = row[at] if part == 0 else (1 - part) * row[at] + part * row[at + 1]
    return out


def _reference(reference: ArrayLike, times: int) -> Floats:
    target = np.asarray(reference, np.float64)
    if target.shape != (times,) or np.isinf(target).any():
        message = f"reference of shape {target.shape}: must be ({times},) as the ratings, finite"
        raise InvalidArray(message)
    return target


def _absolute(session: Floats, target: Floats, most: int) -> Floats:
    """Frames behind the target at which each rater is most like it."""
    likeness = _likeness(session, target[None], most)[:, :, 0]
    best = likeness.argmax(axis=0).astype(np.float64)
    return np.where(likeness.max(axis=0) > 0, best, np.nan)


def _relative(session: Floats, most: int) -> Floats:
    """Frames behind the fastest rater."""
    raters = len(session)
    if raters == 1:
        return np.zeros(1)
    later = _likeness(session, session, most)
    earlier = later[:0:-1].transpose(0, 2, 1)
    likeness = np.concatenate([earlier, later]).transpose(1, 2, 0)
    information = -np.log(1 - np.minimum(likeness, _PERFECT) ** 2) / 2
    for rater in range(raters):
        information[rater, rater] = 0
    busiest = np.argsort(-information.max(axis=2).sum(axis=1), kind="stable")[:_STARTS]
    solutions = [_climb(information, start) for start in busiest]
    lags, _ = max(solutions, key=lambda solution: solution[1])
    is_found = _is_like_the_others(likeness, lags)
    if not is_found.any():
        return np.full(raters, np.nan)
    return np.where(is_found, lags - lags[is_found].min(), np.nan)


def _likeness(a: Floats, b: Floats, most: int) -> Floats:
    """How alike a(t + lag) and b(t) are for lags 0 to most: (lags, K, J) in [0, 1].

    0 where that cannot be said.
    """
    left, right = _powers(a), _powers(b)
    sums = _lagged_products(left.reshape(-1, a.shape[1]), right.reshape(-1, b.shape[1]), most)
    by_powers = sums.reshape(most + 1, 3, len(a), 3, len(b))
    count = np.round(by_powers[:, 0, :, 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_a, mean_b = by_powers[:, 1, :, 0] / count, by_powers[:, 0, :, 1] / count
        square_a, square_b = by_powers[:, 2, :, 0] / count, by_powers[:, 0, :, 2] / count
        spread_a, spread_b = square_a - mean_a**2, square_b - mean_b**2
        covariance = by_powers[:, 1, :, 1] / count - mean_a * mean_b
        correlation = covariance / np.sqrt(spread_a * spread_b)
    is_told = (
        (count >= np.maximum(_FEWEST, _SMALLEST_SHARE * count[0]))
        & (spread_a > _CANCELLED * (square_a + _usual_square(left)[:, None]))
        & (spread_b > _CANCELLED * (square_b + _usual_square(right)[None, :]))
    )
    known = np.clip(np.where(is_told, correlation, 0.0), -1, 1)
    likeness: Floats = np.where(known > 0, known, -_MIRRORED * known)
    return likeness


def _powers(session: Floats) -> Floats:
    """Whether there is a value, its difference from the rater's mean, and its square: (3, K, T)."""
    there = ~np.isnan(session)
    value = np.where(there, session - rater_means(session)[:, None], 0.0)
    return np.stack([there.astype(np.float64), value, value**2])


def _usual_square(powers: Floats) -> Floats:
    """Mean square of each rater (K,), beside which a stretch without any spread is rounding."""
    count: Floats = np.maximum(powers[0].sum(axis=1), 1)
    mean: Floats = powers[2].sum(axis=1) / count
    return mean


def _lagged_products(left: Floats, right: Floats, most: int) -> Floats:
    """Sums over t of left(t + lag) * right(t) for every two rows and lags 0 to most.

    By Fourier transforms of pieces, whose products are added before the way back: (lags, K, J).
    """
    frames = left.shape[1]
    step = max(_PIECE_FRAMES, most)
    pieces = -(-frames // step)
    size = next_fast_len(step + most, real=True)
    behind = pieces * step - frames
    padded = np.pad(left, ((0, 0), (0, behind + most)))
    windows = sliding_window_view(padded, step + most, axis=1)[:, ::step]  # (K, pieces, ...)
    blocks = np.pad(right, ((0, 0), (0, behind))).reshape(len(right), pieces, step)
    total = np.zeros((size // 2 + 1, len(left), len(right)), np.complex128)
    for at in range(0, pieces, _PIECES_AT_ONCE):
        some = slice(at, at + _PIECES_AT_ONCE)
        later = rfft(windows[:, some], size).transpose(2, 0, 1)  # (frequencies, K, pieces)
        now = rfft(blocks[:, some], size).conj().transpose(2, 1, 0)  # (frequencies, pieces, J)
        total += later @ now
    sums: Floats = irfft(total, size, axis=0)[: most + 1]
    return sums


def _climb(information: Floats, start: np.intp) -> tuple[Frames, float]:
    """Lags found by moving one rater after the other to where they tell most, and how much."""
    most = information.shape[2] // 2
    lags: Frames = information[:, start].argmax(axis=1) - most
    lags[start] = 0
    for _ in range(_ROUNDS):
        before = lags.copy()
        told = [_move(information[rater], lags, rater) for rater in range(len(lags))]
        if np.array_equal(before, lags):
            break
    return lags, float(sum(told))


def _move(information: Floats, lags: Frames, rater: int) -> float:
    """Sets the rater's lag to the one that tells most of the others (K, lags); how much it does."""
    most = information.shape[1] // 2
    candidates = np.arange(lags.min() - most, lags.max() + most + 1)
    apart = candidates[:, None] - lags[None, :]
    told = np.where(
        np.abs(apart) <= most,
        information[np.arange(len(lags)), np.clip(apart + most, 0, 2 * most)],
        0.0,
    ).sum(axis=1)
    # Of equal ones the nearest to where the rater stands, so that the search ends.
    best = np.flatnonzero(told == told.max())
    nearest = best[np.abs(candidates[best] - lags[rater]).argmin()]
    lags[rater] = candidates[nearest]
    return float(told[nearest])


def _is_like_the_others(likeness: Floats, lags: Frames) -> NDArray[np.bool_]:
    """Whose mean likeness with the others, at these lags, is at least half the usual one."""
    raters, most = len(lags), likeness.shape[2] // 2
    apart = np.clip(lags[:, None] - lags[None, :], -most, most) + most
    there = likeness[np.arange(raters)[:, None], np.arange(raters)[None, :], apart]
    np.fill_diagonal(there, 0.0)
    mean = there.sum(axis=1) / (raters - 1)
    is_like: NDArray[np.bool_] = (mean > 0) & (mean >= _DOUBTFUL * np.median(mean))
    return is_like
