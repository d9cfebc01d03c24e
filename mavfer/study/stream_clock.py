"""When the frames of a stream were exposed, by the host's clock, and how sure that is.

Preprocessing aligns streams by these times, and the audit tells how good they are: both ask here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.study.streams_file import CLOCK_DOMAINS
from mavfer.vision.clocks import fit_clock, in_order, trust_host_stamps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mavfer.vision.clocks import ClockFit

__all__ = ["StreamClock", "fit_stream_clock"]

_NS_PER_MS: Final = 1e6
_FIT_NUMBERS: Final = (
    *("device_origin_ns", "host_origin_ns", "drift_ppm"),
    *("residual_median_ms", "residual_p95_ms", "residual_max_ms"),
    *("bound_ms", "frames"),
)
_OTHER_CLOCK_NS: Final = 5e9
"""Nearly all frames arrive sooner after they were stamped (ours, as cameras take it)."""
_REPEATED: Final = 4
"""Camera's flag of a frame that shows the same exposure as the one before."""
_RESTARTED: Final = 8
"""Recorder's flag of the first frame after the camera was opened again, or of a segment."""


@dataclass(frozen=True)
class StreamClock:
    """The clock of one stream."""

    host_ns: NDArray[np.int64]
    """(T,) middle of the exposures on the host's clock; arrivals where the clock is of no use."""
    fit: ClockFit
    """The stream's clock against the host's; without a drift where it is the host's."""
    domains: tuple[str, ...]
    """Whose clock stamped the frames, names in `CLOCK_DOMAINS`; mostly one."""
    is_used: bool
    """False where stamps tell nothing but the arrival, or stand still: arrivals are used."""

    def describe(self) -> dict[str, Any]:
        """The numbers of the fit, as shards and audits give them; what is not known is None."""
        known_ms = self.fit.uncertainty_ns / _NS_PER_MS if self.is_used else np.full(1, np.nan)
        numbers = {
            **{name: getattr(self.fit, name) for name in _FIT_NUMBERS},
            "is_usable": self.is_used,
            "uncertainty_median_ms": float(np.median(known_ms)),
            "uncertainty_max_ms": float(known_ms.max()),
        }
        return {**_finite(numbers), "pieces": self._describe_pieces()}

    def _describe_pieces(self) -> list[dict[str, Any]]:
        return [
            {
                "first_frame": piece.first_frame,
                "frames": piece.frames,
                "cause": piece.cause,
                "jump_ms": piece.jump_ns / _NS_PER_MS,
                "uncertainty_ms": piece.uncertainty_ms if self.is_used else None,
            }
            for piece in self.fit.pieces
        ]


def fit_stream_clock(times: NDArray[Any]) -> StreamClock:
    """Brings a stream's stamps onto the host's clock, and gives the time of each frame.

    A device's own clock is fitted. Stamps that the host's driver took are on the host's clock as
    they are. Where there is no stamp but the arrival, that is the time.

    Args:
        times: (T,) stamps of the type `streams_file.TIMES`, at least one.

    Raises:
        InvalidArray: There are none.
        NotAligned: The stamps cannot be brought onto the host's clock.
    """
    device_ns, arrived_ns = times["device_ns"], times["host_ns"]
    # No frame arrives before its exposure ends; stamps are of its middle. Without this, an exposure
    # that grows in the dark would look like a clock that drifts.
    middle_arrived_ns = arrived_ns - times["exposure_ns"] // 2
    domains = [name for name, code in CLOCK_DOMAINS.items() if code in times["domain"]]
    if domains == ["host"] and _are_of_host(device_ns, arrived_ns):
        fit = trust_host_stamps(device_ns, middle_arrived_ns)
    else:
        restarts = np.flatnonzero(times["flags"] & _RESTARTED)
        fit = fit_clock(device_ns, middle_arrived_ns, restarts=restarts.tolist())
    is_used = "arrival" not in domains and fit.is_usable
    host_ns = in_order(fit.to_host(device_ns), fit.uncertainty_ns) if is_used else arrived_ns
    return StreamClock(
        host_ns=host_ns.astype(np.int64)[_first_showings(times)],
        fit=fit,
        domains=tuple(domains),
        is_used=is_used,
    )


def _are_of_host(stamps_ns: NDArray[np.int64], arrived_ns: NDArray[np.int64]) -> bool:
    """False where stamps are so far from the arrivals that they must be of another clock."""
    return bool(np.median(np.abs(arrived_ns - stamps_ns)) < _OTHER_CLOCK_NS)


def _first_showings(times: NDArray[Any]) -> NDArray[np.intp]:
    """Row (T,) of the frame that first showed each exposure; mostly its own.

    A camera that sends an exposure again stamps it anew, but keeps its number.
    """
    numbers = times["frame_number"]
    is_again = ((times["flags"] & _REPEATED) > 0) & (np.diff(numbers, prepend=numbers[0] - 1) == 0)
    return np.maximum.accumulate(np.where(is_again, 0, np.arange(len(times))))


def _finite(numbers: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN: unknown numbers become None."""
    return {
        key: None if isinstance(value, float) and not np.isfinite(value) else value
        for key, value in numbers.items()
    }
