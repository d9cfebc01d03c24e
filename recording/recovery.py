"""Mending an interrupted take: every stream is cut to the frames of which all is there.

The files are written anew beside the old ones, read back, and only then take their place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mavfer.errors import InvalidFile
from mavfer.files import replacing
from mavfer.study.hdf5 import open_hdf5, require_valid_hdf5
from mavfer.study.streams_file import (
    DROPS,
    STREAM_NUMBERS,
    detail_names,
    drop_row,
    open_streams,
)
from mavfer.study.streams_writer import copy_streams, has_same_packing
from mavfer.study.video_copy import copy_packets, count_frames
from recording.unwritten import UNWRITTEN_NAME, read_unwritten

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from mavfer.streams import StreamName
    from mavfer.study.session import Session
    from mavfer.study.streams_file import StreamsFile

__all__ = ["complete_stamps", "mend_files", "require_same_frames"]


def mend_files(session: Session) -> dict[StreamName, int]:
    """Mends the session's files, and gives the stamps or frames that were cut from each stream.

    Frames that are known by their stamp alone are listed among the drops, cause disk.

    Raises:
        NotFound, InvalidFile: A file is missing, or so torn that nothing in it can be read; both
            files are then as they were.
    """
    pictures = count_frames(session.color_path)
    with open_streams(session.streams_path) as file:
        stamps = {stream: complete_stamps(file, stream) for stream in session.streams}
        pixels = {
            stream: pictures if stream == "color" else _readable_frames(file, stream)
            for stream in session.streams
        }
        rows = {stream: min(stamps[stream], pixels[stream]) for stream in session.streams}
        if not rows["color"]:
            message = f"{session.color_path}: no readable frame with a stamp; nothing to recover"
            raise InvalidFile(message)
        _mend_color(session.color_path, rows["color"])
        _mend_streams(file, session.streams_path, rows)
    (session.folder / UNWRITTEN_NAME).unlink(missing_ok=True)
    return {stream: max(stamps[stream], pixels[stream]) - rows[stream] for stream in rows}


def complete_stamps(file: StreamsFile, stream: StreamName) -> int:
    """Rows of stamps, and of details where the stream has some, that are there for a frame each."""
    return min((file[name].shape[0] if name in file else 0) for name in _tables(file, stream))


def _tables(file: StreamsFile, stream: StreamName) -> list[str]:
    """Tables with a row a frame."""
    details = [f"/{stream}/details"] if detail_names(file, stream) else []
    return [f"/{stream}/times", *details]


def _readable_frames(file: StreamsFile, stream: StreamName) -> int:
    """Frames from the first one to the first that was never filled or cannot be unpacked."""
    frames = file[f"/{stream}/frames"]
    for index in range(frames.shape[0]):
        try:
            frames.id.read_direct_chunk((index, 0, 0))
            frames[index]
        except (OSError, RuntimeError, KeyError):
            return index
    count: int = frames.shape[0]
    return count


def _mend_color(path: Path, frames: int) -> None:
    """Gives color.mkv its index and length, and exactly `frames` frames."""
    with replacing(path) as part:
        copy_packets(path, part, frames=frames)
        found = count_frames(part)
        if found != frames:
            message = f"{path}: mending gave {found} of {frames} frames; the file is as it was"
            raise InvalidFile(message)


def _mend_streams(file: StreamsFile, path: Path, rows: dict[StreamName, int]) -> None:
    """Writes streams.h5 anew so that it opens normally, each stream cut to `rows`."""
    with replacing(path) as part:
        copy_streams([(file, rows)], part, drops=_lost_frames(file, path.parent, rows))
        with open_hdf5(part) as mended:
            require_valid_hdf5(mended, "streams", path)
            require_same_frames(file, mended, rows, path)


def _lost_frames(file: StreamsFile, folder: Path, rows: dict[StreamName, int]) -> NDArray[Any]:
    """Rows of `DROPS`: frames that have a stamp and no pixels, and those that were listed aside."""
    found = [
        drop_row(stream, stamp["frame_number"], stamp["host_ns"], "disk")
        for stream, count in rows.items()
        for stamp in file[f"/{stream}/times"][count:]
        if stamp["host_ns"]  # a row that was made room for and never filled is all zeros
    ]
    kept = {
        (STREAM_NUMBERS[stream], number)
        for stream, count in rows.items()
        for number in file[f"/{stream}/times"]["frame_number"][:count].tolist()
    }
    lost: dict[tuple[int, int], NDArray[Any]] = {}
    for row in [*found, *read_unwritten(folder)]:
        lost.setdefault((int(row["stream"]), int(row["frame_number"])), row)
    return np.array([row for key, row in lost.items() if key not in kept], DROPS)


def require_same_frames(
    before: StreamsFile,
    after: StreamsFile,
    rows: Mapping[StreamName, int],
    path: Path,
    *,
    starts: Mapping[StreamName, int] | None = None,
) -> None:
    """Returns where the first `rows` frames of one file are in another, and nothing differs.

    Args:
        before: The file that was copied.
        after: The copy.
        rows: Frames of each stream.
        path: Of the file, for the message.
        starts: Where in the copy they begin; at nought by default.

    Raises:
        InvalidFile: Something differs.
    """
    for stream, count in rows.items():
        start = (starts or {}).get(stream, 0)
        same = all(
            before[name][:count].tobytes() == after[name][start : start + count].tobytes()
            for name in _tables(before, stream)
        )
        if stream != "color":
            old, new = before[f"/{stream}/frames"], after[f"/{stream}/frames"]
            packed = has_same_packing(old, new)
            same = same and all(
                _frame(old, row, packed=packed) == _frame(new, start + row, packed=packed)
                for row in range(count)
            )
        if not same:
            message = f"{path}: the mended {stream} differs from the old; the file is as it was"
            raise InvalidFile(message)


def _frame(frames: Any, row: int, *, packed: bool) -> Any:
    """What tells two frames apart: their packed form where it is the same, else their counts."""
    return frames.id.read_direct_chunk((row, 0, 0)) if packed else frames[row].tobytes()
