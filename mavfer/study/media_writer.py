"""media/<session>.mp4: what raters see, each frame at the very time that its row says.

A browser reports the media's time; the table beside the video turns it into a frame. So the stamps
are written in 1/90000 s, read back, and compared one by one before the file gets its name.
"""

from __future__ import annotations

from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import InvalidArray, InvalidFile, require
from mavfer.files import replacing, sha256_of, write_json
from mavfer.schema import require_valid
from mavfer.study.media_sound import sound_packets
from mavfer.study.study import software_versions
from mavfer.study.video_reader import ColorFrame, open_video, picture_stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["TICKS_PER_SECOND", "MediaWriter", "media_pts", "writing_media"]

TICKS_PER_SECOND: Final = 90_000
"""Units of the stamps in a media file."""

_NANOSECONDS: Final = 1_000_000_000
_TICK: Final = Fraction(1, TICKS_PER_SECOND)
# As large and as near to the original (SSIM) as veryfast at crf 20, in 0.57 of its time: a plain
# search for motion, but all that takes the blocks out of skin and walls.
_ENCODER_OPTIONS: Final = {
    "preset": "ultrafast",
    "x264-params": "cabac=1:8x8dct=1:subme=1:aq-mode=1:deblock=0,0",
    "crf": "23",
    "bf": "0",  # a reordered frame would need an edit list, which browsers count differently
    "g": "9999",  # keyframes are placed by time, in `MediaWriter.write`
    "sc_threshold": "0",
    "forced-idr": "1",
}
_MUXER_OPTIONS: Final = {"movflags": "+faststart", "video_track_timescale": str(TICKS_PER_SECOND)}
_BT601: Final = 5
"""SWS_CS_ITU601, the matrix that the encoder's file is then said to have."""
_LIMITED_RANGE: Final = 1
_FULL_RANGE: Final = 2


def media_pts(host_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Stamps (T,) in 1/90000 s of frames that arrived at `host_ns` (T,); the first is 0.

    Two frames within one tick (11 microseconds) are set one tick apart, since no player could
    tell them apart otherwise.

    Raises:
        InvalidArray: There are no frames, or times go backwards.
    """
    if not len(host_ns) or (np.diff(host_ns) < 0).any():
        message = "media: needs at least one frame, and arrival times that never go backwards"
        raise InvalidArray(message)
    pts = np.rint((host_ns - host_ns[0]) * (TICKS_PER_SECOND / _NANOSECONDS)).astype(np.int64)
    steps = np.arange(len(pts))
    return np.maximum.accumulate(pts - steps) + steps


@contextmanager
def writing_media(
    path: Path,
    *,
    session: str,
    host_ns: NDArray[np.int64],
    size: tuple[int, int],
    sound_from: Path | None,
    session_sha256: str,
) -> Iterator[MediaWriter]:
    """Hands out a writer; when the block ends well, `path` and the table beside it are there.

    Args:
        path: media/<session>.mp4; the table is the same name with .json.
        session: The session's id.
        host_ns: (T,), arrival of the frames; as many must be written.
        size: Width and height of the upright frames; odd ones lose their last column or row.
        sound_from: The session's color.mkv where it holds sound, else None.
        session_sha256: Hash of what the media is made from (`Session.sha256`).

    Raises:
        InvalidArray: Times go backwards, or fewer or more frames were written than there are times.
        InvalidFile: What was written does not read back as it should.
    """
    pts = media_pts(host_ns)
    with replacing(path) as part:
        writer = MediaWriter(part, pts, size=size, sound_from=sound_from)
        try:
            yield writer
        finally:
            writer.close()
        _require_exact(part, pts, writer)
        table = _table(session, pts, writer, session_sha256, sha256_of(part))
        require_valid(table, "media", path.with_suffix(".json"))
    write_json(path.with_suffix(".json"), table)


class MediaWriter:
    """Encodes the frames of one session, one thread; made by `writing_media`."""

    def __init__(
        self,
        part: Path,
        pts: NDArray[np.int64],
        *,
        size: tuple[int, int],
        sound_from: Path | None,
    ) -> None:
        """Opens the file; `size` is (W, H) of the frames that will come."""
        av = require("av", "preprocess")
        self._av = av
        self._pts: list[int] = pts.tolist()
        self.width, self.height = _even(size[0]), _even(size[1])
        self.frames_written = 0
        self._last_key: int | None = None
        self._container = av.open(str(part), "w", format="mp4", options=_MUXER_OPTIONS)
        self._stream = self._open_picture()
        self._sound = sound_packets(self._container, sound_from) if sound_from else iter(())
        self._next_sound = next(self._sound, None)
        self.has_sound = self._next_sound is not None
        self._converter = av.video.reformatter.VideoReformatter()

    def write(self, frame: ColorFrame | NDArray[np.uint8]) -> None:
        """Adds the next frame: one of `read_video`, or RGB (H, W, 3)."""
        if self.frames_written == len(self._pts):
            message = f"media: more frames than the {len(self._pts)} times of the session"
            raise InvalidArray(message)
        native = self._fitting(frame)
        pts = self._pts[self.frames_written]
        native.pts, native.time_base = pts, _TICK
        native.pict_type = self._picture_type(pts)
        if self.frames_written == 0:
            self._copy_color_tags(native)
        self._write_sound(until=pts * _TICK)
        self._mux(self._stream.encode(native))
        self.frames_written += 1

    def close(self) -> None:
        """Writes what the encoders still hold, and the index."""
        try:
            if self.frames_written:
                self._mux(self._stream.encode(None))
                self._write_sound(until=None)
        finally:
            self._sound = iter(())
            self._container.close()

    def _open_picture(self) -> Any:
        stream = self._container.add_stream("libx264", rate=30, options=_ENCODER_OPTIONS)
        encoder = stream.codec_context
        encoder.width, encoder.height, encoder.pix_fmt = self.width, self.height, "yuv420p"
        encoder.time_base = stream.time_base = _TICK
        encoder.thread_count = 1
        return stream

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
        return frame.rotation_degrees == 0 and coded == (self.width, self.height)

    def _from_rgb(self, pixels: NDArray[np.uint8]) -> Any:
        height, width = min(self.height, pixels.shape[0]), min(self.width, pixels.shape[1])
        missing = ((0, self.height - height), (0, self.width - width), (0, 0))
        fitting = np.pad(pixels[:height, :width], missing, mode="edge")
        native = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(fitting), format="rgb24")
        return self._converter.reformat(native, format="yuv420p", dst_colorspace=_BT601, threads=1)

    def _picture_type(self, pts: int) -> int:
        """A keyframe where the next one would come more than a second after the last."""
        types = self._av.video.frame.PictureType
        following = self.frames_written + 1
        soon = self._pts[following] if following < len(self._pts) else pts
        if self._last_key is None or soon - self._last_key > TICKS_PER_SECOND:
            self._last_key = pts
            return int(types.I)
        return int(types.NONE)

    def _copy_color_tags(self, native: Any) -> None:
        encoder = self._stream.codec_context
        encoder.colorspace = native.colorspace
        encoder.color_range = _LIMITED_RANGE
        encoder.color_primaries = native.color_primaries
        encoder.color_trc = native.color_trc

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            packet.duration = self._duration(packet.pts)
            self._container.mux_one(packet)

    def _duration(self, pts: int) -> int:
        """Ticks until the next frame; the last frame lasts as long as the one before it."""
        index = int(np.searchsorted(self._pts, pts))
        index = min(index, len(self._pts) - 2)
        return self._pts[index + 1] - self._pts[index] if index >= 0 else TICKS_PER_SECOND // 30

    def _write_sound(self, until: Fraction | None) -> None:
        """Muxes the sound that belongs before `until` seconds; all of it where None."""
        while self._next_sound is not None:
            packet = self._next_sound
            if until is not None and packet.pts * packet.time_base > until:
                return
            self._container.mux_one(packet)
            self._next_sound = next(self._sound, None)


def _even(length: int) -> int:
    """The largest even number that is not above `length`, and at least 2."""
    return max(2, length - length % 2)


def _require_exact(part: Path, pts: NDArray[np.int64], writer: MediaWriter) -> None:
    """Reads the stamps back and compares them one by one."""
    if writer.frames_written != len(pts):
        message = f"media: {writer.frames_written} frames were written for {len(pts)} times"
        raise InvalidArray(message)
    with open_video(part) as container:
        stream = picture_stream(container, part)
        if stream.time_base != _TICK:
            message = f"{part}: stamps in units of {stream.time_base} s instead of {_TICK} s"
            raise InvalidFile(message)
        packets = [packet for packet in container.demux(stream) if packet.size]
        found = [packet.pts for packet in packets]
        keys = [packet.pts for packet in packets if packet.is_keyframe]
    if found != pts.tolist():
        message = f"{part}: stamps do not read back as written ({len(found)} of {len(pts)} frames)"
        raise InvalidFile(message)
    _require_keyframes(part, keys, found)


def _require_keyframes(part: Path, keys: list[int], pts: list[int]) -> None:
    """A keyframe at least each second, but where frames themselves are further apart."""
    longest_step = max((after - before for before, after in pairwise(pts)), default=0)
    allowed = max(TICKS_PER_SECOND, longest_step)
    widest = max((after - before for before, after in pairwise(keys)), default=0)
    if not keys or keys[0] != pts[0] or widest > allowed:
        message = f"{part}: keyframes are up to {widest / TICKS_PER_SECOND:.2f} s apart"
        raise InvalidFile(message)


def _table(
    session: str,
    pts: NDArray[np.int64],
    writer: MediaWriter,
    session_sha256: str,
    video_sha256: str,
) -> dict[str, Any]:
    return {
        "format": "mavfer.media",
        "version": 1,
        "session": session,
        "frames": len(pts),
        "width": writer.width,
        "height": writer.height,
        "time_base": [1, TICKS_PER_SECOND],
        "pts": pts.tolist(),
        "has_audio": writer.has_sound,
        "video_sha256": video_sha256,
        "session_sha256": session_sha256,
        "versions": software_versions("av"),
    }
