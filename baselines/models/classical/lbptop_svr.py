"""LBP-TOP and support vector regression: texture in space and over time, counted in blocks.

G. Zhao, M. Pietikäinen: "Dynamic texture recognition using local binary patterns with an
application to facial expressions", IEEE TPAMI 29(6), 2007. Its relative LGBP-TOP (on Gabor-filtered
pictures) with an LSTM is what J. Lee et al. (STA, ICASSP 2018) compare with.

Read: in STA's tables, that such features were used. The paper of Zhao and Pietikäinen was not read;
that a local binary pattern compares a pixel with its neighbours in three orthogonal planes, and
that the patterns are counted in blocks of the face, is common knowledge.

Ours: the eight neighbours of a square of 3x3, without interpolation, in the planes XY, XT and YT;
59 bins a plane (58 patterns of at most two changes, and all others together); blocks of a grid;
counts summed over a window of frames, brought to a sum of 1 and their square roots taken; a linear
regression. Every stream has its own features, color as the mean of its channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from baselines.models.classical.regression import FrameRegressor, SvrOptions
from mavfer.errors import CommandError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from baselines.config import Config
    from baselines.data import SessionView
    from mavfer.streams import StreamName

    Floats = NDArray[np.float64]

__all__ = ["BINS", "LbptopSvr", "LbptopSvrOptions", "block_counts", "pattern_bins", "patterns"]

BINS: Final = 59
"""Kinds of patterns that are told apart in each plane."""
_RING: Final = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
"""Neighbours in a plane, around the pixel."""
_PLANES: Final = ((1, 2), (0, 2), (0, 1))
"""Axes of a volume (T, H, W) in each plane: XY, XT, YT."""
_FRAMES_AT_ONCE: Final = 64


@dataclass(frozen=True)
class LbptopSvrOptions(SvrOptions):
    """Blocks and windows; all of it is ours."""

    grid: int = 4
    """Blocks of the face in each direction."""
    window_frames: int = 9
    """Frames of the session over which patterns are counted, the frame in the middle."""
    penalty: float = 0.001
    """C of the support vector regression."""

    def require_fit(self, config: Config) -> None:
        """Raises CommandError where a block would hold no pattern."""
        super().require_fit(config)
        if config.size - 2 < self.grid:
            message = f"size {config.size} is too small for a grid of {self.grid}"
            raise CommandError(message)


class LbptopSvr(FrameRegressor):
    """Counts of patterns around each frame, and a linear regression."""

    Options: ClassVar = LbptopSvrOptions
    default_config: ClassVar[str] = "lbptop_svr"

    def features(self, session: SessionView) -> Floats:
        """(T, streams x 3 planes x blocks x 59); NaN where a stream cannot be used."""
        return np.concatenate([self._of_stream(session, name) for name in self.streams], axis=1)

    def _of_stream(self, session: SessionView, stream: StreamName) -> Floats:
        options: LbptopSvrOptions = self.config.model
        valid, inner = session.valid[stream], slice(self.config.shift_pixels, None)
        inner = slice(inner.start, inner.start + self.config.size)
        pictures = session.frames[stream][..., inner, inner].astype(np.float32).mean(1)
        pictures[~valid] = 0  # never read
        counts = [
            block_counts(part, bits, options.grid) for part, bits in _overlapping(pictures, valid)
        ]
        summed = _moving_sum(np.concatenate(counts), options.window_frames)  # (T, 3, N, 59)
        total = summed.sum(-1, keepdims=True)
        features: Floats = np.sqrt(summed / np.maximum(total, 1)).reshape(len(valid), -1)
        features[~valid] = np.nan
        return features


def block_counts(pictures: NDArray[np.float32], valid: NDArray[np.bool_], grid: int) -> Floats:
    """How often each kind of pattern stands in each block of all but the first and last frame.

    Args:
        pictures: (T + 2, H, W).
        valid: (T + 2,); a pattern counts where every frame that it touches is valid.
        grid: Blocks in each direction.

    Returns:
        (T, 3, grid * grid, BINS): XY, XT, YT.
    """
    T = len(pictures) - 2
    H, W = (length - 2 for length in pictures.shape[1:])
    rows, columns = (np.arange(n) * grid // n for n in (H, W))
    blocks = rows[:, None] * grid + columns  # (H, W)
    counts = np.empty((T, len(_PLANES), grid * grid, BINS))
    in_time = valid[:-2] & valid[1:-1] & valid[2:]
    for number, plane in enumerate(_PLANES):
        bins = pattern_bins()[patterns(pictures, plane)]  # (T, H, W)
        places = (np.arange(T)[:, None, None] * grid * grid + blocks) * BINS + bins
        histogram = np.bincount(places.ravel(), minlength=T * grid * grid * BINS)
        counts[:, number] = histogram.reshape(T, grid * grid, BINS)
        counts[~(valid[1:-1] if number == 0 else in_time), number] = 0
    return counts


def patterns(volume: NDArray[np.float32], plane: tuple[int, int]) -> NDArray[np.uint8]:
    """Patterns of the inner part (T - 2, H - 2, W - 2) of a volume (T, H, W) in one plane.

    Bit n is 1 where neighbour n, going around in the plane of these axes, is not below the pixel.
    """
    centre = volume[1:-1, 1:-1, 1:-1]
    codes = np.zeros(centre.shape, np.uint8)
    for bit, (first, second) in enumerate(_RING):
        moved = [0, 0, 0]
        moved[plane[0]], moved[plane[1]] = first, second
        places = tuple(slice(1 + m, n - 1 + m) for m, n in zip(moved, volume.shape, strict=True))
        codes |= (volume[places] >= centre).astype(np.uint8) << np.uint8(bit)
    return codes


def pattern_bins() -> NDArray[np.int64]:
    """The kind of each pattern (256,): 0 to 57 with at most two changes around, 58 all others."""
    codes = np.arange(256)
    changes = sum(((codes >> n) ^ (codes >> (n + 1) % 8)) & 1 for n in range(8))
    is_uniform = np.asarray(changes) <= 2  # noqa: PLR2004 (the definition of uniform)
    return np.where(is_uniform, np.cumsum(is_uniform) - 1, BINS - 1)


def _overlapping(
    pictures: NDArray[np.float32], valid: NDArray[np.bool_]
) -> list[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    """Parts of a session with a frame more at each end; its own ends are repeated."""
    wide = np.concatenate([pictures[:1], pictures, pictures[-1:]])
    bits = np.concatenate([valid[:1], valid, valid[-1:]])
    starts = range(0, len(pictures), _FRAMES_AT_ONCE)
    return [(wide[n : n + _FRAMES_AT_ONCE + 2], bits[n : n + _FRAMES_AT_ONCE + 2]) for n in starts]


def _moving_sum(counts: NDArray[Any], window: int) -> Floats:
    """Sums over `window` frames of (T, …), the frame in the middle; fewer at the ends."""
    before = window // 2
    total = np.concatenate([np.zeros_like(counts[:1]), np.cumsum(counts, axis=0)])
    frames = np.arange(len(counts))
    first = np.maximum(frames - before, 0)
    last = np.minimum(frames - before + window, len(counts))
    summed: Floats = total[last] - total[first]
    return summed
