"""When each frame was exposed, and which depth and thermal frame goes with each color frame."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import NotAligned
from mavfer.study.stream_clock import fit_stream_clock
from mavfer.vision.pairing import pair_limit_ns, pair_nearest, sync_statistics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mavfer.streams import StreamName
    from mavfer.study.session import Session
    from mavfer.study.stream_clock import StreamClock

__all__ = ["Pairing", "Timeline", "align_times", "require_synchronised"]

_LEAST_PAIRED: Final = 0.5
_MOST_BENT_MS: Final = 50.0
"""Limits (ours) beyond which a take is no take of three streams: half of the color frames without
a partner, or a clock that strays from its line by more than one and a half frames."""

_UNUSABLE: Final = 1 | 2
"""Camera's flags of frames without pixels of their own: shutter closed, incomplete."""


@dataclass(frozen=True)
class Pairing:
    """The frames of another stream that go with the color frames."""

    index: NDArray[np.int64]
    """(T,) row in streams.h5, -1 where none is near enough."""
    host_ns: NDArray[np.int64]
    """(T,) its time on the host's clock, -1 where none."""
    gap_ns: NDArray[np.int64]
    """(T,) its time minus the color frame's, 0 where none."""
    flags: NDArray[np.uint16]
    """(T,) what the camera said of it, 0 where none."""

    @cached_property
    def usable(self) -> NDArray[np.bool_]:
        """(T,) True where there is a frame with pixels of its own."""
        usable: NDArray[np.bool_] = (self.index >= 0) & ((self.flags & _UNUSABLE) == 0)
        return usable


@dataclass(frozen=True)
class Timeline:
    """The color frames in time, and what goes with them."""

    color_ns: NDArray[np.int64]
    """(T,) middle of the exposure on the host's monotonic clock, never going back."""
    pairings: dict[StreamName, Pairing]
    """Depth and thermal, where the session has them."""
    report: dict[str, Any]
    """The synchronisation report: per stream the clock fit and how well frames pair."""

    @property
    def rate_hz(self) -> float | None:
        """Color frames a second, from the median step; None for a single frame."""
        if len(self.color_ns) < 2:  # noqa: PLR2004 (a step needs two frames)
            return None
        return float(1e9 / np.median(np.diff(self.color_ns)))


def align_times(session: Session) -> Timeline:
    """Fits each stream's clock to the host's and pairs its frames with the color frames.

    No pixel is read.

    Raises:
        NotAligned: A stream has no frames, or its stamps cannot be brought onto the host's clock.
    """
    color = _stream_clock(session, "color")
    color_ns = color.host_ns
    report: dict[str, Any] = {"color": {"frames": len(color_ns), "fit": color.describe()}}
    pairings: dict[StreamName, Pairing] = {}
    for stream in session.streams:
        if stream == "color":
            continue
        clock = _stream_clock(session, stream)
        other_ns = clock.host_ns
        period_ns = 1e9 / session.document["streams"][stream]["rate_hz"]
        index, gap_ns = pair_nearest(color_ns, other_ns, pair_limit_ns(period_ns))
        pairings[stream] = _pairing(session, stream, index, gap_ns, other_ns)
        statistics = sync_statistics(color_ns, other_ns, index, gap_ns, clock.fit)
        report[stream] = {
            "frames": len(other_ns),
            "rate_hz": 1e9 / period_ns,
            "fit": clock.describe(),
            "pairing": _finite(asdict(statistics)),
        }
    return Timeline(color_ns, pairings, report)


def require_synchronised(session: str, timeline: Timeline) -> None:
    """Returns where the streams go together well enough to be worth a look at their pixels.

    Raises:
        NotAligned: Too few color frames have a partner, or a clock does not run straight.
    """
    for stream, report in timeline.report.items():
        bent_ms = report["fit"]["bound_ms"]
        if bent_ms is not None and bent_ms > _MOST_BENT_MS:
            message = (
                f"session {session}, {stream}: the camera's clock strays by {bent_ms:.0f} ms "
                f"from its fit; at most {_MOST_BENT_MS:.0f} ms can be mended. Record the "
                f"take again; see docs/record.md on clocks"
            )
            raise NotAligned(message)
    frames = len(timeline.color_ns)
    for stream, pairing in timeline.pairings.items():
        paired = int((pairing.index >= 0).sum())
        if paired < _LEAST_PAIRED * frames:
            message = (
                f"session {session}, {stream}: only {paired} of {frames} color frames have a "
                f"{stream} frame near in time. Leave the stream out of session.json, or record the "
                f"take again"
            )
            raise NotAligned(message)


def _stream_clock(session: Session, stream: StreamName) -> StreamClock:
    """Times of a stream's frames on the host's clock, and the fit they come from."""
    times = session.times(stream)
    where = f"session {session.name}, {stream}"
    if len(times) == 0:
        message = f"{where}: no frames. Record the take again, or leave the stream out of the rig"
        raise NotAligned(message)
    try:
        return fit_stream_clock(times)
    except NotAligned as error:
        message = f"{where}: {error}"
        raise NotAligned(message) from error


def _pairing(
    session: Session,
    stream: StreamName,
    index: NDArray[np.int64],
    gap_ns: NDArray[np.int64],
    other_ns: NDArray[np.int64],
) -> Pairing:
    flags = session.times(stream)["flags"]
    is_paired = index >= 0
    return Pairing(
        index=index,
        host_ns=np.where(is_paired, other_ns[index], -1),
        gap_ns=gap_ns,
        flags=np.where(is_paired, flags[index], 0).astype(np.uint16),
    )


def _finite(document: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN: unknown numbers become null."""
    return {
        key: None if isinstance(value, float) and not np.isfinite(value) else value
        for key, value in document.items()
    }
