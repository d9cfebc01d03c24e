"""depth.mkv and thermal.mkv of an archived session: 16-bit counts as FFV1, bit for bit.

Every frame is a keyframe, so that any of them can be read alone. The container's stamps give the
order and nothing else: frame n stands at n times the same number of milliseconds.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import ChecksumMismatch, InvalidFile, require
from mavfer.study.checksum import crc32
from mavfer.study.video_reader import open_video, picture_stream

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["CODEC", "PIXEL_FORMAT", "CountsVideo", "CountsVideoWriter", "checksum_of"]

CODEC: Final = "ffv1"
PIXEL_FORMAT: Final = "gray16le"

_OPTIONS: Final = {"level": "3", "slices": "4", "slicecrc": "1", "g": "1"}
"""Version 3 of FFV1, four slices with a checksum each, every frame by itself."""
_MILLISECOND: Final = Fraction(1, 1000)
_REMEDY: Final = "Restore the session from a copy"
_REMEMBERED_FRAMES: Final = 4
"""Two readers that follow each other closely decode a frame once."""


def checksum_of(counts: NDArray[np.uint16]) -> int:
    """CRC-32 of a frame's counts, row after row, the low byte first."""
    return crc32(np.ascontiguousarray(counts, "<u2"))


class CountsVideoWriter:
    """Writes frames of 16-bit counts into a Matroska file, one thread."""

    def __init__(
        self, path: Path, *, height: int, width: int, milliseconds_a_frame: int, threads: int = 1
    ) -> None:
        """Creates the file.

        Args:
            path: Where; overwritten.
            height: Pixels.
            width: Pixels.
            milliseconds_a_frame: Distance of the stamps.
            threads: How many compress a frame's slices; the bytes do not depend on it.

        Raises:
            MissingExtra: PyAV is not installed.
            OSError: The file cannot be written.
        """
        self._av = require("av", "record")
        self._container = self._av.open(str(path), "w", format="matroska")
        rate = Fraction(1000, milliseconds_a_frame)
        self._stream = self._container.add_stream(CODEC, rate=rate, options=_OPTIONS)
        encoder = self._stream.codec_context
        encoder.width, encoder.height, encoder.pix_fmt = width, height, PIXEL_FORMAT
        encoder.thread_count, encoder.thread_type = threads, "SLICE"
        encoder.time_base = self._stream.time_base = _MILLISECOND
        self._step = milliseconds_a_frame
        self._frames = 0
        self._is_closed = False

    def append(self, counts: NDArray[np.uint16]) -> None:
        """Adds a frame (H, W).

        Raises:
            OSError: The disk is full, or the file cannot be written.
        """
        whole = np.ascontiguousarray(counts, "<u2")
        frame = self._av.VideoFrame.from_ndarray(whole, format=PIXEL_FORMAT)
        frame.pts, frame.time_base = self._frames * self._step, _MILLISECOND
        self._container.mux(self._stream.encode(frame))
        self._frames += 1

    def close(self) -> None:
        """Writes the index and the length; harmless when repeated.

        Raises:
            OSError: The disk is full.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()

    def __enter__(self) -> CountsVideoWriter:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            with suppress(OSError):  # a full disk says so once more
                self.close()


class CountsVideo:
    """Reads such a file: fast in order, and any frame at the price of a search.

    Every frame is held against its checksum, for FFV1's own only make a decoder grumble.
    """

    def __init__(
        self,
        path: Path,
        *,
        shape: tuple[int, int, int],
        milliseconds_a_frame: int,
        checksums: NDArray[np.uint32],
        threads: int = 1,
    ) -> None:
        """Opens the file.

        Args:
            path: The file.
            shape: (T, H, W) of all frames.
            milliseconds_a_frame: Distance of the stamps.
            checksums: (T,) `checksum_of` each frame.
            threads: How many decode a frame's slices.

        Raises:
            NotFound: There is no such file.
            InvalidFile: It is not a video.
            MissingExtra: PyAV is not installed.
        """
        self.path = path
        self.shape = shape
        """(T, H, W)."""
        self._step, self._checksums = milliseconds_a_frame, checksums
        self._container = open_video(path)
        self._stream = picture_stream(self._container, path)
        self._stream.codec_context.thread_count = threads
        self._stream.codec_context.thread_type = "SLICE"
        self._packets = self._container.demux(self._stream)
        self._next = 0
        self._remembered: OrderedDict[int, NDArray[np.uint16]] = OrderedDict()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, row: int) -> NDArray[np.uint16]:
        """Counts (H, W) of one frame.

        Raises:
            IndexError: There is no such frame.
            InvalidFile: It is missing in the file, or cannot be decoded.
            ChecksumMismatch: Its counts are not those that were recorded.
        """
        row = range(len(self))[row]
        if row not in self._remembered:
            self._remembered[row] = self._read(row)
            if len(self._remembered) > _REMEMBERED_FRAMES:
                self._remembered.popitem(last=False)
        return self._remembered[row]

    def close(self) -> None:
        """Lets go of the file."""
        self._packets = iter(())
        self._container.close()

    def _read(self, row: int) -> NDArray[np.uint16]:
        av = require("av", "preprocess")
        try:
            frames = self._packet(row).decode()
        except av.error.FFmpegError as error:
            message = f"{self.path}: frame {row} cannot be decoded ({error}). {_REMEDY}"
            raise InvalidFile(message) from error
        counts: NDArray[np.uint16] = frames[0].to_ndarray() if frames else np.empty(0, np.uint16)
        if counts.shape != self.shape[1:] or checksum_of(counts) != self._checksums[row]:
            message = f"{self.path}: frame {row} is not what was recorded. {_REMEDY}"
            raise ChecksumMismatch(message)
        return counts

    def _packet(self, row: int) -> Any:
        """The packet of a frame; the next one where frames are read in order."""
        wanted = row * self._step
        if row != self._next:
            self._container.seek(wanted, stream=self._stream)
            self._packets = self._container.demux(self._stream)
        self._next = -1  # until the packet is there, nobody knows where the file stands
        for packet in self._packets:
            if packet.size and packet.pts >= wanted:
                if packet.pts == wanted:
                    self._next = row + 1
                    return packet
                break
        message = f"{self.path}: frame {row} of {len(self)} is missing. {_REMEDY}"
        raise InvalidFile(message)
