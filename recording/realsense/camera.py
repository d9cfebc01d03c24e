"""A stream of a RealSense device behind the interface of every camera."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import DeviceError
from recording.camera import CameraInfo, Frame, LostFrame
from recording.realsense.profiles import StreamRequest
from recording.realsense.stamps import DETAIL_NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recording.realsense.device import Arrived, RealSenseDevice
    from recording.realsense.profiles import SourceName

__all__ = ["RealSenseCamera"]

_MOST_LOST_FRAMES: Final = 10_000
"""A device that begins a new count must not be taken for one that lost a day."""


class RealSenseCamera:
    """One stream of a device that may give several.

    `Frame.device_ns` is the middle of the exposure by the device's own clock wherever the device
    says it; `recording.realsense.stamps` tells what each stamp is and how sure that is. A camera
    of infrared can be read (uint8 (H, W)), but has no `info`: a session has no such stream.
    """

    def __init__(self, device: RealSenseDevice, source: SourceName) -> None:
        """`source` is one of the device's streams."""
        self._device, self._source = device, source
        self._info: CameraInfo | None = None
        self._is_bgr, self._is_open = False, False
        self._told: deque[Frame | LostFrame] = deque()
        self._last_number: int | None = None

    @property
    def info(self) -> CameraInfo:
        """What is known of the camera; before `open` what was asked for, 0 where nothing was.

        Raises:
            DeviceError: This is infrared.
        """
        if self._info is None:
            request = self._device.streams.get(self._source, StreamRequest())
            self._info = self._describe(
                model="RealSense",
                serial="",
                width=request.width or 0,
                height=request.height or 0,
                rate_hz=request.rate_hz or 0.0,
            )
        return self._info

    def open(self) -> None:
        """Connects to the device, unless another of its cameras has.

        Raises:
            MissingExtra: The SDK or libusb is not installed.
            DeviceError: The device is not there, is busy, or does not offer what is asked for.
        """
        connection = self._device.open(self._source)
        self._is_open = True
        self._told.clear()
        self._last_number = None
        offer = connection.offers[self._source]
        self._is_bgr = offer.pixel_format == "bgr8"
        if self._source != "infrared":
            is_depth = self._source == "depth"
            self._info = self._describe(
                model=connection.model,
                serial=connection.serial,
                width=offer.width,
                height=offer.height,
                rate_hz=offer.rate_hz,
                clock_hz=1e6,
                depth_mm_per_count=connection.depth_mm_per_count() if is_depth else None,
                settings=connection.settings(self._source),
                detail_names=DETAIL_NAMES,
            )

    def start(self) -> None:
        """Begins to expose, together with all cameras of the device that are open."""
        self._device.start(self._source)

    def read(self, timeout_seconds: float) -> Frame | LostFrame | None:
        """The next frame, or word of one that was not read in time; None when none came in time.

        Raises:
            EOFError: The file has ended, or the camera was stopped and all is read.
            DeviceError: The device was unplugged or says nothing, or the file is torn.
        """
        if not self._told:
            arrived = self._device.read(self._source, timeout_seconds)
            if arrived is None:
                return None
            self._tell(arrived)
        return self._told.popleft()

    def stop(self) -> None:
        """Ends exposing; what a live camera has exposed may still be read."""
        self._device.stop(self._source)

    def close(self) -> None:
        """Gives the stream back, and the device with its last one."""
        if self._is_open:
            self._is_open = False
            self._device.close(self._source)

    def _tell(self, arrived: Arrived) -> None:
        """Leaves a frame to be given, after word of those that our queue let fall before it."""
        stamp, number = arrived.stamp, arrived.frame.get_frame_number()
        if arrived.is_after_overflow and self._last_number is not None:
            lost = range(self._last_number + 1, number)[:_MOST_LOST_FRAMES]
            self._told.extend(LostFrame(missing, stamp.host_ns, "queue") for missing in lost)
        self._last_number = number
        frame = Frame(
            pixels=self._pixels(arrived.frame),
            host_ns=stamp.host_ns,
            device_ns=stamp.device_ns,
            domain=stamp.domain,
            frame_number=number,
            exposure_ns=stamp.exposure_ns,
            details=stamp.details,
        )
        self._told.append(frame)

    def _pixels(self, frame: Any) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """The SDK's own memory, which lives as long as the array; RGB for color."""
        pixels: NDArray[np.uint8] = np.asanyarray(frame.get_data())
        return np.ascontiguousarray(pixels[..., ::-1]) if self._is_bgr else pixels

    def _describe(self, **known: Any) -> CameraInfo:
        if self._source == "infrared":
            message = "RealSense infrared: not a stream of a session. Record color and depth"
            raise DeviceError(message)
        dtype = "uint8" if self._source == "color" else "uint16"
        return CameraInfo(stream=self._source, dtype=dtype, **known)
