"""Inner loop of carrying; imported only where numba is installed."""
# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from mavfer.vision.lens_kernels import distort

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["normal_equations"]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _find_point(
    x: float,
    y: float,
    z: float,
    lens: NDArray[np.float64],
    depth: NDArray[Any],
) -> tuple[int, int]:
    """Row and column of the depth pixel that sees a point; row -1 where none does."""
    if z <= 0:
        return -1, -1
    bent_u, bent_v = distort(lens, x / z, y / z)
    column = int(np.floor(lens[0] * bent_u + lens[2] + 0.5))
    row = int(np.floor(lens[1] * bent_v + lens[3] + 0.5))
    if not (0 <= row < depth.shape[0] and 0 <= column < depth.shape[1]):
        return -1, -1
    return (row, column) if depth[row, column] > 0 else (-1, -1)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _turned(
    motion: NDArray[np.float64], vectors: NDArray[np.float64], index: int
) -> tuple[float, float, float]:
    """One of the vectors (N, 3), turned but not shifted."""
    x, y, z = vectors[index, 0], vectors[index, 1], vectors[index, 2]
    return (
        motion[0, 0] * x + motion[0, 1] * y + motion[0, 2] * z,
        motion[1, 0] * x + motion[1, 1] * y + motion[1, 2] * z,
        motion[2, 0] * x + motion[2, 1] * y + motion[2, 2] * z,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def normal_equations(
    points: NDArray[np.float64],
    normals: NDArray[np.float64],
    middle: NDArray[np.float64],
    motion: NDArray[np.float64],
    depth: NDArray[Any],
    mm_per_count: float,
    rays: NDArray[np.float32],
    lens: NDArray[np.float64],
    limits_mm: tuple[float, float, float],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """One linearised step of point-to-plane registration by projective association.

    `limits_mm` are the residuals that count half, that do not count at all, and that are close.

    Returns:
        (6, 6) matrix and (6,) right-hand side for turn and shift about `middle`; and sums over the
        inliers (4,): how many, of squared residuals in mm², of the same times their weights, and
        how many are close.
    """
    matrix = np.zeros((6, 6))
    right = np.zeros(6)
    row_of = np.zeros(6)
    sums = np.zeros(4)
    softness_mm, reject_mm, close_mm = limits_mm
    for index in range(len(points)):
        turned_x, turned_y, turned_z = _turned(motion, points, index)
        x, y, z = turned_x + motion[0, 3], turned_y + motion[1, 3], turned_z + motion[2, 3]
        row, column = _find_point(x, y, z, lens, depth)
        if row < 0:
            continue
        seen = depth[row, column] * mm_per_count
        nx, ny, nz = _turned(motion, normals, index)
        apart_x = rays[row, column, 0] * seen - x
        apart_y = rays[row, column, 1] * seen - y
        apart_z = seen - z
        residual = apart_x * nx + apart_y * ny + apart_z * nz
        if abs(residual) > reject_mm:
            continue
        weight = 1 / (1 + (residual / softness_mm) ** 2)
        arm_x, arm_y, arm_z = x - middle[0], y - middle[1], z - middle[2]
        row_of[0] = arm_y * nz - arm_z * ny
        row_of[1] = arm_z * nx - arm_x * nz
        row_of[2] = arm_x * ny - arm_y * nx
        row_of[3], row_of[4], row_of[5] = nx, ny, nz
        for i in range(6):
            right[i] += weight * row_of[i] * residual
            for j in range(i + 1):
                matrix[i, j] += weight * row_of[i] * row_of[j]
        sums[0] += 1
        sums[1] += residual * residual
        sums[2] += weight * residual * residual
        sums[3] += abs(residual) <= close_mm
    for i in range(6):
        for j in range(i):
            matrix[j, i] = matrix[i, j]
    return matrix, right, sums
