"""rig.toml: which camera gives which stream, and how a take is written."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from mavfer.errors import InvalidFile, NotFound
from mavfer.schema import load_schema, require_valid
from recording.recorder import QUEUE_FRAMES, RESERVE_BYTES

if TYPE_CHECKING:
    from mavfer.streams import StreamName
    from mavfer.study.color_writer import ColorCodec

__all__ = [
    "FACTORY",
    "RigDescription",
    "Storage",
    "device_key",
    "parse_rig",
    "read_rig",
]

FACTORY: Final = "factory"
"""The calibration that cameras know of themselves."""

_VERSION: Final = 1
_SDK_RECORDINGS: Final = (".db3", ".bag")
"""How files of the RealSense SDK end."""


@dataclass(frozen=True)
class Storage:
    """How a take is written."""

    color_codec: ColorCodec = "jpeg95"
    """How color is written; of the two that a machine of two cores keeps up with at 1080p, the one
    that costs half as much and is closer to the picture (docs/record.md)."""
    reserve_bytes: int = RESERVE_BYTES
    """Room on the disk at which a take is ended."""
    queue_frames: int = QUEUE_FRAMES
    """Frames of one stream that may wait for the disk."""


@dataclass(frozen=True)
class RigDescription:
    """A rig's file that was found to make sense."""

    path: Path
    sha256: str
    """Hash of the file, for session.json."""
    document: dict[str, Any]
    """What stands in it."""

    @property
    def name(self) -> str:
        """What sessions call the rig."""
        return str(self.document["name"])

    @property
    def cameras(self) -> dict[StreamName, dict[str, Any]]:
        """What is said of the camera of each stream."""
        return cast("dict[StreamName, dict[str, Any]]", self.document["cameras"])

    @property
    def is_paced(self) -> bool:
        """True when frames come in real time; by default all but files do."""
        return bool(self.document.get("is_paced", "file" not in self.drivers))

    @property
    def storage(self) -> Storage:
        """How a take is written."""
        return Storage(**self.document.get("storage", {}))

    @property
    def calibration_path(self) -> Path | None:
        """The calibration's file, where one is named."""
        named = self.document.get("calibration", FACTORY)
        return None if named == FACTORY else self.beside(named)

    @property
    def has_factory_calibration(self) -> bool:
        """True where the calibration is the one that cameras know of themselves."""
        return self.document.get("calibration") == FACTORY

    @property
    def drivers(self) -> set[str]:
        """What drives the cameras."""
        return {camera["driver"] for camera in self.cameras.values()}

    def beside(self, name: str) -> Path:
        """A file that the rig's file names, relative to it."""
        return self.path.parent / Path(name).expanduser()


def read_rig(path: Path) -> RigDescription:
    """What a rig's file says.

    Raises:
        NotFound: The file is not there.
        WrongVersion: It is of another version of the format.
        InvalidFile: It is not TOML, against its schema, or asks for what cannot be.
    """
    if not path.is_file():
        raise NotFound(f"{path}: no such file. Write a first one: mavfer rig probe --write {path}")
    return parse_rig(path.read_bytes(), path)


def parse_rig(content: bytes, path: Path) -> RigDescription:
    """What a rig's file says whose bytes are given; `path` is where it lies.

    Raises:
        WrongVersion, InvalidFile: As `read_rig`.
    """
    try:
        document = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"{path}: not readable as TOML ({error}). Correct it there"
        raise InvalidFile(message) from error
    cameras = document.get("cameras")
    if document.get("version") == _VERSION and isinstance(cameras, dict):
        for stream, camera in cameras.items():
            _require_known_options(stream, camera, path)
    require_valid(document, "rig", path)
    description = RigDescription(path, hashlib.sha256(content).hexdigest(), document)
    for require in (_require_one_kind_of_pace, _require_recordings, _require_serials):
        require(description)
    _require_calibration(description)
    return description


def _require_known_options(stream: str, camera: Any, path: Path) -> None:
    """Raises where a camera has a driver or an option that its stream does not know.

    The schema says the same, in words that only its author understands.
    """
    streams = load_schema("rig")["properties"]["cameras"]["properties"]
    if stream not in streams or not isinstance(camera, dict) or "driver" not in camera:
        return
    rules = {_driver_of(rule): rule["then"] for rule in streams[stream]["allOf"]}
    driver = camera["driver"]
    if driver not in rules:
        message = f"cameras.{stream}: no driver {driver!r}. Choose one of {', '.join(rules)}"
        raise InvalidFile(f"{path}: {message}")
    allowed = rules[driver]["propertyNames"]["enum"]
    for key in camera:
        if key not in allowed:
            options = ", ".join(name for name in allowed if name != "driver")
            message = (
                f"cameras.{stream}.{key}: the driver {driver} has no such option. "
                f"Leave it out; there are: {options}"
            )
            raise InvalidFile(f"{path}: {message}")
    for key in rules[driver]["required"]:
        if key not in camera:
            message = f"cameras.{stream}: the driver {driver} needs {key}. Add a line {key} = …"
            raise InvalidFile(f"{path}: {message}")


def _driver_of(rule: dict[str, Any]) -> str:
    return str(rule["if"]["properties"]["driver"]["const"])


def _require_one_kind_of_pace(rig: RigDescription) -> None:
    """Raises where files and cameras are mixed, or a pace is asked for that cannot be kept."""
    streams = rig.cameras
    files = [stream for stream in streams if streams[stream]["driver"] == "file"]
    if files and len(files) < len(streams):
        other = next(stream for stream in streams if stream not in files)
        raise InvalidFile(
            f"{rig.path}: cameras.{files[0]} is a file and cameras.{other} is none, so that they "
            f"have no time in common. Give each stream a file, or none"
        )
    if "is_paced" not in rig.document:
        return
    live = sorted(rig.drivers - {"file", "simulated"})
    if live and not rig.is_paced:
        raise InvalidFile(
            f"{rig.path}: is_paced: cameras ({', '.join(live)}) always give frames in real time. "
            f"Leave it out"
        )
    videos = [stream for stream in files if not _is_sdk_recording(streams[stream])]
    if videos and rig.is_paced:
        raise InvalidFile(
            f"{rig.path}: is_paced: the video of cameras.{videos[0]} is read as fast as it can be "
            f"written. Leave it out"
        )


def _require_recordings(rig: RigDescription) -> None:
    """Raises where a file cannot give the stream that it stands for."""
    for stream, camera in rig.cameras.items():
        if camera["driver"] != "file":
            continue
        is_recording = _is_sdk_recording(camera)
        if stream == "depth" and not is_recording:
            wanted = "a recording of the RealSense SDK"
        elif stream == "thermal" and is_recording:
            wanted = "a video of 16-bit gray"
        else:
            continue
        raise InvalidFile(
            f"{rig.path}: cameras.{stream}.path: {camera['path']} cannot give {stream}. "
            f"Name {wanted}"
        )


def _require_serials(rig: RigDescription) -> None:
    """Raises where it is left open whether color and depth come from the same RealSense."""
    named = {
        stream: "serial" in camera
        for stream, camera in rig.cameras.items()
        if camera["driver"] == "realsense"
    }
    if len(set(named.values())) > 1:
        without = next(stream for stream, has_serial in named.items() if not has_serial)
        raise InvalidFile(
            f"{rig.path}: cameras.{without}: names no serial, but the other RealSense stream does. "
            f"Name it for both; one device may serve both"
        )


def _require_calibration(rig: RigDescription) -> None:
    """Raises where cameras are to know a calibration that they do not know, or a file is gone."""
    path = rig.calibration_path
    if path is not None and not path.is_file():
        raise NotFound(f"{rig.path}: calibration: {path} is not there. Correct the path")
    if not rig.has_factory_calibration:
        return
    color, depth = rig.cameras["color"], rig.cameras.get("depth")
    is_one_device = depth is not None and device_key(color) == device_key(depth) is not None
    if not is_one_device and not (rig.drivers == {"simulated"} and len(rig.cameras) > 1):
        raise InvalidFile(
            f"{rig.path}: calibration: only color and depth of one RealSense, or simulated "
            f"cameras, know theirs. Name the file of a measured one, or leave it out"
        )


def device_key(camera: dict[str, Any]) -> tuple[str, str] | None:
    """What the streams of one RealSense have in common; None for other cameras."""
    if camera["driver"] == "realsense":
        return "serial", camera.get("serial", "")
    return ("file", camera["path"]) if _is_sdk_recording(camera) else None


def _is_sdk_recording(camera: dict[str, Any]) -> bool:
    return Path(camera.get("path", "")).suffix.lower() in _SDK_RECORDINGS
