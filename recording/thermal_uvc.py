"""Thermal cameras that show themselves as webcams: Lepton on a PureThermal board, Boson, and files.

They give 16-bit counts (format Y16) where OpenCV is asked for raw samples: format first, then no
conversion [read: an OpenCV thread; measured]; through V4L2 alone, as other systems convert [read].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import numpy as np

from mavfer.errors import DeviceError
from recording.camera import CameraInfo, ClockDomain, Frame, FrameFlag
from recording.opencv.lepton_telemetry import parse_telemetry, telemetry_rows
from recording.opencv.places import source_of
from recording.opencv.source import Wanted
from recording.radiometry import lepton_raw, lepton_tlinear, radiometry_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from recording.opencv.lepton_telemetry import Telemetry
    from recording.opencv.source import Arrival, Source

__all__ = ["ThermalUvc"]

_COUNTS_FORMAT: Final = "Y16 "
_DETAIL_NAMES: Final = ("uptime_ms", "sensor_celsius", "housing_celsius", "last_ffc_uptime_ms")
_NO_DETAILS: Final = (math.nan,) * len(_DETAIL_NAMES)
_KELVIN_AT_ZERO_CELSIUS: Final = 273.15

TelemetryOption = Literal["auto", "bottom", "top", "none"]


@dataclass(frozen=True)
class _Layout:
    """Which rows of a picture are telemetry."""

    rows: int
    is_at_top: bool = False

    def pixels(self, picture: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """The picture without its telemetry."""
        return picture[self.rows :] if self.is_at_top else picture[: len(picture) - self.rows]

    def telemetry(self, picture: NDArray[np.uint16]) -> Telemetry | None:
        """What the telemetry says; None where there is none, or it makes no sense."""
        if not self.rows:
            return None
        rows = picture[: self.rows] if self.is_at_top else picture[len(picture) - self.rows :]
        return parse_telemetry(rows)


class ThermalUvc:
    """A UVC thermal camera, or a file of 16-bit gray (FFV1) made from one.

    Stamps: the driver's buffer time (HOST), when a frame's first packet came. How long after the
    exposure that is no camera of this kind tells; a microbolometer also follows the scene with a
    time constant of about 10 ms [recalled]. `delay_seconds` is taken off, once a lab has measured
    it. The camera's own milliseconds stand in the details, where there is telemetry.

    Frame numbers, as `info.settings` says under "frame_numbers": "telemetry" is the camera's count
    of exposures, also kept by an exposure that is sent again (flagged REPEATED: a Lepton 2.x may
    send 27 frames a second with 9 exposures); "driver" counts what came over USB, lost or not;
    "stamps", where neither can be read, is derived from the time between stamps and the steady
    rate of such cameras: a gap of two periods reads as one loss, a stamp late by half a period too.

    Shutter: told by the telemetry of a Lepton. Without telemetry a closed shutter shows as REPEATED
    frames, since cameras freeze the picture meanwhile.

    Args:
        source: Number or path of a device, serial number, part of its name, or a file.
        radiometry: What counts mean: a name of `radiometry.NAMED`, or formula and constants;
            "auto" believes the telemetry.
        telemetry: Where the rows of a Lepton's telemetry stand; "auto" finds out.
        width: Pixels that are asked for; by default what the camera prefers.
        height: Likewise, rows of telemetry included: 122 for a Lepton 3.x with telemetry.
        rate_hz: Frames a second that are asked for.
        delay_seconds: From the middle of the exposure to the stamp, taken off every stamp but a
            file's.

    Raises:
        CommandError: There is no such radiometry.
    """

    def __init__(
        self,
        source: int | str,
        *,
        radiometry: str | Mapping[str, Any] = "auto",
        telemetry: TelemetryOption = "auto",
        width: int | None = None,
        height: int | None = None,
        rate_hz: float | None = None,
        delay_seconds: float = 0.0,
    ) -> None:
        wanted = Wanted(width, height, rate_hz, _COUNTS_FORMAT, is_raw=True)
        self._source = source_of(source, wanted)
        self._radiometry = None if radiometry == "auto" else radiometry_of(radiometry)
        self._asked_telemetry: TelemetryOption = telemetry
        self._delay_ns = round(delay_seconds * 1e9)
        self._info = CameraInfo(
            "thermal", "", str(source), width or 0, height or 0, rate_hz or 0.0, "uint16"
        )
        self._layout = _Layout(0)
        self._last: Frame | None = None

    @property
    def info(self) -> CameraInfo:
        """What is known of the camera; complete after `open`."""
        return self._info

    def open(self) -> None:
        """Opens the camera, and reads one frame to see that it gives counts, and what they mean.

        Raises:
            DeviceError: It cannot be opened, gives no counts, or says nothing of their meaning.
            MissingExtra: OpenCV is not installed.
        """
        try:
            picture = self._counts_in(self._source.open())
            self._layout = _layout_of(picture, self._asked_telemetry, self._source.place)
            self._info = self._described(picture)
        except DeviceError:
            self._source.close()
            raise
        self._last = None

    def start(self) -> None:
        """Lets frames come from now on."""
        self._source.start()

    def read(self, timeout_seconds: float) -> Frame | None:
        """The next frame, telemetry cut off; None when none came in time.

        Raises:
            EOFError: A file has ended, or the camera was stopped and all is read.
            DeviceError: The camera is gone, was not started, or no longer gives counts.
        """
        arrival = self._source.wait(timeout_seconds)
        if arrival is None:
            return None
        self._last = self._frame(arrival, self._counts_in(arrival))
        return self._last

    def stop(self) -> None:
        """Lets no more frames come; those that a driver holds may still be read."""
        self._source.stop()

    def close(self) -> None:
        """Gives the camera back."""
        self._source.close()

    def _frame(self, arrival: Arrival, picture: NDArray[np.uint16]) -> Frame:
        pixels = np.ascontiguousarray(self._layout.pixels(picture))
        telemetry = self._layout.telemetry(picture)
        device_ns = arrival.stamp_ns
        if arrival.domain != ClockDomain.DEVICE:
            device_ns -= self._delay_ns
        return Frame(
            pixels=pixels,
            host_ns=arrival.host_ns,
            device_ns=device_ns,
            domain=arrival.domain,
            frame_number=self._number(arrival, telemetry, device_ns),
            exposure_ns=0,
            flags=self._flags(arrival, pixels, telemetry),
            details=self._details(telemetry),
        )

    def _number(self, arrival: Arrival, telemetry: Telemetry | None, device_ns: int) -> int:
        """The number of a frame, by the best count that there is."""
        if telemetry is not None:
            return telemetry.frame_counter
        if self._last is None:
            return arrival.number or 0
        if self._layout.rows:  # its telemetry is torn
            return self._last.frame_number + 1
        if arrival.number is not None:
            return arrival.number
        periods = (device_ns - self._last.device_ns) * self._info.rate_hz / 1e9
        return self._last.frame_number + max(1, round(periods))

    def _flags(
        self, arrival: Arrival, pixels: NDArray[np.uint16], telemetry: Telemetry | None
    ) -> FrameFlag:
        is_torn = self._layout.rows > 0 and telemetry is None
        flags = FrameFlag.INCOMPLETE if arrival.is_damaged or is_torn else FrameFlag(0)
        if telemetry is not None and telemetry.is_shutter_closed:
            flags |= FrameFlag.SHUTTER
        if self._is_repeated(pixels, telemetry):
            flags |= FrameFlag.REPEATED
        return flags

    def _is_repeated(self, pixels: NDArray[np.uint16], telemetry: Telemetry | None) -> bool:
        """Whether the last exposure came again; no two exposures have the same noise."""
        if self._last is None:
            return False
        if telemetry is not None:
            return telemetry.frame_counter == self._last.frame_number
        return np.array_equal(pixels, self._last.pixels)

    def _details(self, telemetry: Telemetry | None) -> tuple[float, ...]:
        if not self._layout.rows:
            return ()
        if telemetry is None:
            return _NO_DETAILS
        return (
            float(telemetry.uptime_ms),
            telemetry.sensor_celsius,
            telemetry.housing_celsius,
            float(telemetry.last_ffc_ms),
        )

    def _counts_in(self, arrival: Arrival) -> NDArray[np.uint16]:
        """The picture of a frame, or DeviceError where it is not counts."""
        found = arrival.pixels
        if found is not None and found.dtype == np.uint16 and found.ndim == 2:  # noqa: PLR2004 (H, W)
            return cast("NDArray[np.uint16]", found)
        what = "no picture" if found is None else f"{found.dtype} {found.shape}"
        settings = self._source.settings
        message = (
            f"{self._source.place}: gives {what}, not 16-bit counts (format "
            f"{settings['fourcc']!r} through {settings['backend']}). Switch the camera to raw "
            f"counts (Y16, no AGC, no colors); 16 bits come through Linux's V4L2 and gray FFV1"
        )
        raise DeviceError(message)

    def _described(self, picture: NDArray[np.uint16]) -> CameraInfo:
        """What is known after the first frame."""
        source, telemetry = self._source, self._layout.telemetry(picture)
        height, width = self._layout.pixels(picture).shape
        return CameraInfo(
            stream="thermal",
            model=source.model,
            serial=source.serial,
            width=width,
            height=height,
            rate_hz=source.rate_hz,
            dtype="uint16",
            radiometry=self._radiometry or _radiometry_told(telemetry, source.place),
            settings={
                **source.settings,
                "frame_numbers": _numbers_of(telemetry, source),
                "delay_seconds": self._delay_ns / 1e9,
                **_settings_told(telemetry),
            },
            detail_names=_DETAIL_NAMES if telemetry else (),
        )


def _layout_of(picture: NDArray[np.uint16], asked: TelemetryOption, place: str) -> _Layout:
    """Which rows are telemetry, as asked for or found; DeviceError where there is none."""
    height, width = picture.shape
    rows = telemetry_rows(width, height)
    if asked == "none" or (asked == "auto" and not rows):
        return _Layout(0)
    for is_at_top in (False, True) if asked == "auto" else (asked == "top",):
        layout = _Layout(rows, is_at_top)
        if layout.telemetry(picture) is not None:
            return layout
    message = (
        f"{place}: no telemetry of a Lepton in a picture of {width}x{height}. Ask for 160x122 or "
        f"80x63 and switch it on, or say telemetry = 'none'"
    )
    raise DeviceError(message)


def _numbers_of(telemetry: Telemetry | None, source: Source) -> str:
    """Which count gives the frame numbers."""
    if telemetry is not None:
        return "telemetry"
    return "driver" if source.counts_losses else "stamps"


def _radiometry_told(telemetry: Telemetry | None, place: str) -> dict[str, Any]:
    """What counts mean, by the telemetry."""
    if telemetry is None:
        message = (
            f"{place}: does not say what its counts mean. Give radiometry, for example "
            f"'lepton-tlinear-high' or 'boson-raw'"
        )
        raise DeviceError(message)
    if telemetry.is_tlinear:
        return lepton_tlinear("high" if telemetry.is_fine else "low")
    return lepton_raw(telemetry.sensor_celsius + _KELVIN_AT_ZERO_CELSIUS)


def _settings_told(telemetry: Telemetry | None) -> dict[str, Any]:
    """What the telemetry says of how the camera is set."""
    if telemetry is None:
        return {}
    return {
        "telemetry_revision": telemetry.revision,
        "module_serial": telemetry.module_serial,
        "emissivity": telemetry.emissivity,
        "gain_mode": telemetry.gain_mode,
    }
