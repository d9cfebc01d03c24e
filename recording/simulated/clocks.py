"""When each camera exposes, what its clock says then, and when the frame arrives.

All times here are nanoseconds after the start of the take; the rig adds the host's clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from recording.simulated.subjects import seed_from

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from mavfer.streams import StreamName

__all__ = ["NS_PER_SECOND", "DeviceClock", "Schedule", "build_clock", "plan_exposures"]

NS_PER_SECOND: Final = 1_000_000_000
_LARGEST_OFFSET_NS: Final = 10**15
"""A device's clock starts when it is plugged in: up to eleven days away from the host's."""
_DRIFT_PPM: Final = (15.0, 80.0)
_LEAST_DELAY_NS: Final[dict[StreamName, int]] = {
    "color": 9_000_000,
    "depth": 11_000_000,
    "thermal": 6_000_000,
}
_MEAN_JITTER_NS: Final = 2_000_000
_BETWEEN_ARRIVALS_NS: Final = 50_000


@dataclass(frozen=True)
class DeviceClock:
    """A camera's own clock, as a line over the host's."""

    offset_ns: int
    """What it shows when the take starts."""
    drift_ppm: float
    """How much faster it runs than the host's, in millionths."""

    def device_ns(self, true_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """What the clock shows at times (N,) after the start."""
        drift = np.round(true_ns * (self.drift_ppm * 1e-6)).astype(np.int64)
        return true_ns + drift + self.offset_ns


@dataclass(frozen=True)
class Schedule:
    """Every exposure (N,) of one camera, whether its frame arrives or not."""

    true_ns: NDArray[np.int64]
    """Middle of the exposure."""
    exposure_ns: NDArray[np.int64]
    device_ns: NDArray[np.int64]
    """The device's stamp of the middle of the exposure."""
    arrival_ns: NDArray[np.int64]
    is_lost: NDArray[np.bool_]
    """On its way to the host."""

    def __len__(self) -> int:
        return len(self.true_ns)


def build_clock(seed: int, stream: StreamName) -> DeviceClock:
    """The clock inside a camera of the rig with this seed."""
    rng = np.random.default_rng(seed_from("clock", seed, stream))
    return DeviceClock(
        offset_ns=int(rng.integers(0, _LARGEST_OFFSET_NS)),
        drift_ppm=float(rng.uniform(*_DRIFT_PPM) * rng.choice([-1, 1])),
    )


def plan_exposures(
    rng: np.random.Generator,
    stream: StreamName,
    clock: DeviceClock,
    *,
    seconds: float,
    rate_hz: float,
    exposure_seconds: Callable[[float], float],
    drop_share: float,
) -> Schedule:
    """The exposures of a take of `seconds`.

    The camera keeps its rate by its own clock, so that the true period is off by the drift. A frame
    is delivered after its exposure, the least delay and an exponential wait, in order.
    """
    period_ns = NS_PER_SECOND / rate_hz / (1 + clock.drift_ppm * 1e-6)
    first_ns = rng.uniform(0.5, 1.0) * period_ns
    count = max(math.ceil((seconds * NS_PER_SECOND - first_ns) / period_ns), 1)
    true_ns = np.round(first_ns + period_ns * np.arange(count)).astype(np.int64)
    lasting = [exposure_seconds(time / NS_PER_SECOND) for time in true_ns.tolist()]
    exposure_ns = np.round(np.array(lasting) * NS_PER_SECOND).astype(np.int64)
    delay = _LEAST_DELAY_NS[stream] + rng.exponential(_MEAN_JITTER_NS, count)
    arrival = true_ns + exposure_ns // 2 + delay.astype(np.int64)
    in_order = np.arange(count) * _BETWEEN_ARRIVALS_NS
    is_lost = rng.random(count) < drop_share
    is_lost[0] = False
    return Schedule(
        true_ns=true_ns,
        exposure_ns=exposure_ns,
        device_ns=clock.device_ns(true_ns),
        arrival_ns=np.maximum.accumulate(arrival - in_order) + in_order,
        is_lost=is_lost,
    )
