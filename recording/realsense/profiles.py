"""Which of the sizes, rates and pixel formats that a device offers is taken for a stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from mavfer.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["FORMATS", "SOURCE_NAMES", "Offer", "SourceName", "StreamRequest", "choose", "offers_of"]

SourceName = Literal["color", "depth", "infrared"]
"""What a device gives; infrared can be read, but is no stream of a session yet."""

SOURCE_NAMES: Final[tuple[SourceName, ...]] = ("color", "depth", "infrared")

FORMATS: Final[Mapping[SourceName, tuple[str, ...]]] = {
    "color": ("rgb8", "bgr8"),
    "depth": ("z16",),
    "infrared": ("y8",),
}
"""Pixel formats of the SDK that we read, the best first."""


@dataclass(frozen=True)
class StreamRequest:
    """What is asked of one stream; what is not asked for is the device's own default."""

    width: int | None = None
    height: int | None = None
    rate_hz: float | None = None
    options: Mapping[str, float] = field(default_factory=dict)
    """Options of the SDK to set before the start, such as {"laser_power": 150}; live only."""

    def fits(self, offer: Offer) -> bool:
        """True where an offer has all that is asked for."""
        asked = (self.width, self.height, self.rate_hz)
        offered = (offer.width, offer.height, offer.rate_hz)
        return all(a is None or a == o for a, o in zip(asked, offered, strict=True))

    def __str__(self) -> str:
        size = f"{self.width or 'any'}x{self.height or 'any'}"
        return f"{size} at {self.rate_hz:g} Hz" if self.rate_hz else size


@dataclass(frozen=True)
class Offer:
    """One size, rate and pixel format that a sensor offers."""

    source: SourceName
    sensor_number: int
    sensor: Any = field(repr=False, compare=False)
    """The SDK's sensor."""
    profile: Any = field(repr=False, compare=False)
    """The SDK's profile, as that of a video stream."""
    width: int
    height: int
    rate_hz: float
    pixel_format: str
    index: int
    """Infrared: 1 is the left imager, 2 the right one."""
    is_default: bool

    def __str__(self) -> str:
        return f"{self.width}x{self.height} at {self.rate_hz:g} Hz"


def offers_of(sdk: Any, device: Any) -> list[Offer]:
    """Every video profile of a device that is one of our sources, in the device's order."""
    sources = {getattr(sdk.stream, name): name for name in SOURCE_NAMES}
    return [
        _offer(sources[profile.stream_type()], number, sensor, profile.as_video_stream_profile())
        for number, sensor in enumerate(device.query_sensors())
        for profile in sensor.get_stream_profiles()
        if profile.stream_type() in sources and profile.is_video_stream_profile()
    ]


def choose(offers: Iterable[Offer], source: SourceName, request: StreamRequest, name: str) -> Offer:
    """The offer that fits a request best: the default, then the largest, then the fastest.

    Args:
        offers: What the device offers.
        source: For which stream.
        request: What is asked for.
        name: What error messages call the device.

    Raises:
        DeviceError: Nothing fits; the message lists what would.
    """
    mine = [offer for offer in offers if offer.source == source]
    readable = [offer for offer in mine if offer.pixel_format in FORMATS[source]]
    fitting = [offer for offer in readable if request.fits(offer)]
    if fitting:
        return max(fitting, key=_merit)
    if readable:
        offered = ", ".join(dict.fromkeys(str(offer) for offer in sorted(readable, key=_merit)))
        message = f"{name}: offers no {source} of {request}. Ask for one of {offered}"
    elif mine:
        found = ", ".join(sorted({offer.pixel_format for offer in mine}))
        message = f"{name}: {source} is {found}, not {' or '.join(FORMATS[source])}. Record again"
    else:
        found = ", ".join(sorted({offer.source for offer in offers})) or "nothing that we read"
        message = f"{name}: gives no {source}, only {found}. Leave {source} out"
    raise DeviceError(message)


def _offer(source: SourceName, number: int, sensor: Any, profile: Any) -> Offer:
    return Offer(
        source=source,
        sensor_number=number,
        sensor=sensor,
        profile=profile,
        width=profile.width(),
        height=profile.height(),
        rate_hz=float(profile.fps()),
        pixel_format=profile.format().name,
        index=profile.stream_index(),
        is_default=profile.is_default(),
    )


def _merit(offer: Offer) -> tuple[bool, int, int, float, int]:
    """Larger is better."""
    formats = FORMATS[offer.source]
    return (
        offer.is_default,
        -formats.index(offer.pixel_format),
        offer.width * offer.height,
        offer.rate_hz,
        -offer.index,
    )
