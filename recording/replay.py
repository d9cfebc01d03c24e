"""A recorded session as cameras again: every frame as it came, in real time, faster, or at once.

The cameras give what is stored: counts, stamps of the device, numbers, exposures, flags, details;
what was lost is missing again. Times of the host are moved, all by the same, so that the session
begins now; at another pace they run on as they were recorded. Color is what color.mkv decodes to.
Marks of stimuli are not played, for cameras have none.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from mavfer.errors import CommandError, DataError, NotFound
from mavfer.files import read_json
from mavfer.schema import require_valid
from mavfer.study.color_writer import COLOR_CODECS
from mavfer.study.session import Session
from recording.replay_camera import ReplayCamera, ReplayStart

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mavfer.streams import StreamName
    from recording.camera import Camera

__all__ = ["Pace", "ReplayRig", "StreamReplay", "play", "report_replay"]

Pace = Literal["real", "fast"] | float
"""real: each frame when its time has come; fast: as soon as it is read; a number: so many times as
fast as it was recorded."""

_NANOSECONDS: Final = 1_000_000_000
_NANOSECONDS_A_MILLISECOND: Final = 1_000_000
_PATIENCE_SECONDS: Final = 0.2


class ReplayRig:
    """The cameras of a recorded session, in the folder `folder`.

    Args:
        folder: The session's.
        pace: How fast.
        seconds: Length of the session that is played; all of it where None.
        start_ns: The host's monotonic clock at the session's first frame; now, when the first
            camera starts, where None.

    Raises:
        NotFound: There is no session, or its calibration is missing.
        DataError: It was interrupted or is damaged.
        CommandError: A pace that cannot be.
    """

    name = "replay"

    def __init__(
        self,
        folder: Path,
        *,
        pace: Pace = "real",
        seconds: float | None = None,
        start_ns: int | None = None,
    ) -> None:
        self.session = Session.open(folder)
        """What is played."""
        _require_whole(self.session)
        factor = _factor(pace)
        self.is_paced = factor is not None
        """True where frames come in time, so that a full queue means a drop."""
        self._pace = pace
        times = {stream: self.session.times(stream)["host_ns"] for stream in self.session.streams}
        first_ns = min(int(host_ns[0]) for host_ns in times.values() if len(host_ns))
        last_ns = max(int(host_ns[-1]) for host_ns in times.values() if len(host_ns))
        if seconds is not None:
            last_ns = min(last_ns, first_ns + round(seconds * _NANOSECONDS))
        self._seconds = (last_ns - first_ns) / _NANOSECONDS
        start = ReplayStart(start_ns, first_ns=first_ns)
        self.replays = [
            ReplayCamera(self.session, stream, start, factor=factor, last_ns=last_ns)
            for stream in self.session.streams
        ]
        """One camera a stream, color first."""
        self._calibration = _read_calibration(self.session)

    @property
    def cameras(self) -> list[Camera]:
        """One camera a stream, color first."""
        return list(self.replays)

    @property
    def calibration(self) -> dict[str, Any] | None:
        """The document of the calibration that was in force; None where there was none."""
        return self._calibration

    @property
    def settings(self) -> dict[str, Any]:
        """What is played, and how long it is."""
        codec = self.session.document["streams"]["color"]["codec"]
        if codec == "camera-jpeg":  # frames that were decoded have no JPEG to keep
            codec = "jpeg95"
        return {
            "session": self.session.name,
            "pace": self._pace,
            "seconds": self._seconds,
            "color_codec": codec if codec in COLOR_CODECS else "h264",
        }


@dataclass(frozen=True)
class StreamReplay:
    """How one stream was played."""

    frames: int
    lost: int
    """Frames of which the camera told that they are lost; gaps of its count are not among them."""
    rate_hz: float | None
    """Frames a second of the replay, from the first to the last; None for fewer than two."""
    late_ms_median: float | None
    """How much after their time frames were given; None without a pace."""
    late_ms_most: float | None

    def to_document(self) -> dict[str, Any]:
        """The report as JSON says it."""
        return asdict(self)


def play(rig: ReplayRig, advance: Callable[[int], None] | None = None) -> None:
    """Plays a session to its end, into nothing, all streams in the order of arrival.

    Args:
        rig: The session's cameras.
        advance: Called with 1 after each frame.

    Raises:
        InvalidFile: A frame cannot be read.
    """
    left = list(rig.replays)
    try:
        for camera in left:
            camera.open()
        for camera in left:
            camera.start()
        while left := [camera for camera in left if camera.next_ns is not None]:
            camera = min(left, key=lambda camera: camera.next_ns or 0)
            before = camera.frames
            while camera.read(_PATIENCE_SECONDS) is None:
                pass
            if advance is not None:
                advance(camera.frames - before)
    finally:
        for camera in rig.replays:
            camera.close()


def report_replay(rig: ReplayRig) -> dict[StreamName, StreamReplay]:
    """How a rig that was played, or recorded from, kept its pace."""
    return {camera.info.stream: _report(camera) for camera in rig.replays}


def _report(camera: ReplayCamera) -> StreamReplay:
    late_ms = np.array(camera.late_ns) / _NANOSECONDS_A_MILLISECOND
    first_ns, last_ns = camera.span_ns or (0, 0)
    seconds = (last_ns - first_ns) / _NANOSECONDS
    return StreamReplay(
        frames=camera.frames,
        lost=camera.lost,
        rate_hz=round((camera.frames - 1) / seconds, 3) if seconds > 0 else None,
        late_ms_median=round(float(np.median(late_ms)), 3) if len(late_ms) else None,
        late_ms_most=round(float(late_ms.max()), 3) if len(late_ms) else None,
    )


def _factor(pace: Pace) -> float | None:
    """How many times as fast as it was recorded; None without a pace."""
    if pace == "fast":
        return None
    factor = 1.0 if pace == "real" else float(pace)
    if not 0 < factor < float("inf"):
        message = f"pace {pace}: cannot be. Give real, fast, or a number above 0, for example 2"
        raise CommandError(message)
    return factor


def _require_whole(session: Session) -> None:
    if session.state in {"recording", "damaged"}:
        message = (
            f"session {session.name} was interrupted or is damaged, so it is not played. "
            f"Run: mavfer audit {session.folder}"
        )
        raise DataError(message)
    if not any(len(session.times(stream)) for stream in session.streams):
        message = f"session {session.name} has no frames. Run: mavfer audit {session.folder}"
        raise DataError(message)


def _read_calibration(session: Session) -> dict[str, Any] | None:
    """The document of the calibration that the session names, from its study."""
    if session.calibration is None:
        return None
    path = session.folder.resolve().parents[1] / "calibration" / f"{session.calibration}.json"
    if not path.is_file():
        message = f"{path}: missing; session {session.name} needs it. Copy it back"
        raise NotFound(message)
    document: dict[str, Any] = read_json(path)
    require_valid(document, "calibration", path)
    return document
