"""How good the crops of a frame are, in numbers that stand beside them in the shard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import require
from mavfer.vision.geometry import apply_matrix, invert_matrix
from mavfer.vision.landmarks import complete_landmarks, is_found

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CropQuality", "face_hull", "measure_crop"]

_BLUR_SIZE: Final = 112
_SATURATED: Final = 250
_INSIDE_STEP: Final = 4


@dataclass(frozen=True)
class CropQuality:
    """Measures of one frame's crops; NaN where unknown."""

    blur: float
    """Variance of the Laplacian of the gray crop at 112 px: sharp faces above 100, dark or blurred
    ones below 20."""
    brightness: float
    """Mean gray level of the face, 0 to 255."""
    saturation: float
    """Share of the face's pixels in which a channel is at 250 or above."""
    inside: float
    """Share of the face inside the color frame."""
    depth_coverage: float
    """Share of the face with depth; NaN without a depth crop."""
    thermal_coverage: float
    """Share of the face with temperatures; NaN without a thermal crop."""


def measure_crop(
    color_crop: NDArray[np.uint8],
    landmarks: NDArray[Any],
    crop_matrix: NDArray[np.float64],
    frame_shape: tuple[int, int],
    *,
    depth_crop: NDArray[np.uint16] | None = None,
    thermal_crop: NDArray[np.uint16] | None = None,
) -> CropQuality:
    """Measures of the crops of one frame; all NaN where there is no face.

    Args:
        color_crop: uint8 (H, W, 3) RGB.
        landmarks: (68, 2) pixels of the color frame; NaN at points that the model does not know.
        crop_matrix: (2, 3) from the frame's pixels to the crop's.
        frame_shape: Height and width of the color frame.
        depth_crop: uint16 (H, W), 0 = none.
        thermal_crop: uint16 (H, W), 0 = none.
    """
    if not (is_found(landmarks) and np.isfinite(crop_matrix).all()):
        return CropQuality(*(np.nan,) * 6)
    cv2: Any = require("cv2", "preprocess")
    hull = face_hull(landmarks, crop_matrix, color_crop.shape[:2])
    if not hull.any():
        return CropQuality(np.nan, np.nan, np.nan, 0.0, np.nan, np.nan)
    gray = cv2.cvtColor(color_crop, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(gray, (_BLUR_SIZE, _BLUR_SIZE), interpolation=cv2.INTER_AREA)
    _, edge_deviation = cv2.meanStdDev(cv2.Laplacian(small, cv2.CV_32F))
    pixels, grays, saturated, deep, warm = _count_face(
        hull, color_crop, gray, depth_crop, thermal_crop
    )
    return CropQuality(
        blur=float(edge_deviation[0, 0] ** 2),
        brightness=grays / pixels,
        saturation=saturated / pixels,
        inside=_inside_share(hull, crop_matrix, frame_shape),
        depth_coverage=np.nan if depth_crop is None else deep / pixels,
        thermal_coverage=np.nan if thermal_crop is None else warm / pixels,
    )


def face_hull(
    landmarks: NDArray[Any], crop_matrix: NDArray[np.float64], shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """The face in a crop, brows to chin: the convex hull of the landmarks, bool (H, W)."""
    cv2: Any = require("cv2", "preprocess")
    points = apply_matrix(crop_matrix, complete_landmarks(landmarks))
    outline = cv2.convexHull(np.rint(points).astype(np.int32))
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, outline, 1)
    return mask.astype(bool)


def _count_face(
    hull: NDArray[np.bool_],
    color: NDArray[np.uint8],
    gray: NDArray[np.uint8],
    depth: NDArray[np.uint16] | None,
    thermal: NDArray[np.uint16] | None,
) -> list[int]:
    """Pixels of the face, their gray levels, and how many are saturated, deep and warm."""
    require("numba", "preprocess")
    from mavfer.vision.quality_kernels import count_face

    nothing = np.empty((0, 0), np.uint16)
    sums = count_face(
        hull,
        np.ascontiguousarray(color),
        gray,
        nothing if depth is None else np.ascontiguousarray(depth),
        nothing if thermal is None else np.ascontiguousarray(thermal),
        _SATURATED,
    )
    return [int(total) for total in sums]


def _inside_share(
    hull: NDArray[np.bool_], crop_matrix: NDArray[np.float64], frame_shape: tuple[int, int]
) -> float:
    """Share of the face that lies inside the frame, from one in 16 pixels."""
    height, width = hull.shape
    frame_from_crop = invert_matrix(crop_matrix)
    rim = np.array([[0.0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]])
    if _is_inside(apply_matrix(frame_from_crop, rim), frame_shape).all():
        return 1.0
    row, column = np.divmod(np.flatnonzero(hull)[:: _INSIDE_STEP**2], width)
    in_crop = np.stack([column, row], axis=1).astype(np.float64)
    return float(_is_inside(apply_matrix(frame_from_crop, in_crop), frame_shape).mean())


def _is_inside(points: NDArray[np.float64], frame_shape: tuple[int, int]) -> NDArray[np.bool_]:
    """True (N,) for points of a frame's pixels that lie in the frame."""
    x, y = points.T
    return np.asarray((x >= 0) & (x <= frame_shape[1] - 1) & (y >= 0) & (y <= frame_shape[0] - 1))
