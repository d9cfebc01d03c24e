"""Sixty-eight landmarks, of which a model may know all or five, and the box around them.

Arrays of landmarks always have 68 rows, so an index means the same point everywhere; the points
that a model does not know are NaN. A face is found where its five stable points are known: the
corners of the eyes and the base of the nose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.vision.geometry import apply_matrix, estimate_similarity
from mavfer.vision.mean_face import MEAN_FACE

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "FIVE_POINTS",
    "LANDMARKS",
    "Box",
    "box_from_landmarks",
    "complete_landmarks",
    "is_found",
    "known_points",
]

LANDMARKS: Final = 68
FIVE_POINTS: Final = (45, 42, 36, 39, 33)
"""What the 5-point model knows, in its order: the corners of both eyes, the base of the nose."""

_FIVE_ROWS: Final = np.array(FIVE_POINTS)
_CENTRE_OFFSET: Final = (-0.02, -0.11)
_WIDTH_IN_RADII: Final = 2.73
"""The detector's boxes as seen from the landmarks, averaged over real clips (ours)."""


@dataclass(frozen=True)
class Box:
    """A square around a face: from brows to chin, as dlib's detector draws it."""

    x: float
    """Centre, pixels."""
    y: float
    """Centre, pixels."""
    width: float
    """Side, pixels."""

    def to_square(self, side: float, margin: float) -> NDArray[np.float64]:
        """Matrix (2, 3) that brings the box to a square of `side` pixels behind a margin."""
        scale = side / self.width
        middle = margin + (side - 1) / 2
        return np.array([[scale, 0, middle - scale * self.x], [0, scale, middle - scale * self.y]])

    def distance(self, other: Box) -> float:
        """Distance of the centres as a share of this box's width."""
        return float(np.hypot(self.x - other.x, self.y - other.y)) / self.width


def known_points(landmarks: NDArray[Any]) -> NDArray[np.bool_]:
    """True (..., 68) where a point of landmarks (..., 68, 2) is known."""
    # Coordinate by coordinate: numpy reduces an axis of two several times more slowly.
    is_known = np.isfinite(landmarks[..., 0])
    for axis in range(1, landmarks.shape[-1]):
        is_known = is_known & np.isfinite(landmarks[..., axis])
    return np.asarray(is_known)


def is_found(landmarks: NDArray[Any]) -> NDArray[np.bool_]:
    """True (...) where landmarks (..., 68, 2) are those of a face: the five points are known."""
    return np.asarray(np.isfinite(landmarks.take(_FIVE_ROWS, axis=-2)).all(axis=(-2, -1)))


def complete_landmarks(landmarks: NDArray[Any]) -> NDArray[np.float64]:
    """Landmarks (68, 2) of a face, the unknown ones where the mean face has them."""
    points = landmarks.astype(np.float64)
    is_known = known_points(points)
    if not is_known.all():
        flat = MEAN_FACE[:, :2]
        matrix = estimate_similarity(flat[is_known], points[is_known])
        points[~is_known] = apply_matrix(matrix, flat[~is_known])
    return points


def box_from_landmarks(landmarks: NDArray[Any]) -> Box:
    """The box that the detector would draw around landmarks (68, 2), of which some may be NaN."""
    points = complete_landmarks(landmarks)
    x, y = (points.sum(axis=0) / LANDMARKS).tolist()
    apart = (points - (x, y)).ravel()
    radius = math.sqrt(float(apart @ apart) / LANDMARKS)
    right, down = _CENTRE_OFFSET
    return Box(x + right * radius, y + down * radius, _WIDTH_IN_RADII * radius)
