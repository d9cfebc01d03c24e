"""The three lenses of the simulated rig, and the calibration document that describes them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.streams import STREAM_NAMES, StreamName
from mavfer.vision.geometry import Calibration, CameraModel, rotation_from_euler
from recording.simulated.subjects import seed_from

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["build_calibration", "describe_calibration"]


@dataclass(frozen=True)
class _Mount:
    """A lens and where it is screwed on."""

    view_degrees: float
    """Horizontal angle of view."""
    distortion: tuple[float, float, float, float, float]
    place_mm: tuple[float, float, float]
    """In the color camera's frame."""
    turn_degrees: tuple[float, float, float]
    """Yaw, pitch, roll of the color camera's axes as this camera sees them."""


_MOUNTS: Final[dict[StreamName, _Mount]] = {
    "color": _Mount(48.0, (0.06, -0.09, 0.0004, -0.0003, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
    "depth": _Mount(56.0, (0.012, -0.015, 0.0001, 0.0002, 0), (15.0, 0.5, -1.5), (0.0, 0.0, 0.0)),
    # The thermal camera stands beside the others and is turned in towards the face.
    "thermal": _Mount(45.0, (-0.17, 0.05, 0.0005, 0.0003, 0), (70.0, -6.0, 4.0), (-3.5, 0.5, 0.0)),
}  # fmt: skip
_FOCAL_SPREAD: Final = 0.01
_CENTRE_SPREAD: Final = 0.006
"""Of the width."""
_PLACE_SPREAD_MM: Final = 0.5
_TURN_SPREAD_DEGREES: Final = 0.6


def build_calibration(seed: int, sizes: Mapping[StreamName, tuple[int, int]]) -> Calibration:
    """The cameras of the rig with this seed: no two rigs are screwed together alike.

    Args:
        seed: Of the rig; subjects and takes share it.
        sizes: Width and height of each stream's images.
    """
    rng = np.random.default_rng(seed_from("rig", seed))
    models = {name: _camera(_MOUNTS[name], sizes[name], name, rng) for name in STREAM_NAMES}
    return Calibration(**models)


def describe_calibration(calibration: Calibration, created_utc: str) -> dict[str, Any]:
    """A document of the calibration format; it is the truth, so its errors are zero."""
    cameras = calibration.to_cameras()
    digest = hashlib.sha256(json.dumps(cameras, sort_keys=True).encode()).hexdigest()
    return {
        "format": "mavfer.calibration",
        "version": 1,
        "name": f"simulated-{digest[:16]}",
        "created_utc": created_utc,
        "method": "simulated",
        "unit": "millimetre",
        "cameras": cameras,
        "error_px": {"mean": 0.0, "max": 0.0},
    }


def _camera(
    mount: _Mount, size: tuple[int, int], name: StreamName, rng: np.random.Generator
) -> CameraModel:
    """A camera that is off its drawing by what makers and screws allow."""
    width, height = size
    focal = width / 2 / np.tan(np.radians(mount.view_degrees / 2))
    focal *= 1 + rng.uniform(-_FOCAL_SPREAD, _FOCAL_SPREAD)
    aspect = 1 + rng.uniform(-0.001, 0.001)
    centre = np.array([width - 1, height - 1]) / 2 + rng.uniform(-1, 1, 2) * _CENTRE_SPREAD * width
    place = np.array(mount.place_mm) + rng.uniform(-1, 1, 3) * _PLACE_SPREAD_MM
    turn = np.array(mount.turn_degrees) + rng.uniform(-1, 1, 3) * _TURN_SPREAD_DEGREES
    return CameraModel(
        width=width,
        height=height,
        matrix=np.array([[focal, 0, centre[0]], [0, focal * aspect, centre[1]], [0, 0, 1.0]]),
        distortion=np.array(mount.distortion),
        camera_from_color=np.eye(4) if name == "color" else _rigid(turn, place),
    )


def _rigid(turn_degrees: NDArray[np.float64], place_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rigid motion (4, 4) from the color camera's frame to that of a camera at a place."""
    motion = np.eye(4)
    motion[:3, :3] = rotation_from_euler(*np.radians(turn_degrees))
    motion[:3, 3] = -motion[:3, :3] @ place_mm
    return motion
