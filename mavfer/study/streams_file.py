"""streams.h5: depth and thermal as the sensors gave them, and the stamps of every stream.

The writer works in HDF5's single-writer-multiple-reader mode and flushes after every frame, so
that whatever was written is readable when the recorder is killed.
"""

from __future__ import annotations

import json
import os
import struct
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import h5py
import hdf5plugin
import numpy as np

from mavfer.errors import InvalidFile
from mavfer.streams import STREAM_NAMES
from mavfer.study.hdf5 import open_hdf5, require_valid_hdf5

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from mavfer.streams import StreamName

__all__ = [
    "ALL_STREAMS",
    "CLOCK_DOMAINS",
    "DROPS",
    "DROP_CAUSES",
    "EVENTS",
    "MARKERS",
    "STREAM_NUMBERS",
    "TIMES",
    "StreamsFile",
    "StreamsWriter",
    "copy_streams",
    "detail_names",
    "drop_row",
    "event_row",
    "has_same_packing",
    "open_streams",
    "read_frame",
    "stamp_row",
    "write_color_times",
]

StreamsFile: TypeAlias = h5py.File
"""An open streams.h5, for those who may not import h5py."""

TIMES: Final = np.dtype(
    [
        ("host_ns", "<i8"),
        ("device_ns", "<i8"),
        ("domain", "u1"),
        ("frame_number", "<i8"),
        ("exposure_ns", "<i8"),
        ("flags", "<u2"),
    ]
)
MARKERS: Final = np.dtype([("host_ns", "<i8"), ("label", "S64")])
DROPS: Final = np.dtype(
    [("stream", "u1"), ("frame_number", "<i8"), ("host_ns", "<i8"), ("cause", "u1")]
)
EVENTS: Final = np.dtype([("host_ns", "<i8"), ("stream", "u1"), ("kind", "S32"), ("text", "S128")])
_TABLES: Final = {"/markers": MARKERS, "/drops": DROPS, "/events": EVENTS}

STREAM_NUMBERS: Final[dict[StreamName, int]] = {
    name: number for number, name in enumerate(STREAM_NAMES)
}
"""How tables spell a stream."""
ALL_STREAMS: Final = 255
"""How /events spells "no stream in particular"."""
DROP_CAUSES: Final = {"device": 0, "link": 1, "queue": 2, "disk": 3}
"""How /drops spells the place where a frame was lost."""

CLOCK_DOMAINS: Final = {"device": 0, "host": 1, "arrival": 2}
"""How tables spell the clock that device_ns was read from."""

_SIGNATURE: Final = b"\x89HDF\r\n\x1a\n\x03"
_HEAD_BYTES: Final = 36
_WRITTEN_IN_SWMR: Final = 0x04
_PACKINGS: Final[dict[StreamName, Any]] = {
    "depth": hdf5plugin.Bitshuffle(cname="lz4"),
    "thermal": hdf5plugin.Blosc2(cname="zstd", clevel=1, filters=hdf5plugin.Blosc2.SHUFFLE),
}
"""How 16-bit frames are packed: what cost the writing least, measured on simulated takes. Against
bit planes under Zstandard 1 for both, depth takes 6/10 of the time for 15 % more room, thermal 8/10
of the time for 13 % less."""
_ROWS_A_CHUNK: Final = 1024
_NAMES: Final = "names_json"
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
        self._datasets = _create(self._file, session, frame_shapes, details or {})
        self._file.swmr_mode = True

    def append_frame(
        self,
        stream: StreamName,
        pixels: NDArray[np.uint16] | None,
        stamp: NDArray[Any],
        details: Sequence[float] = (),
    ) -> None:
        """Adds a frame.

        Args:
            stream: Whose frame.
            pixels: Counts (H, W); None for color, which lies elsewhere.
            stamp: Row of `TIMES`.
            details: As many numbers as the stream has names for.
        """
        with self._lock:
            if pixels is not None:
                _append(self._datasets[f"/{stream}/frames"], pixels)
            if details:
                _append(self._datasets[f"/{stream}/details"], np.array(details, np.float64))
            _append(self._datasets[f"/{stream}/times"], stamp)

    def append_row(self, table: str, row: NDArray[Any]) -> None:
        """Adds a row to "/markers", "/drops" or "/events"."""
        with self._lock:
            _append(self._datasets[table], row)

    def close(self) -> None:
        """Ends the file so that it opens normally; harmless when called again."""
        with self._lock:
            self._file.close()

    def abandon(self) -> None:
        """Lets go of the file as it is on the disk, after a write that failed.

        libhdf5 would repeat that write on closing and take the process down with it, so the rest
        goes to a nameless file in memory. What was flushed stays readable in SWMR mode.
        """
        with self._lock:
            if self._file.id.valid and hasattr(os, "memfd_create"):
                nowhere = os.memfd_create("abandoned streams.h5")
                os.dup2(nowhere, self._file.id.get_vfd_handle())
                os.close(nowhere)
            with suppress(OSError, RuntimeError):
                self._file.close()

    def __enter__(self) -> StreamsWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def open_streams(path: Path) -> Iterator[h5py.File]:
    """The file at `path` for reading, also where its writer is at work or was killed.

    Raises:
        NotFound: There is no such file.
        InvalidFile: It is torn, or against its schema.
    """
    with open_hdf5(path, swmr=_has_open_writer(path)) as file:
        require_valid_hdf5(file, "streams", path)
        yield file


def read_frame(frames: Any, row: int) -> NDArray[np.uint16]:
    """Raw counts (H, W) of one frame of a dataset `/<stream>/frames`.

    Raises:
        InvalidFile: Its bytes cannot be decompressed.
    """
    try:
        return np.asarray(frames[row])
    except OSError as error:
        message = (
            f"{frames.file.filename}: {frames.name}, frame {row} cannot be read ({error}). "
            f"Restore the session from a copy"
        )
        raise InvalidFile(message) from error


def detail_names(file: h5py.File, stream: StreamName) -> tuple[str, ...]:
    """What the columns of `/<stream>/details` hold, each name with its unit; empty without one."""
    name = f"/{stream}/details"
    return tuple(json.loads(file[name].attrs[_NAMES])) if name in file else ()


def has_same_packing(one: h5py.Dataset, other: h5py.Dataset) -> bool:
    """True where the packed frames of one dataset can be moved into the other as they are."""
    return _packing(one) == _packing(other)


def copy_streams(
    parts: Sequence[tuple[h5py.File, Mapping[StreamName, int]]],
    path: Path,
    *,
    drops: NDArray[Any] | None = None,
) -> None:
    """Writes a whole file at `path` from `parts`, one after the other.

    Packed frames are moved byte for byte, unless an earlier version packed them in another way.

    Args:
        parts: Open files of one session, and how many frames of each stream are taken from each.
        path: Where; overwritten.
        drops: Rows of `DROPS` that come after those that there are.
    """
    first, streams = parts[0]
    shapes = {
        name: first[f"/{name}/frames"].shape[1:] for name in streams if f"{name}/frames" in first
    }
    details = {name: detail_names(first, name) for name in streams}
    with h5py.File(path, "w", libver=_BOUNDS) as file:
        datasets = _create(file, first.attrs["session"], shapes, details)
        for source, rows in parts:
            _copy_part(source, datasets, rows)
        if drops is not None:
            _extend(datasets["/drops"], drops)


def _copy_part(
    source: h5py.File, datasets: Mapping[str, h5py.Dataset], rows: Mapping[StreamName, int]
) -> None:
    for table in _TABLES:
        _extend(datasets[table], source[table][:])
    for stream, count in rows.items():
        for name in (f"/{stream}/times", f"/{stream}/details"):
            if name in datasets:
                _extend(datasets[name], source[name][:count])
        name = f"/{stream}/frames"
        if name in datasets:
            _move_chunks(source[name], datasets[name], count)


def write_color_times(path: Path, session: str, times: NDArray[Any]) -> None:
    """Writes the streams.h5 of a session that has color alone; `times` (T,) is of type `TIMES`."""
    with h5py.File(path, "x", libver=_BOUNDS) as file:
        _extend(_create(file, session, {}, {})["/color/times"], times)


def stamp_row(
    *,
    host_ns: int,
    device_ns: int,
    domain: int,
    frame_number: int,
    exposure_ns: int = 0,
    flags: int = 0,
) -> NDArray[Any]:
    """One row of `TIMES`."""
    return np.array((host_ns, device_ns, domain, frame_number, exposure_ns, flags), TIMES)


def drop_row(stream: StreamName, frame_number: int, host_ns: int, cause: str) -> NDArray[Any]:
    """One row of `DROPS`; `cause` is a name in `DROP_CAUSES`."""
    return np.array((STREAM_NUMBERS[stream], frame_number, host_ns, DROP_CAUSES[cause]), DROPS)


def event_row(host_ns: int, kind: str, text: str, stream: StreamName | None = None) -> NDArray[Any]:
    """One row of `EVENTS`; a text that is too long loses its end."""
    number = ALL_STREAMS if stream is None else STREAM_NUMBERS[stream]
    return np.array((host_ns, number, kind.encode()[:32], text.encode()[:128]), EVENTS)


def _has_open_writer(path: Path) -> bool:
    """True where the file's head says that a writer in SWMR mode has not closed it.

    A file that ends before its own first metadata does not count: libhdf5 would read that again
    and again, waiting for a writer to complete it.

    Source: HDF5 File Format Specification 3.0, superblock version 3 (flags at byte 11, end of
        file at bytes 28-35).
    """
    if not path.is_file():
        return False
    with path.open("rb") as handle:
        head = handle.read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES or not head.startswith(_SIGNATURE):
        return False
    flags, end_of_file = struct.unpack_from("<B16xQ", head, 11)
    return bool(flags & _WRITTEN_IN_SWMR and path.stat().st_size >= end_of_file)


def _create(
    file: h5py.File,
    session: str,
    frame_shapes: Mapping[StreamName, tuple[int, int]],
    details: Mapping[StreamName, Sequence[str]],
) -> dict[str, h5py.Dataset]:
    """All attributes and datasets; SWMR allows none later."""
    file.attrs.update({"format": "mavfer.streams", "version": 1, "session": session})
    tables = {
        "/color/times": TIMES,
        **{f"/{name}/times": TIMES for name in frame_shapes},
        **_TABLES,
    }
    datasets = {
        name: file.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(_ROWS_A_CHUNK,))
        for name, dtype in tables.items()
    }
    for stream, names in details.items():
        if names:
            datasets[f"/{stream}/details"] = _create_details(file, stream, names)
    for name, (height, width) in frame_shapes.items():
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
    dataset.attrs[_NAMES] = json.dumps(list(names))
    return dataset


def _append(dataset: h5py.Dataset, item: NDArray[Any]) -> None:
    count = dataset.shape[0]
    dataset.resize(count + 1, axis=0)
    dataset[count] = item
    dataset.flush()


def _extend(dataset: h5py.Dataset, rows: NDArray[Any]) -> None:
    count = dataset.shape[0]
    dataset.resize(count + len(rows), axis=0)
    dataset[count:] = rows


def _move_chunks(source: h5py.Dataset, target: h5py.Dataset, count: int) -> None:
    start = target.shape[0]
    target.resize(start + count, axis=0)
    is_movable = has_same_packing(source, target)
    for index in range(count):
        if is_movable:
            mask, chunk = source.id.read_direct_chunk((index, 0, 0))
            target.id.write_direct_chunk((start + index, 0, 0), chunk, filter_mask=mask)
        else:
            target[start + index] = source[index]


def _packing(dataset: h5py.Dataset) -> list[Any]:
    """Filters of a dataset with their settings."""
    plan = dataset.id.get_create_plist()
    return [plan.get_filter(number) for number in range(plan.get_nfilters())]
