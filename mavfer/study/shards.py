"""Reading shards: any frames of any stream, straight from the file's bytes.

libhdf5 is asked once a shard, for the index and the small columns; pixels are then read with
`pread` and decompressed outside of it, so threads do not wait for its lock and nothing of it is
carried into forked or spawned processes.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numcodecs import blosc

from mavfer.errors import ChecksumMismatch, InvalidFile, NotFound
from mavfer.study.checksum import crc32
from mavfer.study.descriptors import read_bytes, will_need
from mavfer.study.hdf5 import reading_hdf5, require_valid_hdf5
from mavfer.study.pixels import GREEN, TIME, restore_frame, scratch_frames
from mavfer.study.shard_contents import MENDING, StreamIndex, read_column, read_contents
from mavfer.study.shard_labels import verify_shard_labels

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mavfer.streams import StreamName
    from mavfer.study.descriptors import FileIdentity
    from mavfer.study.pixels import Pixels
    from mavfer.study.shard_contents import ShardContents

__all__ = ["CARRIED", "VALID_BITS", "Shard", "StreamIndex", "usable_rows"]

VALID_BITS: Final[dict[StreamName, int]] = {"color": 1, "depth": 2, "thermal": 4}
"""Bit of each stream in the column `valid`."""

CARRIED: Final = 8
"""Bit of `valid` that says: the head was carried by depth."""

_SPARSE_BYTES: Final = 1 << 20
"""Foreign bytes that are read along rather than reading frame by frame; HDF5 may place a small
chunk in a hole far from its group."""

_HELD_STEP: Final = 1 << 22
"""Bytes read at once of a file that is kept in memory."""


class Shard:
    """One shard, open for reading; nothing is read before it is asked for.

    May be pickled, forked and used from many threads at once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_held = False
        """Keep the file's bytes in memory from the first read on."""
        self._contents: ShardContents | None = None
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
    def masks(self) -> dict[StreamName, StreamIndex]:
        """Masks that are there, by the stream that they belong to."""
        return self._opened().masks

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
            self._read_forward(index, rows[::-1], out[::-1])
        else:
            self._read_forward(index, rows, out)
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
        with reading_hdf5(self.path) as file:
            return read_column(file, name, self.path)

    def mask(self, stream: StreamName, rows: range) -> NDArray[np.uint8]:
        """Where depth or thermal came from (n, H, W), bits: 1 measured, 2 interpolated, 4 occluded.

        Raises:
            NotFound: The shard has no such mask.
            ChecksumMismatch: Bytes of a mask changed since they were written.
        """
        index = self.masks.get(stream)
        if index is None:
            message = f"{self.path}: has no mask for {stream}"
            raise NotFound(message)
        masks = np.empty((len(rows), *index.frame_shape), index.dtype)
        for place, row in enumerate(rows):
            chunk = self._chunks(index, range(row, row + 1))[0]
            try:
                blosc.decompress(chunk, masks[place])
            except (ValueError, RuntimeError) as error:
                raise self._unreadable(index, row) from error
        return masks

    def documents(self) -> dict[str, Any]:
        """The JSON documents of the shard by name: configuration, inputs, synchronisation, …."""
        with reading_hdf5(self.path) as file:
            members = require_valid_hdf5(file, "shard", self.path)["members"]
        start = "/documents/"
        return {k.removeprefix(start): m["json"] for k, m in members.items() if k.startswith(start)}

    def verify(self) -> None:
        """Returns when the file fits its schema, and frames, masks and columns are as written.

        Nothing counts that was read before. Of attributes and documents the schema is checked; a
        changed digit in them is found by the file's SHA-256 in the index of the study.

        Raises:
            InvalidFile: It does not fit its schema, is cut off, or its index makes no sense.
            ChecksumMismatch: Bytes changed; the message says of which stream and frame.
        """
        with reading_hdf5(self.path) as file:
            require_valid_hdf5(file, "shard", self.path)
            for name in file["frames"]:
                read_column(file, name, self.path)
            verify_shard_labels(file, self.path)
        fresh = Shard(self.path)
        for index in (*fresh.streams.values(), *fresh.masks.values()):
            for first in range(0, fresh.frames, fresh.group_size):
                rows = range(first, min(first + fresh.group_size, fresh.frames))
                fresh._chunks(index, rows)

    def _opened(self) -> ShardContents:
        if self._contents is None:
            self._contents = read_contents(self.path)
        return self._contents

    def _read_forward(self, index: StreamIndex, rows: range, out: Pixels) -> None:
        """Reads ascending rows group by group."""
        done = 0
        while done < len(rows):
            group = rows[done] // self.group_size
            count = len(range(rows[done], (group + 1) * self.group_size, rows.step))
            wanted = rows[done : done + count]
            self._read_group(index, group, wanted, out[done : done + count])
            done += len(wanted)

    def _read_group(self, index: StreamIndex, group: int, wanted: range, out: Pixels) -> None:
        """Reads ascending rows of one group; frames between them are decoded where needed."""
        predictor = int(index.predictors[group])
        is_chain = predictor & ~GREEN == TIME
        first = group * self.group_size
        needed = range(first, wanted[-1] + 1) if is_chain else wanted
        chunks = self._chunks(index, needed)
        _, *spares = scratch_frames(index.frame_shape, index.dtype)
        previous: Pixels | None = None
        for turn, row in enumerate(needed):
            target = out[wanted.index(row)] if row in wanted else spares[turn % 2]
            try:
                restore_frame(chunks[turn], target, predictor=predictor, previous=previous)
            except (ValueError, RuntimeError) as error:
                raise self._unreadable(index, row) from error
            previous = target if is_chain else None

    def _chunks(self, index: StreamIndex, rows: range) -> list[memoryview]:
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
                where = self._where(index, row)
                message = f"{where}: the bytes changed since they were written. {MENDING}"
                raise ChecksumMismatch(message)
        return chunks

    def _all_bytes(self, identity: FileIdentity) -> memoryview:
        """The whole file, read once, in steps that do not swell the thread's buffer."""
        with self._holding:
            if self._held is None:
                whole = bytearray(identity.size)
                for at in range(0, identity.size, _HELD_STEP):
                    length = min(_HELD_STEP, identity.size - at)
                    whole[at : at + length] = read_bytes(self.path, identity, at, length)
                self._held = memoryview(whole)
        return self._held

    def _unreadable(self, index: StreamIndex, row: int) -> InvalidFile:
        return InvalidFile(f"{self._where(index, row)}: cannot be decompressed. {MENDING}")

    def _where(self, index: StreamIndex, row: int) -> str:
        offset = int(index.table["offset"][row])
        session = self.attributes["session"]
        return f"{self.path}: session {session}, {index.name} frame {row}, byte {offset}"


def usable_rows(valid: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Rows whose face was found or carried (T,)."""
    usable: NDArray[np.bool_] = (valid & (VALID_BITS["color"] | CARRIED)) != 0
    return usable
