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
_INSIDE_STEP: Final = 16
"""Of so many pixels of the face, one is looked at for the share inside."""
_NOTHING: Final = np.empty((0, 0), np.uint16)


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
    hull = face_hull(landmarks, crop_matrix, color_crop.shape[:2])
    if not hull.any():
        return CropQuality(np.nan, np.nan, np.nan, 0.0, np.nan, np.nan)
    kernels = _kernels()
    small, gray = _grays(color_crop)
    pixels, grays, saturated, deep, warm = kernels.count_face(
        hull,
        np.ascontiguousarray(color_crop),
        gray,
        _NOTHING if depth_crop is None else np.ascontiguousarray(depth_crop),
        _NOTHING if thermal_crop is None else np.ascontiguousarray(thermal_crop),
        _SATURATED,
    ).tolist()
    frame_from_crop = invert_matrix(crop_matrix)
    return CropQuality(
        blur=kernels.edge_variance(small),
        brightness=grays / pixels,
        saturation=saturated / pixels,
        inside=kernels.inside_share(hull, frame_from_crop, frame_shape, _INSIDE_STEP),
        depth_coverage=np.nan if depth_crop is None else deep / pixels,
        thermal_coverage=np.nan if thermal_crop is None else warm / pixels,
    )


def face_hull(
    landmarks: NDArray[Any], crop_matrix: NDArray[np.float64], shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """The face in a crop, brows to chin: the convex hull of the landmarks, bool (H, W)."""
    cv2: Any = require("cv2", "preprocess")
    points = apply_matrix(crop_matrix, complete_landmarks(landmarks))
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(points).astype(np.int32)), 1)
    return mask.view(np.bool_)


def _grays(color: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Gray levels of a crop (H, W, 3): at the size at which blur is measured, and at its own."""
    cv2: Any = require("cv2", "preprocess")
    gray = cv2.cvtColor(color, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(gray, (_BLUR_SIZE, _BLUR_SIZE), interpolation=cv2.INTER_AREA)
    return small, gray


def _kernels() -> Any:
    """The compiled loops over crops, or the line that installs numba."""
    require("numba", "preprocess")
    from mavfer.vision import quality_kernels

    return quality_kernels
