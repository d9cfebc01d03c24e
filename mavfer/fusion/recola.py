"""RECOLA's protocol: the raters' mean, each about zero, moved to each other.

Samples are cleaned, put into bins of 0.04 s and filled; traces are centred, synchronised, averaged.
The steps and their numbers are those of F. Ringeval's script for the annotations of RECOLA
(Ringeval, Sonderegger, Sauer and Lalanne 2013, EmoSPACE); what is ours is named where it stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.interpolate import PchipInterpolator

from mavfer.agreement.estimate import as_ratings
from mavfer.agreement.pairs import rater_means
from mavfer.errors import InvalidArray

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = [
    "BIN_RATE_HZ",
    "SYNCHRONY_SECONDS",
    "ProtocolTrace",
    "acceptance_doubts",
    "binned_trace",
    "clean_samples",
    "filled_trace",
    "fuse_recola",
    "grid_seconds",
    "synchrony_lags",
    "zero_mean",
]

BIN_RATE_HZ: Final = 25
"""Bins a second: one a video frame of RECOLA."""

SYNCHRONY_SECONDS: Final = 2.0
"""Raters are compared at delays of up to this, either way."""

_NEW_PASS_SECONDS: Final = 1.0
"""Media time that falls by this or more is a new pass; by less, samples came out of order."""

_PASS_SECONDS: Final = 10.0
_PASS_SAMPLES: Final = 10
"""A later pass counts where it is longer than both."""

_LATEST_START_SECONDS: Final = 5.0
_LONGEST_GAP_SECONDS: Final = 20.0
"""Between samples, and from the last one to the end."""

_FEWEST_BINS: Final = 2
"""Of a curve through them."""

_TIED: Final = 1e-12
"""Squared differences nearer than this, beside the traces' own squares, are the same."""


@dataclass(frozen=True)
class ProtocolTrace:
    """What raters say together by a published protocol, which has no band."""

    trace: NDArray[np.float64]
    """(T,)."""
    raters: NDArray[np.float64]
    """(K, T), the traces whose mean it is."""
    weights: NDArray[np.float64]
    """(K,), summing to 1; the protocol says what they weight."""
    lags_seconds: NDArray[np.float64]
    """(K,), by how much each rater was moved earlier."""
    is_fallback: bool = False
    """The weights could not be told, so that all count alike."""


def clean_samples(
    seconds: ArrayLike, values: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times (M,), ascending, each once, and values (M,), of samples in the order they were given.

    Within a pass samples are sorted, and of those at one time the first counts: the rest are the
    pointer moved while the media stood still. A later pass replaces all samples of the time it
    covers where it is longer than 10 s and 10 samples; else it is not used.

    Args:
        seconds: (N,), media time.
        values: (N,), NaN = nothing given.

    Raises:
        InvalidArray: Not two (N,), or a time is not finite, or a value is infinite.
    """
    times, given = np.asarray(seconds, np.float64), np.asarray(values, np.float64)
    if times.ndim != 1 or times.shape != given.shape:
        message = f"times of shape {times.shape}, values of shape {given.shape}: give two (N,)"
        raise InvalidArray(message)
    if not np.isfinite(times).all() or np.isinf(given).any():
        message = "samples hold a time that is not finite, or an infinite value"
        raise InvalidArray(message)
    is_given = ~np.isnan(given)
    times, given = times[is_given], given[is_given]
    starts = np.flatnonzero(np.diff(times) <= -_NEW_PASS_SECONDS) + 1
    passes = zip(np.split(times, starts), np.split(given, starts), strict=True)
    first, *later = [_in_order(*each) for each in passes]
    for each in later:
        first = _replaced(*first, *each)
    return first


def acceptance_doubts(seconds: NDArray[np.float64], duration_seconds: float) -> tuple[str, ...]:
    """Why RECOLA would have had a trace rated again, nothing where it would not.

    Args:
        seconds: (M,), as of `clean_samples`.
        duration_seconds: Of the media.
    """
    if not len(seconds):
        return ("no samples",)
    doubts = []
    if seconds[0] > _LATEST_START_SECONDS:
        doubts.append(f"starts at {seconds[0]:.1f} s")
    if seconds[-1] < duration_seconds - _LONGEST_GAP_SECONDS:
        doubts.append(f"ends at {seconds[-1]:.1f} of {duration_seconds:.1f} s")
    gaps = np.diff(seconds)
    for before in np.flatnonzero(gaps >= _LONGEST_GAP_SECONDS):
        doubts.append(f"nothing for {gaps[before]:.1f} s from {seconds[before]:.1f} s on")
    return tuple(doubts)


def grid_seconds(duration_seconds: float) -> NDArray[np.float64]:
    """Centres (T,) of the bins: 0, 0.04, …, to the first that is not before the end."""
    whole = int(np.ceil(round(duration_seconds * BIN_RATE_HZ, 6)))
    return np.arange(whole + 1) / BIN_RATE_HZ


def binned_trace(
    seconds: NDArray[np.float64], values: NDArray[np.float64], duration_seconds: float
) -> NDArray[np.float64]:
    """Mean of the samples in each bin of `grid_seconds` (T,), NaN where there is none.

    A sample on the edge of two bins belongs to the later one (ours; the script leaves it out).
    """
    bins = len(grid_seconds(duration_seconds))
    places = np.floor(seconds * BIN_RATE_HZ + 0.5).astype(np.int64)
    is_inside = (places >= 0) & (places < bins)
    count = np.bincount(places[is_inside], minlength=bins)
    total = np.bincount(places[is_inside], values[is_inside], minlength=bins)
    trace: Floats = np.divide(total, count, out=np.full(bins, np.nan), where=count > 0)
    return trace


def filled_trace(trace: NDArray[np.float64]) -> NDArray[np.float64]:
    """The trace (T,) without gaps: 0 before the first value, the last one held behind it.

    Between values runs a piecewise cubic that keeps their order (PCHIP; Fritsch and Carlson 1980).
    A trace without any value stays so.
    """
    known = np.flatnonzero(~np.isnan(trace))
    if not len(known):
        return trace.copy()
    first, last = int(known[0]), int(known[-1])
    filled = np.zeros(len(trace))
    filled[last:] = trace[last]
    if len(known) >= _FEWEST_BINS:
        curve = PchipInterpolator(known, trace[known])
        filled[first : last + 1] = curve(np.arange(first, last + 1))
    filled[known] = trace[known]
    return filled


def zero_mean(traces: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each rater (K, T) about their own mean; exactly 0 for one who never moved."""
    return traces - rater_means(traces)[:, None]


def synchrony_lags(traces: ArrayLike) -> NDArray[np.int64]:
    """By how many bins each rater is late (K,), beside the others.

    For every ordered pair the delay of at most 2 s at which the squared difference is least, over
    the first one's trace without 2 s at either end. A delay at the limit counts as 0. A rater's
    lag is the mean over the others, rounded half away from 0. As that mean leaves the rater out,
    K raters are moved K / (K - 1) as far as would bring them together; so the script has it.

    In a trace too short for that (4 s) all lags are 0 (ours).

    Args:
        traces: (K, T) at BIN_RATE_HZ, zero mean, without gaps.

    Raises:
        InvalidArray: Another shape, or a value is missing.
    """
    session = _whole(traces)
    raters, most = len(session), round(SYNCHRONY_SECONDS * BIN_RATE_HZ)
    if raters == 1 or session.shape[1] <= 2 * most + 1:
        return np.zeros(raters, np.int64)
    delays = _pair_delays(session, most)
    mean = delays.sum(axis=0) / (raters - 1)  # a rater's own delay is 0
    late: Floats = -np.copysign(np.floor(np.abs(mean) + 0.5), mean)
    return late.astype(np.int64)


def fuse_recola(traces: ArrayLike) -> ProtocolTrace:
    """RECOLA's gold standard: the plain mean of zero-mean, synchronised raters.

    Args:
        traces: (K, T) at BIN_RATE_HZ, as of `filled_trace`; leave out who did not rate.

    Returns:
        With equal weights. Of identical traces it is the trace less its mean.

    Raises:
        InvalidArray: Another shape, or a value is missing.
    """
    centred = zero_mean(_whole(traces))
    lags = synchrony_lags(centred)
    moved = _moved(centred, lags)
    weights = np.full(len(moved), 1 / len(moved))
    return ProtocolTrace(moved.mean(axis=0), moved, weights, lags / BIN_RATE_HZ)


def _in_order(times: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Ascending, of each time the sample that was given first."""
    once, places = np.unique(times, return_index=True)
    return once, values[places]


def _replaced(
    times: Floats, values: Floats, new_times: Floats, new_values: Floats
) -> tuple[Floats, Floats]:
    """The samples with those of a later pass in their place, where that is long enough."""
    start, end = new_times[0], new_times[-1]
    if end - start <= _PASS_SECONDS or len(new_times) <= _PASS_SAMPLES:
        return times, values
    before, after = times < start, times > end
    return (
        np.concatenate([times[before], new_times, times[after]]),
        np.concatenate([values[before], new_values, values[after]]),
    )


def _pair_delays(session: Floats, most: int) -> NDArray[np.int64]:
    """Bins by which each rater (column) must be moved later to be most like another (row)."""
    # One bin more is left out at the end than at the start: so the script has it.
    kept = session[:, most : session.shape[1] - most - 1]
    count = kept.shape[1]
    squares = (kept**2).sum(axis=1)
    apart = np.empty((2 * most + 1, len(session), len(session)))
    for delay in range(-most, most + 1):
        other = session[:, most - delay : most - delay + count]
        own = (other**2).sum(axis=1)
        apart[most + delay] = squares[:, None] + own[None, :] - 2 * kept @ other.T
    # Of equal ones the first counts; sums of other terms must not tell equal ones apart.
    is_least = apart <= apart.min(axis=0) + _TIED * (session**2).sum()
    best = is_least.argmax(axis=0) - most
    return np.where(np.abs(best) == most, 0, best)


def _moved(session: Floats, lags: NDArray[np.int64]) -> Floats:
    """Every rater (K, T) earlier by their lag in bins; values at the ends are repeated."""
    last = session.shape[1] - 1
    places = np.clip(np.arange(last + 1) + lags[:, None], 0, last)
    return np.take_along_axis(session, places, axis=1)


def _whole(traces: ArrayLike) -> Floats:
    session = as_ratings(traces)
    if session.ndim != 2 or session.shape[1] == 0 or np.isnan(session).any():  # noqa: PLR2004 (K, T)
        message = (
            f"traces of shape {session.shape}: give (raters, times) without a gap; "
            f"filled_trace() fills those of a rater"
        )
        raise InvalidArray(message)
    return session
