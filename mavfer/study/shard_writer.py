"""Writing shards: frames come in as they are made, memory stays at one group a stream."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Self

import h5py
import numpy as np

from mavfer.errors import DataError, InvalidArray, InvalidFile
from mavfer.files import replacing
from mavfer.streams import STREAM_NAMES, STREAMS, StreamName
from mavfer.study.descriptors import forget
from mavfer.study.patient_file import PatientFile, disk_error, patient_hdf5
from mavfer.study.shard_header import ShardHeader
from mavfer.study.shard_streams import MaskWriter, StreamWriter
from mavfer.study.shards import Shard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from mavfer.study.shard_streams import EncodedFrames

__all__ = ["ShardHeader", "ShardWriter"]

_COLUMN_CHUNK_BYTES: Final = 1 << 20


class ShardWriter:
    """Writes one shard; it takes its name only when it is whole and has been read back.

    with ShardWriter(path, header) as writer:
        writer.append(color, depth, thermal, depth_mask=..., thermal_mask=...)   # any number a time
        writer.finish(columns)

    Leaving the block with an exception, or without `finish`, leaves nothing behind.
    """

    def __init__(self, path: Path, header: ShardHeader) -> None:
        self.path = path
        self.header = header
        self._part = path  # until the block is entered
        self._renaming = ExitStack()
        self._writing = ExitStack()
        self._open: tuple[h5py.File, PatientFile] | None = None
        self._streams: dict[StreamName, StreamWriter] = {}
        self._masks: dict[StreamName, StreamWriter] = {}
        self._is_finished = False

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            try:
                self._part = stack.enter_context(replacing(self.path))
                self._part.unlink(missing_ok=True)  # of a writer that was killed
            except OSError as error:
                raise disk_error(self.path, error) from error
            writing = patient_hdf5(self._part, is_new=True, becomes=self.path)
            self._open = self._writing.enter_context(writing)
            self._renaming = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(DataError):  # a full disk is told once more
            self._writing.close()
        if error is None and not self._is_finished:
            error = RuntimeError(f"{self.path}: finish() was not called; nothing is written")
            self._renaming.__exit__(type(error), error, None)
            raise error
        self._renaming.__exit__(kind, error, trace)

    @property
    def _gathered(self) -> bool:
        """True where frames wait for their group to be whole."""
        color = self._streams.get("color")
        return color is not None and color.gathered > 0

    @property
    def frames(self) -> int:
        """Frames appended so far."""
        color = self._streams.get("color")
        return 0 if color is None else color.frames

    def append(
        self,
        color: NDArray[np.uint8],
        depth: NDArray[np.uint16] | None = None,
        thermal: NDArray[np.uint16] | None = None,
        *,
        depth_mask: NDArray[np.uint8] | None = None,
        thermal_mask: NDArray[np.uint8] | None = None,
    ) -> None:
        """Adds n frames; the first call decides which streams the shard has and their size.

        Args:
            color: (n, H, W, 3), RGB.
            depth: (n, H, W), millimetres, 0 = no data.
            thermal: (n, H, W), centikelvin, 0 = no data.
            depth_mask: (n, H, W), bits: 1 measured, 2 interpolated, 4 occluded.
            thermal_mask: The same for thermal.

        Raises:
            InvalidArray: A shape or type does not fit, or a stream comes or goes midway.
            DataError: The disk is full or fails.
        """
        given: dict[StreamName, Any] = {"color": color, "depth": depth, "thermal": thermal}
        masks: dict[StreamName, Any] = {"depth": depth_mask, "thermal": thermal_mask}
        pixels = {name: array for name, array in given.items() if array is not None}
        masks = {name: array for name, array in masks.items() if array is not None}
        self._require_shapes(pixels, masks)
        if not self._streams:
            self._create(pixels, masks)
        self._require_same(pixels, masks)
        size = self.header.group_size
        done = 0
        while done < len(color):
            count = min(size - self.frames % size, len(color) - done)
            for name, writer in self._streams.items():
                writer.take(pixels[name][done : done + count])
            for name, writer in self._masks.items():
                writer.take(masks[name][done : done + count])
            done += count
            if self.frames % size == 0:
                self._write_group()

    def append_encoded(self, group: Mapping[str, EncodedFrames]) -> None:
        """Adds a whole group that was encoded elsewhere, with the header's profile.

        Args:
            group: By stream, "color", "depth", "thermal", and by mask, "depth_mask",
                "thermal_mask". Only the last group may have fewer frames than the header says.

        Raises:
            InvalidArray: A stream comes or goes midway, or a group is not whole.
            DataError: The disk is full or fails.
        """
        like = {name: np.empty((0, *e.frame_shape), e.dtype) for name, e in group.items()}
        pixels = {name: like[name] for name in STREAM_NAMES if name in like}
        masks = {name: like[f"{name}_mask"] for name in STREAM_NAMES if f"{name}_mask" in like}
        if not self._streams:
            self._create(pixels, masks)
        self._require_same(pixels, masks)
        if self.frames % self.header.group_size:
            message = f"{self.path}: a group after {self.frames} frames, which is inside of one"
            raise InvalidArray(message)
        with self._telling() as file:
            for name, writer in self._streams.items():
                writer.write_encoded(group[name])
            for name, writer in self._masks.items():
                writer.write_encoded(group[f"{name}_mask"])
            file.flush()

    def finish(self, columns: Mapping[str, NDArray[Any]]) -> None:
        """Writes what is left, the per-frame columns, documents and index, and reads all back.

        Args:
            columns: Every column of `/frames` (docs/formats.md, 'shard'), one row a frame.

        Raises:
            InvalidArray: There are no frames, or a column has another length.
            InvalidFile: The columns do not fit the schema, or what was written reads back wrong.
            DataError: The disk is full or fails.
        """
        if not self.frames:
            message = f"{self.path}: a shard needs at least one frame"
            raise InvalidArray(message)
        for name, column in columns.items():
            if len(column) != self.frames:
                message = f"{self.path}: column {name} has {len(column)} rows, not {self.frames}"
                raise InvalidArray(message)
        if self._gathered:
            self._write_group()
        with self._telling() as file:
            self._write_rest(file, columns)
        self._writing.close()
        self._read_back()
        self._is_finished = True

    def _write_rest(self, file: h5py.File, columns: Mapping[str, NDArray[Any]]) -> None:
        file.attrs["frames"] = self.frames
        for key, value in self.header.attributes().items():
            file.attrs[key] = _fixed(value) if isinstance(value, str) else value
        for name, document in self.header.documents().items():
            _write_document(file, name, document)
        for name, column in columns.items():
            _write_column(file, name, np.asarray(column))
        for writers in (self._streams, self._masks):
            for name, writer in writers.items():
                writer.write_index(file, name)

    def _read_back(self) -> None:
        part = self._part
        try:
            Shard(part).verify()
        except InvalidFile as error:
            message = f"{self.path}: what was written does not read back: {error}"
            raise type(error)(message) from error
        finally:
            forget(part)

    def _create(self, pixels: Mapping[StreamName, Any], masks: Mapping[StreamName, Any]) -> None:
        with self._telling() as file:
            for name in STREAM_NAMES:
                if name in pixels:
                    self._streams[name] = StreamWriter(file, name, pixels[name], self.header)
            for name in masks:
                self._masks[name] = MaskWriter(file, f"masks/{name}", masks[name], self.header)

    def _write_group(self) -> None:
        """Writes the group of every stream back to back, so that a clip is one stretch of bytes."""
        with self._telling() as file:
            for writer in (*self._streams.values(), *self._masks.values()):
                writer.write_group()
            file.flush()

    @contextmanager
    def _telling(self) -> Iterator[h5py.File]:
        """Hands out the open file; a disk that failed by the end of the block is told."""
        if self._open is None:
            message = "ShardWriter is used outside of its with block"
            raise RuntimeError(message)
        file, disk = self._open
        try:
            yield file
        except (OSError, RuntimeError) as error:
            raise disk_error(self.path, disk.error or error) from error
        if disk.error is not None:
            raise disk_error(self.path, disk.error)

    def _require_shapes(
        self, pixels: Mapping[StreamName, Any], masks: Mapping[StreamName, Any]
    ) -> None:
        """Raises where an array is not what its stream says."""
        count, height, width = (*pixels["color"].shape, 0, 0, 0)[:3]
        for name, array in pixels.items():
            expected = (count, *STREAMS[name].frame_shape(height, width))
            _require(array, expected, STREAMS[name].dtype, f"{self.path}: {name}")
        for name, array in masks.items():
            _require(array, (count, height, width), "uint8", f"{self.path}: mask of {name}")

    def _require_same(
        self, pixels: Mapping[StreamName, Any], masks: Mapping[StreamName, Any]
    ) -> None:
        """Raises where streams, masks or the crop's size differ from the first call's."""
        if set(pixels) != set(self._streams) or set(masks) != set(self._masks):
            message = f"{self.path}: streams and masks must be the same in every append"
            raise InvalidArray(message)
        first = self._streams["color"].frame_shape
        if pixels["color"].shape[1:] != first:
            message = f"{self.path}: crops of {pixels['color'].shape[1:]} after crops of {first}"
            raise InvalidArray(message)


def _require(array: Any, shape: tuple[int, ...], dtype: str, where: str) -> None:
    if array.shape != shape or array.dtype != dtype or 0 in shape[1:]:
        message = f"{where} must be {dtype} {shape}, is {array.dtype} {array.shape}"
        raise InvalidArray(message)


def _write_document(file: h5py.File, name: str, document: object) -> None:
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    file.create_dataset(f"documents/{name}", data=_fixed(text))


def _fixed(text: str) -> NDArray[Any]:
    """Text of fixed length; HDF5 may search for ever for any other kind where a bit has changed."""
    block = text.encode()
    return np.array(block, dtype=h5py.string_dtype("utf-8", max(len(block), 1)))


def _write_column(file: h5py.File, name: str, column: NDArray[Any]) -> None:
    """A column with a checksum a chunk; landmarks do not compress, so nothing is compressed."""
    row_bytes = max(column.nbytes // len(column), 1)
    rows = min(max(_COLUMN_CHUNK_BYTES // row_bytes, 1), len(column))
    chunks = (rows, *column.shape[1:])
    file.create_dataset(f"frames/{name}", data=column, chunks=chunks, fletcher32=True)
