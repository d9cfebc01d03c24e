"""One frame to its compressed bytes and back, each as one compiled loop.

Chunks are those of Blosc 1: a header of 16 bytes, places of blocks, and streams with their lengths,
compressed by LZ4, that hold plane j of byte k of all elements. Frames whose elements do not come in
groups of 64, and chunks made by other compressors, are left to numcodecs: the answer is then 0 or
False, as it is for damaged bytes.
"""
# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from mavfer.study.kernels.bit_planes import fold_bytes, fold_words, unfold_bytes, unfold_words
from mavfer.study.kernels.lz4 import HASH_SIZE, PADDING, compress, decompress, largest
from mavfer.study.kernels.machine_words import (
    address_of,
    load1,
    load2,
    run_bytes,
    run_words,
    store1,
    store2,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

__all__ = ["Scratch", "pack", "restore"]

_ROWS: Final = 0
_TIME: Final = 1
_PLANE: Final = 3
_GREEN: Final = 4

_HEADER_BYTES: Final = 16
_PLACE_BYTES: Final = 4
_FORMAT: Final = (2, 1)
"""Versions of Blosc's format and of LZ4's in it."""
_BIT_SHUFFLED: Final = 0x04
_NOT_SPLIT: Final = 0x10
_LZ4: Final = 1 << 5
_LEAST_SPLIT_ELEMENTS: Final = 128
_WIDTHS: Final = (1, 2, 3)
"""Bytes of an element: 1 samples of color, 2 of depth or thermal, 3 for pixels less their green."""
_GROUP: Final = 64
"""Elements that are turned at a time: eight bytes of each plane."""


class Scratch:
    """Arrays that `pack` and `restore` work in, for frames of one size; one thread's own."""

    def __init__(self, frame_bytes: int) -> None:
        self.planes = np.zeros(frame_bytes + PADDING, np.uint8)
        self.samples = np.zeros(frame_bytes + PADDING, np.uint8)
        self.chunk = np.zeros(_HEADER_BYTES + 2 * _PLACE_BYTES + largest(frame_bytes), np.uint8)
        self.tables = np.zeros(HASH_SIZE + frame_bytes, np.int32)


@njit(cache=True, nogil=True)
def _int32(chunk: Bytes, at: int) -> int:
    return int(
        np.int64(chunk[at])
        | np.int64(chunk[at + 1]) << 8
        | np.int64(chunk[at + 2]) << 16
        | np.int64(np.int8(chunk[at + 3])) << 24
    )


@njit(cache=True, nogil=True)
def _put_int32(chunk: Bytes, at: int, value: int) -> None:
    for byte in range(4):
        chunk[at + byte] = (value >> 8 * byte) & 255


@njit(cache=True, nogil=True)
def _unpack_block(chunk: Bytes, at: int, streams: int, planes: Bytes, count: int) -> bool:
    """The bit planes of one block of Blosc, which may stand in several streams."""
    each, size = count // streams, len(chunk)
    source, target = address_of(chunk), address_of(planes)
    for stream in range(streams):
        if at < 0 or at + 4 > size:
            return False
        packed, to = _int32(chunk, at), stream * each
        at += 4
        if packed < 0 or at + packed > size:
            return False
        if packed == each:
            planes[to : to + each] = chunk[at : at + each]
        elif not decompress(
            source + at, source + at + packed, source + size, target + to, target + to + each
        ):
            return False
        at += packed
    return True


@njit(cache=True, nogil=True)
def _is_known(chunk: Bytes, size: int) -> bool:
    """Whether a chunk has the layout that `_unpack` follows, and holds `size` bytes."""
    if len(chunk) < _HEADER_BYTES + _PLACE_BYTES or _int32(chunk, 4) != size:
        return False
    flags, width, block_bytes = np.int64(chunk[2]), np.int64(chunk[3]), _int32(chunk, 8)
    if flags & ~_NOT_SPLIT != _BIT_SHUFFLED | _LZ4 or width not in _WIDTHS:
        return False
    unit = _GROUP * width
    if block_bytes < unit or block_bytes % unit or size % unit:
        return False
    return bool(_HEADER_BYTES + _PLACE_BYTES * (-(-size // block_bytes)) <= len(chunk))


@njit(cache=True, nogil=True)
def _unpack(chunk: Bytes, planes: Bytes, samples: Bytes, size: int) -> bool:
    """Unfolded samples of a frame, byte k of all elements together."""
    if not _is_known(chunk, size):
        return False
    flags, width, block_bytes = np.int64(chunk[2]), np.int64(chunk[3]), _int32(chunk, 8)
    elements = size // width
    for block in range(-(-size // block_bytes)):
        at, first = _int32(chunk, _HEADER_BYTES + _PLACE_BYTES * block), block * block_bytes
        count = min(block_bytes, size - first)
        is_whole = count == block_bytes and block_bytes // width >= _LEAST_SPLIT_ELEMENTS
        streams = width if is_whole and not flags & _NOT_SPLIT else 1
        if not _unpack_block(chunk, at, streams, planes, count):
            return False
        stride, to = count // width // 8, first // width
        if width == 2:  # noqa: PLR2004 (words)
            unfold_words(planes, stride, samples[to:], samples[elements + to :])
        else:
            for byte in range(width):
                unfold_bytes(planes[8 * byte * stride :], stride, samples[byte * elements + to :])
    return True


@njit(cache=True, nogil=True)
def _weave(samples: Bytes, out: Bytes, elements: int) -> None:
    """Red, green and blue from the planes of red - green, green and blue - green."""
    red, green, blue = samples[:elements], samples[elements:], samples[2 * elements :]
    for at in range(elements):
        g = green[at]
        out[3 * at] = red[at] + g
        out[3 * at + 1] = g
        out[3 * at + 2] = blue[at] + g


@njit(cache=True, nogil=True)
def _pair(samples: Bytes, out: NDArray[np.uint16], elements: int) -> None:
    """16-bit samples from the planes of their low and high bytes."""
    low, high = samples[:elements], samples[elements:]
    for at in range(elements):
        out[at] = np.uint16(low[at]) | np.uint16(high[at]) << 8


@njit(cache=True, nogil=True)
def _gather(samples: Bytes, out: Any, is_green: bool) -> None:
    """Samples in the order of a frame."""
    if out.itemsize == 2:  # noqa: PLR2004 (words)
        _pair(samples, out, out.size)
    elif is_green:
        _weave(samples, out, out.size // 3)
    else:
        out[:] = samples[: out.size]


@njit(cache=True, nogil=True)
def _add(row: Any, more: Any) -> None:
    for at in range(len(row)):
        row[at] += more[at]


@njit(cache=True, nogil=True)
def _sum_bytes_along(begin: int, width: int) -> None:
    """Running sums of a row of bytes, from left to right."""
    total, at, end = 0, begin, begin + width
    while at + 16 <= end:
        total = run_bytes(at, total)
        at += 16
    while at < end:
        total += load1(at)
        store1(at, total)
        at += 1


@njit(cache=True, nogil=True)
def _sum_words_along(begin: int, width: int) -> None:
    """The same for 16-bit samples."""
    total, at, end = 0, begin, begin + 2 * width
    while at + 16 <= end:
        total = run_words(at, total)
        at += 16
    while at < end:
        total += load2(at)
        store2(at, total)
        at += 2


@njit(cache=True, nogil=True)
def _sum_rows(frame: Any, height: int) -> None:
    """Adds up rows from the top."""
    width = len(frame) // height
    for row in range(1, height):
        _add(frame[row * width : (row + 1) * width], frame[(row - 1) * width : row * width])


@njit(cache=True, nogil=True)
def _sum_each_row(frame: Any, height: int) -> None:
    """Adds up each row from the left."""
    begin, width = address_of(frame), len(frame) // height
    for row in range(height):
        if frame.itemsize == 2:  # noqa: PLR2004 (words)
            _sum_words_along(begin + 2 * row * width, width)
        else:
            _sum_bytes_along(begin + row * width, width)


@njit(cache=True, nogil=True)
def restore(
    chunk: Bytes,
    out: Any,
    previous: Any,
    has_previous: bool,
    predictor: int,
    shape: tuple[int, int],
    scratch: tuple[Bytes, Bytes],
) -> bool:
    """Writes the pixels of one frame into `out`; False where the bytes are none of this layout.

    Args:
        chunk: uint8, the frame's bytes.
        out: uint8 or uint16, flat.
        previous: The same of the frame before; any such array where there is none.
        has_previous: Whether there is one.
        predictor: Code of the group.
        shape: Rows and channels.
        scratch: `planes` and `samples` of a `Scratch`.
    """
    (height, channels), (planes, samples) = shape, scratch
    kind, is_green = predictor & (_GREEN - 1), bool(predictor & _GREEN)
    if kind == _PLANE and channels > 1 and not is_green:
        return False
    if not _unpack(chunk, planes, samples, out.size * out.itemsize):
        return False
    if kind == _PLANE and is_green:
        _sum_each_row(samples[: out.size], channels * height)
    _gather(samples, out, is_green)
    if kind == _PLANE and not is_green:
        _sum_each_row(out, height)
    if kind == _TIME and has_previous:
        _add(out, previous)
    else:
        _sum_rows(out, height)
    return True


@njit(cache=True, nogil=True)
def _subtract(frame: Any, less: Any, rest: Any) -> None:
    for at in range(len(frame)):
        rest[at] = frame[at] - less[at]


@njit(cache=True, nogil=True)
def _subtract_along(row: Any, channels: int) -> None:
    """Differences from left to right, each channel by itself."""
    for at in range(len(row) - 1, channels - 1, -1):
        row[at] -= row[at - channels]


@njit(cache=True, nogil=True)
def _residual(
    frame: Any, previous: Any, has_previous: bool, kind: int, shape: tuple[int, int], rest: Any
) -> None:
    """What the prediction leaves of a frame."""
    if kind == _TIME and has_previous:
        _subtract(frame, previous, rest)
        return
    height, channels = shape
    width = len(frame) // height
    rest[:width] = frame[:width]
    _subtract(frame[width:], frame[: len(frame) - width], rest[width:])
    if kind == _PLANE:
        for row in range(height):
            _subtract_along(rest[row * width : (row + 1) * width], channels)


@njit(cache=True, nogil=True)
def _unweave(rest: Any, samples: Bytes, elements: int) -> None:
    red, green, blue = samples[:elements], samples[elements:], samples[2 * elements :]
    for at in range(elements):
        g = rest[3 * at + 1]
        red[at] = rest[3 * at] - g
        green[at] = g
        blue[at] = rest[3 * at + 2] - g


@njit(cache=True, nogil=True)
def _unpair(rest: Any, samples: Bytes, elements: int) -> None:
    low, high = samples[:elements], samples[elements:]
    for at in range(elements):
        low[at] = rest[at] & 255
        high[at] = rest[at] >> 8


@njit(cache=True, nogil=True)
def pack(
    frame: Any,
    previous: Any,
    has_previous: bool,
    predictor: int,
    shape: tuple[int, int],
    rest: Any,
    scratch: tuple[Bytes, Bytes, Bytes, NDArray[np.int32]],
) -> int:
    """Length of the chunk written to `scratch`; 0 where the frame's size is none of this layout.

    Args:
        frame: uint8 or uint16, flat.
        previous: The same of the frame before; any such array where there is none.
        has_previous: Whether there is one.
        predictor: Code of the group.
        shape: Rows and channels.
        rest: Like `frame`, overwritten.
        scratch: `planes`, `samples`, `chunk` and `tables` of a `Scratch`.
    """
    planes, samples, chunk, tables = scratch
    size = frame.size * frame.itemsize
    width = 3 if predictor & _GREEN else frame.itemsize
    if size % (_GROUP * width):
        return 0
    _residual(frame, previous, has_previous, predictor & (_GREEN - 1), shape, rest)
    elements, stride = size // width, size // width // 8
    if width == 2:  # noqa: PLR2004 (words)
        _unpair(rest, samples, elements)
        fold_words(samples, samples[elements:], stride, planes)
    else:
        if width == 1:
            samples[:size] = rest[:]
        else:
            _unweave(rest, samples, elements)
        for byte in range(width):
            fold_bytes(samples[byte * elements :], stride, planes[8 * byte * stride :])
    begin = _HEADER_BYTES + 2 * _PLACE_BYTES
    to = address_of(chunk)
    packed = compress(address_of(planes), size, to + begin, tables) - to - begin
    if packed >= size:
        packed = size
        chunk[begin : begin + size] = planes[:size]
    chunk[0], chunk[1] = _FORMAT
    chunk[2], chunk[3] = _BIT_SHUFFLED | _NOT_SPLIT | _LZ4, width
    for at, value in ((4, size), (8, size), (12, begin + packed), (16, begin - 4), (20, packed)):
        _put_int32(chunk, at, value)
    return int(begin + packed)
