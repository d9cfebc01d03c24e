"""What an interrupted archiving or restoring leaves in a session's folder.

Until streams.h5 is replaced, the session is what streams.h5 says; whatever else lies there is a
copy that nobody reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mavfer.errors import DataError
from mavfer.files import sync
from mavfer.streams import STREAM_NAMES
from mavfer.study.archive_note import video_name
from mavfer.study.streams_file import open_streams

if TYPE_CHECKING:
    from pathlib import Path

    from mavfer.streams import StreamName
    from mavfer.study.session import Session
    from mavfer.study.streams_file import StreamsFile

__all__ = ["SIXTEEN_BIT_STREAMS", "find_leftovers", "remove_leftovers"]

SIXTEEN_BIT_STREAMS: Final = tuple(name for name in STREAM_NAMES if name != "color")
"""The streams that are archived."""


def find_leftovers(session: Session, *, is_sure: bool = False) -> list[Path]:
    """Files that may be deleted, for what they copy is there; none where that is not sure.

    Args:
        session: The session.
        is_sure: Videos are known to be ours; otherwise something in the folder has to say so, for
            somebody may have put a depth.mkv there.
    """
    unfinished = session.folder / f"{session.streams_path.name}.part"
    is_ours = is_sure or unfinished.is_file()
    try:
        with open_streams(session.streams_path) as file:
            videos = [
                file.video_path(stream)
                for stream in SIXTEEN_BIT_STREAMS
                if _has_all_frames(session, file, stream)
                and (is_ours or _was_restored(file, stream))
            ]
    except DataError:
        return []
    parts = [session.folder / f"{video_name(name)}.part" for name in SIXTEEN_BIT_STREAMS]
    return [path for path in (*parts, *videos, unfinished) if path.is_file()]


def remove_leftovers(session: Session, *, is_sure: bool = False) -> None:
    """Deletes them, what says that they are ours as the last; only for who holds the lock."""
    found = find_leftovers(session, is_sure=is_sure)
    for path in found:
        path.unlink()
    if found:
        sync(session.folder)


def _has_all_frames(session: Session, file: StreamsFile, stream: StreamName) -> bool:
    """True where the frames of a stream are in streams.h5, a stamp each."""
    if file.archive is not None or stream not in session.streams:
        return False
    stamps: int = file[f"/{stream}/times"].shape[0]
    return file.count_frames(stream) == stamps


def _was_restored(file: StreamsFile, stream: StreamName) -> bool:
    """True where a video beside the file is, by its size, the one it was restored from."""
    path = file.video_path(stream)
    entry = None if file.note is None else file.note.streams.get(stream)
    return entry is not None and path.is_file() and path.stat().st_size == entry.file_bytes
