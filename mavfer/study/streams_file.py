"""streams.h5: depth and thermal as the sensors gave them, and the stamps of every stream.

The writer works in HDF5's single-writer-multiple-reader mode and flushes after every frame, so
that whatever was written is readable when the recorder is killed. In an archived session the frames
lie beside the file, as video; `StreamsFile.frames` reads either.
"""

from __future__ import annotations

import json
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

import h5py
import numpy as np

from mavfer.errors import InvalidFile
from mavfer.streams import STREAM_NAMES
from mavfer.study.archive_note import ArchiveNote, video_name
from mavfer.study.counts_video import CountsVideo
from mavfer.study.hdf5 import open_hdf5, require_valid_hdf5

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from mavfer.streams import StreamName

__all__ = [
    "ALL_STREAMS",
    "ARCHIVE",
    "CLOCK_DOMAINS",
    "DROPS",
    "DROP_CAUSES",
    "EVENTS",
    "MARKERS",
    "NAMES",
    "STREAM_NUMBERS",
    "TIMES",
    "Frames",
    "StreamsFile",
    "detail_names",
    "drop_row",
    "event_row",
    "open_streams",
    "read_frame",
    "stamp_row",
]

TIMES: Final = np.dtype(
    [
        ("host_ns", "<i8"),
        ("device_ns", "<i8"),
        ("domain", "u1"),
        ("frame_number", "<i8"),
        ("exposure_ns", "<i8"),
        ("flags", "<u2"),
    ]
)
MARKERS: Final = np.dtype([("host_ns", "<i8"), ("label", "S64")])
DROPS: Final = np.dtype(
    [("stream", "u1"), ("frame_number", "<i8"), ("host_ns", "<i8"), ("cause", "u1")]
)
EVENTS: Final = np.dtype([("host_ns", "<i8"), ("stream", "u1"), ("kind", "S32"), ("text", "S128")])

STREAM_NUMBERS: Final[dict[StreamName, int]] = {
    name: number for number, name in enumerate(STREAM_NAMES)
}
"""How tables spell a stream."""
ALL_STREAMS: Final = 255
"""How /events spells "no stream in particular"."""
DROP_CAUSES: Final = {"device": 0, "link": 1, "queue": 2, "disk": 3}
"""How /drops spells the place where a frame was lost."""

CLOCK_DOMAINS: Final = {"device": 0, "host": 1, "arrival": 2}
"""How tables spell the clock that device_ns was read from."""

_SIGNATURE: Final = b"\x89HDF\r\n\x1a\n\x03"
_HEAD_BYTES: Final = 36
_WRITTEN_IN_SWMR: Final = 0x04
NAMES: Final = "names_json"
ARCHIVE: Final = "archive_json"


class Frames(Protocol):
    """Raw counts (T, H, W) of a stream, to be read one by one with `read_frame`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(T, H, W)."""
        ...

    def __getitem__(self, row: int) -> NDArray[np.uint16]:
        """Counts (H, W) of one frame."""
        ...


class StreamsFile:
    """An open streams.h5: tables by their path, frames by their stream, wherever those lie."""

    def __init__(self, file: h5py.File, path: Path, *, threads: int = 1) -> None:
        """Wraps a file that was checked against its schema; `path` is where it lies."""
        self._file, self._path, self._threads = file, path, threads
        self._frames: dict[StreamName, Frames] = {}
        text = file.attrs.get(ARCHIVE)
        self.note = None if text is None else ArchiveNote.from_document(json.loads(text))
        """What the frames were, where the session was archived; None where it never was."""

    @property
    def session(self) -> str:
        """The session's id."""
        return str(self._file.attrs["session"])

    @property
    def archive(self) -> ArchiveNote | None:
        """Where the frames are, in an archived session; None where they are in the file."""
        is_archived = self.note is not None and self.note.restored_utc is None
        return self.note if is_archived else None

    def __getitem__(self, path: str) -> Any:
        """The table, or the group, at `path`."""
        return self._file[path]

    def __contains__(self, path: str) -> bool:
        """True where there is something at `path`."""
        return path in self._file

    def has_frames(self, stream: StreamName) -> bool:
        """True where the session has 16-bit frames of `stream`."""
        if self.archive is not None:
            return stream in self.archive.streams
        return f"/{stream}/frames" in self._file

    def frames(self, stream: StreamName) -> Frames:
        """Frames of depth or thermal; fast in order, and in any order.

        Raises:
            NotFound, InvalidFile: The video of an archived session is missing or torn.
            MissingExtra: The session is archived, and PyAV is not installed.
        """
        if stream not in self._frames:
            if self.archive is None:
                self._frames[stream] = self._file[f"/{stream}/frames"]
            else:
                self._frames[stream] = self._open_video(self.archive, stream)
        return self._frames[stream]

    def count_frames(self, stream: StreamName) -> int:
        """Frames of depth or thermal that are there; no pixel is read.

        One that was made room for and never filled does not count, nor does any of a video that is
        missing or was cut off.
        """
        if not self.has_frames(stream):
            return 0
        if self.archive is None:
            dataset = self._file[f"/{stream}/frames"]
            return int(min(dataset.shape[0], dataset.id.get_num_chunks()))
        entry, path = self.archive.streams[stream], self.video_path(stream)
        is_whole = path.is_file() and path.stat().st_size == entry.file_bytes
        return entry.frames if is_whole else 0

    def packed_bytes(self, stream: StreamName) -> int:
        """What the frames of depth or thermal took when they were recorded."""
        if self.archive is None:
            return int(self._file[f"/{stream}/frames"].id.get_storage_size())
        return self.archive.streams[stream].packed_bytes

    def video_path(self, stream: StreamName) -> Path:
        """Where the frames of a stream lie, or would lie, in an archived session."""
        return self._path.with_name(video_name(stream))

    def close(self) -> None:
        """Lets go of the videos; the file itself belongs to `open_streams`."""
        for frames in self._frames.values():
            if isinstance(frames, CountsVideo):
                frames.close()
        self._frames.clear()

    def _open_video(self, note: ArchiveNote, stream: StreamName) -> CountsVideo:
        entry = note.streams[stream]
        return CountsVideo(
            self.video_path(stream),
            shape=(entry.frames, entry.height, entry.width),
            milliseconds_a_frame=entry.milliseconds_a_frame,
            checksums=self._file[f"/{stream}/checksums"][:],
            threads=self._threads,
        )


@contextmanager
def open_streams(path: Path, *, threads: int = 1) -> Iterator[StreamsFile]:
    """The file at `path` for reading, also where its writer is at work or was killed.

    Args:
        path: The file.
        threads: How many decode a frame of an archived session.

    Raises:
        NotFound: There is no such file.
        InvalidFile: It is torn, or against its schema.
    """
    with open_hdf5(path, swmr=_has_open_writer(path)) as file:
        require_valid_hdf5(file, "streams", path)
        streams = StreamsFile(file, path, threads=threads)
        try:
            yield streams
        finally:
            streams.close()


def read_frame(frames: Any, row: int) -> NDArray[np.uint16]:
    """Raw counts (H, W) of one frame of `StreamsFile.frames`.

    Raises:
        InvalidFile: Its bytes cannot be decompressed.
    """
    try:
        return np.asarray(frames[row])
    except OSError as error:
        message = (
            f"{frames.file.filename}: {frames.name}, frame {row} cannot be read ({error}). "
            f"Restore the session from a copy"
        )
        raise InvalidFile(message) from error


def detail_names(file: StreamsFile, stream: StreamName) -> tuple[str, ...]:
    """What the columns of `/<stream>/details` hold, each name with its unit; empty without one."""
    name = f"/{stream}/details"
    return tuple(json.loads(file[name].attrs[NAMES])) if name in file else ()


def stamp_row(
    *,
    host_ns: int,
    device_ns: int,
    domain: int,
    frame_number: int,
    exposure_ns: int = 0,
    flags: int = 0,
) -> NDArray[Any]:
    """One row of `TIMES`."""
    return np.array((host_ns, device_ns, domain, frame_number, exposure_ns, flags), TIMES)


def drop_row(stream: StreamName, frame_number: int, host_ns: int, cause: str) -> NDArray[Any]:
    """One row of `DROPS`; `cause` is a name in `DROP_CAUSES`."""
    return np.array((STREAM_NUMBERS[stream], frame_number, host_ns, DROP_CAUSES[cause]), DROPS)


def event_row(host_ns: int, kind: str, text: str, stream: StreamName | None = None) -> NDArray[Any]:
    """One row of `EVENTS`; a text that is too long loses its end."""
    number = ALL_STREAMS if stream is None else STREAM_NUMBERS[stream]
    return np.array((host_ns, number, kind.encode()[:32], text.encode()[:128]), EVENTS)


def _has_open_writer(path: Path) -> bool:
    """True where the file's head says that a writer in SWMR mode has not closed it.

    A file that ends before its own first metadata does not count: libhdf5 would read that again
    and again, waiting for a writer to complete it.

    Source: HDF5 File Format Specification 3.0, superblock version 3 (flags at byte 11, end of
        file at bytes 28-35).
    """
    if not path.is_file():
        return False
    with path.open("rb") as handle:
        head = handle.read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES or not head.startswith(_SIGNATURE):
        return False
    flags, end_of_file = struct.unpack_from("<B16xQ", head, 11)
    return bool(flags & _WRITTEN_IN_SWMR and path.stat().st_size >= end_of_file)
