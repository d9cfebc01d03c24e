"""The three streams, and what a pixel of each means: the one table everybody reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

__all__ = ["STREAMS", "STREAM_NAMES", "Stream", "StreamName", "celsius_from_centikelvin"]

StreamName = Literal["color", "depth", "thermal"]

STREAM_NAMES: Final[tuple[StreamName, ...]] = get_args(StreamName)


@dataclass(frozen=True)
class Stream:
    """What a frame of a stream is, once it is in a shard."""

    name: StreamName
    dtype: Literal["uint8", "uint16"]
    """Type of one sample."""
    channels: int
    """Samples a pixel; 1 means that frames have no channel axis."""
    unit: str
    """What the number counts."""
    missing: int | None
    """The value that says "nothing was measured here"; None where there is no such value."""

    def frame_shape(self, height: int, width: int) -> tuple[int, ...]:
        """Shape of one frame: (H, W, channels) for color, else (H, W)."""
        return (height, width, self.channels) if self.channels > 1 else (height, width)

    def frame_bytes(self, height: int, width: int) -> int:
        """Bytes of one frame before compression."""
        return height * width * self.channels * (1 if self.dtype == "uint8" else 2)


STREAMS: Final[dict[StreamName, Stream]] = {
    "color": Stream("color", "uint8", 3, "RGB, gamma-encoded as the camera gave it", None),
    "depth": Stream("depth", "uint16", 1, "millimetres along the color camera's axis", 0),
    "thermal": Stream("thermal", "uint16", 1, "centikelvin", 0),
}

_ZERO_CELSIUS_IN_CENTIKELVIN: Final = 27315


def celsius_from_centikelvin(centikelvin: float) -> float:
    """Temperature in degrees Celsius of a thermal sample.

    >>> celsius_from_centikelvin(30715)
    34.0
    """
    return (centikelvin - _ZERO_CELSIUS_IN_CENTIKELVIN) / 100
