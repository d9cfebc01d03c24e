"""Frames of one sensor of a device, handed to the streams that it gives."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from recording.realsense.sdk import told_as_device_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from recording.realsense.profiles import Offer, SourceName

__all__ = ["SensorFeed", "Taken"]

_QUEUE_FRAMES: Final = 32
"""Frames of a sensor that may wait to be read: a second at 30 frames a second. A live sensor that
has more drops the oldest, a file waits."""
_PAUSE_SECONDS: Final = 0.001


class Taken(NamedTuple):
    """A frame as it was taken from the SDK's queue."""

    frame: Any
    read_ns: int
    """When, by the monotonic clock."""
    is_after_overflow: bool
    """Whether frames before it may have fallen because they were not read in time."""


class SensorFeed:
    """One sensor: opened with all its streams at once, read by one thread a stream.

    Most sensors give one stream. Depth and infrared come from one sensor, and so does color on the
    D405; then whoever reads takes what comes and leaves it where the other one looks.
    """

    def __init__(
        self, sdk: Any, offers: Mapping[SourceName, Offer], *, is_live: bool, name: str
    ) -> None:
        """Opens the sensor.

        Args:
            sdk: The module pyrealsense2.
            offers: What was chosen for each of the sensor's streams.
            is_live: Whether a full queue lets the oldest frame fall, as a file's does not.
            name: What error messages call the device.

        Raises:
            DeviceError: The sensor cannot be opened, for example because another program has it.
        """
        self._sensor = next(iter(offers.values())).sensor
        self._sources = {
            (o.profile.stream_type(), o.profile.stream_index()): s for s, o in offers.items()
        }
        self._waiting: dict[SourceName, deque[Taken]] = {source: deque() for source in offers}
        self._forgotten: set[SourceName] = set()
        self._overflowed: set[SourceName] = set()
        """Streams that may have lost frames in the queue since their last one."""
        self._is_live, self.is_started = is_live, False
        self._name = f"{name}: {' and '.join(offers)}"
        self._lock = threading.Lock()
        # Kept frames do not count against the SDK's own limit: pixels are handed on without a copy.
        self._queue = sdk.frame_queue(_QUEUE_FRAMES, True)
        with told_as_device_error(f"{self._name} cannot be opened"):
            self._sensor.open([offer.profile for offer in offers.values()])

    def start(self) -> None:
        """Lets frames come; harmless when they do."""
        if self.is_started:
            return
        with told_as_device_error(f"{self._name} cannot be started"):
            # By its keyword: otherwise the queue is taken for a Python callback, which waits for
            # room while it holds the interpreter, and so for ever.
            self._sensor.start(queue=self._queue)
        self.is_started = True

    def take(self, source: SourceName, timeout_seconds: float) -> Taken | None:
        """The next frame of a stream; None where none came in time."""
        mine = self._waiting[source]
        deadline = time.monotonic() + timeout_seconds
        while not mine:
            remaining = max(deadline - time.monotonic(), 0.0)
            if not self._lock.acquire(timeout=remaining):
                break
            try:
                if not mine and not self._sort_next(remaining):
                    break
            finally:
                self._lock.release()
        return mine.popleft() if mine else None

    def want(self, source: SourceName) -> None:
        """Keeps the frames of a stream again after `forget`; those from before are gone."""
        if source in self._forgotten:
            self._sort_all()
            self._waiting[source].clear()
            self._forgotten.discard(source)

    def forget(self, source: SourceName) -> None:
        """Lets the frames of a stream fall that come from now on, so that they hold up nobody."""
        self._sort_all()
        self._forgotten.add(source)

    def stop(self) -> None:
        """Ends the frames; those that a live sensor has given may still be taken."""
        if not self.is_started:
            return
        self.is_started = False
        with told_as_device_error(f"{self._name} cannot be stopped"), self._emptied():
            self._sensor.stop()

    def close(self) -> None:
        """Gives the sensor back."""
        try:
            self.stop()
        finally:
            with told_as_device_error(f"{self._name} cannot be closed"):
                self._sensor.close()

    def _sort_next(self, timeout_seconds: float) -> bool:
        """Puts the SDK's next frame where its reader looks; False where none came in time."""
        if not self._is_live and self._is_full():
            time.sleep(_PAUSE_SECONDS)  # the other stream's reader has to catch up
            return timeout_seconds > 0
        was_full = self._is_live and self._queue.size() >= _QUEUE_FRAMES
        has_come, frame = self._queue.try_wait_for_frame(math.ceil(timeout_seconds * 1000))
        if not has_come:
            return False
        if was_full:
            self._overflowed = set(self._waiting)
        source = self._source_of(frame)
        if source not in self._forgotten:
            is_after_overflow = source in self._overflowed
            self._overflowed.discard(source)
            self._keep(source, Taken(frame, time.monotonic_ns(), is_after_overflow))
        return True

    def _keep(self, source: SourceName, taken: Taken) -> None:
        """Leaves a frame where its reader looks; of a live stream that nobody reads the newest."""
        waiting = self._waiting[source]
        waiting.append(taken)
        if self._is_live and len(waiting) > _QUEUE_FRAMES:
            waiting.popleft()
            waiting[0] = waiting[0]._replace(is_after_overflow=True)

    def _sort_all(self) -> None:
        """Sorts what a live sensor has given by now; what a file gives can wait."""
        with self._lock:
            while self._is_live and self._sort_next(0.0):
                pass

    def _is_full(self) -> bool:
        wanted = self._waiting.keys() - self._forgotten
        return any(len(self._waiting[source]) >= _QUEUE_FRAMES for source in wanted)

    def _source_of(self, frame: Any) -> SourceName:
        if len(self._waiting) == 1:
            return next(iter(self._waiting))
        profile = frame.get_profile()
        return self._sources[profile.stream_type(), profile.stream_index()]

    @contextmanager
    def _emptied(self) -> Iterator[None]:
        """Takes what a file gives while its sensor is stopped.

        The SDK's reader of a file waits for room in the queue, and its stop waits for the reader.
        """
        if self._is_live:
            yield
            return
        is_over = threading.Event()
        emptying = threading.Thread(target=self._empty_until, args=(is_over,), daemon=True)
        emptying.start()
        try:
            yield
        finally:
            is_over.set()
            emptying.join()

    def _empty_until(self, is_over: threading.Event) -> None:
        while not is_over.wait(_PAUSE_SECONDS):
            while self._queue.poll_for_frame():
                pass
