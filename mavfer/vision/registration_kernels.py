"""Inner loops of the registration of depth; imported only where numba is installed.

Surfaces are kept as inverse depth, 0 where there is none: it is linear across the picture of a
plane, and the nearest is the largest. All coordinates have pixel centres at integers. Results are
written to arrays that the caller brings, and all arrays are contiguous: each function is then
compiled once, in half the time. Everything per pixel is of single precision, 1e-4 px of a frame.
"""
# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from mavfer.vision.lens_kernels import SAFE, crop_ray, distort, move

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "crop_window",
    "draw_surface",
    "extremes",
    "mend_window",
    "place_points",
    "read_buffers",
]

MEASURED: Final = np.uint8(1)
INTERPOLATED: Final = np.uint8(2)
OCCLUDED: Final = np.uint8(4)

_FARTHEST: Final = 65535
_FARTHEST_INVERSE: Final = np.float32(1 / 65535)
_ZERO: Final = np.float32(0)
_HALF: Final = np.float32(0.5)
_ONE: Final = np.float32(1)
_FLAT: Final = np.float32(1e-9)
_ON_EDGE: Final = np.float32(-1e-4)
"""Pixels this little outside a triangle count as inside, so that neighbours leave no seam."""
_RIM_POINTS: Final = 5


@njit(cache=True, nogil=True, error_model="numpy")
def crop_window(
    color_lens: NDArray[np.float64],
    color_size: tuple[int, int],
    frame_from_crop: NDArray[np.float64],
    crop_size: tuple[int, int],
    motion: NDArray[np.float64],
    depth_lens: NDArray[np.float64],
    range_mm: tuple[float, float],
) -> tuple[float, float, float, float]:
    """Lowest and highest row, then column, of the depth frame where the crop's rim can be seen.

    The rim is followed into space, to the nearest and the farthest depth, and back by `motion`.
    NaN where a part of it is behind the depth camera.
    """
    top, bottom, left, right = np.inf, -np.inf, np.inf, -np.inf
    for index in range(4 * _RIM_POINTS):
        along = (index // 4) / (_RIM_POINTS - 1)
        across = index % 2
        x, y = (along, across) if index % 4 < 2 else (across, along)  # noqa: PLR2004 (two sides)
        u, v = crop_ray(
            color_lens, color_size, frame_from_crop, x * (crop_size[1] - 1), y * (crop_size[0] - 1)
        )
        for z in range_mm:
            own_x, own_y, own_z = move(motion, u * z, v * z, z)
            if own_z <= 0:
                return np.nan, np.nan, np.nan, np.nan
            bent_u, bent_v = distort(depth_lens, own_x / own_z, own_y / own_z)
            column = depth_lens[0] * bent_u + depth_lens[2]
            row = depth_lens[1] * bent_v + depth_lens[3]
            top, bottom = min(top, row), max(bottom, row)
            left, right = min(left, column), max(right, column)
    return top, bottom, left, right


@njit(cache=True, nogil=True, error_model="numpy")
def extremes(
    counts: NDArray[np.uint16], rows: tuple[int, int], columns: tuple[int, int]
) -> tuple[Any, Any]:
    """Smallest and largest count above 0 in a window; 65535 and 0 where there is none."""
    low, high = np.uint16(_FARTHEST), np.uint16(0)
    for row in range(rows[0], rows[1]):
        for count in counts[row, columns[0] : columns[1]]:
            high = max(high, count)
            # 0 is no count: it must not become the smallest.
            low = min(low, count if count > 0 else np.uint16(_FARTHEST))
    return low, high


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
def mend_window(
    counts: NDArray[np.uint16],
    mm_per_count: np.float32,
    jump: float,
    corner: tuple[int, int],
    depth: NDArray[np.float32],
    is_mended: NDArray[np.bool_],
) -> None:
    """Writes the depth (h, w) in mm of the window that begins at `corner`, row and column.

    A missing pixel is put between two opposite neighbours on one surface, and marked in `is_mended`
    (h, w).
    """
    height, width = depth.shape
    for row in range(height):
        line = counts[row + corner[0], corner[1] : corner[1] + width]
        for column in range(width):
            depth[row, column] = np.float32(line[column]) * mm_per_count
        for column in range(width):
            if line[column] == 0:
                count = _mend(counts, row + corner[0], column + corner[1], jump)
                depth[row, column] = np.float32(count) * mm_per_count
                is_mended[row, column] = count > 0


@njit(cache=True, nogil=True, error_model="numpy", fastmath=SAFE)
def place_points(
    depth: NDArray[np.float32],
    rays: NDArray[np.float32],
    corner: tuple[int, int],
    shift: NDArray[np.float32],
    lens: NDArray[np.float32],
    crop: NDArray[np.float32],
    placed: NDArray[np.float32],
) -> None:
    """Writes where the points of a window lie in the crop: (3, h, w) x, y, inverse depth.

    Args:
        depth: (h, w) mm along the depth camera's axis, 0 = none.
        rays: (3, H, W) the depth camera's rays, turned into the color camera's frame.
        corner: Row and column of `rays` at which the window begins.
        shift: (3,) mm, the depth camera's place in the color camera's frame.
        lens: The color camera's.
        crop: (2, 3) from ideal pixels of focal length 1 to the crop's.
        placed: Where the result goes.
    """
    width = depth.shape[1]
    for row in range(depth.shape[0]):
        y, x = row + corner[0], corner[1]
        ray_x, ray_y = rays[0, y, x : x + width], rays[1, y, x : x + width]
        ray_z, line = rays[2, y, x : x + width], depth[row]
        to_x, to_y, to_inverse = placed[0, row], placed[1, row], placed[2, row]
        for column in range(width):
            z = line[column]
            own_z = z * ray_z[column] + shift[2]
            inverse = _ONE / own_z if (z > 0) & (own_z > 0) else _ZERO
            u, v = distort(
                lens,
                (z * ray_x[column] + shift[0]) * inverse,
                (z * ray_y[column] + shift[1]) * inverse,
            )
            to_x[column] = crop[0, 0] * u + crop[0, 1] * v + crop[0, 2]
            to_y[column] = crop[1, 0] * u + crop[1, 1] * v + crop[1, 2]
            to_inverse[column] = inverse


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _point(placed: NDArray[np.float32], row: int, column: int) -> tuple[Any, Any, Any]:
    """x, y and inverse depth of one depth pixel."""
    return placed[0, row, column], placed[1, row, column], placed[2, row, column]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _box(
    a: tuple[Any, Any, Any],
    b: tuple[Any, Any, Any],
    c: tuple[Any, Any, Any],
    d: tuple[Any, Any, Any],
    image: NDArray[Any],
) -> tuple[Any, Any, Any, Any]:
    """First and last row, then column, of an image that four points surround."""
    last_x, last_y = np.float32(image.shape[1] - 1), np.float32(image.shape[0] - 1)
    top = np.int64(np.ceil(max(_ZERO, min(a[1], b[1], c[1], d[1]))))
    bottom = np.int64(np.floor(min(last_y, max(a[1], b[1], c[1], d[1]))))
    left = np.int64(np.ceil(max(_ZERO, min(a[0], b[0], c[0], d[0]))))
    right = np.int64(np.floor(min(last_x, max(a[0], b[0], c[0], d[0]))))
    return top, bottom, left, right


@njit(cache=True, nogil=True, error_model="numpy", fastmath=SAFE)
def _draw_triangle(
    a: tuple[Any, Any, Any],
    b: tuple[Any, Any, Any],
    c: tuple[Any, Any, Any],
    jump: np.float32,
    nearest: NDArray[np.float32],
    mask: NDArray[np.uint8],
) -> None:
    """Draws the triangle between three neighbouring depth pixels into the z-buffer.

    Across a jump there is no surface: what is seen there the depth camera did not see, and only the
    mask is told.
    """
    back = min(a[2], b[2], c[2])
    area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    if back <= 0 or abs(area) < _FLAT:
        return
    top, bottom, left, right = _box(a, b, c, c, nearest)
    is_torn = max(a[2], b[2], c[2]) > jump * back
    over = _ONE / area
    s_x, s_y = (b[1] - c[1]) * over, (c[0] - b[0]) * over
    t_x, t_y = (c[1] - a[1]) * over, (a[0] - c[0]) * over
    for row in range(top, bottom + 1):
        x, y = np.float32(left), np.float32(row)
        s = (x - c[0]) * s_x + (y - c[1]) * s_y
        t = (x - c[0]) * t_x + (y - c[1]) * t_y
        for column in range(left, right + 1):
            is_inside = min(s, t, _ONE - s - t) >= _ON_EDGE
            if is_torn:
                mask[row, column] |= OCCLUDED if is_inside else np.uint8(0)
            else:
                inverse = c[2] + s * (a[2] - c[2]) + t * (b[2] - c[2])
                inverse = inverse if is_inside else _ZERO
                nearest[row, column] = max(nearest[row, column], inverse)
            s, t = s + s_x, t + t_x


@njit(cache=True, nogil=True, error_model="numpy", fastmath=SAFE)
def _draw_torn(
    a: tuple[Any, Any, Any],
    b: tuple[Any, Any, Any],
    c: tuple[Any, Any, Any],
    d: tuple[Any, Any, Any],
    jump: np.float32,
    nearest: NDArray[np.float32],
    mask: NDArray[np.uint8],
) -> None:
    """Draws what there is between four neighbours that are no plain square."""
    # Cut along the diagonal that keeps most where one corner is missing.
    if b[2] > 0 and c[2] > 0:
        _draw_triangle(a, b, c, jump, nearest, mask)
        _draw_triangle(b, d, c, jump, nearest, mask)
    else:
        _draw_triangle(a, b, d, jump, nearest, mask)
        _draw_triangle(a, d, c, jump, nearest, mask)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=SAFE, inline="always")
def _draw_square(
    a: tuple[Any, Any, Any],
    b: tuple[Any, Any, Any],
    c: tuple[Any, Any, Any],
    d: tuple[Any, Any, Any],
    box: tuple[int, int, int, int],
    jump: np.float32,
    nearest: NDArray[np.float32],
) -> bool:
    """Draws both triangles of four neighbours on one surface, cut from b to c, at one go.

    Pixels are told in shares s of the way from a to b and t from a to c. The second triangle lies
    where s + t > 1; there its plane bends away from the first one's, more with each step. Nothing
    branches inside, which would cost more than the arithmetic.

    False, and nothing drawn, where a corner is missing, the surface jumps, or the square is not
    convex.
    """
    back, front = min(a[2], b[2], c[2], d[2]), max(a[2], b[2], c[2], d[2])
    over = _ONE / ((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
    s_x, s_y = (c[1] - a[1]) * over, (a[0] - c[0]) * over
    t_x, t_y = (a[1] - b[1]) * over, (b[0] - a[0]) * over
    s_of_d = (d[0] - a[0]) * s_x + (d[1] - a[1]) * s_y
    t_of_d = (d[0] - a[0]) * t_x + (d[1] - a[1]) * t_y
    beyond = s_of_d + t_of_d - _ONE
    is_convex = (min(s_of_d, t_of_d) > 0) & (beyond > _FLAT)
    if not ((back > 0) & (front <= jump * back) & is_convex):
        return False
    along_s, along_t = b[2] - a[2], c[2] - a[2]
    bend = (d[2] - a[2] - s_of_d * along_s - t_of_d * along_t) / beyond
    top, bottom, left, right = box
    for row in range(top, bottom + 1):
        x, y = np.float32(left) - a[0], np.float32(row) - a[1]
        s, t = x * s_x + y * s_y, x * t_x + y * t_y
        for column in range(left, right + 1):
            right_of_b = t_of_d * (_ONE - s) + (s_of_d - _ONE) * t
            below_c = s_of_d * (_ONE - t) + (t_of_d - _ONE) * s
            inverse = a[2] + s * along_s + t * along_t + bend * max(_ZERO, s + t - _ONE)
            is_inside = min(s, t, right_of_b, below_c) >= _ON_EDGE
            inverse = inverse if is_inside else _ZERO
            nearest[row, column] = max(nearest[row, column], inverse)
            s, t = s + s_x, t + t_x
    return True


@njit(cache=True, nogil=True, error_model="numpy", fastmath=SAFE)
def draw_surface(
    placed: NDArray[np.float32],
    is_mended: NDArray[np.bool_],
    jump: np.float32,
    measured: NDArray[np.float32],
    mended: NDArray[np.float32],
    mask: NDArray[np.uint8],
) -> None:
    """Draws the surface through neighbouring points, seen from the crop, as inverse depth.

    The two z-buffers, one for squares with a mended corner, and the mask come filled with 0; the
    mask is told of what is torn.
    """
    if placed.shape[2] == 0:
        return
    for row in range(placed.shape[1] - 1):
        b, d = _point(placed, row, 0), _point(placed, row + 1, 0)
        for column in range(placed.shape[2] - 1):
            a, c = b, d
            b, d = _point(placed, row, column + 1), _point(placed, row + 1, column + 1)
            box = _box(a, b, c, d, mask)
            if (box[0] > box[1]) | (box[2] > box[3]):
                continue
            if (
                is_mended[row, column]
                | is_mended[row, column + 1]
                | is_mended[row + 1, column]
                | is_mended[row + 1, column + 1]
            ):
                _draw_torn(a, b, c, d, jump, mended, mask)
            elif not _draw_square(a, b, c, d, box, jump, measured):
                _draw_torn(a, b, c, d, jump, measured, mask)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=SAFE)
def read_buffers(
    measured: NDArray[np.float32],
    mended: NDArray[np.float32],
    mask: NDArray[np.uint8],
    depth: NDArray[np.uint16],
) -> None:
    """Writes depth in mm, and completes the mask, from the z-buffers of `draw_surface`."""
    for row in range(depth.shape[0]):
        for column in range(depth.shape[1]):
            whole, patched = measured[row, column], mended[row, column]
            inverse = max(whole, patched)
            bit = MEASURED if whole >= patched else INTERPOLATED
            is_there = inverse > _FARTHEST_INVERSE
            millimetres = np.int32(_ONE / inverse + _HALF) if is_there else np.int32(0)
            depth[row, column] = np.uint16(millimetres)
            mask[row, column] = bit if is_there else mask[row, column]
