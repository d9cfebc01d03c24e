"""Inner loops of the measures of crops; imported only where numba is installed."""
# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["count_face", "edge_variance", "inside_share"]


@njit(cache=True, nogil=True, error_model="numpy")
def edge_variance(gray: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of a gray picture (H, W), mirrored at its rim, of 2 px or more."""
    height, width = gray.shape
    total, squares = 0, 0
    for row in range(height):
        above, line = gray[abs(row - 1)], gray[row]
        below = gray[row + 1 if row + 1 < height else height - 2]
        line_total, line_squares = _add_up_edges(above, line, below)
        total += line_total
        squares += line_squares
        for column, neighbour in ((0, 1), (width - 1, width - 2)):
            across = 2 * (int(line[neighbour]) - int(line[column]))
            edge = across + int(above[column]) + int(below[column]) - 2 * int(line[column])
            total += edge
            squares += edge * edge
    pixels = height * width
    return float((pixels * squares - total * total) / pixels**2)


@njit(cache=True, nogil=True, error_model="numpy")
def _add_up_edges(
    above: NDArray[np.uint8], line: NDArray[np.uint8], below: NDArray[np.uint8]
) -> tuple[int, int]:
    """Sums of the Laplacian and of its square over a line but for its ends."""
    # Cut to 32 bits, which are enough for lines of 2000 px, so that many pixels are done at a time.
    total, squares = np.int32(0), np.int32(0)
    for column in range(1, len(line) - 1):
        around = line[column - 1] + line[column + 1] + above[column] + below[column]
        edge = np.int32(around - 4 * line[column])
        total = np.int32(total + edge)
        squares = np.int32(squares + edge * edge)
    return int(total), int(squares)


@njit(cache=True, nogil=True, error_model="numpy")
def count_face(
    hull: NDArray[np.bool_],
    color: NDArray[np.uint8],
    gray: NDArray[np.uint8],
    depth: NDArray[np.uint16],
    thermal: NDArray[np.uint16],
    saturated: int,
) -> NDArray[np.int64]:
    """Sums over the face's pixels, in one pass.

    Args:
        hull: (H, W), true on the face.
        color: (H, W, 3).
        gray: (H, W).
        depth: (H, W), or empty where there is none.
        thermal: (H, W), or empty where there is none.
        saturated: The least level that is.

    Returns:
        (5,): pixels; their gray levels; those with a saturated channel; those with depth; those
        with a temperature.
    """
    sums = np.zeros(5, np.int64)
    has_depth, has_thermal = depth.size > 0, thermal.size > 0
    # Most crops have none: to look for their highest level is quick, to look at pixels is not.
    has_saturated = _highest(color.reshape(-1)) >= saturated
    for row in range(hull.shape[0]):
        face = hull[row]
        pixels, grays = _add_up(face, gray[row])
        if pixels == 0:
            continue
        sums[0] += pixels
        sums[1] += grays
        if has_saturated:
            sums[2] += _count_saturated(face, color[row], saturated)
        if has_depth:
            sums[3] += _count_both(face, depth[row])
        if has_thermal:
            sums[4] += _count_both(face, thermal[row])
    return sums


@njit(cache=True, nogil=True, error_model="numpy")
def _add_up(face: NDArray[np.bool_], levels: NDArray[np.uint8]) -> tuple[int, int]:
    """How many pixels of a line are of the face, and the sum of their levels."""
    pixels, total = np.int32(0), np.int32(0)
    for column in range(len(face)):
        pixels = np.int32(pixels + face[column])
        total = np.int32(total + (levels[column] if face[column] else 0))
    return int(pixels), int(total)


@njit(cache=True, nogil=True, error_model="numpy")
def _count_both(face: NDArray[np.bool_], values: NDArray[np.uint16]) -> int:
    """How many pixels of a line are of the face and have a value."""
    count = np.int32(0)
    for column in range(len(face)):
        count = np.int32(count + (face[column] & (values[column] > 0)))
    return int(count)


@njit(cache=True, nogil=True, error_model="numpy")
def _highest(levels: NDArray[np.uint8]) -> int:
    """The highest of levels (N,)."""
    highest = np.uint8(0)
    for index in range(len(levels)):
        highest = max(highest, levels[index])
    return int(highest)


@njit(cache=True, nogil=True, error_model="numpy")
def _count_saturated(face: NDArray[np.bool_], line: NDArray[np.uint8], least: int) -> int:
    """How many pixels of the face in a line (W, 3) have a channel of at least `least`."""
    count = 0
    if _highest(line.reshape(-1)) >= least:
        for column in range(len(face)):
            brightest = max(line[column, 0], line[column, 1], line[column, 2])
            count += face[column] & (brightest >= least)
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def inside_share(
    hull: NDArray[np.bool_],
    frame_from_crop: NDArray[np.float64],
    frame_shape: tuple[int, int],
    step: int,
) -> float:
    """Share of the face that lies inside the frame, from every `step`-th of its pixels.

    Args:
        hull: (H, W), true on the face, which has a pixel at least.
        frame_from_crop: (2, 3) from the crop's pixels to the frame's.
        frame_shape: Height and width of the frame.
        step: 1 for all pixels.
    """
    last_row, last_column = hull.shape[0] - 1, hull.shape[1] - 1
    if (
        _is_inside(frame_from_crop, frame_shape, 0, 0)
        and _is_inside(frame_from_crop, frame_shape, 0, last_column)
        and _is_inside(frame_from_crop, frame_shape, last_row, 0)
        and _is_inside(frame_from_crop, frame_shape, last_row, last_column)
    ):
        return 1.0
    to_next, looked_at, inside = 0, 0, 0
    for row in range(hull.shape[0]):
        for column in np.flatnonzero(hull[row]):
            if to_next == 0:
                looked_at += 1
                inside += _is_inside(frame_from_crop, frame_shape, row, column)
            to_next = to_next - 1 if to_next else step - 1
    return inside / looked_at


@njit(cache=True, nogil=True, error_model="numpy")
def _is_inside(
    frame_from_crop: NDArray[np.float64], frame_shape: tuple[int, int], row: int, column: int
) -> bool:
    """True where a pixel of the crop lies inside the frame."""
    height, width = frame_shape
    m = frame_from_crop
    x = m[0, 0] * column + m[0, 1] * row + m[0, 2]
    y = m[1, 0] * column + m[1, 1] * row + m[1, 2]
    return bool(0 <= x <= width - 1 and 0 <= y <= height - 1)
