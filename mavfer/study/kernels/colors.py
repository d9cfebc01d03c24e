"""Color pictures from RGB to planes of luma and halved chroma, as video encoders take them.

Source: ITU-R BT.601-7, section 2.5, in 8 bits with limited range; the weights are in 1/256.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

__all__ = ["to_yuv420"]

_I32: Final = np.int32
_LUMA: Final = (_I32(66), _I32(129), _I32(25))
_BLUE: Final = (_I32(-38), _I32(-74), _I32(112))
_RED: Final = (_I32(112), _I32(-94), _I32(-18))
_FROM_16: Final = _I32((16 << 8) + 128)
_FROM_128: Final = _I32((128 << 10) + 512)
"""Offsets of luma, and of chroma times four, with the half that rounds."""


@njit(cache=True, nogil=True, error_model="numpy")
def _luma(pixels: Bytes, red: int, luma: Bytes) -> None:
    """A row of luma; `red` is the place of red in a pixel, 0 or 2."""
    first, middle, last = _LUMA if red == 0 else _LUMA[::-1]
    for x in range(len(luma)):
        a, b, c = _I32(pixels[3 * x]), _I32(pixels[3 * x + 1]), _I32(pixels[3 * x + 2])
        luma[x] = (first * a + middle * b + last * c + _FROM_16) >> _I32(8)


@njit(cache=True, nogil=True, error_model="numpy")
def _chroma(upper: Bytes, lower: Bytes, red: int, blues: Bytes, reds: Bytes) -> None:
    """A row of both chroma planes from two rows of pixels, of the mean of four pixels each."""
    p, q, r = _BLUE if red == 0 else _BLUE[::-1]
    s, t, u = _RED if red == 0 else _RED[::-1]
    for x in range(len(blues)):
        at = 6 * x
        a = _I32(upper[at]) + _I32(upper[at + 3]) + _I32(lower[at]) + _I32(lower[at + 3])
        b = _I32(upper[at + 1]) + _I32(upper[at + 4]) + _I32(lower[at + 1]) + _I32(lower[at + 4])
        c = _I32(upper[at + 2]) + _I32(upper[at + 5]) + _I32(lower[at + 2]) + _I32(lower[at + 5])
        blues[x] = (p * a + q * b + r * c + _FROM_128) >> _I32(10)
        reds[x] = (s * a + t * b + u * c + _FROM_128) >> _I32(10)


@njit(cache=True, nogil=True, error_model="numpy")
def to_yuv420(rows: Bytes, red: int, luma: Bytes, blues: Bytes, reds: Bytes) -> None:
    """Writes the planes of a picture whose height and width are even.

    Args:
        rows: uint8 (H, 3 W), three bytes a pixel, green in the middle.
        red: Place of red in a pixel, 0 or 2.
        luma: uint8 (H, W), overwritten.
        blues: uint8 (H / 2, W / 2), overwritten.
        reds: Likewise.
    """
    for y in range(len(blues)):
        upper, lower = rows[2 * y], rows[2 * y + 1]
        _luma(upper, red, luma[2 * y])
        _luma(lower, red, luma[2 * y + 1])
        _chroma(upper, lower, red, blues[y], reds[y])
