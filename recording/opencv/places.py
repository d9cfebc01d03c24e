"""Where OpenCV gets frames from: by a place, the device, the file or the stream that it means."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import DeviceError
from recording.camera import ClockDomain
from recording.opencv.source import Arrival, Source
from recording.opencv.v4l2_source import DeviceSource

if TYPE_CHECKING:
    from recording.opencv.source import Wanted

__all__ = ["FileSource", "StreamSource", "source_of"]

_NS_PER_MS: Final = 1_000_000
_STREAM_TIMEOUT_MS: Final = 5000


class FileSource(Source):
    """A video file; frames come as fast as they are asked for, stamped by the file."""

    def __init__(self, place: str, wanted: Wanted) -> None:
        super().__init__(place, wanted)
        self.model, self.serial = "video file", Path(place).name
        self._start_ns = 0
        self._number, self._last_ns = 0, -1

    @property
    def counts_losses(self) -> bool:
        """A file has lost nothing that anyone could count."""
        return True

    def start(self) -> None:
        """Lets the file play from now on the host's clock."""
        super().start()
        self._start_ns = time.monotonic_ns()

    def wait(self, timeout_seconds: float) -> Arrival | None:
        """The next frame, stamped on the host's clock as if it were played since `start`."""
        arrival = super().wait(timeout_seconds)
        if arrival is None:
            return None
        return replace(arrival, host_ns=self._start_ns + arrival.stamp_ns)

    def _opened(self, cv2: Any) -> Any:
        self._number, self._last_ns, self._cv2 = 0, -1, cv2
        capture = cv2.VideoCapture(self.place, cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise DeviceError(f"{self.place}: is no video file that OpenCV can read")
        return capture

    def _next(self, timeout_seconds: float) -> Arrival | None:
        del timeout_seconds  # a file never keeps anyone waiting
        is_there, pixels = self._capture.read()
        if not is_there:
            raise EOFError
        stamp_ns = round(self._capture.get(self._cv2.CAP_PROP_POS_MSEC) * _NS_PER_MS)
        if stamp_ns <= self._last_ns:  # a container without stamps
            stamp_ns = self._last_ns + round(1e9 / (self.rate_hz or 1.0))
        number, self._number, self._last_ns = self._number, self._number + 1, stamp_ns
        return Arrival(pixels, stamp_ns, stamp_ns, ClockDomain.DEVICE, number)


class StreamSource(Source):
    """Anything else: a URL, or a camera of a system without V4L2. Stamped on arrival.

    `wait` may take up to 5 s, as OpenCV offers no shorter limit for all of them; a source that is
    silent for longer counts as gone. For the same reason nothing is read after `stop`: what was on
    its way then is not known.
    """

    def __init__(self, place: str, wanted: Wanted) -> None:
        super().__init__(place, wanted)
        self.model = "network stream" if "://" in place else "camera"
        self.serial = place

    def _opened(self, cv2: Any) -> Any:
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _STREAM_TIMEOUT_MS]
        limits += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, _STREAM_TIMEOUT_MS]
        is_url = "://" in self.place
        capture = (
            cv2.VideoCapture(self.place, cv2.CAP_FFMPEG, limits)
            if is_url
            else cv2.VideoCapture(int(self.place))
        )
        if not capture.isOpened():
            raise DeviceError(f"{self.place}: does not answer. See that it is there, and free")
        return capture

    def _next(self, timeout_seconds: float) -> Arrival | None:
        del timeout_seconds
        is_there, pixels = self._capture.read()
        host_ns = time.monotonic_ns()
        if not is_there:
            raise DeviceError(f"{self.place}: has ended, or was silent for 5 s. Open it anew")
        return Arrival(pixels, host_ns, host_ns, ClockDomain.ARRIVAL, None)


def source_of(place: int | str, wanted: Wanted) -> Source:
    """The source that `place` means.

    Args:
        place: A number or path of a device, a file, a URL, or on Linux a device's serial number or
            part of its name.
        wanted: What it is asked for.
    """
    name = str(place)
    if "://" in name:
        return StreamSource(name, wanted)
    if not name.startswith("/dev/") and Path(name).is_file():
        return FileSource(name, wanted)
    if sys.platform.startswith("linux"):
        return DeviceSource(name, wanted)
    if name.isdigit():
        return StreamSource(name, wanted)
    raise DeviceError(f"{name}: no such file. Give a file, a URL, or the number of a camera")
