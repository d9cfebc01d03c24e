"""Recording one take: from a rig's cameras into a session of the study, and its audit."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from mavfer.errors import DataError, DeviceError, require
from mavfer.study.session import Session, write_session_document
from mavfer.study.study import require_subject
from mavfer.study.truth import write_truth
from recording.audit import conclude_session
from recording.forecast import RoomLeft, forecast_take, require_room
from recording.lane import Lane
from recording.markers import receiving_marks
from recording.reader import Patience
from recording.segments import join_segment, next_segment
from recording.take import color_codec, new_session
from recording.writer import DiskNearlyFull, TakeWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from mavfer.streams import StreamName
    from mavfer.study.color_writer import ColorCodec
    from mavfer.study.study import Study
    from recording.audit_report import AuditReport
    from recording.camera import CameraInfo, Rig
    from recording.markers import MarkBook
    from recording.take import TakePlace

__all__ = [
    "PATIENCE",
    "QUEUE_FRAMES",
    "RESERVE_BYTES",
    "Take",
    "TakeProgress",
    "record_take",
    "stopping_on_signals",
]

QUEUE_FRAMES: Final = 60
"""Frames of one stream that may wait for the disk: two seconds at 30 frames a second."""

RESERVE_BYTES: Final = 128 << 20
"""Room on the disk that ending a long take may need: the last clusters, and the truth."""

PATIENCE: Final = Patience()
"""How long a camera may be silent."""

_LOOK_SECONDS: Final = 0.05


@dataclass(frozen=True)
class TakeProgress:
    """How far a take is; handed to the caller about twenty times a second."""

    frames: dict[StreamName, int]
    """Frames written."""
    drops: dict[StreamName, int]
    """Frames lost, for whatever cause."""
    most_queued: dict[StreamName, int]
    """The most frames that ever waited for the disk."""
    troubles: dict[StreamName, str]
    """Streams that get no frames at this moment, and why."""
    room_seconds: float
    """How long the take may go on before the disk is full; by its own pace after ten seconds."""
    session: str = ""
    marks: int = 0
    """Marks of stimuli that other programs sent."""


@dataclass(frozen=True)
class Take:
    """A finished take."""

    session: str
    folder: Path
    report: AuditReport
    progress: TakeProgress
    """Counts at the end."""
    failures: dict[StreamName, str]
    """Cameras that ended early, and why."""


def record_take(
    study: Study,
    rig: Rig,
    *,
    subject: str,
    continues: str | None = None,
    seconds: float | None = None,
    queue_frames: int = QUEUE_FRAMES,
    reserve_bytes: int = RESERVE_BYTES,
    patience: Patience = PATIENCE,
    stop: threading.Event | None = None,
    progress: Callable[[TakeProgress], None] | None = None,
    with_hashes: bool = True,
) -> Take:
    """Records until the cameras end, `seconds` are over or `stop` is set, then audits the take.

    A camera that falls silent or is unplugged costs the others nothing; it is opened again and
    again, and goes on in its stream when it is back.

    Args:
        study: Where the session goes.
        rig: The cameras; one of them must give color.
        subject: The subject's code.
        continues: An audited session of the subject that this take goes on with, as a further
            segment, instead of a new session.
        seconds: Length by the wall clock; None records until the cameras end.
        queue_frames: Frames of one stream that may wait for the disk before any is dropped.
        reserve_bytes: Room on the disk at which the take is ended, and is whole up to there.
        patience: How long a camera may be silent.
        stop: Ends the take cleanly when it is set.
        progress: Called while the take goes on.
        with_hashes: Hash the files when the take is over; else that is left to
            `recording.audit.add_hashes`, or to the next audit of the session.

    Raises:
        NotFound: A real subject has no consent record.
        DataError: The consent does not cover recording, the take would not fit on the disk, or the
            disk is full or failed.
        DeviceError: A camera cannot be opened, or none gave a color frame.
        MissingExtra: PyAV, which writes color, or what drives a camera is not installed.
    """
    require_subject(subject)
    require("av", "record")  # before anything is written
    lanes = [
        Lane(camera, is_paced=rig.is_paced, queue_frames=queue_frames, patience=patience)
        for camera in rig.cameras
    ]
    with ExitStack() as cleanup:
        cleanup.callback(_end, lanes)
        cameras = [lane.open() for lane in lanes]
        _require_color(cameras)
        forecast = forecast_take(study, cameras, color_codec(rig), reserve_bytes=reserve_bytes)
        require_room(forecast, _known_seconds(rig, seconds), study.sessions_folder)
        place = cleanup.enter_context(
            new_session(study, rig, subject, cameras)
            if continues is None
            else next_segment(study, rig, subject, cameras, continues)
        )
        writer = _writer(place, cameras, color_codec(rig), reserve_bytes)
        cleanup.callback(writer.abandon)
        cleanup.callback(_end, lanes)  # what is entered last ends first: no lane without files
        write_session_document(place.folder, place.document)
        writer.event(time.monotonic_ns(), "started")
        _start(lanes, writer, place)
        room = RoomLeft(forecast, place.files, reserve_bytes)
        with receiving_marks(place.folder, writer, is_open=rig.is_paced) as marks:
            look = partial(_progress, lanes, room, marks)
            _run(lanes, look, seconds, stop or threading.Event(), progress)
        _require_written(lanes, place.folder)
        _close(writer, place.folder)
        ended = look()  # before the folder of a segment is gone
        report = _finish(rig, place, lanes, with_hashes=with_hashes)
        _tell_of_full_disk(lanes, place.folder)
        _require_color_frames(lanes, place.folder)
    folder = place.folder
    failures = {lane.stream: str(lane.failure) for lane in lanes if lane.failure is not None}
    return Take(folder.name, folder, report, ended, failures)


@contextmanager
def stopping_on_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, so that a take ends as it should; main thread only.

    A second Ctrl-C interrupts as usual.
    """
    stop = threading.Event()

    def ask(number: int, _: object) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _writer(
    place: TakePlace, cameras: Sequence[CameraInfo], codec: ColorCodec, reserve_bytes: int
) -> TakeWriter:
    return TakeWriter(
        place.files,
        place.folder.name,
        cameras,
        codec=codec,
        reserve_bytes=reserve_bytes,
        moved_ns=place.moved_ns,
        begins_ns=place.begins_ns,
    )


def _start(lanes: Sequence[Lane], writer: TakeWriter, place: TakePlace) -> None:
    """Lets the cameras go."""
    for lane in lanes:
        lane.start(writer, place.lasts.get(lane.stream))


def _run(
    lanes: Sequence[Lane],
    look: Callable[[], TakeProgress],
    seconds: float | None,
    stop: threading.Event,
    progress: Callable[[TakeProgress], None] | None,
) -> None:
    """Waits until the last frame of each camera is written."""
    deadline = None if seconds is None else time.monotonic() + seconds
    while any(lane.is_alive for lane in lanes):
        is_over = deadline is not None and time.monotonic() >= deadline
        if is_over or stop.is_set() or _is_pointless(lanes):
            for lane in lanes:
                lane.stop()
        for lane in lanes:
            lane.watch()
        if progress is not None:
            progress(look())
        time.sleep(_LOOK_SECONDS)
    for lane in lanes:
        lane.join()


def _is_pointless(lanes: Sequence[Lane]) -> bool:
    """True where nothing more can be written, or the cameras that are left are all away."""
    if any(lane.write_failure for lane in lanes):
        return True
    left = [lane for lane in lanes if lane.is_alive]
    return len(left) < len(lanes) and all(lane.is_lost for lane in left)


def _end(lanes: Sequence[Lane]) -> None:
    """Stops and waits; at this point either all is over or something failed."""
    for lane in lanes:
        lane.stop()
    for lane in lanes:
        lane.join()


def _known_seconds(rig: Rig, seconds: float | None) -> float | None:
    """How long the take is to be; None where nobody said."""
    asked = rig.settings.get("seconds")
    return asked if seconds is None and isinstance(asked, int | float) else seconds


def _progress(lanes: Sequence[Lane], room: RoomLeft, marks: MarkBook) -> TakeProgress:
    return TakeProgress(
        frames={lane.stream: lane.frames for lane in lanes},
        drops={lane.stream: lane.drops for lane in lanes},
        most_queued={lane.stream: lane.most_queued for lane in lanes},
        troubles={lane.stream: lane.trouble for lane in lanes if lane.trouble},
        room_seconds=room.seconds(),
        session=marks.session,
        marks=marks.count,
    )


def _require_color(cameras: Sequence[CameraInfo]) -> None:
    names = [camera.stream for camera in cameras]
    if names.count("color") != 1 or len(set(names)) != len(names):
        message = f"rig: needs one color camera and at most one each of depth and thermal: {names}"
        raise DeviceError(message)


def _require_written(lanes: Sequence[Lane], folder: Path) -> None:
    """Raises where the disk, or the encoder, ended the take; what was flushed stays."""
    for lane in lanes:
        if lane.write_failure and not isinstance(lane.write_failure, DiskNearlyFull):
            raise _stopped_by_disk(folder, lane.write_failure) from lane.write_failure


def _require_color_frames(lanes: Sequence[Lane], folder: Path) -> None:
    """Raises where the take is over, called damaged, and worth nothing."""
    if not any(lane.frames for lane in lanes if lane.stream == "color"):
        reasons = "; ".join(str(lane.failure) for lane in lanes if lane.failure) or "no frame came"
        message = f"{folder}: no color frame was recorded ({reasons}). Check the camera, then retry"
        raise DeviceError(message)


def _tell_of_full_disk(lanes: Sequence[Lane], folder: Path) -> None:
    """Raises where the take is whole, but shorter than it should be for want of room."""
    for lane in lanes:
        if lane.write_failure is not None:
            message = (
                f"{lane.write_failure}. The take was ended; {folder.name} is whole up to there. "
                f"Make room before the next take"
            )
            raise DataError(message) from lane.write_failure


def _close(writer: TakeWriter, folder: Path) -> None:
    try:
        writer.event(time.monotonic_ns(), "stopped")
        writer.close()
    except (OSError, RuntimeError) as error:
        raise _stopped_by_disk(folder, error) from error


def _stopped_by_disk(folder: Path, error: Exception) -> DataError:
    code = getattr(error, "errno", None)
    reason = os.strerror(code) if code else " ".join(str(error).split())
    return DataError(
        f"{folder}: the take was stopped, writing failed ({reason}). "
        f"Make room, then run: mavfer audit {folder}"
    )


def _write_truth_of(rig: Rig, folder: Path) -> None:
    """Writes truth.h5 where the rig knows what is true."""
    ask = getattr(rig, "truth", None)
    if ask is not None:
        truth = ask()
        write_truth(
            folder / "truth.h5",
            {"latent": truth.latents, **truth.streams},
            session=folder.name,
            settings=truth.settings,
            calibration=truth.calibration,
        )


def _finish(rig: Rig, place: TakePlace, lanes: Sequence[Lane], *, with_hashes: bool) -> AuditReport:
    """Makes the session whole, audits it, and says so in session.json."""
    if place.is_segment:
        _require_color_frames(lanes, place.folder)
        session = Session.open(place.folder)
        join_segment(session, Session(place.files, session.document))
    else:
        _write_truth_of(rig, place.folder)
    session = Session(place.folder, place.document)
    return conclude_session(session, place.state, with_hashes=with_hashes)
