"""Images as they come off a GigE Vision link: fresh memory for each, and what the link lost."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import DeviceError
from recording.gige.aravis import device_errors, load_aravis

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Block", "GigeStream"]

_US_PER_SECOND: Final = 1_000_000
_SOCKET_BYTES: Final = 16 << 20
"""Packets that may wait for Aravis's thread. Linux grants no more than net.core.rmem_max, 208 KiB
unless raised; Aravis by itself asks for one image, which a busy machine overruns."""

_STATISTICS: Final = (
    "completed_buffers",
    "failures",
    "underruns",
    "timeouts",
    "missing_frames",
    "size_mismatch_errors",
    "received_packets",
    "missing_packets",
    "error_packets",
    "resend_requests",
    "resent_packets",
    "duplicated_packets",
)
"""What Aravis counts and we keep; it puts "n_" before each. Missing packets are those after the
first gap of an incomplete image, so rather too many than too few."""


@dataclass(frozen=True)
class Block:
    """One image's worth of packets."""

    block_id: int
    data: NDArray[np.uint8]
    """uint8 (bytes,), its own; what did not arrive is 0."""
    is_complete: bool
    stamp_ns: int
    """The camera's stamp."""
    realtime_ns: int
    """Wall clock when the first packet was taken from the socket."""
    geometry: tuple[int, int, int] | None
    """The standard's number of the pixel format, width and height; None where it is not complete,
    because Aravis then keeps them to itself."""


class GigeStream:
    """Packets of a camera put together into images by a thread of Aravis.

    Each image gets memory of its own that was zero before, so that it can be handed on without a
    copy, and so that a missing packet leaves zeros instead of an older image's pixels.
    """

    def __init__(self, camera: Any, frame_bytes: int, buffers: int) -> None:
        """Begins to listen.

        Args:
            camera: An `Aravis.Camera` under control.
            frame_bytes: Bytes of one image as the camera states them.
            buffers: Images that may wait to be read.

        Raises:
            DeviceError: The camera has no stream to give.
        """
        self._aravis = load_aravis()
        self._frame_bytes = frame_bytes
        self._memory: dict[Any, NDArray[np.uint8]] = {}
        with device_errors("the stream", "Check that no other program uses the camera"):
            self._stream = camera.create_stream(None, None)
        if self._stream is None:
            raise DeviceError("the camera gives no stream. Switch it off and on again")
        self._stream.set_property("socket-buffer", self._aravis.GvStreamSocketBuffer.FIXED)
        self._stream.set_property("socket-buffer-size", _SOCKET_BYTES)
        self._heard_at = time.monotonic()
        self._statistics = self.statistics()
        for _ in range(buffers):
            self._push()

    def pop(self, timeout_seconds: float) -> Block | None:
        """The next image, whole or not; None when none came in time, or one without its head.

        An image whose first packet was lost has no number, stamp or size: it is not given, and is
        missing in the row of block ids.
        """
        buffer = self._stream.timeout_pop_buffer(max(0, round(timeout_seconds * _US_PER_SECOND)))
        if buffer is None:
            return None
        self._heard_at = time.monotonic()
        data = self._memory.pop(buffer)
        self._push()
        if buffer.get_payload_type() == self._aravis.BufferPayloadType.UNKNOWN:
            return None
        is_complete = buffer.get_status() == self._aravis.BufferStatus.SUCCESS
        return Block(
            block_id=buffer.get_frame_id(),
            data=data,
            is_complete=is_complete,
            stamp_ns=buffer.get_timestamp(),
            realtime_ns=buffer.get_system_timestamp(),
            geometry=_geometry_of(buffer) if is_complete else None,
        )

    def underruns(self) -> int:
        """How often a packet came and no memory was free, because nobody read."""
        return int(self._stream.get_info_uint64_by_name("n_underruns"))

    def silent_seconds(self) -> float:
        """How long ago anything came that might be an image, or the stream began."""
        return time.monotonic() - self._heard_at

    def statistics(self) -> dict[str, int]:
        """What the link did since the stream began, as Aravis counts it; kept after `close`."""
        if self._stream is not None:
            read = self._stream.get_info_uint64_by_name
            self._statistics = {name: int(read(f"n_{name}")) for name in _STATISTICS}
        return dict(self._statistics)

    def close(self) -> None:
        """Ends listening; only then may the memory of images that never came be given back."""
        if self._stream is not None:
            self.statistics()
            self._stream = None  # with the last reference Aravis ends the thread that fills memory
            self._memory.clear()

    def _push(self) -> None:
        """Gives Aravis memory for one more image.

        The buffer object is new too: Aravis leaves an old one's number and stamp in place when an
        image's first packet is lost.
        """
        memory = np.zeros(self._frame_bytes, np.uint8)
        buffer = self._aravis.Buffer.new(self._frame_bytes, memory.ctypes.data)
        self._memory[buffer] = memory
        self._stream.push_buffer(buffer)


def _geometry_of(buffer: Any) -> tuple[int, int, int]:
    size = (buffer.get_image_width(), buffer.get_image_height())
    return (buffer.get_image_pixel_format(), *size)
