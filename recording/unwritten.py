"""Frames that the disk did not take, listed in room that was taken beforehand.

When the disk is full nothing can be written any more, not even what was lost. So a take begins with
a file of zeros; rows of drops overwrite it, and recovery adds them to /drops.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.study.streams_file import DROPS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["UNWRITTEN_NAME", "UnwrittenFrames", "read_unwritten"]

UNWRITTEN_NAME: Final = ".unwritten"
"""Of the file in the folder of a take."""

_MOST_ROWS: Final = 4096
"""The queues of three cameras many times over; what comes later is counted, not listed."""


class UnwrittenFrames:
    """A list of drops that needs no room on the disk; safe to call from any thread."""

    def __init__(self, folder: Path) -> None:
        """Takes the room.

        Raises:
            OSError: The disk is full already.
        """
        self._path = folder / UNWRITTEN_NAME
        self._path.write_bytes(bytes(_MOST_ROWS * DROPS.itemsize))
        self._file = self._path.open("r+b", buffering=0)
        self._lock = threading.Lock()
        self._rows = 0

    def add(self, row: NDArray[Any]) -> None:
        """Lists a row of `DROPS`."""
        with self._lock:
            if self._rows < _MOST_ROWS and not self._file.closed:
                self._file.write(row.tobytes())
                self._rows += 1

    def close(self) -> None:
        """Gives the room back, unless something is listed; harmless when called again."""
        with self._lock:
            self._file.close()
            if not self._rows:
                self._path.unlink(missing_ok=True)


def read_unwritten(folder: Path) -> NDArray[Any]:
    """What was listed in `folder`, rows of `DROPS`; none where there is no list."""
    path = folder / UNWRITTEN_NAME
    if not path.is_file():
        return np.empty(0, DROPS)
    content = path.read_bytes()
    rows = np.frombuffer(content, DROPS, count=len(content) // DROPS.itemsize)
    listed: NDArray[Any] = rows[rows["host_ns"] != 0]
    return listed
