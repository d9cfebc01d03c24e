"""Reading shards: any frames of any stream, straight from the file's bytes.

libhdf5 is asked once a shard, for the index and the small columns; pixels are then read with
`pread` and decompressed outside of it, so threads do not wait for its lock and nothing of it is
carried into forked or spawned processes.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from mavfer.errors import ChecksumMismatch, InvalidFile, NotFound, WrongVersion
from mavfer.streams import STREAM_NAMES, STREAMS, StreamName
from mavfer.study.checksum import crc32
from mavfer.study.descriptors import FileIdentity, read_bytes, will_need
from mavfer.study.hdf5 import open_hdf5, require_valid_hdf5
from mavfer.study.pixels import GREEN, PREDICTORS, TIME, restore_frame, scratch_frames
from mavfer.study.shard_labels import verify_shard_labels

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import h5py
    from numpy.typing import NDArray

    from mavfer.study.pixels import Pixels

__all__ = ["CARRIED", "VALID_BITS", "Shard", "StreamIndex", "usable_rows"]

VALID_BITS: Final[dict[StreamName, int]] = {"color": 1, "depth": 2, "thermal": 4}
"""Bit of each stream in the column `valid`."""

CARRIED: Final = 8
"""Bit of `valid` that says: the head was carried by depth."""

_SPARSE_BYTES: Final = 1 << 20
"""Foreign bytes that are read along rather than reading frame by frame; HDF5 may place a small
chunk in a hole far from its group."""

_HELD_STEP: Final = 1 << 22

_MENDING: Final = "Restore the shard from a copy, or delete it and run mavfer preprocess"


@dataclass(frozen=True)
class StreamIndex:
    """Where the frames of one stream lie."""

    table: NDArray[np.void]
    """(T,) with the fields offset, length (bytes in the file) and crc32."""
    predictors: NDArray[np.uint8]
    """(G,), code of each group."""
    frame_shape: tuple[int, ...]
    """(H, W) or (H, W, channels)."""
    dtype: np.dtype[Any]
    """Of a pixel."""


@dataclass(frozen=True)
class _Contents:
    """What is read from a shard once."""

    identity: FileIdentity
    attributes: dict[str, Any]
    streams: dict[StreamName, StreamIndex]
    valid: NDArray[np.uint8]
    time_seconds: NDArray[np.float64]


class Shard:
    """One shard, open for reading; nothing is read before it is asked for.

    May be pickled, forked and used from many threads at once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_held = False
        """Keep the file's bytes in memory from the first read on."""
        self._contents: _Contents | None = None
        self._held: memoryview | None = None
        self._holding = threading.Lock()

    def __repr__(self) -> str:
        return f"Shard({str(self.path)!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "is_held": self.is_held}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"])  # type: ignore[misc]  # locks and bytes do not travel
        self.is_held = state["is_held"]

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of the file: session, subject, alignment, … (docs/formats.md, 'shard')."""
        return self._opened().attributes

    @property
    def frames(self) -> int:
        """Number of rows."""
        return int(self.attributes["frames"])

    @property
    def group_size(self) -> int:
        """Frames a group."""
        return int(self.attributes["group_size"])

    @property
    def streams(self) -> dict[StreamName, StreamIndex]:
        """The streams that are there."""
        return self._opened().streams

    @property
    def valid(self) -> NDArray[np.uint8]:
        """Bit field (T,): `VALID_BITS`, `CARRIED` and 16 for an approximate registration."""
        return self._opened().valid

    @property
    def time_seconds(self) -> NDArray[np.float64]:
        """Seconds since the first frame (T,)."""
        return self._opened().time_seconds

    def read(self, stream: StreamName, rows: range, out: Pixels | None = None) -> Pixels:
        """Pixels of the frames `rows`, in that order.

        Args:
            stream: One of `streams`.
            rows: Frames within 0 and `frames`; may step, also backwards.
            out: (n, H, W) or (n, H, W, channels) to write into, each frame contiguous.

        Raises:
            ChecksumMismatch: Bytes of a frame changed since they were written.
            InvalidFile: The file is cut off, or was replaced since it was opened.
        """
        index = self.streams[stream]
        if out is None:
            out = np.empty((len(rows), *index.frame_shape), index.dtype)
        if rows.step < 0:
            self._read_forward(stream, index, rows[::-1], out[::-1])
        else:
            self._read_forward(stream, index, rows, out)
        return out

    def will_need(self, rows: range) -> None:
        """Asks the system to start reading these frames of all streams (they lie side by side)."""
        if not rows or self._held is not None:
            return
        first = min(rows[0], rows[-1]) // self.group_size * self.group_size
        last = max(rows[0], rows[-1])
        starts = [int(index.table["offset"][first]) for index in self.streams.values()]
        ends = [
            int(index.table["offset"][last]) + int(index.table["length"][last])
            for index in self.streams.values()
        ]
        length = max(ends) - min(starts)
        if length > 0:
            will_need(self.path, self._opened().identity, min(starts), length)

    def column(self, name: str) -> NDArray[Any]:
        """A column of `/frames`, one row a frame: "landmarks", "pose", "quality", ….

        Raises:
            ChecksumMismatch: Its bytes changed since they were written.
        """
        with open_hdf5(self.path) as file:
            return _read_column(file, name, self.path)

    def mask(self, stream: StreamName, rows: range) -> NDArray[np.uint8]:
        """Where depth or thermal came from (n, H, W), bits: 1 measured, 2 interpolated, 4 occluded.

        Raises:
            NotFound: The shard has no such mask.
        """
        with open_hdf5(self.path) as file:
            if f"masks/{stream}" not in file:
                message = f"{self.path}: has no mask for {stream}"
                raise NotFound(message)
            low, high = (min(rows), max(rows) + 1) if rows else (0, 0)
            block = file[f"masks/{stream}"][low:high]
        return cast("NDArray[np.uint8]", block[[row - low for row in rows]])

    def documents(self) -> dict[str, Any]:
        """The JSON documents of the shard by name: configuration, inputs, synchronisation, …."""
        with open_hdf5(self.path) as file:
            members = require_valid_hdf5(file, "shard", self.path)["members"]
        start = "/documents/"
        return {k.removeprefix(start): m["json"] for k, m in members.items() if k.startswith(start)}

    def verify(self) -> None:
        """Returns when the file fits its schema and every frame and column is as it was written.

        Raises:
            InvalidFile: It does not fit its schema, is cut off, or its index makes no sense.
            ChecksumMismatch: Bytes changed; the message says of which stream and frame.
        """
        with open_hdf5(self.path) as file:
            require_valid_hdf5(file, "shard", self.path)
            for name in file["frames"]:
                _read_column(file, name, self.path)
            verify_shard_labels(file, self.path)
        for stream, index in self.streams.items():
            for first in range(0, self.frames, self.group_size):
                rows = range(first, min(first + self.group_size, self.frames))
                self._chunks(stream, index, rows)

    def _opened(self) -> _Contents:
        if self._contents is None:
            self._contents = _read_contents(self.path)
        return self._contents

    def _read_forward(
        self, stream: StreamName, index: StreamIndex, rows: range, out: Pixels
    ) -> None:
        """Reads ascending rows group by group."""
        done = 0
        while done < len(rows):
            group = rows[done] // self.group_size
            count = len(range(rows[done], (group + 1) * self.group_size, rows.step))
            wanted = rows[done : done + count]
            self._read_group(stream, index, group, wanted, out[done : done + count])
            done += len(wanted)

    def _read_group(
        self, stream: StreamName, index: StreamIndex, group: int, wanted: range, out: Pixels
    ) -> None:
        """Reads ascending rows of one group; frames between them are decoded where needed."""
        predictor = int(index.predictors[group])
        is_chain = predictor & ~GREEN == TIME
        first = group * self.group_size
        needed = range(first, wanted[-1] + 1) if is_chain else wanted
        chunks = self._chunks(stream, index, needed)
        _, *spares = scratch_frames(index.frame_shape, index.dtype)
        previous: Pixels | None = None
        for turn, row in enumerate(needed):
            target = out[wanted.index(row)] if row in wanted else spares[turn % 2]
            try:
                restore_frame(
                    chunks[turn],
                    target,
                    predictor=predictor,
                    previous=previous,
                )
            except (ValueError, RuntimeError) as error:
                message = f"{self._where(stream, row)}: cannot be decompressed. {_MENDING}"
                raise InvalidFile(message) from error
            previous = target if is_chain else None

    def _chunks(self, stream: StreamName, index: StreamIndex, rows: range) -> list[memoryview]:
        """Checked bytes of some frames of one group; they live until this thread's next call."""
        table = index.table[rows.start : rows[-1] + 1 : rows.step].tolist()
        start = min(offset for offset, _, _ in table)
        end = max(offset + length for offset, length, _ in table)
        identity = self._opened().identity
        if self.is_held:
            whole = self._all_bytes(identity)
            chunks = [whole[offset : offset + length] for offset, length, _ in table]
        elif end - start > _SPARSE_BYTES + sum(length for _, length, _ in table):
            chunks = [memoryview(bytes(read_bytes(self.path, identity, o, n))) for o, n, _ in table]
        else:
            block = read_bytes(self.path, identity, start, end - start)
            chunks = [block[offset - start :][:length] for offset, length, _ in table]
        for row, chunk, (_, _, expected) in zip(rows, chunks, table, strict=True):
            if crc32(chunk) != expected:
                where = self._where(stream, row)
                message = f"{where}: the bytes changed since they were written. {_MENDING}"
                raise ChecksumMismatch(message)
        return chunks

    def _all_bytes(self, identity: FileIdentity) -> memoryview:
        """The whole file, read once."""
        with self._holding:
            if self._held is None:
                self._held = memoryview(
                    bytearray(read_bytes(self.path, identity, 0, identity.size))
                )
        return self._held

    def _where(self, stream: StreamName, row: int) -> str:
        offset = int(self.streams[stream].table["offset"][row])
        session = self.attributes["session"]
        return f"{self.path}: session {session}, {stream} frame {row}, byte {offset}"


def usable_rows(valid: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Rows whose face was found or carried (T,)."""
    usable: NDArray[np.bool_] = (valid & (VALID_BITS["color"] | CARRIED)) != 0
    return usable


def _read_contents(path: Path) -> _Contents:
    if not path.is_file():
        message = f"{path}: no such shard. {_MENDING}"
        raise NotFound(message)
    identity = FileIdentity.of(path)
    with open_hdf5(path) as file:
        try:
            attributes = {key: _plain(value) for key, value in file.attrs.items()}
            _require_readable(attributes, path)
            streams = {name: _read_index(file, name, path) for name in STREAM_NAMES if name in file}
            contents = _Contents(
                identity=identity,
                attributes=attributes,
                streams=streams,
                valid=_read_column(file, "valid", path),
                time_seconds=_read_column(file, "time_seconds", path),
            )
        except (KeyError, OSError, RuntimeError, ValueError, TypeError) as error:
            message = f"{path}: torn or no shard ({error}). {_MENDING}"
            raise InvalidFile(message) from error
    _require_sound(contents, path)
    return contents


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _require_readable(attributes: dict[str, Any], path: Path) -> None:
    """Raises where the file is no shard, or one of another version."""
    if attributes.get("format") != "mavfer.shard":
        message = f"{path}: not a shard (its attribute format is {attributes.get('format')!r})"
        if attributes.get("format") == "mavfer.plain":
            message = f"{path}: a plain copy for readers without mavfer. Load the release's shards"
        raise InvalidFile(message)
    found = attributes.get("version")
    if found != 1:
        newer = isinstance(found, int) and found > 1
        way_out = "Update mavfer" if newer else "Make it again with mavfer preprocess"
        message = f"{path}: shard version {found}, this mavfer reads version 1. {way_out}"
        raise WrongVersion(message)


def _read_index(file: h5py.File, name: StreamName, path: Path) -> StreamIndex:
    dtype = np.dtype(STREAMS[name].dtype)
    if file[name].dtype != dtype:
        message = f"{path}: {name} is {file[name].dtype}, must be {dtype}. {_MENDING}"
        raise InvalidFile(message)
    return StreamIndex(
        table=file[f"index/{name}"][:],
        predictors=file[f"index/{name}_predictor"][:],
        frame_shape=tuple(file[name].shape[1:]),
        dtype=dtype,
    )


def _read_column(file: h5py.File, name: str, path: Path) -> NDArray[Any]:
    try:
        return cast("NDArray[Any]", file[f"frames/{name}"][:])
    except KeyError as error:
        known = ", ".join(file["frames"]) if "frames" in file else "none"
        message = f"{path}: no column {name!r} in /frames. There are: {known}"
        raise NotFound(message) from error
    except OSError as error:
        message = f"{path}: the column /frames/{name} changed since it was written. {_MENDING}"
        raise ChecksumMismatch(message) from error


def _require_sound(contents: _Contents, path: Path) -> None:
    """Raises where the index cannot be followed: too short, or pointing outside of the file."""
    frames, group_size = contents.attributes["frames"], contents.attributes["group_size"]
    if len(contents.valid) != frames or len(contents.time_seconds) != frames:
        message = f"{path}: {frames} frames, but its columns have other lengths. {_MENDING}"
        raise InvalidFile(message)
    for stream, index in contents.streams.items():
        _require_lengths(index, frames, -(-frames // group_size), f"{path}: {stream}")
        ends = index.table["offset"].astype(np.float64) + index.table["length"]
        outside = np.flatnonzero(ends > contents.identity.size)
        if len(outside):
            message = (
                f"{path}: {stream} frame {outside[0]}: the index points to byte "
                f"{ends[outside[0]]:.0f}, the file has {contents.identity.size}. {_MENDING}"
            )
            raise InvalidFile(message)


def _require_lengths(index: StreamIndex, frames: int, groups: int, where: str) -> None:
    lengths: Sequence[int] = (len(index.table), len(index.predictors))
    if lengths != (frames, groups):
        message = f"{where}: the index has {lengths}, must have {(frames, groups)}. {_MENDING}"
        raise InvalidFile(message)
    unknown = np.setdiff1d(index.predictors, list(PREDICTORS))
    if len(unknown):
        message = f"{where}: predictor {unknown[0]} is unknown. {_MENDING}"
        raise InvalidFile(message)
