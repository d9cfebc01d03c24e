"""Inner loops of color crops; imported only where numba is installed.

Places are counted in 65536ths of a pixel, and levels between pixels in 256ths.
"""
# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["convert", "double_plane", "warp_plane"]

_ONE: Final = 65536.0
_STILL: Final = 1e-9
"""Steps this small move no column of a crop by a 65536th."""
_GRAY: Final = np.float32(128)
_HALF: Final = np.float32(0.5)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _level(plane: NDArray[np.uint8], row: int, column: int, border: int) -> Any:
    """Level of a pixel; `border` outside the plane."""
    height, width = plane.shape
    if 0 <= row < height and 0 <= column < width:
        return np.int32(plane[row, column])
    return np.int32(border)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _between(a: Any, b: Any, c: Any, d: Any, s: Any, t: Any) -> np.uint8:
    """Level between four pixels, s 256ths to the right and t downward, rounded."""
    above, below = (a << 8) + s * (b - a), (c << 8) + s * (d - c)
    return np.uint8(((above << 8) + t * (below - above) + 32768) >> 16)


@njit(cache=True, nogil=True, error_model="numpy")
def _inner_span(start: float, step: float, last: int, count: int) -> tuple[int, int]:
    """First and end of the columns in which `start` plus `step` a column is in 0 to `last`."""
    if abs(step) < _STILL:
        return (0, count) if 0 <= start < last - 1 / _ONE else (0, 0)
    reach = (-start / step, (last - start) / step)
    # A column less at each end: places are rounded.
    first = int(max(np.ceil(min(reach)) + 1, 0))
    return first, max(first, int(min(np.floor(max(reach)) - 1, count)))


@njit(cache=True, nogil=True, error_model="numpy")
def warp_plane(
    plane: NDArray[np.uint8],
    plane_from_crop: NDArray[np.float64],
    border: int,
    crop: NDArray[np.uint8],
) -> None:
    """Writes a crop (h, w) of a plane, bilinear; `border` is the level outside."""
    height, width = plane.shape
    across_x, across_y = plane_from_crop[0, 0], plane_from_crop[1, 0]
    step_x, step_y = np.int64(np.rint(across_x * _ONE)), np.int64(np.rint(across_y * _ONE))
    for row in range(crop.shape[0]):
        start_x = plane_from_crop[0, 1] * row + plane_from_crop[0, 2]
        start_y = plane_from_crop[1, 1] * row + plane_from_crop[1, 2]
        first, end = _inner_span(start_x, across_x, width - 1, crop.shape[1])
        first_y, end_y = _inner_span(start_y, across_y, height - 1, crop.shape[1])
        first, end = max(first, first_y), min(end, end_y)
        first, end = (first, end) if first < end else (0, 0)
        x, y = np.int64(np.rint(start_x * _ONE)), np.int64(np.rint(start_y * _ONE))
        line = crop[row]
        _warp_rim(plane, (x, y), (step_x, step_y), border, line[:first], 0)
        _warp_inside(plane, (x, y), (step_x, step_y), line[first:end], first)
        _warp_rim(plane, (x, y), (step_x, step_y), border, line[end:], end)


@njit(cache=True, nogil=True, error_model="numpy")
def _warp_inside(
    plane: NDArray[np.uint8],
    start: tuple[int, int],
    step: tuple[int, int],
    line: NDArray[np.uint8],
    first: int,
) -> None:
    """Writes pixels of a crop's line that lie inside the plane."""
    x, y = start[0] + first * step[0], start[1] + first * step[1]
    next_to = np.uint64(1)
    for index in range(len(line)):
        i, j = np.uint64(y >> 16), np.uint64(x >> 16)
        s, t = np.int32((x >> 8) & 255), np.int32((y >> 8) & 255)
        a, b = np.int32(plane[i, j]), np.int32(plane[i, j + next_to])
        i += next_to
        c, d = np.int32(plane[i, j]), np.int32(plane[i, j + next_to])
        line[index] = _between(a, b, c, d, s, t)
        x, y = x + step[0], y + step[1]


@njit(cache=True, nogil=True, error_model="numpy")
def _warp_rim(
    plane: NDArray[np.uint8],
    start: tuple[int, int],
    step: tuple[int, int],
    border: int,
    line: NDArray[np.uint8],
    first: int,
) -> None:
    """Writes pixels of a crop's line of which some may lie outside the plane."""
    for index in range(len(line)):
        x, y = start[0] + (first + index) * step[0], start[1] + (first + index) * step[1]
        i, j = y >> 16, x >> 16
        if i < -1 or j < -1 or i >= plane.shape[0] or j >= plane.shape[1]:
            line[index] = border
            continue
        line[index] = _between(
            _level(plane, i, j, border),
            _level(plane, i, j + 1, border),
            _level(plane, i + 1, j, border),
            _level(plane, i + 1, j + 1, border),
            np.int32((x >> 8) & 255),
            np.int32((y >> 8) & 255),
        )


@njit(cache=True, nogil=True, error_model="numpy")
def double_plane(
    halved: NDArray[np.uint8], line: NDArray[np.uint16], doubled: NDArray[np.uint8]
) -> None:
    """Writes a plane (2 h, 2 w) of twice the size, bilinear; `line` (w,) is room to work in.

    A sample stands for the middle of two by two pixels, so that the nearest counts three quarters
    in each direction.
    """
    height, width = halved.shape
    for row in range(2 * height):
        own = row // 2
        other = min(max(own + (1 if row % 2 else -1), 0), height - 1)
        near, far, to = halved[own], halved[other], doubled[row]
        for index in range(width):
            line[index] = np.uint16(3) * np.uint16(near[index]) + np.uint16(far[index])
        to[0] = np.uint8((line[0] + 2) >> 2)
        to[2 * width - 1] = np.uint8((line[width - 1] + 2) >> 2)
        for index in range(width - 1):
            left, right = np.int32(line[index]), np.int32(line[index + 1])
            to[2 * index + 1] = np.uint8((3 * left + right + 8) >> 4)
            to[2 * index + 2] = np.uint8((left + 3 * right + 8) >> 4)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _byte(value: np.float32) -> np.uint8:
    """The nearest level, 0 to 255."""
    return np.uint8(np.int32(min(max(value + _HALF, np.float32(0)), np.float32(255))))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def convert(
    y: NDArray[np.uint8],
    u: NDArray[np.uint8],
    v: NDArray[np.uint8],
    black: np.float32,
    gains: NDArray[np.float32],
    colors: NDArray[np.uint8],
) -> None:
    """Writes red, green and blue (3, H, W) of planes (H, W) of one size.

    `gains` are those of luma, of v in red, of u and v in green, and of u in blue.
    """
    of_y, red_of_v, green_of_u, green_of_v, blue_of_u = gains
    for row in range(y.shape[0]):
        lumas, blues, reds = y[row], u[row], v[row]
        to_red, to_green, to_blue = colors[0, row], colors[1, row], colors[2, row]
        for column in range(len(lumas)):
            luma = (np.float32(lumas[column]) - black) * of_y
            blue = np.float32(blues[column]) - _GRAY
            red = np.float32(reds[column]) - _GRAY
            to_red[column] = _byte(luma + red_of_v * red)
            to_green[column] = _byte(luma + green_of_u * blue + green_of_v * red)
            to_blue[column] = _byte(luma + blue_of_u * blue)
