"""Pictures of a stretch of frames, encoded for raters by themselves: the first is a keyframe.

Stretches that were encoded apart, also by processes that were killed in between, are put one after
the other by `media_writer`; the browser cannot tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import require
from mavfer.study.video_reader import ColorFrame

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TICKS_PER_SECOND", "EncodedPicture", "PictureEncoder", "even_size", "set_up_encoder"]

TICKS_PER_SECOND: Final = 90_000
"""Units of the stamps in a media file."""

_TICK: Final = Fraction(1, TICKS_PER_SECOND)
# As large and as near to the original (SSIM) as veryfast at crf 20, in 0.57 of its time: a plain
# search for motion, but all that takes the blocks out of skin and walls.
_OPTIONS: Final = {
    "preset": "ultrafast",
    "x264-params": "cabac=1:8x8dct=1:subme=1:aq-mode=1:deblock=0,0",
    "crf": "23",
    "bf": "0",  # a reordered frame would need an edit list, which browsers count differently
    "g": "9999",  # keyframes are placed by time
    "sc_threshold": "0",
    "forced-idr": "1",
}
_BT601: Final = 5
"""SWS_CS_ITU601, the matrix that the encoder's file is then said to have."""
_LIMITED_RANGE: Final = 1
_FULL_RANGE: Final = 2


@dataclass(frozen=True)
class EncodedPicture:
    """One frame as H.264."""

    block: bytes
    pts: int
    """Stamp in 1/90000 s."""
    is_key: bool


class PictureEncoder:
    """Encodes frames in one thread, a keyframe at least each second."""

    def __init__(self, size: tuple[int, int]) -> None:
        """Takes note of the size; the encoder begins with the first frame.

        Args:
            size: Width and height of the upright frames; odd ones lose their last column or row.
        """
        self._av = require("av", "preprocess")
        self._size = even_size(size)
        self._context: Any = None
        self._last_key: int | None = None
        self._converter = self._av.video.reformatter.VideoReformatter()
        self.color_tags: tuple[int, int, int] | None = None
        """Matrix, primaries and transfer curve of the frames, as FFmpeg numbers them; None before
        the first."""

    def encode(
        self, frame: ColorFrame | NDArray[np.uint8], pts: int, following_pts: int
    ) -> list[EncodedPicture]:
        """The pictures that are ready once `frame` is in.

        Args:
            frame: One of `read_video`, or RGB (H, W, 3).
            pts: Its stamp.
            following_pts: Stamp of the next frame, which decides whether this is a keyframe.
        """
        native = self._fitting(frame)
        native.pts, native.time_base = pts, _TICK
        native.pict_type = self._picture_type(pts, following_pts)
        if self._context is None:
            self.color_tags = native.colorspace, native.color_primaries, native.color_trc
            self._context = self._av.CodecContext.create("libx264", "w")
            set_up_encoder(self._context, self._size, self.color_tags)
            self._context.flags |= self._av.codec.context.Flags.global_header
        return [_encoded(packet) for packet in self._context.encode(native)]

    def finish(self) -> list[EncodedPicture]:
        """The pictures that the encoder still holds."""
        if self._context is None:
            return []
        context, self._context = self._context, None
        return [_encoded(packet) for packet in context.encode(None)]

    def _fitting(self, frame: ColorFrame | NDArray[np.uint8]) -> Any:
        """PyAV's frame, upright, of even size, 8 bit, halved color."""
        if isinstance(frame, ColorFrame) and self._is_shown_as_coded(frame):
            native = frame.native
            if native.format.name == "yuv420p" and native.color_range != _FULL_RANGE:
                return native
            return self._converter.reformat(
                native, format="yuv420p", dst_color_range=_LIMITED_RANGE, threads=1
            )
        pixels = frame.rgb() if isinstance(frame, ColorFrame) else frame
        return self._from_rgb(pixels)

    def _is_shown_as_coded(self, frame: ColorFrame) -> bool:
        coded = frame.native.width, frame.native.height
        return frame.rotation_degrees == 0 and coded == self._size

    def _from_rgb(self, pixels: NDArray[np.uint8]) -> Any:
        full_width, full_height = self._size
        height, width = min(full_height, pixels.shape[0]), min(full_width, pixels.shape[1])
        missing = ((0, full_height - height), (0, full_width - width), (0, 0))
        fitting = np.pad(pixels[:height, :width], missing, mode="edge")
        native = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(fitting), format="rgb24")
        return self._converter.reformat(native, format="yuv420p", dst_colorspace=_BT601, threads=1)

    def _picture_type(self, pts: int, following_pts: int) -> int:
        """A keyframe where the next one would come more than a second after the last."""
        types = self._av.video.frame.PictureType
        if self._last_key is None or following_pts - self._last_key > TICKS_PER_SECOND:
            self._last_key = pts
            return int(types.I)
        return int(types.NONE)


def set_up_encoder(context: Any, size: tuple[int, int], color_tags: tuple[int, int, int]) -> None:
    """Makes PyAV's encoder one for raters' pictures; all set up alike write the same header."""
    context.width, context.height = size
    context.pix_fmt, context.time_base, context.framerate = "yuv420p", _TICK, Fraction(30)
    context.thread_count = 1
    context.options = dict(_OPTIONS)
    context.colorspace, context.color_primaries, context.color_trc = color_tags
    context.color_range = _LIMITED_RANGE


def even_size(size: tuple[int, int]) -> tuple[int, int]:
    """Width and height, each the largest even number that is not above it, and at least 2."""
    return max(2, size[0] - size[0] % 2), max(2, size[1] - size[1] % 2)


def _encoded(packet: Any) -> EncodedPicture:
    return EncodedPicture(bytes(packet), packet.pts, bool(packet.is_keyframe))
