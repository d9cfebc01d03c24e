"""Crops without what is around the subject: a region of the head, and nothing beyond it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import InvalidArray, require
from mavfer.vision.geometry import apply_matrix, estimate_similarity
from mavfer.vision.landmarks import LANDMARKS, is_found, known_points
from mavfer.vision.mean_face import MEAN_FACE

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["blank_background", "subject_region"]

_SKULL_MIDDLE: Final = (0.0, 0.2)
_SKULL_HALF: Final = (1.35, 2.35)
"""The upper half of an ellipse over ears, forehead and hair, in distances of the eye centres from
midway between the eyes (ours: a head is 155 mm wide and its crown 120 mm above the eyes; 15 mm are
added for hair)."""
_SKULL_POINTS: Final = 24
_EXPANSION: Final = 1.1
"""Of the landmarks around their middle: beard, and what the jaw's contour misses."""
_HEAD_DEPTH_MM: Final = 150.0
"""What is further before or behind the face than a head is deep is not the head."""
_SPECK: Final = 3
"""Fewer pixels across than this are the noise of depth."""


def subject_region(
    landmarks: NDArray[Any],
    matrix: NDArray[np.float64],
    shape: tuple[int, int],
    depth_crop: NDArray[np.uint16] | None = None,
) -> NDArray[np.bool_]:
    """True (H, W) on the subject's head in a crop, nowhere where there is no face.

    The head is the landmarks' hull, somewhat larger, with forehead, ears and hair above it. Where
    depth is known, what is more than 150 mm before or behind the face is left out. Streams of a
    crop lie on one another, so one region is that of all of them.

    Args:
        landmarks: (68, 2) in pixels of the frame, NaN where unknown.
        matrix: (2, 3) from the frame's pixels to the crop's.
        shape: H and W of the crop.
        depth_crop: uint16 (H, W) mm, 0 = none.

    Raises:
        InvalidArray: `landmarks` has another shape.
    """
    if landmarks.shape != (LANDMARKS, 2):
        message = f"subject region: needs landmarks of shape (68, 2), got {landmarks.shape}"
        raise InvalidArray(message)
    if not is_found(landmarks) or not np.isfinite(matrix).all():
        return np.zeros(shape, np.bool_)
    is_known = known_points(landmarks)
    points = apply_matrix(matrix, landmarks[is_known].astype(np.float64))
    from_mean = estimate_similarity(MEAN_FACE[is_known, :2], points)
    face = apply_matrix(from_mean, MEAN_FACE[:, :2])
    face[is_known] = points
    head = np.concatenate([_expanded(face), apply_matrix(from_mean, _skull())])
    region = _hull(head, shape)
    if depth_crop is not None:
        region &= ~_is_elsewhere(depth_crop, _hull(face, shape))
    return region


def blank_background(picture: NDArray[Any], region: NDArray[np.bool_]) -> None:
    """Sets everything outside of a region to 0, in place.

    Args:
        picture: (H, W) or (H, W, channels): a crop of any stream, or its mask.
        region: (H, W), of `subject_region`.
    """
    picture[~region] = 0


def _expanded(points: NDArray[np.float64]) -> NDArray[np.float64]:
    middle = points.mean(axis=0)
    expanded: NDArray[np.float64] = middle + _EXPANSION * (points - middle)
    return expanded


def _skull() -> NDArray[np.float64]:
    """Points from ear to ear over the crown, on the mean face."""
    angle = np.linspace(-np.pi, 0, _SKULL_POINTS)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) * _SKULL_HALF + _SKULL_MIDDLE


def _hull(points: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """True (H, W) inside the convex hull of points (N, 2)."""
    cv2: Any = require("cv2", "preprocess")
    filled = np.zeros(shape, np.uint8)
    hull = cv2.convexHull(np.rint(points).astype(np.int32))
    return np.asarray(cv2.fillConvexPoly(filled, hull, 1), dtype=np.bool_)


def _is_elsewhere(depth_mm: NDArray[np.uint16], face: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """True (H, W) where depth says that a pixel is before or behind the head."""
    cv2: Any = require("cv2", "preprocess")
    on_face = depth_mm[face & (depth_mm > 0)]
    if not on_face.size:
        return np.zeros(depth_mm.shape, np.bool_)
    is_far = abs(depth_mm - np.median(on_face)) > _HEAD_DEPTH_MM
    far = (is_far & (depth_mm > 0)).astype(np.uint8)
    solid = cv2.morphologyEx(far, cv2.MORPH_OPEN, np.ones((_SPECK, _SPECK), np.uint8))
    return np.asarray(solid, dtype=np.bool_)
