"""How the exposures of two cameras lie to each other: does a trigger hold them together?

Cameras that run freely drift past each other by the difference of their crystals, some ten parts in
a million: half a millisecond in 20 seconds. Only a long look tells that from a trigger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import NotAligned
from mavfer.vision.clocks import fit_clock
from recording.camera import ClockDomain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mavfer.vision.clocks import ClockFit

__all__ = ["ExposurePhase", "ExposureTimes", "exposure_phase", "exposure_times"]

_NS_PER_MS: Final = 1e6
_SAME_RATE: Final = 0.02
_LEAST_FRAMES: Final = 10


@dataclass(frozen=True)
class ExposureTimes:
    """When a stream was exposed, as far as its stamps tell."""

    domain: ClockDomain
    host_ns: NDArray[np.int64]
    """(T,) on the host's clock."""
    uncertainty_ms: float
    """Bound of the error of 95 % of them, apart from the shortest delay; 0 for the host's stamps.

    Not of all: the few frames between two jumps of a clock are bounded by nothing but arrivals."""
    fit: ClockFit | None
    """Of a camera's own clock."""
    problem: str = ""
    """Why a camera's own stamps could not be used, or empty."""


@dataclass(frozen=True)
class ExposurePhase:
    """How much later than the one camera the other exposes."""

    now_ms: float
    """At the end, between minus and plus half a frame."""
    most_ms: float
    """Largest distance of neighbouring frames at any time."""
    drift_ms_a_minute: float
    drift_bound_ms_a_minute: float
    """What the clocks leave open of it."""
    scatter_ms: float
    """95th percentile of what is left when the drift is taken away."""

    @property
    def is_drifting(self) -> bool:
        """True where the cameras surely go past each other."""
        return abs(self.drift_ms_a_minute) > self.drift_bound_ms_a_minute


def exposure_times(frames: NDArray[Any]) -> ExposureTimes:
    """When frames were exposed, by the best clock that there is.

    Args:
        frames: `STAMPS` (T,), T at least 1.
    """
    domain = ClockDomain(int(frames["domain"][-1]))
    if domain == ClockDomain.ARRIVAL:
        return ExposureTimes(domain, frames["host_ns"], 0.0, None)
    if domain == ClockDomain.HOST:
        return ExposureTimes(domain, frames["device_ns"], 0.0, None)
    try:
        fit = fit_clock(frames["device_ns"], frames["host_ns"])
    except NotAligned as error:
        return ExposureTimes(domain, frames["host_ns"], 0.0, None, str(error))
    if not fit.is_usable:
        return ExposureTimes(domain, frames["host_ns"], 0.0, None, "the stamps stand still")
    uncertainty_ms = float(np.percentile(fit.uncertainty_ns, 95)) / _NS_PER_MS
    return ExposureTimes(domain, fit.to_host(frames["device_ns"]), uncertainty_ms, fit)


def exposure_phase(one: ExposureTimes, other: ExposureTimes) -> ExposurePhase | None:
    """How `other` lies to `one`; None where their rates differ or there is too little to see."""
    if min(len(one.host_ns), len(other.host_ns)) < _LEAST_FRAMES:
        return None
    period_ns, other_period_ns = (float(np.median(np.diff(t.host_ns))) for t in (one, other))
    if abs(period_ns / other_period_ns - 1) > _SAME_RATE:
        return None
    inside = (one.host_ns >= other.host_ns[0]) & (one.host_ns <= other.host_ns[-1])
    times_ns = one.host_ns[inside]
    if len(times_ns) < _LEAST_FRAMES:
        return None
    later_ns = other.host_ns[_nearest(other.host_ns, times_ns)] - times_ns
    turns = np.unwrap(later_ns / period_ns, period=1.0)
    minutes = (times_ns - times_ns[0]) / 60e9
    slope, start = np.polyfit(minutes, turns * period_ns / _NS_PER_MS, 1)
    left_ms = turns * period_ns / _NS_PER_MS - (start + slope * minutes)
    scatter_ms = float(np.percentile(np.abs(left_ms), 95))
    noise_ms = scatter_ms * 4 / np.sqrt(len(times_ns))
    # Each end of the line may be wrong by what both clocks leave open.
    bound_ms = 2 * (one.uncertainty_ms + other.uncertainty_ms) + noise_ms
    return ExposurePhase(
        now_ms=float((turns[-1] + 0.5) % 1.0 - 0.5) * period_ns / _NS_PER_MS,
        most_ms=float(np.abs((turns + 0.5) % 1.0 - 0.5).max()) * period_ns / _NS_PER_MS,
        drift_ms_a_minute=float(slope),
        drift_bound_ms_a_minute=float(bound_ms / minutes[-1]),
        scatter_ms=scatter_ms,
    )


def _nearest(times_ns: NDArray[np.int64], to_ns: NDArray[np.int64]) -> NDArray[np.intp]:
    """Index of the time closest to each of `to_ns`, all within the range of `times_ns`."""
    right = np.clip(np.searchsorted(times_ns, to_ns), 1, len(times_ns) - 1)
    is_left = to_ns - times_ns[right - 1] < times_ns[right] - to_ns
    nearest: NDArray[np.intp] = right - is_left
    return nearest
