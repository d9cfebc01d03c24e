"""An ordinary video on its way into a session: is it whole, and when is each frame shown.

A file is decoded once from end to end before anything of it is believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import InvalidFile, require
from mavfer.study.video_copy import copy_packets, frame_checksum, transcode_losslessly
from mavfer.study.video_reader import (
    ColorFrame,
    VideoDescription,
    decode_stream,
    describe_stream,
    open_video,
    picture_stream,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["SourceVideo", "examine_video", "keep_video", "regular_times"]

_DECLARED_LENGTH: Final = {"matroska,webm": 0.25, "asf": 1.0, "flv": 1.0}
"""Containers that say how long they are, and the seconds by which they may be wrong."""
_LONGEST_UNTRUSTED_SHARE: Final = 0.05
_NANOSECONDS: Final = 1_000_000_000
_MATRIX_LENGTH: Final = 9


@dataclass(frozen=True)
class SourceVideo:
    """A video file that was decoded from end to end."""

    description: VideoDescription
    rotation_degrees: int
    """Clockwise turn that brings the pictures upright: 0, 90, 180 or 270."""
    times_ns: NDArray[np.int64]
    """(T,), strictly increasing, the first one 0."""
    repaired_times: int
    """Frames whose own stamp was missing or not after the one before."""
    checksums: tuple[int, ...]
    """CRC-32 of every decoded frame."""

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height after the turn."""
        size = self.description.width, self.description.height
        return size if self.rotation_degrees in {0, 180} else size[::-1]

    @property
    def rate_hz(self) -> float:
        """Mean rate of the frames; of a single frame what the file says, else 1."""
        if len(self.times_ns) > 1:
            return (len(self.times_ns) - 1) * _NANOSECONDS / int(self.times_ns[-1])
        return self.description.rate_hz or 1.0


def examine_video(path: Path) -> SourceVideo:
    """Decodes a video file from end to end.

    Raises:
        NotFound: There is no such file.
        InvalidFile: It is not a video, holds less than it promises, cannot be decoded, changes
            its size on the way, is mirrored, or has no usable stamps.
    """
    with open_video(path) as container:
        stream = picture_stream(container, path)
        description = describe_stream(container, stream)
    _require_whole(path, description)
    frames = []
    checksums = []
    for frame in _decoded(path):
        _require_same_size(path, description, frame)
        frames.append((frame.time_ns, frame.rotation_degrees))
        checksums.append(frame_checksum(frame.native))
    if not frames:
        message = f"{path}: no frame can be decoded. Give another file"
        raise InvalidFile(message)
    times_ns, repaired = regular_times([time_ns for time_ns, _ in frames], path)
    return SourceVideo(description, frames[0][1], times_ns, repaired, tuple(checksums))


def keep_video(path: Path, source: SourceVideo, target: Path, *, keep_sound: bool) -> bool:
    """Writes the pictures of `path`, and its sound, to the Matroska file `target`.

    The packets are copied where Matroska takes them and the copy decodes to the same pictures;
    else the pictures are coded anew without loss (FFV1).

    Returns:
        True when the packets are those of the source, bit for bit.

    Raises:
        InvalidFile: Neither way gives back the pictures of the source.
    """
    keep_sound = keep_sound and source.description.audio_codec is not None
    try:
        copy_packets(path, target, keep_sound=keep_sound)
        if _checksums(target) == source.checksums:
            return True
    except InvalidFile:
        target.unlink(missing_ok=True)
    layout = transcode_losslessly(path, target, keep_sound=keep_sound)
    wanted = source.checksums
    if layout != source.description.pixel_format:
        wanted = _checksums(path, layout)
    if _checksums(target) != wanted:
        message = f"{path}: cannot be kept without loss in Matroska. Convert it to mp4 first"
        raise InvalidFile(message)
    return False


def regular_times(times_ns: Sequence[int | None], path: Path) -> tuple[NDArray[np.int64], int]:
    """Strictly increasing times (T,) from 0, and how many of the file's own were replaced.

    A stamp that is missing, or not after the ones before, is replaced by one between its
    neighbours (beyond the last good one: at the usual distance).

    Raises:
        InvalidFile: More than one stamp in twenty would have to be replaced.
    """
    good = _increasing(times_ns)
    repaired = len(times_ns) - len(good)
    if not good or repaired > max(1, _LONGEST_UNTRUSTED_SHARE * len(times_ns)):
        message = (
            f"{path}: {repaired} of {len(times_ns)} frames have no stamp, or one that is equal to "
            f"or before another. Convert the file to mp4 at a known frame rate, then import that"
        )
        raise InvalidFile(message)
    values = np.array([times_ns[index] for index in good], np.int64)
    step = int(np.median(np.diff(values))) if len(values) > 1 else _NANOSECONDS
    last = len(times_ns) - 1
    values = values - values[0] + good[0] * step
    ends = np.array([0, *values, values[-1] + (last - good[-1]) * step], np.float64)
    times = np.rint(np.interp(np.arange(last + 1), [0, *good, last], ends)).astype(np.int64)
    times[good] = values
    return times, repaired


def _increasing(times_ns: Sequence[int | None]) -> list[int]:
    """Indices of the stamps that are there and after all before them."""
    good: list[int] = []
    latest = None
    for index, time_ns in enumerate(times_ns):
        if time_ns is not None and (latest is None or time_ns > latest):
            good.append(index)
            latest = time_ns
    return good


def _decoded(path: Path) -> Iterator[ColorFrame]:
    with open_video(path) as container:
        for frame in decode_stream(container, picture_stream(container, path), path):
            _require_not_mirrored(path, frame)
            yield frame


def _require_whole(path: Path, description: VideoDescription) -> None:
    """Reads all packets without decoding them, and compares with what the container promises."""
    av = require("av", "preprocess")
    packets, end = 0, Fraction(0)
    try:
        with open_video(path) as container:
            picture = picture_stream(container, path)
            _require_indexed(path, picture)
            for packet in container.demux(picture, *container.streams.audio[:1]):
                if packet.is_corrupt:
                    message = f"{path}: cut off or damaged at {float(end):.2f} s. Copy it again"
                    raise InvalidFile(message)
                packets += packet.stream_index == picture.index and packet.dts is not None
                if packet.pts is not None:
                    end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
            promised = Fraction(container.duration or 0, av.time_base)
    except av.error.FFmpegError as error:
        message = f"{path}: cannot be read to its end ({error}). Copy it again"
        raise InvalidFile(message) from error
    _require_promised(path, description, packets, float(promised - end))


def _require_indexed(path: Path, picture: Any) -> None:
    """Refuses a file whose index points behind its end."""
    size = path.stat().st_size
    beyond = sum(1 for entry in picture.index_entries if entry.pos + entry.size > size)
    if beyond:
        message = f"{path}: cut off; {beyond} of its frames lie behind its end. Copy it again"
        raise InvalidFile(message)


def _require_promised(
    path: Path, description: VideoDescription, packets: int, missing_seconds: float
) -> None:
    # mp4's count includes frames that its edit list leaves out; its index was looked at instead
    declared = description.declared_frames or 0
    if description.container == "avi" and packets < declared:
        message = f"{path}: cut off; holds {packets} of {declared} frames. Copy it again"
        raise InvalidFile(message)
    tolerance = _DECLARED_LENGTH.get(description.container)
    if tolerance is not None and missing_seconds > tolerance:
        message = f"{path}: cut off; ends {missing_seconds:.2f} s before its length. Copy it again"
        raise InvalidFile(message)


def _require_same_size(path: Path, description: VideoDescription, frame: ColorFrame) -> None:
    found = frame.native.width, frame.native.height
    if found != (description.width, description.height):
        message = f"{path}: frame {frame.index} changes the size to {found[0]}x{found[1]}"
        raise InvalidFile(f"{message}. Convert the file to one size, then import that")


def _require_not_mirrored(path: Path, frame: ColorFrame) -> None:
    """Refuses a flag that turns left into right; a turn cannot undo it."""
    for side_data in frame.native.side_data if frame.index == 0 else ():
        if side_data.type.name == "DISPLAYMATRIX":
            matrix = np.frombuffer(side_data, np.int32)[:_MATRIX_LENGTH].astype(float)
            if matrix[0] * matrix[4] - matrix[1] * matrix[3] < 0:
                message = f"{path}: its player must mirror it. Run: ffmpeg -i {path.name} out.mp4"
                raise InvalidFile(f"{message}, then import that")


def _checksums(path: Path, layout: str | None = None) -> tuple[int, ...]:
    """CRC-32 of every frame of a file, in its own layout of pixels or in `layout`."""
    with open_video(path) as container:
        frames = decode_stream(container, picture_stream(container, path), path)
        natives = (frame.native for frame in frames)
        if layout is not None:
            natives = (native.reformat(format=layout, threads=1) for native in natives)
        return tuple(frame_checksum(native) for native in natives)
