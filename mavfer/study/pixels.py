"""Frames to compressed residuals and back, without loss: the arithmetic of a shard's pixels.

A frame is stored as what a simple prediction leaves over. Residual d = x - prediction modulo 2^n,
read as signed, folded to z = (d << 1) ^ (d >> (n - 1)) so that small values of both signs have
leading zero bits, which bitshuffle gathers and LZ4 or zstd removes. Predictors, chosen per group:

    rows   the row above (first row: 0); every frame stands alone
    time   the frame before; the first frame of the group is stored by rows
    none   nothing is predicted (profile raw)

The idea of residuals before a general compressor is old (PNG's filters, TIFF's predictor); the
choice per group and the fold's place are ours. Arrays in, bytes out: no file is opened here.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numcodecs import blosc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8] | NDArray[np.uint16]

__all__ = [
    "BLOSC_FILTER",
    "FORMULA",
    "MASK_CODEC",
    "NONE",
    "PREDICTORS",
    "PROFILES",
    "ROWS",
    "TIME",
    "Codec",
    "Profile",
    "compress",
    "encode_group",
    "restore_frame",
    "scratch_frames",
]

Profile = Literal["fast", "small", "raw"]

PREDICTORS: Final = ("rows", "time", "none")
"""Names by code."""

ROWS: Final = 0
TIME: Final = 1
NONE: Final = 2

BLOSC_FILTER: Final = 32001
"""Number under which The HDF Group registered the filter Blosc (version 1)."""

Codec = tuple[bytes, int]
"""Compressor and level."""

MASK_CODEC: Final[Codec] = (b"lz4", 5)
"""For masks: a few bits that compress to nearly nothing whatever is tried."""

PROFILES: Final[dict[Profile, Codec | None]] = {
    "fast": (b"lz4hc", 5),
    "small": (b"zstd", 5),
    "raw": None,
}
"""How each profile compresses; None stores pixels as they are."""

_LEAST_GAIN_OF_ROWS: Final = 1.05

# Blosc's own choice suits color; small blocks leave 2 % less of depth, 10 % faster.
_AUTOMATIC_BLOCK: Final = 0
_BLOCK_OF_16_BIT: Final = 1 << 15

FORMULA: Final = (
    "s = (z >> 1) ^ -(z & 1); predictor 0 (rows): x = cumsum(s, rows); "
    "predictor 1 (time): first frame of the group as rows, then x = cumsum(s, frames); "
    "predictor 2 (none): x = z; all sums modulo 2^n"
)

_local = threading.local()


def encode_group(frames: Pixels, profile: Profile) -> tuple[int, list[bytes]]:
    """The predictor's code and the bytes of each frame of one group.

    Both predictors are tried on the group's middle frame; the one that leaves fewer bytes is kept
    (in the profile fast `rows` must leave 5 % less, since it takes longer to undo).

    Args:
        frames: uint8 or uint16 (n, H, W) or (n, H, W, channels), n >= 1.
        profile: How to compress.
    """
    codec = PROFILES[profile]
    if codec is None:
        return NONE, [frame.tobytes() for frame in frames]
    if len(frames) == 1:
        return ROWS, [_by_rows(frames, 0, codec)]
    middle = len(frames) // 2
    trials = {ROWS: _by_rows(frames, middle, codec), TIME: _by_time(frames, middle, codec)}
    gain = _LEAST_GAIN_OF_ROWS if profile == "fast" else 1.0
    predictor = TIME if len(trials[TIME]) < gain * len(trials[ROWS]) else ROWS
    encode = _by_time if predictor == TIME else _by_rows
    chunks = [_by_rows(frames, 0, codec)]
    for number in range(1, len(frames)):
        is_tried = number == middle
        chunks.append(trials[predictor] if is_tried else encode(frames, number, codec))
    return predictor, chunks


def compress(frame: Pixels, codec: Codec) -> bytes:
    """One chunk as HDF5's filter Blosc expects it."""
    name, level = codec
    block = _AUTOMATIC_BLOCK if frame.itemsize == 1 else _BLOCK_OF_16_BIT
    chunk: bytes = blosc.compress(frame, name, level, blosc.BITSHUFFLE, block)
    return chunk


def restore_frame(
    chunk: memoryview, out: Pixels, *, predictor: int, previous: Pixels | None
) -> None:
    """Writes the pixels of one frame into `out`.

    Args:
        chunk: The frame's bytes in the file.
        out: (H, W) or (H, W, channels), contiguous; not the same memory as `previous`.
        predictor: Code of the frame's group.
        previous: Pixels of the frame before, for the predictor time; None where this frame is the
            first of its group.

    Raises:
        ValueError, RuntimeError: The bytes are not a chunk of this size.
    """
    if predictor == NONE:
        out[...] = np.frombuffer(chunk, dtype=out.dtype).reshape(out.shape)
        return
    blosc.decompress(chunk, out)
    scratch = scratch_frames(out.shape, out.dtype)[0]
    _unfold(out, scratch)
    if predictor == ROWS or previous is None:
        _sum_rows(out, scratch)
    else:
        np.add(out, previous, out=out)


def scratch_frames(shape: Sequence[int], dtype: np.dtype[Any]) -> tuple[Pixels, Pixels, Pixels]:
    """Three frames of this thread's own that live until another shape is asked for.

    Fresh memory costs page faults for every frame; the first of the three is used up by
    `restore_frame`, the others are free for its caller.
    """
    frames: dict[str, tuple[Pixels, Pixels, Pixels]] = _local.__dict__.setdefault("frames", {})
    held = frames.get(dtype.str)
    if held is None or held[0].shape != tuple(shape):
        held = (np.empty(shape, dtype), np.empty(shape, dtype), np.empty(shape, dtype))
        frames[dtype.str] = held
    return held


def _by_rows(frames: Pixels, number: int, codec: Codec) -> bytes:
    difference = frames[number].copy()
    difference[1:] -= frames[number, :-1]
    return compress(_fold(difference), codec)


def _by_time(frames: Pixels, number: int, codec: Codec) -> bytes:
    return compress(_fold(frames[number] - frames[number - 1]), codec)


def _fold(difference: Pixels) -> Pixels:
    """Small signed numbers to small unsigned ones: 0, -1, 1, -2, … become 0, 1, 2, 3, …."""
    sign: Pixels = np.right_shift(difference, 8 * difference.itemsize - 1)
    np.negative(sign, out=sign)
    folded: Pixels = difference + difference  # a shift to the left, but vectorised
    folded ^= sign
    return folded


def _unfold(folded: Pixels, scratch: Pixels) -> None:
    """Undoes `_fold` in place."""
    np.bitwise_and(folded, 1, out=scratch)
    np.negative(scratch, out=scratch)
    np.right_shift(folded, 1, out=folded)
    np.bitwise_xor(folded, scratch, out=folded)


def _sum_rows(frame: Pixels, scratch: Pixels) -> None:
    """Running sum down the rows, in place.

    Adds rows 1, 2, 4, … apart instead of one by one: log2(H) long additions that the processor
    vectorises beat H short ones (68 against 316 microseconds for a color frame of 224 x 224).
    """
    source, target = frame, scratch
    distance = 1
    while distance < len(frame):
        np.add(source[distance:], source[:-distance], out=target[distance:])
        target[:distance] = source[:distance]
        source, target = target, source
        distance *= 2
    if source is not frame:
        frame[...] = source
