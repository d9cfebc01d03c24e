"""Candidates for what a shard predicts a frame by, in plain numpy: those that won, and others.

A candidate turns a group of frames x (n, H, W, …) into residuals, folded as docs/shard_format.md
says. Most are differences, one after the other: of frames (`time`), of rows, of columns (rows and
columns together: `plane`), and of red and blue from green, with colors apart (`green`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numcodecs import blosc

__all__ = ["CODECS", "PREDICTORS", "cost", "predictors_of"]

CODECS = {
    "lz4": (b"lz4", 5),
    "lz4hc2": (b"lz4hc", 2),
    "lz4hc5": (b"lz4hc", 5),
    "zstd1": (b"zstd", 1),
    "zstd5": (b"zstd", 5),
}

_ROWS, _COLUMNS = 1, 2


@dataclass(frozen=True)
class Differences:
    """Differences of frames, then along axes within frames, then of colors; undone backwards."""

    axes: tuple[int, ...] = ()
    """Of every frame that is not predicted from the frame before."""
    is_timed: bool = False
    timed_axes: tuple[int, ...] = ()
    """Of every frame that is."""
    is_green: bool = False

    def residuals(self, x):
        """Unsigned, folded; (n, 3, H, W) where colors stand apart."""
        if self.is_timed:
            later = _differences(x[1:] - x[:-1], self.timed_axes)
            d = np.concatenate([_differences(x[:1], self.axes), later])
        else:
            d = _differences(x, self.axes)
        return _fold(_apart(d) if self.is_green else d)

    def frames(self, z):
        """What `residuals` was given."""
        d = _unfold(z)
        if self.is_green:
            d = _together(d)
        if not self.is_timed:
            return _sums(d, self.axes)
        d = np.concatenate([_sums(d[:1], self.axes), _sums(d[1:], self.timed_axes)])
        return np.cumsum(d, axis=0, dtype=d.dtype)


class Mean:
    """Half of the frame before, half of the row above. Cannot be undone by numpy at speed."""

    def residuals(self, x):
        """Unsigned, folded."""
        above, before = _above(x)[1:], x[:-1]
        mean = (above & before) + ((above ^ before) >> 1)  # without overflow
        return np.concatenate([_fold(x[:1] - _above(x[:1])), _fold(x[1:] - mean)])


class Med:
    """The median of left, above and left + above - corner. Cannot be undone by numpy at speed.

    Source: Weinberger, Seroussi and Sapiro 2000, IEEE Transactions on Image Processing 9(8),
    LOCO-I (JPEG-LS).
    """

    def residuals(self, x):
        """Unsigned, folded."""
        left, above = _before(x, _COLUMNS), _above(x)
        corner, low, high = _above(left), np.minimum(left, above), np.maximum(left, above)
        plane = left + above - corner
        return _fold(x - np.where(corner >= high, low, np.where(corner <= low, high, plane)))


_BOTH = (_ROWS, _COLUMNS)
PREDICTORS = {
    "none": Differences(),
    "rows": Differences((_ROWS,)),
    "plane": Differences(_BOTH),
    "time": Differences((_ROWS,), is_timed=True),
    "time_rows": Differences((_ROWS,), is_timed=True, timed_axes=(_ROWS,)),
    "time_plane": Differences(_BOTH, is_timed=True, timed_axes=_BOTH),
    "mean": Mean(),
    "med": Med(),
    "rows_less_green": Differences((_ROWS,), is_green=True),
    "plane_less_green": Differences(_BOTH, is_green=True),
    "time_less_green": Differences((_ROWS,), is_timed=True, is_green=True),
    "time_rows_less_green": Differences(
        (_ROWS,), is_timed=True, timed_axes=(_ROWS,), is_green=True
    ),
}


def predictors_of(frames) -> list[str]:
    """Names of the candidates that suit color, or one channel."""
    is_color = frames.ndim == 4
    return [name for name in PREDICTORS if is_color or not name.endswith("green")]


def cost(frames, predictor: str, codec: str, group_size: int) -> dict[str, float]:
    """What one way of storing costs: frames one by one under Blosc with bit shuffle, by groups.

    Gives ratio (raw over stored), and encode and decode in MB of pixels a CPU second.
    """
    (name, level), way = CODECS[codec], PREDICTORS[predictor]
    groups = [frames[at : at + group_size] for at in range(0, len(frames), group_size)]
    begun = time.process_time()
    folded = [way.residuals(group) for group in groups]
    coded = [[blosc.compress(z, name, level, blosc.BITSHUFFLE) for z in zs] for zs in folded]
    encoded = time.process_time() - begun
    megabytes = frames.nbytes / 1e6
    stored = sum(len(chunk) for chunks in coded for chunk in chunks)
    found = {"ratio": frames.nbytes / stored, "encode_mb_per_s": megabytes / encoded}
    if isinstance(way, Differences):
        begun = time.process_time()
        for zs, chunks in zip(folded, coded, strict=True):
            for z, chunk in zip(zs, chunks, strict=True):
                blosc.decompress(chunk, z)
        restored = [way.frames(zs) for zs in folded]
        found["decode_mb_per_s"] = megabytes / (time.process_time() - begun)
        assert np.array_equal(np.concatenate(restored), frames), (predictor, codec)
    return found


def _fold(d):
    sign = np.right_shift(d, 8 * d.itemsize - 1)
    return (d << 1) ^ (np.zeros_like(sign) - sign)


def _unfold(z):
    return (z >> 1) ^ (np.zeros_like(z) - (z & 1))


def _before(x, axis):
    """Each sample's neighbour before it along an axis; 0 at the edge."""
    moved = np.zeros_like(x)
    inner = (slice(None),) * axis
    moved[(*inner, slice(1, None))] = x[(*inner, slice(None, -1))]
    return moved


def _above(x):
    return _before(x, _ROWS)


def _differences(x, axes):
    for axis in axes:
        x = x - _before(x, axis)
    return x


def _sums(d, axes):
    for axis in axes:
        d = np.cumsum(d, axis=axis, dtype=d.dtype)
    return d


def _apart(d):
    """(n, H, W, 3) to (n, 3, H, W): red - green, green, blue - green."""
    red, green, blue = np.moveaxis(d, -1, 0)
    return np.stack([red - green, green, blue - green], axis=1)


def _together(d):
    red, green, blue = np.moveaxis(d, 1, 0)
    return np.stack([red + green, green, blue + green], axis=-1)
