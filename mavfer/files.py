"""Writing files so that a crash never leaves half of one, and reading them with clear errors."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import Busy, InvalidFile, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = [
    "locked",
    "memory_bytes",
    "read_csv",
    "read_json",
    "read_jsonl",
    "replacing",
    "sha256_of",
    "sha256_of_document",
    "sync",
    "write_csv",
    "write_json",
    "write_jsonl",
]

_READ_BYTES: Final = 1 << 20


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Hands out `NAME.part`; when the block ends well it is synced and takes the place of `path`.

    When the block raises, the part is deleted and `path` is as it was before.
    """
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield part
        sync(part)
        part.replace(path)
        sync(path.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def locked(path: Path, doing: str) -> Iterator[None]:
    """Holds the lock file `path` while the block runs; the system frees it if the process dies.

    Args:
        path: The lock file; created where it is missing, never deleted while others may wait.
        doing: What the holder does, for the message: "session S01-001 is being preprocessed".

    Raises:
        Busy: Another process holds the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        try:
            _lock_handle(handle.fileno())
        except OSError as error:
            message = f"{doing} by another process (lock {path}). Wait for it, or stop it"
            raise Busy(message) from error
        yield


def sha256_of(path: Path, advance: Callable[[int], None] | None = None) -> str:
    """SHA-256 of a file's bytes, in hexadecimal.

    Args:
        path: The file.
        advance: Called with the number of bytes after each block.
    """
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(_READ_BYTES):
            digest.update(block)
            if advance is not None:
                advance(len(block))
    return digest.hexdigest()


def sha256_of_document(document: object) -> str:
    """SHA-256 of a JSON document, whatever the order of its keys."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def read_json(path: Path) -> Any:
    """The document in a JSON file.

    Raises:
        NotFound: There is no such file.
        InvalidFile: The file is not JSON, for example cut off.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        message = f"{path}: no such file"
        raise NotFound(message) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        message = f"{path}: not readable as JSON ({error}). Restore it from a copy"
        raise InvalidFile(message) from error


def write_json(path: Path, document: object) -> None:
    """Writes `document` as indented JSON; all of it or nothing."""
    with replacing(path) as part:
        text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
        part.write_text(text + "\n", encoding="utf-8")


def read_jsonl(path: Path) -> list[Any]:
    """The documents of a file with one JSON document a line.

    Raises:
        NotFound: There is no such file.
        InvalidFile: A line is not JSON.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        message = f"{path}: no such file"
        raise NotFound(message) from error
    documents = []
    for number, line in enumerate(lines, start=1):
        try:
            documents.append(json.loads(line))
        except json.JSONDecodeError as error:
            message = f"{path}, line {number}: not readable as JSON ({error.msg})"
            raise InvalidFile(message) from error
    return documents


def write_jsonl(path: Path, documents: Iterable[object]) -> None:
    """Writes one JSON document a line; all of them or nothing."""
    with replacing(path) as part, part.open("w", encoding="utf-8") as handle:
        for document in documents:
            text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
            handle.write(text + "\n")


def read_csv(path: Path) -> dict[str, list[str]]:
    """The columns of a CSV file, as the text that stands there.

    Raises:
        NotFound: There is no such file.
        InvalidFile: The file has no header, or a row has more or fewer cells than the header.
    """
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            rows = list(csv.reader(handle))
    except FileNotFoundError as error:
        message = f"{path}: no such file"
        raise NotFound(message) from error
    except (UnicodeDecodeError, csv.Error) as error:
        message = f"{path}: not readable as CSV ({error})"
        raise InvalidFile(message) from error
    if not rows:
        message = f"{path}: empty; the first line must name the columns"
        raise InvalidFile(message)
    header = rows[0]
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            message = f"{path}, line {number}: {len(row)} cells, the header has {len(header)}"
            raise InvalidFile(message)
    columns = zip(*rows, strict=True)
    return {name: list(cells) for name, *cells in columns}


def write_csv(path: Path, columns: Mapping[str, Sequence[object]]) -> None:
    """Writes columns of equal length as CSV; all of it or nothing. None becomes an empty cell."""
    with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def sync(path: Path) -> None:
    """Asks the system to put a file, or a folder's list of names, on the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no folders; NTFS journals names itself
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _lock_handle(descriptor: int) -> None:
    """Takes an exclusive lock at once, or raises OSError."""
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def memory_bytes() -> int | None:
    """Memory of this machine; None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
