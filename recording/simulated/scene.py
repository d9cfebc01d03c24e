"""The room behind the subject: a wall and a cabinet, seen by any camera.

Nothing in it moves, so each camera needs it only once; the last few rooms are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from mavfer.vision.geometry import CameraModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Room", "see_room"]

_WALL_MM: Final = 1600.0
_WALL_CELSIUS: Final = 22.5
_CABINET_LOW_MM: Final = np.array([230.0, 60.0, 1250.0])
_CABINET_HIGH_MM: Final = np.array([900.0, 1200.0, 1600.0])
_CABINET_CELSIUS: Final = 23.4
_PAINT: Final = np.array([172.0, 170.0, 160.0])
_WOOD: Final = np.array([118.0, 88.0, 62.0])
_PLASTER_SEED: Final = 20200101
_PLASTER_MM: Final = 8.0
"""Size of one sample of the wall's mottling."""
_PLASTER_LEVELS: Final = 5.0
_ROOMS_KEPT: Final = 4
"""One a stream, and one more; a room of 1280x720 pixels takes 10 MB."""


@dataclass(frozen=True)
class Room:
    """The empty room through one lens."""

    color: NDArray[np.uint8]
    """(H, W, 3)"""
    depth_mm: NDArray[np.float32]
    """(H, W) along the camera's own axis."""
    celsius: NDArray[np.float32]
    """(H, W)"""


def see_room(camera: CameraModel) -> Room:
    """The empty room as `camera` sees it, by one ray a pixel. Its images cannot be written to."""
    arrays = camera.matrix, camera.distortion, camera.camera_from_color
    numbers = (np.asarray(array, dtype=np.float64).tobytes() for array in arrays)
    return _seen(camera.width, camera.height, *numbers)


@lru_cache(maxsize=_ROOMS_KEPT)
def _seen(width: int, height: int, matrix: bytes, distortion: bytes, place: bytes) -> Room:
    """The room through the lens that these numbers describe."""
    camera = CameraModel(
        width, height, np.frombuffer(matrix).reshape(3, 3), np.frombuffer(distortion),
        np.frombuffer(place).reshape(4, 4),
    )  # fmt: skip
    origin, directions = _rays(camera)
    to_wall = (_WALL_MM - origin[2]) / directions[:, 2]
    to_cabinet, side = _hit_box(origin, directions)
    is_cabinet = to_cabinet < to_wall
    distance = np.where(is_cabinet, to_cabinet, to_wall)
    points = origin + directions * distance[:, None]  # (H*W, 3) in the color camera's frame
    color = np.empty_like(points)
    color[is_cabinet] = _cabinet_color(points[is_cabinet], side[is_cabinet])
    color[~is_cabinet] = _wall_color(points[~is_cabinet])
    shape = height, width
    # Directions are scaled to 1 along the camera's own axis, so the distance is the depth.
    images = (
        np.clip(color, 0, 255).astype(np.uint8).reshape(*shape, 3),
        distance.astype(np.float32).reshape(shape),
        _temperature(points, is_cabinet).astype(np.float32).reshape(shape),
    )
    for image in images:
        image.flags.writeable = False
    return Room(*images)


def _rays(camera: CameraModel) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The camera's centre (3,) and a direction (H*W, 3) a pixel, in the color camera's frame."""
    x, y = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    pixels = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float64)
    own = np.concatenate([camera.rays(pixels), np.ones((len(pixels), 1))], axis=1)
    rotation, translation = camera.camera_from_color[:3, :3], camera.camera_from_color[:3, 3]
    return -rotation.T @ translation, own @ rotation


def _hit_box(
    origin: NDArray[np.float64], directions: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """How far each ray (N, 3) goes to the cabinet, inf where it misses, and the axis it hits.

    Source: Kay and Kajiya 1986, SIGGRAPH, the slab method.
    """
    first = np.full(len(directions), -np.inf)
    last, side = -first, np.zeros(len(directions), dtype=np.int64)
    for axis in range(3):
        along = directions[:, axis]
        safe = np.where(abs(along) < 1e-12, 1e-12, along)  # noqa: PLR2004 (no division by 0)
        one = (_CABINET_LOW_MM[axis] - origin[axis]) / safe
        other = (_CABINET_HIGH_MM[axis] - origin[axis]) / safe
        enters = np.minimum(one, other)
        side[enters > first] = axis
        first, last = np.maximum(first, enters), np.minimum(last, np.maximum(one, other))
    return np.where((first < last) & (first > 0), first, np.inf), side


def _wall_color(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mottled paint (N, 3), lighter towards the window on the left."""
    x, y = points[:, 0], points[:, 1]
    light = 1.0 - 0.00016 * x - 0.00012 * y
    places = np.stack([y, x]) / _PLASTER_MM
    mottling = map_coordinates(_plaster(), places, order=1, mode="grid-wrap")
    return light[:, None] * (_PAINT + _PLASTER_LEVELS * mottling[:, None])


@lru_cache(maxsize=1)
def _plaster() -> NDArray[np.float64]:
    """The wall's mottling, which repeats itself, with a standard deviation of 1."""
    rng = np.random.default_rng(_PLASTER_SEED)
    plaster = gaussian_filter(rng.standard_normal((400, 400)), 2, mode="wrap")
    plaster += 0.6 * gaussian_filter(rng.standard_normal((400, 400)), 9, mode="wrap") * 5
    plaster /= plaster.std()
    return plaster


def _cabinet_color(points: NDArray[np.float64], side: NDArray[np.int64]) -> NDArray[np.float64]:
    """Wood (N, 3): a light top, a front with grain and doors, a darker side."""
    x, y = points[:, 0], points[:, 1]
    grain = 1 + 0.05 * np.sin(y / 3.1 + 1.7 * np.sin(x / 90)) + 0.03 * np.sin(y / 0.9 + x / 40)
    gap = abs((x - _CABINET_LOW_MM[0]) % 330 - 4) < 3  # noqa: PLR2004 (millimetres between doors)
    brightness = np.choose(side, [0.62, 1.3, np.where(gap, 0.5, 1.0)])
    return np.asarray(_WOOD * (grain * brightness)[:, None])


def _temperature(points: NDArray[np.float64], is_cabinet: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Degrees Celsius (N,): the wall is a little warmer above, the cabinet warmer still."""
    wall = _WALL_CELSIUS - 0.0004 * points[:, 1]
    return np.where(is_cabinet, _CABINET_CELSIUS, wall)
