"""Faces of a few lines that show what they are told to, in color, depth and thermal. Numpy only.

Ours. Color shows both dimensions (mouth corners, mouth width and brow slope follow valence; mouth
and eyes open and brows rise with arousal), depth shows valence alone (cheeks), thermal arousal
alone (around the eyes it gets warmer, the nose tip colder, a little late). The zeros are exact:
whatever a network reads of arousal in depth, or of valence in thermal, is a leak.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Face", "Light", "draw_color", "draw_depth", "draw_thermal", "landmarks_of"]

_NEAR_MM: Final = 640.0
_FAR_MM: Final = 900.0
_DOME_MM: Final = 60.0
_NOSE_MM: Final = 18.0
_CHEEK_MM: Final = 14.0
_DEPTH_NOISE_MM: Final = 1.5
_HOLES: Final = 0.02

_SKIN_CENTIKELVIN: Final = 30_615.0
_ROOM_CENTIKELVIN: Final = 29_515.0
_FLUSH_CENTIKELVIN: Final = 150.0
_THERMAL_NOISE_CENTIKELVIN: Final = 8.0
_LATE_FRAMES: Final = 1.5
"""Time constant of blood flow."""

_EXPOSED_GREY: Final = 110.0
"""Mean of a picture after exposure, whatever the light: brightness gives nothing away."""

_EYE_Y: Final = -0.18
_EYE_WIDTH: Final = 0.13
_BROW_HALF: Final = 0.17
_LIP: Final = 0.05
"""Half thickness of a lip."""

_READ_NOISE: Final = 0.05
"""Of full scale, before exposure."""


@dataclass(frozen=True)
class Face:
    """What differs between people, and what their faces do."""

    arousal: NDArray[np.float64]
    """(T,), -1 to 1."""
    valence: NDArray[np.float64]
    """(T,), -1 to 1."""
    width: float
    """Half width of the face, as a share of half the picture."""
    eyes: float
    """Half the distance of the eyes, as a share of half the picture."""
    skin: tuple[float, float, float]
    """RGB, 0 to 1."""
    warmth_centikelvin: float
    """How much warmer than others; larger than what arousal does."""


@dataclass(frozen=True)
class Light:
    """How a session is lit and seen."""

    gain: float
    """Share of full scale that white reaches before exposure."""
    slope: tuple[float, float]
    """How much brighter the right and the lower edge is."""
    cast: tuple[float, float, float]
    """RGB factors of the white balance."""


def draw_color(
    face: Face, light: Light, size: int, random: np.random.Generator
) -> NDArray[np.uint8]:
    """Pictures (T, size, size, 3) of a face, noisy and exposed."""
    scene = _skin_and_strokes(face, size)
    x, y = _grid(size)
    shade = 1 + light.slope[0] * x + light.slope[1] * y
    lit = scene * (shade[..., None] * light.cast * light.gain)
    noisy = lit + random.normal(0, _READ_NOISE, lit.shape)
    return exposed(noisy)


def draw_depth(
    face: Face, size: int, random: np.random.Generator, *, is_flat: bool = False
) -> NDArray[np.uint16]:
    """Millimetres (T, size, size), 0 in holes; a flat face is a picture on a board."""
    x, y = _grid(size)
    head = _head(x, y, face.width)
    T = len(face.valence)
    relief = np.zeros((T, size, size))
    if not is_flat:
        dome = _DOME_MM * (1 - (x / face.width) ** 2 - (y / 0.95) ** 2)
        nose = _NOSE_MM * _spot(x, y, 0.0, 0.1, 0.14)
        cheeks = sum(_spot(x, y, side * 0.55 * face.width, 0.3, 0.2) for side in (-1, 1))
        relief = dome + nose + _CHEEK_MM * face.valence[:, None, None] * cheeks
    surface = np.where(head > 0.5, _NEAR_MM + _DOME_MM - relief, _FAR_MM)  # noqa: PLR2004 (inside)
    return measured(surface, random)


def draw_thermal(
    face: Face, size: int, random: np.random.Generator, *, is_cold: bool = False
) -> NDArray[np.uint16]:
    """Hundredths of kelvin (T, size, size); a cold face is as warm as the room."""
    x, y = _grid(size)
    head = _head(x, y, face.width)
    arousal = _late(face.arousal)[:, None, None]
    around_eyes = sum(_spot(x, y, side * face.eyes, -0.15, 0.18) for side in (-1, 1))
    change = _FLUSH_CENTIKELVIN * arousal * (around_eyes - _spot(x, y, 0.0, 0.12, 0.16))
    skin = _SKIN_CENTIKELVIN + face.warmth_centikelvin + change
    warm = np.full_like(change, _ROOM_CENTIKELVIN) if is_cold else skin
    scene = _ROOM_CENTIKELVIN + head * (warm - _ROOM_CENTIKELVIN)
    noisy = scene + random.normal(0, _THERMAL_NOISE_CENTIKELVIN, scene.shape)
    return np.rint(noisy).astype(np.uint16)


def landmarks_of(face: Face, size: int) -> NDArray[np.float64]:
    """Where the 68 points of a face are drawn (T, 68, 2), pixels x and y, in dlib's order."""
    T = len(face.valence)
    jaw = _ring(np.linspace(np.pi, 0, 17), (0.0, 0.0), face.width, np.full(T, 0.95))
    nose = np.zeros((T, 9, 2))
    nose[:, :4, 1] = np.linspace(-0.15, 0.1, 4)
    nose[:, 4:] = np.stack([np.linspace(-0.1, 0.1, 5), np.full(5, 0.17)], axis=1)
    sides = (-1, 1)
    brows = [_brow_points(face, side) for side in sides]
    angles = np.array([3, 4, 5, 0, 1, 2]) * np.pi / 3
    eye_height = _eye_height(face)
    eyes = [_ring(angles, (side * face.eyes, _EYE_Y), _EYE_WIDTH, eye_height) for side in sides]
    lips = [_lip_points(face, count, grown) for count, grown in ((7, _LIP), (5, 0.0))]
    places = np.concatenate([jaw, *brows, nose, *eyes, *lips], axis=1)  # (T, 68, 2)
    return np.asarray((places + 1) / 2 * size - 0.5)


def _ring(
    angles: NDArray[np.float64],
    centre: tuple[float, float],
    half_width: float,
    half_height: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Points (T, N, 2) of an ellipse whose height (T,) changes."""
    x = np.broadcast_to(centre[0] + half_width * np.cos(angles), (len(half_height), len(angles)))
    return np.stack([x, centre[1] + half_height[:, None] * np.sin(angles)], axis=2)


def _brow_points(face: Face, side: int) -> NDArray[np.float64]:
    """Points (T, 5, 2) along a brow."""
    along = np.linspace(-_BROW_HALF, _BROW_HALF, 5)
    x = np.broadcast_to(side * face.eyes + along, (len(face.valence), 5))
    return np.stack([x, _brow_y(face.arousal[:, None], face.valence[:, None], side, along)], axis=2)


def _lip_points(face: Face, count: int, grown: float) -> NDArray[np.float64]:
    """Points (T, 2 * count - 2, 2) around the mouth: its upper edge, and back along the lower."""
    mouth = _Mouth.of(face.arousal[:, None], face.valence[:, None])
    upper = np.linspace(-1, 1, count) * mouth.half  # (T, N)
    edges = [
        np.stack([x, mouth.middle(x) + side * (mouth.gap(x) + grown)], axis=2)
        for side, x in ((-1, upper), (1, upper[:, -2:0:-1]))
    ]
    return np.concatenate(edges, axis=1)


def exposed(scene: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Pictures (T, H, W, 3) brought to one mean grey and eight bits, frame by frame."""
    mean = np.abs(scene).mean((1, 2, 3), keepdims=True)
    grey = np.clip(np.rint(scene * (_EXPOSED_GREY / mean)), 0, 255)
    return np.asarray(grey, np.uint8)


def measured(surface: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.uint16]:
    """What a depth camera makes of surfaces in millimetres: noise, whole numbers, holes."""
    noisy = np.rint(surface + random.normal(0, _DEPTH_NOISE_MM, surface.shape))
    holes = random.random(surface.shape) < _HOLES
    return np.where(holes, 0, noisy).astype(np.uint16)


def _skin_and_strokes(face: Face, size: int) -> NDArray[np.float64]:
    """The face as it is, (T, size, size, 3), 0 to 1."""
    x, y = _grid(size)
    v, a = face.valence[:, None, None], face.arousal[:, None, None]
    ink = np.zeros((len(face.valence), size, size))
    for side in (-1, 1):
        along = x - side * face.eyes
        ink = np.maximum(
            ink, _oval(along, y - _EYE_Y, _EYE_WIDTH, _eye_height(face)[:, None, None])
        )
        brow = _brow_y(a, v, side, along)
        ink = np.maximum(ink, 0.8 * _stroke(y - brow, along, _BROW_HALF, 0.045))
    mouth = _Mouth.of(a, v)
    beside = np.maximum(np.abs(y - mouth.middle(x)) - mouth.gap(x), 0)
    ink = np.maximum(ink, _stroke(beside, x, mouth.half, _LIP))
    head = _head(x, y, face.width)
    skin = head[None, ..., None] * np.array(face.skin) + (1 - head[None, ..., None]) * 0.25
    return np.asarray(skin * (1 - 0.85 * (ink * head)[..., None]))


def _eye_height(face: Face) -> NDArray[np.float64]:
    """Half heights of the eyes (T,)."""
    return np.asarray(0.05 + 0.045 * face.arousal)


def _brow_y(
    a: NDArray[np.float64], v: NDArray[np.float64], side: int, along: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Heights of a brow at places beside the middle of its eye."""
    return np.asarray(-0.36 - 0.07 * a + 0.32 * v * side * along)


@dataclass(frozen=True)
class _Mouth:
    """Its shape, frame by frame; all broadcast with places across."""

    half: NDArray[np.float64]
    """Half width."""
    corner: NDArray[np.float64]
    """How high the corners are."""
    opening: NDArray[np.float64]
    """How far the lips are from the middle line, at the middle."""

    @classmethod
    def of(cls, arousal: NDArray[np.float64], valence: NDArray[np.float64]) -> _Mouth:
        return cls(0.3 + 0.07 * valence, 0.17 * valence, 0.03 + 0.06 * (arousal + 1))

    def middle(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Height of the line between the lips."""
        return np.asarray(0.5 + self.corner * (0.5 - (x / self.half) ** 2))

    def gap(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far each lip is from it."""
        return np.asarray(self.opening * np.clip(1 - (x / self.half) ** 2, 0, 1))


def _grid(size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places (size, size) across and down, -1 to 1."""
    edge = (np.arange(size) + 0.5) / size * 2 - 1
    x, y = np.meshgrid(edge, edge)
    return x, y


def _head(x: NDArray[np.float64], y: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """1 within the face, 0 outside, soft at its edge."""
    return _soft(1 - np.hypot(x / width, y / 0.95), 0.06)


def _spot(
    x: NDArray[np.float64], y: NDArray[np.float64], at_x: float, at_y: float, wide: float
) -> NDArray[np.float64]:
    return np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / (2 * wide**2))


def _oval(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    half_width: float,
    half_height: NDArray[np.float64],
) -> NDArray[np.float64]:
    return _soft(1 - np.hypot(x / half_width, y / half_height), 0.35)


def _stroke(
    off: NDArray[np.float64],
    along: NDArray[np.float64],
    half: NDArray[np.float64] | float,
    thick: float,
) -> NDArray[np.float64]:
    """Ink of a line: `off` it, and `along` it within a half length."""
    return np.asarray(np.exp(-((off / thick) ** 2)) * _soft(half - np.abs(along), 0.05))


def _soft(inside: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """0 where `inside` is below 0, 1 well above, with a soft edge."""
    return np.clip(inside / width + 0.5, 0, 1)


def _late(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """The signal (T,) behind a low-pass filter of first order, from its own start."""
    keep = np.exp(-1 / _LATE_FRAMES)
    late = np.empty_like(signal)
    state = signal[0]
    for at, value in enumerate(signal):
        state = keep * state + (1 - keep) * value
        late[at] = state
    return late
