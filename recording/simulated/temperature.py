"""Skin temperature over the face, and how arousal, valence and breath change it.

The places and amounts are ours, in the direction that thermal studies report: a colder nose and
warmer inner eye corners under arousal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.interpolate import RegularGridInterpolator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recording.simulated.head import Head
    from recording.simulated.photo import Portrait

__all__ = ["SkinTemperature", "build_temperature", "inner_temperature"]

_CLOTHES_CELSIUS: Final = 27.0
_MOUTH_CELSIUS: Final = 36.3
_EYEBALL_CELSIUS: Final = 33.9
_FACE_CENTRE: Final = (225.0, 122.0)
_FACE_AXES: Final = (42.0, 44.0)

# x, y, standard deviation in pixels of the photograph, degrees Celsius.
_RESTING: Final = (
    (214.0, 103.0, 4.0, 0.9), (236.0, 104.5, 4.0, 0.9),  # inner eye corners
    (225.0, 126.0, 9.0, -1.6),  # nose
    (199.0, 126.0, 11.0, -0.7), (251.0, 126.0, 11.0, -0.7),  # cheeks
    (221.0, 170.0, 9.0, -0.6),  # chin
    (201.0, 89.0, 7.0, -0.9), (248.0, 91.5, 7.0, -0.9),  # brows
    (222.0, 147.0, 12.0, 0.5),  # lips
    (225.0, 133.5, 4.0, -0.5),  # nostrils
)  # fmt: skip
_AROUSAL: Final = (
    (214.0, 103.0, 5.0, 0.35), (236.0, 104.5, 5.0, 0.35), (225.0, 126.0, 9.0, -0.9),
)  # fmt: skip
_VALENCE: Final = ((199.0, 126.0, 11.0, 0.45), (251.0, 126.0, 11.0, 0.45))
_BREATH: Final = ((225.0, 133.5, 4.0, 0.35),)


class SkinTemperature:
    """Temperatures of the vertices of a head."""

    def __init__(self, resting: NDArray[np.float64], changes: NDArray[np.float64]) -> None:
        self._resting = resting
        self._changes = changes  # (3, V) for one unit of arousal, valence, breath

    def at(self, arousal: float, valence: float, breath: float) -> NDArray[np.float32]:
        """Degrees Celsius (V,) for a skin response and a phase of breathing, each in [-1, 1]."""
        change = np.array([arousal, valence, breath]) @ self._changes
        return np.asarray(self._resting + change, np.float32)


def build_temperature(head: Head, portrait: Portrait, skin_celsius: float) -> SkinTemperature:
    """The temperatures of a subject whose bare skin has `skin_celsius`."""
    skin = _at_vertices(head, portrait.skin)
    warm = skin_celsius + _bumps(head.positions, _RESTING)
    changes = [_bumps(head.positions, table) for table in (_AROUSAL, _VALENCE, _BREATH)]
    return SkinTemperature(
        _CLOTHES_CELSIUS + skin * (warm - _CLOTHES_CELSIUS), np.stack(changes) * skin
    )


def inner_temperature(head: Head) -> NDArray[np.float32]:
    """Degrees Celsius (U,) of the layer behind lips and lids."""
    return np.where(head.is_mouth, _MOUTH_CELSIUS, _EYEBALL_CELSIUS).astype(np.float32)


def _at_vertices(head: Head, share: NDArray[np.float32]) -> NDArray[np.float64]:
    """Values (V,) of a texture (h, w) at the vertices; brows, lids and lips count as skin."""
    axes = tuple(np.arange(size) for size in share.shape)
    values = RegularGridInterpolator(axes, share)(head.texels[:, ::-1].astype(np.float64))
    distance = np.hypot(*((head.positions - _FACE_CENTRE) / _FACE_AXES).T)
    return np.asarray(np.maximum(values, np.clip((1.1 - distance) / 0.2, 0, 1)))


def _bumps(
    positions: NDArray[np.float64], table: tuple[tuple[float, float, float, float], ...]
) -> NDArray[np.float64]:
    """Sum (V,) of Gaussian bumps at photo positions (V, 2)."""
    total = np.zeros(len(positions))
    for x, y, sigma, celsius in table:
        squared = ((positions - (x, y)) ** 2).sum(axis=1)
        total += celsius * np.exp(-0.5 * squared / sigma**2)
    return total
