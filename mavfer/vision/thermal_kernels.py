"""Inner loops of the registration of temperature; imported only where numba is installed.

Depth 0 means none. All coordinates have pixel centres at integers. Results are written to arrays
that the caller brings, and all arrays are contiguous.
"""
# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from mavfer.vision.lens_kernels import SAFE, distort
from mavfer.vision.registration_kernels import INTERPOLATED, MEASURED, OCCLUDED

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "fill_gaps",
    "keep_nearest",
    "least_around",
    "look_up",
    "see_surface",
    "seen_limits",
]

_ENOUGH_WEIGHT: Final = np.float32(0.5)
_ZERO: Final = np.float32(0)
_HALF: Final = np.float32(0.5)
_ONE: Final = np.float32(1)
_NOWHERE: Final = np.float32(1e9)


@njit(cache=True, nogil=True, error_model="numpy")
def fill_gaps(
    depth: NDArray[np.float32], is_filled: NDArray[np.bool_], longest: int, step_mm: float
) -> None:
    """Bridges short gaps of the depth along rows, then columns, and marks where that was done.

    A gap is bridged where both its ends lie on one surface: at most `step_mm` apart.
    """
    height, width = depth.shape
    line, filled_line = depth.reshape(-1), is_filled.reshape(-1)
    across, down = 1, width
    for row in range(height):
        _bridge_line(line, filled_line, row * down, across, width, longest, step_mm)
    for column in range(width):
        _bridge_line(line, filled_line, column * across, down, height, longest, step_mm)


@njit(cache=True, nogil=True, error_model="numpy")
def _bridge_line(
    depth: NDArray[np.float32],
    is_filled: NDArray[np.bool_],
    start: int,
    stride: int,
    count: int,
    longest: int,
    step_mm: float,
) -> None:
    """Bridges the short gaps of one row or column of an image that lies in one line."""
    end = start + stride * count
    last = -1
    for index in range(start, end, stride):
        if depth[index] <= 0:
            continue
        is_gap = last >= 0 and stride < index - last <= (longest + 1) * stride
        if is_gap and abs(depth[index] - depth[last]) <= step_mm:
            for inner in range(last + stride, index, stride):
                share = (inner - last) / (index - last)
                depth[inner] = (1 - share) * depth[last] + share * depth[index]
                is_filled[inner] = True
        last = index


@njit(cache=True, nogil=True, error_model="numpy", fastmath=SAFE)
def _ray_line(
    grid: NDArray[np.float32], cell: int, row: int, between: NDArray[np.float32], line: Any
) -> None:
    """Writes the rays (3, W) of one row of the crop, from those (3, h, w) at every cell's corner.

    A lens bends so little within one cell that straight lines between are within 0.02 px.
    """
    corner = row // cell
    down = np.float32(row - corner * cell) / np.float32(cell)
    for axis in range(3):
        upper, lower = grid[axis, corner], grid[axis, corner + 1]
        for column in range(len(upper) - 1):
            start = upper[column] + down * (lower[column] - upper[column])
            end = upper[column + 1] + down * (lower[column + 1] - upper[column + 1])
            first = column * cell
            part = line[axis, first : first + cell]
            for index in range(len(part)):
                part[index] = start + between[index] * (end - start)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=SAFE)
def see_surface(
    depth: NDArray[np.float32],
    grid: NDArray[np.float32],
    cell: int,
    shift: NDArray[np.float32],
    lens: NDArray[np.float32],
    size: tuple[int, int],
    seen: NDArray[np.float32],
) -> None:
    """Writes where a camera sees the crop's pixels: (3, H, W) x, y, mm.

    Zeros are written where there is no depth or the point is outside the camera's picture.

    Args:
        depth: (H, W) mm along the color camera's axis, 0 = none.
        grid: (3, h, w) the color camera's rays at every `cell`-th pixel of the crop, turned into
            the other camera's frame; from the crop's first pixel to beyond its last.
        cell: Pixels of the crop from one of them to the next.
        shift: (3,) mm, the color camera's place in the other camera's frame.
        lens: The other camera's.
        size: Height and width of its picture.
        seen: Where the result goes.
    """
    width = depth.shape[1]
    line = np.empty((3, cell * (grid.shape[2] - 1)), np.float32)
    between = np.arange(cell).astype(np.float32) / np.float32(cell)
    last_x, last_y = np.float32(size[1] - 1), np.float32(size[0] - 1)
    for row in range(depth.shape[0]):
        _ray_line(grid, cell, row, between, line)
        ray_x, ray_y, ray_z = line[0], line[1], line[2]
        to_x, to_y, to_z, from_z = seen[0, row], seen[1, row], seen[2, row], depth[row]
        for column in range(width):
            z = from_z[column]
            own_z = z * ray_z[column] + shift[2]
            inverse = _ONE / own_z
            bent_u, bent_v = distort(
                lens,
                (z * ray_x[column] + shift[0]) * inverse,
                (z * ray_y[column] + shift[1]) * inverse,
            )
            x, y = lens[0] * bent_u + lens[2], lens[1] * bent_v + lens[3]
            is_seen = (z > 0) & (own_z > 0)
            is_seen &= (x >= 0) & (x <= last_x) & (y >= 0) & (y <= last_y)
            to_x[column] = x if is_seen else _ZERO
            to_y[column] = y if is_seen else _ZERO
            to_z[column] = own_z if is_seen else _ZERO


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def seen_limits(seen: NDArray[np.float32]) -> tuple[Any, Any, Any, Any]:
    """Lowest and highest row, then column, at which `see_surface` saw anything.

    The lowest is above the highest where it saw nothing.
    """
    top = left = _NOWHERE
    bottom = right = -_NOWHERE
    for row in range(seen.shape[1]):
        x, y, z = seen[0, row], seen[1, row], seen[2, row]
        for column in range(seen.shape[2]):
            is_seen = z[column] > 0
            top, bottom = (
                min(top, y[column] if is_seen else _NOWHERE),
                max(bottom, y[column] if is_seen else -_NOWHERE),
            )
            left, right = (
                min(left, x[column] if is_seen else _NOWHERE),
                max(right, x[column] if is_seen else -_NOWHERE),
            )
    return top, bottom, left, right


@njit(cache=True, nogil=True, error_model="numpy")
def keep_nearest(
    seen: NDArray[np.float32], corner: tuple[int, int], nearest: NDArray[np.float32]
) -> None:
    """Keeps the nearest of what `see_surface` saw at each pixel of the box that begins at `corner`.

    `nearest` (h, w) comes full of infinity.
    """
    top, left = np.float32(corner[0]) - _HALF, np.float32(corner[1]) - _HALF
    for row in range(seen.shape[1]):
        for column in range(seen.shape[2]):
            z = seen[2, row, column]
            if z > 0:
                y, x = np.uint64(seen[1, row, column] - top), np.uint64(seen[0, row, column] - left)
                nearest[y, x] = min(nearest[y, x], z)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=SAFE)
def least_around(
    thermal: NDArray[np.uint16],
    corner: tuple[int, int],
    nearest: NDArray[np.float32],
    least: NDArray[np.float32],
) -> None:
    """Writes the nearest of each pixel of the box and those right of and below it, (h, w).

    It is 0 where one of them has no temperature. The last row and column are left as they come.
    """
    height, width = nearest.shape
    for row in range(height - 1):
        y, x = row + corner[0], corner[1]
        upper, lower = thermal[y, x : x + width], thermal[y + 1, x : x + width]
        above, below, to = nearest[row], nearest[row + 1], least[row]
        for column in range(width - 1):
            is_warm = (upper[column] > 0) & (upper[column + 1] > 0)
            is_warm &= (lower[column] > 0) & (lower[column + 1] > 0)
            front = min(above[column], above[column + 1], below[column], below[column + 1])
            to[column] = front if is_warm else _ZERO


@njit(cache=True, nogil=True, error_model="numpy", fastmath=SAFE)
def look_up(
    thermal: NDArray[np.uint16],
    seen: NDArray[np.float32],
    corner: tuple[int, int],
    nearest: NDArray[np.float32],
    least: NDArray[np.float32],
    is_filled: NDArray[np.bool_],
    tolerance_mm: np.float32,
    tolerance_share: np.float32,
    crop: NDArray[np.uint16],
    mask: NDArray[np.uint8],
) -> None:
    """Writes temperatures of the crop's pixels where the thermal camera sees them, and mask.

    `seen` is that of `see_surface`; `nearest` and `least`, those of `keep_nearest` and
    `least_around`, are of the box at `corner`; `crop` and `mask` come filled with 0.
    """
    last_row, last_column = np.uint64(thermal.shape[0] - 2), np.uint64(thermal.shape[1] - 2)
    top, left, next_to = np.uint64(corner[0]), np.uint64(corner[1]), np.uint64(1)
    for row in range(crop.shape[0]):
        x, y, mm = seen[0, row], seen[1, row], seen[2, row]
        for column in range(crop.shape[1]):
            u, v, z = x[column], y[column], mm[column]
            if z <= 0:
                continue
            front = z - max(tolerance_mm, tolerance_share * z)
            i, j = min(np.uint64(v), last_row), min(np.uint64(u), last_column)
            s, t = u - np.float32(j), v - np.float32(i)
            if least[i - top, j - left] >= front:
                start, end = np.float32(thermal[i, j]), np.float32(thermal[i, j + next_to])
                above = start + s * (end - start)
                i += next_to
                start, end = np.float32(thermal[i, j]), np.float32(thermal[i, j + next_to])
                below = start + s * (end - start)
                value, is_hidden = above + t * (below - above), False
            else:
                value, is_hidden = _look_behind(thermal, corner, nearest, front, i, j, s, t)
            if value > 0:
                crop[row, column] = np.uint16(np.int32(value + _HALF))
                mask[row, column] = INTERPOLATED if is_filled[row, column] else MEASURED
            elif is_hidden:
                mask[row, column] = OCCLUDED


@njit(cache=True, nogil=True, error_model="numpy", fastmath=SAFE)
def _look_behind(
    thermal: NDArray[np.uint16],
    corner: tuple[int, int],
    nearest: NDArray[np.float32],
    front: Any,
    row: Any,
    column: Any,
    s: Any,
    t: Any,
) -> tuple[Any, bool]:
    """Value between four pixels of which some do not count, and True where something hides it.

    Pixels that are 0, or show something nearer than `front`, do not count; the value is 0 where
    most of them do not, or the nearest pixel shows something nearer.
    """
    row, column = np.int64(row), np.int64(column)
    own_row, own_column = row - corner[0], column - corner[1]
    if nearest[own_row + np.int64(t + _HALF), own_column + np.int64(s + _HALF)] < front:
        return _ZERO, True
    total, weights = _ZERO, _ZERO
    for i in range(2):
        for j in range(2):
            value = np.float32(thermal[row + i, column + j])
            if value > 0 and nearest[own_row + i, own_column + j] >= front:
                weight = (t if i else _ONE - t) * (s if j else _ONE - s)
                total += weight * value
                weights += weight
    return (total / weights if weights > _ENOUGH_WEIGHT else _ZERO), False
