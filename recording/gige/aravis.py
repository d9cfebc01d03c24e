"""Aravis, the library that speaks GigE Vision: loading it, finding cameras, taking control of one.

Aravis is reached through PyGObject. A virtual environment rarely has PyGObject, because pip must
compile it; the one that the system's packages installed for the same version of Python does as well
and is used where there is no other.
"""

from __future__ import annotations

import importlib
import socket
import struct
import sys
import sysconfig
import time
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import DeviceError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

__all__ = [
    "GigeCamera",
    "answers",
    "connect",
    "device_errors",
    "find_gige_cameras",
    "hear_no_more",
    "load_aravis",
    "release",
]

_TYPELIB_VERSION: Final = "0.8"
_WAY_OUT: Final = (
    "Install the system packages gir1.2-aravis-0.8 and python3-gi "
    "(apt-get install gir1.2-aravis-0.8 python3-gi), or for another Python than the system's "
    "gir1.2-aravis-0.8 and then: pip install 'mavfer[gige]'"
)
_SYSTEM_FOLDERS: Final = (
    "/usr/lib/python3/dist-packages",
    f"/usr/lib64/python{sys.version_info.major}.{sys.version_info.minor}/site-packages",
    f"/usr/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages",
)
"""Where Debian and Ubuntu, Fedora, and Arch keep PyGObject."""

_CONTROL_PORT: Final = 3956
_WHO_ARE_YOU: Final = struct.pack(">BBHHH", 0x42, 0x01, 0x0002, 0, 1)
"""GigE Vision's discovery command: key, "please answer", command, no content, number."""

_ASKED_TIMES, _ANSWER_SECONDS = 3, 0.2

_TELLING_SECONDS, _LOOK_SECONDS = 1.0, 0.01


@dataclass(frozen=True)
class GigeCamera:
    """A camera that answered on the network."""

    vendor: str
    model: str
    serial: str
    address: str
    """IPv4, as "192.168.1.20"."""

    def __str__(self) -> str:
        return f"{self.vendor} {self.model}, serial {self.serial}, at {self.address}"


@cache
def load_aravis() -> Any:
    """The namespace `gi.repository.Aravis`, set to look at GigE Vision only and to check values.

    Raises:
        MissingExtra: PyGObject, the library Aravis or its typelib is not installed.
    """
    gi = _load_gi()
    try:
        gi.require_version("Aravis", _TYPELIB_VERSION)
        with warnings.catch_warnings():
            # PyGObject before 3.44 is loaded in a way that Python 3.10 began to warn about.
            warnings.simplefilter("ignore", ImportWarning)
            aravis = importlib.import_module("gi.repository.Aravis")
    except (ValueError, ImportError) as error:
        message = f"Aravis {_TYPELIB_VERSION} is not installed ({error}). {_WAY_OUT}"
        raise MissingExtra(message) from error
    for number in range(aravis.get_n_interfaces()):
        name = aravis.get_interface_id(number)
        if name != "GigEVision":
            aravis.disable_interface(name)
    return aravis


def _load_gi() -> ModuleType:
    """PyGObject of this environment, or else the system's."""
    try:
        return importlib.import_module("gi")
    except ModuleNotFoundError as error:
        folders = [folder for folder in _SYSTEM_FOLDERS if _fits_this_python(Path(folder))]
        spec = PathFinder.find_spec("gi", folders) if folders else None
        if spec is None or spec.loader is None:
            message = f"PyGObject (gi) is not installed for this Python. {_WAY_OUT}"
            raise MissingExtra(message) from error
        module = module_from_spec(spec)
        sys.modules["gi"] = module
        spec.loader.exec_module(module)
        return module


def _fits_this_python(folder: Path) -> bool:
    """Whether the PyGObject in `folder` was compiled for the Python that runs."""
    return (folder / "gi" / f"_gi{sysconfig.get_config_var('EXT_SUFFIX')}").exists()


@contextmanager
def device_errors(camera: str, way_out: str) -> Iterator[None]:
    """Turns Aravis's errors into DeviceError, which names the camera and says what to do."""
    load_aravis()
    glib = importlib.import_module("gi.repository.GLib")
    try:
        yield
    except glib.Error as error:
        message = f"{camera}: {error.message}. {way_out}"
        raise DeviceError(message) from error


def find_gige_cameras() -> list[GigeCamera]:
    """The cameras that answer on the networks of this machine, by address; takes about a second.

    Raises:
        MissingExtra: Aravis is not installed.
    """
    aravis = load_aravis()
    aravis.update_device_list()
    cameras = [
        GigeCamera(
            vendor=aravis.get_device_vendor(number) or "",
            model=aravis.get_device_model(number) or "",
            serial=aravis.get_device_serial_nbr(number) or "",
            address=aravis.get_device_address(number) or "",
        )
        for number in range(aravis.get_n_devices())
    ]
    return sorted(cameras, key=lambda camera: camera.address)


def connect(serial: str | None, address: str | None) -> Any:
    """An `Aravis.GvDevice` that this process controls.

    Args:
        serial: Which camera; None for the one at `address`, or the only one there.
        address: Which camera, where a router stands between and it cannot be discovered.

    Raises:
        MissingExtra: Aravis is not installed.
        DeviceError: There is no such camera, several to choose from, or another program has it.
    """
    aravis = load_aravis()
    place = address if address is not None else _choose(serial).address
    name = f"GigE camera at {place}"
    with device_errors(name, "Check cable, power and address, and see: mavfer rig probe"):
        device = aravis.open_device(place)
    if device is None:
        raise DeviceError(f"{name}: does not answer. See who does: mavfer rig probe")
    if not device.is_controller():
        message = (
            f"{name}: is controlled by another program. End that program (a viewer, a second "
            f"recorder); a camera whose program has died is free again after some seconds"
        )
        raise DeviceError(message)
    device.set_range_check_policy(aravis.RangeCheckPolicy.ENABLE)
    device.set_access_check_policy(aravis.AccessCheckPolicy.ENABLE)
    return device


def _choose(serial: str | None) -> GigeCamera:
    """The camera of this serial number, or the only one there."""
    found = find_gige_cameras()
    fitting = [camera for camera in found if serial in (None, camera.serial)]
    if len(fitting) == 1:
        return fitting[0]
    names = "; ".join(str(camera) for camera in found)
    if not found:
        message = (
            "no GigE Vision camera answers on any network of this machine. Check cable and power, "
            "give the network port an address of the camera's range, let UDP through the firewall"
        )
    elif fitting:
        message = f"several GigE Vision cameras are there: {names}. Name one by serial or address"
    else:
        message = f"no GigE Vision camera has the serial {serial}. There are: {names}"
    raise DeviceError(message)


def release(device: Any) -> None:
    """Gives up control of a camera that answers, whoever may still hold on to `device`."""
    with suppress(DeviceError), device_errors("camera", ""):
        device.leave_control()


def hear_no_more(device: Any, handler: int, *, is_lost: bool) -> None:
    """Ends a handler of the signal "control-lost", so that `device` may be let go.

    Aravis's thread refers to the device while it tells of the loss. Were that the last reference,
    the thread would wait for its own end, and GLib would end the whole process [measured]. Without
    a handler the thread does not refer to it; where it was telling already, it says only afterwards
    that it no longer controls the camera.
    """
    device.disconnect(handler)
    until = time.monotonic() + _TELLING_SECONDS
    while is_lost and device.is_controller() and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)


def answers(address: str) -> bool:
    """Whether a camera answers when it is asked who it is, as it must whoever controls it.

    Asks by itself, because Aravis would wait its turn behind its own questions, for seconds each.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        control.settimeout(_ANSWER_SECONDS)
        control.connect((address, _CONTROL_PORT))
        for _ in range(_ASKED_TIMES):
            try:
                control.send(_WHO_ARE_YOU)
                control.recv(1024)
            except OSError:  # no answer in time, or nobody listens there
                continue
            return True
    return False
