"""Simulated subjects: one photograph, made into many faces by a seed.

They differ in shape, colors, expressiveness and temperature. They are one photograph, so nothing
about skin tone or identity may be concluded from them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.errors import require
from recording.simulated.expression import FIELDS, displacement_fields
from recording.simulated.head import PIVOT_MM, Head, build_head, turn_weight
from recording.simulated.photo import LANDMARKS, Portrait, prepare_portrait

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Subject", "Traits", "build_subject", "draw_traits", "seed_from"]

_CLOTHES_TONES: Final = np.array(
    [
        (1.0, 1.0, 1.0), (0.45, 0.8, 2.6), (0.5, 1.5, 1.2), (0.75, 0.75, 2.0), (0.9, 0.35, 0.8),
        (0.55, 1.1, 0.9), (0.35, 0.6, 1.2),
    ]
)  # fmt: skip
"""Gains of red, green and blue that turn the orange suit into other clothes."""
_MOTTLING: Final = 0.02
_DARKEST_SKIN: Final = 0.5
"""Below about half, dimming this photograph makes a face that detectors miss when it frowns."""


@dataclass(frozen=True)
class Traits:
    """What sets a subject apart; all lengths are relative to the photographed face."""

    width: float
    height: float
    size: float
    jaw: float
    """Relative widening below the mouth."""
    chin_mm: float
    nose_mm: float
    eye_spacing: float
    expressiveness: float
    resting: tuple[float, ...]
    """Weights of the six fields at rest, beside those that the latents ask for."""
    skin_gain: float
    hair_gain: float
    clothes: tuple[float, float, float]
    skin_celsius: float


@dataclass(frozen=True)
class Subject:
    """A face ready to be drawn; arrays are not to be written to."""

    traits: Traits
    head: Head
    points_mm: NDArray[np.float32]
    """(V, 3) vertices in the head's frame, without expression."""
    fields_mm: NDArray[np.float32]
    """(6, V, 3) what each field adds at weight 1."""
    landmarks_mm: NDArray[np.float64]
    """(68, 3) landmarks in the head's frame, without expression."""
    landmark_fields_mm: NDArray[np.float64]
    """(6, 68, 3)"""
    landmark_turn: NDArray[np.float64]
    """(68,)"""
    texture: NDArray[np.uint8]
    """(h, w, 4) color and opacity."""
    inner_texture: NDArray[np.uint8]
    """(h, w, 4) what is behind lips and lids."""
    pivot_mm: NDArray[np.float64]
    """(3,) around which the head turns, in the head's frame."""


def seed_from(*parts: object) -> np.random.SeedSequence:
    """A seed that depends on every part, the same on every machine."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return np.random.SeedSequence(np.frombuffer(digest, np.uint32).tolist())


def draw_traits(seed: int, subject_code: str) -> Traits:
    """The traits of a subject code under a seed."""
    rng = np.random.default_rng(seed_from("subject", seed, subject_code))
    return Traits(
        width=rng.uniform(0.92, 1.08),
        height=rng.uniform(0.94, 1.06),
        size=rng.uniform(0.93, 1.07),
        jaw=rng.uniform(-0.08, 0.08),
        chin_mm=rng.uniform(-5, 5),
        nose_mm=rng.uniform(-4, 4),
        eye_spacing=rng.uniform(-0.05, 0.05),
        expressiveness=rng.uniform(0.8, 1.15),
        resting=tuple(rng.uniform(-0.09, 0.09, len(FIELDS)) * rng.uniform(0.4, 1)),
        skin_gain=rng.uniform(_DARKEST_SKIN, 1) if rng.random() < 0.5 else rng.uniform(0.8, 1),  # noqa: PLR2004 (half)
        hair_gain=rng.uniform(0.35, 1.15),
        clothes=tuple(_CLOTHES_TONES[rng.integers(len(_CLOTHES_TONES))].tolist()),
        skin_celsius=34 + rng.uniform(-0.6, 0.6),
    )


@lru_cache(maxsize=4)
def build_subject(seed: int, subject_code: str) -> Subject:
    """The subject of a code under a seed, the same each time."""
    traits, head, portrait = draw_traits(seed, subject_code), build_head(), prepare_portrait()
    landmark_turn = turn_weight(LANDMARKS)
    scale = traits.size * np.array([traits.width, traits.height, 1.0])
    fields = displacement_fields(head.positions) * scale
    rng = np.random.default_rng(seed_from("texture", seed, subject_code))
    inner = np.full((*portrait.opacity.shape, 1), 255, np.uint8)
    return Subject(
        traits=traits,
        head=head,
        points_mm=_reshape(traits, head.points_mm, head.turn).astype(np.float32),
        fields_mm=fields.astype(np.float32),
        landmarks_mm=_reshape(traits, head.landmarks_mm, landmark_turn),
        landmark_fields_mm=displacement_fields(LANDMARKS) * scale,
        landmark_turn=landmark_turn,
        texture=_color(traits, portrait, rng),
        inner_texture=np.concatenate([portrait.inner_color, inner], axis=2),
        pivot_mm=PIVOT_MM * traits.size,
    )


def _reshape(
    traits: Traits, points: NDArray[np.float64], turn: NDArray[np.float64] | NDArray[np.float32]
) -> NDArray[np.float64]:
    """Points (N, 3) of the common head moved to where this subject has them."""
    x, y, z = points.T
    below_mouth = np.clip((y - 5) / 50, 0, 1)
    eyes = np.exp(-0.5 * (((y + 37) / 14) ** 2 + (np.maximum(abs(x) - 32, 0) / 14) ** 2))
    nose = np.exp(-0.5 * ((x / 11) ** 2 + ((y + 6) / 16) ** 2))
    warped = np.stack(
        [
            x * (1 + traits.jaw * below_mouth + traits.eye_spacing * eyes),
            y + traits.chin_mm * below_mouth,
            z - traits.nose_mm * nose,
        ],
        axis=1,
    )
    scaled = warped * (traits.size * np.array([traits.width, traits.height, 1.0]))
    return points + (scaled - points) * turn[:, None]


def _color(traits: Traits, portrait: Portrait, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The portrait's texture (h, w, 4) in the subject's colors."""
    skin_gain = traits.skin_gain ** np.array([0.85, 1.0, 1.12])  # darker skin is warmer
    gains = np.ones_like(portrait.color)
    for share, gain in (
        (portrait.skin, skin_gain),
        (portrait.hair, np.full(3, traits.hair_gain)),
        (portrait.clothes, np.array(traits.clothes)),
    ):
        gains += share[..., None] * (gain - 1).astype(np.float32)
    coarse = rng.standard_normal((50, 52)).astype(np.float32)
    height, width = portrait.opacity.shape
    mottling = require("cv2", "record").resize(coarse, (width, height), interpolation=2)
    color = portrait.color * gains * (1 + _MOTTLING * mottling[..., None])
    return np.concatenate(
        [np.clip(color, 0, 255).astype(np.uint8), portrait.opacity[..., None]], axis=2
    )
