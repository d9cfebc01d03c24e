"""Thermal cameras over GigE Vision (FLIR Ax5 and A-series) through Aravis.

What was not checked on a camera, because no test can: that the stamp is the start of the exposure
(GigE Vision says so; recalled, not checked against the document), which of the shutter's features a
model has, jumbo packets, and the network's real losses. A microbolometer has no exposure: it
averages some 10 ms before its readout, so its picture is older than its stamp by a few milliseconds
that `stamp_shift_us` can take away once they are measured.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import DeviceError
from recording.camera import CameraInfo
from recording.gige.aravis import (
    answers,
    connect,
    device_errors,
    hear_no_more,
    load_aravis,
    release,
)
from recording.gige.flir import read_radiometry, set_temperature_linear
from recording.gige.frames import GigeFrames, GigeGeometry, GigeTiming, StateWatch
from recording.gige.genicam import read_all_features, read_number, write_feature
from recording.gige.pixel_formats import PixelFormat, choose_pixel_format
from recording.gige.stream import GigeStream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recording.camera import Frame, LostFrame
    from recording.gige.flir import TemperatureLinear
    from recording.gige.genicam import Feature

__all__ = ["GigeThermalCamera"]

_RATE_FEATURES: Final = ("AcquisitionFrameRate", "AcquisitionFrameRateAbs", "SensorFrameRate")
_EXPOSURE_FEATURES: Final = ("ExposureTime", "ExposureTimeAbs")
_RATE_TOLERANCE: Final = 0.02
_BUFFERED_SECONDS: Final = 1.0
_LEAST_BUFFERS: Final = 16
_SILENT_SECONDS: Final = 1.0
"""Silence after which the camera is asked whether it is still there."""

_CHECK: Final = "Check cable and power, or switch the camera off and on again"


class GigeThermalCamera:
    """A thermal stream of raw counts from one GigE Vision camera.

    After a failure `close` and then `open` takes the camera up again, once it answers.

    Args:
        serial: Which camera; None for the one at `address`, or the only one there.
        address: IPv4 address, where the camera cannot be discovered.
        pixel_format: A name of `PIXEL_FORMATS`; by default Mono14, else what the camera has.
        width: Columns; as the camera stands where None.
        height: Rows; as the camera stands where None.
        rate_hz: Frames a second; as the camera stands where None.
        temperature_linear: "high", "low" or "off"; None for "high" where the camera can.
        features: Other GenICam features to set, in this order, for example {"NUCMode": "Manual"}.
        packet_bytes: Size of a packet; by default the largest that the network lets through.
        stall_seconds: Silence after which a camera that answers counts as lost too.
        stamp_shift_us: Added to every stamp to reach the middle of the exposure, where measured.
    """

    def __init__(
        self,
        serial: str | None = None,
        *,
        address: str | None = None,
        pixel_format: str | None = None,
        width: int | None = None,
        height: int | None = None,
        rate_hz: float | None = None,
        temperature_linear: TemperatureLinear | None = None,
        features: Mapping[str, Feature] | None = None,
        packet_bytes: int | None = None,
        stall_seconds: float = 5.0,
        stamp_shift_us: float = 0.0,
    ) -> None:
        self._serial, self._address = serial, address
        self._pixel_format, self._temperature_linear = pixel_format, temperature_linear
        self._size, self._rate_hz = {"Width": width, "Height": height}, rate_hz
        self._features, self._packet_bytes = dict(features or {}), packet_bytes
        self._stall_seconds, self._stamp_shift_us = stall_seconds, stamp_shift_us
        self._info = CameraInfo(
            stream="thermal",
            model="GigE Vision",
            serial=serial or "",
            width=width or 0,
            height=height or 0,
            rate_hz=rate_hz or 0.0,
            dtype="uint16",
        )
        self._device: Any = None
        self._handler: int | None = None
        self._camera: Any = None
        self._watch: StateWatch | None = None
        self._stream: GigeStream | None = None
        self._waiting: deque[Frame | LostFrame] = deque()
        self._is_exposing = False
        self._is_lost = threading.Event()
        self._layout: PixelFormat
        self._frames: GigeFrames | None = None

    @property
    def info(self) -> CameraInfo:
        """What is known of the camera; complete after `open`."""
        return self._info

    def link_statistics(self) -> dict[str, int]:
        """Frames and packets that came, were missing or sent again, since `start`."""
        return {} if self._stream is None else self._stream.statistics()

    def open(self) -> None:
        """Takes control of the camera, sets it and reads how it stands.

        Raises:
            MissingExtra: Aravis or PyGObject is not installed.
            DeviceError: The camera is not there, is taken, or cannot be set as it was asked for.
        """
        self.close()
        self._device = connect(self._serial, self._address)
        try:
            is_lost = self._is_lost  # this connection's own: an old one may still find its end
            self._handler = self._device.connect("control-lost", lambda _: is_lost.set())
            self._camera = load_aravis().Camera.new_with_device(self._device)
            with device_errors(self._name, _CHECK):
                self._configure()
                self._info = self._describe(StateWatch(self._device))
            self._serial = self._info.serial or None  # it and no other is opened again
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Begins to receive.

        Raises:
            DeviceError: The camera is not open, or does not start.
        """
        camera = self._require_open()
        self._end_stream()
        with device_errors(self._name, _CHECK):
            self._watch = StateWatch(self._device)
            self._frames = self._new_frames(self._watch)
            buffers = max(_LEAST_BUFFERS, math.ceil(self._info.rate_hz * _BUFFERED_SECONDS))
            self._stream = GigeStream(camera, self._payload_bytes(), buffers)
            camera.start_acquisition()
        self._is_exposing = True
        self._watch.start()

    def read(self, timeout_seconds: float) -> Frame | LostFrame | None:
        """The next frame, or word that it was lost on the link or came when all buffers were full.

        A frame of which packets are missing has zeros in their place and `FrameFlag.INCOMPLETE`;
        one whose first packet is missing has neither number nor stamp, and counts as lost.

        Raises:
            DeviceError: The camera is lost or silent, or its frames are not what it said.
            EOFError: What came before `stop` has been read.
        """
        stream, frames = self._require_started()
        if not self._waiting:
            block = stream.pop(timeout_seconds)
            if block is None:
                self._require_alive(stream)
                return None
            self._waiting.extend(frames.frames_of(block, stream.underruns()))
        return self._waiting.popleft()

    def stop(self) -> None:
        """Ends exposing; frames that are on their way may still be read.

        Raises:
            DeviceError: The camera does not take the order.
        """
        if self._stream is not None and self._is_exposing:
            self._is_exposing = False
            with device_errors(self._name, _CHECK):
                self._camera.stop_acquisition()

    def close(self) -> None:
        """Gives the camera back; a lost one is let go without being waited for."""
        if self._stream is not None and self._stream.silent_seconds() > _SILENT_SECONDS:
            self._note_lost()
        if not self._is_lost.is_set():
            with suppress(DeviceError):
                self.stop()
        held = _Held(self._watch, self._stream, self._camera, self._device, self._handler)
        self._watch = self._stream = self._frames = self._camera = self._device = None
        self._handler = None
        self._waiting.clear()
        if self._is_lost.is_set():
            # Aravis asks in vain for seconds, in which the camera may have come back.
            options = {"is_lost": True}
            threading.Thread(
                target=held.let_go, kwargs=options, name="let go of a camera", daemon=True
            ).start()
        else:
            held.let_go(is_lost=False)
        self._is_lost = threading.Event()

    @property
    def _name(self) -> str:
        return f"thermal camera {self._info.serial or self._address or self._serial or ''}".strip()

    def _end_stream(self) -> None:
        """Forgets what an earlier `start` began."""
        _Held(self._watch, self._stream).let_go(is_lost=False)
        self._watch = self._stream = self._frames = None
        self._waiting.clear()

    def _require_open(self) -> Any:
        if self._camera is None:
            raise DeviceError(f"{self._name}: is not open. Call open() before start()")
        return self._camera

    def _require_started(self) -> tuple[GigeStream, GigeFrames]:
        if self._stream is None or self._frames is None:
            raise DeviceError(f"{self._name}: is not started. Call open() and start()")
        return self._stream, self._frames

    def _configure(self) -> None:
        """Sets what was asked for: first what decides about the rest."""
        with suppress(DeviceError), device_errors(self._name, _CHECK):
            self._camera.stop_acquisition()  # what died before us may have left it exposing
        offered = self._camera.dup_available_pixel_formats_as_strings()
        self._layout = choose_pixel_format(offered, self._pixel_format)
        write_feature(self._device, "PixelFormat", self._layout.name)
        set_temperature_linear(self._device, self._temperature_linear)
        for name, value in self._size.items():
            if value is not None:
                write_feature(self._device, name, value)
        if self._rate_hz is not None:
            self._set_rate(self._rate_hz)
        for name, feature in self._features.items():
            write_feature(self._device, name, feature)
        self._set_packet_size()

    def _set_rate(self, rate_hz: float) -> None:
        """Sets the rate; a camera whose rate is fixed must have the one that was asked for."""
        if self._camera.is_frame_rate_available():
            self._camera.set_frame_rate(rate_hz)
        found_hz = self._read_first(_RATE_FEATURES)
        if found_hz is not None and not math.isclose(found_hz, rate_hz, rel_tol=_RATE_TOLERANCE):
            message = f"{self._name}: runs at {found_hz:g} Hz, not at {rate_hz:g}. Correct rate_hz"
            raise DeviceError(message)

    def _set_packet_size(self) -> None:
        """Finds the largest packet that the network lets through, or takes the one asked for."""
        if self._packet_bytes is None:
            self._device.auto_packet_size()
        else:
            self._device.set_packet_size(self._packet_bytes)
        self._device.set_packet_size_adjustment(load_aravis().GvPacketSizeAdjustment.NEVER)

    def _describe(self, watch: StateWatch) -> CameraInfo:
        """What the camera says of itself once it is set."""
        _, _, width, height = self._camera.get_region()
        rate_hz = self._read_first(_RATE_FEATURES) or self._rate_hz
        if not rate_hz:
            raise DeviceError(f"{self._name}: does not say its rate. Name it: rate_hz")
        return CameraInfo(
            stream="thermal",
            model=f"{self._camera.get_vendor_name()} {self._camera.get_model_name()}".strip(),
            serial=self._camera.get_device_serial_number() or self._serial or "",
            width=width,
            height=height,
            rate_hz=rate_hz,
            dtype="uint16",
            clock_hz=float(self._device.get_timestamp_tick_frequency() or 1e9),
            radiometry=read_radiometry(self._device),
            settings={
                "address": self._device.get_device_address().get_address().to_string(),
                "pixel_format": self._layout.name,
                "packet_bytes": self._device.get_packet_size(),
                "stamp_shift_us": self._stamp_shift_us,
                "features": read_all_features(self._device),
            },
            detail_names=watch.detail_names,
        )

    def _new_frames(self, watch: StateWatch) -> GigeFrames:
        """Begins counting anew, as the camera does."""
        timing = GigeTiming(
            ticks_hz=int(self._device.get_timestamp_tick_frequency()),
            exposure_ns=round((self._read_first(_EXPOSURE_FEATURES) or 0.0) * 1000),
            shift_ns=round(self._stamp_shift_us * 1000),
        )
        geometry = GigeGeometry(self._layout, self._info.width, self._info.height)
        return GigeFrames(geometry, timing, watch)

    def _payload_bytes(self) -> int:
        """Bytes of one image, which the camera may follow with more, but not with less."""
        needed = self._layout.frame_bytes(self._info.width * self._info.height)
        return max(needed, int(self._camera.get_payload()))

    def _read_first(self, names: tuple[str, ...]) -> float | None:
        """The first of these features that the camera has."""
        values = (read_number(self._device, name) for name in names)
        return next((value for value in values if value is not None), None)

    def _require_alive(self, stream: GigeStream) -> None:
        """Raises where no more frames will come."""
        if not self._is_exposing:
            raise EOFError
        if self._is_lost.is_set():
            message = f"{self._name}: control was lost: unplugged, without power, or taken over"
            raise DeviceError(f"{message}. {_CHECK}")
        silent_seconds = stream.silent_seconds()
        if silent_seconds > _SILENT_SECONDS and self._note_lost():
            message = "does not answer any more: unplugged or without power"
            raise DeviceError(f"{self._name}: {message}. {_CHECK}")
        if silent_seconds > self._stall_seconds:
            message = f"answers, but sent no frame for {silent_seconds:.1f} s: it stands still, or"
            raise DeviceError(f"{self._name}: {message} a firewall keeps its packets. {_CHECK}")

    def _note_lost(self) -> bool:
        """Whether the camera is lost; asks one that is not known to be."""
        if not self._is_lost.is_set() and not answers(self._info.settings["address"]):
            self._is_lost.set()
        return self._is_lost.is_set()


class _Held:
    """What a camera holds on to, in the order in which it must be let go.

    The last reference to an Aravis device ends its control, which takes seconds where the camera is
    gone. It must be dropped here, so nothing else that outlives `close` may refer to the device; an
    exception's traceback refers to what its functions knew.
    """

    def __init__(
        self,
        watch: StateWatch | None,
        stream: GigeStream | None,
        camera: Any = None,
        device: Any = None,
        handler: int | None = None,
    ) -> None:
        self._watch, self._stream, self._camera, self._device = watch, stream, camera, device
        self._handler = handler

    def let_go(self, *, is_lost: bool) -> None:
        """Ends the threads that use the camera, and then its control."""
        if self._watch is not None:
            self._watch.close()
        if self._stream is not None:
            self._stream.close()
        if self._handler is not None:
            hear_no_more(self._device, self._handler, is_lost=is_lost)
        if self._device is not None and not is_lost:
            release(self._device)
        self._watch = self._stream = self._camera = self._device = None
