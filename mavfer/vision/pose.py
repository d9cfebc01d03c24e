"""Landmarks in space, and where the head looks.

With depth, landmarks become points in millimetres and the pose is a rigid fit to the mean face;
without, the pose comes from the picture alone and knows the distance only for a face of mean size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from mavfer.errors import require
from mavfer.vision.geometry import apply_matrix, euler_from_rotation
from mavfer.vision.landmarks import LANDMARKS, is_found, known_points
from mavfer.vision.mean_face import EYE_DISTANCE_MM, INNER_POINTS, JAW_POINTS, MEAN_FACE
from mavfer.vision.registration import register_depth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mavfer.vision.geometry import CameraModel

__all__ = ["HeadPose", "head_pose", "lift_from_crop", "lift_landmarks", "picture_pose"]

_NOSE_POINTS: Final = tuple(range(27, 36))
_PATCH: Final = 2
_INWARD: Final = 0.1
"""Landmarks of the jaw are read this share of the way to the face's middle: on skin, not beside."""
_TOO_DEEP_MM: Final = 110.0
_TOO_NEAR_MM: Final = 60.0
_MIN_SHARE: Final = 0.3
_MIN_POINTS: Final = 3
"""Of the known landmarks, that must lie on measured depth."""
_MIN_CLOSE: Final = 4
"""Points that a second fit needs to be better than the first."""
_LIFT_SIZE: Final = 224
_LIFT_FACE: Final = 0.7
_OUTLIER_MM: Final = 8.0
_QUADRATIC: Final = 6
_INNER: Final = list(INNER_POINTS)
_IS_INNER, _IS_JAW, _IS_NOSE = (
    np.isin(np.arange(LANDMARKS), points) for points in (_INNER, JAW_POINTS, _NOSE_POINTS)
)
"""(68,) each: which landmarks are of the kind."""
_BEHIND_ALL: Final = np.uint16(65535)


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
    points_mm = np.full((len(landmarks), 3), np.nan)
    if not is_found(landmarks):
        return points_mm
    known = np.flatnonzero(known_points(landmarks))
    in_color = landmarks[known].astype(np.float64)
    in_crop = apply_matrix(crop_matrix, in_color)
    depth = _read_depth(depth_crop, _inside(in_crop, known))
    inner_depth = depth[_IS_INNER[known] & np.isfinite(depth)]
    if not inner_depth.size:
        return points_mm
    apart = depth - np.median(inner_depth)
    depth[(apart > _TOO_DEEP_MM) | (apart < -_TOO_NEAR_MM)] = np.nan
    if np.isfinite(depth).sum() < max(_MIN_POINTS, _MIN_SHARE * len(known)):
        return points_mm
    depth = _complete(depth, in_crop)
    points_mm[known] = np.column_stack([color_camera.rays(in_color) * depth[:, None], depth])
    return points_mm


def _inside(in_crop: NDArray[np.float64], known: NDArray[np.int64]) -> NDArray[np.float64]:
    """Known points (K, 2) of the crop with those of the jaw moved a little inwards."""
    is_jaw, is_nose = _IS_JAW[known], _IS_NOSE[known]
    inside = in_crop.copy()
    inside[is_jaw] += _INWARD * (in_crop[is_nose].mean(axis=0) - in_crop[is_jaw])
    return inside


def head_pose(points_mm: NDArray[np.float64]) -> HeadPose | None:
    """Pose of the head from landmarks in space; None where they are NaN.

    A rigid motion with free size brings the mean face's inner points onto the head's; points off
    by more than 8 mm, an open mouth for one, are left out of a second fit.

    Args:
        points_mm: (68, 3) from `lift_landmarks` or `lift_from_crop`.

    Source: Umeyama 1991, IEEE TPAMI 13(4), equations 40-43, in three dimensions.
    """
    if not is_found(points_mm):
        return None
    inner = _known_inner(points_mm)
    source, target = MEAN_FACE[inner] * EYE_DISTANCE_MM, points_mm[inner]
    rotation, scale, shift = _fit_rigid(source, target)
    apart = np.linalg.norm(scale * source @ rotation.T + shift - target, axis=1)
    is_close = apart < max(_OUTLIER_MM, float(np.median(apart)) * 2)
    if is_close.sum() >= _MIN_CLOSE:
        rotation, _, shift = _fit_rigid(source[is_close], target[is_close])
    return _pose(rotation, shift, "depth")


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
    inner = _known_inner(landmarks)
    source = np.ascontiguousarray(MEAN_FACE[inner] * EYE_DISTANCE_MM)
    rays = np.ascontiguousarray(color_camera.rays(landmarks[inner].astype(np.float64)))
    found, turn, shift = cv2.solvePnP(source, rays, np.eye(3), None, flags=cv2.SOLVEPNP_SQPNP)
    if not found:
        return None
    turn, shift = cv2.solvePnPRefineLM(source, rays, np.eye(3), None, turn, shift)
    rotation = np.asarray(cv2.Rodrigues(turn)[0], dtype=np.float64)
    return _pose(rotation, np.asarray(shift, dtype=np.float64).ravel(), "picture")


def _known_inner(landmarks: NDArray[Any]) -> NDArray[np.int64]:
    """Numbers of the known points within the face."""
    inner = np.array(_INNER)
    return inner[known_points(landmarks[inner])]


def _pose(
    rotation: NDArray[np.float64],
    position_mm: NDArray[np.float64],
    source: Literal["depth", "picture"],
) -> HeadPose:
    """A pose in degrees."""
    yaw, pitch, roll = np.degrees(euler_from_rotation(rotation))
    return HeadPose(float(yaw), float(pitch), float(roll), position_mm, source)


def _read_depth(depth_crop: NDArray[np.uint16], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median depth (N,) of the measured pixels around points (N, 2) of the crop; NaN where none."""
    reach = np.arange(-_PATCH, _PATCH + 1)
    height, width = depth_crop.shape
    x = np.rint(points[:, 0]).astype(int)[:, None, None] + reach[None, None, :]
    y = np.rint(points[:, 1]).astype(int)[:, None, None] + reach[None, :, None]
    is_inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    patch = depth_crop[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    is_measured = is_inside & (patch > 0)
    # Sorted with what is not measured behind everything else: numpy's own median of numbers among
    # NaN takes twenty times as long.
    values = np.sort(np.where(is_measured, patch, _BEHIND_ALL).reshape(len(points), -1), axis=1)
    count = np.count_nonzero(is_measured, axis=(1, 2))
    rows, middle = np.arange(len(points)), np.maximum(count, 1)
    median = (values[rows, (middle - 1) // 2].astype(np.float64) + values[rows, middle // 2]) / 2
    return np.where(count > len(reach), median, np.nan)


def _complete(depth: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Depth with its NaN replaced by a quadratic surface through the others."""
    is_known = np.isfinite(depth)
    if is_known.all():
        return depth
    x, y = ((points - points.mean(axis=0)) / points.std(axis=0)).T
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    terms = terms if is_known.sum() > 2 * _QUADRATIC else terms[:, :3]
    weights, *_ = np.linalg.lstsq(terms[is_known], depth[is_known], rcond=None)
    low, high = depth[is_known].min(), depth[is_known].max()
    return np.where(is_known, depth, np.clip(terms @ weights, low, high))


def _fit_rigid(
    source: NDArray[np.float64], target: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """Rotation (3, 3), scale and shift (3,) that bring `source` (N, 3) closest to `target`."""
    source_centre, target_centre = source.mean(axis=0), target.mean(axis=0)
    a, b = source - source_centre, target - target_centre
    u, strengths, v = np.linalg.svd(b.T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ v))])
    rotation: NDArray[np.float64] = (u * sign) @ v
    scale = float((strengths * sign).sum() / (a * a).sum())
    return rotation, scale, target_centre - scale * rotation @ source_centre
