"""The lower edge of a take's delays, piece by piece where the clock was set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.errors import NotAligned
from mavfer.vision.clock_bound import is_bent, largest_lift_ns
from mavfer.vision.clock_edge import MAX_DRIFT_PPM, LowerEdge, fit_lower_edge
from mavfer.vision.clock_spacings import classify_spacings
from mavfer.vision.clock_steps import find_steps, rough_delays

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mavfer.vision.clock_spacings import Spacings
    from mavfer.vision.clock_steps import RoughDelays

__all__ = ["FittedPieces", "fit_pieces"]

_TIMES_DOUBT: Final = 4.0
_LONGEST_WAIT_NS: Final = 2e9
"""For so long frames may wait for a busy host: two seconds of a camera's buffers (ours)."""
_NO_STEP_NS: Final = 150_000.0
"""What the edge has between two pieces must be more than this, or they are one."""
_FRAMES_TO_KNOW: Final = 60
_SEGMENTS: Final = (1, 2, 4, 8, 16)
_LATE_PERCENTILE: Final = 80
_LEAST_SEGMENT_NS: Final = 30e9
_LEAST_SEGMENT_FRAMES: Final = 200
_FREE_WRONG: Final = 2
_FRAMES_PER_WRONG: Final = 40
"""Of a take two stamps, and one in forty, may be wrong before they are no clock's."""


@dataclass(frozen=True)
class FittedPieces:
    """An edge, and the frames as they lie above it."""

    edge: LowerEdge
    """Over device times after the first stamp, as delays after the first."""
    shift_ns: NDArray[np.int64]
    """(K,) what brings the stamps of each piece onto the first's."""
    piece: NDArray[np.int64]
    """(T,) number of each frame's piece, ascending from 0."""
    elapsed_ns: NDArray[np.float64]
    """(T,) device times after the first stamp, without steps."""
    residual_ns: NDArray[np.float64]
    """(T,) delays above the edge, at least 0."""
    doubt_ns: NDArray[np.float64]
    """(T,) how wrong a late frame is if it belongs to the other side of a step; mostly 0."""


def fit_pieces(
    device_ns: NDArray[np.int64],
    host_ns: NDArray[np.int64],
    resolution_ns: float,
    restarts: Sequence[int] = (),
) -> FittedPieces:
    """Finds where the clock was set, and the edge that all pieces share.

    Args:
        device_ns: int64 (T,), stamps of a counter that does not roll over.
        host_ns: int64 (T,), arrivals.
        resolution_ns: Step in which the stamps count.
        restarts: Frames that are known to begin a piece.

    Raises:
        NotAligned: Stamps run at a rate that no clock in nanoseconds has, or jump all the time.
    """
    goes_back = (np.flatnonzero(np.diff(device_ns) < 0) + 1).tolist()
    _require_few_jumps(goes_back, len(device_ns), each=1)
    elapsed = (host_ns - host_ns[0]).astype(np.float64)
    delay = host_ns - host_ns[0] - (device_ns - device_ns[0])
    rough = rough_delays(elapsed, delay.astype(np.float64))
    _require_a_clock(rough, float(elapsed[-1]))
    spacings = classify_spacings(device_ns, host_ns, resolution_ns)
    cuts = find_steps(elapsed, rough.level_ns, spacings)
    _require_few_jumps(cuts, len(device_ns), each=2)
    known = frozenset(restarts) - {0}
    cuts = sorted(known.union(cuts))
    fitted = _fit(device_ns - device_ns[0], delay, rough.level_ns, cuts)
    kept = _real_steps(cuts, known, fitted, spacings)
    if kept != cuts:
        fitted = _fit(device_ns - device_ns[0], delay, rough.level_ns, kept)
    return replace(fitted, doubt_ns=_doubts(fitted, spacings, known))


def _real_steps(
    cuts: list[int], known: frozenset[int], fitted: FittedPieces, spacings: Spacings
) -> list[int]:
    """The cuts at which the edge has a step, and one that the spacing of stamps allows.

    Of a piece of a few frames the step is not well enough known to ask by how much the grid moved.
    A cut that is known stays, however small its step is.
    """
    steps_ns = -np.diff(fitted.shift_ns)
    counts = np.bincount(fitted.piece)
    shorter = np.minimum(counts[1:], counts[:-1])
    return [
        cut
        for cut, step_ns, frames in zip(cuts, steps_ns.tolist(), shorter.tolist(), strict=True)
        if cut in known
        or (
            abs(step_ns) > _NO_STEP_NS
            and not spacings.is_regular(cut, step_ns)
            and (frames < _FRAMES_TO_KNOW or spacings.may_step(cut, step_ns))
        )
    ]


def _require_a_clock(rough: RoughDelays, last_ns: float) -> None:
    """Raises NotAligned where the stamps run so fast or slow that no delay explains it.

    Frames that waited while the host was busy, or that queue up, look like a clock that drifts. So
    it is not the rate that tells, but what it adds up to until the last arrival: a wait of seconds.
    """
    explained_ns = (MAX_DRIFT_PPM * 1e-6 + _TIMES_DOUBT * rough.doubt) * last_ns + _LONGEST_WAIT_NS
    if abs(rough.drift) * last_ns > explained_ns:
        message = (
            f"device clock drifts by {rough.drift * 1e6:.0f} ppm against the host: its stamps are "
            f"not nanoseconds. Check clock_hz of the camera, or use arrival times"
        )
        raise NotAligned(message)


def _require_few_jumps(jumps: list[int], frames: int, each: int) -> None:
    """Raises NotAligned, naming the first frame, where stamps jump all the time.

    `each` is how many of these jumps one wrong stamp makes.
    """
    if len(jumps) > each * (_FREE_WRONG + frames / _FRAMES_PER_WRONG):
        message = (
            f"device stamps jump {len(jumps)} times in {frames} frames, first at frame "
            f"{jumps[0]}: they are no clock's. Use arrival times, or record the take again"
        )
        raise NotAligned(message)


def _fit(
    device_ns: NDArray[np.int64],
    delay_ns: NDArray[np.int64],
    level_ns: NDArray[np.float64],
    cuts: list[int],
) -> FittedPieces:
    """The edge of given pieces, bent no more than it has to be."""
    firsts = np.array([0, *cuts])
    piece = np.repeat(np.arange(len(firsts)), np.diff([*firsts, len(device_ns)]))
    least = np.minimum.reduceat(level_ns, firsts)
    shift = np.rint(least - least[0]).astype(np.int64)
    elapsed = (device_ns + shift[piece]).astype(np.float64)
    above = (delay_ns - shift[piece]).astype(np.float64)
    edge, residual = _straightest_edge(elapsed, above, piece)
    # A stamp that is moved by its offset comes to lie where the edge is higher by the drift in it.
    slope = (edge.heights_ns[-1] - edge.heights_ns[0]) / (edge.knots_ns[-1] - edge.knots_ns[0])
    shift += np.rint(edge.offsets_ns / (1 + slope)).astype(np.int64)
    return FittedPieces(edge, shift, piece, elapsed, residual, np.zeros(len(piece)))


def _straightest_edge(
    elapsed: NDArray[np.float64], above: NDArray[np.float64], piece: NDArray[np.int64]
) -> tuple[LowerEdge, NDArray[np.float64]]:
    """The edge with the fewest bends that rests on all parts of the take, and what is above it.

    Where none does, because it is not the clock that bends, it is the one that comes nearest.
    """
    tried = []
    for segments in _segment_counts(elapsed):
        edge = fit_lower_edge(elapsed, above, piece, segments)
        residual = np.maximum(above - edge.heights_at(elapsed) - edge.offsets_ns[piece], 0)
        if not is_bent(residual):
            return edge, residual
        tried.append((largest_lift_ns(residual), edge, residual))
    _, edge, residual = min(tried, key=itemgetter(0))
    return edge, residual


def _segment_counts(elapsed_ns: NDArray[np.float64]) -> list[int]:
    """Numbers of stretches to try, fewest first: as long as each is long enough to be placed."""
    most = min(np.ptp(elapsed_ns) / _LEAST_SEGMENT_NS, len(elapsed_ns) / _LEAST_SEGMENT_FRAMES)
    return [count for count in _SEGMENTS if count <= max(most, 1)]


def _doubts(fitted: FittedPieces, spacings: Spacings, known: frozenset[int]) -> NDArray[np.float64]:
    """How wrong frames (T,) may be that are late where a stamp may have jumped.

    Those are late frames of odd spacing, whose lateness could hide that only they were stamped
    wrongly, frames of which the spacings before and after say so, and what lies beside a step that
    is not known beforehand, or beside a grid that moved while all frames there are late.
    """
    is_late = fitted.residual_ns > np.percentile(fitted.residual_ns, _LATE_PERCENTILE)
    may_hide = (is_late & spacings.is_odd) | spacings.may_be_wrong()
    doubt = np.where(may_hide, np.abs(spacings.excess_ns), 0.0)
    cuts = np.flatnonzero(np.diff(fitted.piece)) + 1
    doubt[cuts] = 0
    for frame in np.setdiff1d(spacings.moved_grids(), cuts).tolist():
        beside = _late_beside(frame, is_late)
        doubt[beside] = np.maximum(doubt[beside], abs(spacings.excess_ns[frame]))
    for cut, step_ns in zip(cuts.tolist(), np.diff(fitted.shift_ns).tolist(), strict=True):
        if cut in known:
            continue
        if not spacings.is_odd[cut]:
            beside = _late_beside(cut, is_late)
            doubt[beside] += abs(step_ns)
        elif not spacings.may_step(cut, -step_ns):
            doubt[_shorter_piece(fitted.piece, cut)] += fitted.residual_ns.max()
    return doubt


def _late_beside(cut: int, is_late: NDArray[np.bool_]) -> slice:
    """The late frames on either side of a step, which may belong to the other side of it."""
    on_time = np.flatnonzero(~is_late)
    before = int(on_time[on_time < cut].max(initial=-1)) + 1
    after = int(on_time[on_time >= cut].min(initial=len(is_late)))
    return slice(before, after)


def _shorter_piece(piece: NDArray[np.int64], cut: int) -> NDArray[np.bool_]:
    """Frames (T,) of the shorter piece beside a step; all late where spacing denies it."""
    counts = np.bincount(piece)
    here, before = piece[cut], piece[cut - 1]
    is_shorter: NDArray[np.bool_] = piece == (here if counts[here] < counts[before] else before)
    return is_shorter
