"""Device clocks brought onto the host's clock, with a bound of what that may be wrong by.

A camera stamps a frame with its own clock; the host notes when the frame arrived. An arrival is
never early: it is the exposure plus the shortest possible delay plus something random. So the true
relation is the lower edge of the cloud of delays, not the line through its middle. The edge is a
line where the clocks run straight; it bends where a crystal warms up, has a step where the clock
was set, and goes on where the counter rolled over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from mavfer.errors import InvalidArray
from mavfer.vision.clock_bound import bound_bend_ns, bound_edge, largest_lift_ns
from mavfer.vision.clock_counter import find_resolution_ns, unwrap_counter
from mavfer.vision.clock_edge import MAX_DRIFT_PPM, LowerEdge
from mavfer.vision.clock_pieces import FittedPieces, fit_pieces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


__all__ = ["ClockFit", "ClockPiece", "fit_clock", "in_order", "trust_host_stamps"]

_NS_PER_MS: Final = 1e6
_TIMES_UNSURE: Final = 4.0
_STANDSTILL: Final = 0.5
"""Share of the take through which stamps may stand still."""


@dataclass(frozen=True)
class ClockPiece:
    """Frames that follow each other without a jump of their stamps."""

    first_frame: int
    frames: int
    cause: Literal["start", "wrap", "step", "restart"]
    """What began it: the take, a counter that rolled over, a clock that was set, or a camera that
    was opened again."""
    jump_ns: int
    """How much later than expected the stamps were at its begin; negative where they went back."""
    uncertainty_ms: float
    """Largest of `ClockFit.uncertainty_ns` of its frames."""


@dataclass(frozen=True)
class ClockFit:
    """The edge from a device's clock to the host's.

    The shortest delay from exposure to arrival cannot be seen in the stamps: it is part of the
    offset, the same for all frames, and is measured once by a latency calibration.
    """

    device_origin_ns: int
    """Device stamp of the first frame."""
    host_origin_ns: int
    """Host time of that stamp."""
    drift_ppm: float
    """How much faster than the device's clock the host's runs, parts in a million, on average."""
    residual_median_ms: float
    """Median delay of the arrivals above the edge."""
    residual_p95_ms: float
    """95th percentile of the same."""
    residual_max_ms: float
    """Longest delay above the edge."""
    bound_ms: float
    """Largest distance from the edge to the earliest arrival in any tenth of the take: what a
    clock that does not run straight would cost."""
    frames: int
    """Frames in the fit."""
    is_usable: bool
    """False where the stamps stand still while frames keep coming: use the arrivals instead."""
    pieces: tuple[ClockPiece, ...]
    """In the order of the frames, at least one."""
    uncertainty_ns: NDArray[np.int64] = field(repr=False, compare=False)
    """(T,) bound of the error of each frame's host time, apart from the shortest delay."""
    _edge: LowerEdge = field(repr=False, compare=False)
    _shift_ns: NDArray[np.int64] = field(repr=False, compare=False)
    """(K,) what brings the stamps of each piece onto those of the first."""

    def to_host(
        self, device_ns: NDArray[np.int64], frames: NDArray[np.int64] | None = None
    ) -> NDArray[np.int64]:
        """Host times, int64 nanoseconds, of device stamps (T,).

        Args:
            device_ns: int64 (T,), stamps of the device's clock as it gave them.
            frames: int64 (T,), to which frame of the fit each belongs. By default they are those
                of the fit, one by one; with a single piece they may be any.

        Raises:
            InvalidArray: The clock jumped, and it is not said to which frames the stamps belong.
        """
        stamps = np.asarray(device_ns, dtype=np.int64)
        elapsed = stamps + self._shifts(stamps.shape, frames) - self.device_origin_ns
        heights = self._edge.heights_at(elapsed.astype(np.float64))
        drift = np.rint(heights - self._edge.heights_at(np.zeros(1))).astype(np.int64)
        host: NDArray[np.int64] = self.host_origin_ns + elapsed + drift
        return host

    def _shifts(
        self, shape: tuple[int, ...], frames: NDArray[np.int64] | None
    ) -> NDArray[np.int64]:
        if len(self.pieces) == 1:
            return np.zeros(shape, dtype=np.int64)
        if frames is None:
            if shape != (self.frames,):
                message = (
                    f"clock fit: the clock jumped {len(self.pieces) - 1} times, so that {shape} "
                    f"stamps do not tell a time without their frames. Pass frames="
                )
                raise InvalidArray(message)
            frames = np.arange(self.frames)
        firsts = [piece.first_frame for piece in self.pieces]
        shifts: NDArray[np.int64] = self._shift_ns[np.searchsorted(firsts, frames, "right") - 1]
        return shifts


def fit_clock(
    device_ns: NDArray[np.int64],
    host_ns: NDArray[np.int64],
    *,
    wrap_ns: float | None = None,
    resolution_ns: float = 0.0,
    restarts: Sequence[int] = (),
) -> ClockFit:
    """The tightest edge below all arrivals: device clock to host clock.

    Counters that rolled over are carried on and clocks that were set are found first; all pieces
    share one drift. The edge is straight unless the earliest arrivals say otherwise.

    Args:
        device_ns: int64 (T,), stamps of the device's clock.
        host_ns: int64 (T,), arrivals on the host's monotonic clock.
        wrap_ns: Nanoseconds until the device's counter begins again; by default the usual periods
            of 32 bits are tried.
        resolution_ns: Step in which the stamps count, where that is known to be coarser than they
            show.
        restarts: Frames before which the camera was opened again, so that its clock may have begun
            anew; others are found.

    Raises:
        InvalidArray: No frames, or lengths differ.
        NotAligned: Stamps run so fast or slow that no clock in nanoseconds does, and no wait of two
            seconds explains it, or jump all the time.
    """
    device, host = _checked_stamps(device_ns, host_ns)
    if _standstill(device, host) >= _STANDSTILL:
        return _unusable(device, host)
    turns = unwrap_counter(device, host, wrap_ns)
    found_ns = find_resolution_ns(device + turns)
    fitted = fit_pieces(device + turns, host, max(found_ns, resolution_ns), restarts)
    # Stamps that are cut off are early by up to a step; the edge holds for those by none. Half a
    # step later the error goes both ways.
    half_step_ns = found_ns // 2
    count_ns = max(found_ns / 2, resolution_ns - half_step_ns)
    uncertainty = _uncertainty(fitted, _standing_ns(device, host) + count_ns)
    height_ns = round(float(fitted.edge.heights_at(np.zeros(1))[0]))
    residual_ms = fitted.residual_ns / _NS_PER_MS
    return ClockFit(
        device_origin_ns=int(device[0]),
        host_origin_ns=int(host[0]) + height_ns + half_step_ns,
        drift_ppm=_drift_ppm(fitted.edge),
        residual_median_ms=float(np.median(residual_ms)),
        residual_p95_ms=float(np.percentile(residual_ms, 95)),
        residual_max_ms=float(residual_ms.max()),
        bound_ms=largest_lift_ns(fitted.residual_ns) / _NS_PER_MS,
        frames=len(device),
        is_usable=True,
        pieces=_pieces(turns, fitted, uncertainty, restarts),
        uncertainty_ns=uncertainty,
        _edge=fitted.edge,
        _shift_ns=(fitted.shift_ns[fitted.piece] + turns)[_firsts(turns, fitted.piece)],
    )


def trust_host_stamps(stamps_ns: NDArray[np.int64], host_ns: NDArray[np.int64]) -> ClockFit:
    """The times that stamps of the host's own clock are: there is no offset or drift to find.

    How sure a driver's stamps are, no stamp tells, apart from the step in which they count and from
    those that are later than the arrival.

    Args:
        stamps_ns: int64 (T,), stamps that a driver took from the host's monotonic clock.
        host_ns: int64 (T,), arrivals on the same clock.

    Raises:
        InvalidArray: No frames, or lengths differ.
    """
    stamps, host = _checked_stamps(stamps_ns, host_ns)
    ahead_ns = np.maximum(stamps - host, 0)
    origin_ns = int(stamps[0])
    return _unfitted(
        origin_ns,
        origin_ns,
        np.maximum(host - stamps, 0),
        ahead_ns + find_resolution_ns(stamps),
        bound_ms=0.0,
        is_usable=True,
    )


def in_order(host_ns: NDArray[np.int64], uncertainty_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Host times (T,) that never go back: frames are exposed in the order in which they arrive.

    A time that is much less sure than most is moved between its sure neighbours, not they.

    Args:
        host_ns: int64 (T,), from `ClockFit.to_host`.
        uncertainty_ns: int64 (T,), `ClockFit.uncertainty_ns`.
    """
    is_sure = uncertainty_ns <= _TIMES_UNSURE * np.median(uncertainty_ns)
    limits = np.iinfo(np.int64)
    earliest = np.maximum.accumulate(np.where(is_sure, host_ns, limits.min))
    latest = np.minimum.accumulate(np.where(is_sure, host_ns, limits.max)[::-1])[::-1]
    between = np.maximum(np.where(is_sure, host_ns, np.minimum(host_ns, latest)), earliest)
    ordered: NDArray[np.int64] = np.maximum.accumulate(between)
    return ordered


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
    return device, host


def _standstill(device: NDArray[np.int64], host: NDArray[np.int64]) -> float:
    """Share of the take during which the stamps did not change."""
    passed = np.diff(host)
    return float(passed[np.diff(device) == 0].sum() / max(passed.sum(), 1))


def _standing_ns(device: NDArray[np.int64], host: NDArray[np.int64]) -> NDArray[np.float64]:
    """For how long (T,) each stamp has been the same: all that time may be missing from it."""
    is_new = np.append(True, np.diff(device) != 0)
    began = np.maximum.accumulate(np.where(is_new, np.arange(len(device)), 0))
    return (host - host[began]).astype(np.float64)


def _uncertainty(fitted: FittedPieces, known_ns: NDArray[np.float64]) -> NDArray[np.int64]:
    """Bound (T,) of the error of each frame's time, nanoseconds, with what is known beforehand."""
    reach = (fitted.edge.knots_ns[-1] - fitted.edge.knots_ns[0]) / (len(fitted.edge.knots_ns) - 1)
    luck = bound_edge(fitted.elapsed_ns, fitted.residual_ns, fitted.piece, reach / 2)
    bend = bound_bend_ns(fitted.elapsed_ns, fitted.residual_ns)
    whole = luck + bend + known_ns + fitted.doubt_ns
    return np.ceil(whole).astype(np.int64)


def _drift_ppm(edge: LowerEdge) -> float:
    rise_ns = edge.heights_ns[-1] - edge.heights_ns[0]
    slope = rise_ns / (edge.knots_ns[-1] - edge.knots_ns[0])
    return float(np.clip(slope * 1e6, -MAX_DRIFT_PPM, MAX_DRIFT_PPM))


def _firsts(turns: NDArray[np.int64], piece: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first frames of runs in which the stamps did not jump."""
    is_jump = (np.diff(turns) != 0) | (np.diff(piece) != 0)
    return np.append(0, np.flatnonzero(is_jump) + 1)


def _pieces(
    turns: NDArray[np.int64],
    fitted: FittedPieces,
    uncertainty_ns: NDArray[np.int64],
    restarts: Sequence[int],
) -> tuple[ClockPiece, ...]:
    firsts = _firsts(turns, fitted.piece)
    lasts = np.append(firsts[1:], len(turns))
    shift = (fitted.shift_ns[fitted.piece] + turns)[firsts]
    is_step = np.diff(fitted.piece[firsts], prepend=-1) != 0
    causes: list[Literal["step", "wrap", "restart"]] = [
        "restart" if first in restarts else "step" if step else "wrap"
        for first, step in zip(firsts.tolist(), is_step.tolist(), strict=True)
    ]
    return tuple(
        ClockPiece(
            first_frame=int(firsts[n]),
            frames=int(lasts[n] - firsts[n]),
            cause=causes[n] if n else "start",
            jump_ns=int(shift[n - 1] - shift[n]) if n else 0,
            uncertainty_ms=float(uncertainty_ns[firsts[n] : lasts[n]].max()) / _NS_PER_MS,
        )
        for n in range(len(firsts))
    )


def _unusable(device: NDArray[np.int64], host: NDArray[np.int64]) -> ClockFit:
    """The fit of a clock that stands still: every frame as late as the take is long."""
    since = host - host[0]
    whole = np.full(len(host), since[-1])
    bound_ms = largest_lift_ns(since.astype(np.float64)) / _NS_PER_MS
    return _unfitted(int(device[0]), int(host[0]), since, whole, bound_ms=bound_ms, is_usable=False)


def _unfitted(
    device_origin_ns: int,
    host_origin_ns: int,
    delay_ns: NDArray[np.int64],
    uncertainty_ns: NDArray[np.int64],
    *,
    bound_ms: float,
    is_usable: bool,
) -> ClockFit:
    """One piece without drift, of delays (T,) and uncertainties (T,) that are known without fit."""
    delay_ms = delay_ns / _NS_PER_MS
    frames = len(delay_ns)
    return ClockFit(
        device_origin_ns=device_origin_ns,
        host_origin_ns=host_origin_ns,
        drift_ppm=0.0,
        residual_median_ms=float(np.median(delay_ms)),
        residual_p95_ms=float(np.percentile(delay_ms, 95)),
        residual_max_ms=float(delay_ms.max()),
        bound_ms=bound_ms,
        frames=frames,
        is_usable=is_usable,
        pieces=(ClockPiece(0, frames, "start", 0, float(uncertainty_ns.max()) / _NS_PER_MS),),
        uncertainty_ns=uncertainty_ns,
        _edge=LowerEdge(np.array([0.0, 1.0]), np.zeros(2), np.zeros(1)),
        _shift_ns=np.zeros(1, dtype=np.int64),
    )
