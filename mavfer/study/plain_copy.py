"""Plain copies of shards: pixels as they are, in HDF5 that every reader has the filters for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mavfer.study.hdf5 import open_hdf5, require_valid_hdf5
from mavfer.study.patient_file import patient_hdf5
from mavfer.study.shards import Shard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import h5py
    from numpy.typing import NDArray

__all__ = ["PLAIN_FORMULA", "verify_plain_copy", "write_plain_copy"]

PLAIN_FORMULA: Final = "x = z: pixels stand as they are, compressed by gzip alone"

_GZIP: Final[dict[str, Any]] = {"compression": "gzip", "compression_opts": 4, "shuffle": True}
_CHANGED: Final = {"format": "mavfer.plain", "profile": "plain", "formula": PLAIN_FORMULA}


def write_plain_copy(shard: Path, path: Path) -> None:
    """Writes all of a shard as plain HDF5: one frame a chunk, gzip level 4 and byte shuffle.

    Columns, documents and labels are those of the shard; there is no index, as HDF5 finds the
    chunks itself.

    Args:
        shard: The shard.
        path: The copy; nothing is there yet.

    Raises:
        ChecksumMismatch, InvalidFile: The shard is damaged.
        DataError: The disk is full or fails; the copy must not be used then.
    """
    with open_hdf5(shard) as source, patient_hdf5(path, is_new=True) as (file, disk):
        for key, value in source.attrs.items():
            text = value.decode() if isinstance(value, bytes) else value
            file.attrs[key] = _CHANGED.get(key, text)
        for name, first, frames in _pixels(Shard(shard)):
            if disk.error is not None:
                raise disk.error
            pixels = file[name] if name in file else _plain_dataset(file, name, source[name])
            pixels[first : first + len(frames)] = frames
        for group in ("frames", "documents", "labels"):
            if group in source:
                source.copy(group, file)


def verify_plain_copy(path: Path) -> None:
    """Returns when a plain copy fits its schema.

    Raises:
        NotFound, InvalidFile: It is missing, torn, or against its schema.
    """
    with open_hdf5(path) as file:
        require_valid_hdf5(file, "plain", path)


def _pixels(shard: Shard) -> Iterator[tuple[str, int, NDArray[Any]]]:
    """Every group of frames of every stream and mask: dataset, first frame, pixels."""
    size = shard.group_size
    groups = [range(at, min(at + size, shard.frames)) for at in range(0, shard.frames, size)]
    for stream in shard.streams:
        for rows in groups:
            yield stream, rows.start, shard.read(stream, rows)
    for stream in shard.masks:
        for rows in groups:
            yield f"masks/{stream}", rows.start, shard.mask(stream, rows)


def _plain_dataset(file: h5py.File, name: str, like: h5py.Dataset) -> h5py.Dataset:
    chunks = (1, *like.shape[1:])
    return file.create_dataset(name, shape=like.shape, dtype=like.dtype, chunks=chunks, **_GZIP)
