"""What tells files, tables and frames from changed ones."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.files import sha256_of, sha256_of_document
from mavfer.streams import STREAM_NAMES
from mavfer.study.streams_file import detail_names, open_streams, read_frame

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mavfer.study.archive_note import ArchiveNote
    from mavfer.study.streams_file import Frames, StreamsFile

__all__ = [
    "fingerprint_of",
    "fingerprint_of_streams",
    "holds_what_was_archived",
    "pixels_sha256",
    "tables_sha256",
]

_SAMPLE_BYTES: Final = 1 << 20


def fingerprint_of(path: Path) -> str:
    """SHA-256 of a small file; of size, head, middle and tail of a large one.

    Hashing half an hour of three streams would take longer than finding out that nothing changed.
    """
    size = path.stat().st_size
    if size <= 3 * _SAMPLE_BYTES:
        return sha256_of(path)
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as handle:
        for start in (0, size // 2, size - _SAMPLE_BYTES):
            handle.seek(start)
            digest.update(handle.read(_SAMPLE_BYTES))
    return digest.hexdigest()


def fingerprint_of_streams(path: Path) -> str:
    """The fingerprint of a streams.h5, and the same after it was archived or restored.

    Raises:
        NotFound, InvalidFile: The file is missing or torn.
    """
    with open_streams(path) as file:
        note = file.note
        if note is None:
            return fingerprint_of(path)
        if holds_what_was_archived(file, note, is_quick=True):
            return note.streams_fingerprint
        videos = [file.video_path(stream) for stream in note.streams]
    there = [video for video in videos if video.is_file()]
    return sha256_of_document([fingerprint_of(part) for part in (path, *there)])


def tables_sha256(file: StreamsFile) -> str:
    """SHA-256 of all tables of a streams.h5: everything but frames and their checksums."""
    digest = hashlib.sha256(file.session.encode())
    names = [f"/{stream}/{table}" for stream in STREAM_NAMES for table in ("times", "details")]
    for name in (*names, "/markers", "/drops", "/events"):
        if name in file:
            rows = file[name][:]
            digest.update(f"{name} {rows.dtype.descr} {rows.shape}".encode())
            digest.update(np.ascontiguousarray(rows).tobytes())
    columns = {stream: detail_names(file, stream) for stream in STREAM_NAMES}
    digest.update(json.dumps(columns).encode())
    return digest.hexdigest()


def holds_what_was_archived(file: StreamsFile, note: ArchiveNote, *, is_quick: bool) -> bool:
    """True where the tables are those of the note, and the frames where the file has them again.

    Args:
        file: The file of a session that was archived.
        note: Its own.
        is_quick: Compares the number and bytes of frames alone; as is done with the videos of a
            session that is archived, which have hashes of their own.

    Raises:
        InvalidFile: A frame cannot be read.
    """
    if tables_sha256(file) != note.tables_sha256:
        return False
    is_counted = is_quick or file.archive is not None
    return all(
        file.count_frames(stream) == entry.frames
        and file.packed_bytes(stream) == entry.packed_bytes
        and (is_counted or pixels_sha256(file.frames(stream)) == entry.pixels_sha256)
        for stream, entry in note.streams.items()
    )


def pixels_sha256(frames: Frames, advance: Callable[[int], None] | None = None) -> str:
    """SHA-256 of all counts of a stream, frame after frame, row after row, the low byte first.

    Args:
        frames: Of `StreamsFile.frames`.
        advance: Called with 1 after each frame.

    Raises:
        InvalidFile: A frame cannot be read.
    """
    digest = hashlib.sha256()
    for row in range(frames.shape[0]):
        digest.update(np.ascontiguousarray(read_frame(frames, row), "<u2").data)
        if advance is not None:
            advance(1)
    return digest.hexdigest()
