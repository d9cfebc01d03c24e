"""Cameras, rigid motions and similarities, as arrays.

Lengths are millimetres, points (x, y) in pixels with pixel centres at integers. A camera looks
along +z with x to the right and y down. World coordinates are those of the color camera.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import InvalidArray

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Calibration",
    "CameraModel",
    "apply_matrix",
    "estimate_similarity",
    "euler_from_rotation",
    "invert_matrix",
    "rotation_from_euler",
    "rotation_from_vector",
]

_UNDISTORT_ITERATIONS: Final = 20
_UNDISTORT_TOLERANCE: Final = 1e-12
_ROTATION_TOLERANCE: Final = 1e-6


@dataclass(frozen=True)
class CameraModel:
    """A pinhole camera with radial and tangential distortion (Brown-Conrady, OpenCV's order)."""

    width: int
    height: int
    matrix: NDArray[np.float64]
    """(3, 3) intrinsics: focal lengths and principal point in pixels."""
    distortion: NDArray[np.float64]
    """(5,) k1, k2, p1, p2, k3."""
    camera_from_color: NDArray[np.float64]
    """(4, 4) rigid motion: millimetres in the color camera's frame to this camera's frame."""

    def __post_init__(self) -> None:
        """Refuses what cannot be a camera, so that nothing later divides by a zero focal length."""
        _require_shape("matrix", self.matrix, (3, 3))
        _require_shape("distortion", self.distortion, (5,))
        _require_shape("camera_from_color", self.camera_from_color, (4, 4))
        if self.width < 1 or self.height < 1:
            message = f"camera of {self.width}x{self.height} pixels. Calibrate the camera again"
            raise InvalidArray(message)
        if self.matrix[0, 0] <= 0 or self.matrix[1, 1] <= 0:
            message = "camera matrix: focal lengths must be positive. Calibrate the camera again"
            raise InvalidArray(message)
        if not np.array_equal(self.matrix[[1, 2, 2, 2], [0, 0, 1, 2]], [0, 0, 0, 1]):
            message = "camera matrix: needs zeros below its diagonal, and 1 as its last number"
            raise InvalidArray(message)
        if not _is_rigid(self.camera_from_color):
            message = "camera_from_color: not a rigid motion. Calibrate the cameras again"
            raise InvalidArray(message)

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels (N, 2) at which points (N, 3), in the color camera's frame, are seen.

        Points behind the camera give NaN.
        """
        rotation, translation = self.camera_from_color[:3, :3], self.camera_from_color[:3, 3]
        return self.project_own(points @ rotation.T + translation)

    def project_own(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels (N, 2) at which points (N, 3), in this camera's own frame, are seen."""
        depth = np.where(points[:, 2] > 0, points[:, 2], np.nan)
        distorted = self.distort(points[:, :2] / depth[:, None])
        return apply_matrix(self.matrix[:2], distorted)

    def distort(self, rays: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distorted normalised image coordinates (N, 2) of ideal ones (N, 2)."""
        k1, k2, p1, p2, k3 = self.distortion
        tangential = np.array([p2, p1])
        r2 = rays[:, 0] * rays[:, 0] + rays[:, 1] * rays[:, 1]
        scale = 1 + r2 * (k1 + r2 * (k2 + r2 * k3)) + 2 * (rays @ tangential)
        distorted: NDArray[np.float64] = rays * scale[:, None] + r2[:, None] * tangential
        return distorted

    def rays(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Ideal normalised coordinates (N, 2), x/z and y/z, of what is seen at pixels (N, 2).

        The distortion is inverted by fixed-point iteration, which converges for the lenses of
        depth, thermal and web cameras.
        """
        focal = self.matrix[[0, 1], [0, 1]]
        centre = self.matrix[:2, 2]
        y = (pixels[:, 1] - centre[1]) / focal[1]
        x = (pixels[:, 0] - centre[0] - self.matrix[0, 1] * y) / focal[0]
        target = np.stack([x, y], axis=1)
        rays = target.copy()
        for _ in range(_UNDISTORT_ITERATIONS):
            step = target - self.distort(rays)
            rays = rays + step
            if np.abs(step).max(initial=0) < _UNDISTORT_TOLERANCE:
                break
        return rays

    def undistort(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels (N, 2) where a distortion-free lens would have put pixels (N, 2)."""
        return apply_matrix(self.matrix[:2], self.rays(pixels))

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> CameraModel:
        """The camera described under `cameras` in a calibration document."""
        return cls(
            width=document["width"],
            height=document["height"],
            matrix=np.asarray(document["matrix"], dtype=np.float64),
            distortion=np.asarray(document["distortion"], dtype=np.float64),
            camera_from_color=np.asarray(document["camera_from_color"], dtype=np.float64),
        )

    def to_document(self) -> dict[str, Any]:
        """What stands under `cameras` in a calibration document."""
        return {
            "width": self.width,
            "height": self.height,
            "matrix": self.matrix.tolist(),
            "distortion": self.distortion.tolist(),
            "camera_from_color": self.camera_from_color.tolist(),
        }


@dataclass(frozen=True)
class Calibration:
    """The three cameras of a rig, in the color camera's frame."""

    color: CameraModel
    depth: CameraModel
    thermal: CameraModel | None
    """None for rigs without a thermal camera."""

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Calibration:
        """The cameras of a calibration document.

        Raises:
            InvalidArray: A camera has numbers that no camera can have, such as NaN or a focal
                length of 0; the message names it.
        """
        cameras = document["cameras"]
        return cls(
            color=_named_camera("color", cameras["color"]),
            depth=_named_camera("depth", cameras["depth"]),
            thermal=_named_camera("thermal", cameras["thermal"])
            if cameras.get("thermal")
            else None,
        )

    def to_cameras(self) -> dict[str, dict[str, Any]]:
        """What stands under `cameras` in a calibration document."""
        cameras = {"color": self.color.to_document(), "depth": self.depth.to_document()}
        if self.thermal is not None:
            cameras["thermal"] = self.thermal.to_document()
        return cameras


def apply_matrix(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (N, 2) moved by an affine matrix (2, 3)."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def invert_matrix(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The affine matrix (2, 3) that undoes an affine matrix (2, 3).

    Raises:
        InvalidArray: Nothing undoes it: it makes the plane a line or a point.
    """
    (a, b, x), (c, d, y) = matrix.tolist()
    area = a * d - b * c
    if area == 0:
        message = "affine matrix: takes the plane to a line, so it cannot be undone"
        raise InvalidArray(message)
    # Written out: numpy's inverse takes ten times as long for a matrix this small.
    rows = [[d, -b, b * y - d * x], [-c, a, c * x - a * y]]
    inverse: NDArray[np.float64] = np.array(rows) / area
    return inverse


def estimate_similarity(
    source: NDArray[np.float64],
    target: NDArray[np.float64],
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """The rotation, uniform scale and shift (2, 3) that brings `source` closest to `target`.

    Args:
        source: (N, 2), at least two different points.
        target: (N, 2), the same points elsewhere.
        weights: (N,), how much each point counts; equal where None.

    Raises:
        InvalidArray: Shapes differ, or all source points are the same.

    Source: Umeyama 1991, IEEE TPAMI 13(4), equations 40-43; in two dimensions the solution is
        closed (a complex number for rotation and scale).
    """
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 2:  # noqa: PLR2004 (x, y)
        message = f"similarity: needs two arrays (N, 2), got {source.shape} and {target.shape}"
        raise InvalidArray(message)
    share = np.full(len(source), 1 / len(source)) if weights is None else weights / weights.sum()
    source_centre, target_centre = share @ source, share @ target
    a = (source - source_centre) @ np.array([1, 1j])
    b = (target - target_centre) @ np.array([1, 1j])
    spread = float(share @ (a * a.conj()).real)
    if spread <= 0:
        message = "similarity: all source points are the same, so no scale can be found"
        raise InvalidArray(message)
    turn = (share @ (b * a.conj())) / spread
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.concatenate([linear, (target_centre - linear @ source_centre)[:, None]], axis=1)


def rotation_from_euler(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Rotation (3, 3) by roll about z, then pitch about x, then yaw about y; radians.

    Positive yaw turns the nose to the image's right, positive pitch lowers the chin, positive roll
    turns clockwise in the image.
    """
    cy, sy = np.cos(yaw), np.sin(yaw)
    cp, sp = np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    rotation: NDArray[np.float64] = about_y @ about_x @ about_z
    return rotation


def rotation_from_vector(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation (3, 3) about an axis (3,) by as many radians as the axis is long.

    Source: Rodrigues' formula, for example Murray, Li and Sastry 1994, equation 2.14.
    """
    x, y, z = vector
    angle = float(np.sqrt(vector @ vector))
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    # sin(a) / a and (1 - cos(a)) / a², in a form that holds at 0 too.
    rotation: NDArray[np.float64] = (
        np.eye(3)
        + np.sinc(angle / np.pi) * cross
        + 0.5 * np.sinc(angle / (2 * np.pi)) ** 2 * (cross @ cross)
    )
    return rotation


def euler_from_rotation(rotation: NDArray[np.float64]) -> tuple[float, float, float]:
    """Yaw, pitch and roll in radians of a rotation (3, 3): undoes `rotation_from_euler`.

    Pitch is within a quarter turn of 0; at exactly a quarter turn yaw and roll cannot be parted.
    """
    (_, _, xz), (yx, yy, yz), (_, _, zz) = rotation.tolist()
    pitch = math.asin(min(max(-yz, -1.0), 1.0))
    return math.atan2(-xz, zz), pitch, math.atan2(yx, yy)


def _require_shape(name: str, array: NDArray[np.float64], shape: tuple[int, ...]) -> None:
    """Raises InvalidArray unless `array` has `shape` and holds finite numbers."""
    if array.shape != shape or not np.isfinite(array).all():
        message = f"{name}: needs finite numbers of shape {shape}, got shape {array.shape}"
        raise InvalidArray(message)


def _named_camera(name: str, document: dict[str, Any]) -> CameraModel:
    """A camera of a calibration document; what is wrong with it is told with its name."""
    try:
        return CameraModel.from_document(document)
    except (InvalidArray, TypeError, ValueError) as error:
        message = f"calibration of the {name} camera: {error}"
        raise InvalidArray(message) from error


def _is_rigid(motion: NDArray[np.float64]) -> bool:
    """True for a rotation, not a reflection, with a shift."""
    rotation = motion[:3, :3]
    is_square = np.allclose(rotation @ rotation.T, np.eye(3), atol=_ROTATION_TOLERANCE)
    is_last_row = np.array_equal(motion[3], [0, 0, 0, 1])
    return bool(is_square and is_last_row and np.linalg.det(rotation) > 0)
