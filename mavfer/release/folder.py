"""A folder that appears whole or not at all, and is read-only from then on."""

from __future__ import annotations

import shutil
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from mavfer.errors import AlreadyThere, CommandError, DataError
from mavfer.files import locked, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["remove_folder", "require_apart", "require_space", "unfinished_folder", "visible_files"]

_MARK: Final = ".unfinished"
"""Lies in a folder that is being made, so that only such a one is ever cleared away."""

_READ_ONLY_FILE: Final = 0o444
_READ_ONLY_FOLDER: Final = 0o555
_MEBIBYTE: Final = 1 << 20


@contextmanager
def unfinished_folder(target: Path) -> Iterator[Path]:
    """Hands out `NAME.part`; when the block ends well it is synced, sealed and takes its name.

    What a killed run left behind is cleared away first. When the block raises, nothing is left.

    Raises:
        AlreadyThere: There is something at `target`, or somebody else's folder in the way.
        Busy: Another process makes the same folder.
        DataError: The disk is full or fails, or the folder may not be written.
    """
    part = target.with_name(target.name + ".part")
    lock = target.with_name(target.name + ".part.lock")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(lock, f"{target} is being made"):
            try:
                _begin(part, target)
                yield from _cleared_on_error(part, target)
            finally:
                lock.unlink(missing_ok=True)
    except OSError as error:
        about = f" at {error.filename}" if error.filename else ""
        message = (
            f"{target}: cannot be made ({error.strerror or error}{about}); nothing is left behind. "
            f"Free space and see that it may be written, then run again"
        )
        raise DataError(message) from error


def require_apart(study: Path, target: Path) -> None:
    """Returns when nothing is at `target` and neither folder lies within the other.

    Raises:
        AlreadyThere: Something is there.
        CommandError: They overlap.
    """
    if target.exists() or target.is_symlink():
        message = f"{target}: exists, and a release is never changed. Choose another name"
        raise AlreadyThere(message)
    source, wanted = study.resolve(), target.resolve()
    if wanted.is_relative_to(source) or source.is_relative_to(wanted):
        message = f"{target}: study and release lie within each other. Choose a folder beside it"
        raise CommandError(message)


def require_space(target: Path, needed: int) -> None:
    """Returns when the disk of `target` has so many bytes free.

    Raises:
        DataError: It has not.
    """
    folder = target.absolute().parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < needed:
        message = (
            f"{target}: takes up to {needed / _MEBIBYTE:,.0f} MiB, only {free / _MEBIBYTE:,.0f} "
            f"MiB are free. Free space, or choose another disk"
        )
        raise DataError(message)


def visible_files(folder: Path) -> list[str]:
    """Paths below a folder, with forward slashes, sorted; hidden files are left out."""
    found = []
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if path.is_file() and not any(word.startswith(".") for word in relative.parts):
            found.append(relative.as_posix())
    return sorted(found)


def remove_folder(folder: Path) -> None:
    """Deletes a folder, also a sealed one; its mark goes last, should we be killed meanwhile."""
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(stat.S_IRWXU)
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != _MARK:
            path.unlink()
    shutil.rmtree(folder)


def _cleared_on_error(part: Path, target: Path) -> Iterator[Path]:
    try:
        yield part
        _finish(part, target)
    except BaseException:
        if part.exists():
            remove_folder(part)
        raise


def _begin(part: Path, target: Path) -> None:
    if target.exists():
        message = f"{target}: was made by another process in the meantime"
        raise AlreadyThere(message)
    if part.exists():
        is_ours = part.is_dir() and ((part / _MARK).is_file() or not any(part.iterdir()))
        if not is_ours:
            message = f"{part}: is in the way and was not left by a killed run. Move it aside"
            raise AlreadyThere(message)
        remove_folder(part)
    part.mkdir()
    (part / _MARK).touch()


def _finish(part: Path, target: Path) -> None:
    """Everything is on the disk and sealed before the folder takes its name."""
    paths = sorted(part.rglob("*"), reverse=True)  # what is in a folder before the folder
    for path in paths:
        sync(path)
    for path in paths:
        if path != part / _MARK:
            path.chmod(_READ_ONLY_FOLDER if path.is_dir() else _READ_ONLY_FILE)
    part.rename(target)
    (target / _MARK).unlink()
    sync(target)
    target.chmod(_READ_ONLY_FOLDER)
    sync(target.parent)
