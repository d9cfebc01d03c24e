"""Who of the people in a session is its subject, decided once, on whole tracks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.errors import CommandError
from mavfer.vision.joining import TrackSummary, join_tracks, median_or_nan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["Click", "SubjectChoice", "TrackSummary", "choose_subject"]

_SHORT_PRESENCE: Final = 0.5
"""Who is there for less than this share of the longest time is no subject."""
_CLEARLY: Final = 1.1
"""Nearer, larger or more central by less than this is no difference."""
_CLICK_FRAMES: Final = 15
"""A face counts as there if it was seen so few frames before or after."""
_CLICK_REACH: Final = 0.6
"""A click this far (in widths) from the middle of a face is on it, hair and chin included."""
_MIN_OVERLAP: Final = 0.1
"""A drawn box and a face's box that share less of their common area have nothing in common."""


@dataclass(frozen=True)
class Click:
    """Where somebody pointed at the subject: a point, or a box drawn around the face."""

    frame: int | None
    """The frame it was in; None: the subject is there for most of the session."""
    x: float
    """Pixels of the frame; of a box its middle."""
    y: float
    width: float | None = None
    """Side of the box; None: a point."""


@dataclass(frozen=True)
class SubjectChoice:
    """Whose face is followed."""

    subject: tuple[int, ...]
    """Tracks of the subject, in the order of time, never two at once; empty without any face."""
    others: tuple[int, ...]
    """All other tracks."""
    reason: str
    """One plain sentence."""


def choose_subject(
    tracks: Sequence[TrackSummary],
    frame_shape: tuple[int, int],
    *,
    clicked: Click | None = None,
) -> SubjectChoice:
    """The subject among all people of a session.

    Tracks that do not overlap in time are first joined into people, by place, size and depth. Of
    these a click decides. Without one it is who is there longest; of those there at least half as
    long the nearest; where depth does not tell, the largest; and then the most central.

    Args:
        tracks: Everything that was followed.
        frame_shape: Height and width of the frames.
        clicked: Where the operator pointed at the subject.

    Raises:
        CommandError: The click is outside of the frame or on nobody; the message says who was
            where.
    """
    people = join_tracks(tracks)
    if clicked is not None:
        _require_inside(clicked, frame_shape)
        person = _clicked_person(people, clicked)
        return _choice(person, tracks, f"{_named(person)} was pointed at")
    if not people:
        return SubjectChoice((), (), "no face was seen")
    if len(people) == 1:
        return _choice(people[0], tracks, f"{_named(people[0])} is the only person seen")
    person, why = _most_prominent(people, frame_shape)
    return _choice(person, tracks, f"{_named(person)} {why} of {len(people)} people")


Person = tuple[TrackSummary, ...]


def _choice(person: Person, tracks: Sequence[TrackSummary], reason: str) -> SubjectChoice:
    subject = tuple(track.track for track in person)
    others = sorted(track.track for track in tracks if track.track not in subject)
    return SubjectChoice(subject, tuple(others), reason)


def _named(person: Person) -> str:
    """A person by their tracks."""
    numbers = [str(track.track) for track in person]
    if len(numbers) == 1:
        return f"the person of track {numbers[0]}"
    return f"the person of tracks {', '.join(numbers[:-1])} and {numbers[-1]}"


def _most_prominent(people: list[Person], frame_shape: tuple[int, int]) -> tuple[Person, str]:
    """Who is there longest, nearest, largest or most central, and which of these decided."""
    times = [_presence(person) for person in people]
    race = [
        person
        for person, frames in zip(people, times, strict=True)
        if frames >= _SHORT_PRESENCE * max(times)
    ]
    if len(race) == 1:
        return race[0], f"is there longest ({max(times)} frames)"

    def off_centre(person: Person) -> float:
        return _off_centre(person, frame_shape)

    measures: tuple[tuple[Callable[[Person], float], str], ...] = (
        (_depth_mm, "is nearest to the camera"),
        (_smallness, "has the largest face"),
        (off_centre, "is nearest to the middle"),
    )
    for measure, why in measures:
        values = [measure(person) for person in race]
        order = np.argsort(values)
        if values[order[1]] > _CLEARLY * values[order[0]] and np.isfinite(values).all():
            return race[order[0]], why
    longest = max(race, key=_presence)
    return longest, f"is there longest ({_presence(longest)} frames), and nothing else parts them,"


def _presence(person: Person) -> int:
    """Frames in which a person was seen."""
    return sum(len(track.frames) for track in person)


def _depth_mm(person: Person) -> float:
    """Median distance from the camera, NaN where unknown."""
    return median_or_nan(np.concatenate([track.depth_mm for track in person]))


def _smallness(person: Person) -> float:
    """One over the median width of the face."""
    return 1 / float(np.median(_boxes(person)[:, 2]))


def _off_centre(person: Person, frame_shape: tuple[int, int]) -> float:
    """Median distance from the frame's middle."""
    height, width = frame_shape
    x, y, _ = _boxes(person).T
    return float(np.median(np.hypot(x - (width - 1) / 2, y - (height - 1) / 2)))


def _boxes(person: Person) -> NDArray[np.float64]:
    return np.concatenate([track.boxes for track in person]).astype(np.float64)


def _require_inside(clicked: Click, frame_shape: tuple[int, int]) -> None:
    """Raises CommandError where a click is outside of the frame."""
    height, width = frame_shape
    if not (0 <= clicked.x < width and 0 <= clicked.y < height):
        message = (
            f"subject: ({clicked.x:g}, {clicked.y:g}) is outside of the frame, "
            f"which is {width} x {height} pixels. Point into it"
        )
        raise CommandError(message)


def _clicked_person(people: list[Person], clicked: Click) -> Person:
    """Who was pointed at."""
    hits = [_hit(person, clicked) for person in people]
    best = int(np.argmax(hits)) if hits else -1
    if best < 0 or hits[best] <= 0:
        raise CommandError(_missed(people, clicked))
    return people[best]


def _hit(person: Person, clicked: Click) -> float:
    """How well a click is on a person: 0 beside them, 1 in the middle of the face.

    Without a frame it is the sum over all frames, so that who is there for longer wins.
    """
    boxes = _boxes(person) if clicked.frame is None else _boxes_at(person, clicked.frame)
    if not len(boxes):
        return 0.0
    if clicked.width is not None:
        overlap = _overlaps(boxes, clicked, clicked.width)
        return float(np.where(overlap > _MIN_OVERLAP, overlap, 0).sum())
    apart = np.hypot(boxes[:, 0] - clicked.x, boxes[:, 1] - clicked.y) / boxes[:, 2]
    return float(np.maximum(1 - apart / _CLICK_REACH, 0).sum())


def _boxes_at(person: Person, frame: int) -> NDArray[np.float64]:
    """The box (1, 3) that was seen nearest in time to a frame; (0, 3) where none was near."""
    frames = np.concatenate([track.frames for track in person])
    nearest = int(np.argmin(np.abs(frames - frame)))
    is_there = abs(int(frames[nearest]) - frame) <= _CLICK_FRAMES
    return _boxes(person)[nearest : nearest + 1] if is_there else np.empty((0, 3))


def _overlaps(boxes: NDArray[np.float64], clicked: Click, side: float) -> NDArray[np.float64]:
    """Area that each box (N, 3) shares with a drawn one, over the area of both together."""
    shared = np.ones(len(boxes))
    for axis, middle in enumerate((clicked.x, clicked.y)):
        low = np.maximum(boxes[:, axis] - boxes[:, 2] / 2, middle - side / 2)
        high = np.minimum(boxes[:, axis] + boxes[:, 2] / 2, middle + side / 2)
        shared *= np.maximum(high - low, 0)
    overlaps: NDArray[np.float64] = shared / (boxes[:, 2] ** 2 + side**2 - shared)
    return overlaps


def _missed(people: list[Person], clicked: Click) -> str:
    """What to tell of a click that is on nobody."""
    when = "" if clicked.frame is None else f" in frame {clicked.frame}"
    there = [_place(person, clicked.frame) for person in people]
    known = [place for place in there if place]
    if not known:
        seen = [
            f"track {t.track} in frames {t.frames[0]} to {t.frames[-1]}" for p in people for t in p
        ]
        where = (
            f"nobody was seen there; there are {', '.join(seen)}" if seen else "no face was seen"
        )
    else:
        where = f"there are {'; '.join(known)}"
    return (
        f"subject: ({clicked.x:g}, {clicked.y:g}){when} is on nobody: {where}. Point at one of them"
    )


def _place(person: Person, frame: int | None) -> str:
    """Where a person was, in a frame or mostly; empty where they were not there."""
    boxes = _boxes(person) if frame is None else _boxes_at(person, frame)
    if not len(boxes):
        return ""
    x, y, width = np.median(boxes, axis=0)
    return f"{_named(person)} at ({x:.0f}, {y:.0f}), {width:.0f} pixels wide"
