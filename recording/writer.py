"""Where frames go: one take's files, open for appending."""

from __future__ import annotations

import shutil
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from mavfer.errors import CommandError, DataError
from mavfer.study.color_writer import ColorWriter
from mavfer.study.counts_packer import counts_packer
from mavfer.study.picture_converter import PictureConverter
from mavfer.study.streams_file import (
    MARKERS,
    drop_row,
    event_row,
    stamp_row,
)
from mavfer.study.streams_writer import StreamsWriter
from recording.camera import ClockDomain
from recording.jpeg import JpegEncoder
from recording.syncing import DiskSync
from recording.unwritten import UnwrittenFrames

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from mavfer.streams import StreamName
    from mavfer.study.color_writer import ColorCodec
    from recording.camera import CameraInfo, Frame

__all__ = ["DiskNearlyFull", "TakeWriter", "prepare_to_write"]

_JPEGS: Final = ("jpeg95", "camera-jpeg")
"""Codecs whose frames are JPEGs."""


class DiskNearlyFull(DataError):
    """The disk has only the room left that ending the take needs."""


class TakeWriter:
    """Appends frames, drops, marks and events; safe to call from one thread a stream."""

    def __init__(
        self,
        folder: Path,
        session: str,
        cameras: Sequence[CameraInfo],
        *,
        codec: ColorCodec,
        reserve_bytes: int,
        moved_ns: int = 0,
        begins_ns: int | None = None,
    ) -> None:
        """Creates streams.h5 and color.mkv in `folder`.

        Args:
            folder: The session's folder.
            session: The session's id.
            cameras: What is known of the cameras; one of them gives color.
            codec: How color is written.
            reserve_bytes: Room that is left on the disk.
            moved_ns: What is added to all times of the host's clock.
            begins_ns: When the session's color began, if not with this take.

        Raises:
            CommandError: There is no such color codec, or the camera gives no JPEGs to keep.
            DiskNearlyFull: There is less room than that already.
            OSError: The disk is full or may not be written.
        """
        self._folder, self._reserve_bytes, self._moved_ns = folder, reserve_bytes, moved_ns
        self._require_room()
        color = next(camera for camera in cameras if camera.stream == "color")
        _require_jpegs(color, codec)
        self._keeps_jpegs = codec == "camera-jpeg"
        self._jpeg = JpegEncoder() if codec in _JPEGS else None
        shapes: dict[StreamName, tuple[int, int]] = {
            camera.stream: (camera.height, camera.width)
            for camera in cameras
            if camera.stream != "color"
        }
        self._color = ColorWriter(
            folder / "color.mkv",
            width=color.width,
            height=color.height,
            rate_hz=color.rate_hz,
            codec=codec,
            begins_ns=begins_ns,
        )
        details = {camera.stream: camera.detail_names for camera in cameras}
        self._streams = StreamsWriter(folder / "streams.h5", session, shapes, details)
        self._unwritten = UnwrittenFrames(folder)
        self._sync = DiskSync([folder / "color.mkv", folder / "streams.h5"])
        self._has_failed = False

    def append(self, stream: StreamName, frame: Frame) -> None:
        """Adds a frame and its stamps; pixels first, so that a stamp always has its pixels.

        Raises:
            DiskNearlyFull: The room that is to be left would be used; rows can still be added.
            OSError, RuntimeError: The disk is full, or the encoder or libhdf5 failed.
        """
        self._require_room()
        try:
            self._sync.require_kept()
            self._append(stream, frame)
        except Exception:
            self._has_failed = True
            raise

    def _append(self, stream: StreamName, frame: Frame) -> None:
        host_ns = frame.host_ns + self._moved_ns
        is_of_host = frame.domain != ClockDomain.DEVICE
        stamp = stamp_row(
            host_ns=host_ns,
            device_ns=frame.device_ns + (self._moved_ns if is_of_host else 0),
            domain=frame.domain,
            frame_number=frame.frame_number,
            exposure_ns=frame.exposure_ns,
            flags=frame.flags,
        )
        if stream == "color":
            self._append_color(frame, host_ns)
            self._streams.append_frame(stream, None, stamp, frame.details)
        else:
            counts = cast("NDArray[np.uint16]", frame.pixels)
            self._streams.append_frame(stream, counts, stamp, frame.details)

    def _append_color(self, frame: Frame, host_ns: int) -> None:
        pixels = cast("NDArray[np.uint8]", frame.pixels)
        if self._keeps_jpegs and frame.jpeg is not None:
            self._color.append_jpeg(frame.jpeg, host_ns)
        elif self._jpeg is not None:
            self._color.append_jpeg(self._jpeg.encode(pixels), host_ns)
        else:
            self._color.append(pixels, host_ns)

    def drop(self, stream: StreamName, frame_number: int, host_ns: int, cause: str) -> None:
        """Lists a frame that is missing; `cause` is a name in `DROP_CAUSES`.

        After a failure of the disk the list is kept aside, for the audit that mends the take.
        """
        row = drop_row(stream, frame_number, host_ns + self._moved_ns, cause)
        if self._has_failed:
            self._unwritten.add(row)
        else:
            self._streams.append_row("/drops", row)

    def mark(self, host_ns: int, label: str) -> None:
        """Adds a mark of a stimulus; a label of more than 64 bytes loses its end."""
        self._streams.append_row(
            "/markers", np.array((host_ns + self._moved_ns, label.encode()[:64]), MARKERS)
        )

    def event(
        self, host_ns: int, kind: str, text: str = "", stream: StreamName | None = None
    ) -> None:
        """Notes what else happened."""
        self._streams.append_row("/events", event_row(host_ns + self._moved_ns, kind, text, stream))

    def close(self) -> None:
        """Ends both files.

        Raises:
            OSError: The disk is full; what was flushed can be recovered by an audit.
        """
        try:
            self._color.close()
        finally:
            self._streams.close()
        self._sync.close()
        self._unwritten.close()

    def abandon(self) -> None:
        """Lets go of both files as they are, after a failure that `close` would only repeat."""
        with suppress(OSError):
            self._color.close()
        self._streams.abandon()
        self._sync.close()
        self._unwritten.close()

    def _require_room(self) -> None:
        free = shutil.disk_usage(self._folder).free
        if free < self._reserve_bytes:
            message = (
                f"{self._folder}: the disk has {free >> 20} MB left, "
                f"less than the {self._reserve_bytes >> 20} MB that ending a take may need"
            )
            raise DiskNearlyFull(message)


@cache
def prepare_to_write() -> None:
    """Loads what packs and converts frames, and compiles it where that was never done.

    To be called before cameras are opened: a camera that is open gives frames, which its driver
    loses while nobody takes them.

    Raises:
        MissingExtra: PyAV or simplejpeg is not installed.
    """
    counts_packer((8, 8))
    PictureConverter("yuv420p", 8, 8)
    JpegEncoder()


def _require_jpegs(color: CameraInfo, codec: ColorCodec) -> None:
    """Raises where the camera's own JPEGs are to be kept, and it gives none."""
    if codec == "camera-jpeg" and not color.gives_jpeg:
        message = (
            f"color codec {codec!r}: {color.model or 'the camera'} gives no JPEGs. "
            f'Ask a webcam for fourcc = "MJPG", or choose jpeg95'
        )
        raise CommandError(message)
