"""Frames to compressed residuals and back, without loss: the arithmetic of a shard's pixels.

A frame is stored as what a simple prediction leaves over. Residual d = x - prediction modulo 2^n,
read as signed, folded to z = (d << 1) ^ (d >> (n - 1)) so that small values of both signs have
leading zero bits, which bit shuffle gathers and LZ4 or zstd removes. Predictors, chosen per group:

    rows   the row above (first row: 0); every frame stands alone
    time   the frame before; the first frame of the group is stored by rows
    plane  left + above - above left (outside: 0); every frame stands alone
    none   nothing is predicted (profile raw)

`GREEN` is added to the code where the residuals of red and blue are stored less that of green:
their noise is much the same after a camera's own processing. The idea of residuals before a
general compressor is old (PNG's filters, TIFF's predictor), that of differences to green too
(JPEG-LS, lossless JPEG 2000); the choice per group and the fold's place are ours. Arrays in, bytes
out: no file is opened here.

Where numba is installed, `kernels` does the same three times faster; without it, numpy does.
"""

from __future__ import annotations

import threading
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numcodecs import blosc

from mavfer.study.kernels import find_kernels

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8] | NDArray[np.uint16]

__all__ = [
    "BLOSC_FILTER",
    "FORMULA",
    "GREEN",
    "MASK_CODEC",
    "NONE",
    "PLANE",
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

ROWS: Final = 0
TIME: Final = 1
NONE: Final = 2
PLANE: Final = 3
GREEN: Final = 4
"""Added to a code: red and blue are stored less green."""

PREDICTORS: Final = {
    ROWS: "rows",
    TIME: "time",
    NONE: "none",
    PLANE: "plane",
    ROWS | GREEN: "rows less green",
    TIME | GREEN: "time less green",
    PLANE | GREEN: "plane less green",
}
"""Names by code."""

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

_COLORS: Final = 3
_LEAST_GAIN: Final = {ROWS: 1.0, TIME: 1.05, PLANE: 1.02}
"""How much smaller than by rows a trial must come out: the frames before must be decoded too for
time, and running sums along rows take a little longer."""
_TRIAL_CODEC: Final[Codec] = (b"lz4", 1)
_TRIAL_SHARE: Final = 3
"""One row in so many is tried, in one band from the middle, where the face is."""

# Blosc's own choice suits color; small blocks leave 2 % less of depth, 10 % faster.
_AUTOMATIC_BLOCK: Final = 0
_BLOCK_OF_16_BIT: Final = 1 << 15

_PATIENCE: Final = 64
"""Frames read by numpy before the compiled loops are loaded, which takes a second."""
_frames_read = count()

FORMULA: Final = (
    "s = (z >> 1) ^ -(z & 1); predictor & 4: red and blue of s += green of s; "
    "predictor & 3 = 0 (rows): x = cumsum(s, rows); "
    "3 (plane): x = cumsum(cumsum(s, columns), rows); "
    "1 (time): first frame of the group as rows, then x = cumsum(s, frames); "
    "2 (none): x = z; all sums modulo 2^n"
)

_local = threading.local()


def encode_group(
    frames: Pixels, profile: Profile, predictor: int | None = None
) -> tuple[int, list[bytes]]:
    """The predictor's code and the bytes of each frame of one group.

    Args:
        frames: uint8 or uint16 (n, H, W) or (n, H, W, channels), n >= 1.
        profile: How to compress.
        predictor: Code of a group like this one; where it is None, every predictor is tried on a
            band of the group's middle frame, and the one that leaves fewest bytes is taken.
    """
    codec = PROFILES[profile]
    if codec is None:
        return NONE, [frame.tobytes() for frame in frames]
    if predictor is None:
        predictor = _best_predictor(frames)
    before = [None, *frames[:-1]]
    return predictor, [
        encode_frame(frame, previous, predictor, codec)
        for frame, previous in zip(frames, before, strict=True)
    ]


def encode_frame(frame: Pixels, previous: Pixels | None, predictor: int, codec: Codec) -> bytes:
    """The bytes of one frame.

    Args:
        frame: uint8 or uint16 (H, W) or (H, W, channels).
        previous: The frame before in the group, None for the first.
        predictor: Code, not `NONE`.
        codec: Compressor and level.
    """
    if codec == PROFILES["fast"] and (kernels := _compiled()) is not None:
        chunk = _pack(kernels, frame, previous, predictor)
        if chunk:
            return chunk
    residual = _residual(frame, previous, predictor)
    return compress(_fold(residual), codec, element_bytes=_element_bytes(frame, predictor))


def compress(frame: Pixels, codec: Codec, *, element_bytes: int | None = None) -> bytes:
    """One chunk as HDF5's filter Blosc expects it.

    Args:
        frame: Contiguous.
        codec: Compressor and level.
        element_bytes: What bit shuffle takes for one element; a sample where not given.
    """
    name, level = codec
    block = _AUTOMATIC_BLOCK if frame.itemsize == 1 else _BLOCK_OF_16_BIT
    elements = (
        frame if element_bytes in (None, frame.itemsize) else _as_elements(frame, element_bytes)
    )
    chunk: bytes = blosc.compress(elements, name, level, blosc.BITSHUFFLE, block)
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
    if _is_restored_by_compiled_loop(chunk, out, previous, predictor):
        return
    blosc.decompress(chunk, out)
    scratch = scratch_frames(out.shape, out.dtype)[0]
    _unfold(out, scratch)
    if predictor & GREEN:
        out[..., 0] += out[..., 1]
        out[..., 2] += out[..., 1]
    kind = predictor & ~GREEN
    if kind == TIME and previous is not None:
        np.add(out, previous, out=out)
        return
    if kind == PLANE:
        np.cumsum(out, axis=1, dtype=out.dtype, out=scratch)
        out[...] = scratch
    _sum_rows(out, scratch)


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


def _best_predictor(frames: Pixels) -> int:
    """The code whose trial leaves fewest bytes."""
    middle, height = len(frames) // 2, frames.shape[1]
    band = slice(height // _TRIAL_SHARE, -(-2 * height // _TRIAL_SHARE))
    frame = frames[middle, band]
    before = frames[middle - 1, band] if middle else None
    best, fewest = ROWS, float("inf")
    for predictor in _candidates(frames, has_previous=middle > 0):
        residual = _fold(_residual(frame, before, predictor))
        width = _element_bytes(frame, predictor)
        trial = compress(residual, _TRIAL_CODEC, element_bytes=width)
        left = len(trial) * _LEAST_GAIN[predictor & ~GREEN]
        if left < fewest:
            best, fewest = predictor, left
    return best


def _candidates(frames: Pixels, *, has_previous: bool) -> list[int]:
    """Codes that make sense for these frames."""
    has_colors = frames.ndim > _COLORS and frames.shape[-1] == _COLORS and frames.itemsize == 1
    codes = [ROWS, ROWS | GREEN, PLANE | GREEN] if has_colors else [ROWS, PLANE]
    if has_previous:
        codes += [TIME, TIME | GREEN] if has_colors else [TIME]
    return codes


def _residual(frame: Pixels, previous: Pixels | None, predictor: int) -> Pixels:
    """What the prediction leaves of a frame."""
    kind = predictor & ~GREEN
    residual: Pixels
    if kind == TIME and previous is not None:
        residual = frame - previous
    else:
        residual = frame.copy()
        residual[1:] -= frame[:-1]
    if kind == PLANE:
        residual[:, 1:] -= residual[:, :-1].copy()
    if predictor & GREEN:
        residual[..., 0] -= residual[..., 1]
        residual[..., 2] -= residual[..., 1]
    return residual


def _element_bytes(frame: Pixels, predictor: int) -> int:
    """Bytes that bit shuffle takes for one element: less green, the colors' bits lie apart."""
    return _COLORS if predictor & GREEN else frame.itemsize


def _as_elements(frame: Pixels, width: int) -> NDArray[Any]:
    """The same bytes as elements of so many bytes."""
    return frame.reshape(-1).view(np.uint8).view(f"V{width}")


def _compiled() -> ModuleType | None:
    """The compiled loops, where numba is installed."""
    return find_kernels("frames", "shards are read by numpy, three times slower")


def _pack(
    kernels: ModuleType, frame: Pixels, previous: Pixels | None, predictor: int
) -> bytes | None:
    """The bytes of a frame by the compiled loop, None where it does not take such frames."""
    scratch = _scratch(kernels, frame.nbytes)
    flat = np.ascontiguousarray(frame).reshape(-1)
    before = flat if previous is None else np.ascontiguousarray(previous).reshape(-1)
    rest = scratch_frames(frame.shape, frame.dtype)[0].reshape(-1)
    arrays = (scratch.planes, scratch.samples, scratch.chunk, scratch.tables)
    length = kernels.pack(
        flat, before, previous is not None, predictor, _shape_of(frame), rest, arrays
    )
    return scratch.chunk[:length].tobytes() if length else None


def _is_restored_by_compiled_loop(
    chunk: memoryview, out: Pixels, previous: Pixels | None, predictor: int
) -> bool:
    """Whether there is such a loop, it is worth loading by now, and it could restore the frame."""
    if next(_frames_read) < _PATIENCE or (kernels := _compiled()) is None:
        return False
    scratch = _scratch(kernels, out.nbytes)
    source = np.frombuffer(chunk, np.uint8)
    if not source.flags.writeable:  # numba would compile all anew for it
        source = source.copy()
    flat = out.reshape(-1)
    before = flat if previous is None else previous.reshape(-1)
    arrays = (scratch.planes, scratch.samples)
    is_done: bool = kernels.restore(
        source, flat, before, previous is not None, predictor, _shape_of(out), arrays
    )
    return is_done


def _shape_of(frame: Pixels) -> tuple[int, int]:
    """Rows and channels."""
    return frame.shape[0], frame.shape[2] if frame.ndim == _COLORS else 1


def _scratch(kernels: ModuleType, frame_bytes: int) -> Any:
    """This thread's own arrays for the compiled loops."""
    held = _local.__dict__.setdefault("scratch", {})
    if frame_bytes not in held:
        held[frame_bytes] = kernels.Scratch(frame_bytes)
    return held[frame_bytes]


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
