"""From all faces in a session's color frames to those of its subject, finished on the way.

While one person alone has been seen, frames are finished as they come: nearly every session is
decoded once. Where there are more, everybody is followed to the end first, the subject is chosen on
whole tracks, and what was not finished for this subject is finished in a second pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.preprocess.finishing import SEGMENT
from mavfer.preprocess.hiding import Hider
from mavfer.preprocess.people_depth import depth_of_faces
from mavfer.preprocess.segments import SEGMENT_FRAMES
from mavfer.preprocess.watching import Sightings, Watch
from mavfer.vision.landmarks import LANDMARKS
from mavfer.vision.subject import choose_subject

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from mavfer.preprocess.finishing import Finisher
    from mavfer.preprocess.head_path import DepthSource
    from mavfer.preprocess.inputs import Inputs
    from mavfer.preprocess.workspace import Workspace
    from mavfer.vision.subject import SubjectChoice

__all__ = ["Follower", "Following"]

_WATCHED: Final = "watched"
_TRACKER: Final = "tracker"


@dataclass(frozen=True)
class Following:
    """A session whose frames are finished."""

    finisher: Finisher
    n_faces: NDArray[np.int16]
    """(T,) faces in the color frame when it was last searched."""
    sightings: Sightings
    choice: SubjectChoice

    def tracks(self) -> list[dict[str, Any]]:
        """The subject's stretches, then every track that was somebody else's."""
        reason = self.choice.reason
        subject = [
            {**stretch, "is_subject": True, "why": reason}
            for stretch in self.finisher.path.stretches()
        ]
        others = []
        for track in self.choice.others:
            frames = self.sightings.of_track(track)["frame"]
            span = {"first": int(frames[0]), "last": int(frames[-1])}
            others.append({**span, "source": "color", "is_subject": False, "track": track})
        return subject + others


class Follower:
    """Follows the faces of one session and finishes its frames; goes on where a run was killed."""

    def __init__(
        self,
        inputs: Inputs,
        steps: Workspace,
        make_finisher: Callable[[Hider], Finisher],
        *,
        depth: DepthSource | None,
        frames: int,
        reached: Callable[[int], None],
        place: Callable[[NDArray[np.float32]], None] | None = None,
    ) -> None:
        """Prepares.

        Args:
            inputs: What the session is made from.
            steps: Where what is finished is kept.
            make_finisher: Makes a finisher that takes up what `steps` hold.
            depth: The session's depth frames, where they can be placed by a calibration.
            frames: Color frames of the session.
            reached: Called with the number of frames that have been watched by then.
            place: Called with the subject's landmarks (T, 68, 2) before any frame is finished,
                where streams are placed by them.
        """
        self._inputs, self._session, self._steps = inputs, inputs.session, steps
        self._make_finisher, self._depth, self._frames = make_finisher, depth, frames
        self._reached, self._place = reached, place
        self._saved = 0
        self._watch = Watch(inputs.model, frames)

    def run(self) -> Following:
        """Sees every frame and finishes it."""
        self._take_up()
        finisher = self._watch_all()
        choice = self._choose()
        finisher = self._fitting(finisher, choice)
        self._finish(finisher, choice)
        return Following(finisher, self._watch.n_faces, self._watch.sightings, choice)

    def _take_up(self) -> None:
        """Goes on after the frames that an earlier run watched."""
        watch, number, frames = self._watch, 0, 0
        while (seen := self._steps.load(_WATCHED, number)) is not None:
            stop = frames + len(seen["n_faces"])
            watch.sightings.add(seen["sightings"])
            watch.n_faces[frames:stop] = seen["n_faces"]
            frames, number = stop, number + 1
        state = self._steps.load(_TRACKER, number - 1) if number else None
        if state is None:
            self._watch = Watch(self._inputs.model, self._frames)
            return
        watch.restore(state)
        watch.watched = frames
        self._saved = len(watch.sightings.rows)
        self._reached(frames)

    def _watch_all(self) -> Finisher | None:
        """Watches to the end, and finishes frames while one person alone has been seen.

        Returns the finisher where it got anywhere; None where somebody else was there.
        """
        watch = self._watch
        must_wait = self._place is not None or self._is_company()
        finisher = None if must_wait else self._make_finisher(self._hider(None))
        first = watch.watched if finisher is None else min(watch.watched, finisher.done)
        if first == self._frames:
            return finisher
        for frame in self._session.color_frames(first=first):
            if frame.index == watch.watched:
                is_alone = len(watch.see(frame.gray())) <= 1
                self._reached(watch.watched)
                self._keep()
                finisher = finisher if is_alone else None
            if finisher is not None:
                finisher.push(frame)
                self._step_to(finisher, min(frame.index + 1, watch.watched), None)
        return finisher

    def _is_company(self) -> bool:
        """True where two people were seen in one frame."""
        frames = self._watch.sightings.rows["frame"]
        return bool((np.diff(frames) == 0).any())

    def _keep(self) -> None:
        """Keeps what was seen at the end of each stretch of frames, and of all."""
        watch = self._watch
        if watch.watched % SEGMENT_FRAMES and watch.watched != self._frames:
            return
        number = (watch.watched - 1) // SEGMENT_FRAMES
        seen = watch.n_faces[number * SEGMENT_FRAMES : watch.watched]
        rows = watch.sightings.rows[self._saved :]
        self._steps.save(_TRACKER, number, watch.state())
        self._steps.save(_WATCHED, number, {"sightings": rows, "n_faces": seen})
        self._steps.forget(_TRACKER, number - 1)
        self._saved = len(watch.sightings.rows)

    def _choose(self) -> SubjectChoice:
        sightings = self._watch.sightings
        depth_mm = None
        if self._depth is not None and len(sightings.tracks) > 1:
            depth_mm = depth_of_faces(sightings.rows, self._depth)
        width, height = self._session.size
        return choose_subject(
            sightings.summaries(depth_mm), (height, width), clicked=self._inputs.click
        )

    def _fitting(self, finisher: Finisher | None, choice: SubjectChoice) -> Finisher:
        """A finisher that hides the others; what was finished for somebody else is thrown away."""
        if finisher is not None and not choice.others:
            return finisher
        if self._place is not None:
            self._place(self._landmarks(choice))
        hider = self._hider(self._others(choice))
        finisher = self._make_finisher(hider)
        rows = self._watch.sightings.rows
        followed = np.unique(rows["track"][rows["frame"] < finisher.path.stepped])
        if np.isin(followed, choice.subject).all():
            return finisher
        self._steps.forget_all(SEGMENT)
        return self._make_finisher(hider)

    def _landmarks(self, choice: SubjectChoice) -> NDArray[np.float32]:
        """The subject's landmarks (T, 68, 2), NaN where color shows nothing."""
        landmarks = np.full((self._frames, LANDMARKS, 2), np.nan, np.float32)
        sightings = self._watch.sightings
        where = sightings.of_subject(choice.subject, self._frames)
        landmarks[where >= 0] = sightings.rows["landmarks"][where[where >= 0]]
        return landmarks

    def _hider(self, others: list[NDArray[np.float32]] | None) -> Hider:
        return Hider(others, blank_background=self._inputs.options.blank_background)

    def _others(self, choice: SubjectChoice) -> list[NDArray[np.float32]]:
        """For each track of somebody else, box centre and width (T, 3), NaN where not seen."""
        boxes = []
        for track in choice.others:
            rows = self._watch.sightings.of_track(track)
            box = np.full((self._frames, 3), np.nan, np.float32)
            box[rows["frame"]] = rows["box"]
            boxes.append(box)
        return boxes

    def _finish(self, finisher: Finisher, choice: SubjectChoice) -> None:
        """Finishes what is left, in a second pass where frames are no longer at hand."""
        where = self._watch.sightings.of_subject(choice.subject, self._frames)
        self._step_to(finisher, self._frames, where)
        if finisher.done == self._frames:
            return
        for frame in self._session.color_frames(first=finisher.done):
            finisher.push(frame)
            finisher.settle()

    def _step_to(self, finisher: Finisher, stop: int, where: NDArray[np.int64] | None) -> None:
        """Steps the head's path up to frame `stop`, and finishes what can be finished.

        `where` is the row of the subject's sighting in each frame, -1 where there is none; None
        where one person alone was seen so far.
        """
        path, rows = finisher.path, self._watch.sightings.rows
        while path.stepped < stop:
            if where is None:
                row = int(np.searchsorted(rows["frame"], path.stepped))
                is_seen = row < len(rows) and rows["frame"][row] == path.stepped
            else:
                row = int(where[path.stepped])
                is_seen = row >= 0
            path.step(rows[row] if is_seen else None)
        finisher.settle()
