"""Inner loop of the measures of crops; imported only where numba is installed."""
# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["count_face"]


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

    `depth` and `thermal` are empty where there is none.

    Returns:
        (5,): pixels; their gray levels; those with a channel of at least `saturated`; those with
        depth; those with a temperature.
    """
    sums = np.zeros(5, np.int64)
    has_depth, has_thermal = depth.size > 0, thermal.size > 0
    for row in range(hull.shape[0]):
        face = hull[row]
        pixels, grays = _add_up(face, gray[row])
        if pixels == 0:
            continue
        sums[0] += pixels
        sums[1] += grays
        sums[2] += _saturated(face, color[row], saturated)
        if has_depth:
            sums[3] += _both(face, depth[row])
        if has_thermal:
            sums[4] += _both(face, thermal[row])
    return sums


@njit(cache=True, nogil=True, error_model="numpy")
def _add_up(face: NDArray[np.bool_], levels: NDArray[np.uint8]) -> tuple[int, int]:
    """How many pixels of a line are of the face, and the sum of their levels."""
    pixels, total = np.int32(0), np.int32(0)
    for column in range(len(face)):
        pixels += np.int32(face[column])
        total += np.int32(levels[column]) if face[column] else np.int32(0)
    return int(pixels), int(total)


@njit(cache=True, nogil=True, error_model="numpy")
def _saturated(face: NDArray[np.bool_], line: NDArray[np.uint8], least: int) -> int:
    """How many pixels of the face in a line (W, 3) have a channel of at least `least`."""
    highest = np.uint8(0)
    for level in line.reshape(-1):
        highest = max(highest, level)
    count = 0
    # Most lines have none: to look for their highest level is quick, to look at pixels is not.
    if highest >= least:
        for column in range(len(face)):
            brightest = max(line[column, 0], line[column, 1], line[column, 2])
            count += face[column] & (brightest >= least)
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _both(face: NDArray[np.bool_], values: NDArray[np.uint16]) -> int:
    """How many pixels of a line are of the face and have a value."""
    count = np.int32(0)
    for column in range(len(face)):
        count += np.int32(face[column] & (values[column] > 0))
    return int(count)
