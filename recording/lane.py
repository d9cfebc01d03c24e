"""One camera's way to the disk: a thread that reads, a bounded queue, a thread that writes.

Lanes share nothing but the files, so that one camera's trouble is not another's.
"""

from __future__ import annotations

import threading
import time
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Final

from mavfer.errors import DeviceError, MissingExtra
from mavfer.streams import STREAMS
from recording.camera import FrameFlag, LostFrame

if TYPE_CHECKING:
    from collections.abc import Callable

    from mavfer.streams import StreamName
    from recording.camera import Camera, CameraInfo, Frame
    from recording.writer import TakeWriter

__all__ = ["Lane"]

_READ_SECONDS: Final = 0.2
_MOST_LISTED_DROPS: Final = 10_000
"""A camera that restarts its count must not fill the disk with drops."""


class Lane:
    """Reads one camera and writes its frames until the camera ends, fails, or is told to stop."""

    def __init__(self, camera: Camera, *, is_paced: bool, queue_frames: int) -> None:
        """Opens nothing yet; see `open`."""
        self.camera = camera
        self.failure: Exception | None = None
        """What ended the camera early; the other lanes go on."""
        self.write_failure: Exception | None = None
        """What ended the writing; the recorder stops the take."""
        self.frames = 0
        self.drops = 0
        self.most_queued = 0
        """The fullest that the queue has been."""
        self._is_paced = is_paced
        self._queue: Queue[Frame | None] = Queue(queue_frames)
        self._opened = threading.Event()
        self._go = threading.Event()
        self._stop = threading.Event()
        self._writer: TakeWriter | None = None
        self._last: Frame | None = None
        self._count: int | None = None
        name = self.stream
        self._reading = threading.Thread(target=self._read, name=f"read {name}", daemon=True)
        self._writing = threading.Thread(target=self._write, name=f"write {name}", daemon=True)

    @property
    def stream(self) -> StreamName:
        """The stream that the camera gives."""
        return self.camera.info.stream

    @property
    def is_alive(self) -> bool:
        """True until the last frame is written."""
        return self._reading.is_alive() or self._writing.is_alive()

    def open(self) -> CameraInfo:
        """Opens the camera on the thread that will read it, and waits until that is done.

        Raises:
            MissingExtra: What drives the camera is not installed.
            DeviceError: The camera cannot be opened.
        """
        self._reading.start()
        self._opened.wait()
        if isinstance(self.failure, MissingExtra):
            raise self.failure
        if self.failure is not None:
            message = f"{self.stream} camera cannot be opened: {self.failure}"
            raise DeviceError(message) from self.failure
        return self.camera.info

    def start(self, writer: TakeWriter) -> None:
        """Lets frames come, and be written to `writer`."""
        self._writer = writer
        self._writing.start()
        self._go.set()

    def stop(self) -> None:
        """Asks the lane to end after the frames that it holds; harmless when called again."""
        self._stop.set()
        self._go.set()

    def join(self) -> None:
        """Waits until the last frame is written."""
        for thread in (self._reading, self._writing):
            if thread.ident is not None:
                thread.join()

    def _read(self) -> None:
        """The reading thread: every call to the camera is made here."""
        try:
            self.camera.open()
            self._opened.set()
            self._go.wait()
            if not self._stop.is_set():
                self.camera.start()
                self._read_frames()
                self.camera.stop()
        except Exception as error:  # any driver's error ends this camera, no other
            self.failure = error
        finally:
            self._opened.set()
            self.camera.close()
            self._note_failure()
            self._hand_over(None)

    def _read_frames(self) -> None:
        while not self._stop.is_set():
            try:
                frame = self.camera.read(_READ_SECONDS)
            except EOFError:
                return
            if isinstance(frame, LostFrame):
                self._note_gap(frame)
                self._drop(frame.frame_number, frame.host_ns, frame.cause)
            elif frame is not None:
                self._require_shape(frame)
                self._note_gap(frame)
                self._note_shutter(frame)
                self._last = frame
                self._offer(frame)

    def _offer(self, frame: Frame) -> None:
        """Puts a frame into the queue; a paced camera does not wait for a slow disk."""
        if not self._is_paced:
            self._hand_over(frame)
        else:
            try:
                self._queue.put_nowait(frame)
            except Full:
                self._drop(frame.frame_number, frame.host_ns, "queue")
        self.most_queued = max(self.most_queued, self._queue.qsize())

    def _hand_over(self, item: Frame | None) -> None:
        """Puts an item into the queue, waiting for room as long as the writing thread lives."""
        while self._writing.is_alive():
            try:
                self._queue.put(item, timeout=_READ_SECONDS)
            except Full:
                continue
            return

    def _require_shape(self, frame: Frame) -> None:
        info = self.camera.info
        wanted = STREAMS[self.stream].frame_shape(info.height, info.width)
        if frame.pixels.shape != wanted or frame.pixels.dtype != info.dtype:
            found = f"{frame.pixels.dtype} {frame.pixels.shape}"
            message = f"frame {frame.frame_number} is {found}, not {info.dtype} {wanted}"
            raise DeviceError(message)
        if len(frame.details) != len(info.detail_names):
            named = ", ".join(info.detail_names) or "none"
            message = f"frame {frame.frame_number} has {len(frame.details)} details, named: {named}"
            raise DeviceError(message)

    def _note_gap(self, frame: Frame | LostFrame) -> None:
        """Lists the frames that the camera counted and never spoke of again."""
        before, self._count = self._count, frame.frame_number
        if before is None:
            return
        missing = range(before + 1, frame.frame_number)
        for number in missing[:_MOST_LISTED_DROPS]:
            self._drop(number, frame.host_ns, "device")
        if len(missing) > _MOST_LISTED_DROPS or frame.frame_number <= before:
            text = f"count went from {before} to {frame.frame_number}"
            self._event(frame.host_ns, "count_jumped", text)

    def _note_shutter(self, frame: Frame) -> None:
        closed = bool(frame.flags & FrameFlag.SHUTTER)
        was_closed = self._last is not None and bool(self._last.flags & FrameFlag.SHUTTER)
        if closed != was_closed:
            kind = "shutter_closed" if closed else "shutter_opened"
            self._event(frame.host_ns, kind, f"frame {frame.frame_number}")

    def _note_failure(self) -> None:
        if self.failure is not None and self._writer is not None:
            host_ns = time.monotonic_ns() if self._last is None else self._last.host_ns
            self._event(host_ns, "camera_failed", str(self.failure))

    def _drop(self, frame_number: int, host_ns: int, cause: str) -> None:
        """Lists a frame that is lost, also after writing failed."""
        self.drops += 1
        self._to_disk(lambda writer: writer.drop(self.stream, frame_number, host_ns, cause))

    def _event(self, host_ns: int, kind: str, text: str) -> None:
        if self.write_failure is None:
            self._to_disk(lambda writer: writer.event(host_ns, kind, text, self.stream))

    def _to_disk(self, write: Callable[[TakeWriter], None]) -> None:
        """Writes; the first failure is noted and ends the take."""
        if self._writer is None:
            return
        try:
            write(self._writer)
        except Exception as error:  # libhdf5, libx264 and the disk each have errors of their own
            self.write_failure = self.write_failure or error

    def _write(self) -> None:
        """The writing thread; after a failure of the disk it still empties the queue."""
        while True:
            try:
                frame = self._queue.get(timeout=_READ_SECONDS)
            except Empty:
                if not self._reading.is_alive():
                    return
                continue
            if frame is None:
                return
            self._append(frame)

    def _append(self, frame: Frame) -> None:
        if self.write_failure is None:
            self._to_disk(lambda writer: writer.append(self.stream, frame))
        if self.write_failure is None:
            self.frames += 1
        else:
            self._stop.set()
            self._drop(frame.frame_number, frame.host_ns, "disk")
