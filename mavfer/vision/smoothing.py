"""Landmarks of a take without their jitter and without lag.

Head motion and expression have different speeds, so they are parted first: each frame's similarity
to the mean face is the pose, what is left in the head's own frame is the shape. Both are smoothed
by a filter that looks forward as far as it looks back. A frame depends on those around it alone, so
a take may be smoothed piece by piece, with `REACH` frames of company to each side.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import InvalidArray
from mavfer.vision.landmarks import LANDMARKS, is_found, known_points
from mavfer.vision.mean_face import MEAN_FACE

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["REACH", "smooth_landmarks"]

REACH: Final = 16
"""Frames to each side that a smoothed frame can depend on: half its window, a gap that is bridged,
and the rest of the window behind that."""

_POSE_WINDOW: Final = 9
_POSE_ORDER: Final = 4
"""A parabola cuts the corners of a head that is shaken twice a second by half a pixel, a polynomial
of fourth order by none that matters."""
_SHAPE_WINDOW: Final = 9
_SHAPE_ORDER: Final = 2
_FREE: Final = 3
"""Frames by which a window is longer than its polynomial's order, so that it still smooths."""
_LONGEST_GAP: Final = 5
_SHORTEST_WINDOW: Final = 5


def smooth_landmarks(
    landmarks: NDArray[np.float32],
    *,
    pose_window: int = _POSE_WINDOW,
    shape_window: int = _SHAPE_WINDOW,
    longest_gap: int = _LONGEST_GAP,
) -> NDArray[np.float32]:
    """Smoothed copy of the landmarks of a take, NaN where they are NaN.

    Gaps of up to `longest_gap` frames are bridged for the filter's sake only; at longer ones the
    take is split and each segment smoothed by itself. Segments of fewer than 5 frames stay raw, and
    so do points that are not known in all frames with a face.

    Args:
        landmarks: (T, 68, 2) pixels, NaN in frames without a face and at points that the landmark
            model does not know.
        pose_window: Frames over which position, angle and size are smoothed, odd.
        shape_window: Frames over which the shape is smoothed, odd.
        longest_gap: Longest run of missing frames inside a segment.

    Raises:
        InvalidArray: `landmarks` has another shape.

    Source: Savitzky and Golay 1964, Analytical Chemistry 36(8), order 4 for the pose and 2 for
        the shape; that split is ours.
    """
    if landmarks.ndim != 3 or landmarks.shape[1:] != (LANDMARKS, 2):  # noqa: PLR2004 (T, 68, 2)
        message = f"smoothing: needs landmarks (T, 68, 2), got {landmarks.shape}"
        raise InvalidArray(message)
    smoothed = landmarks.copy()
    frames = np.flatnonzero(is_found(landmarks))
    if frames.size == 0:
        return smoothed
    is_known = known_points(landmarks[frames]).all(axis=0)
    mean_face = MEAN_FACE[:, :2] @ np.array([1, 1j])
    for segment in np.split(frames, np.flatnonzero(np.diff(frames) > longest_gap + 1) + 1):
        whole = np.arange(segment[0], segment[-1] + 1)
        if len(whole) < _SHORTEST_WINDOW:
            continue
        points = landmarks[segment][:, is_known].astype(np.float64) @ np.array([1, 1j])  # (N, K)
        bridged = _bridge(whole, segment, points)
        smooth = _smooth_segment(bridged, mean_face[is_known], pose_window, shape_window)
        result = smooth[segment - segment[0]]
        smoothed[np.ix_(segment, is_known)] = np.stack([result.real, result.imag], axis=-1)
    return smoothed


def _bridge(
    whole: NDArray[np.int64], known: NDArray[np.int64], points: NDArray[np.complex128]
) -> NDArray[np.complex128]:
    """Points (N, K) for all frames of a segment, linear between the known ones."""
    if len(whole) == len(known):
        return points
    return np.stack([np.interp(whole, known, column) for column in points.T], axis=1)


def _smooth_segment(
    points: NDArray[np.complex128],
    mean_face: NDArray[np.complex128],
    pose_window: int,
    shape_window: int,
) -> NDArray[np.complex128]:
    """Points (N, K), as complex numbers, with pose and shape smoothed apart.

    As a complex number x + iy a similarity is one product and one sum, so a frame's best turn and
    size is one ratio (Umeyama 1991 in two dimensions).
    """
    centre = points.mean(axis=1)
    centred = points - centre[:, None]
    mean = mean_face - mean_face.mean()
    turn = (centred @ mean.conj()) / (mean @ mean.conj())
    shape = _filter(centred / turn[:, None], shape_window, _SHAPE_ORDER)
    size = np.exp(_filter(np.log(np.abs(turn)), pose_window, _POSE_ORDER))
    angle = _filter(np.unwrap(np.angle(turn)), pose_window, _POSE_ORDER)
    centre = _filter(centre, pose_window, _POSE_ORDER)
    result: NDArray[np.complex128] = centre[:, None] + (size * np.exp(1j * angle))[:, None] * shape
    return result


def _filter(values: NDArray[Any], window: int, order: int) -> NDArray[Any]:
    """Values (N, ...) smoothed along time, window and order smaller for short segments."""
    longest_odd = len(values) - (len(values) + 1) % 2
    shortened = min(window, longest_odd)
    return _savitzky_golay(values, shortened, min(order, shortened - _FREE))


def _savitzky_golay(values: NDArray[Any], window: int, order: int) -> NDArray[Any]:
    """Each of the values (N, ...) read off the polynomial through the window (odd) around it.

    The first and last half window are read off the polynomial through the first and last window. It
    is what `scipy.signal.savgol_filter` does, whose import would take a second of every run.
    """
    half = window // 2
    onto_polynomial = _onto_polynomial(window, order)
    count = len(values) - window + 1
    middle = sum(
        weight * values[start : start + count] for start, weight in enumerate(onto_polynomial[half])
    )
    first, last = (
        onto_polynomial[:half] @ values[:window],
        onto_polynomial[half + 1 :] @ values[-window:],
    )
    return np.concatenate([first, middle, last])


@lru_cache(maxsize=16)
def _onto_polynomial(window: int, order: int) -> NDArray[np.float64]:
    """Matrix (window, window) from values to those of the closest polynomial."""
    half = window // 2
    terms = np.vander(np.arange(-half, half + 1) / half, order + 1)
    onto: NDArray[np.float64] = terms @ np.linalg.pinv(terms)
    return onto
