"""The model of raters, step by step: what is felt given the raters, the raters given what is felt.

Expectation and maximisation, used by `model` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.fusion.chain import Chain, solve_chain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Estimates", "RatedFrames", "first_guess", "infer_felt", "learn_from", "learn_noise"]

_USUAL_NOISE: Final = 20
"""Independent values that the usual noise of the raters counts for in each one's own (ours)."""

_USUAL_GAIN_SPREAD: Final = 1.0
"""Gains are 1 give or take this before anything is known (ours)."""

_SMALLEST_GAIN: Final = 0.01

_SMALLEST_NOISE: Final = 1e-4
"""Standard deviation of the noise beside that of the trace: nobody is trusted beyond this."""

_FADES_AT_MOST: Final = 0.9995
"""Correlation from a frame to the next, of what is felt and of noise: below 1, where it is lost."""


@dataclass
class Estimates:
    """Estimates that change from round to round; what is felt has mean 0 here."""

    gain: Floats
    level: Floats
    innovation: Floats
    """(K,), variance of what is new in the noise of a frame."""
    fades: Floats
    wander: float
    """Variance of what is felt."""
    returns: float
    """Correlation of what is felt from a frame to the next."""
    most: float
    """Variance that what is felt cannot exceed: that of the liveliest rater."""
    usual_level: Floats
    """(K,), mean of what each rater said."""
    usual_spread: Floats
    """(K,), standard deviation of it: no level is much further away."""


@dataclass(frozen=True)
class RatedFrames:
    """Which values are there, prepared once."""

    values: Floats
    """(K, T), 0 where missing."""
    begins: Floats
    """(K, T), 1 where a value is there without one before it."""
    goes_on: Floats
    """(K, T), 1 where a value and the one before it are there."""
    before: Floats
    """(K, T), the value a frame earlier, 0 where it is not to be used."""
    is_linked: NDArray[np.bool_]
    """(T,), frames whose felt state follows from the frame before."""

    @classmethod
    def of(cls, traces: NDArray[np.float64]) -> RatedFrames:
        """Of (K, T), NaN = missing."""
        is_there = ~np.isnan(traces)
        values = np.where(is_there, traces, 0.0)
        goes_on = is_there.copy()
        goes_on[:, 0] = False
        goes_on[:, 1:] &= is_there[:, :-1]
        before = np.zeros_like(values)
        before[:, 1:] = values[:, :-1]
        anybody = np.asarray(is_there.any(axis=0))
        is_linked = np.zeros(traces.shape[1], bool)
        is_linked[1:] = anybody[1:] & anybody[:-1]
        return cls(
            values,
            (is_there & ~goes_on).astype(np.float64),
            goes_on.astype(np.float64),
            before * goes_on,
            is_linked,
        )


def first_guess(traces: NDArray[np.float64]) -> Estimates:
    """What to begin with: each rater against the mean of all."""
    is_there = ~np.isnan(traces)
    count = np.maximum(is_there.sum(axis=1), 1)
    level = np.sum(traces, axis=1, where=is_there) / count
    centred = np.where(is_there, traces - level[:, None], 0.0)
    total = np.sum(centred, axis=0) / np.maximum(is_there.sum(axis=0), 1)
    spread = np.sqrt(np.sum(centred**2, axis=1) / count)
    spread = np.maximum(spread, _SMALLEST_NOISE * spread.max())
    wander = float(np.mean(total**2))
    gain = np.maximum(centred @ total / np.maximum(is_there @ total**2, 1e-300), 0.1)
    noise = np.maximum(spread**2 - gain**2 * wander, (0.1 * spread) ** 2)
    return Estimates(
        gain=gain / gain.mean(),
        level=level,
        innovation=noise * (1 - 0.5**2),
        fades=np.full(len(traces), 0.5),
        wander=wander * gain.mean() ** 2,
        returns=0.99,
        most=float((spread**2).max()),
        usual_level=level,
        usual_spread=spread,
    )


# What is felt, given the raters: a chain of normal variables, whose precision has three diagonals.


def infer_felt(frames: RatedFrames, state: Estimates) -> Chain:
    """Posterior of what is felt; its precision is the prior's and what each value adds."""
    diagonal, beside = _prior(frames, state)
    gain, fades = state.gain[:, None], state.fades[:, None]
    begin = frames.begins * (gain**2 * (1 - fades**2) / state.innovation[:, None])
    goes_on = frames.goes_on * (gain**2 / state.innovation[:, None])
    diagonal += (begin + goes_on).sum(axis=0)
    diagonal[:-1] += (fades**2 * goes_on)[:, 1:].sum(axis=0)
    beside -= (fades * goes_on).sum(axis=0)
    new = (frames.values - state.level[:, None]) - fades * (
        frames.before - state.level[:, None] * frames.goes_on
    )
    told = new * goes_on / gain
    pull = (told + (frames.values - state.level[:, None]) * begin / gain).sum(axis=0)
    pull[:-1] -= (fades * told)[:, 1:].sum(axis=0)
    return solve_chain(diagonal, beside, pull)


def _prior(frames: RatedFrames, state: Estimates) -> tuple[Floats, Floats]:
    """Diagonal (T,) and the one beside it (T,), whose first is 0, of the prior's precision."""
    linked = frames.is_linked.astype(np.float64)
    new = state.wander * (1 - state.returns**2)
    diagonal = np.where(frames.is_linked, 1 / new, 1 / state.wander)
    diagonal[:-1] += linked[1:] * state.returns**2 / new
    return diagonal, -linked * state.returns / new


# The raters, given what is felt: regressions with the uncertainty of what is felt in them.


def learn_from(frames: RatedFrames, state: Estimates, felt: Chain) -> float:
    """Takes better estimates into `state`; how far gains and levels moved beside the spread."""
    before = state.gain.copy(), state.level.copy()
    _learn_raters(frames, state, felt)
    _learn_felt(frames, state, felt)
    _centre(state)
    spread = np.sqrt(state.wander)
    return float(
        max(np.abs(state.gain - before[0]).max(), np.abs(state.level - before[1]).max() / spread)
    )


def _learn_raters(frames: RatedFrames, state: Estimates, felt: Chain) -> None:
    """Gain, level and noise of each rater, from what is new in each frame."""
    fades = state.fades[:, None]
    mean_before, variance_before = felt.before
    used = frames.goes_on
    count = np.maximum(used.sum(axis=1), 1)
    new = (frames.values - fades * frames.before) * used
    mean = (felt.mean - fades * mean_before) * used
    square = mean**2 + used * (
        felt.variance + fades**2 * variance_before - 2 * fades * felt.covariance
    )
    share = 1 - state.fades
    sums = mean.sum(axis=1), square.sum(axis=1), new.sum(axis=1), (new * mean).sum(axis=1)
    _solve_raters(state, count * share**2, share * sums[0], sums[1], share * sums[2], sums[3])
    learn_noise(frames, state, felt)


def _solve_raters(  # noqa: PLR0917 (the five sums of a regression)
    state: Estimates, n: Floats, x: Floats, xx: Floats, y: Floats, xy: Floats
) -> None:
    """Level and gain by regression, drawn to where raters usually are by as much as is unknown."""
    noise = state.innovation
    n, y = (
        n + noise / state.usual_spread**2,
        y + state.usual_level * noise / state.usual_spread**2,
    )
    xx, xy = xx + noise / _USUAL_GAIN_SPREAD**2, xy + noise / _USUAL_GAIN_SPREAD**2
    gain = (n * xy - x * y) / (n * xx - x**2)
    state.gain = np.maximum(gain, _SMALLEST_GAIN)
    state.level = (y - state.gain * x) / n


def learn_noise(frames: RatedFrames, state: Estimates, felt: Chain) -> None:
    """Size of each rater's noise, and how soon it fades."""
    mean_before, variance_before = felt.before
    used, gain, level = frames.goes_on, state.gain[:, None], state.level[:, None]
    count = np.maximum(used.sum(axis=1), 1)
    rest = (frames.values - level - gain * felt.mean) * used
    rest_before = (frames.before - level - gain * mean_before) * used
    squares = (rest**2 + gain**2 * felt.variance * used).sum(axis=1)
    squares_before = (rest_before**2 + gain**2 * variance_before * used).sum(axis=1)
    crossed = (rest * rest_before + gain**2 * felt.covariance * used).sum(axis=1)
    known = np.where(squares_before > 0, squares_before, np.inf)
    state.fades = np.clip(crossed / known, 0.0, _FADES_AT_MOST)
    innovation = (squares - 2 * state.fades * crossed + state.fades**2 * squares_before) / count
    smallest = (_SMALLEST_NOISE * state.gain) ** 2 * state.wander * (1 - state.fades**2)
    state.innovation = np.maximum(innovation, smallest)
    _temper_noise(state, count)


def _temper_noise(state: Estimates, count: NDArray[np.int64]) -> None:
    """Takes each rater's noise nearer to the usual one, the more the less there is to tell it by.

    A rater who happens to go with the others for a while would otherwise be trusted alone.
    """
    independent = count * (1 - state.fades) / (1 + state.fades)
    own = independent / (independent + _USUAL_NOISE)
    variance = state.innovation / (1 - state.fades**2)
    variance = own * variance + (1 - own) * np.average(variance, weights=count)
    state.fades = own * state.fades + (1 - own) * np.average(state.fades, weights=count)
    state.innovation = variance * (1 - state.fades**2)


def _learn_felt(frames: RatedFrames, state: Estimates, felt: Chain) -> None:
    """How far what is felt wanders, and how soon it returns; as before without two in a row."""
    linked = frames.is_linked[1:]
    if not linked.any():
        return
    now, past = felt.mean[1:][linked], felt.mean[:-1][linked]
    crossed = now @ past + felt.covariance[1:][linked].sum()
    squares = past @ past + felt.variance[:-1][linked].sum()
    squares_now = now @ now + felt.variance[1:][linked].sum()
    state.returns = float(np.clip(crossed / squares, 0.0, _FADES_AT_MOST))
    new = (squares_now - 2 * state.returns * crossed + state.returns**2 * squares) / linked.sum()
    state.wander = float(min(new / (1 - state.returns**2), state.most))


def _centre(state: Estimates) -> None:
    """Mean gain 1: the scale of what is felt is that of the raters on average."""
    scale = state.gain.mean()
    state.gain /= scale
    state.wander = min(state.wander * scale**2, state.most)
