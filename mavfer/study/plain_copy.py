"""Plain copies of shards: pixels as they are, in HDF5 that every reader has the filters for."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import h5py

from mavfer.errors import DataError
from mavfer.study.hdf5 import open_hdf5, require_valid_hdf5
from mavfer.study.shards import Shard

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PLAIN_FORMULA", "verify_plain_copy", "write_plain_copy"]

PLAIN_FORMULA: Final = "x = z: pixels stand as they are, compressed by gzip alone"

# As shards are written: without a chunk cache a full disk fails in the call that writes.
_FILE_OPTIONS: Final[dict[str, Any]] = {"libver": ("earliest", "v108"), "rdcc_nbytes": 0}
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
    with open_hdf5(shard) as source:
        try:
            file = h5py.File(path, "x", **_FILE_OPTIONS)
            try:
                _write(file, source, Shard(shard))
                file.flush()
            except BaseException:
                with suppress(OSError, RuntimeError):  # a full disk fails here once more
                    file.close()
                raise
            file.close()
        except (OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            message = f"{path}: cannot be written ({reason}). Free space, then run again"
            raise DataError(message) from error


def verify_plain_copy(path: Path) -> None:
    """Returns when a plain copy fits its schema.

    Raises:
        NotFound, InvalidFile: It is missing, torn, or against its schema.
    """
    with open_hdf5(path) as file:
        require_valid_hdf5(file, "plain", path)


def _write(file: h5py.File, source: h5py.File, shard: Shard) -> None:
    for key, value in source.attrs.items():
        file.attrs[key] = _CHANGED.get(key, value)
    for name in shard.streams:
        pixels = _plain_dataset(file, name, source[name])
        for first in range(0, shard.frames, shard.group_size):
            rows = range(first, min(first + shard.group_size, shard.frames))
            pixels[first : rows.stop] = shard.read(name, rows)
    for name, mask in source.get("masks", {}).items():
        bits = _plain_dataset(file, f"masks/{name}", mask)
        for row in range(shard.frames):
            bits[row] = mask[row]
    for group in ("frames", "documents", "labels"):
        if group in source:
            source.copy(group, file)


def _plain_dataset(file: h5py.File, name: str, like: h5py.Dataset) -> h5py.Dataset:
    chunks = (1, *like.shape[1:])
    return file.create_dataset(name, shape=like.shape, dtype=like.dtype, chunks=chunks, **_GZIP)
