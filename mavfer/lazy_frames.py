"""All frames of one stream, or of a view of it, read when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mavfer.errors import InvalidArray
from mavfer.streams import STREAMS, StreamName
from mavfer.views import VIEWS, ViewName, compute_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from mavfer.study.pixels import Pixels
    from mavfer.study.shards import Shard

__all__ = ["Frames", "ViewedFrames"]


class _Indexed:
    """What indexes like an array of frames; subclasses say how frames are read."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype=dtype)

    def __getitem__(self, key: Any) -> Any:
        rows, rest = (key[0], key[1:]) if isinstance(key, tuple) else (key, ())
        if isinstance(rows, slice):
            frames = self.read(range(*rows.indices(len(self))))
        elif isinstance(rows, int | np.integer):
            row = self._row(rows)
            frame = self.read(range(row, row + 1))[0]
            return frame[rest] if rest else frame
        else:
            frames = self._pick(np.asarray(rows))
        return frames[(slice(None), *rest)] if rest else frames

    def read(self, rows: range) -> Any:
        """The frames `rows`, in that order."""
        raise NotImplementedError

    def _row(self, key: int | np.integer[Any]) -> int:
        row = int(key)
        if not -len(self) <= row < len(self):
            message = f"frame {row} of a session with {len(self)} frames"
            raise IndexError(message)
        return row % len(self)

    def _pick(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Single frames by a list of numbers or a mask."""
        if rows.dtype == bool and rows.shape == (len(self),):
            rows = np.flatnonzero(rows)
        if rows.ndim != 1 or (len(rows) and rows.dtype.kind not in "iu"):
            message = "frames are chosen by a number, a slice, a list of numbers or a mask (T,)"
            raise InvalidArray(message)
        picked = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for position, row in enumerate(rows):
            number = self._row(row)
            picked[position] = self.read(range(number, number + 1))[0]
        return picked


class Frames(_Indexed):
    """All frames of one stream; a frame is read when it is asked for.

    Indexes like an array: `frames[7]`, `frames[10:42]`, `frames[::-2]`, `frames[[1, 5, 9]]`, and
    further axes after a comma. A stream that the session lacks is zeros.
    """

    def __init__(
        self, shard: Shard, stream: StreamName, count: int, size: tuple[int, int], is_there: bool
    ) -> None:
        self.stream = stream
        self.dtype = np.dtype(STREAMS[stream].dtype)
        self.shape: tuple[int, ...] = (count, *STREAMS[stream].frame_shape(*size))
        self.is_there = is_there
        self._shard = shard

    def __repr__(self) -> str:
        absent = "" if self.is_there else ", absent (zeros)"
        return f"<{self.stream} {self.dtype} {self.shape}{absent}>"

    def read(self, rows: range, out: Pixels | None = None) -> Pixels:
        """Pixels of the frames `rows`, written into `out` where it is given."""
        if self.is_there:
            return self._shard.read(self.stream, rows, out)
        if out is None:
            out = np.empty((len(rows), *self.shape[1:]), self.dtype)
        out[...] = 0
        return out


class ViewedFrames(_Indexed):
    """A view of all frames, computed when it is asked for: float32 (T, H, W), NaN = no data."""

    def __init__(
        self, name: ViewName, frames: Frames, noses: Callable[[], NDArray[np.float32]]
    ) -> None:
        self.name = name
        self.shape = frames.shape
        self.dtype = np.dtype(np.float32)
        self._frames = frames
        self._noses = noses

    def __repr__(self) -> str:
        return f"<{self.name} {self.dtype} {self.shape}, {VIEWS[self.name].unit}>"

    def read(self, rows: range) -> NDArray[np.float32]:
        """The frames `rows`, in that order."""
        return self.of(self._frames.read(rows), rows)

    def of(self, pixels: NDArray[Any], rows: range) -> NDArray[np.float32]:
        """The view of frames that were read already."""
        noses = self._noses()[list(rows)] if self.name == "depth_relative" else None
        return compute_view(self.name, pixels, noses)
