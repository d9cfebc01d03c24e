"""Least squares in compiled code: weights of terms, and a rigid motion; needs numba.

Both come from Jacobi's method on one side, in a few lines and without a library: numba has none of
its own, and for matrices as small as these it is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["fit_rigid", "least_squares"]

_EPSILON: Final = 2.0**-52
_SWEEPS: Final = 30
"""Never reached: six sweeps are many for vectors as few as these."""


@njit(cache=True, nogil=True, error_model="numpy")
def least_squares(terms: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smallest weights (K,) by which terms (K, N) add up closest to values (N,).

    What the terms do not tell apart, within rounding, is left at 0, as `numpy.linalg.lstsq` does.
    The terms are turned in place.
    """
    turns = _orthogonalise(terms)
    squares = _square_lengths(terms)
    count, points = terms.shape
    negligible = (_EPSILON * max(count, points)) ** 2 * squares.max()
    weights = np.zeros(count)
    for term in range(count):
        if squares[term] > negligible:
            share = 0.0
            for point in range(points):
                share += terms[term, point] * values[point] / squares[term]
            for other in range(count):
                weights[other] += share * turns[term, other]
    return weights


@njit(cache=True, nogil=True, error_model="numpy")
def fit_rigid(
    source: NDArray[np.float64], target: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """Rotation (3, 3), scale and shift (3,) that bring `source` (3, N) closest to `target`.

    Source: Umeyama 1991, IEEE TPAMI 13(4), equations 40-43.
    """
    source_centre, target_centre = _means(source), _means(target)
    products, size = np.zeros((3, 3)), 0.0
    for column in range(3):
        for point in range(source.shape[1]):
            a = source[column, point] - source_centre[column]
            size += a * a
            for row in range(3):
                products[row, column] += (target[row, point] - target_centre[row]) * a
    rotation = _closest_rotation(products)
    scale, shift = 0.0, target_centre
    for row in range(3):
        for column in range(3):
            scale += rotation[row, column] * products[row, column] / size
    for row in range(3):
        for column in range(3):
            shift[row] -= scale * rotation[row, column] * source_centre[column]
    return rotation, scale, shift


@njit(cache=True, nogil=True, error_model="numpy")
def _means(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means (K,) of vectors (K, N)."""
    means = np.empty(len(vectors))
    for vector in range(len(vectors)):
        means[vector] = vectors[vector].mean()
    return means


@njit(cache=True, nogil=True, error_model="numpy")
def _closest_rotation(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation (3, 3), never a reflection, whose product with a matrix (3, 3) is largest.

    Source: Horn 1987, JOSA A 4(4), 629-642, section 4: as a quaternion it is the eigenvector of the
        largest eigenvalue of a symmetric matrix (4, 4).
    """
    xx, xy, xz = products[0, 0], products[1, 0], products[2, 0]
    yx, yy, yz = products[0, 1], products[1, 1], products[2, 1]
    zx, zy, zz = products[0, 2], products[1, 2], products[2, 2]
    # No eigenvalue is below minus the trace norm: with twice the Frobenius norm added all are
    # positive, so that the largest is also the longest of the orthogonal vectors.
    added = 2 * np.sqrt((products * products).sum())
    vectors = np.array(
        [
            [added + xx + yy + zz, yz - zy, zx - xz, xy - yx],
            [yz - zy, added + xx - yy - zz, xy + yx, zx + xz],
            [zx - xz, xy + yx, added - xx + yy - zz, yz + zy],
            [xy - yx, zx + xz, yz + zy, added - xx - yy + zz],
        ]
    )
    turns = _orthogonalise(vectors)
    longest = np.argmax(_square_lengths(vectors))
    rotation: NDArray[np.float64] = _rotation_of(turns[longest])
    return rotation


@njit(cache=True, nogil=True, error_model="numpy")
def _rotation_of(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation (3, 3) of a unit quaternion (4,), its real part first (Horn 1987, section 3)."""
    w, x, y, z = quaternion[0], quaternion[1], quaternion[2], quaternion[3]
    rotation: NDArray[np.float64] = np.array(
        [
            [w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z],
        ]
    )
    return rotation


@njit(cache=True, nogil=True, error_model="numpy")
def _orthogonalise(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turns vectors (K, N) among each other, in place, until all are orthogonal.

    Their lengths are then the singular values of what they were.

    Returns:
        (K, K), orthonormal: the vectors as they are now, of those that they were.

    Source: Hestenes 1958, Journal of SIAM 6(1), 51-90: Jacobi's method on one side. Nothing is
        squared that is later divided by, so nothing is lost where vectors are nearly alike.
    """
    count = len(vectors)
    turns = np.zeros((count, count))
    for vector in range(count):
        turns[vector, vector] = 1
    for _ in range(_SWEEPS):
        is_orthogonal = True
        for first in range(count - 1):
            for second in range(first + 1, count):
                cosine, sine = _turn_between(vectors[first], vectors[second])
                if sine != 0:
                    is_orthogonal = False
                    _turn(vectors, first, second, cosine, sine)
                    _turn(turns, first, second, cosine, sine)
        if is_orthogonal:
            break
    return turns


@njit(cache=True, nogil=True, error_model="numpy")
def _turn_between(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float]:
    """Cosine and sine of the turn that makes two vectors orthogonal; sine 0 where they are."""
    aa, bb, ab = 0.0, 0.0, 0.0
    for index in range(len(a)):
        aa += a[index] * a[index]
        bb += b[index] * b[index]
        ab += a[index] * b[index]
    if abs(ab) <= _EPSILON * np.sqrt(aa * bb):
        return 1.0, 0.0
    cotangent = (bb - aa) / (2 * ab)
    tangent = 1 / (abs(cotangent) + np.sqrt(1 + cotangent * cotangent))
    tangent = tangent if cotangent >= 0 else -tangent
    cosine = 1 / np.sqrt(1 + tangent * tangent)
    return cosine, cosine * tangent


@njit(cache=True, nogil=True, error_model="numpy")
def _turn(
    vectors: NDArray[np.float64], first: int, second: int, cosine: float, sine: float
) -> None:
    """Turns two of the vectors (K, N) into each other, in place."""
    for index in range(vectors.shape[1]):
        a, b = vectors[first, index], vectors[second, index]
        vectors[first, index] = cosine * a - sine * b
        vectors[second, index] = sine * a + cosine * b


@njit(cache=True, nogil=True, error_model="numpy")
def _square_lengths(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squares (K,) of the lengths of vectors (K, N)."""
    squares = np.zeros(len(vectors))
    for vector in range(vectors.shape[0]):
        for axis in range(vectors.shape[1]):
            squares[vector] += vectors[vector, axis] ** 2
    return squares
