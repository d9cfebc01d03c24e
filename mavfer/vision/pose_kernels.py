"""Inner loops of lifting landmarks and of the head's pose; imported only where numba is installed.

A face has 68 landmarks: what numpy does to so few is nearly all the cost of calling it.
"""
# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

from mavfer.vision.fitting_kernels import fit_rigid, least_squares
from mavfer.vision.lens_kernels import unproject

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["fill_surface", "fit_head", "lift"]

_PATCH: Final = 2
_SIDE: Final = 2 * _PATCH + 1
_INWARD: Final = 0.1
"""Landmarks of the jaw are read this share of the way to the face's middle: on skin, not beside."""
_TOO_DEEP_MM: Final = 110.0
_TOO_NEAR_MM: Final = 60.0
_MIN_SHARE: Final = 0.3
_MIN_POINTS: Final = 3
"""Of the known landmarks, that must lie on measured depth."""
_LINEAR: Final = 3
_QUADRATIC: Final = 6
"""Terms of a plane, and of a surface of second order."""
_OUTLIER_MM: Final = 8.0
_MIN_CLOSE: Final = 4
"""Points that a second fit needs to be better than the first."""


@njit(cache=True, nogil=True, error_model="numpy")
def lift(
    landmarks: NDArray[np.float64],
    depth_crop: NDArray[np.uint16],
    crop_matrix: NDArray[np.float64],
    lens: NDArray[np.float64],
    skew: float,
    kinds: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Landmarks as points (68, 3) in mm in the color camera's frame; all NaN without depth.

    Args:
        landmarks: (68, 2) pixels of the color frame, NaN where unknown.
        depth_crop: uint16 (H, W) mm, 0 = none.
        crop_matrix: (2, 3) from the color frame's pixels to the crop's.
        lens: (9,) of the color camera.
        skew: Of the color camera's matrix, pixels.
        kinds: (3, 68), true for landmarks within the face, of the jaw, of the nose.
    """
    points_mm = np.full((len(landmarks), 3), np.nan)
    in_crop = _to_crop(crop_matrix, landmarks)
    depth = _read_depth(depth_crop, _inside(in_crop, kinds[1], kinds[2]))
    is_known = _are_known(landmarks)
    if not _drop_what_is_elsewhere(depth, is_known, kinds[0]):
        return points_mm
    fill_surface(depth, in_crop, is_known)
    for point in range(len(landmarks)):
        if is_known[point]:
            y = landmarks[point, 1]
            u, v = unproject(lens, landmarks[point, 0] - skew * (y - lens[3]) / lens[1], y)
            points_mm[point, 0] = u * depth[point]
            points_mm[point, 1] = v * depth[point]
            points_mm[point, 2] = depth[point]
    return points_mm


@njit(cache=True, nogil=True, error_model="numpy")
def _are_known(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """True (N,) for points (N, K) of which every coordinate is a number."""
    are_known = np.ones(len(points), np.bool_)
    for point in range(points.shape[0]):
        for axis in range(points.shape[1]):
            are_known[point] &= np.isfinite(points[point, axis])
    return are_known


@njit(cache=True, nogil=True, error_model="numpy")
def _chosen(points: NDArray[np.float64], is_chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Those of points (N, K) that are chosen, coordinate by coordinate: (K, M)."""
    chosen = np.empty((points.shape[1], is_chosen.sum()))
    count = 0
    for point in range(len(points)):
        if is_chosen[point]:
            for axis in range(len(chosen)):
                chosen[axis, count] = points[point, axis]
            count += 1
    return chosen


@njit(cache=True, nogil=True, error_model="numpy")
def _median(values: NDArray[np.float64]) -> float:
    """Median of values (N,), which are brought into order; NaN of none."""
    count = len(values)
    for end in range(1, count):
        value, place = values[end], end
        while place > 0 and values[place - 1] > value:
            values[place] = values[place - 1]
            place -= 1
        values[place] = value
    return (values[(count - 1) // 2] + values[count // 2]) / 2 if count else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _to_crop(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (N, 2) moved by an affine matrix (2, 3)."""
    moved = np.empty_like(points)
    for point in range(len(points)):
        x, y = points[point, 0], points[point, 1]
        for axis in range(2):
            moved[point, axis] = matrix[axis, 0] * x + matrix[axis, 1] * y + matrix[axis, 2]
    return moved


@njit(cache=True, nogil=True, error_model="numpy")
def _inside(
    points: NDArray[np.float64], is_jaw: NDArray[np.bool_], is_nose: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Points (N, 2) of the crop with those of the jaw moved a little towards the known nose."""
    inside = points.copy()
    nose = _chosen(points, is_nose & _are_known(points))
    for axis in range(2):
        middle = nose[axis].mean()
        for point in np.flatnonzero(is_jaw):
            inside[point, axis] += _INWARD * (middle - points[point, axis])
    return inside


@njit(cache=True, nogil=True, error_model="numpy")
def _read_depth(depth_crop: NDArray[np.uint16], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Depth (N,) at points (N, 2) of the crop: NaN where no more than a line's pixels have one."""
    height, width = depth_crop.shape
    depth = np.full(len(points), np.nan)
    measured = np.empty(_SIDE * _SIDE)
    for point in range(len(points)):
        x, y = np.rint(points[point, 0]), np.rint(points[point, 1])
        # Nothing is read at NaN, nor at what is too large for an integer.
        if -_PATCH <= x < width + _PATCH and -_PATCH <= y < height + _PATCH:
            count = _read_patch(depth_crop, int(x), int(y), measured)
            if count > _SIDE:
                depth[point] = _median(measured[:count])
    return depth


@njit(cache=True, nogil=True, error_model="numpy")
def _read_patch(
    depth_crop: NDArray[np.uint16], x: int, y: int, measured: NDArray[np.float64]
) -> int:
    """How many pixels around one have depth; writes theirs into `measured` (25,)."""
    height, width = depth_crop.shape
    count = 0
    for row in range(max(y - _PATCH, 0), min(y + _PATCH + 1, height)):
        for column in range(max(x - _PATCH, 0), min(x + _PATCH + 1, width)):
            if depth_crop[row, column] > 0:
                measured[count] = depth_crop[row, column]
                count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _drop_what_is_elsewhere(
    depth: NDArray[np.float64], is_known: NDArray[np.bool_], is_inner: NDArray[np.bool_]
) -> bool:
    """Sets depth (N,) that is not the face's own to NaN; False where too little remains."""
    has_depth = is_known & np.isfinite(depth)
    middle = _median(_chosen(depth.reshape(-1, 1), has_depth & is_inner)[0])
    remaining = 0
    for point in range(len(depth)):
        # Never where there is no depth to compare with: the middle is NaN then.
        if has_depth[point] and -_TOO_NEAR_MM <= depth[point] - middle <= _TOO_DEEP_MM:
            remaining += 1
        else:
            depth[point] = np.nan
    return bool(remaining >= max(_MIN_POINTS, _MIN_SHARE * is_known.sum()))


@njit(cache=True, nogil=True, error_model="numpy")
def fill_surface(
    depth: NDArray[np.float64], points: NDArray[np.float64], is_known: NDArray[np.bool_]
) -> None:
    """Gives known points (N, 2) without depth (N,) that of a smooth surface through the others.

    The surface is of second order, or a plane where few have depth, by least squares; it is cut
    off at the nearest and the farthest depth of the others.
    """
    has_depth = np.isfinite(depth)
    missing = np.flatnonzero(is_known & ~has_depth)
    if len(missing) == 0:
        return
    count = _QUADRATIC if has_depth.sum() > 2 * _QUADRATIC else _LINEAR
    terms = _terms(_standardised(points, is_known), count)
    values = _chosen(depth.reshape(-1, 1), has_depth)[0]
    weights = least_squares(_chosen(terms, has_depth), values)
    low, high = values.min(), values.max()
    for point in missing:
        surface = 0.0
        for term in range(count):
            surface += weights[term] * terms[point, term]
        depth[point] = min(max(surface, low), high)


@njit(cache=True, nogil=True, error_model="numpy")
def _standardised(points: NDArray[np.float64], is_known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Points (N, 2), moved and stretched so that the known ones have mean 0 and deviation 1."""
    known = _chosen(points, is_known)
    standardised = np.empty_like(points)
    for axis in range(2):
        middle, deviation = known[axis].mean(), known[axis].std()
        # Points of one line differ in one direction alone.
        scale = 1 / deviation if deviation > 0 else 0.0
        for point in range(len(points)):
            standardised[point, axis] = (points[point, axis] - middle) * scale
    return standardised


@njit(cache=True, nogil=True, error_model="numpy")
def _terms(points: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """The first `count` of 1, x, y, x², xy, y² of points (N, 2): (N, count)."""
    terms = np.empty((len(points), count))
    for point in range(len(points)):
        x, y = points[point, 0], points[point, 1]
        terms[point, 0], terms[point, 1], terms[point, 2] = 1.0, x, y
        if count == _QUADRATIC:
            terms[point, 3], terms[point, 4], terms[point, 5] = x * x, x * y, y * y
    return terms


@njit(cache=True, nogil=True, error_model="numpy")
def fit_head(
    model_mm: NDArray[np.float64], points_mm: NDArray[np.float64], is_inner: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rotation (3, 3) and place (3,) of the head, from its inner points.

    Args:
        model_mm: (68, 3), the mean face.
        points_mm: (68, 3), where its points are, NaN where unknown.
        is_inner: (68,), true for points within the face.
    """
    is_used = is_inner & _are_known(points_mm)
    source, target = _chosen(model_mm, is_used), _chosen(points_mm, is_used)
    rotation, scale, shift = fit_rigid(source, target)
    distances = _distances(rotation, scale, shift, source, target)
    if _drop_distant(is_used, distances) >= _MIN_CLOSE:
        source, target = _chosen(model_mm, is_used), _chosen(points_mm, is_used)
        rotation, _, shift = fit_rigid(source, target)
    return rotation, shift


@njit(cache=True, nogil=True, error_model="numpy")
def _drop_distant(is_used: NDArray[np.bool_], distances: NDArray[np.float64]) -> int:
    """How many of the used points (68,) stay used; `distances` are those of the used ones."""
    limit = max(_OUTLIER_MM, 2 * _median(distances.copy()))
    used, close = 0, 0
    for point in range(len(is_used)):
        if is_used[point]:
            is_used[point] = distances[used] < limit
            close += is_used[point]
            used += 1
    return close


@njit(cache=True, nogil=True, error_model="numpy")
def _distances(
    rotation: NDArray[np.float64],
    scale: float,
    shift: NDArray[np.float64],
    source: NDArray[np.float64],
    target: NDArray[np.float64],
) -> NDArray[np.float64]:
    """How far (N,) the moved `source` (3, N) is from `target` (3, N)."""
    squares = np.zeros(source.shape[1])
    for axis in range(3):
        for point in range(source.shape[1]):
            apart = shift[axis] - target[axis, point]
            for other in range(3):
                apart += scale * rotation[axis, other] * source[other, point]
            squares[point] += apart * apart
    return np.sqrt(squares)
