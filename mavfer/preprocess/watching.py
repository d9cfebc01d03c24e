"""The first look at a session: where every person's face is in the color frames.

Who of them is the subject is decided when all frames have been seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.vision.people import PeopleTracker
from mavfer.vision.subject import TrackSummary

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mavfer.vision.tracking import FaceObservation

__all__ = ["SIGHTING", "Sightings", "Watch"]

SIGHTING: Final = np.dtype(
    [
        ("frame", "<i4"),
        ("track", "<i4"),
        ("landmarks", "<f4", (68, 2)),
        ("box", "<f4", (3,)),
        ("score", "<f4"),
        ("agreement", "<f4"),
    ]
)
"""One face in one frame: `box` is x and y of its centre and its width in pixels; `agreement` is the
distance of tracker and landmarks in % of the eye distance."""

_FIRST_ROOM: Final = 1024
_STATE: Final = "tracker_"
_OUTER_EYES: Final = (36, 45)
_OUTER_TO_CENTRES: Final = 0.7
"""Distance of the eyes' centres as a share of that of their outer corners."""


@dataclass
class _Rows:
    """Rows in the order in which they came, in an array that grows by half."""

    array: NDArray[Any]
    count: int = 0

    def add(self, rows: NDArray[Any]) -> None:
        """Appends rows."""
        needed = self.count + len(rows)
        if needed > len(self.array):
            grown = np.empty(max(needed, len(self.array) * 3 // 2), self.array.dtype)
            grown[: self.count] = self.array[: self.count]
            self.array = grown
        self.array[self.count : needed] = rows
        self.count = needed


class Sightings:
    """Every face that was seen, in the order of the frames."""

    def __init__(self) -> None:
        self._rows = _Rows(np.empty(_FIRST_ROOM, SIGHTING))

    @property
    def rows(self) -> NDArray[Any]:
        """(N,) of the type `SIGHTING`."""
        return self._rows.array[: self._rows.count]

    def add(self, rows: NDArray[Any]) -> None:
        """Appends sightings of later frames."""
        self._rows.add(rows)

    def of_track(self, track: int) -> NDArray[Any]:
        """The sightings of one track."""
        rows: NDArray[Any] = self.rows[self.rows["track"] == track]
        return rows

    def of_subject(self, subject: tuple[int, ...], frames: int) -> NDArray[np.int64]:
        """(T,) the row of the subject's sighting in each frame, -1 where there is none."""
        where = np.full(frames, -1, np.int64)
        chosen = np.flatnonzero(np.isin(self.rows["track"], subject))
        where[self.rows["frame"][chosen]] = chosen
        return where

    @property
    def tracks(self) -> list[int]:
        """The numbers of all tracks."""
        return [int(track) for track in np.unique(self.rows["track"])]

    def summaries(self, depth_mm: NDArray[np.float32] | None = None) -> list[TrackSummary]:
        """What the choice of the subject is made from; `depth_mm` (N,) goes with `rows`."""
        summaries = []
        for track in self.tracks:
            chosen = self.rows["track"] == track
            rows = self.rows[chosen]
            unknown = np.full(len(rows), np.nan, np.float32)
            summaries.append(
                TrackSummary(
                    track=track,
                    frames=rows["frame"].astype(np.int64),
                    boxes=rows["box"],
                    score=rows["score"],
                    depth_mm=unknown if depth_mm is None else depth_mm[chosen],
                )
            )
        return summaries


class Watch:
    """Follows the faces frame by frame, and can be put down and taken up again."""

    def __init__(self, model: Path, frames: int) -> None:
        """Prepares to watch a session of so many `frames`."""
        self._tracker = PeopleTracker(model)
        self.sightings = Sightings()
        self.n_faces = np.zeros(frames, np.int16)
        """(T,) faces in the color frame when it was last searched."""
        self.watched = 0
        """Frames watched so far."""

    def see(self, gray: NDArray[np.uint8]) -> NDArray[Any]:
        """The faces of the next frame, (n,) of the type `SIGHTING`."""
        faces = self._tracker.update(gray)
        rows = np.empty(len(faces), SIGHTING)
        for row, face in zip(rows, faces, strict=True):
            seen = face.observation
            row["frame"], row["track"] = self.watched, face.track
            row["landmarks"], row["score"] = seen.landmarks, seen.score
            row["box"] = (seen.box.x, seen.box.y, seen.box.width) if seen.box else np.nan
            row["agreement"] = _in_eye_distances(seen)
        self.sightings.add(rows)
        self.n_faces[self.watched] = self._tracker.n_faces
        self.watched += 1
        return rows

    def state(self) -> dict[str, NDArray[Any]]:
        """All that is needed to go on after `watched` frames, besides what was seen in them."""
        return {_STATE + name: array for name, array in self._tracker.state().items()}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Goes on with the tracker as `state` left it."""
        own = {k.removeprefix(_STATE): v for k, v in state.items() if k.startswith(_STATE)}
        self._tracker.restore(own)


def _in_eye_distances(seen: FaceObservation) -> float:
    """Distance of fresh landmarks and flow, from shares of the box to % of the eye distance."""
    if seen.box is None:
        return np.nan
    outer = seen.landmarks[_OUTER_EYES[0]] - seen.landmarks[_OUTER_EYES[1]]
    eye_distance = _OUTER_TO_CENTRES * float(np.hypot(*outer))
    return 100 * seen.agreement * seen.box.width / eye_distance
