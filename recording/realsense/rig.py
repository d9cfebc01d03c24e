"""The streams of one RealSense device, recorded together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mavfer.errors import CommandError
from recording.realsense.camera import RealSenseCamera
from recording.realsense.device import RealSenseDevice
from recording.realsense.profiles import StreamRequest
from recording.realsense.sources import LiveDevice, RecordedFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mavfer.streams import StreamName
    from recording.camera import Camera
    from recording.realsense.profiles import SourceName
    from recording.realsense.sources import DeviceSource, Pace

__all__ = ["RealSenseRig"]


class RealSenseRig:
    """Color and depth of one device, live or from a file, with the factory's calibration."""

    def __init__(
        self,
        serial: str | None = None,
        *,
        file: Path | str | None = None,
        pace: Pace = "real",
        streams: Sequence[StreamName] = ("color", "depth"),
        sizes: Mapping[StreamName, tuple[int, int]] | None = None,
        rates_hz: Mapping[StreamName, float] | None = None,
        options: Mapping[StreamName, Mapping[str, float]] | None = None,
    ) -> None:
        """Opens nothing yet.

        Args:
            serial: Serial number of a live device; None takes the only one connected.
            file: A recording of the SDK, .db3 or .bag, instead of a live device.
            pace: For a file: "real" in real time, "fast" as fast as it is written.
            streams: "color", or "color" and "depth".
            sizes: Width and height of streams; the device's default elsewhere.
            rates_hz: Frames a second of streams; the device's default elsewhere.
            options: Options of the SDK to set on a live device, such as
                {"depth": {"laser_power": 150}}.

        Raises:
            CommandError: Options that cannot go together.
        """
        self._source = _source(serial, file, pace)
        if file is not None and options:
            raise CommandError("realsense rig: a file has its options already. Leave them out")
        _require_streams(streams, sizes, rates_hz, options)
        requests: dict[SourceName, StreamRequest] = {}
        for stream in streams:
            width, height = (sizes or {}).get(stream, (None, None))
            rate_hz = (rates_hz or {}).get(stream)
            chosen = dict((options or {}).get(stream, {}))
            requests[_as_source(stream)] = StreamRequest(width, height, rate_hz, chosen)
        self._device = RealSenseDevice(self._source, requests)
        self._cameras = [RealSenseCamera(self._device, source) for source in requests]

    @property
    def name(self) -> str:
        """What `--rig` was given."""
        return "realsense"

    @property
    def cameras(self) -> list[Camera]:
        """One camera a stream."""
        return list(self._cameras)

    @property
    def is_paced(self) -> bool:
        """True when frames come in real time."""
        return self._source.is_paced

    @property
    def calibration(self) -> dict[str, Any] | None:
        """The factory's calibration; None before a camera was open, or without depth."""
        return self._device.calibration

    @property
    def settings(self) -> dict[str, Any]:
        """What was asked for."""
        asked = {
            source: {
                "size": [request.width, request.height],
                "rate_hz": request.rate_hz,
                "options": dict(request.options),
            }
            for source, request in self._device.streams.items()
        }
        if isinstance(self._source, RecordedFile):
            file = {"file": self._source.path.name, "pace": self._source.pace}
            return {**file, "asked": asked}
        return {"asked": asked}


def _source(serial: str | None, file: Path | str | None, pace: Pace) -> DeviceSource:
    if pace not in ("real", "fast"):
        raise CommandError(f"realsense rig: pace {pace!r} is unknown. Choose real or fast")
    if file is not None and serial is not None:
        raise CommandError("realsense rig: give a serial number or a file, not both")
    if file is not None:
        return RecordedFile(Path(file), pace)
    if pace != "real":
        raise CommandError('realsense rig: a live device has its own pace. Leave out "fast"')
    return LiveDevice(serial)


def _require_streams(
    streams: Sequence[StreamName], *asked: Mapping[StreamName, object] | None
) -> None:
    known = ("color", "depth")
    for stream in streams:
        if stream not in known:
            raise CommandError(f"realsense rig: no stream {stream!r}. Choose from color, depth")
    for stream in {stream for wishes in asked for stream in wishes or {}}:
        if stream not in streams:
            raise CommandError(
                f"realsense rig: {stream!r} is not recorded. Name it in `streams`, "
                f"or leave its size, rate and options out"
            )


def _as_source(stream: StreamName) -> SourceName:
    return "color" if stream == "color" else "depth"
