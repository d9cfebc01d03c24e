"""Stretches: runs of frames in which anybody rates. Nothing is carried from one to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["block_means", "stretches_of"]


def stretches_of(traces: NDArray[np.float64]) -> list[slice]:
    """Runs of frames of (K, T) at which at least one rater has a value, in order."""
    anybody = (~np.isnan(traces)).any(axis=0)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], anybody, [False]])))
    return [slice(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def block_means(traces: NDArray[np.float64], frames_a_block: int) -> NDArray[np.float64]:
    """Means (K, blocks) over blocks of each stretch of (K, T), NaN between stretches.

    NaN also where less than half of a block is there.
    """
    if frames_a_block == 1:
        return traces
    gap = np.full((len(traces), 1), np.nan)
    parts: list[Floats] = []
    for stretch in stretches_of(traces):
        parts += [_means(traces[:, stretch], frames_a_block), gap]
    return np.concatenate(parts[:-1], axis=1) if parts else traces[:, :0]


def _means(stretch: Floats, frames_a_block: int) -> Floats:
    """NaN where less than half of a block is there."""
    K, T = stretch.shape
    blocks = -(-T // frames_a_block)
    padded = np.full((K, blocks * frames_a_block), np.nan)
    padded[:, :T] = stretch
    cut = padded.reshape(K, blocks, frames_a_block)
    count = (~np.isnan(cut)).sum(axis=2)
    total = np.nansum(cut, axis=2)
    is_enough = 2 * count >= frames_a_block
    means: Floats = np.divide(total, count, out=np.full(total.shape, np.nan), where=is_enough)
    return means
