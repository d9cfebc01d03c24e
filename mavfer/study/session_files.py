"""Whether a session's files are still what they were when its take was finished."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from mavfer.errors import DataError
from mavfer.files import sha256_of
from mavfer.study.fingerprints import holds_what_was_archived, tables_sha256
from mavfer.study.streams_file import open_streams

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from mavfer.study.session import Session

__all__ = ["FileReport", "bytes_to_hash", "compare_files", "describe_files", "recorded_files"]

FileState = Literal["as recorded", "changed", "missing", "not compared"]

_SUFFIXES: Final = (".h5", ".mkv")
"""Files of frames, stamps and truth. What people add later, as where the subject is, may change."""


@dataclass(frozen=True)
class FileReport:
    """What became of one file."""

    state: FileState
    """not compared: it has as many bytes as it had, and its hash was left out."""
    bytes: int | None
    """As it is now; None where it is missing."""
    sha256: str | None
    """As it is now; None where it was not needed to tell."""


def bytes_to_hash(folder: Path) -> int:
    """Size of the files of frames in a session's `folder`, all together."""
    return sum(path.stat().st_size for path in _frame_files(folder))


def describe_files(
    folder: Path, advance: Callable[[int], None] | None = None
) -> dict[str, dict[str, Any]]:
    """Bytes and SHA-256 of the files of frames in a session's `folder`, for its session.json.

    Whoever writes one of these files anew has to write this anew too, but for archiving, which says
    in streams.h5 what it did.

    Args:
        folder: The session's.
        advance: Called with numbers of bytes that were read, from one thread at a time; what it
            raises ends the hashing.
    """
    paths = _frame_files(folder)
    hashes = _hashes(paths, advance)
    return {
        path.name: {"bytes": path.stat().st_size, "sha256": hashes[path.name]} for path in paths
    }


def recorded_files(described: Mapping[str, Mapping[str, Any]]) -> dict[str, FileReport]:
    """Reports of files that were described a moment ago."""
    return {
        name: FileReport("as recorded", entry["bytes"], entry["sha256"])
        for name, entry in described.items()
    }


def compare_files(
    session: Session, *, is_quick: bool = False, advance: Callable[[int], None] | None = None
) -> dict[str, FileReport]:
    """What became of the session's files, by name; empty where no hashes were recorded.

    Of a session that was archived, or restored, streams.h5 is compared by what it holds, and its
    videos with what they were when they were written.

    Args:
        session: The session.
        is_quick: Compares sizes alone.
        advance: As of `describe_files`.
    """
    described = dict(session.document.get("files") or {})
    archived = _compare_archived(session, is_quick=is_quick)
    if archived is not None:
        described = {**described, **archived.videos}
        described.pop(session.streams_path.name, None)
    sizes = {name: _size(session.folder / name) for name in described}
    doubtful = [name for name, entry in described.items() if sizes[name] == entry["bytes"]]
    hashes = {} if is_quick else _hashes([session.folder / name for name in doubtful], advance)
    states = {
        name: _state(entry, sizes[name], hashes.get(name)) for name, entry in described.items()
    }
    reports = {
        name: FileReport(state, sizes[name], hashes.get(name)) for name, state in states.items()
    }
    return reports if archived is None else {**reports, session.streams_path.name: archived.streams}


@dataclass(frozen=True)
class _Archived:
    """What a streams.h5 says of its own archiving."""

    streams: FileReport
    """Of the file itself."""
    videos: dict[str, dict[str, Any]]
    """Bytes and SHA-256 of its videos by name; none once it was restored."""


def _compare_archived(session: Session, *, is_quick: bool) -> _Archived | None:
    """What there is to compare in a session that was archived; None of others."""
    try:
        with open_streams(session.streams_path) as file:
            if file.note is None:
                return None
            entries = () if file.archive is None else file.archive.streams.values()
            is_same = (
                tables_sha256(file) == file.note.tables_sha256
                if entries
                else holds_what_was_archived(file, file.note, is_quick=is_quick)
            )
    except DataError:  # unreadable, which is told with the streams
        return None
    known: FileState = "not compared" if is_quick else "as recorded"
    report = FileReport(known if is_same else "changed", _size(session.streams_path), None)
    videos = {e.file: {"bytes": e.file_bytes, "sha256": e.file_sha256} for e in entries}
    return _Archived(report, videos)


def _state(entry: Mapping[str, Any], size: int | None, sha256: str | None) -> FileState:
    """What a size and, where it is known, a hash say of a file that was described by `entry`."""
    if size is None:
        return "missing"
    if size != entry["bytes"] or sha256 not in {None, entry["sha256"]}:
        return "changed"
    return "not compared" if sha256 is None else "as recorded"


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _frame_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES)


def _hashes(paths: Sequence[Path], advance: Callable[[int], None] | None = None) -> dict[str, str]:
    """SHA-256 of files by name; large ones at the same time, for a take may have tens of GB.

    A processor with instructions for SHA-256 hashes more than 1 GB a second, one without 0.3 (a
    core). An interruption is not kept waiting for the end of the files.
    """
    one_at_a_time, is_over = threading.Lock(), threading.Event()

    def tell(count: int) -> None:
        with one_at_a_time:
            if is_over.is_set():
                raise _Ended
            if advance is not None:
                advance(count)

    with ThreadPoolExecutor() as pool:
        try:
            hashes = list(pool.map(lambda path: sha256_of(path, tell), paths))
        except BaseException:
            is_over.set()
            raise
    return dict(zip((path.name for path in paths), hashes, strict=True))


class _Ended(Exception):
    """Ends a thread whose hash nobody waits for any more."""
