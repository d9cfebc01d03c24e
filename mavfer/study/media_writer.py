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
from mavfer.study.picture_encoder import (
    TICKS_PER_SECOND,
    PictureEncoder,
    even_size,
    set_up_encoder,
)
from mavfer.study.study import software_versions
from mavfer.study.video_reader import open_video, picture_stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from mavfer.study.picture_encoder import EncodedPicture
    from mavfer.study.video_reader import ColorFrame

__all__ = ["TICKS_PER_SECOND", "MediaWriter", "media_pts", "writing_media"]

_NANOSECONDS: Final = 1_000_000_000
_TICK: Final = Fraction(1, TICKS_PER_SECOND)
_MUXER_OPTIONS: Final = {"movflags": "+faststart", "video_track_timescale": str(TICKS_PER_SECOND)}


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
    """Puts the pictures and the sound of one session into a file; made by `writing_media`.

    Pictures come as frames, to be encoded here, or encoded already; each in the order of display.
    """

    def __init__(
        self,
        part: Path,
        pts: NDArray[np.int64],
        *,
        size: tuple[int, int],
        sound_from: Path | None,
    ) -> None:
        """Opens the file; `size` is (W, H) of the frames that will come."""
        self._av = require("av", "preprocess")
        self._pts: list[int] = pts.tolist()
        self.width, self.height = even_size(size)
        self.frames_written = 0
        self._muxed = 0
        self._encoder = PictureEncoder(size)
        self._container = self._av.open(str(part), "w", format="mp4", options=_MUXER_OPTIONS)
        self._stream = self._container.add_stream("libx264", rate=30)
        self._stream.time_base = _TICK
        self._sound = sound_packets(self._container, sound_from) if sound_from else iter(())
        self._next_sound = next(self._sound, None)
        self.has_sound = self._next_sound is not None

    def write(self, frame: ColorFrame | NDArray[np.uint8]) -> None:
        """Adds the next frame: one of `read_video`, or RGB (H, W, 3)."""
        self._require_room()
        pts = self._pts[self.frames_written]
        following = self._pts[min(self.frames_written + 1, len(self._pts) - 1)]
        ready = self._encoder.encode(frame, pts, following)
        if self.frames_written == 0:
            self.describe_pictures(self._encoder.color_tags)
        self.frames_written += 1
        for picture in ready:
            self._mux(picture)

    def describe_pictures(self, color_tags: tuple[int, int, int] | None) -> None:
        """Says what colors the pictures have, before the first of them; as `PictureEncoder` does.

        Raises:
            InvalidArray: Nothing is known of the colors, because there were no frames.
        """
        if color_tags is None:
            message = "media: there are no pictures"
            raise InvalidArray(message)
        set_up_encoder(self._stream.codec_context, (self.width, self.height), color_tags)

    def write_encoded(self, pictures: Iterable[EncodedPicture]) -> None:
        """Adds pictures that a `PictureEncoder` made of the next frames, for the same size."""
        for picture in pictures:
            self._require_room()
            self.frames_written += 1
            self._mux(picture)

    def close(self) -> None:
        """Writes what the encoders still hold, and the index."""
        try:
            if self.frames_written:
                for picture in self._encoder.finish():
                    self._mux(picture)
                self._write_sound(until=None)
        finally:
            self._sound = iter(())
            self._container.close()

    def _require_room(self) -> None:
        if self.frames_written == len(self._pts):
            message = f"media: more frames than the {len(self._pts)} times of the session"
            raise InvalidArray(message)

    def _mux(self, picture: EncodedPicture) -> None:
        self._write_sound(until=picture.pts * _TICK)
        packet = self._av.Packet(picture.block)
        packet.stream, packet.time_base = self._stream, _TICK
        packet.pts = packet.dts = picture.pts
        packet.is_keyframe = picture.is_key
        packet.duration = self._duration(self._muxed)
        self._muxed += 1
        self._container.mux_one(packet)

    def _duration(self, index: int) -> int:
        """Ticks until the next frame; the last frame lasts as long as the one before it."""
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
        packets = (packet for packet in container.demux(stream) if packet.size)
        stamps = [(packet.pts, packet.is_keyframe) for packet in packets]
    found = [pts for pts, _ in stamps]
    keys = [pts for pts, is_key in stamps if is_key]
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
