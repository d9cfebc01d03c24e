"""What a subject does during a take: smooth, random, and a pure function of time.

Every trajectory is prepared once on a grid of 100 Hz and can then be asked at any nanosecond, so
that each camera samples the same movement on its own clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import gaussian_filter1d

from mavfer.vision.geometry import rotation_from_euler
from recording.simulated.expression import FIELDS, expression_weights
from recording.simulated.lighting import Lighting, LightingName
from recording.simulated.subjects import Traits, seed_from

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TABLE_HZ", "Take", "build_take"]

TABLE_HZ: Final = 100
_MARGIN_SECONDS: Final = 1.0
_BREATH_HZ: Final = 0.27
_BREATH_MM: Final = 1.2
_BLINK_SECONDS: Final = 3.5
_BLINK_WIDTH_SECONDS: Final = 0.060
_BLINK_LID: Final = 0.9
_LID_LIMIT: Final = 1.05
_AROUSAL_LAG_SECONDS: Final = 2.0
_VALENCE_LAG_SECONDS: Final = 1.0

# Standard deviations and time constants of the head: (slow, seconds, fast, seconds).
_YAW_DEGREES: Final = (6.0, 2.0, 1.2, 0.35)
_PITCH_DEGREES: Final = (3.5, 2.0, 0.6, 0.35)
_ROLL_DEGREES: Final = (2.5, 2.0, 0.4, 0.35)
_X_MM: Final = (14.0, 2.5, 0.8, 0.35)
_Y_MM: Final = (7.0, 2.5, 0.5, 0.35)
_Z_MM: Final = (25.0, 3.0, 1.0, 0.35)
_HOME_MM: Final = np.array([0.0, 12.0, 590.0])
"""Mean place of the tip of the nose: the eyes are then at about 620 mm."""


@dataclass(frozen=True)
class Take:
    """The trajectories of one take; times are seconds after its start."""

    lighting: Lighting
    resting: NDArray[np.float64]
    """(6,) the subject's resting weights."""
    pivot_mm: NDArray[np.float64]
    """(3,) around which the head turns, in the head's frame."""
    blinks_seconds: NDArray[np.float64]
    """(B,) middle of each blink."""
    table: NDArray[np.float64]
    """(N, 13) at `TABLE_HZ`: arousal, valence, both as the skin follows them, what smile, open and
    brow do beside the latents, three angles (radians), three shifts (mm)."""
    expressiveness: float
    shown: tuple[float, float] = (1.0, 1.0)
    """Shares of arousal and of valence that face and skin show; what is felt stays the same."""

    def arousal_valence(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Latent arousal and valence (T, 2), in [-1, 1]."""
        return self._columns(seconds, slice(0, 2))

    def skin_response(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Arousal and valence (T, 2) as the skin's temperature follows them, with its delay."""
        return self._columns(seconds, slice(2, 4)) * self.shown

    def breath(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Breathing (T,), -1 in to 1 out."""
        return np.sin(2 * np.pi * _BREATH_HZ * seconds)

    def weights(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weights (T, 6) of the expression fields: latents, rest, nuisance and blinks."""
        latents = self.arousal_valence(seconds) * self.shown * self.expressiveness
        weights = expression_weights(latents[:, 0], latents[:, 1]) + self.resting
        weights[:, : FIELDS.index("furrow")] += self._columns(seconds, slice(4, 7))
        lid = weights[:, FIELDS.index("lid")] + _BLINK_LID * self._blinking(seconds)
        weights[:, FIELDS.index("lid")] = np.minimum(lid, _LID_LIMIT)
        return weights

    def head_pose(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rigid motions (T, 4, 4) from the head's frame to the color camera's, millimetres."""
        rotations, shifts = self.turn_and_shift(seconds)
        poses = np.tile(np.eye(4), (len(seconds), 1, 1))
        poses[:, :3, :3] = rotations
        poses[:, :3, 3] = shifts + self.pivot_mm - rotations @ self.pivot_mm
        return poses

    def turn_and_shift(
        self, seconds: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Rotations (T, 3, 3) about the pivot and shifts (T, 3) of the whole person."""
        columns = self._columns(seconds, slice(7, 13))
        rotations = np.array([rotation_from_euler(*angles) for angles in columns[:, :3]])
        shifts = columns[:, 3:] + _HOME_MM
        shifts[:, 1] += _BREATH_MM * self.breath(seconds)
        return rotations, shifts

    def _blinking(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far the lids are down (T,) because of blinks, 0-1."""
        index = np.searchsorted(self.blinks_seconds, seconds)
        before = seconds - self.blinks_seconds[np.maximum(index - 1, 0)]
        after = seconds - self.blinks_seconds[np.minimum(index, len(self.blinks_seconds) - 1)]
        nearest = np.minimum(abs(before), abs(after))
        return np.exp(-0.5 * (nearest / _BLINK_WIDTH_SECONDS) ** 2)

    def _columns(self, seconds: NDArray[np.float64], columns: slice) -> NDArray[np.float64]:
        """Columns of the table at (T,), linear between its rows, its ends held."""
        place = np.clip(seconds * TABLE_HZ, 0, len(self.table) - 1.001)
        row = place.astype(np.int64)
        share = (place - row)[:, None]
        below, above = self.table[row, columns], self.table[row + 1, columns]
        return np.asarray(below + (above - below) * share)


def build_take(
    seed: int,
    subject_code: str,
    take: int,
    lighting: LightingName,
    *,
    traits: Traits,
    pivot_mm: NDArray[np.float64],
    seconds: float,
) -> Take:
    """The take with this number: the same arguments give the same movement.

    A longer take begins like a shorter one.
    """
    names = iter(seed_from("take", seed, subject_code, take, lighting).spawn(32))
    length = math.ceil((seconds + _MARGIN_SECONDS) * TABLE_HZ) + 2

    def noise(tau_seconds: float) -> NDArray[np.float64]:
        return _smooth_noise(np.random.default_rng(next(names)), tau_seconds, length)

    def mixed(slow: float, slow_tau: float, fast: float, fast_tau: float) -> NDArray[np.float64]:
        return slow * noise(slow_tau) + fast * noise(fast_tau)

    arousal, valence = (np.tanh(0.95 * noise(1.2) + 0.55 * noise(0.5)) for _ in range(2))
    nuisance = [0.05 * noise(1.5), 0.06 * noise(0.15), 0.05 * noise(1.5)]  # smile, open, brow
    angles = [np.radians(mixed(*row)) for row in (_YAW_DEGREES, _PITCH_DEGREES, _ROLL_DEGREES)]
    shifts = [mixed(*row) for row in (_X_MM, _Y_MM, _Z_MM)]
    followed = [_low_pass(arousal, _AROUSAL_LAG_SECONDS), _low_pass(valence, _VALENCE_LAG_SECONDS)]
    columns = [arousal, valence, *followed, *nuisance, *angles, *shifts]
    return Take(
        lighting=Lighting(lighting, phase=np.random.default_rng(next(names)).uniform(0, 1)),
        resting=np.array(traits.resting),
        pivot_mm=pivot_mm,
        blinks_seconds=_blinks(np.random.default_rng(next(names)), seconds + _MARGIN_SECONDS),
        table=np.stack(columns, axis=1),
        expressiveness=traits.expressiveness,
    )


def _smooth_noise(rng: np.random.Generator, tau_seconds: float, length: int) -> NDArray[np.float64]:
    """Gaussian-smoothed noise (length,) of unit variance; drawn in order, so prefixes agree."""
    sigma = tau_seconds * TABLE_HZ
    margin = math.ceil(4 * sigma)
    raw = rng.standard_normal(length + 2 * margin)
    smooth = gaussian_filter1d(raw, sigma)[margin : margin + length]
    return np.asarray(smooth * math.sqrt(2 * math.sqrt(math.pi) * sigma))


def _low_pass(latent: NDArray[np.float64], tau_seconds: float) -> NDArray[np.float64]:
    """First-order low-pass (N,), settled at the first value when the take begins."""
    keep = math.exp(-1 / (tau_seconds * TABLE_HZ))
    levels = accumulate(
        latent.tolist(),
        lambda level, value: (1 - keep) * value + keep * level,
        initial=float(latent[0]),
    )
    return np.array(list(levels)[1:])


def _blinks(rng: np.random.Generator, seconds: float) -> NDArray[np.float64]:
    """Middles (B,) of blinks up to `seconds` and one beyond."""
    times = [rng.uniform(0.5, _BLINK_SECONDS)]
    while times[-1] < seconds:
        times.append(times[-1] + _BLINK_SECONDS * rng.uniform(0.5, 1.5))
    return np.array(times)
