"""What the audit finds in the open streams.h5 of a session: one stream after the other, the marks.

Nothing is changed here, and no pixel is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import InvalidArray, NotAligned
from mavfer.study.stream_clock import fit_stream_clock
from mavfer.study.streams_file import (
    CLOCK_DOMAINS,
    DROP_CAUSES,
    TIMES,
    detail_names,
)
from recording.audit_report import (
    ClockReport,
    GapReport,
    MarkerReport,
    MarkersReport,
    StreamReport,
)
from recording.camera import FrameFlag
from recording.reader import Patience

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from mavfer.streams import StreamName
    from mavfer.study.streams_file import StreamsFile

__all__ = [
    "Span",
    "edges_of",
    "inspect_markers",
    "inspect_stream",
    "notices_of",
    "problems_of",
    "read_times",
]

_NANOSECONDS: Final = 1_000_000_000
_NANOSECONDS_A_MILLISECOND: Final = 1_000_000
_PATIENCE: Final = Patience()
_EDGE_SECONDS: Final = 1.0
"""Cameras are not started and stopped at the same moment."""
_LOST_SHARE: Final = 0.005
_LOST_FRAMES: Final = 10
"""So much is told to whoever goes on with the session; a selftest fails there too."""


@dataclass(frozen=True)
class Span:
    """From the first frame of a take to its last, of any stream, by their arrivals."""

    first_ns: int
    last_ns: int

    @classmethod
    def of(cls, times: Mapping[StreamName, NDArray[Any]]) -> Span:
        """The span of streams by their stamps; nought to nought where there is no frame."""
        known = [rows["host_ns"] for rows in times.values() if len(rows)]
        if not known:
            return cls(0, 0)
        return cls(min(int(rows[0]) for rows in known), max(int(rows[-1]) for rows in known))

    def seconds(self, host_ns: int) -> float:
        """A moment as seconds after the first frame."""
        return round((host_ns - self.first_ns) / _NANOSECONDS, 3)

    def has(self, host_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
        """True where moments lie within."""
        inside: NDArray[np.bool_] = (self.first_ns <= host_ns) & (host_ns <= self.last_ns)
        return inside


def read_times(file: StreamsFile, stream: StreamName) -> NDArray[Any]:
    """Stamps (T,) of a stream, of type `TIMES`; none where the file lacks it."""
    name = f"/{stream}/times"
    rows: NDArray[Any] = file[name][:] if name in file else np.empty(0, TIMES)
    return rows


def problems_of(
    stream: StreamName, file: StreamsFile, times: NDArray[Any], pixels: int
) -> Iterator[str]:
    """What is wrong in a stream: things that are missing, or times that go back.

    Args:
        stream: Which.
        file: The session's open streams.h5.
        times: The stream's stamps.
        pixels: How many of its frames are in the files.
    """
    if len(times) != pixels:
        yield f"{stream}: {pixels} frames for {len(times)} stamps"
    if detail_names(file, stream):
        details = len(file[f"/{stream}/details"])
        if details != len(times):
            yield f"{stream}: {details} rows of details for {len(times)} stamps"
    if not len(times):
        yield f"{stream}: no frames"
    backwards = np.flatnonzero(np.diff(times["host_ns"]) < 0)
    if len(backwards):
        yield f"{stream}: time goes backwards after frame {backwards[0]}"


def inspect_stream(
    times: NDArray[Any], listed: NDArray[Any], *, pixels: int, rate_hz: float, span: Span
) -> StreamReport:
    """What is in one stream.

    Args:
        times: Its stamps, of type `TIMES`.
        listed: Its lost frames, of type `DROPS`.
        pixels: How many of its frames are in the files.
        rate_hz: Frames a second that the camera was asked for.
        span: Of the take.
    """
    host_ns = times["host_ns"]
    causes = {name: np.count_nonzero(listed["cause"] == code) for name, code in DROP_CAUSES.items()}
    flags = {str(flag.name).lower(): np.count_nonzero(times["flags"] & flag) for flag in FrameFlag}
    return StreamReport(
        frames=min(len(host_ns), pixels),
        drops=len(listed),
        causes={name: int(count) for name, count in causes.items() if count},
        flags={name: int(count) for name, count in flags.items() if count},
        rate_hz=_mean_rate_hz(times),
        longest_gap_ms=_longest_gap_ms(host_ns),
        gaps=tuple(_gaps(times, rate_hz, span)),
        clock=_clock(times),
    )


def inspect_markers(markers: NDArray[Any], span: Span) -> MarkersReport:
    """What marks of stimuli, of type `MARKERS`, there are in a take."""
    host_ns = markers["host_ns"]
    by_time = [
        MarkerReport(row["label"].decode(errors="replace"), span.seconds(int(row["host_ns"])))
        for row in markers[np.argsort(host_ns, kind="stable")]
    ]
    return MarkersReport(
        count=len(markers),
        first=by_time[0] if by_time else None,
        last=by_time[-1] if by_time else None,
        is_in_order=bool((np.diff(host_ns) >= 0).all()),
        outside=int(np.count_nonzero(~span.has(host_ns))),
    )


def edges_of(
    times: Mapping[StreamName, NDArray[Any]], rates_hz: Mapping[StreamName, float], span: Span
) -> Iterator[str]:
    """Streams that begin late or end early, by a second at least and twice what a stall is.

    Args:
        times: Stamps of every stream, of type `TIMES`.
        rates_hz: Frames a second that cameras were asked for.
        span: Of the take.
    """
    for name, rows in times.items():
        if not len(rows):
            continue
        least = max(_EDGE_SECONDS, 2 * _PATIENCE.until_stalled_seconds(rates_hz[name]))
        late = (int(rows["host_ns"][0]) - span.first_ns) / _NANOSECONDS
        early = (span.last_ns - int(rows["host_ns"][-1])) / _NANOSECONDS
        if late > least:
            yield f"{name}: begins {late:.1f} s after the take"
        if early > least:
            yield f"{name}: ends {early:.1f} s before the take"


def notices_of(streams: Mapping[StreamName, StreamReport], markers: MarkersReport) -> Iterator[str]:
    """What is no damage and still should be known before the session is used."""
    for name, stream in streams.items():
        lost = stream.drops - stream.causes.get("disk", 0)  # of that an interruption tells
        part = lost / max(1, stream.frames + stream.drops)
        if part > _LOST_SHARE and lost >= _LOST_FRAMES:
            yield f"{name}: {part:.1%} of its frames are lost. See why: mavfer rig selftest RIG"
        clock = stream.clock
        if clock is not None and clock.fit is None:
            yield f"{name}: no clock fit, so preprocessing will refuse the session: {clock.problem}"
        elif clock is not None and clock.fit and _stands_still(clock):
            yield f"{name}: the camera's stamps stand still; times of arrival will be used"
    if markers.outside:
        share = f"{markers.outside} of {markers.count}"
        yield f"markers: {share} before the first frame or after the last"
    if not markers.is_in_order:
        yield "markers: not in the order of their times"


def _stands_still(clock: ClockReport) -> bool:
    is_usable = clock.fit is not None and clock.fit["is_usable"]
    return not is_usable and "arrival" not in clock.domains


def _clock(times: NDArray[Any]) -> ClockReport | None:
    """The clock fit, as preprocessing will make it."""
    if not len(times):
        return None
    try:
        clock = fit_stream_clock(times)
    except (NotAligned, InvalidArray) as error:
        codes = np.unique(times["domain"])
        domains = tuple(name for name, code in CLOCK_DOMAINS.items() if code in codes)
        return ClockReport(domains, None, str(error))
    return ClockReport(clock.domains, clock.describe(), None)


def _gaps(times: NDArray[Any], rate_hz: float, span: Span) -> Iterator[GapReport]:
    """Times that end with the first frame of a stretch, or in which a camera is called stalled."""
    least_ns = _PATIENCE.until_stalled_seconds(rate_hz) * _NANOSECONDS
    is_restart = (times["flags"][1:] & FrameFlag.RESTARTED) > 0
    is_long = np.diff(times["host_ns"]) > least_ns
    for row in np.flatnonzero(is_restart | is_long).tolist():
        before, after = times[row], times[row + 1]
        yield GapReport(
            after_frame=row,
            at_seconds=span.seconds(int(before["host_ns"])),
            seconds=round(int(after["host_ns"] - before["host_ns"]) / _NANOSECONDS, 3),
            frames=max(0, int(after["frame_number"] - before["frame_number"]) - 1),
            is_restart=bool(is_restart[row]),
        )


def _mean_rate_hz(times: NDArray[Any]) -> float | None:
    """The rate while the camera was there; times without one do not count."""
    is_going_on = (times["flags"][1:] & FrameFlag.RESTARTED) == 0
    waits_ns = np.diff(times["host_ns"])[is_going_on]
    if not len(waits_ns) or waits_ns.sum() <= 0:
        return None
    return round(len(waits_ns) * _NANOSECONDS / int(waits_ns.sum()), 3)


def _longest_gap_ms(host_ns: NDArray[np.int64]) -> float | None:
    if len(host_ns) < 2:  # noqa: PLR2004 (a gap needs two frames)
        return None
    return round(int(np.diff(host_ns).max()) / _NANOSECONDS_A_MILLISECOND, 3)
