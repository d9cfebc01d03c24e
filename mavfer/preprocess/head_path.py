"""Where the subject's head is in every color frame: seen in color, or carried by depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import NotAligned
from mavfer.study.streams_file import read_frame
from mavfer.vision.carrying import HeadCarrier, HeadModel, carry_landmarks, head_region
from mavfer.vision.landmarks import complete_landmarks, is_found, known_points
from mavfer.vision.pose import lift_landmarks
from mavfer.vision.smoothing import REACH, smooth_landmarks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mavfer.vision.geometry import Calibration

__all__ = ["PATH", "DepthSource", "HeadPath"]

PATH: Final = np.dtype(
    [
        ("raw", "<f4", (68, 2)),
        ("score", "<f4"),
        ("agreement", "<f4"),
        ("residual_mm", "<f4"),
        ("uncertainty_mm", "<f4"),
        ("is_carried", "?"),
        ("is_lost", "?"),
    ]
)
"""One color frame: landmarks as found or carried, pixels of the color frame, NaN where none; the
detector's score; distance of tracker and landmarks in % of the eye distance; residual and
uncertainty of the carried head; whether depth carried it, or was to and did not find it."""

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

    def millimetres(self, counts: NDArray[np.uint16]) -> NDArray[np.float32]:
        """Depth (H, W) of raw counts."""
        return counts.astype(np.float32) * np.float32(self.mm_per_count)


class HeadPath:
    """The subject's landmarks, frame after frame; can be put down and taken up again."""

    def __init__(self, frames: int, depth: DepthSource | None) -> None:
        """Prepares for so many `frames`; without `depth` nothing is carried."""
        self.rows = np.zeros(frames, PATH)
        """(T,) of the type `PATH`; NaN and False until a frame's turn has come."""
        for name in ("raw", "score", "agreement", "residual_mm", "uncertainty_mm"):
            self.rows[name] = np.nan
        self.stepped = 0
        """Frames whose turn has come."""
        self._carrier = _Carrier(depth)

    def step(self, sighting: NDArray[Any] | None) -> None:
        """The next frame: what color shows of the subject, None where it shows nothing."""
        index, self.stepped = self.stepped, self.stepped + 1
        row = self.rows[index]
        if sighting is not None:
            row["raw"], row["score"] = sighting["landmarks"], sighting["score"]
            row["agreement"] = sighting["agreement"]
            if not sighting["agreement"] > _DOUBTFUL_PERCENT:
                self._carrier.see(index, row["raw"].copy())
            return
        carried = self._carrier.carry(index)
        if carried is None:
            row["is_lost"] = self._carrier.has_learnt
        else:
            row["raw"], row["residual_mm"], row["uncertainty_mm"] = carried
            row["is_carried"] = True

    def smoothed(self, first: int, stop: int) -> NDArray[np.float32]:
        """Smoothed landmarks (n, 68, 2) of the frames `first` up to `stop`.

        `smoothing.REACH` frames beyond `stop` must have been stepped, or all of the session.
        """
        begin, end = max(first - REACH, 0), min(stop + REACH, self.stepped)
        smoothed = smooth_landmarks(self.rows["raw"][begin:end])
        return smoothed[first - begin : stop - begin]

    def state(self, since: int) -> dict[str, NDArray[Any]]:
        """All that is needed to go on after `stepped` frames, besides the rows before `since`."""
        return {"path": self.rows[since : self.stepped].copy(), **self._carrier.state()}

    def restore(self, rows: NDArray[Any], state: dict[str, NDArray[Any]]) -> None:
        """Goes on after `rows`, all of the type `PATH`, with the carrier as `state` left it."""
        self.stepped = len(rows)
        self.rows[: len(rows)] = rows
        self._carrier.restore(state)

    @property
    def is_found(self) -> NDArray[np.bool_]:
        """(T,) True where the face is known, from color or from depth."""
        return is_found(self.rows["raw"])

    def stretches(self) -> list[dict[str, Any]]:
        """Stretches without a break; first and last frame belong to them."""
        state = np.where(self.rows["is_carried"], 2, self.is_found.astype(int))
        borders = np.flatnonzero(np.diff(state)) + 1
        names = {1: "color", 2: "depth"}
        return [
            {"first": int(run[0]), "last": int(run[-1]), "source": names[int(state[run[0]])]}
            for run in np.split(np.arange(len(state)), borders)
            if run.size and state[run[0]]
        ]


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

    def carry(self, index: int) -> tuple[NDArray[np.float32], float, float] | None:
        """Landmarks (68, 2) of a frame in which color shows none, residual and uncertainty in mm.

        None where depth does not show the head either.
        """
        if self._depth is None or self._lit is None:
            return None
        if self._carrier is None:
            self._learn(self._depth, *self._lit)
        counts = self._depth.frame(index)
        if self._carrier is None or self._points_mm is None or counts is None:
            return None
        pose = self._carrier.update(self._depth.millimetres(counts))
        known = known_points(self._lit[1])
        self._misses = 0 if pose.ok else self._misses + 1
        if self._misses > _GIVE_UP_AFTER:
            self._lit = None
        if not pose.ok:
            return None
        camera = self._depth.calibration.color
        carried = carry_landmarks(self._points_mm, pose.motion, camera).astype(np.float32)
        carried[~known] = np.nan  # what the landmark model does not know is not carried either
        return carried, pose.residual_mm, pose.uncertainty_mm

    def state(self) -> dict[str, NDArray[Any]]:
        """All that is needed to go on."""
        state = {
            "carrier_misses": np.array(self._misses),
            "carrier_has_learnt": np.array(self.has_learnt),
        }
        if self._lit is not None:
            state["lit_index"], state["lit_landmarks"] = np.array(self._lit[0]), self._lit[1]
        if self._carrier is not None and self._points_mm is not None:
            state["carrier_points_mm"] = self._points_mm
            state |= {f"head_{name}": array for name, array in self._carrier.state().items()}
        return state

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Goes on as `state` says."""
        self._misses = int(state["carrier_misses"])
        self.has_learnt = bool(state["carrier_has_learnt"])
        if "lit_index" in state:
            self._lit = int(state["lit_index"]), state["lit_landmarks"]
        if self._depth is not None and "carrier_points_mm" in state:
            head = {k.removeprefix("head_"): v for k, v in state.items() if k.startswith("head_")}
            self._points_mm = state["carrier_points_mm"]
            self._carrier = HeadCarrier.restore(head, self._depth.calibration.depth)

    def _learn(self, depth: DepthSource, index: int, landmarks: NDArray[np.float32]) -> None:
        """Learns the head's surface from the last lit frame."""
        counts = depth.frame(index)
        cameras = depth.calibration
        if counts is None:
            return
        points_mm = lift_landmarks(
            complete_landmarks(landmarks), counts, depth.mm_per_count, cameras.depth, cameras.color
        )
        if not np.isfinite(points_mm).all():
            self._lit = None
            return
        region = head_region(cameras.depth.project(points_mm), counts.shape)
        try:
            model = HeadModel.from_depth(depth.millimetres(counts), cameras.depth, region)
        except NotAligned:
            self._lit = None  # too little depth on the face: nothing to carry it by
            return
        self._carrier, self._points_mm = HeadCarrier(model, cameras.depth), points_mm
        self.has_learnt = True
