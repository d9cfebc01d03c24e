"""The second half of a session's way: settled landmarks, crops, measures, pictures for raters.

Frames wait in a short queue until what comes after them can no longer change their landmarks. So a
session is decoded once, and memory does not depend on its length.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.preprocess.crops import QUALITY, Near
from mavfer.preprocess.segments import GROUP_FRAMES, SEGMENT_FRAMES, Segment
from mavfer.study.media_writer import media_pts
from mavfer.study.picture_encoder import PictureEncoder
from mavfer.vision.alignment import crop_matrices
from mavfer.vision.smoothing import REACH

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from mavfer.preprocess.crops import CropMaker
    from mavfer.preprocess.head_path import HeadPath
    from mavfer.preprocess.hiding import Hider
    from mavfer.preprocess.inputs import Options
    from mavfer.preprocess.workspace import Workspace
    from mavfer.study.video_reader import ColorFrame
    from mavfer.vision.alignment import Preset

__all__ = ["SEGMENT", "Finished", "Finisher"]

SEGMENT: Final = "segment"
"""Kind of the steps that hold finished frames."""

_COLUMNS: Final = ("landmarks", "crop_matrix", "pose", "quality", "valid", "reason")


@dataclass
class Finished:
    """Columns of a shard for the frames that are finished; NaN or 0 for the others."""

    frames: int
    landmarks: NDArray[np.float32] = field(init=False)
    """(T, 68, 2) smoothed."""
    crop_matrix: NDArray[np.float64] = field(init=False)
    """(T, 2, 3)."""
    pose: NDArray[np.float32] = field(init=False)
    """(T, 3)."""
    quality: NDArray[Any] = field(init=False)
    """(T,) of the type `crops.QUALITY`."""
    valid: NDArray[np.uint8] = field(init=False)
    """(T,)."""
    reason: NDArray[np.uint8] = field(init=False)
    """(T,)."""

    def __post_init__(self) -> None:
        """Makes the columns."""
        count = self.frames
        self.landmarks = np.full((count, 68, 2), np.nan, np.float32)
        self.crop_matrix = np.full((count, 2, 3), np.nan)
        self.pose = np.full((count, 3), np.nan, np.float32)
        self.quality = np.zeros(count, QUALITY)
        self.valid, self.reason = np.zeros(count, np.uint8), np.zeros(count, np.uint8)


class Finisher:
    """Finishes the frames of one session in order."""

    def __init__(
        self,
        path: HeadPath,
        maker: CropMaker,
        hider: Hider,
        steps: Workspace,
        *,
        preset: Preset,
        options: Options,
        color_ns: NDArray[np.int64],
        size: tuple[int, int],
        reached: Callable[[int], None],
    ) -> None:
        """Takes up what an earlier run left in `steps`.

        Args:
            path: Where the head is; it is stepped by whoever knows what color shows.
            maker: Cuts the crops.
            hider: Hides other people's faces.
            steps: Where finished stretches are kept.
            preset: Where the face shall lie in a crop.
            options: What was chosen.
            color_ns: (T,) times of the color frames.
            size: Width and height of the upright color frames.
            reached: Called with the number of frames that are finished by then.
        """
        self.path, self._maker, self._hider, self._steps = path, maker, hider, steps
        self._preset, self._options, self._size = preset, options, size
        self._pts = media_pts(color_ns)
        self._reached = reached
        self.columns = Finished(len(color_ns))
        self.done = 0
        """Frames that are finished."""
        self._saved_path = 0
        self._queue: deque[ColorFrame] = deque()
        self._matrices: dict[int, NDArray[np.float64]] = {}
        self._color_tags = (0, 0, 0)
        self._begin()
        self._take_up()

    @property
    def frames(self) -> int:
        """Frames of the session."""
        return self.columns.frames

    def push(self, frame: ColorFrame) -> None:
        """Adds the next color frame; those before `done` are of no use any more."""
        if frame.index >= self.done:
            self._queue.append(frame)

    def settle(self) -> None:
        """Finishes the frames whose landmarks can no longer change."""
        while self.done < self.frames:
            stop = min(self.done + GROUP_FRAMES, self.frames)
            needed = min(stop + 1 + REACH, self.frames)
            if self.path.stepped < needed or not self._queue or self._queue[-1].index < stop - 1:
                return
            self._finish(self.done, stop)

    def segments(self) -> int:
        """Steps that hold the finished frames."""
        return -(-self.frames // SEGMENT_FRAMES)

    def _begin(self) -> None:
        self._segment = Segment(self._options.profile)
        self._encoder = PictureEncoder(self._size) if self._options.media else None

    def _finish(self, first: int, stop: int) -> None:
        begin, end = max(first - 1, 0), min(stop + 1, self.frames)
        nothing = np.full((1, *self.columns.landmarks.shape[1:]), np.nan, np.float32)
        smoothed = self.path.smoothed(begin, end)
        if begin == first:
            smoothed = np.concatenate([nothing, smoothed])
        if end == stop:
            smoothed = np.concatenate([smoothed, nothing])
        matrices = crop_matrices(smoothed, self._preset)
        self.columns.landmarks[first:stop] = smoothed[1:-1]
        self.columns.crop_matrix[first:stop] = matrices[1:-1]
        for turn in range(stop - first):
            own = smoothed[turn + 1]
            self._finish_frame(self._queue.popleft(), Near(own, *matrices[turn : turn + 3]))
        self.done = stop
        self._reached(stop)
        if stop % SEGMENT_FRAMES == 0 or stop == self.frames:
            self._end_segment(stop)

    def _finish_frame(self, frame: ColorFrame, near: Near) -> None:
        index = frame.index
        crops = self._maker.make(frame, self.path.rows[index], near)
        self._hider.on_crops(index, crops, near)
        self._segment.add(crops)
        if self._encoder is not None:
            following = self._pts[min(index + 1, self.frames - 1)]
            shown = self._hider.on_frame(frame, near)
            self._segment.add_pictures(
                self._encoder.encode(shown, int(self._pts[index]), int(following))
            )

    def _end_segment(self, stop: int) -> None:
        """Keeps the stretch that ends before frame `stop`, and what it takes to go on."""
        if self._encoder is not None:
            self._segment.add_pictures(self._encoder.finish())
            self._color_tags = self._encoder.color_tags or self._color_tags
        first = (stop - 1) // SEGMENT_FRAMES * SEGMENT_FRAMES
        arrays = self._segment.arrays()
        arrays["landmarks"] = self.columns.landmarks[first:stop]
        arrays["crop_matrix"] = self.columns.crop_matrix[first:stop]
        arrays["color_tags"] = np.array(self._color_tags)
        arrays["knows_everybody"] = np.array(self._hider.knows_everybody)
        arrays |= self.path.state(self._saved_path)
        self._keep_columns(arrays, first, stop)
        self._steps.save(SEGMENT, first // SEGMENT_FRAMES, arrays)
        self._saved_path = self.path.stepped
        self._begin()

    def _keep_columns(self, arrays: dict[str, NDArray[Any]], first: int, stop: int) -> None:
        for name in _COLUMNS:
            getattr(self.columns, name)[first:stop] = arrays[name]

    def _take_up(self) -> None:
        """Goes on after the stretches that an earlier run finished."""
        last: dict[str, NDArray[Any]] | None = None
        path = []
        while (arrays := self._steps.load(SEGMENT, self.done // SEGMENT_FRAMES)) is not None:
            first, stop = self.done, min(self.done + SEGMENT_FRAMES, self.frames)
            if not self._is_hidden_well(arrays, stop):
                break
            self._keep_columns(arrays, first, stop)
            path.append(arrays["path"])
            self.done, last = stop, arrays
            if stop == self.frames:
                break
        if last is not None:
            self.path.restore(np.concatenate(path), last)
            self._saved_path = self.path.stepped
            self._color_tags = tuple(last["color_tags"].tolist())
            self._reached(self.done)

    def _is_hidden_well(self, arrays: dict[str, NDArray[Any]], stop: int) -> bool:
        """False for a stretch up to `stop` in which somebody must be hidden who was not known."""
        first_hidden = self._hider.first_hidden
        return bool(arrays["knows_everybody"]) or first_hidden is None or stop <= first_hidden

    @property
    def color_tags(self) -> tuple[int, int, int]:
        """What `MediaWriter.describe_pictures` needs."""
        return self._color_tags
