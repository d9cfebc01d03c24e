"""Counts out of the pixel formats of thermal cameras, as the GenICam standard names them.

In Mono10, Mono12, Mono14 and Mono16 each pixel is two bytes, the low one first, its count in the
low bits. In Mono10p, Mono12p and Mono14p pixels follow each other without a gap, lowest bit first,
so that four pixels of 14 bits fill seven bytes.

Source of layout and codes: GenICam Pixel Format Naming Convention (PFNC), recalled, not checked
against the document; Aravis has the same codes, except that of Mono14p, which it does not know.
Mono14 and Mono16 are what FLIR Ax5 and A-series cameras offer (read in public programs that drive
them). No format was checked on a camera: tests build the bytes by this description and send them
over the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["PIXEL_FORMATS", "PixelFormat", "choose_pixel_format", "unpack_counts"]


@dataclass(frozen=True)
class PixelFormat:
    """How counts lie in memory."""

    name: str
    code: int
    """The standard's number for it, which every frame carries."""
    bits: int
    """Bits of one count."""
    is_packed: bool

    def frame_bytes(self, pixels: int) -> int:
        """Bytes of an image of that many pixels."""
        return (pixels * self.bits + 7) // 8 if self.is_packed else 2 * pixels


PIXEL_FORMATS: Final = {
    layout.name: layout
    for layout in (
        PixelFormat("Mono14", 0x01100025, 14, is_packed=False),
        PixelFormat("Mono16", 0x01100007, 16, is_packed=False),
        PixelFormat("Mono14p", 0x010E0104, 14, is_packed=True),
        PixelFormat("Mono12", 0x01100005, 12, is_packed=False),
        PixelFormat("Mono12p", 0x010C0047, 12, is_packed=True),
        PixelFormat("Mono10", 0x01100003, 10, is_packed=False),
        PixelFormat("Mono10p", 0x010A0046, 10, is_packed=True),
    )
}
"""What can be read, the most wanted first: Mono14 is what an Ax5 sends its temperatures in."""


def choose_pixel_format(offered: Sequence[str], wanted: str | None) -> PixelFormat:
    """The format to ask a camera for.

    Args:
        offered: Names of the formats that the camera has.
        wanted: A name, or None for the first of `PIXEL_FORMATS` that is offered.

    Raises:
        DeviceError: The camera does not have it, or it does not hold counts of 10 to 16 bits.
    """
    usable = [layout for layout in PIXEL_FORMATS.values() if layout.name in offered]
    if wanted is not None:
        usable = [layout for layout in usable if layout.name == wanted]
    if usable:
        return usable[0]
    message = (
        f"pixel format {wanted or 'of 10 to 16 bits'} cannot be had: the camera offers "
        f"{', '.join(offered) or 'none'}, read can be {', '.join(PIXEL_FORMATS)}. "
        f"Correct pixel_format"
    )
    raise DeviceError(message)


def unpack_counts(
    data: NDArray[np.uint8], layout: PixelFormat, height: int, width: int
) -> NDArray[np.uint16]:
    """Counts uint16 (H, W) of an image; shares memory with `data` where the format allows.

    Args:
        data: uint8, at least `layout.frame_bytes(height * width)` of them.
        layout: How the counts lie in it.
        height: Rows.
        width: Columns.
    """
    content = data[: layout.frame_bytes(height * width)]
    if not layout.is_packed:
        return content.view("<u2").reshape(height, width)
    return _unpack_bits(content, layout.bits, height * width).reshape(height, width)


def _unpack_bits(data: NDArray[np.uint8], bits: int, pixels: int) -> NDArray[np.uint16]:
    """Counts uint16 (N,) that follow each other without a gap, lowest bit first.

    The pattern repeats every 8 pixels, which fill `bits` bytes: column k of the result starts at
    bit k * bits of its group and lies in at most three bytes.
    """
    groups = -(-pixels // 8)
    padded = np.zeros(groups * bits + 2, np.uint8)
    padded[: len(data)] = data
    counts = np.empty((groups, 8), np.uint16)
    for k in range(8):
        byte, shift = divmod(k * bits, 8)
        value = np.zeros(groups, np.uint32)
        for part in range(3):
            value |= padded[byte + part :: bits][:groups].astype(np.uint32) << (8 * part)
        counts[:, k] = (value >> shift) & ((1 << bits) - 1)
    return counts.reshape(-1)[:pixels]  # (groups * 8,)
