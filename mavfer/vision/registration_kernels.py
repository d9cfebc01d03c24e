"""Inner loops of registration; imported only where numba is installed.

A lens is nine numbers here: fx, fy, cx, cy, k1, k2, p1, p2, k3. A motion is a (3, 4) matrix. Depth
0 means none. All coordinates have pixel centres at integers.
"""
# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["draw_surface", "fill_gaps", "look_up", "mend_pixels", "place_points", "see_surface"]

MEASURED: Final = 1
INTERPOLATED: Final = 2
OCCLUDED: Final = 4

_NO_SURFACE: Final = np.float32(np.inf)
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
def mend_pixels(
    counts: NDArray[np.uint16], mm_per_count: float, jump: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Depth in mm, and where a missing pixel was put between two opposite neighbours.

    Only holes of one pixel, and only where both neighbours lie on one surface.
    """
    height, width = counts.shape
    depth = np.zeros((height, width), np.float32)
    is_mended = np.zeros((height, width), np.bool_)
    for row in range(height):
        for column in range(width):
            depth[row, column] = counts[row, column] * mm_per_count
            if counts[row, column] > 0:
                continue
            if 0 < column < width - 1:
                middle = _between(counts[row, column - 1], counts[row, column + 1], jump)
            else:
                middle = 0.0
            if middle == 0 and 0 < row < height - 1:
                middle = _between(counts[row - 1, column], counts[row + 1, column], jump)
            depth[row, column] = middle * mm_per_count
            is_mended[row, column] = middle > 0
    return depth, is_mended


@njit(cache=True, nogil=True, error_model="numpy")
def place_points(
    depth: NDArray[np.float32],
    rays: NDArray[np.float32],
    motion: NDArray[np.float64],
    lens: NDArray[np.float64],
    crop: NDArray[np.float64],
) -> NDArray[np.float32]:
    """For each depth pixel its place in the crop and its depth there: (H, W, 3) x, y, mm."""
    height, width = depth.shape
    placed = np.zeros((height, width, 3), np.float32)
    for row in range(height):
        for column in range(width):
            z = depth[row, column]
            if z <= 0:
                continue
            x, y = rays[row, column, 0] * z, rays[row, column, 1] * z
            own_x, own_y, own_z = _move(motion, x, y, z)
            if own_z <= 0:
                continue
            u, v = _project(lens, own_x, own_y, own_z)
            placed[row, column, 0] = crop[0, 0] * u + crop[0, 1] * v + crop[0, 2]
            placed[row, column, 1] = crop[1, 0] * u + crop[1, 1] * v + crop[1, 2]
            placed[row, column, 2] = own_z
    return placed


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_triangle(
    a: tuple[float, float, float],
    b: tuple[float, float, float],
    c: tuple[float, float, float],
    bit: int,
    nearest: NDArray[np.float32],
    mask: NDArray[np.uint8],
) -> None:
    """Draws one triangle into the z-buffer; with the bit OCCLUDED only into the mask.

    The inverse of depth is linear across the picture of a plane, so that is what is interpolated.
    """
    left = max(0, int(np.ceil(min(a[0], b[0], c[0]))))
    right = min(nearest.shape[1] - 1, int(np.floor(max(a[0], b[0], c[0]))))
    top = max(0, int(np.ceil(min(a[1], b[1], c[1]))))
    bottom = min(nearest.shape[0] - 1, int(np.floor(max(a[1], b[1], c[1]))))
    area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    if left > right or top > bottom or abs(area) < _FLAT:
        return
    of_area = 1 / area
    a_inverse, b_inverse, c_inverse = 1 / a[2], 1 / b[2], 1 / c[2]
    for row in range(top, bottom + 1):
        for column in range(left, right + 1):
            s = ((b[0] - column) * (c[1] - row) - (b[1] - row) * (c[0] - column)) * of_area
            t = ((c[0] - column) * (a[1] - row) - (c[1] - row) * (a[0] - column)) * of_area
            if min(s, t, 1 - s - t) < -_ON_EDGE:
                continue
            if bit == OCCLUDED:
                mask[row, column] |= OCCLUDED
                continue
            z = 1 / (s * a_inverse + t * b_inverse + (1 - s - t) * c_inverse)
            if z < nearest[row, column]:
                nearest[row, column] = z
                mask[row, column] = (mask[row, column] & OCCLUDED) | bit


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
    """Draws the triangle between three neighbouring depth pixels, if there is one.

    Across a jump there is no surface, and what is seen there the depth camera did not see.
    """
    front = min(a[2], b[2], c[2])
    if front <= 0:
        return
    if max(a[2], b[2], c[2]) > jump * front:
        _fill_triangle(a, b, c, OCCLUDED, nearest, mask)
    else:
        _fill_triangle(a, b, c, INTERPOLATED if mended else MEASURED, nearest, mask)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _point(placed: NDArray[np.float32], row: int, column: int) -> tuple[float, float, float]:
    """x, y and mm of one depth pixel."""
    return placed[row, column, 0], placed[row, column, 1], placed[row, column, 2]


@njit(cache=True, nogil=True, error_model="numpy")
def draw_surface(
    placed: NDArray[np.float32],
    is_mended: NDArray[np.bool_],
    jump: float,
    height: int,
    width: int,
) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """The surface through neighbouring points, seen from the crop: depth in mm and mask."""
    nearest = np.full((height, width), _NO_SURFACE, np.float32)
    mask = np.zeros((height, width), np.uint8)
    for row in range(placed.shape[0] - 1):
        for column in range(placed.shape[1] - 1):
            a, b = _point(placed, row, column), _point(placed, row, column + 1)
            c, d = _point(placed, row + 1, column), _point(placed, row + 1, column + 1)
            if max(a[0], b[0], c[0], d[0]) < 0 or min(a[0], b[0], c[0], d[0]) > width - 1:
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
    depth = np.zeros((height, width), np.uint16)
    for row in range(height):
        for column in range(width):
            if nearest[row, column] < _FARTHEST:
                depth[row, column] = np.uint16(nearest[row, column] + 0.5)
                mask[row, column] &= MEASURED | INTERPOLATED
    return depth, mask


@njit(cache=True, nogil=True, error_model="numpy")
def fill_gaps(
    depth: NDArray[np.uint16], longest: int, step_mm: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Depth with short gaps bridged along rows, then columns, and where that was done.

    A gap is bridged where both its ends lie on one surface: at most `step_mm` apart.
    """
    height, width = depth.shape
    filled = depth.astype(np.float32)
    is_filled = np.zeros((height, width), np.bool_)
    for row in range(height):
        _bridge_line(filled[row], is_filled[row], longest, step_mm)
    for column in range(width):
        _bridge_line(filled[:, column], is_filled[:, column], longest, step_mm)
    return filled, is_filled


@njit(cache=True, nogil=True, error_model="numpy")
def _bridge_line(
    line: NDArray[np.float32], is_filled: NDArray[np.bool_], longest: int, step_mm: float
) -> None:
    """Bridges the short gaps of one row or column in place."""
    last = -1
    for index in range(len(line)):
        if line[index] <= 0:
            continue
        gap = index - last - 1
        if last >= 0 and 0 < gap <= longest and abs(line[index] - line[last]) <= step_mm:
            for inner in range(last + 1, index):
                share = (inner - last) / (gap + 1)
                line[inner] = (1 - share) * line[last] + share * line[index]
                is_filled[inner] = True
        last = index


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _grid_ray(grid: NDArray[np.float64], cell: float, row: int, column: int, axis: int) -> float:
    """A ray of a crop pixel between the rays at the corners of its grid cell."""
    x, y = column / cell, row / cell
    i, j = min(int(y), grid.shape[0] - 2), min(int(x), grid.shape[1] - 2)
    s, t = x - j, y - i
    above = (1 - s) * grid[i, j, axis] + s * grid[i, j + 1, axis]
    below = (1 - s) * grid[i + 1, j, axis] + s * grid[i + 1, j + 1, axis]
    ray: float = (1 - t) * above + t * below
    return ray


@njit(cache=True, nogil=True, error_model="numpy")
def see_surface(
    depth: NDArray[np.float32],
    grid: NDArray[np.float64],
    cell: float,
    motion: NDArray[np.float64],
    lens: NDArray[np.float64],
    size: tuple[int, int],
) -> NDArray[np.float32]:
    """Where a camera of a size (height, width) sees the crop's pixels: (H, W, 3) x, y, mm.

    0 mm where there is no depth or the point is outside the camera's picture.
    """
    height, width = depth.shape
    seen = np.zeros((height, width, 3), np.float32)
    for row in range(height):
        for column in range(width):
            z = depth[row, column]
            if z <= 0:
                continue
            x = _grid_ray(grid, cell, row, column, 0) * z
            y = _grid_ray(grid, cell, row, column, 1) * z
            own_x, own_y, own_z = _move(motion, x, y, z)
            if own_z <= 0:
                continue
            u, v = _project(lens, own_x, own_y, own_z)
            if 0 <= u <= size[1] - 1 and 0 <= v <= size[0] - 1:
                seen[row, column, 0] = u
                seen[row, column, 1] = v
                seen[row, column, 2] = own_z
    return seen


@njit(cache=True, nogil=True, error_model="numpy")
def _nearest_seen(
    seen: NDArray[np.float32], size: tuple[int, int], reach: int
) -> NDArray[np.float32]:
    """Z-buffer of a camera over the points it sees, each a square of 2 reach + 1 pixels."""
    nearest = np.full(size, _NO_SURFACE, np.float32)
    height, width, _ = seen.shape
    for row in range(height):
        for column in range(width):
            u, v, z = _point(seen, row, column)
            if z <= 0:
                continue
            left, right = int(u + 0.5) - reach, int(u + 0.5) + reach
            top, bottom = int(v + 0.5) - reach, int(v + 0.5) + reach
            for i in range(max(0, top), min(size[0], bottom + 1)):
                for j in range(max(0, left), min(size[1], right + 1)):
                    nearest[i, j] = min(nearest[i, j], z)
    return nearest


@njit(cache=True, nogil=True, error_model="numpy")
def look_up(
    thermal: NDArray[np.uint16],
    seen: NDArray[np.float32],
    is_filled: NDArray[np.bool_],
    tolerance_mm: float,
    tolerance_share: float,
    reach: int,
) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Temperatures of the crop's pixels where the thermal camera sees them, and mask.

    `reach` is how far, in thermal pixels, a crop pixel hides what is behind it.
    """
    height, width, _ = seen.shape
    nearest = _nearest_seen(seen, thermal.shape, reach)
    crop = np.zeros((height, width), np.uint16)
    mask = np.zeros((height, width), np.uint8)
    for row in range(height):
        for column in range(width):
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
    return crop, mask


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
