"""What compiled code is told of cameras: lenses as numbers, motions between them, pixels' rays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mavfer.errors import require

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mavfer.vision.geometry import CameraModel

__all__ = ["kernels", "lens_numbers", "motion_between", "pixel_rays", "turned_rays"]


def lens_numbers(camera: CameraModel) -> NDArray[np.float64]:
    """The nine numbers by which the kernels know a lens: fx, fy, cx, cy, k1, k2, p1, p2, k3."""
    (fx, _, cx), (_, fy, cy), _ = camera.matrix.tolist()
    return np.array([fx, fy, cx, cy, *camera.distortion.tolist()])


def motion_between(source: CameraModel, target: CameraModel) -> NDArray[np.float64]:
    """Motion (3, 4) from one camera's frame to another's."""
    motion = target.camera_from_color @ np.linalg.inv(source.camera_from_color)
    return np.ascontiguousarray(motion[:3])


def pixel_rays(
    camera: CameraModel, rows: slice = slice(None), columns: slice = slice(None)
) -> NDArray[np.float32]:
    """Ideal normalised coordinates (H, W, 2) of the pixels of a camera, or of a window of them."""
    rays = turned_rays(camera, camera, rows, columns)
    return np.ascontiguousarray(rays[:2].transpose(1, 2, 0))


def turned_rays(
    source: CameraModel,
    target: CameraModel,
    rows: slice = slice(None),
    columns: slice = slice(None),
) -> NDArray[np.float32]:
    """Rays (3, H, W) of a camera's pixels, or of a window of them, turned into another's frame.

    A point's depth times its ray, plus the place of the camera, is the point in that frame.
    """
    first_row, end_row, _ = rows.indices(source.height)
    first_column, end_column, _ = columns.indices(source.width)
    turned = np.empty((3, end_row - first_row, end_column - first_column), np.float32)
    rotation = np.ascontiguousarray(motion_between(source, target)[:, :3])
    kernels().turned_rays(lens_numbers(source), rotation, (first_row, first_column), turned)
    return turned


def kernels() -> Any:
    """The compiled loops over a lens, or the line that installs numba."""
    require("numba", "preprocess")
    from mavfer.vision import lens_kernels

    return lens_kernels
