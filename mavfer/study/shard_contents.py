"""What is read from a shard once: its attributes, its index, and the columns always needed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import ChecksumMismatch, InvalidFile, NotFound, WrongVersion
from mavfer.schema import how_to_update
from mavfer.streams import STREAM_NAMES, STREAMS, StreamName
from mavfer.study.descriptors import FileIdentity
from mavfer.study.hdf5 import reading_hdf5
from mavfer.study.pixels import PREDICTORS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import h5py
    from numpy.typing import NDArray

__all__ = ["MENDING", "ShardContents", "StreamIndex", "read_column", "read_contents"]

MENDING: Final = "Restore the shard from a copy, or delete it and run mavfer preprocess"
"""What to do about a damaged shard."""


@dataclass(frozen=True)
class StreamIndex:
    """Where the frames of one stream, or its masks, lie."""

    name: str
    """For messages: "depth", "mask of depth"."""
    table: NDArray[np.void]
    """(T,) with the fields offset, length (bytes in the file) and crc32."""
    predictors: NDArray[np.uint8]
    """(G,), code of each group; (0,) for masks."""
    frame_shape: tuple[int, ...]
    """(H, W) or (H, W, channels)."""
    dtype: np.dtype[Any]
    """Of a pixel."""


@dataclass(frozen=True)
class ShardContents:
    """What is read from a shard once."""

    identity: FileIdentity
    attributes: dict[str, Any]
    streams: dict[StreamName, StreamIndex]
    masks: dict[StreamName, StreamIndex]
    valid: NDArray[np.uint8]
    time_seconds: NDArray[np.float64]


def read_contents(path: Path) -> ShardContents:
    """The contents of the shard at `path`.

    Raises:
        NotFound: There is no such shard.
        WrongVersion: Another mavfer wrote it.
        ChecksumMismatch: Bytes of index or columns changed since they were written.
        InvalidFile: It is no shard, torn, or its index cannot be followed.
    """
    if not path.is_file():
        message = f"{path}: no such shard. {MENDING}"
        raise NotFound(message)
    identity = FileIdentity.of(path)
    with reading_hdf5(path) as file:
        attributes = {key: _plain(value) for key, value in file.attrs.items()}
        _require_readable(attributes, file, path)
        contents = ShardContents(
            identity=identity,
            attributes=attributes,
            streams={n: _stream_index(file, n, path) for n in STREAM_NAMES if n in file},
            masks={n: _mask_index(file, n, path) for n in STREAM_NAMES if f"masks/{n}" in file},
            valid=read_column(file, "valid", path),
            time_seconds=read_column(file, "time_seconds", path),
        )
        _require_sound(contents, path)
    return contents


def read_column(file: h5py.File, name: str, path: Path) -> NDArray[Any]:
    """A column of /frames of an open shard.

    Raises:
        NotFound: There is no such column.
        ChecksumMismatch: Its bytes changed since they were written.
    """
    if f"frames/{name}" not in file:
        known = ", ".join(file["frames"]) if "frames" in file else "none"
        message = f"{path}: no column {name!r} in /frames. There are: {known}"
        raise NotFound(message)
    return _read_checked(file, f"frames/{name}", f"{path}: the column")


def _plain(value: Any) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    return plain.decode() if isinstance(plain, bytes) else plain


def _require_readable(attributes: dict[str, Any], file: h5py.File, path: Path) -> None:
    """Raises where the file is no shard, or one of another version."""
    if attributes.get("format") != "mavfer.shard":
        message = f"{path}: not a shard (its attribute format is {attributes.get('format')!r})"
        if attributes.get("format") == "mavfer.plain":
            message = f"{path}: a plain copy for readers without mavfer. Load the release's shards"
        raise InvalidFile(message)
    found = attributes.get("version")
    if found != 1:
        newer = isinstance(found, int) and found > 1
        way_out = (
            how_to_update(_versions(file)) if newer else "Make it again with mavfer preprocess"
        )
        message = f"{path}: shard version {found}, this mavfer reads version 1. {way_out}"
        raise WrongVersion(message)


def _versions(file: h5py.File) -> Any:
    """The shard's document of software versions, None where a newer format has none."""
    try:
        return json.loads(file["documents/versions"].asstr()[()])
    except (KeyError, ValueError, AttributeError, TypeError):
        return None


def _stream_index(file: h5py.File, name: StreamName, path: Path) -> StreamIndex:
    dtype = np.dtype(STREAMS[name].dtype)
    if file[name].dtype != dtype:
        message = f"{path}: {name} is {file[name].dtype}, must be {dtype}. {MENDING}"
        raise InvalidFile(message)
    return StreamIndex(
        name=name,
        table=_read_checked(file, f"index/{name}", f"{path}: the index"),
        predictors=_read_checked(file, f"index/{name}_predictor", f"{path}: the index"),
        frame_shape=tuple(file[name].shape[1:]),
        dtype=dtype,
    )


def _mask_index(file: h5py.File, name: StreamName, path: Path) -> StreamIndex:
    return StreamIndex(
        name=f"mask of {name}",
        table=_read_checked(file, f"index/{name}_mask", f"{path}: the index"),
        predictors=np.empty(0, np.uint8),
        frame_shape=tuple(file[f"masks/{name}"].shape[1:]),
        dtype=np.dtype(np.uint8),
    )


def _read_checked(file: h5py.File, name: str, where: str) -> NDArray[Any]:
    """All of a dataset that has HDF5's checksum."""
    dataset = file[name]
    try:
        values: NDArray[Any] = dataset[:]
    except OSError as error:
        message = f"{where} /{name} changed since it was written. {MENDING}"
        raise ChecksumMismatch(message) from error
    return values


def _require_sound(contents: ShardContents, path: Path) -> None:
    """Raises where the index cannot be followed: too short, or pointing outside of the file."""
    frames, group_size = contents.attributes["frames"], contents.attributes["group_size"]
    if len(contents.valid) != frames or len(contents.time_seconds) != frames:
        message = f"{path}: {frames} frames, but its columns have other lengths. {MENDING}"
        raise InvalidFile(message)
    groups = -(-frames // group_size)
    for index in (*contents.streams.values(), *contents.masks.values()):
        has_predictors = index.name in contents.streams
        _require_lengths(index, frames, groups if has_predictors else 0, f"{path}: {index.name}")
        ends = index.table["offset"].astype(np.float64) + index.table["length"]
        outside = np.flatnonzero(ends > contents.identity.size)
        if len(outside):
            message = (
                f"{path}: {index.name} frame {outside[0]}: the index points to byte "
                f"{ends[outside[0]]:.0f}, the file has {contents.identity.size}. {MENDING}"
            )
            raise InvalidFile(message)


def _require_lengths(index: StreamIndex, frames: int, groups: int, where: str) -> None:
    lengths: Sequence[int] = (len(index.table), len(index.predictors))
    if lengths != (frames, groups):
        message = f"{where}: the index has {lengths}, must have {(frames, groups)}. {MENDING}"
        raise InvalidFile(message)
    unknown = np.setdiff1d(index.predictors, list(PREDICTORS))
    if len(unknown):
        message = f"{where}: predictor {unknown[0]} is unknown. {MENDING}"
        raise InvalidFile(message)
