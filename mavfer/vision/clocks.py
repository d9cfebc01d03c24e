"""Device clocks brought onto the host's clock, and frames of two streams paired.

A camera stamps a frame with its own clock; the host notes when the frame arrived. An arrival is
never early: it is the exposure plus the shortest possible delay plus something random. So the true
relation is the line along the lower edge of the cloud of delays, not the line through its middle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.errors import InvalidArray, NotAligned

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "ClockFit",
    "SyncStatistics",
    "fit_clock",
    "pair_limit_ns",
    "pair_nearest",
    "sync_statistics",
]

_NS_PER_MS: Final = 1e6
_MAX_DRIFT: Final = 500e-6
"""Crystals of cameras and hosts stay within 100 ppm of each other; five times that is generous."""
_PAIR_MARGIN_NS: Final = 5_000_000
_BOUND_WINDOWS: Final = 10
_FRAMES_PER_WINDOW: Final = 5


@dataclass(frozen=True)
class ClockFit:
    """A straight line from a device's clock to the host's.

    The shortest delay from exposure to arrival cannot be seen in the stamps: it is part of the
    offset, the same for all frames, and is measured once by a latency calibration.
    """

    device_origin_ns: int
    """Device stamp of the first frame."""
    host_origin_ns: int
    """Host time of that stamp."""
    drift_ppm: float
    """How much faster than the device's clock the host's runs, parts in a million."""
    residual_median_ms: float
    """Median delay of the arrivals above the line."""
    residual_p95_ms: float
    """95th percentile of the same."""
    residual_max_ms: float
    """Longest delay above the line."""
    bound_ms: float
    """Largest distance from the line to the earliest arrival in any tenth of the take: what a
    clock that does not run straight would cost."""
    frames: int
    """Frames in the fit."""
    is_usable: bool = True
    """False where all stamps are one number while frames kept coming: use the arrivals instead."""

    def to_host(self, device_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Host times, int64 nanoseconds, of device stamps (T,)."""
        elapsed = np.asarray(device_ns, dtype=np.int64) - self.device_origin_ns
        drift = np.rint(elapsed * (self.drift_ppm * 1e-6)).astype(np.int64)
        host: NDArray[np.int64] = self.host_origin_ns + elapsed + drift
        return host


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


def fit_clock(device_ns: NDArray[np.int64], host_ns: NDArray[np.int64]) -> ClockFit:
    """The tightest line below all arrivals: device clock to host clock.

    Among all lines that no arrival undercuts, the one with the least summed distance to the
    arrivals is the edge of their lower convex hull above the mean stamp (ours; the error of a
    least-squares line is the mean delay, that of this line is the luck of the quickest frames).

    Args:
        device_ns: int64 (T,), stamps of the device's clock, never going back.
        host_ns: int64 (T,), arrivals on the host's monotonic clock.

    Raises:
        InvalidArray: No frames, or lengths differ.
        NotAligned: Stamps go back, or run at a rate that no clock in nanoseconds has.
    """
    device, host = _checked_stamps(device_ns, host_ns)
    elapsed = (device - device[0]).astype(np.float64)
    delay = (host - host[0] - (device - device[0])).astype(np.float64)
    slope = 0.0
    if elapsed[-1] > 0:
        slope = _drift(elapsed, delay)
    above = delay - slope * elapsed
    floor = above.min()
    residual_ms = (above - floor) / _NS_PER_MS
    windows = np.array_split(
        residual_ms, min(_BOUND_WINDOWS, -(-len(device) // _FRAMES_PER_WINDOW))
    )
    return ClockFit(
        device_origin_ns=int(device[0]),
        host_origin_ns=int(host[0]) + round(float(floor)),
        drift_ppm=slope * 1e6,
        residual_median_ms=float(np.median(residual_ms)),
        residual_p95_ms=float(np.percentile(residual_ms, 95)),
        residual_max_ms=float(residual_ms.max()),
        bound_ms=max(float(window.min()) for window in windows),
        frames=len(device),
        is_usable=bool(elapsed[-1] > 0 or host[-1] == host[0]),
    )


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
    _require_ascending(other, "host times of the other stream")
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


def _checked_stamps(
    device_ns: NDArray[np.int64], host_ns: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Both columns as int64, once they can be fitted."""
    device, host = np.asarray(device_ns, np.int64), np.asarray(host_ns, np.int64)
    if device.ndim != 1 or device.shape != host.shape or device.size == 0:
        message = (
            f"clock fit: needs as many device stamps as arrivals and at least one, got "
            f"{device.shape} and {host.shape}. Run mavfer audit on the session"
        )
        raise InvalidArray(message)
    _require_ascending(device, "device stamps")
    return device, host


def _require_ascending(stamps: NDArray[np.int64], what: str) -> None:
    """Raises NotAligned, naming the frame, where a stamp is smaller than the one before."""
    backwards = np.flatnonzero(np.diff(stamps) < 0)
    if backwards.size:
        frame = int(backwards[0]) + 1
        back_ms = (int(stamps[frame - 1]) - int(stamps[frame])) / _NS_PER_MS
        message = (
            f"{what} go back by {back_ms:.3f} ms at frame {frame}: the clock was set or rolled "
            f"over. Split the take there, or use arrival times"
        )
        raise NotAligned(message)


def _drift(elapsed: NDArray[np.float64], delay: NDArray[np.float64]) -> float:
    """Slope of the tightest line below the delays, as a share of one.

    The summed distance is convex in the slope, so the best slope within the limits is the best
    slope of all, clipped: a take of a few frames cannot invent a drift out of its jitter.
    """
    hull = _lower_hull(elapsed, delay)
    right = int(np.searchsorted(elapsed[hull], elapsed.mean()))
    first, last = hull[max(right - 1, 0)], hull[max(right, 1)]
    slope = float((delay[last] - delay[first]) / (elapsed[last] - elapsed[first]))
    above = delay - slope * elapsed
    doubt = float(np.percentile(above - above.min(), 95)) / elapsed[-1]
    jitter = float(np.ptp(delay)) / elapsed[-1] if len(elapsed) <= _FRAMES_PER_WINDOW else 0.0
    if abs(slope) > _MAX_DRIFT + 2 * doubt + jitter:
        message = (
            f"device clock drifts by {slope * 1e6:.0f} ppm against the host: its stamps are not "
            f"nanoseconds. Check clock_hz of the camera, or use arrival times"
        )
        raise NotAligned(message)
    return float(np.clip(slope, -_MAX_DRIFT, _MAX_DRIFT))


def _lower_hull(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices of the lower convex hull of points with ascending x, one point for each x.

    Source: Andrew 1979, Information Processing Letters 9(5), 216-219 (the lower chain).
    """
    order = np.lexsort((y, x))
    order = order[np.r_[True, np.diff(x[order]) > 0]]
    hull: list[int] = []
    for point in order:
        while len(hull) > 1 and _is_above(x, y, hull[-2], hull[-1], point):
            hull.pop()
        hull.append(int(point))
    return np.array(hull, dtype=np.int64)


def _is_above(
    x: NDArray[np.float64], y: NDArray[np.float64], first: int, middle: int, last: int
) -> bool:
    """True when the middle point is on or above the line from first to last."""
    rise, run = y[last] - y[first], x[last] - x[first]
    return bool((y[middle] - y[first]) * run >= rise * (x[middle] - x[first]))


def _longest_hole_ms(color_ns: NDArray[np.int64], other_ns: NDArray[np.int64]) -> float:
    """Longest stretch between the first and last color frame without a frame of the other."""
    start, end = int(color_ns[0]), int(color_ns[-1])
    inside = other_ns[(other_ns > start) & (other_ns < end)]
    edges = np.concatenate([[start], inside, [end]])
    return float(np.diff(edges).max(initial=0)) / _NS_PER_MS
