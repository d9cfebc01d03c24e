"""A RealSense device while it is open: its sensors, what they said of themselves, their start."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import DeviceError
from recording.realsense.feed import SensorFeed
from recording.realsense.lens import calibration_document, raw_intrinsics
from recording.realsense.profiles import choose, offers_of
from recording.realsense.sdk import camera_fact, sdk_version, told_as_device_error
from recording.realsense.stamps import HostClock, StampReader, Unwrapper

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from recording.realsense.profiles import Offer, SourceName, StreamRequest
    from recording.realsense.sources import DeviceSource
    from recording.realsense.stamps import Stamp

__all__ = ["Connection"]

_MM_PER_METRE: Final = 1000.0
_NS_PER_SECOND: Final = 1_000_000_000
_FACTS: Final = {
    "firmware": "firmware_version",
    "product_line": "product_line",
    "usb": "usb_type_descriptor",
}


class Connection:
    """An open device; made and let go by `RealSenseDevice`, which locks what needs it."""

    def __init__(
        self, sdk: Any, source: DeviceSource, streams: Mapping[SourceName, StreamRequest]
    ) -> None:
        """Opens the sensors of all `streams`.

        Raises:
            DeviceError: The device is not there, is busy, or does not offer what is asked for.
        """
        self._sdk, self._name = sdk, source.name
        self._device = source.connect(sdk)
        self._playback = self._device.as_playback() if self._device.is_playback() else None
        offered = offers_of(sdk, self._device)
        self.offers: dict[SourceName, Offer] = {
            name: choose(offered, name, request, source.name) for name, request in streams.items()
        }
        for name, request in streams.items():
            self._set_options(self.offers[name].sensor, request)
        self._calibration_problem = ""
        self.calibration = self._read_calibration()
        self._feeds = self._open_feeds()
        self._stamps = self._make_stamp_readers()
        self._position_ns = 0
        self._duration_ns = 0
        if self._playback is not None:
            self._duration_ns = round(self._playback.get_duration().total_seconds() * 1e9)

    @property
    def is_recording(self) -> bool:
        """True for a file."""
        return self._playback is not None

    @property
    def is_connected(self) -> bool:
        """False once the SDK has noticed that the device was unplugged; True for a file."""
        return self.is_recording or bool(self._device.is_connected())

    @property
    def has_ended(self) -> bool:
        """True once the SDK has given the last frame of a file."""
        status = self._sdk.playback_status.stopped
        return self._playback is not None and self._playback.current_status() == status

    @property
    def missing_seconds(self) -> float:
        """How much of a file was recorded after the last frame that was read."""
        return (self._duration_ns - self._position_ns) / _NS_PER_SECOND

    @property
    def model(self) -> str:
        """Maker's name of the model."""
        return camera_fact(self._sdk, self._device, "name") or "RealSense"

    @property
    def serial(self) -> str:
        """Serial number, or empty."""
        return camera_fact(self._sdk, self._device, "serial_number")

    def feed(self, source: SourceName) -> SensorFeed:
        """Where the frames of a stream come from."""
        return self._feeds[source]

    def depth_mm_per_count(self) -> float:
        """Millimetres of one depth count.

        Raises:
            DeviceError: The depth sensor does not say.
        """
        sensor, units = self.offers["depth"].sensor, self._sdk.option.depth_units
        if not sensor.supports(units):
            message = f"{self._name}: does not say how long a depth count is. Use another file"
            raise DeviceError(message)
        # The SDK keeps float32: 0.001 m comes as 0.0010000000475.
        return round(float(sensor.get_option(units)) * _MM_PER_METRE, 7)

    def settings(self, source: SourceName) -> dict[str, Any]:
        """What was in force for a stream: firmware, SDK, lens and every option of its sensor."""
        offer = self.offers[source]
        extrinsics = self._from_color(offer)
        return {
            "sdk": f"pyrealsense2 {sdk_version()}",
            **{key: camera_fact(self._sdk, self._device, name) for key, name in _FACTS.items()},
            "source": "file" if self.is_recording else "live",
            "sensor": camera_fact(self._sdk, offer.sensor, "name"),
            "pixel_format": offer.pixel_format,
            "intrinsics": raw_intrinsics(offer.profile.get_intrinsics()),
            "extrinsics_from_color": extrinsics,
            "calibration_problem": self._calibration_problem,
            "options": self._options(offer.sensor),
        }

    def start(self, source: SourceName, wanted: set[SourceName]) -> None:
        """Starts the sensors of `source` and of all that are `wanted`, at one moment of a file."""
        self._feeds[source].want(source)
        fresh = [feed for feed in {self._feeds[s] for s in wanted} if not feed.is_started]
        if fresh:
            with self._standing_still():
                for feed in fresh:
                    feed.start()

    def stop(self, source: SourceName, wanted: set[SourceName]) -> None:
        """Ends a stream, and its sensor unless others in `wanted` need it."""
        feed = self._feeds[source]
        feed.forget(source)
        if not any(self._feeds[other] is feed for other in wanted):
            feed.stop()

    def close(self) -> None:
        """Gives all sensors back; raises nothing, as a device that is gone takes nothing back."""
        for feed in set(self._feeds.values()):
            with suppress(DeviceError):
                feed.close()

    def read_stamp(self, source: SourceName, frame: Any, read_ns: int) -> Stamp:
        """The stamps of a frame."""
        if self._playback is not None:
            self._position_ns = max(self._position_ns, self._playback.get_position())
        return self._stamps[source].read(frame, read_ns)

    @contextmanager
    def _standing_still(self) -> Iterator[None]:
        """Keeps a file from playing while its sensors are started one after the other.

        The SDK plays from the first start on, and what it plays before the second is lost.
        """
        if self._playback is None:
            yield
            return
        with told_as_device_error(self._name):
            self._playback.pause()
        yield
        with told_as_device_error(self._name):
            self._playback.resume()

    def _open_feeds(self) -> dict[SourceName, SensorFeed]:
        """A feed for each sensor, under the name of each of its streams."""
        groups: dict[int, dict[SourceName, Offer]] = {}
        for source, offer in self.offers.items():
            groups.setdefault(offer.sensor_number, {})[source] = offer
        feeds: dict[SourceName, SensorFeed] = {}
        try:
            for group in groups.values():
                feed = SensorFeed(self._sdk, group, is_live=not self.is_recording, name=self._name)
                feeds.update(dict.fromkeys(group, feed))
        except DeviceError:
            for feed in set(feeds.values()):
                feed.close()
            raise
        return feeds

    def _make_stamp_readers(self) -> dict[SourceName, StampReader]:
        offset_ns = None if self.is_recording else time.monotonic_ns() - time.time_ns()
        unwrapper, clock = Unwrapper(), HostClock(offset_ns)
        return {
            source: StampReader(
                self._sdk, source, unwrapper=unwrapper, clock=clock, is_live=not self.is_recording
            )
            for source in self.offers
        }

    def _read_calibration(self) -> dict[str, Any] | None:
        """The calibration; None where ours cannot express it, which must not stop a recording.

        The lenses are in the settings as the device has them, so nothing is lost.
        """
        if not {"color", "depth"} <= self.offers.keys():
            return None
        color, depth = self.offers["color"].profile, self.offers["depth"].profile
        try:
            with told_as_device_error(f"{self._name}: the calibration cannot be read"):
                return calibration_document(color, depth, self.serial)
        except DeviceError as error:
            self._calibration_problem = str(error)
            return None

    def _from_color(self, offer: Offer) -> dict[str, list[float]] | None:
        """The motion from color as the SDK has it: columns of the rotation, metres."""
        if "color" not in self.offers:
            return None
        motion = self.offers["color"].profile.get_extrinsics_to(offer.profile)
        return {"rotation": list(motion.rotation), "translation_metres": list(motion.translation)}

    def _set_options(self, sensor: Any, request: StreamRequest) -> None:
        """Sets what is asked for, and the device's own clock instead of the SDK's fit to ours."""
        option = self._sdk.option
        wanted = dict(request.options)
        if not self.is_recording and sensor.supports(option.global_time_enabled):
            wanted.setdefault("global_time_enabled", 0.0)
        for name, value in wanted.items():
            key = option.__members__.get(name)
            if key is None or not sensor.supports(key):
                known = ", ".join(self._options(sensor))
                message = f"{self._name}: no option {name!r}. Choose one of {known}"
                raise DeviceError(message)
            self._set_option(sensor, key, value)

    def _set_option(self, sensor: Any, key: Any, value: float) -> None:
        allowed = sensor.get_option_range(key)
        if not allowed.min <= value <= allowed.max:
            message = (
                f"{self._name}: {key.name} cannot be {value:g}. "
                f"Choose from {allowed.min:g} to {allowed.max:g}"
            )
            raise DeviceError(message)
        with told_as_device_error(f"{self._name}: {key.name} cannot be set"):
            sensor.set_option(key, value)

    def _options(self, sensor: Any) -> dict[str, float]:
        """Every option of a sensor that can be read now, with its value."""
        values = {}
        for option in sensor.get_supported_options():
            try:
                values[option.name] = float(sensor.get_option(option))
            except RuntimeError:  # some can be read while frames come only, such as temperatures
                continue
        return values
