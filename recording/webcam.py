"""Color from a webcam, a video file, or anything else that OpenCV opens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from mavfer.errors import CommandError, DeviceError
from recording.camera import CameraInfo, ClockDomain, Frame, FrameFlag, LostFrame
from recording.opencv.places import source_of
from recording.opencv.source import Wanted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recording.opencv.source import Arrival

__all__ = ["Webcam"]

_CHANNELS: Final = 3
_FOURCC_LENGTH: Final = 4


class Webcam:
    """A color camera behind OpenCV.

    Stamps: on Linux the driver's buffer time (HOST), which is when a frame's first packet came:
    after the middle of the exposure, by read-out and half the exposure time, which the driver does
    not tell; elsewhere the time of arrival (ARRIVAL); of a file its own stamps (DEVICE).
    `delay_seconds` is taken off, once a lab has measured it with a flash that all cameras see.

    Frame numbers: on Linux the driver's count, in which what it lost is counted; where that cannot
    be read, frames are counted as they come, and losses show as gaps between stamps only. By which,
    `info.settings` says under "frame_numbers". The rate says nothing of losses: webcams halve it in
    the dark.

    Args:
        source: Number or path of a device, file or URL; on Linux also serial number or name.
        width: Pixels that are asked for; by default what the source prefers.
        height: Likewise.
        rate_hz: Frames a second that are asked for.
        fourcc: Format that is asked for, for example "MJPG", which most webcams need for a high
            rate.
        delay_seconds: From the middle of the exposure to the stamp, taken off every stamp but a
            file's.

    Raises:
        CommandError: `fourcc` is not four characters.
    """

    def __init__(
        self,
        source: int | str,
        *,
        width: int | None = None,
        height: int | None = None,
        rate_hz: float | None = None,
        fourcc: str | None = None,
        delay_seconds: float = 0.0,
    ) -> None:
        if fourcc is not None and len(fourcc) != _FOURCC_LENGTH:
            raise CommandError(f"fourcc {fourcc!r}: give four characters, for example 'MJPG'")
        self._source = source_of(source, Wanted(width, height, rate_hz, fourcc))
        self._delay_ns = round(delay_seconds * 1e9)
        self._info = CameraInfo(
            "color", "", str(source), width or 0, height or 0, rate_hz or 0.0, "uint8"
        )
        self._number = -1

    @property
    def info(self) -> CameraInfo:
        """What is known of the camera; complete after `open`."""
        return self._info

    def open(self) -> None:
        """Opens the source and reads one frame of it.

        Raises:
            DeviceError: It cannot be opened, gives no color, or does not say its rate.
            MissingExtra: OpenCV is not installed.
        """
        source = self._source
        try:
            self._require_color(cast("NDArray[Any]", source.open().pixels))
        except DeviceError:
            source.close()
            raise
        numbers = "driver" if source.counts_losses else "counted as they come"
        self._number = -1
        self._info = CameraInfo(
            stream="color",
            model=source.model,
            serial=source.serial,
            width=source.width,
            height=source.height,
            rate_hz=source.rate_hz,
            dtype="uint8",
            gives_jpeg=source.gives_jpegs,
            settings={
                **source.settings,
                "frame_numbers": numbers,
                "delay_seconds": self._delay_ns / 1e9,
            },
        )

    def start(self) -> None:
        """Lets frames come from now on."""
        self._source.start()

    def read(self, timeout_seconds: float) -> Frame | LostFrame | None:
        """The next frame as RGB, or word that it came but is no picture; None when none came.

        Raises:
            EOFError: A file has ended, or the camera was stopped and all is read.
            DeviceError: The camera is gone, was not started, or gives no color.
        """
        arrival = self._source.wait(timeout_seconds)
        if arrival is None:
            return None
        self._number = self._number + 1 if arrival.number is None else arrival.number
        if arrival.pixels is None:
            return LostFrame(self._number, arrival.host_ns)
        self._require_color(arrival.pixels)
        return self._frame(arrival, arrival.pixels[..., ::-1])  # RGB, and no byte is moved

    def stop(self) -> None:
        """Lets no more frames come; those that a driver holds may still be read."""
        self._source.stop()

    def close(self) -> None:
        """Gives the source back."""
        self._source.close()

    def _frame(self, arrival: Arrival, pixels: NDArray[np.uint8]) -> Frame:
        is_file = arrival.domain == ClockDomain.DEVICE
        return Frame(
            pixels=pixels,
            host_ns=arrival.host_ns,
            device_ns=arrival.stamp_ns - (0 if is_file else self._delay_ns),
            domain=arrival.domain,
            frame_number=self._number,
            exposure_ns=0,
            flags=FrameFlag.INCOMPLETE if arrival.is_damaged else FrameFlag(0),
            jpeg=arrival.jpeg,
        )

    def _require_color(self, pixels: NDArray[Any]) -> None:
        if pixels.dtype != np.uint8 or pixels.ndim != _CHANNELS or pixels.shape[2] != _CHANNELS:
            message = (
                f"{self._source.place}: gives {pixels.dtype} {pixels.shape}, no color pictures. "
                f"Is it the thermal camera?"
            )
            raise DeviceError(message)
