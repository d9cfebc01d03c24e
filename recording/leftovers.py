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
    from collections.abc import Iterator
    from pathlib import Path

    from mavfer.study.session import Session
    from mavfer.study.streams_file import StreamsFile

__all__ = ["SIXTEEN_BIT_STREAMS", "find_leftovers", "remove_leftovers"]

SIXTEEN_BIT_STREAMS: Final = tuple(name for name in STREAM_NAMES if name != "color")
"""The streams that are archived."""


def find_leftovers(session: Session) -> list[Path]:
    """Files that may be deleted, for what they copy is there; none where that is not sure."""
    try:
        with open_streams(session.streams_path) as file:
            videos = list(_needless_videos(session, file))
    except DataError:
        return []
    names = [session.streams_path.name, *map(video_name, SIXTEEN_BIT_STREAMS)]
    parts = [session.folder / f"{name}.part" for name in names]
    return [path for path in (*parts, *videos) if path.is_file()]


def remove_leftovers(session: Session) -> None:
    """Deletes them; only for who holds the session's lock."""
    found = find_leftovers(session)
    for path in found:
        path.unlink()
    if found:
        sync(session.folder)


def _needless_videos(session: Session, file: StreamsFile) -> Iterator[Path]:
    """Videos of streams whose frames are all in streams.h5."""
    for stream in SIXTEEN_BIT_STREAMS:
        if file.archive is None and stream in session.streams:
            stamps = file[f"/{stream}/times"].shape[0]
            if file.count_frames(stream) == stamps:
                yield file.video_path(stream)
