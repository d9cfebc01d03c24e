"""Bytes from files by position, with a bounded number of open descriptors.

Reads need no lock and share no file position, so threads may read one file at once. After a fork
the child opens its own; a file that was replaced since it was first seen is noticed.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mavfer.errors import InvalidFile, NotFound

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MAX_OPEN_FILES", "FileIdentity", "forget", "read_bytes", "will_need"]

MAX_OPEN_FILES: Final = 64
"""Descriptors kept open in a process; the least recently used goes first."""

_MAY_ADVISE: Final = hasattr(os, "posix_fadvise")
_MAY_READ_AT: Final = hasattr(os, "preadv")

_local = threading.local()


@dataclass(frozen=True)
class FileIdentity:
    """What changes when a file is written again or replaced."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> FileIdentity:
        """The identity of the file at `path` now."""
        status = path.stat()
        return cls(status.st_size, status.st_mtime_ns)


def read_bytes(path: Path, identity: FileIdentity, offset: int, length: int) -> memoryview:
    """`length` bytes from `offset`; they live until this thread's next call.

    Raises:
        NotFound: The file is gone.
        InvalidFile: It is another file than the one of `identity`, or ends too early.
    """
    buffer = _buffer(length)
    file = _cache().get(path, identity)
    done = 0
    while done < length:
        count = file.read_into(buffer[done:], offset + done)
        if count == 0:
            message = f"{path}: cut off at byte {offset + done}. Restore the file from a copy"
            raise InvalidFile(message)
        done += count
    return buffer


def will_need(path: Path, identity: FileIdentity, offset: int, length: int) -> None:
    """Tells the system that these bytes will be read soon; does nothing where it cannot."""
    if _MAY_ADVISE:
        file = _cache().get(path, identity)
        os.posix_fadvise(file.descriptor, offset, length, os.POSIX_FADV_WILLNEED)


def forget(path: Path) -> None:
    """Closes what is open of `path`, for example before it is renamed."""
    _cache().drop(path)


class _OpenFile:
    """A descriptor that closes when its last user lets go, also when that is another thread."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._position = threading.Lock()

    def read_into(self, buffer: memoryview, offset: int) -> int:
        if _MAY_READ_AT:
            return os.preadv(self.descriptor, [buffer], offset)
        with self._position:  # Windows has no positioned read
            os.lseek(self.descriptor, offset, os.SEEK_SET)
            block = os.read(self.descriptor, len(buffer))
        buffer[: len(block)] = block
        return len(block)

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)


class _FileCache:
    """The open files of one process."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self._files: OrderedDict[tuple[Path, FileIdentity], _OpenFile] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, path: Path, identity: FileIdentity) -> _OpenFile:
        key = (path, identity)
        with self._lock:
            file = self._files.get(key)
            if file is None:
                file = _open(path, identity)
                self._files[key] = file
            self._files.move_to_end(key)
            if len(self._files) > MAX_OPEN_FILES:
                self._files.popitem(last=False)
        return file

    def drop(self, path: Path) -> None:
        with self._lock:
            for key in [key for key in self._files if key[0] == path]:
                del self._files[key]


class _Holder:
    """Where the process's cache lives; another process gets a new one."""

    cache = _FileCache()


def _cache() -> _FileCache:
    if _Holder.cache.process != os.getpid():
        _Holder.cache = _FileCache()
    return _Holder.cache


def _open(path: Path, identity: FileIdentity) -> _OpenFile:
    try:
        file = _OpenFile(path)
    except FileNotFoundError as error:
        message = f"{path}: gone since it was opened. Restore it, or load the study again"
        raise NotFound(message) from error
    status = os.fstat(file.descriptor)
    if FileIdentity(status.st_size, status.st_mtime_ns) != identity:
        message = f"{path}: changed since it was opened. Load the study again"
        raise InvalidFile(message)
    return file


def _buffer(length: int) -> memoryview:
    """This thread's buffer; fresh memory for every read would cost page faults."""
    held: bytearray = _local.__dict__.setdefault("buffer", bytearray())
    if len(held) < length:
        held = bytearray(length)
        _local.buffer = held
    return memoryview(held)[:length]
