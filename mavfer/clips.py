"""Clips: stretches of frames of equal length, in an order that depends on seed and epoch alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Self, get_args

import numpy as np

from mavfer.batches import Loader
from mavfer.errors import CommandError, InvalidArray, NotFound
from mavfer.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mavfer.recordings import Recording

__all__ = ["Clips", "Missing", "Start"]

Start = Literal["grid", "random", "group"]
Missing = Literal["mask", "drop"]

_BITS: Final = 64
# Streams of random numbers that never meet: the fourth word of Philox's counter.
_FOR_STARTS: Final = 0
_FOR_ORDER: Final = 1


@dataclass(frozen=True)
class _Grid:
    """The clips of one session: cell k begins at frame k * hop."""

    recording: Recording
    cells: int
    last_start: int


class Clips:
    """A map-style data set of clips; `torch.utils.data.DataLoader` takes it as it is.

    Indexing gives a dict: color (T, H, W, 3) uint8, depth (T, H, W) uint16 in millimetres, thermal
    (T, H, W) uint16 in centikelvin; valid, per stream (T,) bool; one float32 (T,) per dimension
    (arousal, valence) and label_valid (T,), unless the study was loaded without labels; expression
    (T,) int64 where the study has classes; time_seconds (T,); session, subject, start.

    Sessions shorter than a clip give none. Stills give clips of one frame, whatever was asked for.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        *,
        length: int = 16,
        stride: int = 1,
        hop: int = 16,
        start: Start = "grid",
        missing: Missing = "mask",
        seed: int = 0,
        has_labels: bool = True,
        has_expression: bool = False,
    ) -> None:
        _require_options(length, stride, hop, start, missing)
        if recordings and all(recording.kind == "stills" for recording in recordings):
            length = stride = hop = 1
        self.length, self.stride, self.hop = length, stride, hop
        self.start: Start = start
        self.seed = seed
        self.epoch = 0
        self.has_labels, self.has_expression = has_labels, has_expression
        self.modalities = recordings[0].modalities if recordings else ()
        self.span = (length - 1) * stride + 1
        """Frames from a clip's first to its last."""
        used = [
            r
            for r in recordings
            if missing == "mask" or r.info["streams"].keys() >= {*r.modalities}
        ]
        self._grids = [g for g in map(self._grid, used) if g.cells > 0]
        if not self._grids:
            longest = max((len(r) for r in used), default=0)
            message = (
                f"no clip of {self.span} frames fits into {len(used)} sessions "
                f"(longest: {longest} frames). Ask for shorter clips, or other sessions"
            )
            raise NotFound(message)
        self._ends = np.cumsum([grid.cells for grid in self._grids])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __repr__(self) -> str:
        stride = f", stride {self.stride}" if self.stride > 1 else ""
        return (
            f"<Clips: {len(self)} clips of {self.length} frames{stride} "
            f"from {len(self._grids)} sessions, start={self.start!r}, seed={self.seed}>"
        )

    def set_epoch(self, epoch: int) -> Self:
        """Chooses the epoch: random starts and the loader's order change with it.

        Workers of a DataLoader with `persistent_workers` keep the epoch they were started with.
        """
        self.epoch = epoch
        return self

    def locate(self, index: int, *, epoch: int | None = None) -> tuple[Recording, range]:
        """The session and frames of a clip, in the present epoch unless another is given.

        Raises:
            IndexError: There is no such clip.
        """
        if not -len(self) <= index < len(self):
            message = f"clip {index} of {len(self)}"
            raise IndexError(message)
        index %= len(self)
        number = int(np.searchsorted(self._ends, index, side="right"))
        grid = self._grids[number]
        cell = index - int(self._ends[number]) + grid.cells
        first = self._first_frame(index, cell, grid, self.epoch if epoch is None else epoch)
        return grid.recording, range(first, first + self.span, self.stride)

    def __getitem__(self, index: int) -> dict[str, Any]:
        recording, rows = self.locate(index)
        recording.shard.will_need(rows)
        pixels: dict[str, Any] = {
            name: recording.stream(name).read(rows) for name in self.modalities
        }
        return {**pixels, **self._columns(recording, rows)}

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Many clips, read in the order in which they lie on disk."""
        order = sorted(range(len(indices)), key=lambda turn: indices[turn])
        clips: dict[int, dict[str, Any]] = {turn: self[indices[turn]] for turn in order}
        return [clips[turn] for turn in range(len(indices))]

    def order(self, epoch: int, *, shuffle: bool) -> NDArray[np.int64]:
        """Numbers of all clips as an epoch goes through them (N,)."""
        if not shuffle:
            return np.arange(len(self))
        keys = _philox(self.seed, epoch, 0, _FOR_ORDER).random_raw(len(self))
        return np.argsort(keys, kind="stable")

    def loader(  # noqa: PLR0917 (the contract's order)
        self,
        batch_size: int = 8,
        threads: int = 2,
        prefetch: int = 2,
        shuffle: bool = True,
        rank: int = 0,
        world_size: int = 1,
        *,
        drop_last: bool = False,
    ) -> Loader:
        """Batches (B, T, …), decoded by threads into buffers that are used again.

        A batch lives until the next one is asked for; copy what must live longer.

        Args:
            batch_size: Clips a batch; the last batch of an epoch may be smaller.
            threads: Threads that decode.
            prefetch: Batches made ahead.
            shuffle: Go through the clips in the order of (seed, epoch), else as they lie.
            rank: Of `world_size` processes, which one this is; it takes every world_size-th clip.
            world_size: Processes that share the clips.
            drop_last: Leave out what does not fill a batch in every process.

        Raises:
            CommandError: A number makes no sense.
            InvalidArray: Sessions have crops of different sizes.
        """
        sizes = {grid.recording.crop_size for grid in self._grids}
        if len(sizes) > 1:
            shown = ", ".join(f"{height}x{width}" for height, width in sorted(sizes))
            message = (
                f"crops of different sizes ({shown}) do not fit a batch. Select one: height =="
            )
            raise InvalidArray(message)
        return Loader(
            self,
            batch_size=batch_size,
            threads=threads,
            prefetch=prefetch,
            shuffle=shuffle,
            rank=rank,
            world_size=world_size,
            drop_last=drop_last,
        )

    def empty_batch(self, count: int) -> dict[str, Any]:
        """Arrays for `count` clips, as `read_into` fills them."""
        size = self._grids[0].recording.crop_size
        shape = (count, self.length)
        batch: dict[str, Any] = {
            name: np.zeros((*shape, *STREAMS[name].frame_shape(*size)), STREAMS[name].dtype)
            for name in self.modalities
        }
        columns = self._columns(*self.locate(0))
        for key, value in columns.items():
            if key == "valid":
                batch[key] = {name: np.zeros(shape, bool) for name in self.modalities}
            elif isinstance(value, str):
                batch[key] = np.zeros(count, "U36")
            else:
                array = np.asarray(value)
                batch[key] = np.zeros((count, *array.shape), array.dtype)
        return batch

    def read_into(
        self, index: int, batch: dict[str, Any], place: int, *, epoch: int | None = None
    ) -> None:
        """Writes one clip into row `place` of a batch."""
        recording, rows = self.locate(index, epoch=epoch)
        recording.shard.will_need(rows)
        for name in self.modalities:
            recording.stream(name).read(rows, batch[name][place])
        for key, value in self._columns(recording, rows).items():
            if key == "valid":
                for name in self.modalities:
                    batch[key][name][place] = value[name]
            else:
                batch[key][place] = value

    def _grid(self, recording: Recording) -> _Grid:
        if recording.kind == "stills" and self.length > 1:
            message = (
                f"session {recording.session} holds stills, others hold video. "
                f"Select one of them: ds.select(\"kind == 'stills'\")"
            )
            raise CommandError(message)
        last_start = len(recording) - self.span
        return _Grid(recording, max(last_start // self.hop + 1, 0), last_start)

    def _first_frame(self, index: int, cell: int, grid: _Grid, epoch: int) -> int:
        """Where a clip starts; random starts stay within the clip's own cell of the grid.

        So every frame can start a clip, and an epoch covers each session evenly.
        """
        begin = cell * self.hop
        if self.start == "grid":
            return begin
        width = min(self.hop, grid.last_start - begin + 1)
        draw = int(_philox(self.seed, epoch, index, _FOR_STARTS).random_raw())
        if self.start == "random":
            return begin + (draw * width >> _BITS)
        size = int(grid.recording.info["group_size"])
        first_group, end_group = -(-begin // size), -(-(begin + width) // size)
        if first_group == end_group:
            return begin // size * size
        return (first_group + (draw * (end_group - first_group) >> _BITS)) * size

    def _columns(self, recording: Recording, rows: range) -> dict[str, Any]:
        """All but the pixels."""
        chosen = slice(rows.start, rows.stop, rows.step)
        valid = recording.valid
        columns: dict[str, Any] = {"valid": {name: valid[name][chosen] for name in self.modalities}}
        if self.has_labels:
            for dimension in recording.dimensions:
                columns[dimension] = recording.label(dimension)[chosen]
            columns["label_valid"] = recording.label_valid[chosen]
            if self.has_expression:
                columns["expression"] = recording.expression[chosen]
        columns["time_seconds"] = recording.time_seconds[chosen]
        columns["session"] = recording.session
        columns["subject"] = recording.subject
        columns["start"] = rows.start
        return columns


def _philox(seed: int, epoch: int, index: int, purpose: int) -> np.random.Philox:
    """Random bits that depend on these numbers alone (Salmon et al. 2011, Philox4x64-10)."""
    key = np.array([seed % 2**_BITS, epoch % 2**_BITS], np.uint64)
    counter = np.array([0, index, 0, purpose], np.uint64)
    return np.random.Philox(key=key, counter=counter)


def _require_options(length: int, stride: int, hop: int, start: str, missing: str) -> None:
    for name, value in (("length", length), ("stride", stride), ("hop", hop)):
        if value < 1:
            message = f"clips: {name} is {value}, must be 1 or more"
            raise CommandError(message)
    for name, given, choices in (
        ("start", start, get_args(Start)),
        ("missing", missing, get_args(Missing)),
    ):
        if given not in choices:
            message = f"clips: {name} is {given!r}. Choose one of {', '.join(choices)}"
            raise CommandError(message)
