"""A GigE Vision camera made of software, in a process of its own: Aravis's, with our pictures.

It speaks real GVCP and GVSP over UDP at 127.0.0.1, so only one can live on a machine. Run as a
module it obeys the orders of `recording.simulated.serving_gige.GigeServer`, a line of JSON each.
"""

from __future__ import annotations

import ctypes
import json
import os
import struct
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from recording.simulated.serving_frames import Beginning, ServedFrames
from recording.simulated.serving_gige_features import FORMATS, REGISTERS, address_of, describe_ax5

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ADDRESS", "SERIAL", "FakeGigeCamera", "Picture", "PlayingCamera", "obey_orders"]

ADDRESS: Final = "127.0.0.1"
SERIAL: Final = "AX5-0001"

# Registers of Aravis's camera, read in its source.
_WIDTH, _HEIGHT, _FORMAT = 0x100, 0x104, 0x128
_EXPOSURE_US, _ACQUISITION, _PERIOD_US = 0x120, 0x124, 0x138
_TRIGGER_MODE, _TRIGGER_SOURCE, _TRIGGER_NOW = 0x300, 0x304, 0x30C
_SOFTWARE: Final = 1
_VENDOR, _MODEL, _NAME_BYTES = 0x48, 0x68, 32
_TICKS_HIGH, _TICKS_LOW, _PRIVILEGE = 0x93C, 0x940, 0xA00

_BLOCK_IDS: Final = 65_535
"""Block ids run from 1 to this, and then from 1 again."""
_TICKS: Final = 1 << 32
_TRIGGER_LOOKS_HZ: Final = 1000.0
"""How often Aravis looks whether it is triggered: a frame is late by so little."""
_SHORT_SECONDS: Final = 0.05
_SEND_SECONDS: Final = 0.25
"""How long a busy machine may take to send a frame."""
_NS_PER_SECOND: Final = 1_000_000_000

_FILL: Final = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint32
)


class Picture(NamedTuple):
    """What is sent as one frame."""

    counts: NDArray[np.uint16]
    """(H, W)."""
    block_id: int
    ticks: int
    """The camera's clock at the start of the exposure."""


class FakeGigeCamera(ABC):
    """Aravis's camera by ctypes: setting its picture through PyGObject has no effect."""

    def __init__(self) -> None:
        """Switches the camera on.

        Raises:
            OSError: The library is not installed, or another camera has the address.
        """
        self.lib = load_library()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "camera.xml"
            template = self.lib.arv_fake_camera_new(b"TEMPLATE")
            description = self.lib.arv_fake_camera_get_genicam_xml(template, None).decode()
            path.write_text(describe_ax5(description))
            names = (ADDRESS.encode(), SERIAL.encode(), str(path).encode())
            self.server = self.lib.arv_gv_fake_camera_new_full(*names)
        if not self.lib.arv_gv_fake_camera_is_running(self.server):
            message = f"another program has the address {ADDRESS}, port 3956"
            raise OSError(message)
        self.camera = self.lib.arv_gv_fake_camera_get_fake_camera(self.server)
        self.lib.arv_fake_camera_set_trigger_frequency(self.camera, _TRIGGER_LOOKS_HZ)
        self._fill = _FILL(self._draw)
        self.block_ids: list[int] = []
        """Of the frames that were sent, in order."""

    @abstractmethod
    def next_picture(self) -> Picture:
        """The picture that is sent now; called on Aravis's thread."""

    def set_up(
        self,
        *,
        size: tuple[int, int],
        rate_hz: float,
        exposure_us: int,
        ticks_hz: int,
        registers: dict[str, int | float] | None = None,
    ) -> None:
        """The state of a camera that was just switched on, by itself and at its own rate.

        Args:
            size: Width and height.
            rate_hz: Frames a second.
            exposure_us: What it says of its exposure.
            ticks_hz: Frequency of its clock.
            registers: Values of `REGISTERS` that are to be others.
        """
        self.block_ids = []
        for address, value in {
            _PRIVILEGE: 0,
            _ACQUISITION: 0,
            _FORMAT: FORMATS["Mono16"],
            _WIDTH: size[0],
            _HEIGHT: size[1],
            _PERIOD_US: round(1e6 / rate_hz),
            _EXPOSURE_US: exposure_us,
            _TRIGGER_MODE: 0,
            _TRIGGER_SOURCE: 0,
            _TICKS_HIGH: 0,
            _TICKS_LOW: ticks_hz,
        }.items():
            self.write(address, value)
        for name, setting in {**REGISTERS, **(registers or {})}.items():
            self.set_feature(name, setting)
        self.lib.arv_fake_camera_set_fill_pattern(self.camera, self._fill, None)

    def write(self, address: int, value: int) -> None:
        """Writes one of Aravis's registers."""
        self.lib.arv_fake_camera_write_register(self.camera, address, value)

    def read(self, address: int) -> int:
        """Reads a register."""
        value = ctypes.c_uint32()
        self.lib.arv_fake_camera_read_register(self.camera, address, ctypes.byref(value))
        return value.value

    def set_feature(self, name: str, value: float) -> None:
        """Sets one of the features that we added."""
        data = struct.pack(">f" if isinstance(value, float) else ">I", value)
        self.lib.arv_fake_camera_write_memory(self.camera, address_of(name), len(data), data)

    def feature(self, name: str) -> int:
        """Reads one of the features that we added and that are whole numbers."""
        return self.read(address_of(name))

    def set_names(self, vendor: str, model: str) -> None:
        """Sets who made the camera, and what it is called."""
        for address, name in ((_VENDOR, vendor), (_MODEL, model)):
            data = name.encode().ljust(_NAME_BYTES, b"\0")
            self.lib.arv_fake_camera_write_memory(self.camera, address, len(data), data)

    @property
    def is_exposing(self) -> bool:
        """Whether a program has asked for frames."""
        return bool(self.read(_ACQUISITION)) and bool(self.read(_PRIVILEGE))

    def stand_still(self, is_still: bool) -> None:
        """Sends nothing, or goes on; the camera answers all the same."""
        self.write(_TRIGGER_MODE, int(is_still))

    def wait_for_triggers(self) -> None:
        """Sends a frame at each `trigger`, and no others."""
        self.write(_TRIGGER_SOURCE, _SOFTWARE)
        self.stand_still(True)

    def trigger(self) -> None:
        """Asks for one frame, which is sent within a millisecond."""
        self.write(_TRIGGER_NOW, 1)

    def obey(self, order: dict[str, Any]) -> object:
        """Does what an order says; gives the answer."""
        return self.block_ids if "sent" in order else None

    def _draw(
        self, buffer: int, _data: object, _exposure: int, _gain: int, pixel_format: int
    ) -> None:
        """Fills the buffer that is about to be sent, and stamps it."""
        picture = self.next_picture()
        is_packed = pixel_format == FORMATS["Mono14p"]
        data = _packed_in_14_bits(picture.counts) if is_packed else picture.counts.tobytes()
        # The buffer is shorter than a picture where a program asked for a smaller one.
        room_bytes = self.lib.arv_fake_camera_get_payload(self.camera)
        pixels = self.lib.arv_buffer_get_data(buffer, None)
        ctypes.memmove(pixels, data, min(len(data), room_bytes))
        self.lib.arv_buffer_set_timestamp(buffer, picture.ticks % _TICKS)
        self.lib.arv_buffer_set_frame_id(buffer, picture.block_id)
        self.block_ids.append(picture.block_id)


class PlayingCamera(FakeGigeCamera):
    """A camera that sends a drawn take, each frame when it is due.

    Frame 0 of the take has block id 1. A frame that is due while nobody asks for frames is not
    sent, as no camera would.
    """

    ticks_hz: Final = 1_000_000

    def __init__(self) -> None:
        super().__init__()
        self._beginning = Beginning()
        self._due: Picture
        self._was_sent = threading.Event()
        self._take = threading.Event()
        """Set when the take that is played is over."""

    def next_picture(self) -> Picture:
        """The frame that is due."""
        self._was_sent.set()
        return self._due

    def play(self, frames: ServedFrames, beginning: Beginning) -> None:
        """Sets the camera up for a take, in the place of another, and plays it from its beginning.

        Args:
            frames: What to send.
            beginning: When the take begins.
        """
        self._take.set()
        self._take = threading.Event()
        exposure_us = int(frames.exposure_ns[0]) // 1000
        self.set_up(
            size=frames.size,
            rate_hz=frames.rate_hz,
            exposure_us=exposure_us,
            ticks_hz=self.ticks_hz,
        )
        self.set_names("", "simulated")  # by which a recorder knows that nobody sits there
        self.wait_for_triggers()
        playing = threading.Thread(
            target=self._play, args=(frames, beginning, self._take), name="play", daemon=True
        )
        playing.start()

    def obey(self, order: dict[str, Any]) -> object:
        """Plays the file that is named under "play"; "begin_ns" says when it begins."""
        if "play" in order:
            self._beginning = Beginning()
            self.play(ServedFrames.load(Path(order["play"])), self._beginning)
        if "begin_ns" in order:
            self._beginning.begin(order["begin_ns"])
        return super().obey(order)

    def _play(self, frames: ServedFrames, beginning: Beginning, is_over: threading.Event) -> None:
        begin_ns = None
        while begin_ns is None and not is_over.is_set():
            begin_ns = beginning.wait(_SHORT_SECONDS)
        for index, due_ns in enumerate(frames.due_ns.tolist()):
            wait_ns = (begin_ns or 0) + due_ns - time.monotonic_ns()
            if is_over.wait(max(wait_ns, 0) / _NS_PER_SECOND):
                return
            is_missed = -wait_ns * frames.rate_hz > _NS_PER_SECOND
            if self.is_exposing and not is_missed:
                self._send(self._picture(frames, index))

    def _picture(self, frames: ServedFrames, index: int) -> Picture:
        start_ns = int(frames.device_ns[index] - frames.exposure_ns[index] // 2)
        block_id = int(frames.frame_number[index]) % _BLOCK_IDS + 1
        ticks = start_ns * self.ticks_hz // _NS_PER_SECOND
        return Picture(frames.pixels[index], block_id, ticks)

    def _send(self, picture: Picture) -> None:
        """Sends a frame and waits until it is on its way, so that no trigger swallows another."""
        self._due = picture
        self._was_sent.clear()
        self.trigger()
        if not self._was_sent.wait(_SEND_SECONDS):
            self.write(_TRIGGER_NOW, 0)  # nobody listens yet, or any more


def obey_orders(kind: type[FakeGigeCamera]) -> None:
    """Switches a camera on, obeys until nobody gives orders any more, and ends the process."""
    try:
        camera = kind()
    except OSError as error:
        _say({"problem": str(error)})
        return
    _say({"problem": ""})
    for line in sys.stdin:
        _say(camera.obey(json.loads(line)))
    os._exit(0)  # Aravis's thread is still running


def _say(answer: object) -> None:
    print(json.dumps(answer), flush=True)


def load_library() -> Any:
    """Aravis's C library with the types of what we call."""
    lib = ctypes.CDLL("libaravis-0.8.so.0")
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32
    for name, result, arguments in (
        ("arv_fake_camera_new", pointer, [text]),
        ("arv_fake_camera_get_genicam_xml", text, [pointer, pointer]),
        ("arv_gv_fake_camera_new_full", pointer, [text, text, text]),
        ("arv_gv_fake_camera_is_running", ctypes.c_int, [pointer]),
        ("arv_gv_fake_camera_get_fake_camera", pointer, [pointer]),
        ("arv_fake_camera_get_payload", ctypes.c_size_t, [pointer]),
        ("arv_fake_camera_set_fill_pattern", None, [pointer, _FILL, pointer]),
        ("arv_fake_camera_set_trigger_frequency", None, [pointer, ctypes.c_double]),
        ("arv_fake_camera_write_register", ctypes.c_int, [pointer, number, number]),
        ("arv_fake_camera_read_register", ctypes.c_int, [pointer, number, pointer]),
        ("arv_fake_camera_write_memory", ctypes.c_int, [pointer, number, number, text]),
        ("arv_buffer_get_data", pointer, [pointer, pointer]),
        ("arv_buffer_set_frame_id", None, [pointer, ctypes.c_uint64]),
        ("arv_buffer_set_timestamp", None, [pointer, ctypes.c_uint64]),
    ):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


def _packed_in_14_bits(counts: NDArray[np.uint16]) -> bytes:
    """Bytes in which pixels of 14 bits follow each other, lowest bit first."""
    bits = (counts.reshape(-1, 1) >> np.arange(14)) & 1
    return np.packbits(bits.astype(np.uint8).reshape(-1), bitorder="little").tobytes()


if __name__ == "__main__":
    obey_orders(PlayingCamera)
