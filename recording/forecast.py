"""Whether a take will fit on the disk, before its first frame and while it goes on."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import DataError, MavferError
from mavfer.streams import STREAMS
from mavfer.study.session import Session
from mavfer.study.streams_file import TIMES, open_streams
from recording.take import describe_stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mavfer.streams import StreamName
    from mavfer.study.color_writer import ColorCodec
    from mavfer.study.study import Study
    from recording.camera import CameraInfo

__all__ = ["Forecast", "RoomLeft", "StreamForecast", "forecast_take", "require_room"]

_RATIOS_16_BIT: Final = {"depth": 2.0, "thermal": 2.0}
"""Raw bytes over stored ones; a little under the least that was measured, on simulated takes with
the noise of stereo and of a microbolometer (2.05 each)."""
_RATIOS_COLOR: Final[dict[ColorCodec, float]] = {
    "h264": 20,
    "jpeg95": 9,
    "camera-jpeg": 9,
    "x264-lossless": 1.5,
}
"""The same for color, at 1080p with the noise of a sensor (22, 9.6 and 1.57 by
`benchmarks/color_codecs.py`); a camera's own JPEGs are taken to be no larger than ours."""
_USUAL: Final = "usual ratio"
_KEPT_FREE: Final = 0.1
"""Share of the free room that no take is promised."""
_SAME: Final = ("model", "serial", "width", "height", "codec")
"""What makes an earlier stream tell something about this one."""
_EARLIER_SESSIONS: Final = 20
_LEAST_FRAMES: Final = 60
"""Fewer frames tell nothing: the file's own tables would weigh too much."""
_LOOK_SECONDS: Final = 1.0
_MEASURED_SECONDS: Final = 10.0
"""From then on a take knows its own pace."""
_GB: Final = 1e9
_MB: Final = 1e6


@dataclass(frozen=True)
class StreamForecast:
    """What one stream will need."""

    bytes_a_second: float
    basis: str
    """The session that it was measured in, or "usual ratio"."""


@dataclass(frozen=True)
class Forecast:
    """What a take will need, and what there is."""

    streams: dict[StreamName, StreamForecast]
    free_bytes: int
    usable_bytes: float
    """Less a tenth, and less what ending a take may need."""

    @property
    def bytes_a_second(self) -> float:
        """All streams together."""
        return sum(stream.bytes_a_second for stream in self.streams.values())

    @property
    def fitting_seconds(self) -> float:
        """Longest take that fits."""
        return max(0.0, self.usable_bytes / self.bytes_a_second)

    def __str__(self) -> str:
        """For messages: what each stream needs and how that is known."""
        return ", ".join(
            f"{name} {stream.bytes_a_second / _MB:.1f} MB/s ({stream.basis})"
            for name, stream in self.streams.items()
        )


def forecast_take(
    study: Study, cameras: Sequence[CameraInfo], codec: ColorCodec, *, reserve_bytes: int
) -> Forecast:
    """What a take with these cameras needs, by the study's last sessions of them where there are.

    Args:
        study: Where it goes.
        cameras: What is known of the cameras.
        codec: How color is written.
        reserve_bytes: Room that ending the take may need.
    """
    streams = {camera.stream: _usual(camera, codec) for camera in cameras}
    wanted = {camera.stream: describe_stream(camera, codec) for camera in cameras}
    rates_hz = {camera.stream: camera.rate_hz for camera in cameras}
    for name in reversed(study.sessions()[-_EARLIER_SESSIONS:]):
        unknown = {key: wanted[key] for key in wanted if streams[key].basis == _USUAL}
        if not unknown:
            break
        for stream, bytes_a_frame in _measured(study.session_folder(name), unknown).items():
            needed = bytes_a_frame * rates_hz[stream]
            streams[stream] = StreamForecast(needed, f"as in {name}")
    free = shutil.disk_usage(study.sessions_folder).free
    return Forecast(streams, free, free * (1 - _KEPT_FREE) - reserve_bytes)


def require_room(forecast: Forecast, seconds: float | None, folder: Path) -> None:
    """Returns where a take of `seconds` fits; one of unknown length always does.

    Raises:
        DataError: It does not.
    """
    if seconds is None or seconds <= forecast.fitting_seconds:
        return
    needed_gb = forecast.bytes_a_second * seconds / _GB
    usable_gb = max(0.0, forecast.usable_bytes) / _GB
    message = (
        f"{folder}: {seconds:.0f} s need about {needed_gb:.2f} GB ({forecast}), and of the "
        f"{forecast.free_bytes / _GB:.2f} GB that are free {usable_gb:.2f} may be used. "
        f"Make room, or record at most {forecast.fitting_seconds:.0f} s"
    )
    raise DataError(message)


class RoomLeft:
    """How long a take may still go on; it learns its own pace from the files that grow."""

    def __init__(self, forecast: Forecast, folder: Path, reserve_bytes: int) -> None:
        """Begins with the forecast.

        Args:
            forecast: What was expected.
            folder: Where the files of the take grow.
            reserve_bytes: Room at which the take is ended.
        """
        self._bytes_a_second = forecast.bytes_a_second
        self._folder, self._reserve_bytes = folder, reserve_bytes
        self._began = self._looked = time.monotonic()
        self._seconds = forecast.fitting_seconds

    def seconds(self) -> float:
        """Seconds until the take will be ended; looks at the disk at most once a second."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            if now - self._began >= _MEASURED_SECONDS:
                self._bytes_a_second = max(1.0, self._written_bytes() / (now - self._began))
            free = shutil.disk_usage(self._folder).free
            self._seconds = max(0.0, (free - self._reserve_bytes) / self._bytes_a_second)
        return self._seconds

    def _written_bytes(self) -> int:
        return sum(path.stat().st_size for path in self._folder.iterdir() if path.is_file())


def _usual(camera: CameraInfo, codec: ColorCodec) -> StreamForecast:
    """By the ratios that were measured once."""
    name = camera.stream
    ratio = _RATIOS_COLOR.get(codec, 1.0) if name == "color" else _RATIOS_16_BIT[name]
    raw = STREAMS[name].frame_bytes(camera.height, camera.width)
    rows = TIMES.itemsize + 8 * len(camera.detail_names)
    return StreamForecast((raw / ratio + rows) * camera.rate_hz, _USUAL)


def _measured(folder: Path, wanted: Mapping[StreamName, dict[str, Any]]) -> dict[StreamName, float]:
    """Bytes a frame that streams like the `wanted` took in the session in `folder`."""
    try:
        session = Session.open(folder)
        counts = (session.document.get("audit") or {}).get("streams", {})
        alike: list[StreamName] = [
            stream
            for stream in wanted
            if stream in session.streams
            and _is_alike(session.document["streams"][stream], wanted[stream])
            and counts.get(stream, {}).get("frames", 0) >= _LEAST_FRAMES
        ]
        return {
            stream: _stored_bytes(session, stream) / counts[stream]["frames"] for stream in alike
        }
    except (MavferError, OSError):  # a session that cannot be read tells nothing
        return {}


def _is_alike(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    return all(before.get(name) == now.get(name) for name in _SAME)


def _stored_bytes(session: Session, stream: StreamName) -> int:
    if stream == "color":
        return session.color_path.stat().st_size
    with open_streams(session.streams_path) as file:
        return file.packed_bytes(stream)
