"""One stream of a recorded session behind the interface of every camera."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import DeviceError
from mavfer.streams import STREAMS
from mavfer.study.streams_file import DROP_CAUSES, STREAM_NUMBERS, open_streams, read_frame
from recording.camera import CameraInfo, ClockDomain, Frame, FrameFlag, LostFrame
from recording.start import SharedStart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mavfer.streams import StreamName
    from mavfer.study.session import Session
    from recording.camera import LossCause

__all__ = ["ReplayCamera", "ReplayStart"]

_NANOSECONDS: Final = 1_000_000_000
_THREADS: Final = min(4, os.cpu_count() or 1)
"""What an archived frame is decoded by, to keep the pace."""
_TOLD_CAUSES: Final[dict[int, LossCause]] = {
    DROP_CAUSES["link"]: "link",
    DROP_CAUSES["queue"]: "queue",
}
"""Losses that a camera can give word of. Those in the device show as gaps of the count, and so do
those of the disk that the session was recorded to."""


@dataclass
class ReplayStart(SharedStart):
    """When a replay began, and what comes then."""

    first_ns: int = field(kw_only=True)
    """The session's first frame, of any stream."""


class ReplayCamera:
    """Gives the frames of one stream as they were stored, each when its time has come."""

    def __init__(
        self,
        session: Session,
        stream: StreamName,
        start: ReplayStart,
        *,
        factor: float | None,
        last_ns: int,
    ) -> None:
        """Reads the stamps; pixels are read frame by frame.

        Args:
            session: The session.
            stream: Which of its streams.
            start: When the replay begins.
            factor: How many times as fast as it was recorded; None gives frames without waiting.
            last_ns: Host time of the session after which nothing more comes.
        """
        self.frames = 0
        """Frames given."""
        self.lost = 0
        """Frames of which it was told that they are lost."""
        self.span_ns: tuple[int, int] | None = None
        """When the first and the last of them were given, on the host's clock of now."""
        self.late_ns: list[int] = []
        """How much after its time each frame was given; empty without a pace."""
        self._session, self._stream, self._start, self._factor = session, stream, start, factor
        times = session.times(stream)
        self._times = times[times["host_ns"] <= last_ns]
        names, self._details = session.details(stream)
        self._info = _describe(session, stream, names)
        self._plan: list[int | LostFrame] = list(_in_order(self._times, _told(session, stream)))
        self._place = 0
        self._opened = ExitStack()
        self._pixels: Iterator[NDArray[Any]] | None = None
        self._start_ns: int | None = None
        self._stopped_ns: int | None = None
        self._waiting: Frame | LostFrame | None = None

    @property
    def info(self) -> CameraInfo:
        """What the session says of the camera."""
        return self._info

    @property
    def frame_count(self) -> int:
        """Frames that there are to be given."""
        return len(self._times)

    @property
    def next_ns(self) -> int | None:
        """Host time, in the session, of what comes next; None after the last."""
        if self._place == len(self._plan):
            return None
        item = self._plan[self._place]
        return item.host_ns if isinstance(item, LostFrame) else int(self._times[item]["host_ns"])

    def open(self) -> None:
        """Opens the session's file at the frame that comes next."""
        row = next((item for item in self._plan[self._place :] if isinstance(item, int)), 0)
        self._opened = ExitStack()
        self._pixels = self._open_pixels(row)

    def start(self) -> None:
        """Begins the replay, unless another camera of the rig has begun it."""
        if self._pixels is None:
            message = f"replay of {self._stream}: is not open. Call open() before start()"
            raise DeviceError(message)
        self._start_ns, self._stopped_ns = self._start.begin(), None

    def read(self, timeout_seconds: float) -> Frame | LostFrame | None:
        """The next frame, or word that it is lost; None when its time has not come.

        Raises:
            EOFError: There are no more, or none whose time came before `stop`.
            DeviceError: The camera was not opened and started.
            InvalidFile: A frame cannot be read.
        """
        if self._pixels is None or self._start_ns is None:
            message = f"replay of {self._stream}: is not started. Call open() and start()"
            raise DeviceError(message)
        if self._waiting is None:
            self._waiting = self._prepare(self._pixels, self._start_ns)
        item = self._waiting
        if not self._wait(item, self._start_ns, timeout_seconds):
            return None
        self._waiting = None
        self._place += 1
        self._count(item)
        return item

    def stop(self) -> None:
        """Ends the replay; with a pace, frames whose time has come may still be read."""
        if self._stopped_ns is None:
            self._stopped_ns = time.monotonic_ns()

    def close(self) -> None:
        """Closes the file; opened again, the camera goes on with the frame that comes next."""
        self._pixels, self._waiting = None, None
        self._opened.close()

    def _prepare(self, pixels: Iterator[NDArray[Any]], start_ns: int) -> Frame | LostFrame:
        """What comes next, with its time moved to now."""
        if self._place == len(self._plan):
            raise EOFError
        moved_ns = start_ns - self._start.first_ns
        item = self._plan[self._place]
        if isinstance(item, LostFrame):
            return replace(item, host_ns=item.host_ns + moved_ns)
        stamp = self._times[item]
        is_of_host = stamp["domain"] != ClockDomain.DEVICE
        return Frame(
            pixels=next(pixels),
            host_ns=int(stamp["host_ns"]) + moved_ns,
            device_ns=int(stamp["device_ns"]) + (moved_ns if is_of_host else 0),
            domain=ClockDomain(int(stamp["domain"])),
            frame_number=int(stamp["frame_number"]),
            exposure_ns=int(stamp["exposure_ns"]),
            flags=FrameFlag(int(stamp["flags"])),
            details=tuple(self._details[item].tolist()),
        )

    def _count(self, item: Frame | LostFrame) -> None:
        if isinstance(item, LostFrame):
            self.lost += 1
            return
        now_ns = time.monotonic_ns()
        self.frames += 1
        self.span_ns = (self.span_ns[0] if self.span_ns else now_ns, now_ns)

    def _wait(self, item: Frame | LostFrame, start_ns: int, timeout_seconds: float) -> bool:
        """Waits until an item's time has come; False where that is after the timeout."""
        if self._factor is None:
            if self._stopped_ns is not None:
                raise EOFError
            return True
        due_ns = start_ns + round((item.host_ns - start_ns) / self._factor)
        if self._stopped_ns is not None and due_ns > self._stopped_ns:
            raise EOFError
        wait_seconds = (due_ns - time.monotonic_ns()) / _NANOSECONDS
        time.sleep(min(max(wait_seconds, 0.0), timeout_seconds))
        if wait_seconds > timeout_seconds:
            return False
        if isinstance(item, Frame):
            self.late_ns.append(time.monotonic_ns() - due_ns)
        return True

    def _open_pixels(self, first: int) -> Iterator[NDArray[Any]]:
        """Pixels of the frames from `first` on."""
        if self._stream == "color":
            frames = self._session.color_frames(first=first)
            self._opened.callback(frames.close)  # type: ignore[attr-defined]
            return (frame.rgb() for frame in frames)
        file = self._opened.enter_context(
            open_streams(self._session.streams_path, threads=_THREADS)
        )
        counts = file.frames(self._stream)
        return (read_frame(counts, row) for row in range(first, len(self._times)))


def _told(session: Session, stream: StreamName) -> list[LostFrame]:
    """Frames of which the camera, or the recorder's queue, gave word that they are lost."""
    drops = session.drops
    is_told = np.isin(drops["cause"], list(_TOLD_CAUSES))
    rows = drops[is_told & (drops["stream"] == STREAM_NUMBERS[stream])]
    return [
        LostFrame(int(row["frame_number"]), int(row["host_ns"]), _TOLD_CAUSES[int(row["cause"])])
        for row in np.sort(rows, order="frame_number")
    ]


def _in_order(times: NDArray[Any], lost: list[LostFrame]) -> Iterator[int | LostFrame]:
    """Rows of `times`, and before each the lost frames of lower number."""
    left = lost[::-1]
    for row, number in enumerate(times["frame_number"].tolist()):
        while left and left[-1].frame_number < number:
            yield left.pop()
        yield row
    if len(times):
        last_ns = int(times[-1]["host_ns"])
        yield from (item for item in reversed(left) if item.host_ns <= last_ns)


def _describe(session: Session, stream: StreamName, names: tuple[str, ...]) -> CameraInfo:
    """What session.json says of the camera."""
    entry = session.document["streams"][stream]
    settings = dict(entry["settings"])
    return CameraInfo(
        stream=stream,
        model=entry["model"],
        serial=entry["serial"],
        width=entry["width"],
        height=entry["height"],
        rate_hz=entry["rate_hz"],
        dtype=STREAMS[stream].dtype,
        clock_hz=settings.pop("clock_hz", 1e9),
        depth_mm_per_count=entry.get("depth_mm_per_count"),
        radiometry=entry.get("radiometry"),
        settings=settings,
        detail_names=names,
    )
