"""What was written is put on the disk once a second, so that a power cut costs about that much.

The system keeps written pages in memory for half a minute. That outlives a killed recorder, but no
power cut. The asking is done on a thread of its own: a slow disk must not hold up the frames.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["PERIOD_SECONDS", "DiskSync"]

PERIOD_SECONDS: Final = 1.0
"""Time between two rounds."""
_PATIENCE_SECONDS: Final = 30.0
"""How long the end of a take waits for a disk that is still writing."""

_put_on_disk = getattr(os, "fdatasync", os.fsync)
"""Without the times of access, where the system knows the difference."""


class DiskSync:
    """Syncs files that grow until it is closed."""

    def __init__(self, paths: Sequence[Path], *, period_seconds: float = PERIOD_SECONDS) -> None:
        """Begins at once.

        Args:
            paths: Files; those that are not there yet are synced as soon as they are.
            period_seconds: Time between two rounds.
        """
        self.failure: OSError | None = None
        """What the disk said when it could not keep what was written."""
        self._paths, self._period_seconds = paths, period_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)
        self._thread.start()

    def require_kept(self) -> None:
        """Raises what the disk said, once it could not keep what was written."""
        if self.failure is not None:
            raise self.failure

    def close(self) -> None:
        """Syncs once more; harmless when called again."""
        self._stop.set()
        self._thread.join(_PATIENCE_SECONDS)

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._period_seconds):
                self._sync()
            self._sync()
        except OSError as error:
            self.failure = error

    def _sync(self) -> None:
        for path in self._paths:
            if path.exists():
                handle = os.open(path, os.O_RDWR)
                try:
                    _put_on_disk(handle)
                finally:
                    os.close(handle)
