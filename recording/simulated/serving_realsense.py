"""A RealSense made of software that sends a drawn take: the SDK's own device without hardware."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from recording.realsense import RealSenseDevice, StreamRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mavfer.vision.geometry import CameraModel
    from recording.realsense.profiles import SourceName
    from recording.simulated.serving_frames import Beginning, ServedFrames

__all__ = ["FACTS", "ServedRealSense", "SoftwareDevice", "SoftwareStream", "describe_stream"]

_NS_PER_SECOND: Final = 1_000_000_000
_NS_PER_US: Final = 1_000
_NS_PER_MS: Final = 1_000_000
_PERIOD_US: Final = 1 << 32
_MM_PER_METRE: Final = 1000.0
_EXPOSURE_UNIT_US: Final = 100
"""In which color cameras of the D400 series say their exposure."""
_BACKEND_MS: Final = 1
"""How long before a frame reaches the SDK the kernel has it (ours)."""

FACTS: Final[dict[str, str]] = {
    "name": "Intel RealSense D435 made of software",
    "serial_number": "SIM-0001",
    "firmware_version": "5.16.0.1",
    "usb_type_descriptor": "3.2",
}
"""What the device says of itself, by the SDK's names."""

_FORMATS: Final = {"color": "rgb8", "depth": "z16", "infrared": "y8"}
_BYTES: Final = {"color": 3, "depth": 2, "infrared": 1}
_INDEX: Final = {"color": 0, "depth": 0, "infrared": 1}
_EMITTER: Final = {"frame_laser_power": 150, "frame_laser_power_mode": 1, "frame_emitter_mode": 1}


@dataclass(frozen=True)
class SoftwareStream:
    """One stream of a software device."""

    size: tuple[int, int]
    """Width and height."""
    focal_px: tuple[float, float]
    centre_px: tuple[float, float]
    distortion: tuple[float, ...] = (0.0,) * 5
    model: str = "brown_conrady"
    """The SDK's name of the lens model."""
    rate_hz: int = 30
    pixel_format: str = ""
    """The SDK's name; the usual one of the stream where empty."""

    @classmethod
    def behind(cls, camera: CameraModel, rate_hz: float) -> SoftwareStream:
        """The stream of a camera of a calibration."""
        matrix = camera.matrix
        return cls(
            size=(camera.width, camera.height),
            focal_px=(float(matrix[0, 0]), float(matrix[1, 1])),
            centre_px=(float(matrix[0, 2]), float(matrix[1, 2])),
            distortion=tuple(camera.distortion.tolist()),
            rate_hz=round(rate_hz),
        )


class SoftwareDevice:
    """A software device with a sensor for color and one for depth and infrared, as a D435 has."""

    def __init__(
        self,
        sdk: Any,
        streams: Mapping[SourceName, SoftwareStream],
        *,
        depth_mm_per_count: float,
        color_from_depth: NDArray[np.float64],
        facts: Mapping[str, str] = FACTS,
    ) -> None:
        """Makes the device; it sends nothing by itself.

        Args:
            sdk: The module pyrealsense2.
            streams: Which streams it has, and through which lens.
            depth_mm_per_count: Unit of the depth counts.
            color_from_depth: (4, 4) rigid motion from the depth camera's frame to the color
                camera's, millimetres.
            facts: What it says of itself.
        """
        self.sdk, self.device = sdk, sdk.software_device()
        for name, value in facts.items():
            self.device.register_info(getattr(sdk.camera_info, name), value)
        stereo, rgb = self.device.add_sensor("Stereo Module"), self.device.add_sensor("RGB Camera")
        self.sensors = {"color": rgb, "depth": stereo, "infrared": stereo}
        self.profiles: dict[SourceName, Any] = {}
        for number, (source, stream) in enumerate(streams.items()):
            described = describe_stream(sdk, source, number, stream)
            self.profiles[source] = self.sensors[source].add_video_stream(described, True)
        stereo.add_read_only_option(sdk.option.depth_units, depth_mm_per_count / _MM_PER_METRE)
        stereo.add_option(sdk.option.laser_power, sdk.option_range(0, 360, 150, 30), True)
        if {"color", "depth"} <= set(streams):
            motion = sdk.extrinsics()
            motion.rotation = color_from_depth[:3, :3].T.ravel().tolist()  # columns first
            motion.translation = (color_from_depth[:3, 3] / _MM_PER_METRE).tolist()
            self.profiles["depth"].register_extrinsics_to(self.profiles["color"], motion)

    def hand_in(
        self,
        source: SourceName,
        number: int,
        pixels: NDArray[Any],
        metadata: Mapping[str, int],
        *,
        timestamp_ms: float,
        domain: str = "hardware_clock",
    ) -> None:
        """Hands one frame to the SDK.

        Args:
            source: Of which stream.
            number: The device's count.
            pixels: As the stream's format has them.
            metadata: Values by the SDK's names.
            timestamp_ms: The SDK's own stamp.
            domain: Which clock that is of, by the SDK's name.
        """
        for name, value in metadata.items():
            self.sensors[source].set_metadata(getattr(self.sdk.frame_metadata_value, name), value)
        frame = self.sdk.software_video_frame()
        frame.bpp = _BYTES[source]
        frame.stride = pixels.shape[1] * frame.bpp
        frame.timestamp, frame.domain = timestamp_ms, getattr(self.sdk.timestamp_domain, domain)
        frame.frame_number = number
        frame.profile = self.profiles[source].as_video_stream_profile()
        frame.pixels = pixels
        self.sensors[source].on_video_frame(frame)


def describe_stream(sdk: Any, source: SourceName, number: int, stream: SoftwareStream) -> Any:
    """What the SDK is told of a stream before it is added to a sensor."""
    width, height = stream.size
    lens = sdk.intrinsics()
    lens.width, lens.height = width, height
    lens.fx, lens.fy = stream.focal_px
    lens.ppx, lens.ppy = stream.centre_px
    lens.model, lens.coeffs = getattr(sdk.distortion, stream.model), list(stream.distortion)
    described = sdk.video_stream()
    described.type, described.index = getattr(sdk.stream, source), _INDEX[source]
    described.uid, described.fps = number, stream.rate_hz
    described.width, described.height, described.bpp = width, height, _BYTES[source]
    described.fmt = getattr(sdk.format, stream.pixel_format or _FORMATS[source])
    described.intrinsics = lens
    return described


class ServedRealSense(RealSenseDevice):
    """A RealSense that sends a take by itself, each stream from its start to its stop.

    Its cameras are those of any device: `RealSenseCamera(device, "color")`. A frame that is due
    before its stream is started, or after it is stopped, is not sent, as no camera would.
    """

    def __init__(
        self,
        frames: Mapping[SourceName, ServedFrames],
        cameras: Mapping[SourceName, CameraModel],
        *,
        depth_mm_per_count: float,
        beginning: Beginning,
    ) -> None:
        """Opens nothing yet.

        Args:
            frames: What each stream sends; all on one clock, as the device has one.
            cameras: The lens and the place of each, in the color camera's frame.
            depth_mm_per_count: Unit of the depth counts.
            beginning: When the take begins; a start of this device begins it.
        """
        self._frames, self._cameras = dict(frames), cameras
        self._mm_per_count, self._beginning = depth_mm_per_count, beginning
        self._players: dict[SourceName, _Player] = {}
        self._software: SoftwareDevice | None = None
        self.sent: dict[SourceName, list[int]] = {source: [] for source in frames}
        """Numbers of the frames that were handed to the SDK, by stream."""
        super().__init__(_Bus(self), {source: StreamRequest() for source in frames})

    def start(self, source: SourceName) -> None:
        """Lets frames of this stream come; the first start begins the take."""
        super().start(source)
        if source not in self._players and self._software is not None:
            player = _Player(self._software, source, self._frames[source], self.sent[source])
            self._players[source] = player
            player.start(self._beginning.begin())

    def stop(self, source: SourceName) -> None:
        """Ends this stream; what was sent may still be read."""
        player = self._players.pop(source, None)
        if player is not None:
            player.stop()
        super().stop(source)

    def plug_in(self, sdk: Any) -> Any:
        """A new device of the SDK, with the lenses and places of the take's cameras."""
        rates = {source: frames.rate_hz for source, frames in self._frames.items()}
        color_from_depth: NDArray[Any] = np.eye(4)
        if "depth" in rates:
            color_from_depth = np.linalg.inv(self._cameras["depth"].camera_from_color)
        self._software = SoftwareDevice(
            sdk,
            {s: SoftwareStream.behind(self._cameras[s], rates[s]) for s in rates},
            depth_mm_per_count=self._mm_per_count,
            color_from_depth=color_from_depth,
            facts={**FACTS, "name": "simulated"},  # so a recorder knows that nobody sits there
        )
        return self._software.device


class _Bus:
    """Gives the device, as the USB bus gives one of metal."""

    name, is_paced = "RealSense made of software", True

    def __init__(self, served: ServedRealSense) -> None:
        self._served = served

    def connect(self, sdk: Any) -> Any:
        return self._served.plug_in(sdk)


class _Player:
    """Sends the frames of one stream, each when it is due, on a thread of its own."""

    def __init__(
        self, device: SoftwareDevice, source: SourceName, frames: ServedFrames, sent: list[int]
    ) -> None:
        self._device, self._source, self._frames, self._sent = device, source, frames, sent
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, begin_ns: int) -> None:
        """Begins with the next frame that is due, counted from `begin_ns`."""
        name = f"serve {self._source}"
        self._thread = threading.Thread(target=self._play, args=(begin_ns,), name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Sends nothing more."""
        self._is_over.set()
        if self._thread is not None:
            self._thread.join()

    def _play(self, begin_ns: int) -> None:
        elapsed_ns = time.monotonic_ns() - begin_ns
        first = int(np.searchsorted(self._frames.due_ns, elapsed_ns))
        for index in range(first, len(self._frames)):
            due_ns = begin_ns + int(self._frames.due_ns[index])
            wait_seconds = (due_ns - time.monotonic_ns()) / _NS_PER_SECOND
            if self._is_over.wait(max(wait_seconds, 0.0)):
                return
            self._send(index)

    def _send(self, index: int) -> None:
        number = int(self._frames.frame_number[index])
        metadata = self._stamps(index)
        self._sent.append(number)
        self._device.hand_in(
            self._source,
            number,
            self._frames.pixels[index],
            metadata,
            timestamp_ms=metadata["frame_timestamp"] / 1000,
        )

    def _stamps(self, index: int) -> dict[str, int]:
        """What a D400 says of the time of a frame: its own clock in microseconds of 32 bits."""
        middle_us = int(self._frames.device_ns[index]) // _NS_PER_US
        exposure_us = int(self._frames.exposure_ns[index]) // _NS_PER_US
        arrival_ms = time.time_ns() // _NS_PER_MS
        is_color = self._source == "color"
        said = {
            "frame_timestamp": (middle_us + exposure_us // 2) % _PERIOD_US,
            "sensor_timestamp": middle_us % _PERIOD_US,
            "actual_exposure": exposure_us // _EXPOSURE_UNIT_US if is_color else exposure_us,
            "gain_level": 16,
            "time_of_arrival": arrival_ms,
            "backend_timestamp": arrival_ms - _BACKEND_MS,
        }
        return said if is_color else {**said, **_EMITTER}
