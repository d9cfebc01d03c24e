"""Moving a video into Matroska: its packets as they are, or its pictures without loss."""

from __future__ import annotations

import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import InvalidFile, require
from mavfer.study.video_reader import decode_stream, open_video, picture_stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "copy_packets",
    "count_frames",
    "count_packets",
    "frame_checksum",
    "transcode_losslessly",
]

_LOSSLESS_OPTIONS: Final = {"level": "3", "slices": "4", "slicecrc": "1", "g": "1"}
_PALETTE_BYTES: Final = 4
_BYTE: Final = 8


def count_frames(path: Path) -> int:
    """Frames that can be decoded, from the first one to the first damage.

    Raises:
        NotFound: There is no such file.
        InvalidFile: It cannot be opened as a video.
    """
    count = 0
    with open_video(path) as container:
        stream = picture_stream(container, path)
        try:
            for _ in decode_stream(container, stream, path):
                count += 1
        except InvalidFile:
            return count
    return count


def count_packets(path: Path) -> int:
    """Packets of the picture, without decoding them; raises as `count_frames` does."""
    av = require("av", "preprocess")
    with open_video(path) as container:
        stream = picture_stream(container, path)
        try:
            return sum(1 for packet in container.demux(stream) if packet.size)
        except av.error.FFmpegError as error:
            message = f"{path}: cannot be read to its end ({error})"
            raise InvalidFile(message) from error


def frame_checksum(native: Any) -> int:
    """CRC-32 of the samples of one of PyAV's frames, padding left out."""
    checksum = 0
    for number, plane in enumerate(native.planes):
        rows = memoryview(plane)
        used = _bytes_a_row(native.format, number, plane.width)
        for start in range(0, plane.height * plane.line_size, plane.line_size):
            checksum = zlib.crc32(rows[start : start + used], checksum)
    return checksum


def copy_packets(
    source: Path, target: Path, *, keep_sound: bool = True, frames: int | None = None
) -> None:
    """Writes the packets of `source` bit for bit into a Matroska file.

    Args:
        source: A video file.
        target: Where; overwritten.
        keep_sound: Copy the first sound stream too.
        frames: Stop after so many packets of the picture; all where None.

    Raises:
        InvalidFile: `source` is not a video, or Matroska does not take what is in it.
    """
    with open_video(source) as container, _matroska(target) as output:
        picture = picture_stream(container, source)
        inputs = [picture, *container.streams.audio[:1]] if keep_sound else [picture]
        outputs = {stream.index: _twin(output, stream, target) for stream in inputs}
        left = frames
        for packet in container.demux(inputs):
            if not packet.size:
                continue
            if packet.stream_index == picture.index and left is not None:
                if left == 0:
                    break
                left -= 1
            packet.stream = outputs[packet.stream_index]
            _mux(output, packet, target)


def transcode_losslessly(source: Path, target: Path, *, keep_sound: bool = True) -> str:
    """Writes the pictures of `source` as FFV1 into a Matroska file, and its sound as FLAC.

    Returns:
        Layout of the pixels in the file; the source's own where FFV1 has it.

    Raises:
        InvalidFile: `source` cannot be decoded, or the result cannot be written.
    """
    with open_video(source) as container, _matroska(target) as output:
        picture = picture_stream(container, source)
        sounds = container.streams.audio[:1] if keep_sound else ()
        layout = _exact_layout(picture.codec_context.format, source)
        twins = {picture.index: _lossless_picture(output, picture, layout)}
        for sound in sounds:
            twins[sound.index] = output.add_stream("flac", rate=sound.codec_context.sample_rate)
        for packet in container.demux([picture, *sounds]):
            if packet.size == 0 and packet.dts is not None:
                continue
            for frame in _decoded(packet, source):
                twin = twins[packet.stream_index]
                shown = frame if packet.stream_index != picture.index else _as(frame, layout)
                for encoded in twin.encode(shown):
                    _mux(output, encoded, target)
        for twin in twins.values():
            for encoded in twin.encode(None):
                _mux(output, encoded, target)
    return str(layout)


@contextmanager
def _matroska(target: Path) -> Iterator[Any]:
    av = require("av", "preprocess")
    output = av.open(str(target), "w", format="matroska")
    try:
        yield output
    finally:
        output.close()


def _twin(output: Any, stream: Any, target: Path) -> Any:
    """A stream of `output` for the packets of `stream`."""
    av = require("av", "preprocess")
    try:
        return output.add_stream_from_template(stream, opaque=True)
    except (av.error.FFmpegError, ValueError) as error:
        message = f"{target}: Matroska does not take {stream.codec_context.name} ({error})"
        raise InvalidFile(message) from error


def _mux(output: Any, packet: Any, target: Path) -> None:
    """Writes one packet; what Matroska refuses it refuses with the first one."""
    av = require("av", "preprocess")
    try:
        output.mux_one(packet)
    except (av.error.ValueError, av.error.InvalidDataError, av.error.PatchWelcomeError) as error:
        message = f"{target}: Matroska does not take these packets ({error})"
        raise InvalidFile(message) from error


def _exact_layout(layout: Any, source: Path) -> str:
    """A layout of pixels that FFV1 has and that holds the same numbers as `layout`."""
    av = require("av", "preprocess")
    if layout.name in {known.name for known in av.Codec("ffv1", "w").video_formats}:
        return str(layout.name)
    if (layout.is_rgb or layout.has_palette) and max(c.bits for c in layout.components) <= _BYTE:
        return "bgra"
    message = f"{source}: pixels of the kind {layout.name} cannot be kept without loss"
    raise InvalidFile(f"{message}. Convert the file to mp4 first")


def _lossless_picture(output: Any, picture: Any, layout: str) -> Any:
    twin = output.add_stream("ffv1", rate=picture.average_rate or 30, options=_LOSSLESS_OPTIONS)
    encoder = twin.codec_context
    encoder.width, encoder.height = picture.codec_context.width, picture.codec_context.height
    encoder.pix_fmt, encoder.thread_count = layout, 1
    encoder.time_base = twin.time_base = picture.time_base
    encoder.colorspace = picture.codec_context.colorspace
    encoder.color_range = picture.codec_context.color_range
    return twin


def _decoded(packet: Any, source: Path) -> list[Any]:
    av = require("av", "preprocess")
    try:
        frames: list[Any] = packet.decode()
    except av.error.FFmpegError as error:
        message = f"{source}: a packet at {packet.pts} cannot be decoded ({error})"
        raise InvalidFile(message) from error
    return frames


def _as(frame: Any, layout: str) -> Any:
    """The frame in another layout, with its time and without the source's wish for a keyframe."""
    fitting = frame if frame.format.name == layout else frame.reformat(format=layout, threads=1)
    fitting.pts, fitting.time_base = frame.pts, frame.time_base
    fitting.pict_type = 0
    return fitting


def _bytes_a_row(layout: Any, plane: int, width: int) -> int:
    """Bytes of one row of a plane that hold samples; the rest is padding."""
    if layout.is_planar:
        bits = [-(-part.bits // 8) * 8 for part in layout.components if part.plane == plane]
        return int(width * sum(bits) // 8)
    if plane:
        return width * _PALETTE_BYTES
    bits_a_row: int = width * layout.padded_bits_per_pixel
    return -(-bits_a_row // 8)
