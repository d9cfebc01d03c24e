"""Compiled inner loops of the sensors: noise on color, and the stereo depth camera.

Numba is needed to import this module, so its neighbours import it inside functions only.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BANK_SCALE", "add_blotches", "add_noise", "measure_depth"]

_F32 = np.float32

BANK_SCALE = 32
"""A noise bank's value for one standard deviation."""


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def add_noise(
    image: NDArray[np.uint8],
    gain: float,
    variance: NDArray[np.float32],
    noise: NDArray[np.int8],
) -> None:
    """Turns a perfect image (N,) into what a sensor reads in some light, in place.

    Args:
        image: Grey levels in full light.
        gain: Of the light.
        variance: (2,), of the noise in black, and what each grey level adds.
        noise: (N,), at `BANK_SCALE` a standard deviation.
    """
    light, black, per_level = _F32(gain), variance[0], variance[1]
    for i in range(image.shape[0]):
        level = _F32(image[i]) * light
        deviation = _F32(math.sqrt(black + per_level * level)) * _F32(1 / BANK_SCALE)
        level += deviation * _F32(noise[i]) + _F32(0.5)
        image[i] = np.uint8(min(max(level, _F32(0)), _F32(255)))


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def add_blotches(  # noqa: PLR0917 (numba has no keyword-only arguments)
    image: NDArray[np.uint8],
    gain: float,
    variance: NDArray[np.float32],
    noise: NDArray[np.int8],
    blotches: NDArray[np.int8],
    later_blotches: NDArray[np.int8],
    levels: NDArray[np.float32],
) -> None:
    """As `add_noise`, and two patterns (N,) of slow noise, of `levels` (2,) grey levels."""
    light, black, per_level = _F32(gain), variance[0], variance[1]
    going, coming = levels[0] * _F32(1 / BANK_SCALE), levels[1] * _F32(1 / BANK_SCALE)
    for i in range(image.shape[0]):
        level = _F32(image[i]) * light
        deviation = _F32(math.sqrt(black + per_level * level)) * _F32(1 / BANK_SCALE)
        level += deviation * _F32(noise[i]) + _F32(0.5)
        level += going * _F32(blotches[i]) + coming * _F32(later_blotches[i])
        image[i] = np.uint8(min(max(level, _F32(0)), _F32(255)))


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def measure_depth(  # noqa: PLR0917 (numba has no keyword-only arguments)
    depth_mm: NDArray[np.float32],
    focal_baseline: float,
    noise: NDArray[np.float32],
    steps_per_pixel: float,
    edge_mm: float,
    counts_per_mm: float,
    counts: NDArray[np.uint16],
) -> None:
    """Writes what a stereo camera makes of a true depth (H, W) to `counts`; 0 is no depth.

    The disparity d = f B / Z gets noise and is rounded to a fraction of a pixel. What the second
    eye cannot see is missing, and so are pixels beside a step in depth.

    Args:
        depth_mm: (H, W), true depth.
        focal_baseline: f B in pixels times millimetres.
        noise: (H, W) of the disparity, in pixels.
        steps_per_pixel: Of the disparity's rounding.
        edge_mm: The smallest step between neighbours that makes a hole.
        counts_per_mm: Unit of the counts.
        counts: (H, W), written.
    """
    height, width = depth_mm.shape
    disparity = np.empty(width, np.float32)
    is_seen = np.empty(width, np.float32)
    product, steps = _F32(focal_baseline), _F32(steps_per_pixel)
    numerator = _F32(focal_baseline * counts_per_mm * steps_per_pixel)
    for y in range(height):
        for x in range(width):
            disparity[x] = product / depth_mm[y, x]
        _find_seen(disparity, is_seen)
        _leave_edges_out(depth_mm, y, _F32(edge_mm), is_seen)
        for x in range(width):
            stepped = np.int32((disparity[x] + noise[y, x]) * steps + _F32(0.5))
            count = min(numerator / max(_F32(stepped), _F32(1)) + _F32(0.5), _F32(65535))
            counts[y, x] = np.uint16(np.int32(count * is_seen[x]))


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _find_seen(disparity: NDArray[np.float32], is_seen: NDArray[np.float32]) -> None:
    """Writes 1 for the pixels (W,) of a row that the second eye sees, 0 for the others.

    From right to left, a pixel is hidden when something nearer covers its place x - d already.
    """
    reached = _F32(1e9)
    for x in range(disparity.shape[0] - 1, -1, -1):
        place = _F32(x) - disparity[x]
        is_seen[x] = _F32(1) if place < reached - _F32(0.25) else _F32(0)
        reached = min(reached, place)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _leave_edges_out(
    depth_mm: NDArray[np.float32], y: int, edge_mm: float, is_seen: NDArray[np.float32]
) -> None:
    """Clears `is_seen` (W,) where a neighbour's depth differs by more than `edge_mm`."""
    height, width = depth_mm.shape
    row, above, below = depth_mm[y], depth_mm[max(y - 1, 0)], depth_mm[min(y + 1, height - 1)]
    for x in range(width):
        step = max(abs(above[x] - row[x]), abs(below[x] - row[x]))
        is_seen[x] = is_seen[x] if step <= edge_mm else _F32(0)
    for x in range(1, width):
        is_seen[x] = is_seen[x] if abs(row[x - 1] - row[x]) <= edge_mm else _F32(0)
    for x in range(width - 1):
        is_seen[x] = is_seen[x] if abs(row[x + 1] - row[x]) <= edge_mm else _F32(0)
