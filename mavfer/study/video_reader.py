"""Reading video files: every frame once, upright, as RGB or as luma; PyAV stays behind this door.

Matroska's own stamps have milliseconds; the times of a session's frames are in its streams.h5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import InvalidFile, NotFound, require

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = [
    "ColorFrame",
    "Planes",
    "VideoDescription",
    "decode_stream",
    "describe_stream",
    "describe_video",
    "open_video",
    "picture_stream",
    "read_video",
]

CONTAINERS: Final = (
    "mov,matroska,avi,asf,gif,mpeg,mpegts,mpegvideo,flv,ogg,nut,mxf,dv,rm,ivf,wtv,apng,m4v,"
    "h264,hevc,mjpeg,yuv4mpegpipe"
)
"""Containers that hold one video in one file. Playlists, which name other files, and text, which
FFmpeg would draw as a terminal's screen, are not among them."""

_HALVED_COLOR: Final = {"yuv420p", "yuvj420p"}
_FULL_RANGE: Final = 2
_BT709: Final = 1
_KNOWN_MATRICES: Final = {1, 2, 5, 6}
"""Codes of BT.709, of BT.601 in its two names, and of files that do not say, taken for BT.601."""
_QUARTER_TURN: Final = 90
_LUMA_BITS: Final = 8
_NANOSECONDS: Final = 1_000_000_000


@dataclass(frozen=True)
class VideoDescription:
    """What a video file says of itself before a frame is decoded, except `rotation_degrees`."""

    container: str
    codec: str
    pixel_format: str
    width: int
    """Pixels, as coded; a quarter turn exchanges it with `height`."""
    height: int
    rate_hz: float | None
    """Mean rate; None where the file does not say."""
    declared_frames: int | None
    """Frames that the container promises; None where it promises nothing."""
    declared_seconds: float | None
    """Length of the picture that the container promises."""
    audio_codec: str | None
    """None where there is no sound."""


@dataclass(frozen=True)
class Planes:
    """Luma and halved color of a frame, 8 bit, as views into the decoder's memory."""

    y: NDArray[np.uint8]
    """(H, W)."""
    u: NDArray[np.uint8]
    """(ceil(H / 2), ceil(W / 2))."""
    v: NDArray[np.uint8]
    """The same."""
    is_full_range: bool
    """True where black is 0 and white 255; False where they are 16 and 235."""
    is_bt709: bool
    """True for the colors of high definition; False for BT.601."""


@dataclass(frozen=True)
class ColorFrame:
    """One decoded frame; pixels are converted when they are asked for."""

    index: int
    """Count of frames from the start of the file."""
    time_ns: int | None
    """The container's stamp in nanoseconds; None where the frame has none."""
    native: Any
    """PyAV's frame, not turned."""
    rotation_degrees: int
    """Clockwise turn that brings the coded picture upright."""
    converter: Any
    """PyAV's converter, shared by all frames of a file."""

    def rgb(self) -> NDArray[np.uint8]:
        """Pixels (H, W, 3), RGB, upright."""
        frame = self.converter.reformat(self.native, format="rgb24", threads=1)
        return turned(frame.to_ndarray(), self.rotation_degrees)

    def gray(self) -> NDArray[np.uint8]:
        """Luma (H, W), upright; as coded and without a copy where the file holds 8-bit luma.

        Such an array is a view into the decoder's memory and holds it; rows may be padded.
        """
        layout = self.native.format
        if not layout.is_rgb and layout.has_palette is False and _has_byte_luma(layout):
            plane = self.native.planes[0]
            rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
            luma = rows[: self.native.height, : self.native.width]
        else:
            luma = self.converter.reformat(self.native, format="gray", threads=1).to_ndarray()
        return turned(luma, self.rotation_degrees)

    def planes(self) -> Planes | None:
        """The frame's planes as they were coded; None where it is turned or coded otherwise."""
        native = self.native
        if self.rotation_degrees or native.format.name not in _HALVED_COLOR:
            return None
        if native.colorspace not in _KNOWN_MATRICES:
            return None
        halves = -(-native.width // 2), -(-native.height // 2)
        sizes = ((native.width, native.height), halves, halves)
        y, u, v = (_view(p, *size) for p, size in zip(native.planes, sizes, strict=True))
        is_full = native.format.name == "yuvj420p" or native.color_range == _FULL_RANGE
        return Planes(y, u, v, bool(is_full), bool(native.colorspace == _BT709))


def read_video(
    path: Path, *, rotation_degrees: int | None = None, first: int = 0
) -> Iterator[ColorFrame]:
    """The frames of a video file, in the order of display.

    Args:
        path: The file.
        rotation_degrees: Clockwise turn, 0, 90, 180 or 270; what the file says where None.
        first: Index of the first frame to give; what lies before it is decoded only from the
            nearest keyframe on.

    Raises:
        NotFound: There is no such file.
        InvalidFile: It is not a video, or a frame cannot be decoded.
        MissingExtra: PyAV is not installed.
    """
    with open_video(path) as container:
        stream = picture_stream(container, path)
        skipped = _packets_to_skip(container, stream, path, first)
        turn = rotation_degrees
        frames = decode_stream(container, stream, path, rotation_degrees=turn, skipped=skipped)
        for frame in frames:
            if frame.index >= first:
                yield frame


def describe_video(path: Path) -> VideoDescription:
    """What a video file says of itself; raises as `read_video` does."""
    with open_video(path) as container:
        return describe_stream(container, picture_stream(container, path))


def open_video(path: Path) -> Any:
    """PyAV's open container, to be used in a `with`; raises as `read_video` does."""
    av = require("av", "preprocess")
    if not path.is_file():
        message = f"{path}: no such file"
        raise NotFound(message)
    try:
        options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
        return av.open(str(path), options=options)
    except (av.error.FFmpegError, ValueError) as error:
        message = f"{path}: cannot be opened as a video; not one, or cut off ({_reason(error)})"
        raise InvalidFile(message) from error


def picture_stream(container: Any, path: Path) -> Any:
    """The first video stream of an open container that is not a cover picture."""
    av = require("av", "preprocess")
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            if not stream.codec_context.width or not stream.codec_context.height:
                message = f"{path}: the picture has no size; the file is cut off or damaged"
                raise InvalidFile(message)
            return stream
    message = f"{path}: holds no video stream. Give the file with the picture"
    raise InvalidFile(message)


def describe_stream(container: Any, stream: Any) -> VideoDescription:
    """What an open container says of its video stream `stream`."""
    codec = stream.codec_context
    sounds = container.streams.audio
    rate = stream.average_rate or stream.guessed_rate
    return VideoDescription(
        container=container.format.name,
        codec=codec.name,
        pixel_format=codec.pix_fmt or "unknown",
        width=codec.width,
        height=codec.height,
        rate_hz=float(rate) if rate else None,
        declared_frames=stream.frames or None,
        declared_seconds=_declared_seconds(stream),
        audio_codec=sounds[0].codec_context.name if sounds else None,
    )


def decode_stream(
    container: Any,
    stream: Any,
    path: Path,
    *,
    rotation_degrees: int | None = None,
    skipped: int = 0,
) -> Iterator[ColorFrame]:
    """Every frame of `stream`; one thread, so that reading costs what it costs and no more.

    The first `skipped` packets, each a frame, are not decoded; a keyframe must follow them.
    """
    av = require("av", "preprocess")
    stream.codec_context.thread_count = 1
    converter = av.video.reformatter.VideoReformatter()
    index, packets = skipped, 0
    try:
        for packet in container.demux(stream):
            if packet.size == 0 and packet.dts is not None:
                continue  # AVI's "same picture again", which a decoder would take for the end
            packets += 1
            if packets <= skipped:
                continue
            for native in packet.decode():
                turn = clockwise_turn(native) if rotation_degrees is None else rotation_degrees
                yield ColorFrame(index, _time_ns(native), native, turn, converter)
                index += 1
    except av.error.FFmpegError as error:
        message = f"{path}: frame {index} cannot be decoded ({_reason(error)}); the file is damaged"
        raise InvalidFile(message) from error


def turned(pixels: NDArray[Any], rotation_degrees: int) -> NDArray[Any]:
    """An image (H, W, ...) turned clockwise by a multiple of 90 degrees."""
    if rotation_degrees == 0:
        return pixels
    return np.ascontiguousarray(np.rot90(pixels, -rotation_degrees // _QUARTER_TURN))


def clockwise_turn(native: Any) -> int:
    """Clockwise turn, to the next 90 degrees, that the file asks of whoever shows this frame."""
    quarters: int = round(-native.rotation / _QUARTER_TURN) % 4
    return quarters * _QUARTER_TURN


def _packets_to_skip(container: Any, stream: Any, path: Path, first: int) -> int:
    """Packets before the last keyframe at or before frame `first`; 0 where that is not known.

    Packets stand for frames one to one only where none is shown later than it is decoded.
    """
    if first == 0 or stream.codec_context.has_b_frames:
        return 0
    keyframe, count = 0, 0
    with open_video(path) as again:
        for packet in again.demux(picture_stream(again, path)):
            if packet.size == 0 or count > first:
                break
            keyframe = count if packet.is_keyframe else keyframe
            count += 1
    return keyframe


def _view(plane: Any, width: int, height: int) -> NDArray[np.uint8]:
    """A plane of a frame without the padding of its rows."""
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[:height, :width]


def _has_byte_luma(layout: Any) -> bool:
    luma = layout.components[0]
    alone = layout.is_planar or len(layout.components) == 1
    return bool(luma.plane == 0 and luma.bits == _LUMA_BITS and alone)


def _time_ns(native: Any) -> int | None:
    if native.pts is None:
        return None
    time_ns: int = round(native.pts * native.time_base * _NANOSECONDS)
    return time_ns


def _declared_seconds(stream: Any) -> float | None:
    """Length of the stream by its own header, or by the tag that Matroska's writers leave."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    tag = stream.metadata.get("DURATION", "")
    try:
        hours, minutes, seconds = tag.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return None


def _reason(error: Exception) -> str:
    """FFmpeg's own words, without the path that the message names already."""
    return str(getattr(error, "strerror", None) or error)
