"""Inner loop of carrying; imported only where numba is installed."""
# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["normal_equations"]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _find_point(
    x: float,
    y: float,
    z: float,
    lens: NDArray[np.float64],
    depth: NDArray[np.float32],
) -> tuple[int, int]:
    """Row and column of the depth pixel that sees a point; row -1 where none does."""
    if z <= 0:
        return -1, -1
    u, v = x / z, y / z
    r2 = u * u + v * v
    radial = 1 + r2 * (lens[4] + r2 * (lens[5] + r2 * lens[8]))
    distorted_u = u * radial + 2 * lens[6] * u * v + lens[7] * (r2 + 2 * u * u)
    distorted_v = v * radial + lens[6] * (r2 + 2 * v * v) + 2 * lens[7] * u * v
    column = int(np.floor(lens[0] * distorted_u + lens[2] + 0.5))
    row = int(np.floor(lens[1] * distorted_v + lens[3] + 0.5))
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
    depth: NDArray[np.float32],
    rays: NDArray[np.float32],
    lens: NDArray[np.float64],
    softness_mm: float,
    reject_mm: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], int, float]:
    """One linearised step of point-to-plane registration by projective association.

    Returns:
        (6, 6) matrix and (6,) right-hand side for turn and shift about `middle`, number of
        inliers, and their summed squared residual in mm².
    """
    matrix = np.zeros((6, 6))
    right = np.zeros(6)
    row_of = np.zeros(6)
    inliers, squares = 0, 0.0
    for index in range(len(points)):
        turned_x, turned_y, turned_z = _turned(motion, points, index)
        x, y, z = turned_x + motion[0, 3], turned_y + motion[1, 3], turned_z + motion[2, 3]
        row, column = _find_point(x, y, z, lens, depth)
        if row < 0:
            continue
        seen = depth[row, column]
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
        inliers += 1
        squares += residual * residual
    for i in range(6):
        for j in range(i):
            matrix[j, i] = matrix[i, j]
    return matrix, right, inliers, squares
