"""The factory's calibration of a device, as a document of the calibration format.

Both sides place pixel centres at integers and let x point right, y down and z forward; lengths are
metres in the SDK and millimetres here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import DeviceError
from mavfer.study.study import utc_now
from mavfer.vision.geometry import CameraModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["calibration_document", "camera_model", "distortion_of", "raw_intrinsics"]

_MM_PER_METRE: Final = 1000.0
_GRID: Final = (25, 19)
_MOST_RESIDUAL_PX: Final = 0.1
"""A lens that Brown-Conrady misses by more is refused; "inverse" lenses are missed by 0.02."""
_MOST_ROTATION_REPAIR: Final = 1e-3
"""Rotations come as float32; what is further from a rotation than this is not one."""


def calibration_document(color: Any, depth: Any, serial: str) -> dict[str, Any]:
    """Color and depth of a device in a document of the calibration format, method "factory".

    Args:
        color: The SDK's profile of the color stream.
        depth: The SDK's profile of the depth stream.
        serial: Serial number, for the document's name.

    Raises:
        DeviceError: The lens or the position of a camera cannot be expressed.
    """
    name = "".join(letter if letter.isalnum() else "-" for letter in serial)
    return {
        "format": "mavfer.calibration",
        "version": 1,
        "name": f"realsense-{name}" if name else "realsense",
        "created_utc": utc_now(),
        "method": "factory",
        "unit": "millimetre",
        "cameras": {
            "color": camera_model(color, color, "color").to_document(),
            "depth": camera_model(depth, color, "depth").to_document(),
        },
        "error_px": None,
    }


def camera_model(profile: Any, color: Any, name: str) -> CameraModel:
    """The camera behind a profile, in the frame of the color stream's."""
    lens = profile.get_intrinsics()
    matrix = [[lens.fx, 0.0, lens.ppx], [0.0, lens.fy, lens.ppy], [0.0, 0.0, 1.0]]
    if not (lens.fx > 0 and lens.fy > 0):
        message = f"RealSense {name}: its memory holds no calibration. Calibrate it with a board"
        raise DeviceError(message)
    return CameraModel(
        width=lens.width,
        height=lens.height,
        matrix=np.array(matrix),
        distortion=distortion_of(lens, name),
        camera_from_color=_camera_from_color(color.get_extrinsics_to(profile), name),
    )


def raw_intrinsics(lens: Any) -> dict[str, Any]:
    """What the device's memory says of a lens, unchanged; distortion by the SDK's name."""
    return {
        "model": lens.model.name,
        "coefficients": list(lens.coeffs),
        "focal_px": [lens.fx, lens.fy],
        "centre_px": [lens.ppx, lens.ppy],
    }


def distortion_of(lens: Any, name: str) -> NDArray[np.float64]:
    """k1, k2, p1, p2, k3 (5,) of Brown-Conrady for a lens of the SDK.

    Models "none" and "brown_conrady" are ours. All others are fitted to the SDK's own projection,
    in which Brown-Conrady is linear: so "inverse_brown_conrady", as color cameras of the D400
    series call theirs, means what the SDK of today draws with it, which is the same distortion
    with its tangential part applied after the radial one. Whether those coefficients were measured
    as inverse ones is disputed between the SDK's makers and its users; a board tells.

    Args:
        lens: The SDK's intrinsics.
        name: Which camera, for the message.

    Raises:
        DeviceError: No Brown-Conrady comes within 0.1 pixels anywhere in the image.
    """
    if lens.model.name == "none" or not any(lens.coeffs):
        return np.zeros(5)
    if lens.model.name == "brown_conrady":
        return np.array(lens.coeffs, dtype=np.float64)
    rays, drawn = _sample_projection(lens)
    design = _brown_conrady_design(rays)
    wanted = (drawn - rays).T.ravel()
    coefficients = np.linalg.lstsq(design, wanted, rcond=None)[0].astype(np.float64)
    residual_px = float(np.abs(design @ coefficients - wanted).max()) * max(lens.fx, lens.fy)
    if residual_px > _MOST_RESIDUAL_PX:
        message = (
            f"RealSense {name}: lens model {lens.model.name} cannot be expressed as Brown-Conrady "
            f"(off by {residual_px:.2f} pixels). Calibrate it with a board"
        )
        raise DeviceError(message)
    return coefficients


def _sample_projection(lens: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ideal rays (N, 2) whose pixels fill the image, and where the SDK draws them (N, 2)."""
    from recording.realsense.sdk import load_sdk

    project = load_sdk().rs2_project_point_to_pixel
    xs, ys = (np.linspace(-0.2, 1.2, count) for count in _GRID)
    pixels = np.stack(np.meshgrid(xs * lens.width, ys * lens.height), axis=-1).reshape(-1, 2)
    focal, centre = np.array([lens.fx, lens.fy]), np.array([lens.ppx, lens.ppy])
    rays = (pixels - centre) / focal
    drawn = np.array([project(lens, [x, y, 1.0]) for x, y in rays.tolist()])
    is_seen = np.all((drawn >= -1) & (drawn <= [lens.width, lens.height]), axis=1)
    return rays[is_seen], (drawn[is_seen] - centre) / focal


def _brown_conrady_design(rays: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shift of rays (N, 2) by a unit of each coefficient: (2N, 5), all x before all y."""
    x, y = rays.T
    r2 = x * x + y * y
    in_x = [x * r2, x * r2**2, 2 * x * y, r2 + 2 * x * x, x * r2**3]
    in_y = [y * r2, y * r2**2, r2 + 2 * y * y, 2 * x * y, y * r2**3]
    return np.concatenate([np.stack(in_x, axis=1), np.stack(in_y, axis=1)])


def _camera_from_color(extrinsics: Any, name: str) -> NDArray[np.float64]:
    """The SDK's motion from color (columns of a float32 rotation, metres) as ours (4, 4)."""
    given = np.array(extrinsics.rotation, dtype=np.float64).reshape(3, 3).T
    left, _, right = np.linalg.svd(given)
    rotation = left @ right
    if np.abs(rotation - given).max() > _MOST_ROTATION_REPAIR or np.linalg.det(rotation) < 0:
        message = f"RealSense {name}: its memory holds no rotation. Calibrate it with a board"
        raise DeviceError(message)
    motion = np.eye(4)
    motion[:3, :3] = rotation
    motion[:3, 3] = np.array(extrinsics.translation) * _MM_PER_METRE
    return motion
