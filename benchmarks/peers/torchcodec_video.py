"""Video: color as H.264 read by torchcodec, depth and thermal as FFV1 read by PyAV.

torchcodec as its authors advise for random clips: seek mode "approximate" and one thread, since the
workers fill the cores. Each worker keeps a decoder a file, a fifth faster here than a decoder a
clip. FFV1 is the lossless codec for 16 bits that FFmpeg has; its frames stand alone, so a clip can
be sought to, and files stay open as well. Color is not what was recorded.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from mavfer.streams import STREAM_NAMES
from peers.ours import LENGTH

__all__ = ["SYSTEM_PACKAGE", "Clips", "ColorReader", "write"]

SYSTEM_PACKAGE = "ffmpeg"
"""Debian package with the libraries that torchcodec loads."""

_RATE_HZ = 30
_H264 = {"crf": "18", "g": "30", "preset": "medium", "threads": "1"}
_FFV1 = {"level": "3", "g": "1", "threads": "1"}


def write(recordings, folder: Path) -> dict[str, int]:
    """A file a stream; bytes of each session."""
    folder.mkdir()
    sizes = {}
    for recording in recordings:
        written = [_write_stream(recording, name, folder) for name in STREAM_NAMES]
        sizes[recording.session] = sum(path.stat().st_size for path in written)
    return sizes


def _path(folder: Path, session: str, name: str) -> Path:
    return folder / f"{session}.{name}.{'mp4' if name == 'color' else 'mkv'}"


def _write_stream(recording, name: str, folder: Path) -> Path:
    import av

    path = _path(folder, recording.session, name)
    is_color = name == "color"
    with av.open(str(path), "w") as file:
        codec, options = ("libx264", _H264) if is_color else ("ffv1", _FFV1)
        stream = file.add_stream(codec, rate=_RATE_HZ, options=options)
        stream.height, stream.width = recording.crop_size
        stream.pix_fmt = "yuv420p" if is_color else "gray16le"
        for number, pixels in enumerate(recording.stream(name)[:]):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24" if is_color else "gray16le")
            frame.pts, frame.time_base = number, Fraction(1, _RATE_HZ)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


class ColorReader:
    """One clip's color frames at a time, no loader."""

    def __init__(self, folder: Path, places: list[tuple[str, int]]):
        self._folder, self._places = folder, places
        self._decoders = {}

    def read(self, number: int):
        """uint8 tensor (T, H, W, 3)."""
        session, first = self._places[number % len(self._places)]
        if session not in self._decoders:
            self._decoders[session] = self._decoder(session)
        return self._decoders[session].get_frames_in_range(first, first + LENGTH).data

    def _decoder(self, session):
        from torchcodec.decoders import VideoDecoder

        path = _path(self._folder, session, "color")
        return VideoDecoder(
            path, dimension_order="NHWC", num_ffmpeg_threads=1, seek_mode="approximate"
        )


class Clips:
    """Map-style: clip n, all three streams."""

    def __init__(self, folder: Path, places: list[tuple[str, int]]):
        self._folder, self._places = folder, places
        self._color = ColorReader(folder, places)
        self._open = {}

    def __len__(self):
        return len(self._places)

    def __getitem__(self, number):
        session, first = self._places[number]
        return {
            "color": self._color.read(number),
            "depth": self._frames(session, "depth", first),
            "thermal": self._frames(session, "thermal", first),
        }

    def _frames(self, session, name, first):
        import av

        path = _path(self._folder, session, name)
        if path not in self._open:
            self._open[path] = av.open(str(path))
            self._open[path].streams.video[0].thread_count = 1
        file = self._open[path]
        stream = file.streams.video[0]
        file.seek(round(first / _RATE_HZ / stream.time_base), stream=stream)
        frames = None
        done = 0
        for frame in file.decode(stream):
            if round(frame.pts * stream.time_base * _RATE_HZ) < first:
                continue
            if frames is None:
                frames = np.empty((LENGTH, frame.height, frame.width), np.uint16)
            frames[done] = frame.to_ndarray()
            done += 1
            if done == LENGTH:
                return frames
        raise EOFError(path)
