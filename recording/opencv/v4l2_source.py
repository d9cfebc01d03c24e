"""Frames of a V4L2 device through OpenCV, with what its driver says of each."""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import DeviceError
from recording.camera import ClockDomain
from recording.opencv.source import Arrival, Source
from recording.opencv.v4l2 import BufferNotes, describe_device, descriptors_of, find_device

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recording.opencv.source import Wanted

__all__ = ["DeviceSource"]

_BUFFERS: Final = 10
"""The most that OpenCV asks a driver for: frames that wait while the reader is busy."""
_LATEST_SECONDS: Final = 5.0
"""A stamp that is further from its frame's arrival is of another clock (ours)."""
_SHORTEST_SECONDS: Final = 0.001
"""OpenCV takes 0 for "without end"."""
_LOST: Final = "was unplugged, or its driver failed. Plug it in again and open it anew"


class DeviceSource(Source):
    """A V4L2 device. Stamps are the driver's buffer times.

    uvcvideo stamps the arrival of a frame's first packet on CLOCK_MONOTONIC [recalled, not checked
    in the kernel's documents]: after the exposure, by a time that stays about the same.
    JPEGs are decoded here: where one is torn, OpenCV gives the picture before it again [measured].
    """

    def __init__(self, place: str, wanted: Wanted) -> None:
        super().__init__(place, wanted)
        self._cv2: Any = None
        self._notes: BufferNotes | None = None
        self._domain: ClockDomain | None = None
        self._held_frames = 0

    @property
    def counts_losses(self) -> bool:
        """Whether the driver lets its count be read."""
        return self._notes is not None

    def open(self) -> Arrival:
        """Opens the device; sees at its first frame whether the driver's count can be read."""
        first = super().open()
        if first.number is None:
            self._notes = None
        return first

    def start(self) -> None:
        """Forgets what was exposed since the device was opened, at most the driver's buffers."""
        super().start()
        self._first = None
        for _ in range(_BUFFERS):
            if self._next(0) is None:
                return

    def stop(self) -> None:
        """Lets no more frames come; those in the driver's buffers may still be read."""
        super().stop()
        self._held_frames = _BUFFERS

    def close(self) -> None:
        """Gives the device back."""
        super().close()
        self._notes, self._domain = None, None

    def _opened(self, cv2: Any) -> Any:
        self._cv2 = cv2
        path = self._path()
        before = descriptors_of(path)
        capture = cv2.VideoCapture(path, cv2.CAP_V4L2)
        if not capture.isOpened():
            raise DeviceError(f"{path}: {_why_not(path)}")
        device = describe_device(path)
        if device is not None:
            self.model, self.serial = device.name, device.serial or device.bus
        capture.set(cv2.CAP_PROP_BUFFERSIZE, _BUFFERS)
        self._notes = _notes_through(descriptors_of(path) - before)
        return capture

    def _negotiate(self, cv2: Any) -> None:
        super()._negotiate(cv2)
        is_jpeg = self.settings["fourcc"] in {"MJPG", "JPEG"}
        self.gives_jpegs = is_jpeg and not self._wanted.is_raw
        if self.gives_jpegs:
            self._capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)

    def _path(self) -> str:
        """Looked up anew each time: a device that comes back may have another number."""
        if self.place.isdigit():
            return f"/dev/video{self.place}"
        is_path = self.place.startswith("/dev/")
        return os.path.realpath(self.place) if is_path else find_device(self.place).path

    def _held(self) -> Arrival:
        """What is in the driver's buffers, which it goes on to fill: so many and no more."""
        arrival = self._next(0) if self._held_frames else None
        if arrival is None:
            self._held_frames = 0
            raise EOFError
        self._held_frames -= 1
        return arrival

    def _next(self, timeout_seconds: float) -> Arrival | None:
        capture = self._capture
        limit_ns = int(max(timeout_seconds, _SHORTEST_SECONDS) * 1e9)
        try:
            is_ready, _ = self._cv2.VideoCapture.waitAny([capture], limit_ns)
            host_ns = time.monotonic_ns()
            if not is_ready:
                return None
            is_there, samples = capture.retrieve()
        except self._cv2.error as error:
            raise DeviceError(f"{self.place}: {_LOST}") from error
        return self._arrival(samples if is_there else None, host_ns)

    def _arrival(self, samples: NDArray[Any] | None, host_ns: int) -> Arrival:
        stamp_us = round(self._capture.get(self._cv2.CAP_PROP_POS_MSEC) * 1000)
        if self._domain is None:
            age_seconds = (host_ns - stamp_us * 1000) / 1e9
            is_host_clock = abs(age_seconds) < _LATEST_SECONDS
            self._domain = ClockDomain.HOST if is_host_clock else ClockDomain.ARRIVAL
        note = None if self._notes is None else self._notes.of(stamp_us)
        jpeg = None
        if self.gives_jpegs and samples is not None:
            jpeg = samples.tobytes()
            samples = self._cv2.imdecode(samples, self._cv2.IMREAD_COLOR)
        return Arrival(
            pixels=samples,
            host_ns=host_ns,
            stamp_ns=stamp_us * 1000 if self._domain == ClockDomain.HOST else host_ns,
            domain=self._domain,
            number=None if note is None else note.sequence,
            is_damaged=note is not None and note.is_damaged,
            jpeg=jpeg,
        )


def _notes_through(new: set[int]) -> BufferNotes | None:
    """The driver's notes, which OpenCV hides, through the descriptor that it has just opened."""
    return BufferNotes(new.pop()) if len(new) == 1 else None


def _why_not(path: str) -> str:
    """Why a device cannot be opened, and the way out."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
    except OSError as error:
        if error.errno == errno.EACCES:
            return "you may not open it. Join the group video, and log in again"
        return f"is not there ({error.strerror}). Plug it in; mavfer rig probe lists what is"
    return "gives no video, or another program holds it. Close that program"
