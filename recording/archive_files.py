"""The files of an archived session, and of one that is restored: written, synced, read back.

Everything is written beside what is there. In the end the parts take their names, streams.h5 as the
last: that one rename is what archives a session or restores it.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.errors import InvalidFile
from mavfer.files import replacing, sha256_of, sync
from mavfer.study.archive_note import ArchivedStream, ArchiveNote
from mavfer.study.counts_video import (
    CODEC,
    PIXEL_FORMAT,
    CountsVideo,
    CountsVideoWriter,
    checksum_of,
)
from mavfer.study.fingerprints import fingerprint_of_streams, pixels_sha256, tables_sha256
from mavfer.study.streams_file import open_streams, read_frame
from mavfer.study.streams_writer import copy_streams, copy_without_frames
from mavfer.study.study import software_versions, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from mavfer.streams import StreamName
    from mavfer.study.session import Session
    from mavfer.study.streams_file import Frames, StreamsFile

__all__ = ["archived_bytes", "restored_bytes", "write_archive", "write_restored"]

_THREADS: Final = min(4, os.cpu_count() or 1)
"""As many as a frame has slices."""
_SAMPLED_FRAMES: Final = 8
_CAUTION: Final = 1.1
"""How much worse a take may pack than its sample (ours)."""
_MILLISECONDS: Final = 1000


def archived_bytes(session: Session, file: StreamsFile, streams: Sequence[StreamName]) -> float:
    """About what the files of the archived session will take, by packing a sample of its frames."""
    packed = sum(file.packed_bytes(stream) for stream in streams)
    tables = session.streams_path.stat().st_size - packed
    return tables + _CAUTION * sum(_sampled_bytes(file.frames(stream)) for stream in streams)


def restored_bytes(session: Session, note: ArchiveNote) -> float:
    """About what streams.h5 will take with its frames."""
    packed = sum(entry.packed_bytes for entry in note.streams.values())
    return session.streams_path.stat().st_size + _CAUTION * packed


def write_archive(
    session: Session, streams: Sequence[StreamName], advance: Callable[[int], None]
) -> ArchiveNote:
    """Writes the videos of `streams` and a streams.h5 without pixels, and lets them take its place.

    Raises:
        OSError: The disk is full or failed.
        InvalidFile: A frame cannot be read, or something does not read back as it was.
    """
    with ExitStack() as parts:
        target = parts.enter_context(replacing(session.streams_path))
        with open_streams(session.streams_path) as file:
            entries: dict[StreamName, ArchivedStream] = {}
            checksums: dict[StreamName, NDArray[np.uint32]] = {}
            for stream in streams:
                part = parts.enter_context(replacing(file.video_path(stream)))
                rate_hz = session.document["streams"][stream]["rate_hz"]
                step = max(1, round(_MILLISECONDS / rate_hz))
                job = _Job(file, stream, part, step, advance)
                entries[stream], checksums[stream] = job.run()
            note = ArchiveNote(
                created_utc=utc_now(),
                restored_utc=None,
                streams_fingerprint=fingerprint_of_streams(session.streams_path),
                tables_sha256=tables_sha256(file),
                versions=software_versions("av"),
                streams=entries,
            )
            copy_without_frames(file, target, note, checksums)
        _put_on_disk(target)
        with open_streams(target) as file:
            _require_same(tables_sha256(file), note.tables_sha256, session.streams_path, "tables")
    return note


def write_restored(
    session: Session, note: ArchiveNote, advance: Callable[[int], None]
) -> ArchiveNote:
    """Writes a streams.h5 with the frames of the videos, and lets it take its place.

    Raises:
        OSError: The disk is full or failed.
        InvalidFile: A frame cannot be read, or something does not read back as it was archived.
    """
    with replacing(session.streams_path) as target:
        with open_streams(session.streams_path) as file:
            rows: dict[StreamName, int] = {
                stream: len(file[f"/{stream}/times"]) for stream in session.streams
            }
            restored = replace(note, restored_utc=utc_now())
            copy_streams([(file, rows)], target, note=restored, advance=advance)
        _put_on_disk(target)
        with open_streams(target) as file:
            path = session.streams_path
            _require_same(tables_sha256(file), note.tables_sha256, path, "tables")
            for stream, entry in note.streams.items():
                found = pixels_sha256(file.frames(stream), advance)
                _require_same(found, entry.pixels_sha256, path, stream)
            written = file.note
    return written or restored


@dataclass(frozen=True)
class _Job:
    """One stream on its way from streams.h5 into a video."""

    file: StreamsFile
    stream: StreamName
    part: Path
    milliseconds_a_frame: int
    advance: Callable[[int], None]

    def run(self) -> tuple[ArchivedStream, NDArray[np.uint32]]:
        """What streams.h5 is to say of the video, and the checksum of each frame."""
        frames = self.file.frames(self.stream)
        count, height, width = frames.shape
        checksums = self._write(frames)
        _put_on_disk(self.part)
        digest = pixels_sha256(frames)
        found = self._read_back(frames.shape, checksums)
        video = self.file.video_path(self.stream)
        _require_same(found, digest, video, self.stream)
        entry = ArchivedStream(
            file=video.name,
            codec=CODEC,
            pixel_format=PIXEL_FORMAT,
            frames=count,
            height=height,
            width=width,
            milliseconds_a_frame=self.milliseconds_a_frame,
            pixels_sha256=digest,
            file_sha256=sha256_of(self.part),
            file_bytes=self.part.stat().st_size,
            packed_bytes=self.file.packed_bytes(self.stream),
        )
        return entry, checksums

    def _write(self, frames: Frames) -> NDArray[np.uint32]:
        count, height, width = frames.shape
        checksums = np.empty(count, np.uint32)
        with CountsVideoWriter(
            self.part,
            height=height,
            width=width,
            milliseconds_a_frame=self.milliseconds_a_frame,
            threads=_THREADS,
        ) as video:
            for row in range(count):
                counts = read_frame(frames, row)
                checksums[row] = checksum_of(counts)
                video.append(counts)
                self.advance(1)
        return checksums

    def _read_back(self, shape: tuple[int, ...], checksums: NDArray[np.uint32]) -> str:
        count, height, width = shape
        video = CountsVideo(
            self.part,
            shape=(count, height, width),
            milliseconds_a_frame=self.milliseconds_a_frame,
            checksums=checksums,
            threads=_THREADS,
        )
        try:
            return pixels_sha256(video, self.advance)
        finally:
            video.close()


def _sampled_bytes(frames: Frames) -> float:
    """About what a stream's video will take."""
    count, height, width = frames.shape
    rows = np.unique(np.linspace(0, count - 1, min(count, _SAMPLED_FRAMES)).astype(int))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sample.mkv"
        with CountsVideoWriter(path, height=height, width=width, milliseconds_a_frame=1) as video:
            for row in rows:
                video.append(read_frame(frames, int(row)))
        return path.stat().st_size / max(1, len(rows)) * count


def _put_on_disk(path: Path) -> None:
    """Syncs a file, and asks the system to forget it, so that it is read from the disk again."""
    sync(path)
    if hasattr(os, "posix_fadvise"):
        handle = os.open(path, os.O_RDONLY)
        with suppress(OSError):  # not every file system can
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def _require_same(found: str, wanted: str, path: Path, what: str) -> None:
    if found != wanted:
        message = (
            f"{path}: {what} did not read back as written; the session is as it was. "
            f"Disk or memory may be failing: test them, then run the command again"
        )
        raise InvalidFile(message)
