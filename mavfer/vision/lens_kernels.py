"""A lens in compiled code; imported only where numba is installed.

A lens is nine numbers: fx, fy, cx, cy, k1, k2, p1, p2, k3. The same functions serve float32 and
float64: they compute in what they are given.
"""
# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SAFE", "crop_ray", "crop_rays", "distort", "move", "turned_rays", "unproject"]

SAFE: Final = {"contract", "arcp", "nsz", "reassoc"}
"""What of fast arithmetic leaves infinities and NaN alone, for `fastmath`."""
_ONE: Final = np.float32(1)
_TWO: Final = np.float32(2)
"""Of single precision, so that they do not lift what they are multiplied with to double."""
_ITERATIONS: Final = 20
_TOLERANCE: Final = 1e-9
_BEYOND_RIM: Final = 0.25
"""A lens model means nothing far outside the picture it was fitted on: a quarter of its size beyond
the rim the rays stay what they are there."""


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def distort(lens: NDArray[Any], u: Any, v: Any) -> tuple[Any, Any]:
    """Distorted normalised coordinates of ideal ones (Brown-Conrady)."""
    r2 = u * u + v * v
    radial = _ONE + r2 * (lens[4] + r2 * (lens[5] + r2 * lens[8]))
    uv = _TWO * u * v
    return (
        u * radial + lens[6] * uv + lens[7] * (r2 + _TWO * u * u),
        v * radial + lens[6] * (r2 + _TWO * v * v) + lens[7] * uv,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def unproject(lens: NDArray[np.float64], x: float, y: float) -> tuple[Any, Any]:
    """Ideal normalised coordinates of what is seen at a pixel, by fixed-point iteration."""
    target_u, target_v = (x - lens[2]) / lens[0], (y - lens[3]) / lens[1]
    u, v = target_u, target_v
    for _ in range(_ITERATIONS):
        bent_u, bent_v = distort(lens, u, v)
        step_u, step_v = target_u - bent_u, target_v - bent_v
        u, v = u + step_u, v + step_v
        if abs(step_u) + abs(step_v) < _TOLERANCE:
            break
    return u, v


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def move(motion: NDArray[Any], x: Any, y: Any, z: Any) -> tuple[Any, Any, Any]:
    """A point in another camera's frame, by a motion (3, 4)."""
    return (
        motion[0, 0] * x + motion[0, 1] * y + motion[0, 2] * z + motion[0, 3],
        motion[1, 0] * x + motion[1, 1] * y + motion[1, 2] * z + motion[1, 3],
        motion[2, 0] * x + motion[2, 1] * y + motion[2, 2] * z + motion[2, 3],
    )


@njit(cache=True, nogil=True, error_model="numpy")
def turned_rays(
    lens: NDArray[np.float64],
    rotation: NDArray[np.float64],
    corner: tuple[int, int],
    turned: NDArray[np.float32],
) -> None:
    """Writes the rays (x/z, y/z, 1) of a window's pixels, turned into another frame: (3, h, w)."""
    for row in range(turned.shape[1]):
        for column in range(turned.shape[2]):
            u, v = unproject(lens, column + corner[1], row + corner[0])
            for axis in range(3):
                turned[axis, row, column] = (
                    rotation[axis, 0] * u + rotation[axis, 1] * v + rotation[axis, 2]
                )


@njit(cache=True, nogil=True, error_model="numpy")
def crop_ray(
    lens: NDArray[np.float64],
    size: tuple[int, int],
    frame_from_crop: NDArray[np.float64],
    x: float,
    y: float,
) -> Any:
    """Ray (x/z, y/z) of the color camera at a point of the crop; `size` is height and width."""
    column = frame_from_crop[0, 0] * x + frame_from_crop[0, 1] * y + frame_from_crop[0, 2]
    row = frame_from_crop[1, 0] * x + frame_from_crop[1, 1] * y + frame_from_crop[1, 2]
    column = min(max(column, -_BEYOND_RIM * size[1]), (1 + _BEYOND_RIM) * size[1])
    row = min(max(row, -_BEYOND_RIM * size[0]), (1 + _BEYOND_RIM) * size[0])
    return unproject(lens, column, row)


@njit(cache=True, nogil=True, error_model="numpy")
def crop_rays(
    lens: NDArray[np.float64],
    size: tuple[int, int],
    frame_from_crop: NDArray[np.float64],
    rotation: NDArray[np.float64],
    cell: int,
    grid: NDArray[np.float32],
) -> None:
    """Writes the color camera's rays at every `cell`-th pixel of the crop, turned: (3, h, w)."""
    for row in range(grid.shape[1]):
        for column in range(grid.shape[2]):
            u, v = crop_ray(lens, size, frame_from_crop, column * cell, row * cell)
            for axis in range(3):
                grid[axis, row, column] = (
                    rotation[axis, 0] * u + rotation[axis, 1] * v + rotation[axis, 2]
                )
