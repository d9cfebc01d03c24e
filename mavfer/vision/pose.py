"""Landmarks in space, and where the head looks.

With depth, landmarks become points in millimetres and the pose is a rigid fit to the mean face;
without, the pose comes from the picture alone and knows the distance only for a face of mean size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from mavfer.errors import require
from mavfer.vision.geometry import euler_from_rotation
from mavfer.vision.landmarks import LANDMARKS, is_found, known_points
from mavfer.vision.lenses import lens_numbers
from mavfer.vision.mean_face import EYE_DISTANCE_MM, INNER_POINTS, JAW_POINTS, MEAN_FACE
from mavfer.vision.registration import register_depth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mavfer.vision.geometry import CameraModel

__all__ = ["HeadPose", "head_pose", "lift_from_crop", "lift_landmarks", "picture_pose"]

_NOSE_POINTS: Final = tuple(range(27, 36))
_LIFT_SIZE: Final = 224
_LIFT_FACE: Final = 0.7
_INNER: Final = np.array(INNER_POINTS)
_KINDS: Final = np.stack(
    [np.isin(np.arange(LANDMARKS), points) for points in (INNER_POINTS, JAW_POINTS, _NOSE_POINTS)]
)
"""(3, 68), which landmarks are of the kind."""
_MEAN_HEAD_MM: Final = MEAN_FACE * EYE_DISTANCE_MM


@dataclass(frozen=True)
class HeadPose:
    """Where the head is and looks; angles as in `geometry.rotation_from_euler`."""

    yaw: float
    """Degrees; positive turns the nose to the image's right."""
    pitch: float
    """Degrees; positive lowers the nose."""
    roll: float
    """Degrees; positive is clockwise in the image."""
    position_mm: NDArray[np.float64]
    """(3,) point midway between the eyes, in the color camera's frame."""
    source: Literal["depth", "picture"]
    """"picture": without depth, so that the distance holds for a face of mean size."""


def lift_landmarks(
    landmarks: NDArray[Any],
    depth_counts: NDArray[np.uint16],
    depth_mm_per_count: float,
    depth_camera: CameraModel,
    color_camera: CameraModel,
) -> NDArray[np.float64]:
    """Landmarks as points (68, 3) in mm in the color camera's frame; all NaN without depth.

    Points that the landmark model does not know stay NaN.

    Args:
        landmarks: (68, 2) pixels of the color frame.
        depth_counts: uint16 (H, W), 0 = none.
        depth_mm_per_count: Millimetres of one count.
        depth_camera: Model of the depth camera.
        color_camera: Model of the color camera.
    """
    if not is_found(landmarks):
        return np.full((len(landmarks), 3), np.nan)
    known = landmarks[known_points(landmarks)]
    low, high = known.min(axis=0), known.max(axis=0)
    scale = _LIFT_FACE * _LIFT_SIZE / float((high - low).max())
    shift = (_LIFT_SIZE - 1) / 2 - scale * (low + high) / 2
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    depth, _ = register_depth(
        depth_counts,
        depth_mm_per_count,
        depth_camera,
        color_camera,
        matrix,
        (_LIFT_SIZE, _LIFT_SIZE),
    )
    return lift_from_crop(landmarks, depth, color_camera, matrix)


def lift_from_crop(
    landmarks: NDArray[Any],
    depth_crop: NDArray[np.uint16],
    color_camera: CameraModel,
    crop_matrix: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Landmarks as points (68, 3) in mm in the color camera's frame; all NaN without depth.

    Points that the landmark model does not know stay NaN.

    The depth of a landmark is the median of the 5x5 crop pixels around it. The jaw's points lie on
    the rim, so they are read a little inside; a depth far off the face's own is background or a
    hand. What has no depth gets that of a smooth surface through the others.

    Args:
        landmarks: (68, 2) pixels of the color frame.
        depth_crop: uint16 (H, W) mm from `registration.register_depth`.
        color_camera: Model of the color camera.
        crop_matrix: (2, 3) from the color frame's pixels to the crop's.
    """
    if not is_found(landmarks):
        return np.full((len(landmarks), 3), np.nan)
    points_mm: NDArray[np.float64] = _kernels().lift(
        np.ascontiguousarray(landmarks, np.float64),
        np.ascontiguousarray(depth_crop),
        np.ascontiguousarray(crop_matrix, np.float64),
        lens_numbers(color_camera),
        color_camera.matrix[0, 1],
        _KINDS,
    )
    return points_mm


def head_pose(points_mm: NDArray[np.float64]) -> HeadPose | None:
    """Pose of the head from landmarks in space; None where they are NaN.

    A rigid motion with free size brings the mean face's inner points onto the head's; points off
    by more than 8 mm, an open mouth for one, are left out of a second fit.

    Args:
        points_mm: (68, 3) from `lift_landmarks` or `lift_from_crop`.

    Source: Umeyama 1991, IEEE TPAMI 13(4), equations 40-43, in three dimensions; the rotation by
        Horn 1987, JOSA A 4(4), section 4.
    """
    if not is_found(points_mm):
        return None
    rotation, position_mm = _kernels().fit_head(
        _MEAN_HEAD_MM, np.ascontiguousarray(points_mm, np.float64), _KINDS[0]
    )
    return _pose(rotation, position_mm, "depth")


def picture_pose(landmarks: NDArray[Any], color_camera: CameraModel) -> HeadPose | None:
    """Pose of the head from landmarks in the picture alone; None where they are NaN.

    Args:
        landmarks: (68, 2) pixels of the color frame.
        color_camera: Model of the color camera.

    Source: Terzakis and Lourakis 2020, ECCV (SQPnP), refined by Levenberg-Marquardt, in OpenCV.
    """
    if not is_found(landmarks):
        return None
    cv2: Any = require("cv2", "preprocess")
    inner = _INNER[known_points(landmarks[_INNER])]
    source = _MEAN_HEAD_MM[inner]
    rays = np.ascontiguousarray(color_camera.rays(landmarks[inner].astype(np.float64)))
    found, turn, shift = cv2.solvePnP(source, rays, np.eye(3), None, flags=cv2.SOLVEPNP_SQPNP)
    if not found:
        return None
    turn, shift = cv2.solvePnPRefineLM(source, rays, np.eye(3), None, turn, shift)
    rotation = np.asarray(cv2.Rodrigues(turn)[0], dtype=np.float64)
    return _pose(rotation, np.asarray(shift, dtype=np.float64).ravel(), "picture")


def _pose(
    rotation: NDArray[np.float64],
    position_mm: NDArray[np.float64],
    source: Literal["depth", "picture"],
) -> HeadPose:
    """A pose in degrees."""
    yaw, pitch, roll = (math.degrees(angle) for angle in euler_from_rotation(rotation))
    return HeadPose(yaw, pitch, roll, position_mm, source)


def _kernels() -> Any:
    """The compiled loops over landmarks, or the line that installs numba."""
    require("numba", "preprocess")
    from mavfer.vision import pose_kernels

    return pose_kernels
