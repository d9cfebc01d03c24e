"""How good the crops of a frame are, in numbers that stand beside them in the shard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import require
from mavfer.vision.geometry import apply_matrix, invert_matrix

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
    """Measures of the crops of one frame; all NaN where the landmarks are NaN.

    Args:
        color_crop: uint8 (H, W, 3) RGB.
        landmarks: (68, 2) pixels of the color frame.
        crop_matrix: (2, 3) from the frame's pixels to the crop's.
        frame_shape: Height and width of the color frame.
        depth_crop: uint16 (H, W), 0 = none.
        thermal_crop: uint16 (H, W), 0 = none.
    """
    if not (np.isfinite(landmarks).all() and np.isfinite(crop_matrix).all()):
        return CropQuality(*(np.nan,) * 6)
    cv2: Any = require("cv2", "preprocess")
    hull = face_hull(landmarks, crop_matrix, color_crop.shape[:2])
    if not hull.any():
        return CropQuality(np.nan, np.nan, np.nan, 0.0, np.nan, np.nan)
    gray = cv2.cvtColor(color_crop, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(gray, (_BLUR_SIZE, _BLUR_SIZE), interpolation=cv2.INTER_AREA)
    return CropQuality(
        blur=float(cv2.Laplacian(small, cv2.CV_32F).var()),
        brightness=cv2.mean(gray, hull.view(np.uint8))[0],
        saturation=_share(np.maximum.reduce(cv2.split(color_crop)) >= _SATURATED, hull),
        inside=_inside_share(hull, crop_matrix, frame_shape),
        depth_coverage=_coverage(depth_crop, hull),
        thermal_coverage=_coverage(thermal_crop, hull),
    )


def face_hull(
    landmarks: NDArray[Any], crop_matrix: NDArray[np.float64], shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """The face in a crop, brows to chin: the convex hull of the landmarks, bool (H, W)."""
    cv2: Any = require("cv2", "preprocess")
    points = apply_matrix(crop_matrix, landmarks.astype(np.float64))
    outline = cv2.convexHull(np.rint(points).astype(np.int32))
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, outline, 1)
    return mask.astype(bool)


def _coverage(crop: NDArray[np.uint16] | None, hull: NDArray[np.bool_]) -> float:
    """Share of the face where a crop is not 0."""
    return np.nan if crop is None else _share(crop > 0, hull)


def _share(chosen: NDArray[np.bool_], hull: NDArray[np.bool_]) -> float:
    """Share of the face's pixels that are chosen."""
    return float(np.count_nonzero(chosen & hull) / np.count_nonzero(hull))


def _inside_share(
    hull: NDArray[np.bool_], crop_matrix: NDArray[np.float64], frame_shape: tuple[int, int]
) -> float:
    """Share of the face that lies inside the frame, from one in 16 pixels."""
    row, column = np.divmod(np.flatnonzero(hull)[:: _INSIDE_STEP**2], hull.shape[1])
    in_crop = np.stack([column, row], axis=1).astype(np.float64)
    x, y = apply_matrix(invert_matrix(crop_matrix), in_crop).T
    is_inside = (x >= 0) & (x <= frame_shape[1] - 1) & (y >= 0) & (y <= frame_shape[0] - 1)
    return float(is_inside.mean())
