"""The random-effects model of raters: what was felt, given what all of them say, and how surely.

Each rater says `level + gain * felt(t) + noise`, with a noise of their own size that fades with a
time of its own; what is felt wanders about its mean and returns to it (Ornstein and Uhlenbeck).
All of it is estimated from the ratings alone. Ours; its parts are named where they are used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import ndtri, stdtrit

from mavfer.fusion.chain import Chain, solve_chain
from mavfer.fusion.stretches import block_means
from mavfer.fusion.weighting import BAND, Joint, alike, weighted_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["RaterModel", "fit_raters", "model_of"]

_BLOCK_SECONDS: Final = 0.2
"""Raters are learnt from means over this: nobody rates faster, and lags are not known better."""

_ROUNDS: Final = 300
_NOISE_ROUNDS: Final = 15
_SETTLED: Final = 1e-4
"""Gains and levels that move by less, beside the spread of what is felt, have settled."""

_FEWEST_STEPS: Final = 10
"""Of two blocks in a row that a rater must have given to be modelled."""

_USUAL_NOISE: Final = 20
"""Independent values that the usual noise of the raters counts for in each one's own (ours)."""

_LAG_UNSURE_SECONDS: Final = 0.05
"""How well lags are known: what is felt may have moved in this time."""

_SMALLEST_NOISE: Final = 1e-4
"""Standard deviation of the noise beside that of the trace: nobody is trusted beyond this."""

_FADES_AT_MOST: Final = 0.9995
"""Correlation from a frame to the next, of what is felt and of noise: below 1, where it is lost."""


def model_of(aligned: NDArray[np.float64], rate_hz: float, is_trusted: NDArray[np.bool_]) -> Joint:
    """What was felt, as the trusted raters tell it.

    Where fewer than two of them rated for a few seconds there is nothing to model: the mean of
    the trusted is given instead, of all where nobody is trusted, and said to be a fallback.

    Args:
        aligned: (K, T), lags taken out, NaN = missing.
        rate_hz: Frames a second.
        is_trusted: (K,), raters to hear.
    """
    is_heard = is_trusted & (_steps(aligned, rate_hz) >= _FEWEST_STEPS)
    is_alone = is_heard.sum() < 2  # noqa: PLR2004 (nobody to compare with)
    if is_alone or _say_the_same(aligned[is_heard]):
        return _mean_of(aligned, is_trusted, is_fallback=bool(is_alone))
    model = fit_raters(aligned[is_heard], rate_hz)
    weights = np.zeros(len(aligned))
    weights[is_heard] = model.information / model.information.sum()
    return Joint(model.trace(), model.half_band(BAND), weights)


def _mean_of(aligned: Floats, is_trusted: NDArray[np.bool_], *, is_fallback: bool) -> Joint:
    """Of the trusted raters, or of all where nobody is trusted."""
    trusted = is_trusted if is_trusted.any() else np.ones(len(aligned), bool)
    weights = np.zeros(len(aligned))
    weights[trusted] = alike(aligned[trusted])
    return weighted_of(aligned, weights, is_fallback=is_fallback)


def _say_the_same(aligned: Floats) -> bool:
    """Whether no two raters differ at any frame, so that there is no noise to learn."""
    lowest = np.min(aligned, axis=0, where=~np.isnan(aligned), initial=np.inf)
    highest = np.max(aligned, axis=0, where=~np.isnan(aligned), initial=-np.inf)
    return bool((highest <= lowest).all())


@dataclass(frozen=True)
class RaterModel:
    """What was felt, and how the raters tell it."""

    felt: NDArray[np.float64]
    """(T,), posterior mean about a mean of 0; NaN where nobody rates."""
    variance: NDArray[np.float64]
    """(T,), of the posterior, gains and levels taken as known, and of lags that are not quite."""
    gain: NDArray[np.float64]
    """(K,), mean 1."""
    level: NDArray[np.float64]
    """(K,), what each says where what is felt is at its mean."""
    noise: NDArray[np.float64]
    """(K,), standard deviation."""
    fades: NDArray[np.float64]
    """(K,), correlation of the noise from a frame to the next."""

    @property
    def information(self) -> NDArray[np.float64]:
        """(K,), how much each rater tells of slow changes: squared gain over the noise's power."""
        power = self.noise**2 * (1 + self.fades) / (1 - self.fades)
        information: Floats = self.gain**2 / power
        return information

    def trace(self) -> NDArray[np.float64]:
        """What was felt on the raters' scale (T,), with the spread that it has, not a smaller one.

        A posterior mean moves less than what it is the mean of. It is stretched to the spread at
        which the concordance with what was felt is expected to be largest: the variance of what
        is felt, and the squared errors that the raters' mean gain and level still have (ours).
        """
        felt = self.felt[~np.isnan(self.felt)]
        raters = len(self.gain)
        variance = float(felt.var() + np.nanmean(self.variance))
        variance *= 1 + self.gain.var(ddof=1) / raters
        variance += self.level.var(ddof=1) / raters
        stretch = np.sqrt(variance / felt.var()) if felt.var() > 0 else 1.0
        trace: Floats = self.level.mean() + stretch * self.felt
        return trace

    def half_band(self, quantile: float) -> NDArray[np.float64]:
        """Half the width (T,) of the band between the quantiles 1 - `quantile` and `quantile`.

        Two things are unsure: what was felt, of which the posterior is normal; and whether these
        raters' mean gain and level are those of more raters, of which Student's t is told by how
        far the raters differ.
        """
        raters = len(self.gain)
        curves = self.level[:, None] + self.gain[:, None] * self.felt
        common = curves.var(axis=0, ddof=1) / raters
        half: Floats = np.sqrt(
            ndtri(quantile) ** 2 * self.variance + stdtrit(raters - 1, quantile) ** 2 * common
        )
        return half


@dataclass
class _State:
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


@dataclass(frozen=True)
class _Frames:
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
    def of(cls, traces: Floats) -> _Frames:
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


def fit_raters(traces: NDArray[np.float64], rate_hz: float = 1.0) -> RaterModel:
    """The model of raters whose lags are out, by expectation and maximisation.

    The mean gain is 1 and the mean level that of the raters: nothing else can be told from ratings.
    A frame at which nobody rates ends a stretch; what is felt begins anew after it.

    Args:
        traces: (K, T) of at least two raters, NaN = missing; none constant.
        rate_hz: Frames a second.

    Source: factor analysis with a Gauss-Markov factor, ours; the steps of its estimation after
    Shumway and Stoffer 1982, J. Time Ser. Anal. 3(4), 253-264.
    """
    frames_a_block = _frames_a_block(rate_hz)
    means = block_means(traces, frames_a_block)
    blocks, state = _Frames.of(means), _first_guess(means)
    for _ in range(_ROUNDS):
        if _learn(blocks, state, _infer(blocks, state)) < _SETTLED:
            break
    frames = _Frames.of(traces)
    if frames_a_block > 1:
        _learn_frames(frames, state, frames_a_block)
    return _told(traces, state, _infer(frames, state), rate_hz)


def _frames_a_block(rate_hz: float) -> int:
    return max(1, round(_BLOCK_SECONDS * rate_hz))


def _steps(traces: Floats, rate_hz: float) -> NDArray[np.int64]:
    """How often each rater gave two blocks in a row (K,)."""
    is_there = ~np.isnan(block_means(traces, _frames_a_block(rate_hz)))
    steps: NDArray[np.int64] = (is_there[:, 1:] & is_there[:, :-1]).sum(axis=1)
    return steps


def _learn_frames(frames: _Frames, state: _State, frames_a_block: int) -> None:
    """From blocks to frames: the same gains and what is felt; the noise is learnt anew."""
    state.returns **= 1 / frames_a_block
    stationary = state.innovation / (1 - state.fades**2)
    state.fades **= 1 / frames_a_block
    state.innovation = stationary * (1 - state.fades**2)
    for _ in range(_NOISE_ROUNDS):
        _learn_noise(frames, state, _infer(frames, state))


def _first_guess(traces: Floats) -> _State:
    is_there = ~np.isnan(traces)
    count = np.maximum(is_there.sum(axis=1), 1)
    level = np.sum(traces, axis=1, where=is_there) / count
    centred = np.where(is_there, traces - level[:, None], 0.0)
    total = np.sum(centred, axis=0) / np.maximum(is_there.sum(axis=0), 1)
    spread = np.sqrt(np.sum(centred**2, axis=1) / count)
    wander = float(np.mean(total**2))
    gain = np.maximum(centred @ total / np.maximum(is_there @ total**2, 1e-300), 0.1)
    noise = np.maximum(spread**2 - gain**2 * wander, (0.1 * spread) ** 2)
    return _State(
        gain=gain / gain.mean(),
        level=level,
        innovation=noise * (1 - 0.5**2),
        fades=np.full(len(traces), 0.5),
        wander=wander * gain.mean() ** 2,
        returns=0.99,
    )


# What is felt, given the raters: a chain of normal variables, whose precision has three diagonals.


def _infer(frames: _Frames, state: _State) -> Chain:
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


def _prior(frames: _Frames, state: _State) -> tuple[Floats, Floats]:
    """Diagonal (T,) and the one beside it (T,), whose first is 0, of the prior's precision."""
    linked = frames.is_linked.astype(np.float64)
    new = state.wander * (1 - state.returns**2)
    diagonal = np.where(frames.is_linked, 1 / new, 1 / state.wander)
    diagonal[:-1] += linked[1:] * state.returns**2 / new
    return diagonal, -linked * state.returns / new


# The raters, given what is felt: regressions with the uncertainty of what is felt in them.


def _learn(frames: _Frames, state: _State, felt: Chain) -> float:
    """Takes better estimates into `state`; how far gains and levels moved beside the spread."""
    before = state.gain.copy(), state.level.copy()
    _learn_raters(frames, state, felt)
    _learn_felt(frames, state, felt)
    _centre(state)
    spread = np.sqrt(state.wander)
    return float(
        max(np.abs(state.gain - before[0]).max(), np.abs(state.level - before[1]).max() / spread)
    )


def _learn_raters(frames: _Frames, state: _State, felt: Chain) -> None:
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
    spread = sums[1] - sums[0] ** 2 / count
    gain = (sums[3] - sums[0] * sums[2] / count) / np.where(spread > 0, spread, np.inf)
    state.gain = np.maximum(gain, 0.01)
    state.level = (sums[2] - state.gain * sums[0]) / (count * share)
    _learn_noise(frames, state, felt)


def _learn_noise(frames: _Frames, state: _State, felt: Chain) -> None:
    """Size of each rater's noise, and how soon it fades."""
    mean_before, variance_before = felt.before
    used, gain, level = frames.goes_on, state.gain[:, None], state.level[:, None]
    count = np.maximum(used.sum(axis=1), 1)
    rest = (frames.values - level - gain * felt.mean) * used
    rest_before = (frames.before - level - gain * mean_before) * used
    squares = (rest**2 + gain**2 * felt.variance * used).sum(axis=1)
    squares_before = (rest_before**2 + gain**2 * variance_before * used).sum(axis=1)
    crossed = (rest * rest_before + gain**2 * felt.covariance * used).sum(axis=1)
    state.fades = np.clip(crossed / squares_before, 0.0, _FADES_AT_MOST)
    innovation = (squares - 2 * state.fades * crossed + state.fades**2 * squares_before) / count
    smallest = (_SMALLEST_NOISE * state.gain) ** 2 * state.wander * (1 - state.fades**2)
    state.innovation = np.maximum(innovation, smallest)
    _temper_noise(state, count)


def _temper_noise(state: _State, count: NDArray[np.int64]) -> None:
    """Takes each rater's noise nearer to the usual one, the more the less there is to tell it by.

    A rater who happens to go with the others for a while would otherwise be trusted alone.
    """
    independent = count * (1 - state.fades) / (1 + state.fades)
    own = independent / (independent + _USUAL_NOISE)
    variance = state.innovation / (1 - state.fades**2)
    variance = own * variance + (1 - own) * np.average(variance, weights=count)
    state.fades = own * state.fades + (1 - own) * np.average(state.fades, weights=count)
    state.innovation = variance * (1 - state.fades**2)


def _learn_felt(frames: _Frames, state: _State, felt: Chain) -> None:
    """How far what is felt wanders, and how soon it returns."""
    linked = frames.is_linked[1:]
    now, past = felt.mean[1:][linked], felt.mean[:-1][linked]
    crossed = now @ past + felt.covariance[1:][linked].sum()
    squares = past @ past + felt.variance[:-1][linked].sum()
    squares_now = now @ now + felt.variance[1:][linked].sum()
    state.returns = float(np.clip(crossed / squares, 0.0, _FADES_AT_MOST))
    new = (squares_now - 2 * state.returns * crossed + state.returns**2 * squares) / linked.sum()
    state.wander = float(new / (1 - state.returns**2))


def _centre(state: _State) -> None:
    """Mean gain 1: the scale of what is felt is that of the raters on average."""
    scale = state.gain.mean()
    state.gain /= scale
    state.wander *= scale**2


def _told(traces: Floats, state: _State, felt: Chain, rate_hz: float) -> RaterModel:
    anybody = (~np.isnan(traces)).any(axis=0)
    moved = 2 * state.wander * (1 - state.returns ** (_LAG_UNSURE_SECONDS * rate_hz))
    return RaterModel(
        felt=np.where(anybody, felt.mean, np.nan),
        variance=np.where(anybody, felt.variance + moved, np.nan),
        gain=state.gain,
        level=state.level,
        noise=np.sqrt(state.innovation / (1 - state.fades**2)),
        fades=state.fades,
    )
