"""Where clips begin: a grid over each session, and draws that depend on numbers alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mavfer.recordings import Recording

__all__ = ["Grid", "Start", "lay_grid", "shuffled"]

Start = Literal["grid", "random", "group"]

_BITS: Final = 64
# Streams of random numbers that never meet: the fourth word of Philox's counter.
_FOR_STARTS: Final = 0
_FOR_ORDER: Final = 1


@dataclass(frozen=True)
class Grid:
    """The clips of one session: one in each cell of `hop` frames that has a start to offer."""

    recording: Recording
    hop: int
    """Frames from a cell to the next."""
    last_start: int
    """Last frame at which a clip fits."""
    cells: NDArray[np.int64]
    """Numbers of the cells that have a clip (N,)."""
    is_start: NDArray[np.bool_] | None
    """Where a clip may begin (last_start + 1,); None where it may anywhere."""

    def __len__(self) -> int:
        return len(self.cells)

    def first_frame(self, place: int, start: Start, *, seed: int, epoch: int, index: int) -> int:
        """Where the clip of a cell begins; random starts stay within the clip's own cell.

        So every frame can start a clip, and an epoch covers each session evenly.

        Args:
            place: Of the clip within this session.
            start: How starts are chosen.
            seed: Of the clips.
            epoch: Random starts change with it.
            index: Of the clip among all.
        """
        begin = int(self.cells[place]) * self.hop
        if start == "grid":
            return begin
        starts = _starts_of_cell(self, begin, start)
        draw = int(_philox(seed, epoch, index, _FOR_STARTS).random_raw())
        return int(starts[draw * len(starts) >> _BITS])


def lay_grid(
    recording: Recording, *, span: int, stride: int, hop: int, start: Start, min_valid: float
) -> Grid:
    """The clips of one session.

    Args:
        recording: The session.
        span: Frames from a clip's first to its last, both counted.
        stride: Frames from one to the next within a clip.
        hop: Frames from a cell to the next.
        start: How starts are chosen.
        min_valid: Least share of a clip's frames whose face was found or carried.
    """
    last_start = len(recording) - span
    cells = np.arange(max(last_start // hop + 1, 0))
    if min_valid <= 0 or not len(cells):
        return Grid(recording, hop, last_start, cells, None)
    is_start = _share_valid(recording.usable, span, stride) >= min_valid
    grid = Grid(recording, hop, last_start, cells, is_start)
    has_start = [
        bool(is_start[cell * hop]) if start == "grid" else _has_start(grid, int(cell) * hop, start)
        for cell in cells
    ]
    return Grid(recording, hop, last_start, cells[np.array(has_start, bool)], is_start)


def shuffled(count: int, *, seed: int, epoch: int) -> NDArray[np.int64]:
    """The numbers below `count` in the order of (seed, epoch) (N,)."""
    keys = _philox(seed, epoch, 0, _FOR_ORDER).random_raw(count)
    return np.argsort(keys, kind="stable")


def _share_valid(usable: NDArray[np.bool_], span: int, stride: int) -> NDArray[np.float64]:
    """For every start, the share of a clip's frames that are usable."""
    starts = len(usable) - span + 1
    frames = range(0, span, stride)
    total = np.zeros(starts)
    for offset in frames:
        total += usable[offset : offset + starts]
    return total / len(frames)


def _has_start(grid: Grid, begin: int, start: Start) -> bool:
    """Whether a cell has a start to offer."""
    return len(_starts_of_cell(grid, begin, start)) > 0


def _starts_of_cell(grid: Grid, begin: int, start: Start) -> NDArray[np.int64]:
    """Frames of a cell at which its clip may begin."""
    starts = _candidates(grid, begin, start)
    return starts if grid.is_start is None else starts[grid.is_start[starts]]


def _candidates(grid: Grid, begin: int, start: Start) -> NDArray[np.int64]:
    """Frames of a cell at which a clip fits; for "group" those where a group of the shard begins.

    A cell without such a frame takes the group that its first frame lies in.
    """
    end = min(begin + grid.hop, grid.last_start + 1)
    if start != "group":
        return np.arange(begin, end)
    size = int(grid.recording.info["group_size"])
    groups = np.arange(-(-begin // size) * size, end, size)
    return groups if len(groups) else np.array([begin // size * size])


def _philox(seed: int, epoch: int, index: int, purpose: int) -> np.random.Philox:
    """Random bits that depend on these numbers alone (Salmon et al. 2011, Philox4x64-10)."""
    key = np.array([seed % 2**_BITS, epoch % 2**_BITS], np.uint64)
    counter = np.array([0, index, 0, purpose], np.uint64)
    return np.random.Philox(key=key, counter=counter)
