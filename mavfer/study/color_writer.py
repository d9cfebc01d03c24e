"""color.mkv while it is recorded; a frame is on its way to the disk 0.1 s after it came.

Matroska keeps a cluster in memory until it is full; with short clusters and flushed packets a
killed recorder loses at most one of them.
"""

from __future__ import annotations

import tempfile
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from mavfer.errors import CommandError, InvalidFile, require
from mavfer.study.picture_converter import PictureConverter
from mavfer.study.video_reader import open_video, picture_stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["COLOR_CODECS", "ColorCodec", "ColorWriter", "join_color", "require_joinable"]

ColorCodec = Literal["h264", "jpeg95", "camera-jpeg", "x264-lossless"]

_JPEG: Final[dict[str, Any]] = {
    "encoder": "mjpeg",
    "pixel_format": "yuvj420p",
    # qscale 1 divides by about the steps of JPEG quality 95
    "options": {"qmin": "1", "qmax": "1"},
}

COLOR_CODECS: Final[dict[ColorCodec, dict[str, Any]]] = {
    "h264": {
        "encoder": "libx264",
        "pixel_format": "yuv420p",
        "options": {"preset": "ultrafast", "tune": "zerolatency", "crf": "18"},
    },
    "jpeg95": _JPEG,
    "camera-jpeg": _JPEG,  # each frame says itself how it is packed
    "x264-lossless": {
        "encoder": "libx264rgb",
        "pixel_format": "rgb24",
        "options": {"preset": "ultrafast", "tune": "zerolatency", "qp": "0"},
    },
}
"""Encoder, layout of the pixels and options by the name that a rig gives."""

_CLUSTER_MILLISECONDS: Final = 100
_KEYFRAMES_A_SECOND: Final = 2
_MILLISECOND: Final = Fraction(1, 1000)
_NANOSECONDS_A_MILLISECOND: Final = 1_000_000
_BT601: Final = 6
"""AVCOL_SPC_SMPTE170M, the matrix that FFmpeg converts with unless told otherwise."""


class ColorWriter:
    """Appends RGB frames to a Matroska file, one thread."""

    def __init__(
        self,
        path: Path,
        *,
        width: int,
        height: int,
        rate_hz: float,
        codec: ColorCodec = "h264",
        begins_ns: int | None = None,
    ) -> None:
        """Creates the file.

        Args:
            path: Where.
            width: Pixels.
            height: Pixels.
            rate_hz: Frames a second that are expected; sets the distance of keyframes.
            codec: A name in `COLOR_CODECS`.
            begins_ns: `host_ns` that a player shows as nought; the first frame's by default.

        Raises:
            CommandError: There is no such codec.
            MissingExtra: PyAV is not installed.
            OSError: The file cannot be written.
        """
        if codec not in COLOR_CODECS:
            message = f"color codec {codec!r}: unknown; known: {', '.join(COLOR_CODECS)}"
            raise CommandError(message)
        av = require("av", "record")
        self._av = av
        choice = COLOR_CODECS[codec]
        options = {"flush_packets": "1", "cluster_time_limit": str(_CLUSTER_MILLISECONDS)}
        self._container = av.open(str(path), "w", format="matroska", options=options)
        rate = Fraction(rate_hz).limit_denominator(1001)
        gop = max(1, round(rate_hz / _KEYFRAMES_A_SECOND))
        self._stream = self._container.add_stream(
            choice["encoder"], rate=rate, options={**choice["options"], "g": str(gop)}
        )
        self._pixel_format = _fitting_format(choice["pixel_format"], width, height)
        self._prepare_encoder(width, height)
        self._converter = PictureConverter(self._pixel_format, width, height)
        self._first_ns = begins_ns
        self._frames = 0
        self._last_pts = -1
        self._is_closed = False

    def append(self, pixels: NDArray[np.uint8], host_ns: int) -> None:
        """Adds a frame (H, W, 3), RGB; `host_ns` only tells a player when to show it.

        Raises:
            OSError: The disk is full, or the file cannot be written.
        """
        frame = self._converter.convert(pixels)
        frame.pts, frame.time_base = self._next_pts(host_ns), _MILLISECOND
        self._container.mux(self._stream.encode(frame))
        self._frames += 1

    def append_jpeg(self, content: bytes, host_ns: int) -> None:
        """Adds a frame that is a JPEG already; for the codecs "jpeg95" and "camera-jpeg" alone.

        Raises:
            OSError: The disk is full, or the file cannot be written.
        """
        packet = self._av.Packet(content)
        packet.stream, packet.time_base = self._stream, _MILLISECOND
        packet.pts = packet.dts = self._next_pts(host_ns)
        packet.is_keyframe = True
        self._container.mux(packet)

    def close(self) -> None:
        """Writes what the encoder still holds, the index and the length; harmless when repeated.

        Raises:
            OSError: The disk is full.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if self._frames:
                self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()

    def _next_pts(self, host_ns: int) -> int:
        """Milliseconds since the begin; two frames never have the same."""
        if self._first_ns is None:
            self._first_ns = host_ns
        milliseconds = round((host_ns - self._first_ns) / _NANOSECONDS_A_MILLISECOND)
        self._last_pts = max(milliseconds, self._last_pts + 1)
        return self._last_pts

    def _prepare_encoder(self, width: int, height: int) -> None:
        encoder = self._stream.codec_context
        encoder.width, encoder.height, encoder.pix_fmt = width, height, self._pixel_format
        encoder.time_base = self._stream.time_base = _MILLISECOND
        encoder.thread_count = 1
        if self._pixel_format != "rgb24":
            encoder.colorspace = _BT601


def require_joinable(path: Path, *, rate_hz: float, codec: ColorCodec) -> None:
    """Returns where frames that are encoded now can be put behind those in the file at `path`.

    Raises:
        NotFound, InvalidFile: The file is missing or torn, or another encoder wrote it.
    """
    with tempfile.TemporaryDirectory() as folder, open_video(path) as container:
        stream = picture_stream(container, path)
        width, height = stream.codec_context.width, stream.codec_context.height
        probe = Path(folder) / path.name
        writer = ColorWriter(probe, width=width, height=height, rate_hz=rate_hz, codec=codec)
        writer.append(np.zeros((height, width, 3), np.uint8), 0)
        writer.close()
        with open_video(probe) as now:
            _require_same_codec(stream, picture_stream(now, probe), path)


def join_color(first: Path, second: Path, target: Path) -> None:
    """Writes the frames of `first` and then those of `second`, bit for bit, with their times.

    Raises:
        NotFound, InvalidFile: A file is missing or torn, or the two are of different encoders.
    """
    av = require("av", "record")
    output = av.open(str(target), "w", format="matroska")
    try:
        with open_video(first) as container, open_video(second) as addition:
            picture, added = picture_stream(container, first), picture_stream(addition, second)
            _require_same_codec(picture, added, first)
            twin = output.add_stream_from_template(picture, opaque=True)
            for packet in chain(container.demux(picture), addition.demux(added)):
                if packet.size:
                    packet.stream = twin
                    output.mux_one(packet)
    finally:
        output.close()


def _require_same_codec(before: Any, now: Any, path: Path) -> None:
    """Raises where a decoder that was set up for the one would not understand the other."""
    is_jpeg = before.codec_context.name == _JPEG["encoder"]  # which brings all that it needs
    for name in ("name", "width", "height", *(() if is_jpeg else ("pix_fmt", "extradata"))):
        old, new = getattr(before.codec_context, name), getattr(now.codec_context, name)
        if old != new:
            message = (
                f"{path}: its frames come from another encoder than this one ({name} differs), so "
                f"nothing can be put behind them. Record a new session"
            )
            raise InvalidFile(message)


def _fitting_format(pixel_format: str, width: int, height: int) -> str:
    """`pixel_format`, or the one with full color resolution where halving leaves half a pixel."""
    odd = width % 2 or height % 2
    return pixel_format.replace("420", "444") if odd else pixel_format
