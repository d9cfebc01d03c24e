"""Where a device comes from: the USB bus, or a file that the SDK recorded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from mavfer.errors import DeviceError
from recording.realsense.sdk import camera_fact, told_as_device_error

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DeviceSource", "LiveDevice", "Pace", "RecordedFile", "choose_device"]

Pace = Literal["real", "fast"]

_FIRST_BYTES: Final = {".bag": b"#ROSBAG V2.0", ".db3": b"SQLite format 3\0"}
"""How the files begin; SDK 2.56 and 2.57 write a .bag under whatever name they are given."""


class DeviceSource(Protocol):
    """Something that gives a device of the SDK."""

    @property
    def name(self) -> str:
        """What error messages call the device."""
        ...

    @property
    def is_paced(self) -> bool:
        """True when frames come in real time."""
        ...

    def connect(self, sdk: Any) -> Any:
        """The SDK's device.

        Raises:
            DeviceError: There is no such device, or it cannot be opened.
        """
        ...


@dataclass(frozen=True)
class LiveDevice:
    """A device on the USB bus."""

    serial: str | None = None
    """Serial number; None takes the only device that is connected."""

    @property
    def name(self) -> str:
        """What error messages call the device."""
        return f"RealSense {self.serial}" if self.serial else "RealSense"

    @property
    def is_paced(self) -> bool:
        """True: a camera waits for nobody."""
        return True

    def connect(self, sdk: Any) -> Any:
        """The device with this serial number."""
        with told_as_device_error(self.name):
            devices = list(sdk.context().query_devices())
        return choose_device(sdk, devices, self.serial)


@dataclass(frozen=True)
class RecordedFile:
    """A file that the SDK's recorder wrote: .db3, or .bag by versions before 2.58."""

    path: Path
    pace: Pace = "real"
    """"real" delivers frames no sooner than they came, "fast" as soon as they are read. No frame is
    lost however slow the reader is; a camera that is open and not read holds up the others."""

    @property
    def name(self) -> str:
        """What error messages call the device."""
        return str(self.path)

    @property
    def is_paced(self) -> bool:
        """True when frames come in real time."""
        return self.pace == "real"

    def connect(self, sdk: Any) -> Any:
        """The device as it was when it was recorded."""
        _require_recording(Path(self.path))
        try:
            device = sdk.context().load_device(str(self.path))
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            message = f"{self.path}: torn or cut off ({reason}). Record it again, or take a copy"
            raise DeviceError(message) from error
        # In real time the SDK lets frames fall when it is late; we wait for the time ourselves.
        device.as_playback().set_real_time(False)
        return device


def choose_device(sdk: Any, devices: Sequence[Any], serial: str | None) -> Any:
    """The device with a serial number, or the only one.

    Raises:
        DeviceError: There is none, or no serial number says which of several.
    """
    by_serial = {camera_fact(sdk, device, "serial_number"): device for device in devices}
    connected = ", ".join(sorted(by_serial))
    if not devices:
        message = "no RealSense is connected. Plug it in, best into a USB 3 port, then retry"
        raise DeviceError(message)
    if serial is None and len(devices) > 1:
        message = f"several RealSense devices are connected: {connected}. Give a serial number"
        raise DeviceError(message)
    if serial is None:
        return devices[0]
    if serial not in by_serial:
        message = f"RealSense {serial} is not connected; connected: {connected}. Plug it in"
        raise DeviceError(message)
    return by_serial[serial]


def _require_recording(path: Path) -> None:
    """Raises unless the file's name and its first bytes say that the SDK recorded it."""
    wanted = _FIRST_BYTES.get(path.suffix.lower())
    if wanted is None:
        message = f"{path}: not a recording of the RealSense SDK. Give a file .db3 or .bag"
        raise DeviceError(message)
    if not path.is_file():
        message = f"{path}: no such file. Check the path"
        raise DeviceError(message)
    with path.open("rb") as file:
        found = file.read(max(map(len, _FIRST_BYTES.values())))
    if found.startswith(wanted):
        return
    for suffix, first_bytes in _FIRST_BYTES.items():
        if found.startswith(first_bytes):
            message = f"{path}: holds a {suffix} recording. Rename it to {path.stem}{suffix}"
            raise DeviceError(message)
    message = f"{path}: torn, or not a {path.suffix} recording. Record it again, or take a copy"
    raise DeviceError(message)
