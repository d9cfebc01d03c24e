"""Video devices of Linux: which are connected, and what their driver says beyond what OpenCV tells.

Structures and requests are those of <linux/videodev2.h> [read]; nothing here starts or stops a
stream, so that a device can be asked while it is recorded.
"""

from __future__ import annotations

import os
import struct
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mavfer.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "BufferNote",
    "BufferNotes",
    "VideoDevice",
    "VideoMode",
    "describe_device",
    "descriptors_of",
    "find_device",
    "list_devices",
]

_SYSFS: Final = Path("/sys/class/video4linux")
_CAPTURE: Final = 1
"""Capability of a device that gives video, and the type of its buffers."""
_DISCRETE: Final = 1
_DAMAGED: Final = 0x40
_CAPABILITY: Final = struct.Struct("=16s32s32s3I12x")
_FORMAT: Final = struct.Struct("=3I32s2I12x")
_SIZE: Final = struct.Struct("=9I8x")
_INTERVAL: Final = struct.Struct("=11I8x")
_BUFFER: Final = struct.Struct("@5I2l2I4B4s2IL2Ii0L")
"""Native sizes and gaps: the kernel's structure depends on the machine's words."""


def _request(directions: int, number: int, layout: struct.Struct) -> int:
    """The number of a request, as the macros _IOR (2) and _IOWR (3) make it."""
    return directions << 30 | layout.size << 16 | ord("V") << 8 | number


_QUERYCAP: Final = _request(2, 0, _CAPABILITY)
_ENUM_FMT: Final = _request(3, 2, _FORMAT)
_QUERYBUF: Final = _request(3, 9, _BUFFER)
_ENUM_FRAMESIZES: Final = _request(3, 74, _SIZE)
_ENUM_FRAMEINTERVALS: Final = _request(3, 75, _INTERVAL)


@dataclass(frozen=True)
class VideoMode:
    """One size of one format that a device offers."""

    fourcc: str
    """Format by its four characters: "Y16 ", "MJPG", "YUYV"."""
    width: int
    height: int
    """The largest, where a device takes any size."""
    rates_hz: tuple[float, ...]
    """Frames a second, fastest first; the fastest alone, where a device takes any rate."""


@dataclass(frozen=True)
class VideoDevice:
    """A connected device that gives video."""

    path: str
    """For example "/dev/video0"; another one after it was unplugged."""
    name: str
    """What the maker calls it."""
    bus: str
    """Where it is plugged in."""
    serial: str = ""
    """Serial number of the USB device; empty where it has none."""
    modes: tuple[VideoMode, ...] = ()
    """Formats, sizes and rates; empty where it cannot be asked."""
    problem: str = ""
    """Why it cannot be asked, or empty."""


@dataclass(frozen=True)
class BufferNote:
    """What the driver noted on the buffer of one frame."""

    sequence: int
    """Number of the frame; frames that the driver lost are counted."""
    is_damaged: bool
    """The driver missed part of the pixels."""


def list_devices(folder: Path = _SYSFS) -> list[VideoDevice]:
    """The devices that give video, by number; the kernel lists them in `folder`."""
    paths = [f"/dev/{entry.name}" for entry in sorted(folder.glob("video*"), key=_number)]
    devices = [describe_device(path, folder) for path in paths]
    return [device for device in devices if device is not None]


def find_device(wanted: str, folder: Path = _SYSFS) -> VideoDevice:
    """The one connected device that `wanted` names: a serial number, or part of its name.

    Raises:
        DeviceError: None is so called, or several are.
    """
    devices = list_devices(folder)
    found = [device for device in devices if device.serial and device.serial == wanted]
    found = found or [device for device in devices if wanted.lower() in device.name.lower()]
    if len(found) == 1:
        return found[0]
    listed = "; ".join(f"{d.path} {d.name} {d.serial}".strip() for d in found or devices)
    if found:
        message = f"several video devices are called {wanted!r}: {listed}. Give serial or path"
    else:
        message = f"no video device is called {wanted!r}; connected: {listed or 'none'}"
    raise DeviceError(message)


def describe_device(path: str, folder: Path = _SYSFS) -> VideoDevice | None:
    """What a device says of itself; None where it gives no video (most cameras have such a twin).

    A device that may not be opened is given with the reason.
    """
    entry = folder / Path(path).name
    try:
        with _opened(path) as descriptor:
            capability = _ask(descriptor, _QUERYCAP, _CAPABILITY, *(b"",) * 3, 0, 0, 0)
            _, card, bus, _, _, capabilities = capability
            if not capabilities & _CAPTURE:
                return None
            modes = tuple(_modes(descriptor))
            return VideoDevice(path, _text(card), _text(bus), _serial(entry), modes)
    except OSError as error:
        reason = "you may not open it: join the group video" if error.errno == 13 else str(error)  # noqa: PLR2004 (EACCES)
        name = (entry / "name").read_text().strip() if (entry / "name").is_file() else ""
        return VideoDevice(path, name, "", _serial(entry), problem=reason)


def descriptors_of(path: str) -> set[int]:
    """This process's descriptors of a device, whoever opened them; empty off Linux."""
    found = set()
    with suppress(OSError):
        for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 (names of numbers, no files)
            with suppress(OSError):  # closed meanwhile, by another thread
                if os.readlink(f"/proc/self/fd/{name}") == path:  # noqa: PTH115 (same)
                    found.add(int(name))
    return found


class BufferNotes:
    """The driver's notes on frames that another library dequeues, read through its descriptor."""

    def __init__(self, descriptor: int) -> None:
        """Takes the descriptor through which the frames are dequeued; it is not closed here."""
        self._descriptor = descriptor

    def of(self, stamp_us: int) -> BufferNote | None:
        """The note on the frame with this stamp, microseconds; None where no buffer has it.

        Holds for the frame that was dequeued last, until the next is asked for.
        """
        index = 0
        while (buffer := self._buffer(index)) is not None:
            flags, seconds, microseconds, sequence = buffer
            if seconds * 1_000_000 + microseconds == stamp_us:
                return BufferNote(sequence, bool(flags & _DAMAGED))
            index += 1
        return None

    def _buffer(self, index: int) -> tuple[int, int, int, int] | None:
        """Flags, seconds, microseconds and sequence of a buffer; None where there is none."""
        blank = (index, _CAPTURE, *(0,) * 11, b"", *(0,) * 6)
        try:
            fields = _ask(self._descriptor, _QUERYBUF, _BUFFER, *blank)
        except OSError:
            return None
        return fields[3], fields[5], fields[6], fields[14]


@contextmanager
def _opened(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NONBLOCK", 0))
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _ask(descriptor: int, request: int, layout: struct.Struct, *fields: int | bytes) -> tuple:  # type: ignore[type-arg]  # fields of C structures
    """The structure that the driver makes of `fields`; OSError where it refuses."""
    import fcntl  # not there on Windows

    block = bytearray(layout.pack(*fields))
    fcntl.ioctl(descriptor, request, block)
    return layout.unpack(block)


def _modes(descriptor: int) -> Iterator[VideoMode]:
    for _, _, _, _, pixel_format, _ in _enumerated(
        descriptor, _ENUM_FMT, _FORMAT, (_CAPTURE, 0, b"", 0, 0)
    ):
        blank = (pixel_format, *(0,) * 7)
        for size in _enumerated(descriptor, _ENUM_FRAMESIZES, _SIZE, blank):
            is_discrete = size[2] == _DISCRETE
            width, height = (size[3], size[4]) if is_discrete else (size[4], size[7])
            fourcc = pixel_format.to_bytes(4, "little").decode("latin-1")
            rates = tuple(sorted(_rates(descriptor, pixel_format, width, height), reverse=True))
            yield VideoMode(fourcc, width, height, rates)


def _rates(descriptor: int, pixel_format: int, width: int, height: int) -> Iterator[float]:
    blank = (pixel_format, width, height, *(0,) * 7)
    for interval in _enumerated(descriptor, _ENUM_FRAMEINTERVALS, _INTERVAL, blank):
        numerator, denominator = interval[5], interval[6]  # of the shortest, where any will do
        if numerator:
            yield denominator / numerator


def _enumerated(
    descriptor: int, request: int, layout: struct.Struct, blank: tuple[int | bytes, ...]
) -> Iterator[tuple]:  # type: ignore[type-arg]  # fields of C structures
    """What the driver gives for index 0, 1, 2 and so on, until it refuses."""
    index = 0
    with suppress(OSError):
        while True:
            yield _ask(descriptor, request, layout, index, *blank)
            index += 1


def _serial(entry: Path) -> str:
    """Serial number of the USB device that a device's interface belongs to."""
    path = (entry / "device").resolve().parent / "serial"
    return path.read_text().strip() if path.is_file() else ""


def _number(entry: Path) -> int:
    digits = entry.name.removeprefix("video")
    return int(digits) if digits.isdigit() else sys.maxsize


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")
