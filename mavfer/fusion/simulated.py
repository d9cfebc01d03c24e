"""Raters of whom everything is known: to try a method on, or to plan how many to invite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.signal import lfilter

from mavfer.errors import CommandError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["SimulatedRaters", "simulate_raters"]

_SPREAD: Final = 0.4
"""Standard deviation of what is felt."""

_FADES_SECONDS: Final = 4.0
_TARGET_FADES_SECONDS: Final = 1.5
"""Of what is felt, and of the livelier target of the calibration clip."""

_LAGS_SECONDS: Final = (1.0, 6.0)
_GAINS: Final = (0.5, 1.5)
_LARGEST_BIAS: Final = 0.3
_NOISE: Final = 0.3
_STILL_AT: Final = 0.2
_CLIP_SECONDS: Final = 30.0


@dataclass(frozen=True)
class SimulatedRaters:
    """A session, a calibration clip, and what is true of both."""

    truth: NDArray[np.float64]
    """(T,), what was felt."""
    ratings: NDArray[np.float64]
    """(K, T)."""
    target: NDArray[np.float64]
    """(C,), what the calibration clip showed."""
    followed: NDArray[np.float64]
    """(K, C), how the raters followed it."""
    lags_seconds: NDArray[np.float64]
    """(K,)."""
    is_bad: NDArray[np.bool_]
    """(K,), the mirrored rater and the one who never moves."""


def simulate_raters(
    seed: int,
    *,
    raters: int = 6,
    seconds: float = 120,
    rate_hz: float = 25,
    noise_seconds: float = 0.0,
    with_bad: bool = True,
) -> SimulatedRaters:
    """Late, scaled, biased, noisy copies of an Ornstein-Uhlenbeck process (ours).

    Lags of 1 to 6 s, gains of 0.5 to 1.5, biases of -0.3 to 0.3, noise of 0.3 beside a spread of
    0.4, each drawn for each rater; what is felt returns to its mean in 4 s.

    Args:
        seed: The same seed gives the same raters.
        raters: K; the last two are the bad ones.
        seconds: Length of the session; the calibration clip has 30 s.
        rate_hz: Frames a second.
        noise_seconds: How soon noise fades: 0 for noise anew in each frame.
        with_bad: Mirror the last rater but one, and hold the last still.

    Raises:
        CommandError: A number makes no sense.
    """
    if raters < (3 if with_bad else 1) or seconds <= 0 or rate_hz <= 0 or noise_seconds < 0:
        message = (
            f"raters {raters}, seconds {seconds}, rate_hz {rate_hz}, noise_seconds "
            f"{noise_seconds}: give at least 3 raters where two are bad, and positive numbers"
        )
        raise CommandError(message)
    random = np.random.default_rng(seed)
    lags = random.uniform(*_LAGS_SECONDS, raters)
    gain = random.uniform(*_GAINS, (raters, 1))
    bias = random.uniform(-_LARGEST_BIAS, _LARGEST_BIAS, (raters, 1))
    is_bad = np.zeros(raters, bool)
    if with_bad:
        is_bad[-2:] = True
        gain[-2:] *= [[-1], [0]]
        bias[-1] = _STILL_AT

    def rated(length: float, fades_seconds: float) -> tuple[Floats, Floats]:
        before, frames = round(_LAGS_SECONDS[1] * rate_hz) + 1, round(length * rate_hz)
        felt = _SPREAD * _fading(random, 1, before + frames, fades_seconds * rate_hz)[0]
        at = before + np.arange(frames) - lags[:, None] * rate_hz
        late = np.interp(at, np.arange(len(felt)), felt)
        noise = _NOISE * _fading(random, raters, frames, noise_seconds * rate_hz)
        noise[gain[:, 0] == 0] = 0
        return felt[before:], gain * late + bias + noise

    truth, ratings = rated(seconds, _FADES_SECONDS)
    target, followed = rated(_CLIP_SECONDS, _TARGET_FADES_SECONDS)
    return SimulatedRaters(truth, ratings, target, followed, lags, is_bad)


def _fading(random: np.random.Generator, rows: int, frames: int, fades_frames: float) -> Floats:
    """Normal values (rows, frames) of variance 1 whose correlation fades by e in some frames."""
    follows = np.exp(-1 / fades_frames) if fades_frames > 0 else 0.0
    new = random.normal(size=(rows, frames))
    new[:, 1:] *= np.sqrt(1 - follows**2)
    values: Floats = lfilter([1.0], [1.0, -follows], new, axis=1)
    return values
