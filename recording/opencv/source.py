"""What every source behind `cv2.VideoCapture` has in common: opening, negotiating, frames in turn.

The sources themselves are in `v4l2_source` and `places`. cv2 is imported when one is opened.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import DeviceError, require

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recording.camera import ClockDomain

__all__ = ["Arrival", "Source", "Wanted"]

_FIRST_FRAME_SECONDS: Final = 5.0
_LOG_LEVEL: Final = "OPENCV_LOG_LEVEL"
"""What whoever looks for a fault in OpenCV sets in the environment."""


@dataclass(frozen=True)
class Wanted:
    """What a source is asked for; None leaves it to the source."""

    width: int | None = None
    height: int | None = None
    rate_hz: float | None = None
    fourcc: str | None = None
    """Format by its four characters, for example "MJPG"."""
    is_raw: bool = False
    """Samples as they come, instead of BGR."""


@dataclass(frozen=True)
class Arrival:
    """One frame as OpenCV gives it."""

    pixels: NDArray[Any] | None
    """uint8 (H, W, 3) BGR, or raw samples; None where what came is no picture."""
    host_ns: int
    """Arrival on the host's monotonic clock; for files, as if it were played."""
    stamp_ns: int
    """The best stamp that there is."""
    domain: ClockDomain
    """Which clock `stamp_ns` is of."""
    number: int | None
    """The driver's count, in which lost frames are counted; None where it does not say."""
    is_damaged: bool = False
    """The driver missed part of the pixels."""
    jpeg: bytes | None = None
    """What the pixels were decoded from, where the source gives JPEGs."""


class Source(ABC):
    """A `cv2.VideoCapture`, opened with what is wanted; what came out is in `settings`."""

    model, serial = "", ""
    gives_jpegs = False
    """Whether `Arrival.jpeg` will be given; known once it is open."""

    def __init__(self, place: str, wanted: Wanted) -> None:
        self.place, self._wanted = place, wanted
        self.width, self.height, self.rate_hz = 0, 0, 0.0
        self.settings: dict[str, Any] = {}
        self._capture: Any = None
        self._first: Arrival | None = None
        self._is_started = self._is_stopped = False

    @property
    def counts_losses(self) -> bool:
        """Whether `Arrival.number` will be given."""
        return False

    def open(self) -> Arrival:
        """Opens and negotiates; gives the first frame, which `wait` gives again.

        Raises:
            DeviceError: It cannot be opened, gives no frame, or does not say its rate.
            MissingExtra: OpenCV is not installed.
        """
        cv2 = require("cv2", "record")
        if _LOG_LEVEL not in os.environ:  # our errors tell what is wrong, not lines into a display
            cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        self._capture = self._opened(cv2)
        self._negotiate(cv2)
        try:
            self._first = self._first_picture()
        except DeviceError:
            self.close()
            raise
        return self._first

    def start(self) -> None:
        """Lets frames count from now on."""
        if self._capture is None:
            raise DeviceError(f"{self.place}: is not open. Call open() before start()")
        self._is_started, self._is_stopped = True, False

    def stop(self) -> None:
        """Lets no more frames come; those that a driver holds may still be read."""
        self._is_stopped = True

    def wait(self, timeout_seconds: float) -> Arrival | None:
        """The next frame; None when none came in time.

        Raises:
            EOFError: A file has ended, or the source was stopped and what it held is read.
            DeviceError: The source is gone, or was never started.
        """
        if not self._is_started:
            raise DeviceError(f"{self.place}: is not started. Call open() and start()")
        if self._is_stopped:
            return self._held()
        first, self._first = self._first, None
        return first or self._next(timeout_seconds)

    def close(self) -> None:
        """Gives the source back; harmless when it is not open."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None
        self._first = None
        self._is_started = False

    @abstractmethod
    def _opened(self, cv2: Any) -> Any:
        """An open `cv2.VideoCapture`, or DeviceError with the way out."""

    @abstractmethod
    def _next(self, timeout_seconds: float) -> Arrival | None:
        """What `wait` promises."""

    def _held(self) -> Arrival:
        """What came before the stop and was not read yet; EOFError where nothing did."""
        raise EOFError

    def _first_picture(self) -> Arrival:
        """The first frame that is a picture: webcams often begin with a torn one."""
        if self.rate_hz <= 0:
            raise DeviceError(f"{self.place}: does not say its rate. Give rate_hz")
        until = time.monotonic() + _FIRST_FRAME_SECONDS
        with suppress(EOFError):
            while (left_seconds := until - time.monotonic()) > 0:
                arrival = self._next(left_seconds)
                if arrival is not None and arrival.pixels is not None:
                    return arrival
        raise DeviceError(f"{self.place}: opens, but gives no picture. Plug it in anew")

    def _negotiate(self, cv2: Any) -> None:
        """Asks for format, size, rate and then raw samples: in another order OpenCV converts."""
        wanted, capture = self._wanted, self._capture
        if wanted.fourcc is not None:
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter_fourcc(*wanted.fourcc))
        asked = {
            cv2.CAP_PROP_FRAME_WIDTH: wanted.width,
            cv2.CAP_PROP_FRAME_HEIGHT: wanted.height,
            cv2.CAP_PROP_FPS: wanted.rate_hz,
        }
        for name, value in asked.items():
            if value is not None:
                capture.set(name, value)
        if wanted.is_raw:
            capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
        self.width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        self.height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        self.rate_hz = float(capture.get(cv2.CAP_PROP_FPS)) or wanted.rate_hz or 0.0
        fourcc = int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
        self.settings = {
            "source": self.place,
            "backend": capture.getBackendName(),
            "fourcc": fourcc.to_bytes(4, "little").decode("latin-1"),
            "asked": {key: value for key, value in asdict(wanted).items() if value},
        }
