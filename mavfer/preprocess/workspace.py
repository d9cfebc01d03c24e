"""What a session's run has finished so far, so that the next run goes on where one was killed.

Each step is one file, written under another name and renamed: it is there, whole, or not. Steps
carry a checksum; one that does not read back, and all that follow it, are made again.

A step is arrays in a row: how long the list of them is (8 bytes), the list (JSON: name, type,
shape), their bytes, and the CRC-32 of all before it (4 bytes). numpy's own files of many arrays are
zip archives, which take twice as long to write and to read.
"""

from __future__ import annotations

import json
import math
import shutil
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.format import descr_to_dtype, dtype_to_descr

from mavfer.errors import DataError
from mavfer.study.checksum import crc32

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

__all__ = ["Workspace"]


class Workspace:
    """A folder of numbered steps, all made from the same inputs."""

    def __init__(self, folder: Path, made_from: str) -> None:
        """Opens the folder, which need not be there; steps of other inputs are deleted.

        Args:
            folder: Where the steps are.
            made_from: What stands for all inputs, such as a hash over them.
        """
        self.folder = folder
        self._key, self._made_from = folder / "made_from", made_from
        if not self._key.is_file() or self._key.read_text(encoding="utf-8") != made_from:
            self.clear()

    def load(self, kind: str, number: int) -> Arrays | None:
        """The arrays of a step; None where it is missing or damaged."""
        path = self._path(kind, number)
        try:
            with path.open("rb") as handle:
                whole = bytearray(path.stat().st_size)
                handle.readinto(whole)
            return _unpacked(whole)
        except (OSError, ValueError, struct.error):
            return None

    def save(self, kind: str, number: int, arrays: Arrays) -> None:
        """Keeps the arrays of a step.

        Raises:
            DataError: The disk is full or fails.
        """
        path = self._path(kind, number)
        part = path.with_name(path.name + ".part")
        try:
            if not self._key.is_file():
                self.folder.mkdir(parents=True, exist_ok=True)
                self._key.write_text(self._made_from, encoding="utf-8")
            with part.open("wb") as handle:
                handle.writelines(_packed(arrays))
            part.replace(path)
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise _disk_error(path, error) from error
        except BaseException:
            part.unlink(missing_ok=True)  # interrupted by Ctrl-C
            raise

    def forget(self, kind: str, number: int) -> None:
        """Deletes a step that is no longer needed."""
        self._path(kind, number).unlink(missing_ok=True)

    def forget_all(self, kind: str) -> None:
        """Deletes all steps of a kind, the last first, so that none is ever left without others."""
        for path in sorted(self.folder.glob(f"{kind}-*.step"), reverse=True):
            path.unlink()

    def clear(self) -> None:
        """Deletes the folder: the work is done."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, kind: str, number: int) -> Path:
        return self.folder / f"{kind}-{number:06d}.step"


def _packed(arrays: Arrays) -> list[bytes | memoryview]:
    """What a step's file holds, piece by piece; the arrays are not copied."""
    listed = [(name, dtype_to_descr(array.dtype), array.shape) for name, array in arrays.items()]
    head = json.dumps(listed).encode()
    pieces: list[bytes | memoryview] = [struct.pack("<Q", len(head)), head]
    pieces += [
        np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        for array in arrays.values()
        if array.size
    ]
    checksum = 0
    for piece in pieces:
        checksum = crc32(piece, checksum)
    return [*pieces, struct.pack("<I", checksum)]


def _unpacked(whole: bytearray) -> Arrays:
    """The arrays of a step's file, all over its memory; raises where it is damaged."""
    inner = memoryview(whole)[:-4]
    if struct.unpack("<I", whole[-4:]) != (crc32(inner),):
        message = "checksum"
        raise ValueError(message)
    (head_bytes,) = struct.unpack_from("<Q", inner)
    at, arrays = 8 + head_bytes, {}
    for name, descr, shape in json.loads(inner[8:at].tobytes()):
        dtype, count = _dtype(descr), math.prod(shape)
        arrays[name] = (
            np.frombuffer(inner, dtype, count, at).reshape(shape)
            if count
            else np.empty(shape, dtype)
        )
        at += count * dtype.itemsize
    return arrays


def _dtype(descr: Any) -> np.dtype[Any]:
    """A type from its description, in which JSON has turned pairs into lists."""
    is_plain = isinstance(descr, str)
    return np.dtype(descr_to_dtype(descr if is_plain else [tuple(field) for field in descr]))


def _disk_error(path: Path, error: OSError) -> DataError:
    return DataError(f"{path}: cannot be written ({error.strerror}). Free space, then run again")
