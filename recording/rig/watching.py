"""A take whose frames are noted and not kept: cameras and files as in `recorder`."""

from __future__ import annotations

import math
import os
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import CommandError, DeviceError, require
from recording.camera import FrameFlag, LostFrame
from recording.lane import Lane
from recording.recorder import PATIENCE, TakeProgress
from recording.writer import TakeWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from mavfer.streams import StreamName
    from recording.camera import Camera, CameraInfo, Frame, Rig
    from recording.rig.description import Storage

__all__ = ["STAMPS", "StreamNotes", "TakeNotes", "watch_take"]

STAMPS: Final = np.dtype(
    [
        ("host_ns", "i8"),
        ("device_ns", "i8"),
        ("domain", "u1"),
        ("frame_number", "i8"),
        ("exposure_ns", "i8"),
        ("flags", "u4"),
        ("level", "f8"),
    ]
)
"""What is noted of a frame; `level` is the mean of some of its pixels."""

_LEVEL_STRIDE: Final = 8
"""Every eighth pixel of every eighth row is enough to see a lamp."""
_LOOK_SECONDS: Final = 0.05
_MACHINE: Final = Path("/proc/stat")
"""Where Linux counts what its processors did."""
_SESSION: Final = "selftest-001"
"""What files of frames call themselves that are not kept."""


@dataclass
class StreamNotes:
    """What one camera did."""

    info: CameraInfo
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    """Frames as they came, in the order of `STAMPS`."""
    drops: list[tuple[int, str]] = field(default_factory=list)
    """Number and cause of each lost frame."""
    events: list[tuple[str, str]] = field(default_factory=list)
    """Kind and text of what else happened."""
    link: dict[str, int] = field(default_factory=dict)
    """What the camera counted on its link; empty where it does not."""
    most_queued: int = 0
    """The most frames that ever waited for the disk."""
    failure: str = ""
    """What ended the camera early."""

    @property
    def frames(self) -> NDArray[Any]:
        """The frames that came, `STAMPS` (T,)."""
        return np.array(list(self.rows), dtype=STAMPS)


@dataclass(frozen=True)
class TakeNotes:
    """What was noted of a take."""

    streams: dict[StreamName, StreamNotes]
    seconds: float
    """How long cameras were asked for frames."""
    cpu_seconds: float
    """Processor time of this process meanwhile."""
    queue_frames: int
    """Frames of one stream that could wait."""
    calibration: dict[str, Any] | None
    """Of the rig, with its cameras open."""
    cores: int
    """Processor cores that this process may use."""
    write_failure: str = ""
    """Why writing ended, or empty."""
    others_cpu_seconds: float = 0.0
    """Processor time of all other programs meanwhile; 0 where the system does not say."""


class _WatchedCamera:
    """A camera whose frames are noted as they are read."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self.notes = StreamNotes(camera.info)

    @property
    def info(self) -> CameraInfo:
        return self._camera.info

    def open(self) -> None:
        self._camera.open()
        self.notes.info = self._camera.info

    def start(self) -> None:
        self._camera.start()

    def read(self, timeout_seconds: float) -> Frame | LostFrame | None:
        frame = self._camera.read(timeout_seconds)
        if frame is not None and not isinstance(frame, LostFrame):
            self.notes.rows.append(_row(frame))
        return frame

    def stop(self) -> None:
        self._camera.stop()
        self._note_link()

    def close(self) -> None:
        self._note_link()
        self._camera.close()

    def _note_link(self) -> None:
        """Asks before the camera is closed, when it forgets."""
        ask = getattr(self._camera, "link_statistics", None)
        if ask is not None:
            self.notes.link = ask() or self.notes.link


class _WatchedWriter(TakeWriter):
    """Files of a take that also note what was lost and what happened."""

    notes: dict[StreamName, StreamNotes]

    def drop(self, stream: StreamName, frame_number: int, host_ns: int, cause: str) -> None:
        """Lists a frame that is missing."""
        self.notes[stream].drops.append((frame_number, cause))
        super().drop(stream, frame_number, host_ns, cause)

    def event(
        self, host_ns: int, kind: str, text: str = "", stream: StreamName | None = None
    ) -> None:
        """Notes what else happened."""
        if stream is not None:
            self.notes[stream].events.append((kind, text))
        super().event(host_ns, kind, text, stream)


def watch_take(
    rig: Rig,
    storage: Storage,
    *,
    seconds: float,
    folder: Path | None = None,
    stop: threading.Event | None = None,
    may_end: Callable[[dict[StreamName, StreamNotes]], bool] | None = None,
    progress: Callable[[TakeProgress], None] | None = None,
) -> TakeNotes:
    """Runs the cameras as a take does, files included, and removes what was written.

    Args:
        rig: The cameras, which must give frames in real time.
        storage: How frames are written.
        seconds: How long.
        folder: Where they are written meanwhile, best on the study's disk; the system's temporary
            folder where None.
        stop: Ends it early when it is set.
        may_end: Asked once `seconds` are over, with what was noted so far; ends it when true.
        progress: Called while it goes on, as of a take; nothing is known of room on the disk.

    Raises:
        CommandError: The rig does not run in real time.
        DeviceError: A camera cannot be opened.
        MissingExtra: What drives a camera or writes color is not installed.
        DataError: The disk has no room.
    """
    if not rig.is_paced:
        raise CommandError(
            f"rig {rig.name}: gives no frames in real time, so there is nothing to try out. "
            f"Name a rig of cameras"
        )
    require("av", "record")
    cameras = [_WatchedCamera(camera) for camera in rig.cameras]
    lanes = [
        Lane(camera, is_paced=True, queue_frames=storage.queue_frames, patience=PATIENCE)
        for camera in cameras
    ]
    with ExitStack() as cleanup:
        files = Path(cleanup.enter_context(_temporary(folder)))
        cleanup.callback(_end, lanes)
        infos = [lane.open() for lane in lanes]
        calibration = rig.calibration
        writer = _open_writer(files, infos, storage)
        cleanup.callback(writer.abandon)
        cleanup.callback(_end, lanes)  # what is entered last ends first: no lane without files
        writer.notes = {camera.info.stream: camera.notes for camera in cameras}
        began, began_cpu, began_all = time.monotonic(), time.process_time(), _machine_cpu_seconds()
        for lane in lanes:
            lane.start(writer)
        is_enough = partial(_may_end, may_end, writer.notes)
        _run(lanes, seconds, stop or threading.Event(), is_enough, progress)
        wall, cpu = time.monotonic() - began, time.process_time() - began_cpu
        others_cpu = max(0.0, _machine_cpu_seconds() - began_all - cpu)
    for camera, lane in zip(cameras, lanes, strict=True):
        camera.notes.most_queued = lane.most_queued
        camera.notes.failure = "" if lane.failure is None else str(lane.failure)
    failures = [str(lane.write_failure) for lane in lanes if lane.write_failure is not None]
    return TakeNotes(
        streams={camera.info.stream: camera.notes for camera in cameras},
        seconds=wall,
        cpu_seconds=cpu,
        queue_frames=storage.queue_frames,
        calibration=calibration,
        cores=_usable_cores(),
        write_failure=failures[0] if failures else "",
        others_cpu_seconds=others_cpu,
    )


def _run(
    lanes: Sequence[Lane],
    seconds: float,
    stop: threading.Event,
    may_end: Callable[[], bool],
    progress: Callable[[TakeProgress], None] | None,
) -> None:
    """Waits until the time is over, or every camera has ended."""
    deadline = time.monotonic() + seconds
    while any(lane.is_alive for lane in lanes):
        if stop.is_set() or (time.monotonic() >= deadline and may_end()):
            for lane in lanes:
                lane.stop()
        for lane in lanes:
            lane.watch()
        if progress is not None:
            progress(_progress(lanes))
        time.sleep(_LOOK_SECONDS)


def _progress(lanes: Sequence[Lane]) -> TakeProgress:
    return TakeProgress(
        frames={lane.stream: lane.frames for lane in lanes},
        drops={lane.stream: lane.drops for lane in lanes},
        most_queued={lane.stream: lane.most_queued for lane in lanes},
        troubles={lane.stream: lane.trouble for lane in lanes if lane.trouble},
        room_seconds=math.inf,
        session=_SESSION,
    )


def _may_end(
    ask: Callable[[dict[StreamName, StreamNotes]], bool] | None,
    notes: dict[StreamName, StreamNotes],
) -> bool:
    return ask is None or ask(notes)


def _end(lanes: Sequence[Lane]) -> None:
    for lane in lanes:
        lane.stop()
    for lane in lanes:
        lane.join()


def _temporary(folder: Path | None) -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="mavfer-selftest-", dir=folder)
    except FileNotFoundError as error:
        raise CommandError(f"{folder}: no such folder. Name one on the study's disk") from error


def _open_writer(files: Path, infos: Sequence[CameraInfo], storage: Storage) -> _WatchedWriter:
    names = [info.stream for info in infos]
    if names.count("color") != 1 or len(set(names)) != len(names):
        message = f"rig: needs one color camera and at most one each of depth and thermal: {names}"
        raise DeviceError(message)
    return _WatchedWriter(
        files,
        _SESSION,
        infos,
        codec=storage.color_codec,
        reserve_bytes=storage.reserve_bytes,
    )


def _row(frame: Frame) -> tuple[Any, ...]:
    """What `STAMPS` holds of a frame."""
    level = float(frame.pixels[::_LEVEL_STRIDE, ::_LEVEL_STRIDE].mean())
    return (
        frame.host_ns,
        frame.device_ns,
        int(frame.domain),
        frame.frame_number,
        frame.exposure_ns,
        int(frame.flags & ~FrameFlag.RESTARTED),
        level,
    )


def _machine_cpu_seconds() -> float:
    """Processor time of all programs since the machine began; 0 where that says nothing of ours.

    In a part of a machine, with fewer cores than it has, others are not in our way.
    """
    if not _MACHINE.is_file() or _usable_cores() != os.cpu_count():
        return 0.0
    user, nice, system, _, _, irq, softirq, steal = _MACHINE.read_text().split()[1:9]
    ticks = sum(int(number) for number in (user, nice, system, irq, softirq, steal))
    return ticks / float(os.sysconf("SC_CLK_TCK"))


def _usable_cores() -> int:
    count = getattr(os, "sched_getaffinity", None)
    return len(count(0)) if count is not None else os.cpu_count() or 1
