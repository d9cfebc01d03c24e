"""One stream of a shard on its way to the file: gathered, encoded and indexed a group at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.study.checksum import crc32
from mavfer.study.pixels import BLOSC_FILTER, MASK_CODEC, NONE, compress, encode_group

if TYPE_CHECKING:
    import h5py
    from numpy.typing import NDArray

    from mavfer.study.pixels import Pixels, Profile
    from mavfer.study.shard_header import ShardHeader

__all__ = ["MaskWriter", "StreamWriter"]

_INDEX_ROW: Final = np.dtype([("offset", "<u8"), ("length", "<u4"), ("crc32", "<u4")])


class StreamWriter:
    """Gathers the frames of one dataset and writes them a group at a time."""

    def __init__(self, file: h5py.File, name: str, like: Pixels, header: ShardHeader) -> None:
        self.frame_shape: tuple[int, ...] = like.shape[1:]
        self.profile: Profile = header.profile
        self.frames = 0
        self._group = np.empty((header.group_size, *self.frame_shape), like.dtype)
        self._filled = 0
        self._predictors: list[int] = []
        self._lengths: list[int] = []
        self._crcs: list[int] = []
        filters = {} if self._is_plain() else {"compression": BLOSC_FILTER}
        self._dataset = file.create_dataset(
            name,
            shape=(0, *self.frame_shape),
            maxshape=(None, *self.frame_shape),
            chunks=(1, *self.frame_shape),
            dtype=like.dtype,
            fillvalue=None,
            **filters,
        )

    def take(self, frames: Pixels) -> None:
        """Gathers frames; they must fit into what is left of the group."""
        self._group[self._filled : self._filled + len(frames)] = frames
        self._filled += len(frames)
        self.frames += len(frames)

    def write_group(self) -> None:
        """Writes the frames gathered so far as one group."""
        predictor, chunks = self._encoded(self._group[: self._filled])
        self._dataset.resize(self.frames, axis=0)
        corner = (0,) * len(self.frame_shape)
        for row, chunk in enumerate(chunks, start=self.frames - len(chunks)):
            self._dataset.id.write_direct_chunk((row, *corner), chunk)
            self._lengths.append(len(chunk))
            self._crcs.append(crc32(chunk))
        self._predictors.append(predictor)
        self._filled = 0

    def write_index(self, file: h5py.File, name: str) -> None:
        """Writes where each frame's bytes lie, their checksums and the predictors."""
        self._write_places(file, f"index/{name}")
        _write_checked(file, f"index/{name}_predictor", np.array(self._predictors, np.uint8))

    def _write_places(self, file: h5py.File, name: str) -> None:
        table = np.zeros(self.frames, _INDEX_ROW)
        table["length"] = self._lengths
        table["crc32"] = self._crcs

        def place(chunk: Any) -> None:
            table["offset"][chunk.chunk_offset[0]] = chunk.byte_offset

        self._dataset.id.chunk_iter(place)
        _write_checked(file, name, table)

    def _is_plain(self) -> bool:
        return self.profile == "raw"

    def _encoded(self, frames: Pixels) -> tuple[int, list[bytes]]:
        return encode_group(frames, self.profile)


class MaskWriter(StreamWriter):
    """The same for masks: a few bits that need no prediction and compress to nearly nothing."""

    def write_index(self, file: h5py.File, name: str) -> None:
        """Writes where each mask's bytes lie and their checksums."""
        self._write_places(file, f"index/{name}_mask")

    def _is_plain(self) -> bool:
        return False

    def _encoded(self, frames: Pixels) -> tuple[int, list[bytes]]:
        return NONE, [compress(frame, MASK_CODEC) for frame in frames]


def _write_checked(file: h5py.File, name: str, rows: NDArray[Any]) -> None:
    """One chunk with HDF5's checksum: a changed byte of it would show other pixels."""
    file.create_dataset(name, data=rows, chunks=rows.shape, fletcher32=True)
