"""color.mkv while it is recorded; a frame is on its way to the disk 0.1 s after it came.

Matroska keeps a cluster in memory until it is full; with short clusters and flushed packets a
killed recorder loses at most one of them.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from mavfer.errors import CommandError, require

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["COLOR_CODECS", "ColorCodec", "ColorWriter"]

ColorCodec = Literal["h264", "jpeg95", "x264-lossless"]

COLOR_CODECS: Final[dict[ColorCodec, dict[str, Any]]] = {
    "h264": {
        "encoder": "libx264",
        "pixel_format": "yuv420p",
        "options": {"preset": "ultrafast", "tune": "zerolatency", "crf": "18"},
    },
    # qscale 1 divides by about the steps of JPEG quality 95
    "jpeg95": {
        "encoder": "mjpeg",
        "pixel_format": "yuvj420p",
        "options": {"qmin": "1", "qmax": "1"},
    },
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
        self, path: Path, *, width: int, height: int, rate_hz: float, codec: ColorCodec = "h264"
    ) -> None:
        """Creates the file.

        Args:
            path: Where.
            width: Pixels.
            height: Pixels.
            rate_hz: Frames a second that are expected; sets the distance of keyframes.
            codec: A name in `COLOR_CODECS`.

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
        self._converter = av.video.reformatter.VideoReformatter()
        self._first_ns: int | None = None
        self._last_pts = -1
        self._is_closed = False

    def append(self, pixels: NDArray[np.uint8], host_ns: int) -> None:
        """Adds a frame (H, W, 3), RGB; `host_ns` only tells a player when to show it.

        Raises:
            OSError: The disk is full, or the file cannot be written.
        """
        if self._first_ns is None:
            self._first_ns = host_ns
        milliseconds = round((host_ns - self._first_ns) / _NANOSECONDS_A_MILLISECOND)
        self._last_pts = max(milliseconds, self._last_pts + 1)
        whole = np.ascontiguousarray(pixels)
        frame = self._av.VideoFrame.from_numpy_buffer(whole, format="rgb24")
        frame = self._converter.reformat(frame, format=self._pixel_format, threads=1)
        frame.pts, frame.time_base = self._last_pts, _MILLISECOND
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Writes what the encoder still holds, the index and the length; harmless when repeated.

        Raises:
            OSError: The disk is full.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if self._first_ns is not None:
                self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()

    def _prepare_encoder(self, width: int, height: int) -> None:
        encoder = self._stream.codec_context
        encoder.width, encoder.height, encoder.pix_fmt = width, height, self._pixel_format
        encoder.time_base = self._stream.time_base = _MILLISECOND
        encoder.thread_count = 1
        if self._pixel_format != "rgb24":
            encoder.colorspace = _BT601


def _fitting_format(pixel_format: str, width: int, height: int) -> str:
    """`pixel_format`, or the one with full color resolution where halving leaves half a pixel."""
    odd = width % 2 or height % 2
    return pixel_format.replace("420", "444") if odd else pixel_format
