"""Inner loops of registration; imported only where numba is installed.

A lens is nine numbers here: fx, fy, cx, cy, k1, k2, p1, p2, k3. A motion is a (3, 4) matrix. Depth
0 means none. All coordinates have pixel centres at integers. Results are written to arrays that the
caller brings, and all arrays are contiguous: each function is then compiled once, in half the time.
"""
# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["draw_surface", "fill_gaps", "look_up", "place_points", "see_surface"]

MEASURED: Final = 1
INTERPOLATED: Final = 2
OCCLUDED: Final = 4

_FARTHEST: Final = 65535
_FLAT: Final = 1e-9
_ON_EDGE: Final = 1e-4
"""Pixels this little outside a triangle count as inside, so that neighbours leave no seam."""
_ENOUGH_WEIGHT: Final = 0.5


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _project(lens: NDArray[np.float64], x: float, y: float, z: float) -> tuple[float, float]:
    """Pixel at which a point in front of the camera is seen (Brown-Conrady)."""
    u = x / z
    v = y / z
    r2 = u * u + v * v
    radial = 1 + r2 * (lens[4] + r2 * (lens[5] + r2 * lens[8]))
    distorted_u = u * radial + 2 * lens[6] * u * v + lens[7] * (r2 + 2 * u * u)
    distorted_v = v * radial + lens[6] * (r2 + 2 * v * v) + 2 * lens[7] * u * v
    return lens[0] * distorted_u + lens[2], lens[1] * distorted_v + lens[3]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _move(motion: NDArray[np.float64], x: float, y: float, z: float) -> tuple[float, float, float]:
    """A point in another camera's frame."""
    return (
        motion[0, 0] * x + motion[0, 1] * y + motion[0, 2] * z + motion[0, 3],
        motion[1, 0] * x + motion[1, 1] * y + motion[1, 2] * z + motion[1, 3],
        motion[2, 0] * x + motion[2, 1] * y + motion[2, 2] * z + motion[2, 3],
    )


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _between(a: int, b: int, jump: float) -> float:
    """The mean of two neighbours on one surface, else 0."""
    if min(a, b) > 0 and max(a, b) < jump * min(a, b):
        return 0.5 * (float(a) + float(b))
    return 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _mend(counts: NDArray[np.uint16], row: int, column: int, jump: float) -> float:
    """A missing pixel between two opposite neighbours, where both lie on one surface; else 0."""
    middle = 0.0
    if 0 < column < counts.shape[1] - 1:
        middle = _between(counts[row, column - 1], counts[row, column + 1], jump)
    if middle == 0 and 0 < row < counts.shape[0] - 1:
        middle = _between(counts[row - 1, column], counts[row + 1, column], jump)
    return middle


@njit(cache=True, nogil=True, error_model="numpy")
def place_points(
    counts: NDArray[np.uint16],
    mm_per_count: float,
    jump: float,
    rays: NDArray[np.float32],
    corner: tuple[int, int],
    motion: NDArray[np.float64],
    lens: NDArray[np.float64],
    crop: NDArray[np.float64],
    placed: NDArray[np.float32],
    is_mended: NDArray[np.bool_],
) -> None:
    """Writes where the depth pixels of a window lie in the crop: (h, w, 3) x, y, mm.

    The window begins at `corner`, row and column. A missing pixel is put between two opposite
    neighbours on one surface, and marked in `is_mended` (h, w).
    """
    for row in range(placed.shape[0]):
        for column in range(placed.shape[1]):
            y, x = row + corner[0], column + corner[1]
            count = float(counts[y, x])
            if count == 0:
                count = _mend(counts, y, x, jump)
                is_mended[row, column] = count > 0
            z = np.float32(count * mm_per_count)
            own_x, own_y, own_z = _move(motion, rays[y, x, 0] * z, rays[y, x, 1] * z, z)
            if z <= 0 or own_z <= 0:
                continue
            u, v = _project(lens, own_x, own_y, own_z)
            placed[row, column, 0] = crop[0, 0] * u + crop[0, 1] * v + crop[0, 2]
            placed[row, column, 1] = crop[1, 0] * u + crop[1, 1] * v + crop[1, 2]
            placed[row, column, 2] = own_z


@njit(cache=True, nogil=True, error_model="numpy")
def _draw_triangle(
    a: tuple[float, float, float],
    b: tuple[float, float, float],
    c: tuple[float, float, float],
    mended: bool,
    jump: float,
    nearest: NDArray[np.float32],
    mask: NDArray[np.uint8],
) -> None:
    """Draws the triangle between three neighbouring depth pixels into the z-buffer.

    Across a jump there is no surface: what is seen there the depth camera did not see, and only the
    mask is told. The inverse of depth is linear across the picture of a plane, so that is what is
    interpolated.
    """
    front = min(a[2], b[2], c[2])
    if front <= 0:
        return
    left = max(0, math.ceil(min(a[0], b[0], c[0])))
    right = min(nearest.shape[1] - 1, math.floor(max(a[0], b[0], c[0])))
    top = max(0, math.ceil(min(a[1], b[1], c[1])))
    bottom = min(nearest.shape[0] - 1, math.floor(max(a[1], b[1], c[1])))
    area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    if left > right or top > bottom or abs(area) < _FLAT:
        return
    is_torn = max(a[2], b[2], c[2]) > jump * front
    bit = np.uint8(INTERPOLATED if mended else MEASURED)
    of_area = 1.0 / area
    a_inverse, b_inverse, c_inverse = 1.0 / a[2], 1.0 / b[2], 1.0 / c[2]
    for row in range(top, bottom + 1):
        for column in range(left, right + 1):
            s = ((b[0] - column) * (c[1] - row) - (b[1] - row) * (c[0] - column)) * of_area
            t = ((c[0] - column) * (a[1] - row) - (c[1] - row) * (a[0] - column)) * of_area
            if min(s, t, 1 - s - t) < -_ON_EDGE:
                continue
            if is_torn:
                mask[row, column] |= np.uint8(OCCLUDED)
                continue
            z = 1 / (s * a_inverse + t * b_inverse + (1 - s - t) * c_inverse)
            if z < nearest[row, column]:
                nearest[row, column] = z
                mask[row, column] = (mask[row, column] & np.uint8(OCCLUDED)) | bit


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _point(placed: NDArray[np.float32], row: int, column: int) -> tuple[float, float, float]:
    """x, y and mm of one depth pixel."""
    return placed[row, column, 0], placed[row, column, 1], placed[row, column, 2]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _is_beside(
    a: tuple[float, float, float],
    b: tuple[float, float, float],
    c: tuple[float, float, float],
    d: tuple[float, float, float],
    axis: int,
    last: int,
) -> bool:
    """True where four points lie on one side of the crop, before 0 or behind `last`."""
    lowest = min(a[axis], b[axis], c[axis], d[axis])
    highest = max(a[axis], b[axis], c[axis], d[axis])
    return highest < 0 or lowest > last


@njit(cache=True, nogil=True, error_model="numpy")
def draw_surface(
    placed: NDArray[np.float32],
    is_mended: NDArray[np.bool_],
    jump: float,
    nearest: NDArray[np.float32],
    mask: NDArray[np.uint8],
    depth: NDArray[np.uint16],
) -> None:
    """Writes the surface through neighbouring points, seen from the crop: depth in mm and mask.

    `nearest` comes filled with infinity, `mask` and `depth` with 0.
    """
    height, width = nearest.shape
    for row in range(placed.shape[0] - 1):
        for column in range(placed.shape[1] - 1):
            a, b = _point(placed, row, column), _point(placed, row, column + 1)
            c, d = _point(placed, row + 1, column), _point(placed, row + 1, column + 1)
            if _is_beside(a, b, c, d, 0, width - 1) or _is_beside(a, b, c, d, 1, height - 1):
                continue
            mended = is_mended[row, column] | is_mended[row, column + 1]
            mended |= is_mended[row + 1, column] | is_mended[row + 1, column + 1]
            # Cut along the diagonal that keeps most where one corner is missing.
            if b[2] > 0 and c[2] > 0:
                _draw_triangle(a, b, c, mended, jump, nearest, mask)
                _draw_triangle(b, d, c, mended, jump, nearest, mask)
            else:
                _draw_triangle(a, b, d, mended, jump, nearest, mask)
                _draw_triangle(a, d, c, mended, jump, nearest, mask)
    for row in range(height):
        for column in range(width):
            if nearest[row, column] < _FARTHEST:
                depth[row, column] = np.uint16(nearest[row, column] + 0.5)
                mask[row, column] &= np.uint8(MEASURED | INTERPOLATED)


@njit(cache=True, nogil=True, error_model="numpy")
def fill_gaps(
    depth: NDArray[np.float32], is_filled: NDArray[np.bool_], longest: int, step_mm: float
) -> None:
    """Bridges short gaps of the depth along rows, then columns, and marks where that was done.

    A gap is bridged where both its ends lie on one surface: at most `step_mm` apart.
    """
    height, width = depth.shape
    line, filled_line = depth.reshape(-1), is_filled.reshape(-1)
    across, down = depth.strides[1] // depth.itemsize, depth.strides[0] // depth.itemsize
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


@njit(cache=True, nogil=True, error_model="numpy")
def see_surface(
    depth: NDArray[np.float32],
    rays: NDArray[np.float64],
    motion: NDArray[np.float64],
    lens: NDArray[np.float64],
    seen: NDArray[np.float32],
    nearest: NDArray[np.float32],
) -> None:
    """Writes where a camera sees the crop's pixels: (H, W, 3) x, y, mm, and what is nearest.

    `rays` (2, H, W) are those of the color camera at the crop's pixels. 0 mm is written where there
    is no depth or the point is outside the camera's picture. The z-buffer `nearest` comes of the
    picture's size and filled with infinity.
    """
    height, width = nearest.shape
    for row in range(depth.shape[0]):
        for column in range(depth.shape[1]):
            z = depth[row, column]
            if z <= 0:
                continue
            x, y = rays[0, row, column] * z, rays[1, row, column] * z
            own_x, own_y, own_z = _move(motion, x, y, z)
            if own_z <= 0:
                continue
            u, v = _project(lens, own_x, own_y, own_z)
            if 0 <= u <= width - 1 and 0 <= v <= height - 1:
                seen[row, column, 0] = u
                seen[row, column, 1] = v
                seen[row, column, 2] = own_z
                i, j = np.uint32(v + 0.5), np.uint32(u + 0.5)
                nearest[i, j] = min(nearest[i, j], own_z)


@njit(cache=True, nogil=True, error_model="numpy")
def look_up(
    thermal: NDArray[np.uint16],
    seen: NDArray[np.float32],
    nearest: NDArray[np.float32],
    is_filled: NDArray[np.bool_],
    tolerance_mm: float,
    tolerance_share: float,
    crop: NDArray[np.uint16],
    mask: NDArray[np.uint8],
) -> None:
    """Writes temperatures of the crop's pixels where the thermal camera sees them, and mask.

    `seen` and `nearest` are those of `see_surface`; `crop` and `mask` come filled with 0.
    """
    for row in range(crop.shape[0]):
        for column in range(crop.shape[1]):
            u, v, z = _point(seen, row, column)
            if z <= 0:
                continue
            front = z - max(tolerance_mm, tolerance_share * z)
            if nearest[int(v + 0.5), int(u + 0.5)] < front:
                mask[row, column] = OCCLUDED
                continue
            value = _bilinear(thermal, nearest, front, u, v)
            if value > 0:
                crop[row, column] = np.uint16(value + 0.5)
                mask[row, column] = INTERPOLATED if is_filled[row, column] else MEASURED


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _bilinear(
    image: NDArray[np.uint16], nearest: NDArray[np.float32], front: float, x: float, y: float
) -> float:
    """Value between the four pixels around (x, y); 0 where most of them do not count.

    Pixels that are 0, or show something nearer than `front`, do not count.
    """
    column, row = min(int(x), image.shape[1] - 2), min(int(y), image.shape[0] - 2)
    s, t = x - column, y - row
    total, weights = 0.0, 0.0
    for i in range(2):
        for j in range(2):
            value = image[row + i, column + j]
            if value > 0 and nearest[row + i, column + j] >= front:
                weight = (t if i else 1 - t) * (s if j else 1 - s)
                total += weight * value
                weights += weight
    return total / weights if weights > _ENOUGH_WEIGHT else 0.0
