"""Archiving: depth and thermal of a finished session become FFV1, and come back bit for bit.

The videos are written beside the session, put on the disk, decoded again and compared; only then
one rename of streams.h5 makes the session archived. Interrupted before it the session is whole as
it was, after it whole as archived; what is left over an audit removes. session.json never changes.
"""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from mavfer.errors import AlreadyThere, DataError, require
from mavfer.files import locked
from mavfer.study.lock import LOCK_NAME
from mavfer.study.session import Session
from mavfer.study.streams_file import open_streams
from recording.archive_files import archived_bytes, restored_bytes, write_archive, write_restored
from recording.audit import inspect_session
from recording.leftovers import SIXTEEN_BIT_STREAMS, remove_leftovers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from mavfer.streams import StreamName
    from mavfer.study.archive_note import ArchiveNote

__all__ = ["ArchiveReport", "StreamSizes", "archive_session", "restore_session"]

_KEPT_FREE_BYTES: Final = 8 << 20
"""Room that is left to others."""
_MB: Final = 1e6


@dataclass(frozen=True)
class StreamSizes:
    """What became of one stream."""

    frames: int
    bytes_before: int
    bytes_after: int
    pixels_sha256: str
    """Of all counts; the same before and after."""


@dataclass(frozen=True)
class ArchiveReport:
    """What became of one session."""

    session: str
    state: Literal["archived", "restored", "unchanged"]
    why: str
    """Why nothing was done; empty where something was."""
    streams: dict[StreamName, StreamSizes]

    @property
    def bytes_before(self) -> int:
        """All 16-bit frames before."""
        return sum(stream.bytes_before for stream in self.streams.values())

    @property
    def bytes_after(self) -> int:
        """All 16-bit frames now."""
        return sum(stream.bytes_after for stream in self.streams.values())

    def to_document(self) -> dict[str, Any]:
        """The report as JSON says it."""
        sizes = {"bytes_before": self.bytes_before, "bytes_after": self.bytes_after}
        return {**asdict(self), **sizes}


def archive_session(folder: Path, advance: Callable[[int], None] | None = None) -> ArchiveReport:
    """Moves the 16-bit frames of a session into videos beside streams.h5.

    Archiving an archived session again changes nothing.

    Args:
        folder: The session's.
        advance: Called with 1 after each frame that was written, and each that was read back.

    Raises:
        NotFound: There is no session.
        DataError: It was interrupted or is damaged, there is too little room, or writing failed.
        AlreadyThere: The folder has videos of the same names.
        Busy: It is being recorded, archived or preprocessed.
        InvalidFile: A frame cannot be read, or did not read back as it was; nothing was changed.
        MissingExtra: PyAV is not installed.
    """
    require("av", "record")
    with _alone(folder) as session:
        with open_streams(session.streams_path) as file:
            if file.archive is not None:
                return _unchanged(session, "archived already")
            streams = [stream for stream in SIXTEEN_BIT_STREAMS if file.has_frames(stream)]
            if not streams:
                return _unchanged(session, "has no depth or thermal")
            _require_whole(session)
            _require_free_names([file.video_path(stream) for stream in streams])
            _require_room(session, "archiving", archived_bytes(session, file, streams))
        with _told_of_disk(session, "archiving"):
            note = write_archive(session, streams, advance or _ignore)
    return _report(session, "archived", note)


def restore_session(folder: Path, advance: Callable[[int], None] | None = None) -> ArchiveReport:
    """Moves the frames of an archived session back into streams.h5.

    Args and errors are those of `archive_session`; without effect on others.
    """
    require("av", "record")
    with _alone(folder) as session:
        with open_streams(session.streams_path) as file:
            note = file.archive
        if note is None:
            return _unchanged(session, "is not archived")
        _require_whole(session)
        _require_room(session, "restoring", restored_bytes(session, note))
        with _told_of_disk(session, "restoring"):
            restored = write_restored(session, note, advance or _ignore)
        remove_leftovers(session)  # the videos
    return _report(session, "restored", restored)


@contextmanager
def _alone(folder: Path) -> Iterator[Session]:
    """The session in `folder`, locked against its recorder, other archivers and preprocessing."""
    name = Session.open(folder).name
    shards = folder.resolve().parents[1] / "shards"
    with ExitStack() as held:
        held.enter_context(
            locked(folder / LOCK_NAME, f"session {name} is being recorded or archived")
        )
        if shards.is_dir():  # as mavfer.preprocess names its lock
            held.enter_context(locked(shards / f".{name}.lock", f"session {name} is preprocessed"))
        session = Session.open(folder)
        if session.state == "recording":
            message = f"session {name} was interrupted. Run: mavfer audit {folder}"
            raise DataError(message)
        remove_leftovers(session)
        yield session


def _require_whole(session: Session) -> None:
    report = inspect_session(session.folder)
    if report.verdict == "damaged":
        reason = report.problems[0] if report.problems else "its take could not be mended"
        message = f"session {session.name} is damaged, so it is left as it is: {reason}"
        raise DataError(message)


def _require_free_names(paths: Sequence[Path]) -> None:
    for path in paths:
        if path.exists():
            message = f"{path}: is there already and of no archive. Move it out of the session"
            raise AlreadyThere(message)


def _require_room(session: Session, doing: str, needed_bytes: float) -> None:
    """Raises where old and new do not fit beside each other."""
    free = shutil.disk_usage(session.folder).free
    if needed_bytes + _KEPT_FREE_BYTES > free:
        message = (
            f"{session.folder}: {doing} needs about {(needed_bytes + _KEPT_FREE_BYTES) / _MB:.0f} "
            f"MB beside the session until all is verified, and {free / _MB:.0f} MB are free. "
            f"Make room first; nothing was changed"
        )
        raise DataError(message)


@contextmanager
def _told_of_disk(session: Session, doing: str) -> Iterator[None]:
    """Removes what a failure leaves, and tells of a disk that is full in one line."""
    try:
        yield
    except BaseException as error:
        remove_leftovers(session, is_sure=True)
        if not isinstance(error, OSError | RuntimeError):  # libhdf5 tells of a full disk by either
            raise
        code = getattr(error, "errno", None)
        reason = os.strerror(code) if code else " ".join(str(error).split())
        message = (
            f"{session.folder}: {doing} failed ({reason}); the session is as it was. "
            f"Make room, then run the command again"
        )
        raise DataError(message) from error


def _unchanged(session: Session, why: str) -> ArchiveReport:
    return ArchiveReport(session.name, "unchanged", why, {})


def _report(
    session: Session, state: Literal["archived", "restored"], note: ArchiveNote
) -> ArchiveReport:
    sizes: dict[StreamName, StreamSizes] = {}
    for stream, entry in note.streams.items():
        before, after = entry.packed_bytes, entry.file_bytes
        if state == "restored":
            before, after = after, before
        sizes[stream] = StreamSizes(entry.frames, before, after, entry.pixels_sha256)
    return ArchiveReport(session.name, state, "", sizes)


def _ignore(_: int) -> None:
    """What is called for progress that nobody watches."""
