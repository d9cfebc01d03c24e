"""One stream of a shard on its way to the file: gathered, encoded and indexed a group at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.study.checksum import crc32
from mavfer.study.pixels import BLOSC_FILTER, MASK_CODEC, NONE, compress, encode_group

if TYPE_CHECKING:
    import h5py
    from numpy.typing import NDArray

    from mavfer.study.pixels import Pixels, Profile
    from mavfer.study.shard_header import ShardHeader

__all__ = ["EncodedFrames", "MaskWriter", "StreamWriter", "encode_frames", "encode_masks"]

_INDEX_ROW: Final = np.dtype([("offset", "<u8"), ("length", "<u4"), ("crc32", "<u4")])


@dataclass(frozen=True)
class EncodedFrames:
    """The frames of one group of one dataset, as they lie in a file."""

    predictor: int
    """Code of the group."""
    chunks: list[bytes]
    """Bytes of each frame."""
    frame_shape: tuple[int, ...]
    """(H, W) or (H, W, channels)."""
    dtype: str
    """Of a pixel, "uint8" or "uint16"."""


def encode_frames(
    frames: Pixels, profile: Profile, like: EncodedFrames | None = None
) -> EncodedFrames:
    """One group of color, depth or thermal frames (n, H, W) or (n, H, W, channels), encoded.

    `like` is a group that looks like it, whose predictor then serves here too.
    """
    predictor, chunks = encode_group(frames, profile, like.predictor if like else None)
    return EncodedFrames(predictor, chunks, frames.shape[1:], str(frames.dtype))


def encode_masks(masks: Pixels) -> EncodedFrames:
    """Masks (n, H, W), encoded: a few bits that need no prediction and leave nearly nothing."""
    chunks = [compress(mask, MASK_CODEC) for mask in masks]
    return EncodedFrames(NONE, chunks, masks.shape[1:], str(masks.dtype))


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

    @property
    def gathered(self) -> int:
        """Frames that wait for their group to be whole."""
        return self._filled

    def take(self, frames: Pixels) -> None:
        """Gathers frames; they must fit into what is left of the group."""
        self._group[self._filled : self._filled + len(frames)] = frames
        self._filled += len(frames)
        self.frames += len(frames)

    def write_group(self) -> None:
        """Writes the frames gathered so far as one group."""
        self._write(self._encoded(self._group[: self._filled]))
        self._filled = 0

    def write_encoded(self, group: EncodedFrames) -> None:
        """Writes a group that was encoded elsewhere; nothing may be gathered."""
        self.frames += len(group.chunks)
        self._write(group)

    def _write(self, group: EncodedFrames) -> None:
        self._dataset.resize(self.frames, axis=0)
        corner = (0,) * len(self.frame_shape)
        for row, chunk in enumerate(group.chunks, start=self.frames - len(group.chunks)):
            self._dataset.id.write_direct_chunk((row, *corner), chunk)
            self._lengths.append(len(chunk))
            self._crcs.append(crc32(chunk))
        self._predictors.append(group.predictor)

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

    def _encoded(self, frames: Pixels) -> EncodedFrames:
        return encode_frames(frames, self.profile)


class MaskWriter(StreamWriter):
    """The same for masks: a few bits that need no prediction and compress to nearly nothing."""

    def write_index(self, file: h5py.File, name: str) -> None:
        """Writes where each mask's bytes lie and their checksums."""
        self._write_places(file, f"index/{name}_mask")

    def _is_plain(self) -> bool:
        return False

    def _encoded(self, frames: Pixels) -> EncodedFrames:
        return encode_masks(frames)


def _write_checked(file: h5py.File, name: str, rows: NDArray[Any]) -> None:
    """One chunk with HDF5's checksum: a changed byte of it would show other pixels."""
    file.create_dataset(name, data=rows, chunks=rows.shape, fletcher32=True)
