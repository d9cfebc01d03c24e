"""Writing streams.h5: frame by frame while a take goes on, and whole files anew.

What is appended is flushed, in HDF5's single-writer-multiple-reader mode, so that whatever was
written is readable when the recorder is killed.
"""

from __future__ import annotations

import json
import os
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import h5py
import hdf5plugin
import numpy as np

from mavfer.streams import STREAM_NAMES
from mavfer.study.counts_packer import BITSHUFFLE_FILTER, counts_packer
from mavfer.study.dataset_tail import DatasetTail
from mavfer.study.streams_file import (
    ARCHIVE,
    DROPS,
    EVENTS,
    MARKERS,
    NAMES,
    TIMES,
    detail_names,
    read_frame,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from mavfer.streams import StreamName
    from mavfer.study.archive_note import ArchiveNote
    from mavfer.study.streams_file import StreamsFile

__all__ = [
    "StreamsWriter",
    "copy_streams",
    "copy_without_frames",
    "has_same_packing",
    "write_color_times",
]

_CHECKSUM: Final = np.dtype("<u4")
_TABLES: Final = {"/markers": MARKERS, "/drops": DROPS, "/events": EVENTS}
_PACKINGS: Final[dict[StreamName, Any]] = {
    "depth": hdf5plugin.Bitshuffle(cname="lz4"),
    "thermal": hdf5plugin.Bitshuffle(cname="lz4"),
}
"""How 16-bit frames are packed: what costs the writing least, since `counts_packer` knows it. On
simulated takes, and with the file's own costs, a frame of depth (1280 x 720) takes 3 ms and one of
thermal (640 x 512) 1 ms, a third of what bit planes under Zstandard 1 take, for a quarter more
room, which an archive gives back."""
_ROWS_A_CHUNK: Final = 1024
_BOUNDS: Final = ("v110", "v110")
"""The oldest layout that knows SWMR, so that HDF5 1.10 and later can read the file."""


class StreamsWriter:
    """Appends frames and rows; safe to call from one thread a stream.

    A frame's pixels and details are on the way to the disk before its row, so a row always has
    them.
    """

    def __init__(
        self,
        path: Path,
        session: str,
        frame_shapes: Mapping[StreamName, tuple[int, int]],
        details: Mapping[StreamName, Sequence[str]] | None = None,
    ) -> None:
        """Creates the file.

        Args:
            path: Where; must not exist.
            session: The session's id.
            frame_shapes: (H, W) of depth and of thermal, where the rig has them.
            details: Names of the numbers that a camera gives with every frame, each with its unit;
                a stream that is not there, or has no names, gives none.
        """
        self._lock = threading.Lock()
        self._file = h5py.File(path, "x", libver=_BOUNDS)
        datasets = _create(self._file, session, frame_shapes, details or {})
        self._tails = {name: DatasetTail(dataset) for name, dataset in datasets.items()}
        self._packers = {
            stream: counts_packer(shape)
            for stream, shape in frame_shapes.items()
            if _is_bitshuffled(datasets[f"/{stream}/frames"])
        }
        self._file.swmr_mode = True

    def append_frame(
        self,
        stream: StreamName,
        pixels: NDArray[np.uint16] | None,
        stamp: NDArray[Any],
        details: Sequence[float] = (),
    ) -> None:
        """Adds a frame; packing it holds no other stream up.

        Args:
            stream: Whose frame.
            pixels: Counts (H, W); None for color, which lies elsewhere.
            stamp: Row of `TIMES`.
            details: As many numbers as the stream has names for.
        """
        packer = self._packers.get(stream)
        chunk = None if packer is None or pixels is None else packer.pack(pixels)
        with self._lock:
            if chunk is not None:
                self._tails[f"/{stream}/frames"].append_chunk(chunk)
            elif pixels is not None:
                self._tails[f"/{stream}/frames"].append(pixels)
            if details:
                self._tails[f"/{stream}/details"].append(np.array(details, np.float64))
            self._tails[f"/{stream}/times"].append(stamp)

    def append_row(self, table: str, row: NDArray[Any]) -> None:
        """Adds a row to "/markers", "/drops" or "/events"."""
        with self._lock:
            self._tails[table].append(row)

    def close(self) -> None:
        """Ends the file so that it opens normally; harmless when called again."""
        with self._lock:
            self._file.close()

    def abandon(self) -> None:
        """Lets go of the file as it is on the disk, after a write that failed.

        What was flushed stays readable in SWMR mode.
        """
        with self._lock:
            _abandon(self._file)

    def __enter__(self) -> StreamsWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def has_same_packing(one: h5py.Dataset, other: h5py.Dataset) -> bool:
    """True where the packed frames of one dataset can be moved into the other as they are."""
    return _packing(one) == _packing(other)


def copy_streams(
    parts: Sequence[tuple[StreamsFile, Mapping[StreamName, int]]],
    path: Path,
    *,
    drops: NDArray[Any] | None = None,
    note: ArchiveNote | None = None,
    advance: Callable[[int], None] | None = None,
) -> None:
    """Writes a whole file at `path` from `parts`, one after the other.

    Packed frames are moved byte for byte, unless an earlier version packed them in another way, or
    they come from the videos of an archived session.

    Args:
        parts: Open files of one session, and how many frames of each stream are taken from each.
        path: Where; overwritten.
        drops: Rows of `DROPS` that come after those that there are.
        note: Of a session that is restored from its archive.
        advance: Called with 1 after each frame of depth or thermal.
    """
    first, streams = parts[0]
    shapes = _frame_shapes(first, streams)
    details = {name: detail_names(first, name) for name in streams}
    with _new_file(path) as file:
        datasets = _create(file, first.session, shapes, details)
        for source, rows in parts:
            _copy_tables(source, datasets, rows)
            for stream in shapes:
                target = datasets[f"/{stream}/frames"]
                _move_frames(source, target, stream, rows[stream], advance)
        if drops is not None:
            _extend(datasets["/drops"], drops)
        if note is not None:
            file.flush()  # before that, some frames take no room yet
            packed = {
                stream: int(datasets[f"/{stream}/frames"].id.get_storage_size())
                for stream in shapes
            }
            file.attrs[ARCHIVE] = json.dumps(note.with_packed_bytes(packed).to_document())


def copy_without_frames(
    source: StreamsFile,
    path: Path,
    note: ArchiveNote,
    checksums: Mapping[StreamName, NDArray[np.uint32]],
) -> None:
    """Writes the file of an archived session: all of `source` but the pixels.

    Args:
        source: The file with pixels.
        path: Where; overwritten.
        note: Where the frames are now.
        checksums: (T,) `counts_video.checksum_of` each frame, by stream.
    """
    rows: dict[StreamName, int] = {
        name: len(source[f"/{name}/times"]) for name in STREAM_NAMES if f"/{name}/times" in source
    }
    details = {name: detail_names(source, name) for name in rows}
    with _new_file(path) as file:
        shapes = _frame_shapes(source, rows)
        datasets = _create(file, source.session, shapes, details, is_archived=True)
        _copy_tables(source, datasets, rows)
        for stream, values in checksums.items():
            _extend(datasets[f"/{stream}/checksums"], values)
        file.attrs[ARCHIVE] = json.dumps(note.to_document())


def _frame_shapes(
    file: StreamsFile, streams: Iterable[StreamName]
) -> dict[StreamName, tuple[int, int]]:
    """(H, W) of the 16-bit streams among `streams`."""
    shapes = {name: file.frames(name).shape for name in streams if file.has_frames(name)}
    return {name: (height, width) for name, (_, height, width) in shapes.items()}


def _copy_tables(
    source: StreamsFile, datasets: Mapping[str, h5py.Dataset], rows: Mapping[StreamName, int]
) -> None:
    for table in _TABLES:
        _extend(datasets[table], source[table][:])
    for stream, count in rows.items():
        for name in (f"/{stream}/times", f"/{stream}/details"):
            if name in datasets:
                _extend(datasets[name], source[name][:count])


def write_color_times(path: Path, session: str, times: NDArray[Any]) -> None:
    """Writes the streams.h5 of a session that has color alone; `times` (T,) is of type `TIMES`."""
    with h5py.File(path, "x", libver=_BOUNDS) as file:
        _extend(_create(file, session, {}, {})["/color/times"], times)


@contextmanager
def _new_file(path: Path) -> Iterator[h5py.File]:
    """A file that is written in one go, and let go of where that fails."""
    file = h5py.File(path, "w", libver=_BOUNDS)
    try:
        yield file
        file.flush()
    except BaseException:
        _abandon(file)
        raise
    file.close()


def _abandon(file: h5py.File) -> None:
    """Closes a file after a write that failed.

    libhdf5 would repeat that write on closing and take the process down with it, so the rest goes
    to a nameless file in memory.
    """
    if file.id.valid and hasattr(os, "memfd_create"):
        nowhere = os.memfd_create("abandoned streams.h5")
        os.dup2(nowhere, file.id.get_vfd_handle())
        os.close(nowhere)
    with suppress(OSError, RuntimeError):
        file.close()


def _create(
    file: h5py.File,
    session: str,
    frame_shapes: Mapping[StreamName, tuple[int, int]],
    details: Mapping[StreamName, Sequence[str]],
    *,
    is_archived: bool = False,
) -> dict[str, h5py.Dataset]:
    """All attributes and datasets; SWMR allows none later."""
    file.attrs.update({"format": "mavfer.streams", "version": 1, "session": session})
    tables = {
        "/color/times": TIMES,
        **{f"/{name}/times": TIMES for name in frame_shapes},
        **({f"/{name}/checksums": _CHECKSUM for name in frame_shapes} if is_archived else {}),
        **_TABLES,
    }
    datasets = {
        name: file.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(_ROWS_A_CHUNK,))
        for name, dtype in tables.items()
    }
    for stream, names in details.items():
        if names:
            datasets[f"/{stream}/details"] = _create_details(file, stream, names)
    for name, (height, width) in ({} if is_archived else frame_shapes).items():
        datasets[f"/{name}/frames"] = file.create_dataset(
            f"/{name}/frames",
            (0, height, width),
            np.uint16,
            maxshape=(None, height, width),
            chunks=(1, height, width),
            compression=_PACKINGS[name],
        )
    return datasets


def _create_details(file: h5py.File, stream: StreamName, names: Sequence[str]) -> h5py.Dataset:
    dataset = file.create_dataset(
        f"/{stream}/details",
        (0, len(names)),
        np.float64,
        maxshape=(None, len(names)),
        chunks=(_ROWS_A_CHUNK, len(names)),
    )
    dataset.attrs[NAMES] = json.dumps(list(names))
    return dataset


def _extend(dataset: h5py.Dataset, rows: NDArray[Any]) -> None:
    count = dataset.shape[0]
    dataset.resize(count + len(rows), axis=0)
    dataset[count:] = rows


def _move_frames(
    source: StreamsFile,
    target: h5py.Dataset,
    stream: StreamName,
    count: int,
    advance: Callable[[int], None] | None,
) -> None:
    """Appends the first `count` frames of a stream, packed as they are where that can be."""
    frames: Any = source.frames(stream)
    start = target.shape[0]
    target.resize(start + count, axis=0)
    is_movable = source.archive is None and has_same_packing(frames, target)
    for index in range(count):
        if is_movable:
            mask, chunk = frames.id.read_direct_chunk((index, 0, 0))
            target.id.write_direct_chunk((start + index, 0, 0), chunk, filter_mask=mask)
        else:
            target[start + index] = read_frame(frames, index)
        if advance is not None:
            advance(1)


def _is_bitshuffled(dataset: h5py.Dataset) -> bool:
    """True where `counts_packer` knows how frames are packed."""
    return [number for number, *_ in _packing(dataset)] == [BITSHUFFLE_FILTER]


def _packing(dataset: h5py.Dataset) -> list[Any]:
    """Filters of a dataset with their settings."""
    plan = dataset.id.get_create_plist()
    return [plan.get_filter(number) for number in range(plan.get_nfilters())]
