"""Depth and temperature of every pixel of a face crop.

Nothing is aligned frame to frame: the depth camera's surface is drawn straight into the crop as the
color camera sees it, and each crop pixel then looks up its temperature through its own depth. That
is right at any distance, where a fixed homography holds at one.
"""

from __future__ import annotations

from enum import IntFlag
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import InvalidArray, NotAligned, require
from mavfer.vision.geometry import apply_matrix, invert_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mavfer.vision.geometry import Calibration, CameraModel

__all__ = [
    "PixelMask",
    "Registrar",
    "lens_numbers",
    "pixel_rays",
    "register_depth",
    "register_thermal",
]

_JUMP: Final = 1.03
"""Neighbours whose depths differ by more than 3 % are not on one surface."""
_NEAR_MM: Final = 200.0
_FAR_MM: Final = 6000.0
_MARGIN: Final = 6
_GRID_CELLS: Final = 16
_OCCLUSION_MM: Final = 15.0
_OCCLUSION_SHARE: Final = 0.02
"""A surface hides what lies 15 mm behind it, or 2 % of its distance where depth is noisier."""
_LONGEST_GAP: Final = 24
"""Pixels of the crop, about 2 cm of face in a 224-pixel crop."""
_GAP_STEP_MM: Final = 25.0

_MAX_REACH: Final = 4
_BEYOND_RIM: Final = 0.25


class PixelMask(IntFlag):
    """What a pixel of a depth or thermal crop is; 0 where nothing is known."""

    MEASURED = 1
    """On the surface between measured neighbours."""
    INTERPOLATED = 2
    """Across a small hole in the measured depth: approximate."""
    OCCLUDED = 4
    """Hidden from the depth or thermal camera behind something nearer; the pixel is 0."""


def register_depth(  # noqa: PLR0917 (two frames' worth of facts, in the order of the light)
    depth_counts: NDArray[np.uint16],
    depth_mm_per_count: float,
    depth_camera: CameraModel,
    color_camera: CameraModel,
    crop_matrix: NDArray[np.float64],
    shape: tuple[int, int],
    *,
    rays: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Depth of the crop's pixels along the color camera's axis, and their `PixelMask`.

    Neighbouring depth pixels on one surface are joined by triangles, so a crop finer than the
    depth camera has no holes; across a jump there is nothing. The nearest surface wins.

    Args:
        depth_counts: uint16 (H, W), 0 = none.
        depth_mm_per_count: Millimetres of one count.
        depth_camera: Model of the depth camera.
        color_camera: Model of the color camera.
        crop_matrix: (2, 3) from the color frame's pixels to the crop's.
        shape: Height and width of the crop.
        rays: `pixel_rays` of the depth camera, where the caller keeps them.

    Returns:
        uint16 (height, width) mm, 0 = none; uint8 (height, width) bits of `PixelMask`.

    Raises:
        InvalidArray: The frame is not of the depth camera's size.
    """
    kernels = _kernels()
    _require_frame("depth", depth_counts, depth_camera)
    rows, columns = _window(depth_camera, color_camera, crop_matrix, shape)
    window = (rows.stop - rows.start, columns.stop - columns.start)
    placed, is_mended = np.zeros((*window, 3), np.float32), np.zeros(window, np.bool_)
    kernels.place_points(
        np.ascontiguousarray(depth_counts),
        float(depth_mm_per_count),
        _JUMP,
        pixel_rays(depth_camera) if rays is None else rays,
        (rows.start, columns.start),
        _motion(depth_camera, color_camera),
        lens_numbers(color_camera),
        np.ascontiguousarray(crop_matrix),
        placed,
        is_mended,
    )
    crop, mask = np.zeros(shape, np.uint16), np.zeros(shape, np.uint8)
    kernels.draw_surface(placed, is_mended, _JUMP, _empty_buffer(shape), mask, crop)
    return crop, mask


def register_thermal(
    thermal_centikelvin: NDArray[np.uint16],
    thermal_camera: CameraModel,
    depth_crop: NDArray[np.uint16],
    color_camera: CameraModel,
    crop_matrix: NDArray[np.float64],
) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Temperature of the crop's pixels, and their `PixelMask`.

    Each pixel is looked up where the thermal camera sees its point in space; what something nearer
    hides from the thermal camera is 0. Small holes in the depth are bridged for the look-up and
    marked INTERPOLATED; larger ones stay 0.

    Args:
        thermal_centikelvin: uint16 (H, W), 0 = none.
        thermal_camera: Model of the thermal camera.
        depth_crop: uint16 (height, width) mm, from `register_depth`.
        color_camera: Model of the color camera.
        crop_matrix: (2, 3) from the color frame's pixels to the crop's.

    Returns:
        uint16 (height, width) centikelvin, 0 = none; uint8 (height, width) bits of `PixelMask`.

    Raises:
        InvalidArray: The frame is not of the thermal camera's size.
    """
    kernels = _kernels()
    _require_frame("thermal", thermal_centikelvin, thermal_camera)
    shape = depth_crop.shape
    depth, is_filled = depth_crop.astype(np.float32), np.zeros(shape, np.bool_)
    kernels.fill_gaps(depth, is_filled, _LONGEST_GAP, _GAP_STEP_MM)
    seen, nearest = np.zeros((*shape, 3), np.float32), _empty_buffer(thermal_centikelvin.shape)
    kernels.see_surface(
        depth,
        _dense_rays(color_camera, crop_matrix, shape),
        _motion(color_camera, thermal_camera),
        lens_numbers(thermal_camera),
        seen,
        nearest,
    )
    nearest = _widened(nearest, _reach(thermal_camera, color_camera, crop_matrix))
    crop, mask = np.zeros(shape, np.uint16), np.zeros(shape, np.uint8)
    kernels.look_up(
        np.ascontiguousarray(thermal_centikelvin),
        seen,
        nearest,
        is_filled,
        _OCCLUSION_MM,
        _OCCLUSION_SHARE,
        crop,
        mask,
    )
    return crop, mask


class Registrar:
    """Registration with the cameras of one rig; keeps what does not change from frame to frame."""

    def __init__(self, calibration: Calibration, shape: tuple[int, int]) -> None:
        self._calibration = calibration
        self._shape = shape
        self._rays = pixel_rays(calibration.depth)

    def depth(
        self,
        depth_counts: NDArray[np.uint16],
        depth_mm_per_count: float,
        crop_matrix: NDArray[np.float64],
    ) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
        """`register_depth` with this rig's cameras."""
        cameras = self._calibration
        return register_depth(
            depth_counts,
            depth_mm_per_count,
            cameras.depth,
            cameras.color,
            crop_matrix,
            self._shape,
            rays=self._rays,
        )

    def thermal(
        self,
        thermal_centikelvin: NDArray[np.uint16],
        depth_crop: NDArray[np.uint16],
        crop_matrix: NDArray[np.float64],
    ) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
        """`register_thermal` with this rig's cameras.

        Raises:
            NotAligned: The calibration has no thermal camera.
        """
        cameras = self._calibration
        if cameras.thermal is None:
            message = "calibration has no thermal camera. Run mavfer calibrate cameras with it"
            raise NotAligned(message)
        return register_thermal(
            thermal_centikelvin, cameras.thermal, depth_crop, cameras.color, crop_matrix
        )


def pixel_rays(
    camera: CameraModel, rows: slice = slice(None), columns: slice = slice(None)
) -> NDArray[np.float32]:
    """Ideal normalised coordinates (H, W, 2) of the pixels of a camera, or of a window of them."""
    y, x = np.arange(camera.height)[rows], np.arange(camera.width)[columns]
    pixels = np.stack(np.broadcast_arrays(x[None, :], y[:, None]), axis=2).reshape(-1, 2)
    rays = camera.rays(pixels.astype(np.float64)).astype(np.float32)
    return rays.reshape(len(y), len(x), 2)


def lens_numbers(camera: CameraModel) -> NDArray[np.float64]:
    """The nine numbers by which the kernels know a lens: fx, fy, cx, cy, k1, k2, p1, p2, k3."""
    return np.concatenate([camera.matrix[[0, 1, 0, 1], [0, 1, 2, 2]], camera.distortion])


def _kernels() -> Any:
    """The compiled inner loops, or the line that installs numba."""
    require("numba", "preprocess")
    from mavfer.vision import registration_kernels

    return registration_kernels


def _empty_buffer(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """A z-buffer in which nothing is seen yet."""
    return np.full(shape, np.inf, np.float32)


def _widened(nearest: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """A z-buffer in which each point covers `reach` pixels to each side."""
    if reach == 0:
        return nearest
    cv2: Any = require("cv2", "preprocess")
    widened: NDArray[np.float32] = cv2.erode(nearest, np.ones((2 * reach + 1,) * 2, np.uint8))
    return widened


def _motion(source: CameraModel, target: CameraModel) -> NDArray[np.float64]:
    """Motion (3, 4) from one camera's frame to another's."""
    motion = target.camera_from_color @ np.linalg.inv(source.camera_from_color)
    return np.ascontiguousarray(motion[:3])


def _window(
    depth_camera: CameraModel,
    color_camera: CameraModel,
    crop_matrix: NDArray[np.float64],
    shape: tuple[int, int],
) -> tuple[slice, slice]:
    """Rows and columns of the depth frame in which anything of the crop can lie.

    The crop's rim is followed into space, from the nearest to the farthest depth, and back.
    """
    height, width = shape
    share = np.linspace(0, 1, 5)
    x = np.concatenate([share, share, share * 0, share * 0 + 1]) * (width - 1)
    y = np.concatenate([share * 0, share * 0 + 1, share, share]) * (height - 1)
    rays = _crop_rays(color_camera, crop_matrix, np.stack([x, y], axis=1))
    rays = np.column_stack([rays, np.ones(len(rays))])
    to_color = np.linalg.inv(color_camera.camera_from_color)
    points = (
        np.concatenate([rays * _NEAR_MM, rays * _FAR_MM]) @ to_color[:3, :3].T + to_color[:3, 3]
    )
    seen = depth_camera.project(points)
    if not np.isfinite(seen).all():
        return slice(0, depth_camera.height), slice(0, depth_camera.width)
    limits = np.array([depth_camera.width, depth_camera.height])
    low = np.clip(np.floor(seen.min(axis=0)) - _MARGIN, 0, limits).astype(int)
    high = np.clip(np.ceil(seen.max(axis=0)) + _MARGIN + 1, 0, limits).astype(int)
    high = np.maximum(low, high)
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def _dense_rays(
    camera: CameraModel, crop_matrix: NDArray[np.float64], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Rays (2, H, W) of the color camera at the crop's pixels, from those at a coarse grid.

    A lens bends so little within one cell that straight lines between are within 0.02 px.
    """
    height, width = shape
    cell = max(height, width) / _GRID_CELLS
    down, across = _interpolation(height, cell), _interpolation(width, cell)
    y, x = np.mgrid[: down.shape[1], : across.shape[1]] * cell
    grid = _crop_rays(camera, crop_matrix, np.stack([x.ravel(), y.ravel()], axis=1))
    rays: NDArray[np.float64] = down @ grid.T.reshape(2, *x.shape) @ across.T
    return rays


@lru_cache(maxsize=8)
def _interpolation(length: int, cell: float) -> NDArray[np.float64]:
    """What (length, lines) each of the lines, `cell` pixels apart, counts at each pixel."""
    lines = max(int(np.ceil((length - 1) / cell)) + 1, 2)
    place = np.arange(length)[:, None] / cell
    weights: NDArray[np.float64] = np.maximum(0, 1 - np.abs(place - np.arange(lines)))
    return weights


def _crop_rays(
    camera: CameraModel, crop_matrix: NDArray[np.float64], points: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Rays (N, 2) of the color camera at points (N, 2) of the crop.

    A lens model means nothing far outside the picture it was fitted on: a quarter of its size
    beyond the rim the rays stay what they are there.
    """
    pixels = apply_matrix(invert_matrix(crop_matrix), points)
    size = np.array([camera.width, camera.height])
    return camera.rays(np.clip(pixels, -_BEYOND_RIM * size, (1 + _BEYOND_RIM) * size))


def _reach(
    thermal_camera: CameraModel, color_camera: CameraModel, crop_matrix: NDArray[np.float64]
) -> int:
    """Thermal pixels that a crop pixel covers to each side, so that the z-buffer has no holes.

    0 where the crop is finer than the thermal picture: a wider reach would let the rim of a steep
    cheek hide the cheek.
    """
    crop_focal = color_camera.matrix[0, 0] * np.sqrt(abs(np.linalg.det(crop_matrix[:, :2])))
    per_pixel = thermal_camera.matrix[0, 0] / crop_focal
    return int(np.clip(np.ceil((per_pixel - 1) / 2), 0, _MAX_REACH))


def _require_frame(stream: str, frame: NDArray[np.uint16], camera: CameraModel) -> None:
    """Raises InvalidArray unless a frame has the size its camera was calibrated for."""
    if frame.shape != (camera.height, camera.width) or frame.dtype != np.uint16:
        message = (
            f"{stream} frame: calibration is for uint16 ({camera.height}, {camera.width}), got "
            f"{frame.dtype} {frame.shape}. Use the calibration of this rig and resolution"
        )
        raise InvalidArray(message)
