"""What a session's run has finished so far, so that the next run goes on where one was killed.

Each step is one file, written under another name and renamed: it is there, whole, or not. Steps
carry checksums; one that does not read back, and all that follow it, are made again.
"""

from __future__ import annotations

import shutil
import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from mavfer.errors import DataError

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
            with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
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
                np.savez(handle, allow_pickle=False, **arrays)
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
        for path in sorted(self.folder.glob(f"{kind}-*.npz"), reverse=True):
            path.unlink()

    def clear(self) -> None:
        """Deletes the folder: the work is done."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, kind: str, number: int) -> Path:
        return self.folder / f"{kind}-{number:06d}.npz"


def _disk_error(path: Path, error: OSError) -> DataError:
    return DataError(f"{path}: cannot be written ({error.strerror}). Free space, then run again")
