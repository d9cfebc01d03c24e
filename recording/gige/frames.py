"""Images of a GigE thermal camera made into frames: numbered, timed, flagged, losses named."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import DeviceError
from recording.camera import ClockDomain, Frame, FrameFlag, LostFrame
from recording.gige.genicam import read_feature, read_number
from recording.gige.pixel_formats import unpack_counts
from recording.gige.stamps import ArrivalClock, BlockCounter, TickClock

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recording.camera import LossCause
    from recording.gige.pixel_formats import PixelFormat
    from recording.gige.stream import Block

__all__ = ["GigeFrames", "GigeGeometry", "GigeTiming", "StateWatch"]

_TEMPERATURE_FEATURE: Final = "DeviceTemperature"
"""In degrees Celsius (GenICam's standard feature names; recalled)."""

_SHUTTER_FEATURES: Final = ("NUCActive", "NUCInProgress", "FFCInProgress", "ShutterClosed")
"""Features that may say that the shutter is closed now. Ours: none was seen on a camera; NUCMode
(automatic or not) and NUCAction (close it now) are what public programs use."""

_CLOSED: Final = (True, 1, "On", "True", "Active")
_LOOK_SECONDS: Final = 0.25
"""How often shutter and temperature are asked for; each question takes the camera a millisecond."""

_MOST_NAMED: Final = 10_000
"""Lost frames that are named one by one; a longer gap speaks for itself."""


@dataclass(frozen=True)
class GigeGeometry:
    """What every image must be."""

    layout: PixelFormat
    width: int
    height: int


@dataclass(frozen=True)
class GigeTiming:
    """What the stamps are made of."""

    ticks_hz: int
    """Frequency of the camera's clock; 0 where it has none."""
    exposure_ns: int
    """0 where the camera does not say."""
    shift_ns: int
    """From the stamp to the start of the exposure, where it was measured."""


class StateWatch:
    """What a camera says of itself while it runs, asked for four times a second.

    A thread of its own asks: an answer that is lost on the network is waited for for seconds, in
    which frames would be lost too.
    """

    def __init__(self, device: Any) -> None:
        """Finds out what `device`, an `Aravis.Device`, can say, and asks the first time."""
        self._device = device
        self._has_temperature = read_number(device, _TEMPERATURE_FEATURE) is not None
        self._shutter_features = [
            name for name in _SHUTTER_FEATURES if read_feature(device, name) is not None
        ]
        self.is_shutter_closed = False
        self.details: tuple[float, ...] = ()
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self._look()

    @property
    def detail_names(self) -> tuple[str, ...]:
        """What `details` holds."""
        return ("device_celsius",) if self._has_temperature else ()

    def start(self) -> None:
        """Goes on asking, where there is anything to ask."""
        if self._has_temperature or self._shutter_features:
            self._thread = threading.Thread(target=self._watch, name="watch camera", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stops asking, waits for the last answer and forgets the camera."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()
        self._device = None

    def _watch(self) -> None:
        while not self._end.wait(_LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        states = [read_feature(self._device, name) for name in self._shutter_features]
        self.is_shutter_closed = any(state in _CLOSED for state in states)
        if self._has_temperature:
            celsius = read_number(self._device, _TEMPERATURE_FEATURE)
            self.details = (math.nan if celsius is None else celsius,)


class GigeFrames:
    """Frames in the order in which the camera took them, from `start` to `stop`."""

    def __init__(self, geometry: GigeGeometry, timing: GigeTiming, watch: StateWatch) -> None:
        """Starts before the first image."""
        self._geometry, self._timing, self._watch = geometry, timing, watch
        self._blocks, self._arrivals = BlockCounter(), ArrivalClock()
        self._ticks = TickClock(timing.ticks_hz) if timing.ticks_hz else None
        self._last_number: int | None = None
        self._last_counts: NDArray[np.uint16] | None = None
        self._underruns = 0

    def frames_of(self, block: Block, underruns: int) -> list[Frame | LostFrame]:
        """The frame of an image, and before it word of those that are lost.

        Args:
            block: The image as it came.
            underruns: How often the stream had no buffer for a packet.

        Raises:
            DeviceError: The image is not what the camera was set to.
        """
        self._require_shape(block)
        host_ns = self._arrivals.monotonic(block.realtime_ns)
        number = self._blocks.number(block.block_id)
        lost = self._lost_before(number, host_ns, underruns)
        self._last_number = number
        return [*lost, self._frame_of(block, number, host_ns)]

    def _lost_before(self, number: int, host_ns: int, underruns: int) -> list[Frame | LostFrame]:
        """Word of the numbers that are missing: a camera counts what it sends.

        Underruns that no gap has explained yet are told by this one: frames wait in between, so
        that their number may have grown long before the gap is reached.
        """
        first = number if self._last_number is None else self._last_number + 1
        if not 0 < number - first <= _MOST_NAMED:
            return []
        cause: LossCause = "queue" if underruns > self._underruns else "link"
        self._underruns = underruns
        return [LostFrame(missing, host_ns, cause) for missing in range(first, number)]

    def _frame_of(self, block: Block, number: int, host_ns: int) -> Frame:
        size = (self._geometry.height, self._geometry.width)
        counts = unpack_counts(block.data, self._geometry.layout, *size)
        flags = self._flags_of(block, counts)
        self._last_counts = counts
        return Frame(
            pixels=counts,
            host_ns=host_ns,
            device_ns=self._middle_of_exposure(block.stamp_ns, host_ns),
            domain=ClockDomain.ARRIVAL if self._ticks is None else ClockDomain.DEVICE,
            frame_number=number,
            exposure_ns=self._timing.exposure_ns,
            flags=flags,
            details=self._watch.details,
        )

    def _middle_of_exposure(self, stamp_ns: int, host_ns: int) -> int:
        """The stamp moved by half the exposure; arrival where the camera has no clock."""
        if self._ticks is None:
            return host_ns
        start_ns = self._ticks.unwrap(stamp_ns, host_ns) + self._timing.shift_ns
        return start_ns + self._timing.exposure_ns // 2

    def _flags_of(self, block: Block, counts: NDArray[np.uint16]) -> FrameFlag:
        """A sensor's noise never repeats: two equal frames are one, as behind a closed shutter."""
        flags = FrameFlag.SHUTTER if self._watch.is_shutter_closed else FrameFlag(0)
        if not block.is_complete:
            return flags | FrameFlag.INCOMPLETE
        if self._last_counts is not None and _are_equal(counts, self._last_counts):
            flags |= FrameFlag.REPEATED
        return flags

    def _require_shape(self, block: Block) -> None:
        layout, width, height = self._geometry.layout, self._geometry.width, self._geometry.height
        found = block.geometry
        if found is not None and found != (layout.code, width, height):
            message = (
                f"frame {block.block_id} has pixel format {found[0]:#x}, {found[1]} x {found[2]}, "
                f"not {layout.name}, {width} x {height}. "
                f"Let no other program set the camera while it records"
            )
            raise DeviceError(message)


def _are_equal(a: NDArray[np.uint16], b: NDArray[np.uint16]) -> bool:
    """Whether two images are; the first rows differ nearly always, which is found out soon."""
    return np.array_equal(a[0], b[0]) and np.array_equal(a, b)
