"""Clips: stretches of frames of equal length, in an order that depends on seed and epoch alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import numpy as np

from mavfer.batches import ClipOrder, Loader, empty_array
from mavfer.clip_grid import Start, lay_grid, shuffled
from mavfer.errors import CommandError, InvalidArray, NotFound
from mavfer.files import memory_bytes
from mavfer.streams import STREAMS
from mavfer.views import VIEWS, require_views

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mavfer.clip_grid import Grid
    from mavfer.recordings import Recording
    from mavfer.streams import StreamName
    from mavfer.views import ViewName

__all__ = ["Cache", "Clips", "Layout", "Missing", "Start"]

Cache = Literal["none", "ram"]
Layout = Literal["THWC", "CTHW"]
Missing = Literal["mask", "drop"]


class Clips:
    """A map-style data set of clips; `torch.utils.data.DataLoader` takes it as it is.

    Indexing gives a dict: color (T, H, W, 3) uint8, depth (T, H, W) uint16 in millimetres, thermal
    (T, H, W) uint16 in centikelvin; valid, per stream (T,) bool; one float32 (T,) per dimension
    (arousal, valence) and label_valid (T,), unless the study was loaded without labels; expression
    (T,) int64 where the study has classes; time_seconds (T,); session, subject, start; and one
    float32 (T, H, W) for every view asked for, NaN where nothing was measured. With the layout
    "CTHW" channels come first: color (3, T, H, W), all others (1, T, H, W).

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
        min_valid: float = 0.0,
        views: Sequence[ViewName] = (),
        layout: Layout = "THWC",
        cache: Cache = "none",
        has_labels: bool = True,
        has_expression: bool = False,
    ) -> None:
        _require_numbers(length, stride, hop, min_valid)
        _require_choices(start=(start, Start), missing=(missing, Missing))
        _require_choices(layout=(layout, Layout), cache=(cache, Cache))
        if recordings and all(recording.kind == "stills" for recording in recordings):
            length = stride = hop = 1
        self.length, self.stride, self.hop = length, stride, hop
        self.start: Start = start
        self.seed = seed
        self.epoch = 0
        self.has_labels, self.has_expression = has_labels, has_expression
        self.min_valid = min_valid
        self.modalities = recordings[0].modalities if recordings else ()
        require_views(views, self.modalities)
        self.views, self.layout, self.cache = tuple(views), layout, cache
        self.span = (length - 1) * stride + 1
        """Frames from a clip's first to its last."""
        used = [
            r
            for r in recordings
            if missing == "mask" or r.info["streams"].keys() >= {*r.modalities}
        ]
        self._grids = [grid for grid in map(self._grid, used) if len(grid)]
        if not self._grids:
            raise NotFound(self._nothing_fits(used))
        self._ends = np.cumsum([len(grid) for grid in self._grids])
        if cache == "ram":
            _hold([grid.recording for grid in self._grids])

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
        first = grid.first_frame(
            index - int(self._ends[number]) + len(grid),
            self.start,
            seed=self.seed,
            epoch=self.epoch if epoch is None else epoch,
            index=index,
        )
        return grid.recording, range(first, first + self.span, self.stride)

    def __getitem__(self, index: int) -> dict[str, Any]:
        recording, rows = self.locate(index)
        recording.shard.will_need(rows)
        clip: dict[str, Any] = {name: recording.stream(name).read(rows) for name in self.modalities}
        for name in self.views:
            clip[name] = recording.view(name).of(clip[VIEWS[name].stream], rows)
        if self.layout == "CTHW":
            clip = {name: np.ascontiguousarray(_channels_first(a)) for name, a in clip.items()}
        return {**clip, **self._columns(recording, rows)}

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Many clips, read in the order in which they lie on disk."""
        order = sorted(range(len(indices)), key=lambda turn: indices[turn])
        clips: dict[int, dict[str, Any]] = {turn: self[indices[turn]] for turn in order}
        return [clips[turn] for turn in range(len(indices))]

    def order(self, epoch: int, *, shuffle: bool) -> NDArray[np.int64]:
        """Numbers of all clips as an epoch goes through them (N,)."""
        if not shuffle:
            return np.arange(len(self))
        return shuffled(len(self), seed=self.seed, epoch=epoch)

    def sampler(self, shuffle: bool = True, rank: int = 0, world_size: int = 1) -> ClipOrder:
        """The same order for a DataLoader of torch: `DataLoader(clips, sampler=clips.sampler())`.

        Raises:
            CommandError: There is no such rank.
        """
        return ClipOrder(self, shuffle=shuffle, rank=rank, world_size=world_size)

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
            name: empty_array(*self._batch_array(count, STREAMS[name].frame_shape(*size), name))
            for name in self.modalities
        }
        batch |= {name: empty_array(*self._batch_array(count, size, name)) for name in self.views}
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
            pixels = self._read_stream(recording, rows, name, batch[name][place])
            for view in self.views:
                if VIEWS[view].stream == name:
                    values = recording.view(view).of(pixels, rows)
                    batch[view][place] = self._in_layout(values)
        for key, value in self._columns(recording, rows).items():
            if key == "valid":
                for name in self.modalities:
                    batch[key][name][place] = value[name]
            else:
                batch[key][place] = value

    def _read_stream(
        self, recording: Recording, rows: range, name: StreamName, out: NDArray[Any]
    ) -> NDArray[Any]:
        """Reads one stream of a clip into its place and answers it with time on the first axis."""
        frames = recording.stream(name)
        if self.layout == "THWC":
            return frames.read(rows, out)
        if STREAMS[name].channels == 1:
            return frames.read(rows, out[0])
        pixels = frames.read(rows)
        out[...] = _channels_first(pixels)
        return pixels

    def _in_layout(self, frames: NDArray[Any]) -> NDArray[Any]:
        return frames if self.layout == "THWC" else _channels_first(frames)

    def _batch_array(
        self, count: int, frame: tuple[int, ...], name: str
    ) -> tuple[tuple[int, ...], str]:
        """Shape and type of a stream or view of a batch."""
        dtype = STREAMS[name].dtype if name in STREAMS else "float32"
        if self.layout == "THWC":
            return (count, self.length, *frame), dtype
        height, width, channels = (*frame, 1)[:3]
        return (count, channels, self.length, height, width), dtype

    def _grid(self, recording: Recording) -> Grid:
        if recording.kind == "stills" and self.length > 1:
            message = (
                f"session {recording.session} holds stills, others hold video. "
                f"Select one of them: ds.select(\"kind == 'stills'\")"
            )
            raise CommandError(message)
        return lay_grid(
            recording,
            span=self.span,
            stride=self.stride,
            hop=self.hop,
            start=self.start,
            min_valid=self.min_valid,
        )

    def _nothing_fits(self, used: Sequence[Recording]) -> str:
        longest = max((len(r) for r in used), default=0)
        if longest >= self.span:
            return (
                f"no clip of {self.span} frames has {self.min_valid:.0%} of them with a face. "
                f"Ask for a smaller min_valid, or other sessions"
            )
        return (
            f"no clip of {self.span} frames fits into {len(used)} sessions "
            f"(longest: {longest} frames). Ask for shorter clips, or other sessions"
        )

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


def _channels_first(frames: NDArray[Any]) -> NDArray[Any]:
    """(T, H, W, C) or (T, H, W) as (C, T, H, W); a view, nothing is copied."""
    return np.moveaxis(frames, -1, 0) if frames.ndim > 3 else frames[None]  # noqa: PLR2004


def _hold(recordings: Sequence[Recording]) -> None:
    """Lets shards stay in memory once they are read.

    Raises:
        CommandError: They are larger than the machine's memory.
    """
    needed = sum(int(recording.info["size"]) for recording in recordings)
    there = memory_bytes()
    if there is not None and needed > there:
        message = (
            f"cache='ram': the shards have {needed / 1e9:.1f} GB, this machine has "
            f"{there / 1e9:.1f} GB of memory. Select fewer sessions, or leave cache out"
        )
        raise CommandError(message)
    for recording in recordings:
        recording.shard.is_held = True


def _require_numbers(length: int, stride: int, hop: int, min_valid: float) -> None:
    for name, value in (("length", length), ("stride", stride), ("hop", hop)):
        if value < 1:
            message = f"clips: {name} is {value}, must be 1 or more"
            raise CommandError(message)
    if not 0 <= min_valid <= 1:
        message = f"clips: min_valid is {min_valid}, must be a share between 0 and 1"
        raise CommandError(message)


def _require_choices(**options: tuple[str, Any]) -> None:
    for name, (given, choices) in options.items():
        if given not in get_args(choices):
            message = f"clips: {name} is {given!r}. Choose one of {', '.join(get_args(choices))}"
            raise CommandError(message)
