"""Tracks put together into people: who was lost, in the dark or behind another, and came back.

A track follows another one where it begins, by place, size and depth, about where the other ended.
Nobody is in two places at once, so tracks of one person never overlap in time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["TrackSummary", "join_tracks"]

_END_FRAMES: Final = 15
"""Where a track begins and ends is the median over so many frames."""
_NEAR_WIDTHS: Final = 1.0
_WIDTHS_A_FRAME: Final = 0.05
_FAR_WIDTHS: Final = 2.0
"""A person may come back one face's width away, further after some frames, but not anywhere."""
_SIZE_RATIO: Final = 1.5
_DEPTH_MM: Final = 250.0
"""People who sit still to be recorded move less than this to and fro."""


@dataclass
class TrackSummary:
    """Where a track was, in the frames in which its face was seen."""

    track: int
    frames: NDArray[np.int64]
    """(n,) numbers of the frames, rising."""
    boxes: NDArray[np.float32]
    """(n, 3) x and y of the face's centre and its width, pixels."""
    score: NDArray[np.float32]
    """(n,) the detector's score."""
    depth_mm: NDArray[np.float32]
    """(n,) distance from the camera; NaN where unknown."""


@dataclass(frozen=True)
class _End:
    """The beginning or the end of a track."""

    frame: int
    place: NDArray[np.float64]
    width: float
    depth_mm: float


def join_tracks(tracks: Sequence[TrackSummary]) -> list[tuple[TrackSummary, ...]]:
    """The tracks of each person, in the order of time; people in the order of their first frame.

    Of all pairs of tracks that could follow each other, the closest are joined first.
    """
    seen = sorted((track for track in tracks if len(track.frames)), key=_order)
    starts = [_end(track, slice(None, _END_FRAMES)) for track in seen]
    ends = [_end(track, slice(-_END_FRAMES, None)) for track in seen]
    pairs = sorted(
        (cost, before, after)
        for before in range(len(seen))
        for after in range(before + 1, len(seen))
        if (cost := _cost(ends[before], starts[after])) is not None
    )
    follows: dict[int, int] = {}
    for _, before, after in pairs:
        if before not in follows and after not in follows.values():
            follows[before] = after
    firsts = [index for index in range(len(seen)) if index not in follows.values()]
    return [tuple(seen[index] for index in _chain(first, follows)) for first in firsts]


def _chain(first: int, follows: dict[int, int]) -> list[int]:
    """A person's tracks, from the first on."""
    chain = [first]
    while chain[-1] in follows:
        chain.append(follows[chain[-1]])
    return chain


def _cost(before: _End, after: _End) -> float | None:
    """How unlike one person's return it is; None where it cannot be one."""
    gap = after.frame - before.frame
    if gap <= 0:
        return None
    width = (before.width + after.width) / 2
    apart = float(np.hypot(*(after.place - before.place))) / width
    larger = max(before.width, after.width) / min(before.width, after.width)
    deeper = abs(after.depth_mm - before.depth_mm)
    deeper = deeper if np.isfinite(deeper) else 0.0
    reach = min(_FAR_WIDTHS, _NEAR_WIDTHS + _WIDTHS_A_FRAME * gap)
    if apart > reach or larger > _SIZE_RATIO or deeper > _DEPTH_MM:
        return None
    return apart / _FAR_WIDTHS + float(np.log(larger) / np.log(_SIZE_RATIO)) + deeper / _DEPTH_MM


def _order(track: TrackSummary) -> tuple[int, int]:
    """By the first frame, so that the order in which tracks are given does not matter."""
    return int(track.frames[0]), track.track


def _end(track: TrackSummary, part: slice) -> _End:
    """The beginning or the end of a track, whichever part it is."""
    x, y, width = np.median(track.boxes[part].astype(np.float64), axis=0)
    frame = track.frames[0] if part.start is None else track.frames[-1]
    return _End(int(frame), np.array([x, y]), float(width), median_or_nan(track.depth_mm[part]))


def median_or_nan(values: NDArray[Any]) -> float:
    """Median of what is known; NaN where nothing is."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else float("nan")
