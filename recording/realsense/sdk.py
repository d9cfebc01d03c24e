"""The RealSense SDK: imported when it is needed, its errors told in our words."""

from __future__ import annotations

from contextlib import contextmanager
from importlib import metadata
from typing import TYPE_CHECKING, Any

from mavfer.errors import DeviceError, MissingExtra, require

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["camera_fact", "load_sdk", "sdk_version", "told_as_device_error"]

_BUSY = ("busy", "failed to set power state", "access denied", "resource temporarily")
"""What the SDK says, in lower case, where another program holds the device; recalled, not checked
against the maker's document."""


def load_sdk() -> Any:
    """The module pyrealsense2.

    Raises:
        MissingExtra: It is not installed, or libusb is not.
    """
    try:
        return require("pyrealsense2", "record")
    except MissingExtra as error:
        if "libusb" not in str(error):
            raise
        message = (
            f"pyrealsense2 needs the system library libusb-1.0 ({error.__cause__}). "
            f"Run: apt-get install libusb-1.0-0"
        )
        raise MissingExtra(message) from error


def sdk_version() -> str:
    """Version of the installed SDK; the module itself does not say it in every version."""
    return metadata.version("pyrealsense2")


@contextmanager
def told_as_device_error(what: str) -> Iterator[None]:
    """Turns the SDK's RuntimeError into a DeviceError that begins with `what`."""
    try:
        yield
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        if any(word in reason.lower() for word in _BUSY):
            message = f"{what}: another program holds the device ({reason}). End it, then retry"
        else:
            message = f"{what}: {reason}. Check the cable and the USB port, then retry"
        raise DeviceError(message) from error


def camera_fact(sdk: Any, device: Any, name: str) -> str:
    """What a device or sensor says under one name of `camera_info`; empty where it says nothing."""
    key = sdk.camera_info.__members__.get(name)
    return str(device.get_info(key)) if key is not None and device.supports(key) else ""
