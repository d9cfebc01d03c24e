"""What the pages are made from: the columns of one shard, read once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.study.shards import CARRIED, VALID_BITS, Shard, usable_rows

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mavfer.streams import StreamName

__all__ = ["SessionFacts", "read_facts"]

_NS_A_MILLISECOND: Final = 1e6
_OTHERS: Final[tuple[StreamName, ...]] = ("depth", "thermal")


@dataclass(frozen=True)
class SessionFacts:
    """One session, frame by frame."""

    shard: Shard
    session: str
    is_timed: bool
    """False for stills, which have no time."""
    seconds: NDArray[np.float64]
    """(T,) time in the media; numbers of the stills where there is no time."""
    valid: NDArray[np.uint8]
    """(T,) bits of `validity.Valid`."""
    reason: NDArray[np.uint8]
    """(T,) codes of `validity.Reason`."""
    n_faces: NDArray[np.int16]
    """(T,) faces in color, -1 where nobody looked."""
    quality: NDArray[Any]
    """(T,) with a field for every measure."""
    gaps_ms: dict[StreamName, NDArray[np.float64]]
    """Depth and thermal, where they are: time of the paired frame minus the color frame's (T,),
    NaN where there is none."""
    is_closed: NDArray[np.bool_]
    """(T,) True where the thermal shutter was closed."""

    @property
    def frames(self) -> int:
        """Rows of the shard."""
        return len(self.valid)

    @property
    def step_seconds(self) -> float:
        """Time from frame to frame, in the middle of all steps; 1 for stills."""
        return float(np.median(np.diff(self.seconds))) if self.frames > 1 else 1.0

    @property
    def length_seconds(self) -> float:
        """Time from the first frame to the end of the last."""
        return float(self.seconds[-1] - self.seconds[0]) + self.step_seconds

    @property
    def is_usable(self) -> NDArray[np.bool_]:
        """(T,) True where the face was found or carried."""
        return usable_rows(self.valid)

    @property
    def is_carried(self) -> NDArray[np.bool_]:
        """(T,) True where depth carried the face."""
        return np.asarray((self.valid & CARRIED) != 0)

    def is_valid(self, stream: StreamName) -> NDArray[np.bool_]:
        """(T,) True where a stream can be used."""
        return np.asarray((self.valid & VALID_BITS[stream]) != 0)

    def measure(self, name: str) -> NDArray[np.float64]:
        """One field of the quality column (T,); NaN where an older shard lacks it."""
        if name not in (self.quality.dtype.names or ()):
            return np.full(self.frames, np.nan)
        return np.asarray(self.quality[name], np.float64)


def read_facts(path: Path) -> SessionFacts:
    """The facts of the shard at `path`; no pixel is read.

    Raises:
        NotFound: There is no such shard.
        InvalidFile: It is torn, or none.
    """
    shard = Shard(path)
    is_timed = shard.attributes["kind"] != "stills"
    seconds = shard.time_seconds
    return SessionFacts(
        shard=shard,
        session=path.stem,
        is_timed=is_timed,
        seconds=seconds if is_timed else np.arange(len(seconds), dtype=np.float64),
        valid=shard.valid,
        reason=shard.column("reason"),
        n_faces=shard.column("n_faces"),
        quality=shard.column("quality"),
        gaps_ms={name: _gaps_ms(shard, name) for name in _OTHERS if name in shard.streams},
        is_closed=(shard.column("thermal_flags") & 1).astype(bool),
    )


def _gaps_ms(shard: Shard, stream: StreamName) -> NDArray[np.float64]:
    is_paired = shard.column(f"{stream}_frame") >= 0
    return np.where(is_paired, shard.column(f"{stream}_gap_ns") / _NS_A_MILLISECOND, np.nan)
