"""Depth and temperature of every pixel of a face crop.

Nothing is aligned frame to frame: the depth camera's surface is drawn straight into the crop as the
color camera sees it, and each crop pixel then looks up its temperature through its own depth. That
is right at any distance, where a fixed homography holds at one.
"""

from __future__ import annotations

import math
from enum import IntFlag
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import InvalidArray, NotAligned, require
from mavfer.vision.geometry import invert_matrix
from mavfer.vision.lenses import kernels as lens_loops
from mavfer.vision.lenses import lens_numbers, motion_between, pixel_rays, turned_rays

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
_SLANT: Final = 1.25
_SLANT_MM: Final = 50.0
"""A point is at most a quarter and 50 mm nearer or farther along another camera's axis."""
_MARGIN: Final = 6
_GRID_CELLS: Final = 16
_OCCLUSION_MM: Final = 15.0
_OCCLUSION_SHARE: Final = 0.02
"""A surface hides what lies 15 mm behind it, or 2 % of its distance where depth is noisier."""
_LONGEST_GAP: Final = 24
"""Pixels of the crop, about 2 cm of face in a 224-pixel crop."""
_GAP_STEP_MM: Final = 25.0
_MAX_REACH: Final = 4


class PixelMask(IntFlag):
    """What a pixel of a depth or thermal crop is; 0 where nothing is known."""

    MEASURED = 1
    """On the surface between measured neighbours."""
    INTERPOLATED = 2
    """Across a small hole in the measured depth: approximate."""
    OCCLUDED = 4
    """Hidden from the depth or thermal camera behind something nearer; the pixel is 0."""
    APPROXIMATE = 8
    """Brought here without a calibration, by `approximate.Placement`; set beside MEASURED."""


def register_depth(  # noqa: PLR0917 (two frames' worth of facts, in the order of the light)
    depth_counts: NDArray[np.uint16],
    depth_mm_per_count: float,
    depth_camera: CameraModel,
    color_camera: CameraModel,
    crop_matrix: NDArray[np.float64],
    shape: tuple[int, int],
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

    Returns:
        uint16 (height, width) mm, 0 = none; uint8 (height, width) bits of `PixelMask`.

    Raises:
        InvalidArray: The frame is not of the depth camera's size.
    """
    view = _DepthView(depth_camera, color_camera)
    return view.draw(depth_counts, depth_mm_per_count, crop_matrix, shape)


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
    view = _ThermalView(thermal_camera, color_camera)
    return view.look_up(thermal_centikelvin, depth_crop, crop_matrix)


class Registrar:
    """Registration with the cameras of one rig; keeps what does not change from frame to frame."""

    def __init__(self, calibration: Calibration, shape: tuple[int, int]) -> None:
        color, thermal = calibration.color, calibration.thermal
        self._shape = shape
        self._depth = _DepthView(
            calibration.depth, color, rays=turned_rays(calibration.depth, color)
        )
        self._thermal = None if thermal is None else _ThermalView(thermal, color)

    def depth(
        self,
        depth_counts: NDArray[np.uint16],
        depth_mm_per_count: float,
        crop_matrix: NDArray[np.float64],
    ) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
        """`register_depth` with this rig's cameras."""
        return self._depth.draw(depth_counts, depth_mm_per_count, crop_matrix, self._shape)

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
        if self._thermal is None:
            message = "calibration has no thermal camera. Run mavfer calibrate cameras with it"
            raise NotAligned(message)
        return self._thermal.look_up(thermal_centikelvin, depth_crop, crop_matrix)


class _DepthView:
    """The depth camera's surface as the color camera sees it."""

    def __init__(
        self, depth: CameraModel, color: CameraModel, rays: NDArray[np.float32] | None = None
    ) -> None:
        """Prepares the cameras; `rays` are the depth camera's `turned_rays`, where kept."""
        require("numba", "preprocess")
        from mavfer.vision import registration_kernels

        self._loops: Any = registration_kernels
        self._depth, self._color, self._rays = depth, color, rays
        self._depth_lens, self._color_lens = lens_numbers(depth), lens_numbers(color)
        self._depth_from_color = motion_between(color, depth)
        self._shift = motion_between(depth, color)[:, 3].astype(np.float32)

    def draw(
        self,
        counts: NDArray[np.uint16],
        mm_per_count: float,
        crop_matrix: NDArray[np.float64],
        shape: tuple[int, int],
    ) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
        """Depth crop and mask, as `register_depth` gives them."""
        _require_frame("depth", counts, self._depth)
        counts = np.ascontiguousarray(counts)
        window = self._window(counts, mm_per_count, crop_matrix, shape)
        placed, is_mended = self._place(counts, mm_per_count, crop_matrix, window)
        measured, mended = np.zeros((2, *shape), np.float32)
        crop, mask = np.empty(shape, np.uint16), np.zeros(shape, np.uint8)
        self._loops.draw_surface(placed, is_mended, np.float32(_JUMP), measured, mended, mask)
        self._loops.read_buffers(measured, mended, mask, crop)
        return crop, mask

    def _place(
        self,
        counts: NDArray[np.uint16],
        mm_per_count: float,
        crop_matrix: NDArray[np.float64],
        window: tuple[slice, slice],
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Where a window's points lie in the crop (3, h, w) and which were mended (h, w)."""
        rows, columns = window
        size = (rows.stop - rows.start, columns.stop - columns.start)
        corner = (rows.start, columns.start)
        depth, is_mended = np.empty(size, np.float32), np.zeros(size, np.bool_)
        self._loops.mend_window(counts, np.float32(mm_per_count), _JUMP, corner, depth, is_mended)
        is_kept = self._rays is not None
        placed = np.empty((3, *size), np.float32)
        self._loops.place_points(
            depth,
            self._rays if is_kept else turned_rays(self._depth, self._color, rows, columns),
            corner if is_kept else (0, 0),
            self._shift,
            self._color_lens.astype(np.float32),
            _crop_from_rays(self._color, crop_matrix),
            placed,
        )
        return placed, is_mended

    def _window(
        self,
        counts: NDArray[np.uint16],
        mm_per_count: float,
        crop_matrix: NDArray[np.float64],
        shape: tuple[int, int],
    ) -> tuple[slice, slice]:
        """Rows and columns of the depth frame in which anything of the crop can lie.

        A first, wide window shows how near and far its depths really are; those make the second.
        """
        frame_from_crop = invert_matrix(crop_matrix)
        rows, columns = self._window_of(frame_from_crop, shape, _NEAR_MM, _FAR_MM)
        low, high = self._loops.extremes(
            counts, (rows.start, rows.stop), (columns.start, columns.stop)
        )
        near = max(low * mm_per_count / _SLANT - _SLANT_MM, _NEAR_MM)
        far = min(high * mm_per_count * _SLANT + _SLANT_MM, _FAR_MM)
        if near >= far:
            return rows, columns
        return self._window_of(frame_from_crop, shape, near, far)

    def _window_of(
        self,
        frame_from_crop: NDArray[np.float64],
        shape: tuple[int, int],
        near_mm: float,
        far_mm: float,
    ) -> tuple[slice, slice]:
        """Rows and columns in which what is in the crop and between two depths can lie."""
        size = (self._depth.height, self._depth.width)
        limits = self._loops.crop_window(
            self._color_lens,
            (self._color.height, self._color.width),
            frame_from_crop,
            shape,
            self._depth_from_color,
            self._depth_lens,
            (near_mm, far_mm),
        )
        if not np.isfinite(limits).all():
            return slice(0, size[0]), slice(0, size[1])
        return _span(limits[0], limits[1], size[0]), _span(limits[2], limits[3], size[1])


class _ThermalView:
    """The thermal camera's picture as the color camera would see it."""

    def __init__(self, thermal: CameraModel, color: CameraModel) -> None:
        require("numba", "preprocess")
        from mavfer.vision import thermal_kernels

        self._loops: Any = thermal_kernels
        self._thermal, self._color = thermal, color
        self._lens = lens_numbers(thermal).astype(np.float32)
        self._color_lens = lens_numbers(color)
        motion = motion_between(color, thermal)
        self._rotation = np.ascontiguousarray(motion[:, :3])
        self._shift = motion[:, 3].astype(np.float32)

    def look_up(
        self,
        centikelvin: NDArray[np.uint16],
        depth_crop: NDArray[np.uint16],
        crop_matrix: NDArray[np.float64],
    ) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
        """Thermal crop and mask, as `register_thermal` gives them."""
        _require_frame("thermal", centikelvin, self._thermal)
        shape = depth_crop.shape
        depth, is_filled = depth_crop.astype(np.float32), np.zeros(shape, np.bool_)
        self._loops.fill_gaps(depth, is_filled, _LONGEST_GAP, _GAP_STEP_MM)
        seen, corner, size = self._see(depth, crop_matrix)
        nearest = np.full(size, np.inf, np.float32)
        self._loops.keep_nearest(seen, corner, nearest)
        nearest = _widened(nearest, self._reach(crop_matrix))
        centikelvin, least = np.ascontiguousarray(centikelvin), np.zeros(size, np.float32)
        self._loops.least_around(centikelvin, corner, nearest, least)
        crop, mask = np.zeros(shape, np.uint16), np.zeros(shape, np.uint8)
        self._loops.look_up(
            centikelvin,
            seen,
            corner,
            nearest,
            least,
            is_filled,
            np.float32(_OCCLUSION_MM),
            np.float32(_OCCLUSION_SHARE),
            crop,
            mask,
        )
        return crop, mask

    def _see(
        self, depth: NDArray[np.float32], crop_matrix: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], tuple[int, int], tuple[int, int]]:
        """Where the thermal camera sees the crop's pixels (3, H, W): x, y, mm.

        And the box of its picture that holds them all: corner and size, row first.
        """
        shape = depth.shape
        cell = max(-(-max(shape) // _GRID_CELLS), 1)
        grid = np.empty((3, *((length - 1) // cell + 2 for length in shape)), np.float32)
        lens_loops().crop_rays(
            self._color_lens,
            (self._color.height, self._color.width),
            invert_matrix(crop_matrix),
            self._rotation,
            cell,
            grid,
        )
        seen = np.empty((3, *shape), np.float32)
        size = (self._thermal.height, self._thermal.width)
        self._loops.see_surface(depth, grid, cell, self._shift, self._lens, size, seen)
        top, bottom, left, right = self._loops.seen_limits(seen)
        rows = _span(top, bottom, size[0])
        columns = _span(left, right, size[1])
        corner = (rows.start, columns.start)
        return seen, corner, (rows.stop - rows.start, columns.stop - columns.start)

    def _reach(self, crop_matrix: NDArray[np.float64]) -> int:
        """Thermal pixels that a crop pixel covers to each side, so that the z-buffer has no holes.

        0 where the crop is finer than the thermal picture: a wider reach would let the rim of a
        steep cheek hide the cheek.
        """
        (a, b), (c, d) = crop_matrix[:, :2].tolist()
        scale = math.sqrt(abs(a * d - b * c))
        per_pixel = float(self._thermal.matrix[0, 0] / self._color.matrix[0, 0]) / scale
        return min(max(math.ceil((per_pixel - 1) / 2), 0), _MAX_REACH)


def _widened(nearest: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """A z-buffer in which each point covers `reach` pixels to each side."""
    if reach == 0 or nearest.size == 0:
        return nearest
    cv2: Any = require("cv2", "preprocess")
    widened: NDArray[np.float32] = cv2.erode(nearest, np.ones((2 * reach + 1,) * 2, np.uint8))
    return widened


def _span(low: float, high: float, length: int) -> slice:
    """The lines of a frame from `low` to `high` and a little more; empty where there are none."""
    if low > high:
        return slice(0, 0)
    first = min(max(math.floor(low) - _MARGIN, 0), length)
    end = min(max(math.ceil(high) + _MARGIN + 1, first), length)
    return slice(first, end)


def _crop_from_rays(camera: CameraModel, crop_matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Matrix (2, 3) from a camera's distorted normalised coordinates to the crop's pixels."""
    matrix = crop_matrix[:, :2] @ camera.matrix[:2]
    matrix[:, 2] += crop_matrix[:, 2]
    return matrix.astype(np.float32)


def _require_frame(stream: str, frame: NDArray[np.uint16], camera: CameraModel) -> None:
    """Raises InvalidArray unless a frame has the size its camera was calibrated for."""
    if frame.shape != (camera.height, camera.width) or frame.dtype != np.uint16:
        message = (
            f"{stream} frame: calibration is for uint16 ({camera.height}, {camera.width}), got "
            f"{frame.dtype} {frame.shape}. Use the calibration of this rig and resolution"
        )
        raise InvalidArray(message)
