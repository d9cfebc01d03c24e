"""Where the subject's face is in every color frame: seen in color, or carried by depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import NotAligned
from mavfer.study.streams_file import read_frame
from mavfer.vision.carrying import HeadCarrier, HeadModel, carry_landmarks, head_region
from mavfer.vision.pose import lift_landmarks
from mavfer.vision.smoothing import smooth_landmarks
from mavfer.vision.tracking import FaceTracker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from mavfer.study.video_reader import ColorFrame
    from mavfer.vision.geometry import Calibration

__all__ = ["DepthSource", "Following", "follow_face"]

_LANDMARKS: Final = 68
_DOUBTFUL_PERCENT: Final = 4.0
"""Landmarks further from the picture's motion, in % of the eye distance, are no model for carrying:
the light is just going out."""
_GIVE_UP_AFTER: Final = 15
"""Frames in a row in which depth shows no head before it is no longer looked for."""


@dataclass(frozen=True)
class DepthSource:
    """The depth frames that go with the color frames, and the cameras that took both."""

    counts: Any
    """Raw counts (N, H, W); anything that gives a frame (H, W) for an index, such as a dataset."""
    index: NDArray[np.int64]
    """(T,) the depth frame of each color frame, -1 where none."""
    mm_per_count: float
    calibration: Calibration

    def frame(self, color_index: int) -> NDArray[np.uint16] | None:
        """Raw counts (H, W) of the frame that goes with a color frame; None where none does."""
        row = int(self.index[color_index])
        return None if row < 0 else read_frame(self.counts, row)


@dataclass(frozen=True)
class Following:
    """What is known of the face in every color frame."""

    raw: NDArray[np.float32]
    """(T, 68, 2) landmarks as found or carried, pixels of the color frame, NaN where none."""
    landmarks: NDArray[np.float32]
    """(T, 68, 2) the same, smoothed."""
    is_carried: NDArray[np.bool_]
    """(T,) True where depth carried the head."""
    is_lost: NDArray[np.bool_]
    """(T,) True where depth was to carry the head and did not find it."""
    score: NDArray[np.float32]
    """(T,) the detector's score, NaN where color shows no face."""
    agreement: NDArray[np.float32]
    """(T,) distance of tracker and landmarks in % of the eye distance, NaN where unknown."""
    residual_mm: NDArray[np.float32]
    """(T,) residual of the carried head, NaN where it was not carried."""
    n_faces: NDArray[np.int16]
    """(T,) faces in the color frame when it was last searched."""

    @property
    def is_found(self) -> NDArray[np.bool_]:
        """(T,) True where the face is known, from color or from depth."""
        return np.asarray(np.isfinite(self.raw).all(axis=(1, 2)))

    def tracks(self) -> list[dict[str, Any]]:
        """Stretches without a break; first and last frame belong to them."""
        state = np.where(self.is_carried, 2, self.is_found.astype(int))
        borders = np.flatnonzero(np.diff(state)) + 1
        runs = np.split(np.arange(len(state)), borders)
        names = {1: "color", 2: "depth"}
        return [
            {"first": int(run[0]), "last": int(run[-1]), "source": names[int(state[run[0]])]}
            for run in runs
            if run.size and state[run[0]]
        ]


def follow_face(
    frames: Iterable[ColorFrame],
    count: int,
    model: Path,
    depth: DepthSource | None,
    advance: Callable[[int], None],
) -> Following:
    """Landmarks of the subject in `count` color frames.

    Args:
        frames: The session's color frames, in order.
        count: How many there are.
        model: The 68-point landmark model.
        depth: Depth frames, for the frames in which color shows no face; None without.
        advance: Called with 1 after each frame.
    """
    raw = np.full((count, _LANDMARKS, 2), np.nan, np.float32)
    score, agreement, residual = (np.full(count, np.nan, np.float32) for _ in range(3))
    is_carried, is_lost = np.zeros(count, bool), np.zeros(count, bool)
    n_faces = np.zeros(count, np.int16)
    tracker, carrier = FaceTracker(model), _Carrier(depth)
    for frame in frames:
        seen = tracker.update(frame.gray())
        n_faces[frame.index] = seen.n_faces
        if seen.source != "none":
            raw[frame.index] = seen.landmarks
            score[frame.index] = seen.score
            agreement[frame.index] = _in_eye_distances(seen)
            if not agreement[frame.index] > _DOUBTFUL_PERCENT:
                carrier.see(frame.index, seen.landmarks)
        else:
            carried = carrier.carry(frame.index)
            if carried is not None:
                raw[frame.index], residual[frame.index] = carried
                is_carried[frame.index] = True
            is_lost[frame.index] = carried is None and carrier.has_learnt
        advance(1)
    return Following(
        raw=raw,
        landmarks=smooth_landmarks(raw),
        is_carried=is_carried,
        is_lost=is_lost,
        score=score,
        agreement=agreement,
        residual_mm=residual,
        n_faces=n_faces,
    )


class _Carrier:
    """Remembers the last frame in which color showed the face, and carries it through the dark."""

    def __init__(self, depth: DepthSource | None) -> None:
        self._depth = depth
        self._lit: tuple[int, NDArray[np.float32]] | None = None
        self._carrier: HeadCarrier | None = None
        self._points_mm: NDArray[np.float64] | None = None
        self._misses = 0
        self.has_learnt = False
        """True once there was a head to carry."""

    def see(self, index: int, landmarks: NDArray[np.float32]) -> None:
        """Takes note of a frame in which color shows the face well."""
        if self._depth is not None and self._depth.index[index] >= 0:
            self._lit = (index, landmarks)
            self._carrier = None
            self._misses = 0
            self.has_learnt = False

    def carry(self, index: int) -> tuple[NDArray[np.float32], float] | None:
        """Landmarks (68, 2) of a frame in which color shows none, and the residual in mm."""
        if self._depth is None or self._lit is None:
            return None
        if self._carrier is None:
            self._learn(self._depth, *self._lit)
        counts = self._depth.frame(index)
        if self._carrier is None or self._points_mm is None or counts is None:
            return None
        pose = self._carrier.update(_millimetres(counts, self._depth))
        self._misses = 0 if pose.ok else self._misses + 1
        if self._misses > _GIVE_UP_AFTER:
            self._lit = None
        if not pose.ok:
            return None
        camera = self._depth.calibration.color
        landmarks = carry_landmarks(self._points_mm, pose.motion, camera)
        return landmarks.astype(np.float32), pose.residual_mm

    def _learn(self, depth: DepthSource, index: int, landmarks: NDArray[np.float32]) -> None:
        """Learns the head's surface from the last lit frame."""
        counts = depth.frame(index)
        cameras = depth.calibration
        if counts is None:
            return
        points_mm = lift_landmarks(
            landmarks, counts, depth.mm_per_count, cameras.depth, cameras.color
        )
        if not np.isfinite(points_mm).all():
            self._lit = None
            return
        region = head_region(cameras.depth.project(points_mm), counts.shape)
        try:
            model = HeadModel.from_depth(_millimetres(counts, depth), cameras.depth, region)
        except NotAligned:
            self._lit = None  # too little depth on the face: nothing to carry it by
            return
        self._carrier, self._points_mm = HeadCarrier(model, cameras.depth), points_mm
        self.has_learnt = True


def _millimetres(counts: NDArray[np.uint16], depth: DepthSource) -> NDArray[np.float32]:
    return counts.astype(np.float32) * np.float32(depth.mm_per_count)


def _in_eye_distances(seen: Any) -> float:
    """Distance of fresh landmarks and flow, from shares of the box to % of the eye distance."""
    eyes = seen.landmarks[36:42].mean(axis=0) - seen.landmarks[42:48].mean(axis=0)
    return float(100 * seen.agreement * seen.box.width / np.hypot(*eyes))
