"""Writing HDF5 files where the disk may run full: the error is told, the process lives on.

HDF5 keeps what it could not write and tries again while it closes the file and while it ends; a
failure there can end the process. So it writes here into a file for which every write succeeds,
that keeps the first error of the disk and tells it when HDF5 is done.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import h5py

from mavfer.errors import DataError
from mavfer.study.descriptors import forget

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["PatientFile", "disk_error", "patient_hdf5"]

_BOUNDS: Final = ("earliest", "v108")
"""Every HDF5 since 1.8 reads such files, also where the writer was killed after a flush."""


class PatientFile:
    """A file that takes every write; the first one that failed is in `error`."""

    def __init__(self, path: Path, *, is_new: bool) -> None:
        self._file = path.open("x+b" if is_new else "r+b", buffering=0)
        self.error: OSError | None = None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves to a place; gives it."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The place."""
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes."""
        return self._file.read(size)

    def readinto(self, buffer: Any) -> int:
        """Reads into `buffer` and gives the number of bytes."""
        return self._file.readinto(buffer)

    def write(self, block: Any) -> int:
        """Writes all of `block`, unless something failed before."""
        rest = memoryview(block)
        while self.error is None and rest:
            try:
                rest = rest[self._file.write(rest) :]
            except OSError as error:
                self.error = error
        return len(block)

    def truncate(self, size: int | None = None) -> int:
        """Cuts off, or extends, to `size` bytes."""
        try:
            self._file.truncate(size)
        except OSError as error:
            self.error = self.error or error
        return self.tell() if size is None else size

    def flush(self) -> None:
        """Does nothing: nothing is held back."""

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


@contextmanager
def patient_hdf5(
    path: Path, *, is_new: bool, becomes: Path | None = None
) -> Iterator[tuple[h5py.File, PatientFile]]:
    """Hands out an HDF5 file to write into, and the file below it, whose `error` ends long work.

    Args:
        path: The file.
        is_new: Make it; nothing is there yet.
        becomes: The name that it takes when it is whole, for messages.

    Raises:
        DataError: The disk is full or fails, or a new file is there already. The file must not be
            used then.
    """
    shown = becomes or path
    forget(path)
    try:
        disk = PatientFile(path, is_new=is_new)
    except OSError as error:
        raise disk_error(shown, error) from error
    try:
        with h5py.File(disk, "w" if is_new else "r+", libver=_BOUNDS, rdcc_nbytes=0) as file:
            yield file, disk
    except (OSError, RuntimeError) as error:
        raise disk_error(shown, disk.error or error) from error
    finally:
        disk.close()
    if disk.error is not None:
        raise disk_error(shown, disk.error)


def disk_error(path: Path, error: Exception) -> DataError:
    """What to raise where `path` could not be written."""
    number = error.errno if isinstance(error, OSError) else None
    reason = os.strerror(number) if number else " ".join(str(error).split())
    return DataError(f"{path}: cannot be written ({reason}). Free space, then run again")
