"""What must not be seen of other people, and around the subject."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mavfer.vision.background import blank_background, subject_region
from mavfer.vision.head_covers import cover_track
from mavfer.vision.landmarks import box_from_landmarks
from mavfer.vision.pixelation import hide_in_depth, hide_in_thermal, pixelate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mavfer.preprocess.crops import Crops, Near
    from mavfer.study.video_reader import ColorFrame

__all__ = ["Hider"]


class Hider:
    """Hides the heads of others in whatever leaves the session's folder."""

    def __init__(
        self, others: Sequence[NDArray[np.float32]] | None, *, blank_background: bool = False
    ) -> None:
        """Finds out where others must be hidden, also shortly before and after they are seen.

        Args:
            others: For each track of somebody else x, y and width of the face (T, 3), NaN where it
                was not seen; None where nobody has been seen so far, but the session goes on.
            blank_background: Leave nothing but the subject's head in the crops.
        """
        self.knows_everybody = others is not None
        """False where somebody may still come in."""
        self._covers = [cover_track(boxes) for boxes in others or ()]
        self._is_blanking = blank_background

    @property
    def first_hidden(self) -> int | None:
        """The first frame in which somebody must be hidden; None where there is none."""
        hidden = [np.flatnonzero(np.isfinite(cover).all(axis=1)) for cover in self._covers]
        return min((int(frames[0]) for frames in hidden if len(frames)), default=None)

    def on_frame(self, frame: ColorFrame, near: Near) -> ColorFrame | NDArray[np.uint8]:
        """The frame as raters may see it."""
        boxes = self._boxes(frame.index)
        if not len(boxes):
            return frame
        pixels = frame.rgb()
        pixelate(pixels, boxes, spared=_subject(near))
        return pixels

    def on_crops(self, index: int, crops: Crops, near: Near) -> None:
        """Changes the crops of a frame to what may stand in a shard."""
        if not near.is_there:
            return
        boxes = self._boxes(index)
        if len(boxes):
            _hide(crops, boxes, near)
        if self._is_blanking:
            _blank(crops, near)

    def _boxes(self, index: int) -> NDArray[np.float64]:
        """Who must be hidden in a frame (n, 3)."""
        boxes = np.array([cover[index] for cover in self._covers]).reshape(-1, 3)
        known: NDArray[np.float64] = boxes[np.isfinite(boxes).all(axis=1)]
        return known


def _subject(near: Near) -> NDArray[np.float64] | None:
    """The subject's own box (3,); None where there is no face."""
    if not near.is_there:
        return None
    box = box_from_landmarks(near.landmarks.astype(np.float64))
    return np.array([box.x, box.y, box.width])


def _hide(crops: Crops, boxes: NDArray[np.float64], near: Near) -> None:
    place: dict[str, Any] = {"matrix": near.matrix, "spared": _subject(near)}
    pixelate(crops.color, boxes, **place)
    if crops.depth is not None:
        hide_in_depth(crops.depth, boxes, mask=crops.depth_mask, **place)
    if crops.thermal is not None:
        hide_in_thermal(crops.thermal, boxes, mask=crops.thermal_mask, **place)


def _blank(crops: Crops, near: Near) -> None:
    shape = (crops.color.shape[0], crops.color.shape[1])
    region = subject_region(near.landmarks, near.matrix, shape, crops.depth)
    streams = (crops.color, crops.depth, crops.thermal, crops.depth_mask, crops.thermal_mask)
    for pixels in streams:
        if pixels is not None:
            blank_background(pixels, region)
