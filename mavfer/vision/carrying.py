"""The head carried by depth where color shows nothing.

In the dark the face cannot be found, but the depth camera brings its own light. The last lit frame
gives a model of the head's surface; each dark frame is registered to it, and the landmarks of the
lit frame move along.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import NotAligned, require
from mavfer.vision.geometry import rotation_from_vector
from mavfer.vision.lenses import lens_numbers, pixel_rays

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mavfer.vision.geometry import CameraModel

__all__ = ["CarriedPose", "HeadCarrier", "HeadModel", "carry_landmarks", "head_region"]

_STEP: Final = 3
_NORMAL_REACH: Final = 6
_MIN_POINTS: Final = 150
_DEEP_MM: Final = 130.0
"""The visible half of a head is less deep than this; what lies further back is background."""
_ITERATIONS: Final = 10
_SOFTNESS_MM: Final = 3.0
_REJECT_MM: Final = (25.0, 25.0, 25.0, 12.0)
"""Residuals that no longer count, by iteration; the last goes on."""
_SMALLEST_TURN: Final = 1e-4
"""Radians; moves a chin by a hundredth of a millimetre."""
_SMALLEST_SHIFT_MM: Final = 0.01
_MIN_INLIERS: Final = 0.5
_MAX_RESIDUAL_MM: Final = 5.0
_MIN_CLOSE: Final = 0.55
"""Share of the inliers that are close: on a head nearly all, on a headrest a quarter to a half."""
_CLOSE_MM: Final = 3.0
_CLOSE_DISTANCE_MM: Final = 800.0
"""Up to here 3 mm are close; beyond, more with the square of the distance, as depth's noise."""
_FEWER_TIMES: Final = 12.0
"""How many neighbouring points of the model say the same."""
_FLOOR_MM: Final = 0.7
_HAIR: Final = 0.75
"""Height of forehead and hair above the brows as a share of brows to chin."""


@dataclass(frozen=True)
class HeadModel:
    """Points and normals of a head's surface in the depth camera's frame."""

    points: NDArray[np.float64]
    """(N, 3) mm."""
    normals: NDArray[np.float64]
    """(N, 3), unit length, towards the camera."""

    @classmethod
    def from_depth(
        cls, depth_mm: NDArray[np.float32], camera: CameraModel, region: NDArray[np.bool_]
    ) -> HeadModel:
        """The head's surface in one depth frame.

        Args:
            depth_mm: float32 (H, W), 0 = none.
            camera: The depth camera.
            region: bool (H, W), where the head is, hair to chin; `head_region` makes one. What
                lies far behind the median depth of the region is left out.

        Raises:
            NotAligned: Too little depth in the region to carry a head by.
        """
        rows, columns = _bounds(region)
        depth = depth_mm[rows, columns].astype(np.float64)
        rays = pixel_rays(camera, rows, columns).astype(np.float64)
        surface = np.concatenate([rays * depth[..., None], depth[..., None]], axis=2)
        row, column = _candidates(depth, region[rows, columns])
        normals = _normals(surface, depth, row, column)
        points = surface[row, column]
        facing = (normals * points).sum(axis=1) / np.linalg.norm(points, axis=1)
        # Surfaces seen edge-on are rim, where depth cameras invent.
        is_good = np.isfinite(facing) & (np.abs(facing) > 0.3)  # noqa: PLR2004 (72 degrees)
        if is_good.sum() < _MIN_POINTS:
            message = (
                f"head model: {int(is_good.sum())} depth points on the face, needs "
                f"{_MIN_POINTS}. Sit nearer, or check that depth and color show the same scene"
            )
            raise NotAligned(message)
        towards = -np.sign(facing[is_good])
        return cls(points[is_good], normals[is_good] * towards[:, None])


@dataclass(frozen=True)
class CarriedPose:
    """How the head moved since its model was made."""

    motion: NDArray[np.float64]
    """(4, 4) rigid motion in the color camera's frame, model to now, millimetres."""
    residual_mm: float
    """Root mean square distance of the model's points to the surface they fell on; NaN without."""
    inlier_share: float
    """Share of the model's points that fell on the surface."""
    ok: bool
    """False where the head was not found; `motion` is then the last good one."""
    uncertainty_mm: float
    """Deviation to expect of the head's centre from where `motion` puts it; NaN where not found."""
    close_share: float
    """Share of the model's points that lie within 3 mm of the surface, more beyond 0.8 m."""


class HeadCarrier:
    """Follows a head model through depth frames.

    Source: projective point-to-plane registration, Chen and Medioni 1992, Image and Vision
        Computing 10(3), and Blais and Levine 1995, IEEE TPAMI 17(8); the robust weights are
        Cauchy's, limits and order are ours.
    """

    def __init__(self, model: HeadModel, depth_camera: CameraModel) -> None:
        require("numba", "preprocess")
        from mavfer.vision import carrying_kernels

        self._step: Any = carrying_kernels.normal_equations
        self._model = model
        self._centre = model.points.mean(axis=0)
        self._rays = pixel_rays(depth_camera)
        self._lens = lens_numbers(depth_camera)
        self._color_from_depth = np.linalg.inv(depth_camera.camera_from_color)
        self._motion = np.eye(4)

    def update(self, depth: NDArray[Any], *, mm_per_count: float = 1.0) -> CarriedPose:
        """The head in the next depth frame.

        Args:
            depth: (H, W), millimetres as float32 or counts as uint16; 0 = none.
            mm_per_count: Millimetres of one of its numbers.
        """
        fit = self._register(_as_compiled(depth), float(mm_per_count))
        ok = self._is_head(fit)
        if ok:
            self._motion = fit.motion
        in_color = self._color_from_depth @ self._motion @ np.linalg.inv(self._color_from_depth)
        count = len(self._model.points)
        return CarriedPose(
            in_color,
            residual_mm=float(np.sqrt(fit.squares / fit.inliers)) if fit.inliers else np.nan,
            inlier_share=fit.inliers / count,
            ok=ok,
            uncertainty_mm=_uncertainty(fit) if ok else np.nan,
            close_share=fit.close / count,
        )

    def state(self) -> dict[str, NDArray[np.float64]]:
        """All that is needed to go on bit for bit with `restore`."""
        return {
            "points": self._model.points.copy(),
            "normals": self._model.normals.copy(),
            "motion": self._motion.copy(),
        }

    @classmethod
    def restore(cls, state: dict[str, NDArray[Any]], depth_camera: CameraModel) -> HeadCarrier:
        """The carrier that `state` was taken from, to go on with the next frame."""
        model = HeadModel(
            np.ascontiguousarray(state["points"]), np.ascontiguousarray(state["normals"])
        )
        carrier = cls(model, depth_camera)
        carrier._motion = state["motion"].copy()
        return carrier

    def _is_head(self, fit: _Fit) -> bool:
        """True where what the model fell on has a head's shape, and not a chair's."""
        count = len(self._model.points)
        return (
            fit.inliers >= _MIN_INLIERS * count
            and fit.squares <= _MAX_RESIDUAL_MM**2 * fit.inliers
            and fit.close >= _MIN_CLOSE * fit.inliers
        )

    def _register(self, depth: NDArray[Any], mm_per_count: float) -> _Fit:
        """The model brought onto a depth frame, from where it was last."""
        motion = self._motion
        distance = motion[2, :3] @ self._centre + motion[2, 3]
        close_mm = _CLOSE_MM * max(1.0, (distance / _CLOSE_DISTANCE_MM) ** 2)
        for iteration in range(_ITERATIONS):
            matrix, right, sums = self._step(
                self._model.points,
                self._model.normals,
                motion[:3, :3] @ self._centre + motion[:3, 3],
                np.ascontiguousarray(motion[:3]),
                depth,
                mm_per_count,
                self._rays,
                self._lens,
                (_SOFTNESS_MM, _REJECT_MM[min(iteration, len(_REJECT_MM) - 1)], close_mm),
            )
            fit = _Fit(motion, matrix, int(sums[0]), sums[1], sums[2], int(sums[3]))
            if fit.inliers < _MIN_POINTS // 2:
                break
            change = np.linalg.solve(matrix + 1e-6 * np.trace(matrix) * np.eye(6) / 6, right)
            motion = _turn_about(motion, self._centre, change)
            fit = replace(fit, motion=motion)
            if iteration >= len(_REJECT_MM) and _is_still(change):
                break
        return fit


@dataclass(frozen=True)
class _Fit:
    """What one registration came to; sums are over the inliers."""

    motion: NDArray[np.float64]
    """(4, 4) in the depth camera's frame."""
    matrix: NDArray[np.float64]
    """(6, 6) of the last normal equations: turn, then shift, about the head's centre."""
    inliers: int
    squares: float
    weighted_squares: float
    close: int


def _as_compiled(depth: NDArray[Any]) -> NDArray[Any]:
    """A frame in one of the two types that the kernel is compiled for."""
    kind = np.uint16 if depth.dtype == np.uint16 else np.float32
    return np.ascontiguousarray(depth, kind)


def _is_still(change: NDArray[np.float64]) -> bool:
    """True for a turn and a shift too small to go on for."""
    is_turned = np.abs(change[:3]).max() >= _SMALLEST_TURN
    return not is_turned and bool(np.abs(change[3:]).max() < _SMALLEST_SHIFT_MM)


def _uncertainty(fit: _Fit) -> float:
    """Deviation in mm to expect of the head's centre.

    The covariance of a weighted least-squares fit is its inverse matrix times the variance of a
    residual. Neighbouring residuals err together, so that fewer than all of them count, and below
    a floor the model's own noise and the play of the face decide (both measured, ours).
    """
    variance = fit.weighted_squares / max(fit.inliers - 6, 1)
    shift = np.linalg.pinv(fit.matrix, hermitian=True)[3:, 3:]
    spread = _FEWER_TIMES * variance * float(np.trace(shift))
    return float(np.sqrt(spread + _FLOOR_MM**2))


def head_region(
    landmarks_in_depth: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Where the head is in a depth frame, hair to chin: bool (H, W).

    Args:
        landmarks_in_depth: (68, 2) pixels of the depth frame, for example lifted landmarks
            projected by the depth camera.
        shape: Height and width of the depth frame.
    """
    brows, chin = landmarks_in_depth[17:27].mean(axis=0), landmarks_in_depth[8]
    down = chin - brows
    across = np.array([down[1], -down[0]])
    # The ellipse through the chin and the top of the hair, as wide as the jaw is at the ears.
    centre = brows + (1 - _HAIR) / 2 * down
    half_height = (1 + _HAIR) / 2
    ears = landmarks_in_depth[16] - landmarks_in_depth[0]
    half_width = 0.5 * np.hypot(*ears) / np.hypot(*down)
    y, x = np.mgrid[: shape[0], : shape[1]]
    offset = np.stack([x, y], axis=2) - centre
    along = offset @ down / (down @ down) / half_height
    side = offset @ across / (across @ across) / half_width
    region: NDArray[np.bool_] = along**2 + side**2 <= 1
    return region


def carry_landmarks(
    points_mm: NDArray[np.float64], motion: NDArray[np.float64], color_camera: CameraModel
) -> NDArray[np.float64]:
    """Landmarks (68, 2) in the color frame after the head moved.

    Args:
        points_mm: (68, 3) lifted landmarks of the lit frame, in the color camera's frame.
        motion: (4, 4) `CarriedPose.motion`.
        color_camera: The color camera.
    """
    return color_camera.project(points_mm @ motion[:3, :3].T + motion[:3, 3])


def _bounds(region: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rows and columns that hold a region and what its normals need around it."""
    bounds = []
    for axis in (1, 0):
        inside = np.flatnonzero(region.any(axis=axis))
        first, last = (inside[0], inside[-1]) if inside.size else (0, 0)
        bounds.append(slice(max(0, int(first) - _NORMAL_REACH), int(last) + _NORMAL_REACH + 1))
    return bounds[0], bounds[1]


def _candidates(
    depth: NDArray[np.float64], region: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of every third pixel of the region that is on the head."""
    grid = np.zeros_like(region)
    reach = _NORMAL_REACH
    grid[reach:-reach:_STEP, reach:-reach:_STEP] = True
    inside = region & grid & (depth > 0)
    if inside.any():
        inside &= np.abs(depth - np.median(depth[inside])) < _DEEP_MM
    row, column = np.nonzero(inside)
    return row, column


def _normals(
    surface: NDArray[np.float64],
    depth: NDArray[np.float64],
    row: NDArray[np.int64],
    column: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Unit normals (N, 3) from neighbours six pixels to each side; NaN across holes and jumps."""
    reach = _NORMAL_REACH
    sides = [
        (row, column - reach),
        (row, column + reach),
        (row - reach, column),
        (row + reach, column),
    ]
    around = np.stack([depth[side] for side in sides])
    is_smooth = (around > 0).all(axis=0) & (np.ptp(around, axis=0) < _DEEP_MM / 2)
    across = surface[sides[1]] - surface[sides[0]]
    down = surface[sides[3]] - surface[sides[2]]
    normals = np.cross(across, down)
    length = np.where(is_smooth, np.linalg.norm(normals, axis=1), np.nan)
    return normals / np.where(length > 0, length, np.nan)[:, None]


def _turn_about(
    motion: NDArray[np.float64], centre: NDArray[np.float64], change: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A motion followed by a small turn (rotation vector) about the moved centre and a shift."""
    turn = rotation_from_vector(change[:3])
    middle = motion[:3, :3] @ centre + motion[:3, 3]
    result = np.eye(4)
    result[:3, :3] = turn @ motion[:3, :3]
    result[:3, 3] = turn @ (motion[:3, 3] - middle) + middle + change[3:]
    return result
