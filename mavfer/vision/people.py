"""Every person in the gray frames of a take, each followed by a number of their own.

Somebody is in one of three states: TRACK, followed; DOUBT, the detector did not see the face when
it was last asked; LOST, gone, and looked for where they were last. With nobody in any of them the
tracker is in SEARCH. Numbers are never used again: who is lost and comes back starts a new track,
and which tracks are one person is decided when all are known (`vision.subject`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import require
from mavfer.vision.faces import Face, require_gray
from mavfer.vision.scene_memory import SceneMemory
from mavfer.vision.tracking import FaceFollower, FaceObservation, FaceTrack, State
from mavfer.vision.tracking_state import arrays_from_tracks, tracks_from_arrays

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mavfer.vision.landmarks import Box

__all__ = ["PeopleTracker", "TrackedFace"]

_SEARCH_EVERY: Final = 30
"""Frames between two searches of the whole frame for new people, while somebody is followed."""
_SEARCH_AT_LATEST: Final = 90
"""The same where nothing has changed but those who are followed."""
_SEARCH_MISSING: Final = 6
_MISSING_FRAMES: Final = 45
"""The same for so many frames after somebody was lost: they may come back anywhere."""
_SEARCH_AFTER_LOSS: Final = 3
"""Frames after somebody was lost in each of which the whole frame is searched."""
_EAGER_FRAMES: Final = 15
_BACK_OFF: Final = 3
"""Who is gone for longer than 15 frames is looked for on every third only."""
_FORGET_AFTER: Final = 90
"""Frames for which somebody who is lost is looked for where they were last."""
_REFUSALS_TO_LOSE: Final = 4
_MOVED: Final = 0.2
"""A face seen this far (in widths) from the track's own box starts the track anew."""
_REACH: Final = 0.6
"""A face seen further away is somebody else's."""
_RETURNED: Final = 1.0
"""Who turns up this near to where somebody was lost is taken for them."""
_CLASH: Final = 0.45
"""Two faces cannot be closer, in widths of the wider: both tracks are then on one face."""
_ALONE: Final = 1.2
"""With nobody closer, in widths of the wider, it is sure whose face this is."""
_BLIND_CONTRAST: Final = 2.5
"""Of a whole frame: below it there is nothing to see, and no detector is asked. Frames in the light
have 20 and more, frames of nothing but noise about 2."""
_BLIND_CELLS: Final = 24


@dataclass(frozen=True)
class TrackedFace:
    """A face that is followed in this frame."""

    track: int
    """The number of its track."""
    observation: FaceObservation


class PeopleTracker:
    """Follows all faces of a take, frame by frame."""

    def __init__(self, model: Path) -> None:
        """Loads the landmark model, with 68 or 5 points.

        Raises:
            InvalidFile: `model` is not a landmark model of dlib.
        """
        self._follower = FaceFollower(model)
        self._tracks: dict[int, FaceTrack] = {}
        self._next_number = 0
        self._n_faces = 0
        self._since_search = 0
        self._since_loss = 0
        self._searched = SceneMemory()

    @property
    def n_faces(self) -> int:
        """Faces in the frame when the whole frame was last searched."""
        return self._n_faces

    @property
    def states(self) -> dict[int, State]:
        """The state of every track that is followed or looked for; empty in SEARCH."""
        return {number: track.state for number, track in self._tracks.items()}

    def update(self, gray: NDArray[np.uint8]) -> tuple[TrackedFace, ...]:
        """The faces in the next frame of the take, by the numbers of their tracks.

        Args:
            gray: uint8 (H, W), with any strides; it may be overwritten afterwards.

        Raises:
            InvalidArray: `gray` is not a gray frame.
        """
        require_gray(gray)
        self._since_search += 1
        self._since_loss += 1
        for track in self._followed():
            self._tracks[track.number] = self._follower.carry(gray, track)
        self._part()
        found = self._search(gray) if self._is_search_due(gray) else []
        self._settle(gray, found)
        if self._since_search and self._is_anybody_missed():
            found = self._search(gray)
        self._welcome(gray, found)
        self._look_for_lost(gray)
        self._remember()
        return tuple(
            TrackedFace(track.number, track.observe())
            for track in self._followed()
            if track.state == "TRACK" or not track.is_doubtful
        )

    def state(self) -> dict[str, NDArray[Any]]:
        """All that is needed to go on from here, as plain arrays."""
        counters = (self._next_number, self._n_faces, self._since_search, self._since_loss)
        arrays = arrays_from_tracks(list(self._tracks.values()))
        searched = {"searched": self._searched.state()}
        return {"counters": np.array(counters, np.int64), **searched, **arrays}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Goes on from where `state` was taken, bit for bit."""
        counters = (int(counter) for counter in state["counters"])
        self._next_number, self._n_faces, self._since_search, self._since_loss = counters
        self._searched.restore(state["searched"])
        self._tracks = {track.number: track for track in tracks_from_arrays(state)}

    def _followed(self) -> list[FaceTrack]:
        """Tracks in TRACK or DOUBT, by number."""
        return [track for track in self._tracks.values() if track.state != "LOST"]

    def _lost(self) -> list[FaceTrack]:
        """Tracks in LOST."""
        return [track for track in self._tracks.values() if track.state == "LOST"]

    def _part(self) -> None:
        """Ends the tracks of all but one of those that have come to lie on one face."""
        for one, other in combinations(self._followed(), 2):
            if _apart(one, other) >= _CLASH or "LOST" in self._states_of(one, other):
                continue
            alike = {track.number: track.likeness for track in (one, other)}
            stays = max(alike, key=lambda number: alike[number])
            for track in (one, other):
                if track.number != stays or not track.is_same_face(track.cells):
                    self._lose(track)

    def _states_of(self, *tracks: FaceTrack) -> set[State]:
        """The states that tracks are in by now."""
        return {self._tracks[track.number].state for track in tracks}

    def _is_search_due(self, gray: NDArray[np.uint8]) -> bool:
        """True where the whole frame is to be searched, whatever becomes of those followed."""
        if not self._followed():
            return _is_turn(self._since_loss)
        is_missing = any(track.lost_frames < _MISSING_FRAMES for track in self._lost())
        if self._since_loss <= _SEARCH_AFTER_LOSS:
            return True
        if is_missing:
            return self._since_search >= _SEARCH_MISSING
        if self._since_search == 0 or self._since_search % _SEARCH_EVERY:
            return False
        boxes = [track.box for track in self._followed()]
        return self._since_search >= _SEARCH_AT_LATEST or self._searched.has_changed(gray, boxes)

    def _is_anybody_missed(self) -> bool:
        """True where somebody was lost in this frame, or seems to be about to."""
        in_doubt = (track.refusals and track.is_doubtful for track in self._followed())
        return self._since_loss == 0 or any(in_doubt)

    def _search(self, gray: NDArray[np.uint8]) -> list[Face]:
        """Faces in the whole frame; none where there is no light to see them by."""
        self._since_search = 0
        self._searched.remember(gray)
        is_blind = not self._followed() and _spread(gray) < _BLIND_CONTRAST
        faces = [] if is_blind else self._follower.finder.find(gray)
        self._n_faces = sum(face.is_clear for face in faces)
        return faces

    def _settle(self, gray: NDArray[np.uint8], found: list[Face]) -> None:
        """Confirms or refuses the tracks that the detector was asked about."""
        seen = _claim(self._followed(), found)
        for track in self._followed():
            face = seen.get(track.number)
            if face is not None:
                self._confirm(gray, track, face)
            elif track.is_due:
                face = self._follower.look_near(gray, track)
                if face is None or self._owner(face.box) != track.number:
                    self._refuse(track)
                else:
                    self._confirm(gray, track, face)

    def _confirm(self, gray: NDArray[np.uint8], track: FaceTrack, face: Face) -> None:
        """The detector sees a face near the track: the one that is followed, or another."""
        is_here = track.box.distance(face.box) <= _MOVED
        if is_here and (not track.is_torn or track.is_same_face(track.cells)):
            self._tracks[track.number] = track.confirmed(face.score)
            return
        fresh = self._follower.start(gray, face, track.number)
        if fresh is None:
            self._refuse(track)
        elif track.is_same_face(fresh.cells):
            self._tracks[track.number] = replace(fresh, agreement=track.agreement)
        else:
            self._lose(track)
            self._add(fresh)

    def _refuse(self, track: FaceTrack) -> None:
        """The detector does not see the face: a few such frames end the track."""
        doubted = replace(track, state="DOUBT", refusals=track.refusals + 1)
        self._tracks[track.number] = doubted
        if doubted.refusals >= _REFUSALS_TO_LOSE:
            self._lose(doubted)

    def _lose(self, track: FaceTrack) -> None:
        """Ends a track; its person is looked for where they were last."""
        self._tracks[track.number] = replace(track, state="LOST", lost_frames=0)
        self._since_loss = 0

    def _welcome(self, gray: NDArray[np.uint8], found: list[Face]) -> None:
        """Starts tracks at the faces that are nobody's yet."""
        for face in found:
            if self._owner(face.box) is None:
                self._add(self._follower.start(gray, face, self._next_number))
        if self._since_search == 0:
            self._n_faces = max(self._n_faces, len(self._followed()))

    def _look_for_lost(self, gray: NDArray[np.uint8]) -> None:
        """Looks for those who are lost where they were last."""
        for track in self._lost():
            waited = track.lost_frames + 1
            if track.number not in self._tracks:
                continue  # found together with somebody looked for before
            if waited > _FORGET_AFTER:
                del self._tracks[track.number]
                continue
            self._tracks[track.number] = replace(track, lost_frames=waited)
            if self._since_search and _is_turn(waited) and self._owner(track.box) is None:
                face = self._follower.finder.find_near(gray, track.box)
                self._welcome(gray, [] if face is None else [face])

    def _add(self, track: FaceTrack | None) -> None:
        """Begins a track under the next number, if there is one to begin.

        Who was lost there is looked for no longer.
        """
        if track is None:
            return
        for lost in self._lost():
            if track.box.distance(lost.box) < _RETURNED:
                del self._tracks[lost.number]
        self._tracks[self._next_number] = replace(track, number=self._next_number)
        self._next_number += 1

    def _owner(self, box: Box) -> int | None:
        """The number of the nearest track that a face in this box belongs to."""
        near = {track.number: track.box.distance(box) for track in self._followed()}
        number = min(near, key=lambda number: near[number], default=None)
        return number if number is not None and near[number] < _REACH else None

    def _remember(self) -> None:
        """Notes what everybody looks like where it is sure who they are."""
        followed = self._followed()
        for track in followed:
            others = (other for other in followed if other.number != track.number)
            is_alone = all(_apart(track, other) > _ALONE for other in others)
            if is_alone and not track.is_torn:
                self._tracks[track.number] = replace(track, known_cells=track.cells)


def _claim(tracks: list[FaceTrack], faces: list[Face]) -> dict[int, Face]:
    """The face of each track that has one, nearest pairs first, nobody and no face twice."""
    pairs = sorted(
        (track.box.distance(face.box), track.number, index)
        for track in tracks
        for index, face in enumerate(faces)
    )
    claimed: dict[int, int] = {}
    for apart, number, index in pairs:
        if apart < _REACH and number not in claimed and index not in claimed.values():
            claimed[number] = index
    return {number: faces[index] for number, index in claimed.items()}


def _apart(one: FaceTrack, other: FaceTrack) -> float:
    """Distance of two faces in widths of the wider."""
    wider, narrower = sorted((one.box, other.box), key=lambda box: box.width, reverse=True)
    return wider.distance(narrower)


def _is_turn(frames: int) -> bool:
    """True in frames in which to look for somebody who is gone for so many of them."""
    return frames <= _EAGER_FRAMES or frames % _BACK_OFF == 0


def _spread(gray: NDArray[np.uint8]) -> float:
    """Spread of a frame's gray levels after averaging over 1/24 of its sides."""
    cv2: Any = require("cv2", "preprocess")
    size = (_BLIND_CELLS, _BLIND_CELLS)
    return float(cv2.resize(gray, size, interpolation=cv2.INTER_AREA).std())
