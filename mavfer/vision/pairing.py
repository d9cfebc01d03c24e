"""Which frame of another stream goes with each color frame, and how well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.errors import NotAligned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mavfer.vision.clocks import ClockFit

__all__ = ["SyncStatistics", "pair_limit_ns", "pair_nearest", "sync_statistics"]

_NS_PER_MS: Final = 1e6
_PAIR_MARGIN_NS: Final = 5_000_000


@dataclass(frozen=True)
class SyncStatistics:
    """How well one stream goes with the color stream, for the synchronisation report."""

    frames: int
    """Color frames."""
    pairs: int
    """Color frames that have a partner."""
    missing: int
    """Color frames that have none."""
    duplicates: int
    """Pairs whose partner already served an earlier color frame."""
    gap_median_ms: float
    """Median absolute time between the two frames of a pair; NaN without pairs."""
    gap_p95_ms: float
    """95th percentile of the same."""
    gap_max_ms: float
    """Longest of the same."""
    drift_ppm: float
    """Of the stream's clock fit."""
    fit_residual_ms: float
    """Median delay above the fitted line."""
    fit_bound_ms: float
    """`ClockFit.bound_ms`."""
    longest_hole_ms: float
    """Longest stretch of the color stream in which the other stream took no frame."""


def pair_limit_ns(period_ns: float) -> int:
    """Longest allowed time between the frames of a pair: half the other stream's period + 5 ms."""
    return round(period_ns / 2) + _PAIR_MARGIN_NS


def pair_nearest(
    color_ns: NDArray[np.int64], other_ns: NDArray[np.int64], limit_ns: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each color frame the nearest frame of another stream.

    Args:
        color_ns: int64 (T,), host times of the color frames.
        other_ns: int64 (N,), host times of the other stream, never going back; may be empty.
        limit_ns: Longest allowed time between the two.

    Returns:
        Index int64 (T,) into the other stream, -1 where none is near enough; and the gap
        int64 (T,), other minus color, 0 where none.

    Raises:
        NotAligned: `other_ns` goes back.
    """
    color, other = np.asarray(color_ns, np.int64), np.asarray(other_ns, np.int64)
    if other.size == 0:
        return np.full(color.shape, -1, np.int64), np.zeros(color.shape, np.int64)
    _require_ascending(other)
    after = np.clip(np.searchsorted(other, color), 0, len(other) - 1)
    before = np.maximum(after - 1, 0)
    is_before = color - other[before] <= np.abs(other[after] - color)
    index = np.where(is_before, before, after).astype(np.int64)
    gap = other[index] - color
    is_near = np.abs(gap) <= limit_ns
    return np.where(is_near, index, -1), np.where(is_near, gap, 0)


def sync_statistics(
    color_ns: NDArray[np.int64],
    other_ns: NDArray[np.int64],
    index: NDArray[np.int64],
    gap_ns: NDArray[np.int64],
    fit: ClockFit,
) -> SyncStatistics:
    """The numbers of a synchronisation report.

    Args:
        color_ns: int64 (T,), host times of the color frames, at least one.
        other_ns: int64 (N,), host times of the other stream.
        index: int64 (T,), first result of `pair_nearest`.
        gap_ns: int64 (T,), second result of `pair_nearest`.
        fit: Clock fit of the other stream.
    """
    is_paired = index >= 0
    pairs = int(is_paired.sum())
    gaps_ms = np.abs(gap_ns[is_paired]) / _NS_PER_MS if pairs else np.array([np.nan])
    return SyncStatistics(
        frames=len(index),
        pairs=pairs,
        missing=len(index) - pairs,
        duplicates=pairs - len(np.unique(index[is_paired])),
        gap_median_ms=float(np.median(gaps_ms)),
        gap_p95_ms=float(np.percentile(gaps_ms, 95)),
        gap_max_ms=float(gaps_ms.max()),
        drift_ppm=fit.drift_ppm,
        fit_residual_ms=fit.residual_median_ms,
        fit_bound_ms=fit.bound_ms,
        longest_hole_ms=_longest_hole_ms(color_ns, other_ns),
    )


def _require_ascending(times_ns: NDArray[np.int64]) -> None:
    """Raises NotAligned, naming the frame, where a time is smaller than the one before."""
    backwards = np.flatnonzero(np.diff(times_ns) < 0)
    if backwards.size:
        frame = int(backwards[0]) + 1
        back_ms = (int(times_ns[frame - 1]) - int(times_ns[frame])) / _NS_PER_MS
        message = (
            f"host times of the other stream go back by {back_ms:.3f} ms at frame {frame}. Sort "
            f"its frames by time before they are paired"
        )
        raise NotAligned(message)


def _longest_hole_ms(color_ns: NDArray[np.int64], other_ns: NDArray[np.int64]) -> float:
    """Longest stretch between the first and last color frame without a frame of the other."""
    start, end = int(color_ns[0]), int(color_ns[-1])
    inside = other_ns[(other_ns > start) & (other_ns < end)]
    edges = np.concatenate([[start], inside, [end]])
    return float(np.diff(edges).max(initial=0)) / _NS_PER_MS
