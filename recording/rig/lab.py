"""The cameras that a rig's file names, as one rig."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mavfer.files import read_json
from mavfer.schema import require_valid
from mavfer.streams import STREAM_NAMES
from recording.realsense.rig import RealSenseRig
from recording.rig.description import device_key
from recording.thermal_gige import GigeThermalCamera
from recording.thermal_uvc import ThermalUvc
from recording.webcam import Webcam

if TYPE_CHECKING:
    from collections.abc import Callable

    from mavfer.streams import StreamName
    from recording.camera import Camera
    from recording.rig.description import RigDescription, Storage
    from recording.simulated import SimulatedRig
    from recording.simulated.truth import Truth

__all__ = ["LabRig"]

_US_PER_SECOND: Final = 1e6


class LabRig:
    """Cameras by a rig's file; opens nothing yet.

    Args:
        description: What the file says.
        seconds: Length of the take, for simulated cameras, which end by themselves.
        subject_code: Who sits before simulated cameras.
        take: Which take of this subject simulated cameras show.
        created_utc: Date in the calibration of simulated cameras.

    Raises:
        InvalidFile: The calibration that it names is torn or against its schema.
        CommandError: An option of a camera cannot be.
    """

    def __init__(
        self,
        description: RigDescription,
        *,
        seconds: float,
        subject_code: str | None = None,
        take: int = 1,
        created_utc: str = "1970-01-01T00:00:00Z",
    ) -> None:
        self._description = description
        self._measured = _read_calibration(description)
        self._simulated = _simulated(
            description,
            seconds=seconds,
            subject_code=subject_code,
            take=take,
            created_utc=created_utc,
        )
        self._realsense = _realsense(description)
        self._cameras = {
            stream: self._camera(stream, description.cameras[stream])
            for stream in STREAM_NAMES
            if stream in description.cameras
        }

    @property
    def name(self) -> str:
        """What the file calls the rig."""
        return self._description.name

    @property
    def cameras(self) -> list[Camera]:
        """One camera a stream."""
        return list(self._cameras.values())

    @property
    def is_paced(self) -> bool:
        """True when frames come in real time."""
        return self._description.is_paced

    @property
    def calibration(self) -> dict[str, Any] | None:
        """The measured one, or what the cameras know; that of a RealSense once it is open."""
        if not self._description.has_factory_calibration:
            return self._measured
        if self._simulated is not None:
            return self._simulated.calibration
        return next(iter(self._realsense.values())).calibration

    @property
    def settings(self) -> dict[str, Any]:
        """The file's content and hash, and what simulated cameras show."""
        simulated = self._simulated if self._is_all_simulated else None
        shown = {} if simulated is None else simulated.settings
        file = {"name": self._description.path.name, "sha256": self._description.sha256}
        return {
            **shown,
            "color_codec": self.storage.color_codec,
            "rig_file": {**file, "document": self._description.document},
        }

    @property
    def storage(self) -> Storage:
        """How a take is to be written."""
        return self._description.storage

    @property
    def truth(self) -> Callable[[], Truth] | None:
        """Gives what really happened, where all three streams are simulated."""
        if self._simulated is None or len(self._cameras) < len(self._simulated.cameras):
            return None
        return self._simulated.truth if self._is_all_simulated else None

    @property
    def _is_all_simulated(self) -> bool:
        return self._description.drivers == {"simulated"}

    def _camera(self, stream: StreamName, entry: dict[str, Any]) -> Camera:
        key = device_key(entry)
        if key is not None:
            return _of_stream(self._realsense[key].cameras, stream)
        if entry["driver"] == "simulated" and self._simulated is not None:
            return _of_stream(self._simulated.cameras, stream)
        if entry["driver"] == "gige":
            return _gige(entry)
        is_file = entry["driver"] == "file"
        source = str(self._description.beside(entry["path"])) if is_file else entry["device"]
        return _webcam(source, entry) if stream == "color" else _uvc(source, entry)


def _read_calibration(description: RigDescription) -> dict[str, Any] | None:
    path = description.calibration_path
    if path is None:
        return None
    document: dict[str, Any] = read_json(path)
    require_valid(document, "calibration", path)
    return document


def _simulated(description: RigDescription, **take: Any) -> SimulatedRig | None:
    """The rig that simulated cameras are part of."""
    entries = {s: e for s, e in description.cameras.items() if e["driver"] == "simulated"}
    if not entries:
        return None
    from recording.simulated import SimulatedRig  # draws faces: not needed for real cameras

    shown = {"seed": 0, **description.document.get("simulated", {})}
    return SimulatedRig(
        **shown,
        **take,
        pace="real" if description.is_paced else "fast",
        sizes={s: tuple(e["size"]) for s, e in entries.items() if "size" in e},
        rates_hz={s: e["rate_hz"] for s, e in entries.items() if "rate_hz" in e},
    )


def _realsense(description: RigDescription) -> dict[tuple[str, str], RealSenseRig]:
    """Each RealSense device, or recording of one, by what its streams have in common."""
    entries: dict[tuple[str, str], dict[StreamName, dict[str, Any]]] = {}
    for stream, entry in description.cameras.items():
        key = device_key(entry)
        if key is not None:
            entries.setdefault(key, {})[stream] = entry
    return {key: _device(description, key, streams) for key, streams in entries.items()}


def _device(
    description: RigDescription,
    key: tuple[str, str],
    streams: dict[StreamName, dict[str, Any]],
) -> RealSenseRig:
    kind, name = key
    if kind == "file":
        pace = "real" if description.is_paced else "fast"
        return RealSenseRig(file=description.beside(name), pace=pace, streams=list(streams))  # type: ignore[arg-type]  # a choice of two words
    return RealSenseRig(
        name or None,
        streams=list(streams),
        sizes={s: tuple(e["size"]) for s, e in streams.items() if "size" in e},
        rates_hz={s: e["rate_hz"] for s, e in streams.items() if "rate_hz" in e},
        options={s: e["options"] for s, e in streams.items() if "options" in e},
    )


def _of_stream(cameras: list[Camera], stream: StreamName) -> Camera:
    return next(camera for camera in cameras if camera.info.stream == stream)


def _gige(entry: dict[str, Any]) -> GigeThermalCamera:
    """A camera on the network; its stamps are moved by microseconds, and forwards."""
    same = ("serial", "address", "rate_hz", "pixel_format", "temperature_linear", "features")
    options = {name: entry[name] for name in (*same, "packet_bytes", "stall_seconds")
               if name in entry}  # fmt: skip
    shift_us = -entry.get("delay_seconds", 0.0) * _US_PER_SECOND
    return GigeThermalCamera(**options, **_size(entry), stamp_shift_us=shift_us)


def _webcam(source: int | str, entry: dict[str, Any]) -> Webcam:
    names = ("rate_hz", "fourcc", "delay_seconds")
    options = {name: entry[name] for name in names if name in entry}
    return Webcam(source, **options, **_size(entry))


def _uvc(source: int | str, entry: dict[str, Any]) -> ThermalUvc:
    names = ("rate_hz", "radiometry", "telemetry", "delay_seconds")
    options = {name: entry[name] for name in names if name in entry}
    return ThermalUvc(source, **options, **_size(entry))


def _size(entry: dict[str, Any]) -> dict[str, Any]:
    """Width and height as cameras take them; empty where no size is asked for."""
    return dict(zip(("width", "height"), entry.get("size", ()), strict=False))
