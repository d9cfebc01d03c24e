"""Where the heads of people are, from boxes around their faces: also where no face was seen.

A face is a box, three numbers: x and y of its centre and its width in pixels, as `landmarks.Box`
and dlib's detector draw it, from brows to chin. What is covered is the whole head: hair, ears and
chin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.ndimage import maximum_filter1d

from mavfer.errors import InvalidArray
from mavfer.vision.geometry import apply_matrix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


__all__ = [
    "HeadOutline",
    "cover_track",
    "covered_pixels",
    "head_outline",
    "head_outlines",
]

_BOX_NUMBERS: Final = 3
_HEAD_ABOVE: Final = 0.18
"""Middle of the head above the middle of the face's box, in widths of the box: as far as the crown
with its hair is above, and the chin of an open mouth below (mean face, hair of 2 cm)."""
_HEAD_HALF: Final = (0.74, 1.02)
"""Half the head's width, with ears and hair, and half its height, in widths of the box."""

_FACE: Final = 0.75
"""The face in a head's outline, of which it is this share: brows, cheeks and chin."""

_GROWTH: Final = 0.03
"""Of a box's width, each frame that the face was not seen."""
_GROWING_FRAMES: Final = 10
"""Frames after which a box grows no more by that, only by where the motion may have led."""
_MOTION_FRAMES: Final = 5
"""Frames of sight from which the last motion is read."""
_PERSISTENCE: Final = 0.95
"""Of its motion a head keeps so much from one frame to the next."""
_UNSTEADINESS: Final = 0.3
"""Of its motion so much may change each frame, to either side."""


@dataclass(frozen=True)
class HeadOutline:
    """An ellipse around a head, in pixels of a picture."""

    centre: NDArray[np.float64]
    """(2,)"""
    axes: NDArray[np.float64]
    """(2, 2): a circle of radius 1 to the ellipse around its centre."""

    def reach(self) -> NDArray[np.float64]:
        """Half the width and height (2,) of the upright rectangle around it."""
        reach: NDArray[np.float64] = np.sqrt((self.axes * self.axes).sum(axis=1))
        return reach

    def moved(self, matrix: NDArray[np.float64]) -> HeadOutline:
        """The same in another picture, by the matrix (2, 3) from one to the other."""
        centre = apply_matrix(matrix, self.centre[None])[0]
        return HeadOutline(centre, matrix[:, :2] @ self.axes)

    def distance(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
        """Distance (len(y), len(x)) of pixels from the centre: 1 on the outline."""
        (a, b), (c, d) = self.axes.tolist()
        area = a * d - b * c
        right, down = x[None, :] - self.centre[0], y[:, None] - self.centre[1]
        across, along = (d * right - b * down) / area, (a * down - c * right) / area
        distance: NDArray[np.float64] = np.sqrt(across * across + along * along)
        return distance

    def claims(
        self, subject: HeadOutline | None, x: NDArray[Any], y: NDArray[Any]
    ) -> NDArray[np.bool_]:
        """True (len(y), len(x)) where pixels are this head's rather than the subject's.

        They are where this head's middle is nearer, in sizes of the heads, but never on the
        subject's face: while that is seen, a head that overlaps it is behind it, or is none.
        """
        if subject is None:
            return np.ones((len(y), len(x)), np.bool_)
        from_subject = subject.distance(x, y)
        is_nearer = self.distance(x, y) <= from_subject
        return np.asarray(is_nearer & (from_subject > _FACE))


def cover_track(
    boxes: NDArray[np.floating[Any]], *, hold: int = 33, margin: float = 0.1
) -> NDArray[np.float64]:
    """Where a person's face must be hidden (T, 3), NaN where it need not be.

    Between two sights the box is interpolated. Before the first and after the last it is held, and
    grows to where the last motion may have taken the face. In all of them it grows with the frames
    since the face was seen. Where a person has two tracks, each is covered for itself.

    Args:
        boxes: (T, 3), x, y and width of the face in each frame of the session, NaN where not seen.
        hold: Frames before the first and after the last sight. The tracker looks for new people
            every 30 frames, and may need some more to be sure.
        margin: Of the width, added everywhere: what a box may be beside the face.

    Raises:
        InvalidArray: `boxes` has another shape.
    """
    _require_boxes(boxes)
    seen = np.flatnonzero(np.isfinite(boxes).all(axis=1))
    covered = np.full(boxes.shape, np.nan)
    if not len(seen):
        return covered
    frames = np.arange(max(seen[0] - hold, 0), min(seen[-1] + hold + 1, len(boxes)))
    path = np.stack([np.interp(frames, seen, column) for column in boxes[seen].T], axis=1)
    growing = np.minimum(_frames_unseen(frames, seen), _GROWING_FRAMES)
    path[:, 2] *= 1 + margin + _GROWTH * growing
    path[:, 2] += _UNSTEADINESS * _speed(path, hold + _MOTION_FRAMES) * growing
    _drift(path, frames - seen[-1], _last_motion(boxes, seen))
    _drift(path, seen[0] - frames, _last_motion(boxes, seen[::-1]))
    covered[frames] = path
    return covered


def covered_pixels(
    boxes: NDArray[np.floating[Any]],
    shape: tuple[int, int],
    *,
    matrix: NDArray[np.float64] | None = None,
    spared: NDArray[np.floating[Any]] | None = None,
) -> NDArray[np.bool_]:
    """True (H, W) on the heads around some boxes.

    Args:
        boxes: (n, 3) in pixels of the frame; rows of NaN are nobody.
        shape: H and W of the picture.
        matrix: (2, 3) from the frame's pixels to the picture's, where it is a crop of it.
        spared: (3,), the subject's box: that face, and what is nearer to that head, is left alone.
    """
    covered = np.zeros(shape, np.bool_)
    subject = head_outline(spared, matrix)
    for outline in head_outlines(boxes, matrix):
        ends = np.array(shape[::-1])
        low = np.clip(np.floor(outline.centre - outline.reach()), 0, ends).astype(int)
        high = np.clip(np.ceil(outline.centre + outline.reach()) + 1, 0, ends).astype(int)
        x, y = (np.arange(first, stop) for first, stop in zip(low, high, strict=True))
        is_head = outline.distance(x, y) <= 1
        covered[low[1] : high[1], low[0] : high[0]] |= is_head & outline.claims(subject, x, y)
    return covered


def head_outlines(
    boxes: NDArray[np.floating[Any]], matrix: NDArray[np.float64] | None = None
) -> Iterator[HeadOutline]:
    """The heads around those boxes (n, 3) that are known, in the pixels of a picture.

    Raises:
        InvalidArray: `boxes` has another shape.
    """
    _require_boxes(boxes)
    for box in boxes:
        if (outline := head_outline(box, matrix)) is not None:
            yield outline


def head_outline(
    box: NDArray[np.floating[Any]] | None, matrix: NDArray[np.float64] | None = None
) -> HeadOutline | None:
    """The head around a box (3,); None where there is no box, or it is unknown.

    Args:
        box: x, y and width of the face in pixels of the frame.
        matrix: (2, 3) from the frame's pixels to the picture's, where it is a crop of it.
    """
    if box is None or not np.isfinite(box).all():
        return None
    x, y, width = (float(number) for number in box)
    upright = HeadOutline(np.array([x, y - _HEAD_ABOVE * width]), width * np.diag(_HEAD_HALF))
    return upright if matrix is None else upright.moved(matrix)


def _frames_unseen(frames: NDArray[Any], seen: NDArray[Any]) -> NDArray[Any]:
    """Frames between each of `frames` and the nearest in which the face was seen."""
    after = np.searchsorted(seen, frames).clip(0, len(seen) - 1)
    before = (after - 1).clip(0)
    unseen: NDArray[Any] = np.minimum(abs(seen[after] - frames), abs(frames - seen[before]))
    return unseen


def _speed(path: NDArray[np.float64], around: int) -> NDArray[np.float64]:
    """Pixels a frame (T,) that a box moves, the greatest of so many frames to each side."""
    steps = np.hypot(*np.diff(path[:, :2], axis=0, append=path[-1:, :2]).T)
    return np.asarray(maximum_filter1d(steps, 2 * around + 1, mode="nearest"))


def _last_motion(boxes: NDArray[Any], seen: NDArray[Any]) -> NDArray[np.float64]:
    """Pixels (2,) a frame that a face moved in the last of the frames `seen`, in their order."""
    recent = seen[-_MOTION_FRAMES:]
    moved = boxes[recent[-1], :2] - boxes[recent[0], :2]
    motion: NDArray[np.float64] = moved / max(abs(int(recent[-1] - recent[0])), 1)
    return motion


def _drift(path: NDArray[np.float64], since: NDArray[Any], motion: NDArray[np.float64]) -> None:
    """Widens a held box to hold both where it was, and where its motion would take it by now."""
    steps = since.clip(0)
    travelled = (1 - _PERSISTENCE**steps) / (1 - _PERSISTENCE)
    travel = travelled[:, None] * motion
    path[:, :2] += travel / 2
    path[:, 2] += abs(travel).max(axis=1)


def _require_boxes(boxes: NDArray[Any]) -> None:
    """Raises InvalidArray unless `boxes` has three numbers a row."""
    if boxes.ndim != 2 or boxes.shape[1] != _BOX_NUMBERS:  # noqa: PLR2004 (rows, numbers)
        message = f"boxes: needs x, y and width in each row (n, 3), got shape {boxes.shape}"
        raise InvalidArray(message)
