"""One frame's crops of all streams, and what is measured on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from mavfer.preprocess.temperatures import centikelvin_of_counts
from mavfer.study.streams_file import read_frame
from mavfer.vision.alignment import warp_color
from mavfer.vision.color_crop import crop_yuv420
from mavfer.vision.geometry import CameraModel
from mavfer.vision.landmarks import is_found
from mavfer.vision.pose import head_pose, lift_from_crop, picture_pose
from mavfer.vision.quality import CropQuality, measure_crop
from mavfer.vision.registration import Registrar
from mavfer.vision.validity import FrameFacts, judge_frame

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mavfer.preprocess.timeline import Timeline
    from mavfer.streams import StreamName
    from mavfer.study.session import Session
    from mavfer.study.video_reader import ColorFrame
    from mavfer.vision.alignment import Preset
    from mavfer.vision.approximate import Placement
    from mavfer.vision.geometry import Calibration

__all__ = ["QUALITY", "CropMaker", "Crops", "Measures", "Near"]

QUALITY: Final = np.dtype(
    [
        (name, "<f4")
        for name in (
            *("score", "agreement", "blur", "brightness", "saturation", "inside"),
            *("depth_coverage", "thermal_coverage", "carry_residual_mm"),
            "carry_uncertainty_mm",
        )
    ]
)
"""The column /frames/quality of a shard."""

_SHUTTER: Final = 1
_ASSUMED_LENS_DEGREES: Final = 55.0
"""Horizontal angle of an ordinary web or phone camera, for the pose where there is no calibration
(ours)."""


@dataclass(frozen=True)
class Near:
    """Where the face is in a color frame, and how its crop and those beside it are cut."""

    landmarks: NDArray[np.float32]
    """(68, 2) smoothed, NaN where none."""
    before: NDArray[np.float64]
    """(2, 3) from the frame's pixels to the crop's one frame earlier, NaN where no face is."""
    matrix: NDArray[np.float64]
    """(2, 3) in this frame."""
    after: NDArray[np.float64]
    """(2, 3) one frame later."""

    @property
    def is_there(self) -> bool:
        """True where there is a face to be cut out."""
        return bool(np.isfinite(self.matrix).all() and is_found(self.landmarks))


@dataclass(frozen=True)
class Measures:
    """What stands beside a frame's pixels."""

    pose: tuple[float, float, float]
    """Yaw, pitch, roll in degrees, NaN where unknown."""
    quality: NDArray[Any]
    """(1,) of the type `QUALITY`."""
    valid: int
    """Bits of `validity.Valid`."""
    reason: int
    """A code of `validity.Reason`."""


@dataclass(frozen=True)
class Crops:
    """One frame of all streams of a session; streams that the session lacks are None."""

    color: NDArray[np.uint8]
    """(H, W, 3) RGB; black where there is no face."""
    depth: NDArray[np.uint16] | None
    """(H, W) mm, 0 = none."""
    thermal: NDArray[np.uint16] | None
    """(H, W) centikelvin, 0 = none."""
    depth_mask: NDArray[np.uint8] | None
    """(H, W) bits of `registration.PixelMask`."""
    thermal_mask: NDArray[np.uint8] | None
    """(H, W) bits of `registration.PixelMask`."""
    measures: Measures


class CropMaker:
    """Cuts the crops of one session, frame after frame."""

    def __init__(
        self,
        session: Session,
        preset: Preset,
        calibration: Calibration | None,
        timeline: Timeline,
        file: Any,
        *,
        placements: Mapping[StreamName, Placement],
    ) -> None:
        """Prepares the cameras.

        Args:
            session: The session.
            preset: Where the face shall lie in a crop.
            calibration: The rig's cameras; None for color alone.
            timeline: Which depth and thermal frame goes with which color frame.
            file: The session's open streams.h5.
            placements: Where streams lie approximately, where there is no calibration.
        """
        width, height = session.size
        self._shape = preset.crop_shape(height, width)
        self._frame_shape = (height, width)
        self._timeline = timeline
        self._preset = preset
        # Looking a dataset up by its name costs as much as reading a small frame.
        self._frames = {stream: file.frames(stream) for stream in timeline.pairings}
        self._read: dict[StreamName, tuple[int, NDArray[np.uint16]]] = {}
        self._registrar = Registrar(calibration, self._shape) if calibration else None
        self._placements = placements
        self._camera = calibration.color if calibration else _assumed_camera(width, height)
        streams = session.document["streams"]
        self._mm_per_count = streams.get("depth", {}).get("depth_mm_per_count", 1.0)
        radiometry = streams.get("thermal", {}).get("radiometry")
        self._centikelvin = centikelvin_of_counts(radiometry, session.name)

    def make(self, frame: ColorFrame, row: NDArray[Any], near: Near) -> Crops:
        """The crops of one color frame and of the frames that go with it.

        Args:
            frame: The color frame.
            row: What is known of the head in it, of the type `head_path.PATH`.
            near: The smoothed landmarks around it.
        """
        index = frame.index
        matrix = near.matrix
        is_there = near.is_there
        color = self._color(frame, matrix) if is_there else np.zeros((*self._shape, 3), np.uint8)
        depth, depth_mask = self._depth(index, near if is_there else None)
        thermal, thermal_mask = self._thermal(index, depth, near if is_there else None)
        quality = measure_crop(
            color, near.landmarks, matrix, self._frame_shape, depth_crop=depth, thermal_crop=thermal
        )
        pose = self._pose(near.landmarks, depth, matrix)
        measures = Measures(
            pose=pose,
            quality=_quality_row(quality, row),
            **self._judged(quality, row, index, yaw_degrees=pose[0]),
        )
        return Crops(color, depth, thermal, depth_mask, thermal_mask, measures)

    def _color(self, frame: ColorFrame, matrix: NDArray[np.float64]) -> NDArray[np.uint8]:
        """The crop of the color frame: of its planes where they can be used as they are."""
        planes = frame.planes()
        if planes is None or self._preset.size is None:
            return warp_color(frame.rgb(), matrix, self._shape)
        return crop_yuv420(
            planes.y,
            planes.u,
            planes.v,
            matrix,
            self._shape,
            is_full_range=planes.is_full_range,
            is_bt709=planes.is_bt709,
        )

    def _depth(
        self, index: int, near: Near | None
    ) -> tuple[NDArray[np.uint16] | None, NDArray[np.uint8] | None]:
        """Depth crop and mask; zeros where no frame goes with the color frame."""
        if "depth" not in self._timeline.pairings:
            return None, None
        counts = self._paired("depth", index)
        if near is None or counts is None:
            return self._nothing()
        matrix = self._matrix_at("depth", index, near)
        if self._registrar is not None:
            return self._registrar.depth(counts, self._mm_per_count, matrix)
        crop, mask = self._placements["depth"].crop(counts, matrix, self._shape)
        return np.rint(crop * self._mm_per_count).astype(np.uint16), mask

    def _thermal(
        self, index: int, depth: NDArray[np.uint16] | None, near: Near | None
    ) -> tuple[NDArray[np.uint16] | None, NDArray[np.uint8] | None]:
        """Thermal crop and mask; zeros where no frame goes with the color frame."""
        if "thermal" not in self._timeline.pairings:
            return None, None
        counts = self._paired("thermal", index)
        if near is None or counts is None:
            return self._nothing()
        matrix = self._matrix_at("thermal", index, near)
        centikelvin = counts if self._centikelvin is None else self._centikelvin[counts]
        if self._registrar is None:
            return self._placements["thermal"].crop(centikelvin, matrix, self._shape)
        if depth is None:
            return self._nothing()
        return self._registrar.thermal(centikelvin, depth, matrix)

    def _matrix_at(self, stream: StreamName, index: int, near: Near) -> NDArray[np.float64]:
        """The crop's matrix for where the face was when the paired frame was exposed.

        The face moves on between two exposures: up to a pixel at 15 frames a second. Its track is
        continuous, so it is read at the other stream's own time; where the neighbouring frame has
        no face, it is taken to have stood still.
        """
        color_ns = self._timeline.color_ns
        gap_ns = int(self._timeline.pairings[stream].gap_ns[index])
        neighbour = index + (1 if gap_ns > 0 else -1)
        if gap_ns == 0 or not 0 <= neighbour < len(color_ns):
            return near.matrix
        share = gap_ns / int(color_ns[neighbour] - color_ns[index])
        other = near.after if gap_ns > 0 else near.before
        if not 0 <= share <= 1 or not np.isfinite(other).all():
            return near.matrix
        return (1 - share) * near.matrix + share * other

    def _paired(self, stream: StreamName, index: int) -> NDArray[np.uint16] | None:
        """Raw counts of the frame that goes with a color frame; None where it cannot be used.

        A slower stream's frame goes with several color frames, and is read once.
        """
        pairing = self._timeline.pairings[stream]
        if not pairing.usable[index]:
            return None
        row = int(pairing.index[index])
        if stream not in self._read or self._read[stream][0] != row:
            self._read[stream] = (row, read_frame(self._frames[stream], row))
        return self._read[stream][1]

    def _nothing(self) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
        return np.zeros(self._shape, np.uint16), np.zeros(self._shape, np.uint8)

    def _pose(
        self,
        landmarks: NDArray[np.float32],
        depth: NDArray[np.uint16] | None,
        matrix: NDArray[np.float64],
    ) -> tuple[float, float, float]:
        """Yaw, pitch, roll: from depth where there is depth, from the picture elsewhere."""
        pose = None
        if self._registrar is not None and depth is not None and depth.any():
            pose = head_pose(lift_from_crop(landmarks, depth, self._camera, matrix))
        pose = pose or picture_pose(landmarks, self._camera)
        return (pose.yaw, pose.pitch, pose.roll) if pose else (np.nan, np.nan, np.nan)

    def _judged(
        self, quality: CropQuality, row: NDArray[Any], index: int, *, yaw_degrees: float
    ) -> dict[str, int]:
        """What of the frame can be used, and why not the rest."""
        source: Literal["color", "depth", "none"] = "none"
        if is_found(row["raw"]):
            source = "depth" if row["is_carried"] else "color"
        depth_state = self._state("depth", index)
        valid, reason = judge_frame(
            FrameFacts(
                source=source,
                is_head_lost=bool(row["is_lost"]),
                inside=quality.inside,
                agreement=float(row["agreement"]),
                depth="missing" if depth_state == "shutter" else depth_state,
                depth_coverage=quality.depth_coverage,
                thermal=self._state("thermal", index),
                thermal_coverage=quality.thermal_coverage,
                yaw_degrees=yaw_degrees,
                is_approximate=bool(self._placements),
            )
        )
        return {"valid": int(valid), "reason": int(reason)}

    def _state(
        self, stream: StreamName, index: int
    ) -> Literal["absent", "missing", "shutter", "there"]:
        """Whether a usable frame of `stream` goes with a color frame."""
        pairing = self._timeline.pairings.get(stream)
        if pairing is None:
            return "absent"
        if pairing.usable[index]:
            return "there"
        return "shutter" if pairing.flags[index] & _SHUTTER else "missing"


def _quality_row(quality: CropQuality, row: NDArray[Any]) -> NDArray[Any]:
    values = (
        row["score"],
        row["agreement"],
        quality.blur,
        quality.brightness,
        quality.saturation,
        quality.inside,
        quality.depth_coverage,
        quality.thermal_coverage,
        row["residual_mm"],
        row["uncertainty_mm"],
    )
    return np.array([values], QUALITY)


def _assumed_camera(width: int, height: int) -> CameraModel:
    """A lens as web and phone cameras have it, for sessions without a calibration."""
    focal = width / 2 / np.tan(np.radians(_ASSUMED_LENS_DEGREES / 2))
    matrix = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    return CameraModel(width, height, matrix, np.zeros(5), np.eye(4))
