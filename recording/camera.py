"""The one interface behind which every camera stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mavfer.streams import StreamName

__all__ = [
    "Camera",
    "CameraInfo",
    "ClockDomain",
    "Frame",
    "FrameFlag",
    "LinkCounter",
    "LossCause",
    "LostFrame",
    "Rig",
]

LossCause = Literal["device", "link", "queue"]
"""Where a frame was lost: inside the camera, on the cable or network, or because all of the
driver's buffers were full when it came."""


class ClockDomain(IntEnum):
    """Which clock `Frame.device_ns` was read from."""

    DEVICE = 0
    """The camera's own clock, stamped at or near the exposure."""
    HOST = 1
    """The host's monotonic clock, stamped by a driver."""
    ARRIVAL = 2
    """No stamp but the host's time of arrival."""


class FrameFlag(IntFlag):
    """What a camera says of a frame; 0 means nothing unusual."""

    SHUTTER = 1
    """Thermal: the shutter was closed (NUC or FFC); pixels repeat the last frame."""
    INCOMPLETE = 2
    """Part of the pixels did not arrive."""
    REPEATED = 4
    """The camera sent the same exposure twice."""
    RESTARTED = 8
    """Set by the recorder: the first frame after the camera was opened again, or of a further
    segment. Its count and clock may have begun anew; the stamps are moved so that both go on."""


NOTHING_UNUSUAL: Final = FrameFlag(0)


@dataclass(frozen=True)
class CameraInfo:
    """What is known of a camera before its first frame."""

    stream: StreamName
    model: str
    """Maker's name of the model, or "simulated"."""
    serial: str
    width: int
    height: int
    rate_hz: float
    """Frames a second that the camera was asked for."""
    dtype: str
    """"uint8" for color (RGB), "uint16" for raw counts."""
    clock_hz: float = 1e9
    """Ticks a second of the device's clock, before it was turned into nanoseconds."""
    depth_mm_per_count: float | None = None
    """Depth cameras: millimetres of one count."""
    radiometry: dict[str, Any] | None = None
    """Thermal cameras: formula and constants from counts to temperature."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Everything else that was in force: exposure mode, gain, emitter, lens, firmware."""
    detail_names: tuple[str, ...] = ()
    """What `Frame.details` holds, each name with its unit: "readout_us", "sensor_celsius"."""
    gives_jpeg: bool = False
    """True where every frame has its `Frame.jpeg`."""


@dataclass(frozen=True)
class Frame:
    """One exposure as it arrived."""

    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    """uint8 (H, W, 3) RGB for color; uint16 (H, W) counts for depth and thermal."""
    host_ns: int
    """Arrival, nanoseconds of the host's monotonic clock."""
    device_ns: int
    """Middle of the exposure in nanoseconds of the clock that `domain` names; a camera that stamps
    the start or the readout moves its stamp there."""
    domain: ClockDomain
    frame_number: int
    """The camera's own count; a jump is a drop."""
    exposure_ns: int
    """Exposure time; 0 where the camera does not say."""
    flags: FrameFlag = NOTHING_UNUSUAL
    details: tuple[float, ...] = ()
    """What else the camera says of this frame, in the order of `CameraInfo.detail_names`; NaN where
    it does not say. Kept beside the stamps as float64, exact for whole numbers up to 2^53."""
    jpeg: bytes | None = None
    """What `pixels` were decoded from, where the camera gives JPEGs."""


@dataclass(frozen=True)
class LostFrame:
    """Word that a frame was exposed and will never come; `Camera.read` gives it in its place.

    It comes in its turn of the count, before any later frame. Numbers that are missing without such
    a word are taken to be lost in the camera.
    """

    frame_number: int
    """The number that the frame would have had."""
    host_ns: int
    """When that was known, nanoseconds of the host's monotonic clock."""
    cause: LossCause = "link"


class Camera(Protocol):
    """A source of frames of one stream; every method is called from one thread only.

    The order is `open`, `start`, `read` until stopped, `stop`, `close`, which is safe at any time.
    """

    @property
    def info(self) -> CameraInfo:
        """What is known of the camera; complete after `open`."""
        ...

    def open(self) -> None:
        """Connects; raises `DeviceError` with the way out when it cannot."""
        ...

    def start(self) -> None:
        """Begins to expose."""
        ...

    def read(self, timeout_seconds: float) -> Frame | LostFrame | None:
        """The next frame, or word that it is lost; None when nothing came in time.

        Raises EOFError after the last one.
        """
        ...

    def stop(self) -> None:
        """Ends exposing; frames already exposed may still be read.

        The recorder then reads on until EOFError, or None where nothing came in time; a camera that
        has none left raises EOFError.
        """
        ...

    def close(self) -> None:
        """Gives the camera back."""
        ...


@runtime_checkable
class LinkCounter(Protocol):
    """What a camera on a network or bus may offer besides: the counts that its link keeps.

    The recorder asks once for each connection, before `close`, on the thread that reads; what is
    not 0 becomes the event `link_statistics`. A selftest asks after `stop` too.
    """

    def link_statistics(self) -> dict[str, int]:
        """Counts since `start` by name: "missing_packets", "resent_packets".

        Empty where nothing was started. Where the camera is gone it may raise, and nothing is told.
        """
        ...


class Rig(Protocol):
    """Cameras that are recorded together, and what is known about the set."""

    @property
    def name(self) -> str:
        """What `--rig` was given."""
        ...

    @property
    def cameras(self) -> list[Camera]:
        """One camera a stream."""
        ...

    @property
    def is_paced(self) -> bool:
        """True when frames come in real time, so that a full queue means a drop."""
        ...

    @property
    def calibration(self) -> dict[str, Any] | None:
        """A document of the calibration format, or None when the rig has none."""
        ...

    @property
    def settings(self) -> dict[str, Any]:
        """What was asked for, for session.json: seed, lighting, and the like."""
        ...
