"""One session made into its shard and its media."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from mavfer.errors import InvalidFile, NotAligned
from mavfer.files import locked
from mavfer.preprocess.crops import CropMaker, Crops
from mavfer.preprocess.following import DepthSource, Following, follow_face
from mavfer.preprocess.inputs import Inputs, Options, gather_inputs
from mavfer.preprocess.timeline import Timeline, align_times
from mavfer.study.media_writer import writing_media
from mavfer.study.shard_writer import ShardHeader, ShardWriter
from mavfer.study.shards import Shard
from mavfer.study.streams_file import open_streams
from mavfer.vision.alignment import crop_matrix, find_preset
from mavfer.vision.geometry import Calibration, invert_matrix

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from mavfer.study.media_writer import MediaWriter
    from mavfer.study.study import Study

__all__ = ["PASSES", "SessionResult", "preprocess_session"]

_PACKAGES: Final = ("opencv-python", "av", "dlib-bin", "numba", "scipy")
PASSES: Final = 2
"""Each color frame is read twice: to follow the face, and to cut it out."""


@dataclass(frozen=True)
class SessionResult:
    """What became of one session."""

    session: str
    state: Literal["done", "skipped", "failed"]
    frames: int = 0
    found_frames: int = 0
    """Frames in which the face was found or carried."""
    carried_frames: int = 0
    error: str = ""
    """Why it failed, in one line."""
    notices: list[str] = field(default_factory=list)
    """What a person should know though nothing failed."""


def preprocess_session(
    study: Study, name: str, options: Options, advance: Callable[[int], None]
) -> SessionResult:
    """Makes the shard and the media of session `name`, unless they are there and up to date.

    Args:
        study: The study.
        name: The session's id.
        options: What was chosen.
        advance: Called with a number of color frames as they are done.

    Raises:
        MavferError: The session cannot be made into a shard; nothing is left half-written.
    """
    with locked(study.shards_folder / f".{name}.lock", f"session {name} is preprocessed"):
        inputs = gather_inputs(study, name, options)
        if _is_up_to_date(study, name, inputs):
            advance(PASSES * Shard(study.shard_path(name)).frames)
            return SessionResult(name, "skipped")
        return _Job(study, inputs, advance).run()


def _is_up_to_date(study: Study, name: str, inputs: Inputs) -> bool:
    """True where shard and media are there and were made from the same inputs in the same way."""
    path = study.shard_path(name)
    products = (path, study.media_path(name), study.media_table_path(name))
    if not all(product.is_file() for product in products):
        return False
    try:
        return bool(Shard(path).attributes["inputs_sha256"] == inputs.sha256)
    except InvalidFile:
        return False  # torn: made again


class _Job:
    """The steps of one session, in order."""

    def __init__(self, study: Study, inputs: Inputs, advance: Callable[[int], None]) -> None:
        self.study, self.inputs, self.session = study, inputs, inputs.session
        self.advance = advance
        self.preset = find_preset(inputs.options.alignment)
        self.calibration = self._calibration()

    def run(self) -> SessionResult:
        """Times first, then the face in all frames, then the crops."""
        timeline = align_times(self.session)
        with ExitStack() as stack:
            file = stack.enter_context(open_streams(self.session.streams_path))
            following = self._follow(timeline, file)
            self._write(timeline, following, file)
        found = int(following.is_found.sum())
        return SessionResult(
            session=self.session.name,
            state="done",
            frames=len(timeline.color_ns),
            found_frames=found,
            carried_frames=int(following.is_carried.sum()),
            notices=self._notices(timeline, found),
        )

    def _calibration(self) -> Calibration | None:
        """The rig's cameras; None for color alone.

        Raises:
            NotAligned: There is depth or thermal, and nothing says where the cameras stand.
        """
        if len(self.session.streams) == 1:
            return None
        if self.inputs.calibration is None:
            message = (
                f"session {self.session.name}: has depth or thermal but names no calibration, so "
                f"they cannot be placed. Calibrate the rig and name it in session.json"
            )
            raise NotAligned(message)
        return Calibration.from_document(self.inputs.calibration)

    def _follow(self, timeline: Timeline, file: Any) -> Following:
        return follow_face(
            self.session.color_frames(),
            len(timeline.color_ns),
            self.inputs.model,
            self._depth_source(timeline, file),
            self.advance,
        )

    def _depth_source(self, timeline: Timeline, file: Any) -> DepthSource | None:
        if "depth" not in timeline.pairings or self.calibration is None:
            return None
        pairing = timeline.pairings["depth"]
        return DepthSource(
            counts=file["depth/frames"],
            index=np.where(pairing.usable, pairing.index, -1),
            mm_per_count=self.session.document["streams"]["depth"]["depth_mm_per_count"],
            calibration=self.calibration,
        )

    def _write(self, timeline: Timeline, following: Following, file: Any) -> None:
        """Second pass over the color frames: crops into the shard, whole frames into the media."""
        matrices = np.stack([crop_matrix(points, self.preset) for points in following.landmarks])
        maker = CropMaker(self.session, self.preset, self.calibration, timeline, file)
        name = self.session.name
        with ExitStack() as stack:
            shard = stack.enter_context(
                ShardWriter(self.study.shard_path(name), self._header(timeline, following))
            )
            media: MediaWriter = stack.enter_context(
                writing_media(
                    self.study.media_path(name),
                    session=name,
                    host_ns=timeline.color_ns,
                    size=self.session.size,
                    sound_from=self.session.sound_path,
                    session_sha256=self.session.sha256(),
                )
            )
            measured = []
            for frame in self.session.color_frames():
                crops = maker.make(frame, matrices[frame.index], following)
                _append(shard, crops)
                measured.append(crops.measures)
                media.write(frame)
                self.advance(1)
            shard.finish(_columns(timeline, following, matrices, measured))

    def _header(self, timeline: Timeline, following: Following) -> ShardHeader:
        document, inputs = self.session.document, self.inputs
        return ShardHeader(
            session=self.session.name,
            subject=self.session.subject,
            kind=document["kind"],
            alignment=self.preset.name,
            inputs_sha256=inputs.sha256,
            landmark_model_sha256=inputs.model_sha256,
            configuration=inputs.options.to_document(),
            inputs=inputs.files,
            synchronisation=timeline.report,
            tracks=following.tracks(),
            settings=document["settings"],
            calibration=inputs.calibration,
            packages=_PACKAGES,
            profile=inputs.options.profile,  # type: ignore[arg-type]
        )

    def _notices(self, timeline: Timeline, found: int) -> list[str]:
        name, frames = self.session.name, len(timeline.color_ns)
        notices = []
        if found == 0:
            notices.append(
                f"{name}: no face in any of {frames} frames; all rows of its shard are invalid. "
                f"Look at {self.study.media_path(name)}"
            )
        for stream, pairing in timeline.pairings.items():
            missing = int((pairing.index < 0).sum())
            if missing:
                notices.append(
                    f"{name}: {missing} of {frames} frames have no {stream} near in time"
                )
        return notices


def _append(shard: ShardWriter, crops: Crops) -> None:
    """One frame into the shard, which gathers groups itself."""
    shard.append(
        crops.color[None],
        None if crops.depth is None else crops.depth[None],
        None if crops.thermal is None else crops.thermal[None],
        depth_mask=None if crops.depth_mask is None else crops.depth_mask[None],
        thermal_mask=None if crops.thermal_mask is None else crops.thermal_mask[None],
    )


def _columns(
    timeline: Timeline,
    following: Following,
    matrices: NDArray[np.float64],
    measured: list[Any],
) -> dict[str, NDArray[Any]]:
    """Every column of `/frames` (docs/formats.md, 'shard')."""
    color_ns = timeline.color_ns
    columns: dict[str, NDArray[Any]] = {
        "host_ns": color_ns,
        "time_seconds": (color_ns - color_ns[0]) / 1e9,
        "landmarks": following.landmarks,
        "landmarks_raw": following.raw,
        "crop_matrix": matrices,
        "crop_matrix_inverse": np.stack([_inverse(matrix) for matrix in matrices]),
        "pose": np.array([m.pose for m in measured], np.float32),
        "quality": np.concatenate([m.quality for m in measured]),
        "valid": np.array([m.valid for m in measured], np.uint8),
        "reason": np.array([m.reason for m in measured], np.uint8),
        "n_faces": following.n_faces,
    }
    missing = np.full(len(color_ns), -1, np.int64)
    for stream in ("depth", "thermal"):
        pairing = timeline.pairings.get(stream)
        columns[f"{stream}_frame"] = missing if pairing is None else pairing.index
        columns[f"{stream}_host_ns"] = missing if pairing is None else pairing.host_ns
        columns[f"{stream}_gap_ns"] = 0 * missing if pairing is None else pairing.gap_ns
    thermal = timeline.pairings.get("thermal")
    no_flags = np.zeros(len(color_ns), np.uint16)
    columns["thermal_flags"] = no_flags if thermal is None else thermal.flags
    return columns


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix that undoes a crop, NaN where there is no crop."""
    return invert_matrix(matrix) if np.isfinite(matrix).all() else matrix
