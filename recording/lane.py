"""One camera's way to the disk: a thread that reads, a bounded queue, a thread that writes.

Lanes share nothing but the files, so that one camera's trouble is not another's.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Final

from mavfer.errors import DeviceError, MissingExtra
from recording.camera import FrameFlag, LostFrame
from recording.precedence import precedence
from recording.reader import READ_SECONDS, Patience, Reader
from recording.writer import prepare_to_write

if TYPE_CHECKING:
    from collections.abc import Callable

    from recording.camera import Camera, CameraInfo, Frame
    from recording.stretches import LastStamp
    from recording.writer import TakeWriter

__all__ = ["Lane"]

_MOST_LISTED_DROPS: Final = 10_000
"""A camera that restarts its count must not fill the disk with drops."""


class Lane:
    """Reads one camera and writes its frames until the camera ends, fails, or is told to stop."""

    def __init__(
        self,
        camera: Camera,
        *,
        is_paced: bool,
        queue_frames: int,
        patience: Patience,
    ) -> None:
        """Opens nothing yet; see `open`.

        Args:
            camera: The source of frames.
            is_paced: Frames come in real time, so that a full queue means a drop.
            queue_frames: Frames that may wait for the disk.
            patience: How long the camera may be silent.
        """
        self.stream = camera.info.stream
        """The stream that the camera gives."""
        self.write_failure: Exception | None = None
        """What ended the writing; the recorder stops the take."""
        self.frames = 0
        self.drops = 0
        self.most_queued = 0
        """The fullest that the queue has been."""
        self._is_paced, self._patience = is_paced, patience
        self._reader = Reader(
            camera,
            is_paced=is_paced,
            patience=patience,
            give=self._take,
            tell=self._event,
        )
        self._queue: Queue[Frame | None] = Queue(queue_frames)
        self._opened = threading.Event()
        self._go = threading.Event()
        self._stop = threading.Event()
        self._stopped_at: float | None = None
        self._is_abandoned = False
        self._writer: TakeWriter | None = None
        self._count: int | None = None
        self._is_shut = False
        name = self.stream
        self._reading = threading.Thread(target=self._read, name=f"read {name}", daemon=True)
        self._writing = threading.Thread(target=self._write, name=f"write {name}", daemon=True)

    @property
    def failure(self) -> Exception | None:
        """What ended the camera early; the other lanes go on."""
        if self._is_abandoned:
            return DeviceError("the camera's driver does not answer. Unplug it, then start again")
        return self._reader.failure

    @property
    def trouble(self) -> str:
        """Why the camera gives no frames at this moment; empty while it does."""
        return self._reader.trouble

    @property
    def is_lost(self) -> bool:
        """True while the camera is away, and attempts to bring it back go on."""
        return self._reader.is_lost

    @property
    def is_alive(self) -> bool:
        """True until the last frame is written."""
        return self._is_reading or self._writing.is_alive()

    def open(self) -> CameraInfo:
        """Opens the camera on the thread that will read it, and waits until that is done.

        Raises:
            MissingExtra: What drives the camera is not installed.
            DeviceError: The camera cannot be opened.
        """
        prepare_to_write()
        self._reading.start()
        self._opened.wait()
        failure = self._reader.failure
        if isinstance(failure, MissingExtra):
            raise failure
        if failure is not None:
            message = f"{self.stream} camera cannot be opened: {failure}"
            raise DeviceError(message) from failure
        return self._reader.info

    def start(self, writer: TakeWriter, last: LastStamp | None = None) -> None:
        """Lets frames come, and be written to `writer`, behind `last` where there is one."""
        self._writer = writer
        if last is not None:
            self._reader.go_on_after(last)
        self._writing.start()
        self._go.set()

    def watch(self) -> None:
        """Looks after the camera from outside; call it about twenty times a second.

        A camera that is silent is told at once, and one that does not answer is left behind.
        """
        if self._stopped_at is None:
            self._reader.watch()
        elif self._is_reading:
            waited_seconds = time.monotonic() - self._stopped_at
            self._is_abandoned = waited_seconds > self._patience.hang_seconds

    def stop(self) -> None:
        """Asks the lane to end after the frames that it holds; harmless when called again."""
        if self._stopped_at is None:
            self._stopped_at = time.monotonic()
        self._stop.set()
        self._go.set()

    def join(self) -> None:
        """Waits until the last frame is written; not for a driver that does not answer."""
        while self.is_alive:
            self.watch()
            time.sleep(READ_SECONDS / 10)

    @property
    def _is_reading(self) -> bool:
        return self._reading.is_alive() and not self._is_abandoned

    def _read(self) -> None:
        """The reading thread."""
        with precedence():
            self._reader.run(self._opened, self._go, self._stop)
        self._hand_over(None)

    def _take(self, frame: Frame | LostFrame) -> None:
        """Lists what is missing, and puts a frame into the queue."""
        if self._is_abandoned:
            return
        if isinstance(frame, LostFrame):
            self._note_gap(frame)
            self._drop(frame.frame_number, frame.host_ns, frame.cause)
            return
        if frame.flags & FrameFlag.RESTARTED:
            self._count = None  # what is missing before it is told as a gap
        self._note_gap(frame)
        self._note_shutter(frame)
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
            with suppress(Full):
                self._queue.put(item, timeout=READ_SECONDS)
                return

    def _note_gap(self, frame: Frame | LostFrame) -> None:
        """Lists the frames that the camera counted and never spoke of again."""
        before, self._count = self._count, frame.frame_number
        if before is None or (frame.frame_number == before and _is_repeated(frame)):
            return
        missing = range(before + 1, frame.frame_number)
        for number in missing[:_MOST_LISTED_DROPS]:
            self._drop(number, frame.host_ns, "device")
        if len(missing) > _MOST_LISTED_DROPS or frame.frame_number <= before:
            text = f"count went from {before} to {frame.frame_number}"
            self._event(frame.host_ns, "count_jumped", text)

    def _note_shutter(self, frame: Frame) -> None:
        was_shut, self._is_shut = self._is_shut, bool(frame.flags & FrameFlag.SHUTTER)
        if self._is_shut != was_shut:
            kind = "shutter_closed" if self._is_shut else "shutter_opened"
            self._event(frame.host_ns, kind, f"frame {frame.frame_number}")

    def _drop(self, frame_number: int, host_ns: int, cause: str) -> None:
        """Lists a frame that is lost, also after writing failed."""
        self.drops += 1
        self._to_disk(lambda writer: writer.drop(self.stream, frame_number, host_ns, cause))

    def _event(self, host_ns: int, kind: str, text: str) -> None:
        if self.write_failure is None and not self._is_abandoned:
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
        """The writing thread."""
        with precedence():
            self._write_frames()

    def _write_frames(self) -> None:
        """Empties the queue, also after a failure of the disk."""
        while True:
            try:
                frame = self._queue.get(timeout=READ_SECONDS)
            except Empty:
                if not self._is_reading:
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


def _is_repeated(frame: Frame | LostFrame) -> bool:
    """True where the camera says that it sent the exposure before, under the same number."""
    return not isinstance(frame, LostFrame) and bool(frame.flags & FrameFlag.REPEATED)
