"""One session made into its shard and its media."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from mavfer.errors import InvalidFile, NotAligned
from mavfer.files import locked, sha256_of_document, write_json
from mavfer.preprocess.crops import CropMaker
from mavfer.preprocess.finishing import SEGMENT, Finisher
from mavfer.preprocess.following import Follower
from mavfer.preprocess.head_path import DepthSource, HeadPath
from mavfer.preprocess.hiding import Hider
from mavfer.preprocess.inputs import Inputs, Options, gather_inputs
from mavfer.preprocess.people_depth import looks_mirrored
from mavfer.preprocess.placing import describe_placements, place_streams
from mavfer.preprocess.segments import GROUP_FRAMES, groups_of, pictures_of
from mavfer.preprocess.timeline import Timeline, align_times, require_synchronised
from mavfer.preprocess.workspace import Workspace
from mavfer.study.media_writer import writing_media
from mavfer.study.shard_writer import ShardHeader, ShardWriter
from mavfer.study.shards import Shard
from mavfer.study.streams_file import open_streams
from mavfer.vision.alignment import find_preset
from mavfer.vision.geometry import Calibration, invert_matrix
from mavfer.vision.landmarks import is_found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from mavfer.preprocess.following import Following
    from mavfer.streams import StreamName
    from mavfer.study.media_writer import MediaWriter
    from mavfer.study.study import Study
    from mavfer.vision.approximate import Placement

__all__ = ["PASSES", "SessionResult", "preprocess_session"]

_PACKAGES: Final = ("opencv-python", "av", "dlib-bin", "numba", "scipy")
PASSES: Final = 2
"""Each color frame is counted twice: when the faces in it are known, and when it is finished."""


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

    A run that was killed is gone on with where it had got to.

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
    media = (study.media_path(name), study.media_table_path(name))
    products = (path, *media) if inputs.options.media else (path,)
    if not all(product.is_file() for product in products):
        return False
    try:
        return bool(Shard(path).attributes["inputs_sha256"] == inputs.sha256)
    except InvalidFile:
        return False  # torn: made again


class _Progress:
    """Turns how far two passes have got into counts; what is done again does not count twice."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance = advance
        self._watched = self._finished = 0

    def watched(self, frames: int) -> None:
        """So many frames have been watched by now."""
        self._advance(max(frames - self._watched, 0))
        self._watched = max(frames, self._watched)

    def finished(self, frames: int) -> None:
        """So many frames are finished by now."""
        self._advance(max(frames - self._finished, 0))
        self._finished = max(frames, self._finished)


class _Job:
    """The steps of one session, in order."""

    def __init__(self, study: Study, inputs: Inputs, advance: Callable[[int], None]) -> None:
        self.study, self.inputs, self.session = study, inputs, inputs.session
        self.advance = advance
        self.options = inputs.options
        self.preset = find_preset(self.options.alignment)
        self.calibration = self._calibration()
        self.placements: dict[StreamName, Placement] = {}
        self.steps = Workspace(study.shards_folder / f".{self.session.name}.steps", inputs.sha256)

    def run(self) -> SessionResult:
        """Times first; then faces and crops, frame by frame; then the files."""
        timeline = align_times(self.session)
        self._require_synchronised(timeline)
        with open_streams(self.session.streams_path) as file:
            following = self._follower(timeline, file).run()
            self._write(timeline, following)
            is_mirrored = self._is_mirrored(timeline, file, rows := following.finisher.path.rows)
        self.steps.clear()
        found = int(following.finisher.path.is_found.sum())
        return SessionResult(
            session=self.session.name,
            state="done",
            frames=len(timeline.color_ns),
            found_frames=found,
            carried_frames=int(rows["is_carried"].sum()),
            notices=self._notices(timeline, found, is_mirrored=is_mirrored),
        )

    def _require_synchronised(self, timeline: Timeline) -> None:
        """Before a pixel is decoded: raises where streams do not go together, and leaves a report.

        Raises:
            NotAligned: They do not.
        """
        path = self.study.reports_folder / f"{self.session.name}.synchronisation.json"
        try:
            require_synchronised(self.session.name, timeline)
        except NotAligned as error:
            write_json(path, timeline.report)
            message = f"{error}. What was measured: {path}"
            raise NotAligned(message) from error
        path.unlink(missing_ok=True)  # of an earlier run

    def _calibration(self) -> Calibration | None:
        """The rig's cameras; None for color alone, and where streams are placed by the face.

        Raises:
            NotAligned: There is depth or thermal, and nothing says where the cameras stand.
        """
        if len(self.session.streams) == 1:
            return None
        if self.inputs.calibration is None:
            if self.options.approximate:
                return None
            message = (
                f"session {self.session.name}: has depth or thermal but names no calibration, so "
                f"they cannot be placed. Calibrate the rig and name it in session.json, or take a "
                f"few pixels of error with --approx"
            )
            raise NotAligned(message)
        return Calibration.from_document(self.inputs.calibration)

    def _follower(self, timeline: Timeline, file: Any) -> Follower:
        depth = self._depth_source(timeline, file)
        frames = len(timeline.color_ns)
        progress = _Progress(self.advance)

        def finisher(hider: Hider) -> Finisher:
            return Finisher(
                HeadPath(frames, depth),
                CropMaker(
                    self.session,
                    self.preset,
                    self.calibration,
                    timeline,
                    file,
                    placements=self.placements,
                ),
                hider,
                self.steps,
                preset=self.preset,
                options=self.options,
                color_ns=timeline.color_ns,
                size=self.session.size,
                reached=progress.finished,
            )

        def place(landmarks: NDArray[np.float32]) -> None:
            self.placements.update(place_streams(self.session, timeline, file, landmarks))

        is_placed_by_face = self.calibration is None and bool(timeline.pairings)
        return Follower(
            self.inputs,
            self.steps,
            finisher,
            depth=depth,
            frames=frames,
            reached=progress.watched,
            place=place if is_placed_by_face else None,
        )

    def _depth_source(self, timeline: Timeline, file: Any) -> DepthSource | None:
        if "depth" not in timeline.pairings or self.calibration is None:
            return None
        pairing = timeline.pairings["depth"]
        return DepthSource(
            counts=file.frames("depth"),
            index=np.where(pairing.usable, pairing.index, -1),
            mm_per_count=self.session.document["streams"]["depth"]["depth_mm_per_count"],
            calibration=self.calibration,
        )

    def _write(self, timeline: Timeline, following: Following) -> None:
        """Puts the finished stretches together into the shard and the media."""
        name = self.session.name
        with ExitStack() as stack:
            shard = stack.enter_context(
                ShardWriter(self.study.shard_path(name), self._header(timeline, following))
            )
            media = stack.enter_context(self._media(timeline)) if self.options.media else None
            if media is not None:
                media.describe_pictures(following.finisher.color_tags)
            for arrays in self._stretches(following.finisher):
                for group in groups_of(arrays):
                    shard.append_encoded(group)
                if media is not None:
                    media.write_encoded(pictures_of(arrays))
            shard.finish(_columns(timeline, following))

    def _media(self, timeline: Timeline) -> AbstractContextManager[MediaWriter]:
        color_and_streams = sorted(self.inputs.files.items())
        return writing_media(
            self.study.media_path(self.session.name),
            session=self.session.name,
            host_ns=timeline.color_ns,
            size=self.session.size,
            sound_from=self.session.sound_path,
            session_sha256=sha256_of_document(color_and_streams),
        )

    def _stretches(self, finisher: Finisher) -> Iterator[dict[str, NDArray[Any]]]:
        for number in range(finisher.segments()):
            arrays = self.steps.load(SEGMENT, number)
            if arrays is None:
                message = (
                    f"{self.steps.folder}: a finished stretch of session {self.session.name} does "
                    f"not read back; the disk may be failing. Run mavfer preprocess again"
                )
                raise InvalidFile(message)
            yield arrays

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
            placements=describe_placements(self.placements),
            tracks=following.tracks(),
            settings=document["settings"],
            calibration=inputs.calibration,
            packages=_PACKAGES,
            profile=inputs.options.profile,
            group_size=GROUP_FRAMES,
        )

    def _is_mirrored(self, timeline: Timeline, file: Any, rows: NDArray[Any]) -> bool:
        """True where the head turns one way in color and the other way in depth."""
        depth = self._depth_source(timeline, file)
        if depth is None:
            return False
        is_lit = is_found(rows["raw"]) & ~rows["is_carried"] & (depth.index >= 0)
        return bool(looks_mirrored(rows["raw"], np.flatnonzero(is_lit), depth))

    def _notices(self, timeline: Timeline, found: int, *, is_mirrored: bool) -> list[str]:
        name, frames = self.session.name, len(timeline.color_ns)
        notices = []
        if is_mirrored:
            notices.append(
                f"{name}: color looks like a mirror image: the head turns the other way in depth, "
                f"so the streams do not lie on one another. Switch mirroring off in the camera's "
                f"settings and record the take again"
            )
        if found == 0:
            notices.append(
                f"{name}: no face in any of {frames} frames; all rows of its shard are invalid. "
                f"Look at {self.study.media_path(name)}"
            )
        for stream, placement in self.placements.items():
            notices.append(
                f"{name}: {stream} is placed by the face, likely off by {placement.error_px:.1f} "
                f"pixels ({placement.error_eye_percent:.0f} % of the eye distance); calibrate the "
                f"rig for better"
            )
        for stream, pairing in timeline.pairings.items():
            missing = int((pairing.index < 0).sum())
            if missing:
                notices.append(
                    f"{name}: {missing} of {frames} frames have no {stream} near in time"
                )
        return notices


def _columns(timeline: Timeline, following: Following) -> dict[str, NDArray[Any]]:
    """Every column of `/frames` (docs/formats.md, 'shard')."""
    color_ns, finished = timeline.color_ns, following.finisher.columns
    matrices = finished.crop_matrix
    columns: dict[str, NDArray[Any]] = {
        "host_ns": color_ns,
        "time_seconds": (color_ns - color_ns[0]) / 1e9,
        "landmarks": finished.landmarks,
        "landmarks_raw": following.finisher.path.rows["raw"],
        "crop_matrix": matrices,
        "crop_matrix_inverse": np.stack([_inverse(matrix) for matrix in matrices]),
        "pose": finished.pose,
        "quality": finished.quality,
        "valid": finished.valid,
        "reason": finished.reason,
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
