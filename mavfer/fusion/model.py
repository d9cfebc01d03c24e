"""The random-effects model of raters: what was felt, given what all of them say, and how surely.

Each rater says `level + gain * felt(t) + noise`, with a noise of their own size that fades with a
time of its own; what is felt wanders about its mean and returns to it (Ornstein and Uhlenbeck).
All of it is estimated from the ratings alone. Ours; its parts are named where they are used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import ndtri, stdtrit

from mavfer.fusion.estimation import (
    Estimates,
    RatedFrames,
    first_guess,
    infer_felt,
    learn_from,
    learn_noise,
)
from mavfer.fusion.stretches import block_means
from mavfer.fusion.weighting import BAND, Joint, alike, weighted_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mavfer.fusion.chain import Chain

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

_LAG_UNSURE_SECONDS: Final = 0.05
"""How well lags are known: what is felt may have moved in this time."""

_LARGEST_STRETCH: Final = 1.5
"""Raters who tell so little that more would be needed tell mostly noise."""


def model_of(aligned: NDArray[np.float64], rate_hz: float, is_trusted: NDArray[np.bool_]) -> Joint:
    """What was felt, as the trusted raters tell it.

    Where fewer than two of them rated for a few seconds there is nothing to model: the mean of
    the trusted is given instead, of all where nobody is trusted, and said to be a fallback.

    Args:
        aligned: (K, T), lags taken out, NaN = missing.
        rate_hz: Frames a second.
        is_trusted: (K,), raters to hear.
    """
    trusted = np.where(is_trusted[:, None], aligned, np.nan)
    is_heard = _steps(trusted, rate_hz) >= _FEWEST_STEPS
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
        stretch = min(stretch, _LARGEST_STRETCH)
        trace: Floats = self.level.mean() + stretch * self.felt
        return trace

    def on_scale(self, centre: float, unit: float) -> RaterModel:
        """The same on the scale on which 0 is `centre` and 1 is `unit` more."""
        return replace(
            self,
            felt=unit * self.felt,
            variance=unit**2 * self.variance,
            level=centre + unit * self.level,
            noise=unit * self.noise,
        )

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
    centre, unit = _scale_of(traces)
    traces = (traces - centre) / unit
    frames_a_block = _frames_a_block(rate_hz)
    means = block_means(traces, frames_a_block)
    blocks, state = RatedFrames.of(means), first_guess(means)
    for _ in range(_ROUNDS):
        if learn_from(blocks, state, infer_felt(blocks, state)) < _SETTLED:
            break
    frames = RatedFrames.of(traces)
    if frames_a_block > 1:
        _learn_frames(frames, state, frames_a_block)
    return _told(traces, state, infer_felt(frames, state), rate_hz).on_scale(centre, unit)


def _scale_of(traces: Floats) -> tuple[float, float]:
    """Middle and spread of what the raters said, to reckon in numbers about 1."""
    lowest, highest = float(np.nanmin(traces)), float(np.nanmax(traces))
    return (lowest + highest) / 2, (highest - lowest) / 2


def _frames_a_block(rate_hz: float) -> int:
    return max(1, round(_BLOCK_SECONDS * rate_hz))


def _steps(traces: Floats, rate_hz: float) -> NDArray[np.int64]:
    """How often each rater gave two blocks in a row (K,)."""
    is_there = ~np.isnan(block_means(traces, _frames_a_block(rate_hz)))
    steps: NDArray[np.int64] = (is_there[:, 1:] & is_there[:, :-1]).sum(axis=1)
    return steps


def _learn_frames(frames: RatedFrames, state: Estimates, frames_a_block: int) -> None:
    """From blocks to frames: the same gains and what is felt; the noise is learnt anew."""
    state.returns **= 1 / frames_a_block
    stationary = state.innovation / (1 - state.fades**2)
    state.fades **= 1 / frames_a_block
    state.innovation = stationary * (1 - state.fades**2)
    for _ in range(_NOISE_ROUNDS):
        learn_noise(frames, state, infer_felt(frames, state))


def _told(traces: Floats, state: Estimates, felt: Chain, rate_hz: float) -> RaterModel:
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
