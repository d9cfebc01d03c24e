"""Which RealSense devices are connected, and what they offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recording.realsense.profiles import SOURCE_NAMES, offers_of
from recording.realsense.sdk import camera_fact, load_sdk, told_as_device_error

if TYPE_CHECKING:
    from recording.realsense.profiles import Offer, SourceName

__all__ = ["DeviceDescription", "connected_devices", "describe_device"]


@dataclass(frozen=True)
class DeviceDescription:
    """What a device says of itself before it is opened; a fact it does not say is empty."""

    name: str
    serial: str
    firmware: str
    usb: str
    """Type of the port that it hangs on: "3.2", or "2.1", which is too slow for most sizes."""
    streams: dict[SourceName, tuple[tuple[int, int, tuple[float, ...]], ...]]
    """Width, height and rates (frames a second) of each stream, the largest first."""


def connected_devices() -> list[DeviceDescription]:
    """Every RealSense on the USB bus.

    Raises:
        MissingExtra: The SDK or libusb is not installed.
        DeviceError: The USB bus cannot be read.
    """
    sdk = load_sdk()
    with told_as_device_error("RealSense: the USB bus cannot be read"):
        return [describe_device(sdk, device) for device in sdk.context().query_devices()]


def describe_device(sdk: Any, device: Any) -> DeviceDescription:
    """What one device of the SDK says of itself."""
    offers = offers_of(sdk, device)
    return DeviceDescription(
        name=camera_fact(sdk, device, "name"),
        serial=camera_fact(sdk, device, "serial_number"),
        firmware=camera_fact(sdk, device, "firmware_version"),
        usb=camera_fact(sdk, device, "usb_type_descriptor"),
        streams={
            source: _sizes([offer for offer in offers if offer.source == source])
            for source in SOURCE_NAMES
            if any(offer.source == source for offer in offers)
        },
    )


def _sizes(offers: list[Offer]) -> tuple[tuple[int, int, tuple[float, ...]], ...]:
    rates: dict[tuple[int, int], set[float]] = {}
    for offer in offers:
        rates.setdefault((offer.width, offer.height), set()).add(offer.rate_hz)
    largest_first = sorted(rates, key=lambda size: (-size[0] * size[1], size))
    return tuple((*size, tuple(sorted(rates[size]))) for size in largest_first)
