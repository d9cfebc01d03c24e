"""Which cameras are connected, asked of each driver in a process of its own.

A driver that hangs or crashes ends with its process; the others are listed all the same.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final, Literal

from mavfer.errors import MavferError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from mavfer.streams import StreamName
    from recording.opencv.v4l2 import VideoDevice
    from recording.realsense.listing import DeviceDescription

__all__ = ["LIMIT_SECONDS", "DriverReport", "FoundCamera", "Mode", "probe_cameras"]

DriverName = Literal["realsense", "gige", "v4l2"]
State = Literal["ok", "missing", "failed", "late"]

LIMIT_SECONDS: Final = 30.0
"""A driver that has not answered by then does not; a slow bus takes a few seconds, and a busy
machine more."""
_COUNTS_FORMAT: Final = "Y16 "
_REALSENSE: Final = "realsense"


@dataclass(frozen=True)
class Mode:
    """One size that a camera offers."""

    stream: StreamName
    width: int
    height: int
    rates_hz: tuple[float, ...]
    fourcc: str = ""
    """Format by its four characters, of webcams."""


@dataclass(frozen=True)
class FoundCamera:
    """A connected camera."""

    driver: Literal["realsense", "gige", "uvc", "webcam"]
    name: str
    serial: str
    """Empty where it has none, or shares it: the two pictures of one webcam."""
    place: str
    """Address, path, or type of USB port."""
    streams: tuple[StreamName, ...]
    """What it can give."""
    modes: tuple[Mode, ...] = ()
    problem: str = ""
    """Why it could not be asked, or what is wrong with where it is plugged in; or empty."""


@dataclass(frozen=True)
class DriverReport:
    """What one driver said."""

    driver: DriverName
    state: State
    text: str = ""
    """Why there is no list, in one line; or empty."""
    cameras: tuple[FoundCamera, ...] = field(default=())

    def to_document(self) -> dict[str, Any]:
        """The report as JSON."""
        return asdict(self)


def probe_cameras(limit_seconds: float = LIMIT_SECONDS) -> list[DriverReport]:
    """What every driver says of the cameras that are connected; takes some seconds.

    Args:
        limit_seconds: How long all drivers may take, which are asked at the same time.
    """
    context = get_context("spawn")
    deadline = time.monotonic() + limit_seconds
    asked = []
    for driver in _ASK:
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_answer, args=(driver, theirs), daemon=True)
        process.start()
        theirs.close()
        asked.append((driver, process, ours))
    reports = []
    for driver, process, answer in asked:
        reports.append(_report(driver, answer, deadline, limit_seconds))
        process.kill()
        process.join()
        process.close()
        answer.close()
    return reports


def _report(
    driver: DriverName, answer: Connection[Any, Any], deadline: float, limit_seconds: float
) -> DriverReport:
    """What a driver's process answers in time."""
    if not answer.poll(max(0.0, deadline - time.monotonic())):
        limit = f"did not answer within {limit_seconds:g} s"
        text = f"{limit}. Ask again; if it is late then too, unplug its cameras"
        return DriverReport(driver, "late", text)
    try:
        report: DriverReport = answer.recv()
    except EOFError:
        text = "crashed while it looked for cameras. Check that its libraries fit each other"
        return DriverReport(driver, "failed", text)
    return report


def _answer(driver: DriverName, pipe: Connection[Any, Any]) -> None:
    """In a process of its own: asks one driver."""
    try:
        report = DriverReport(driver, "ok", cameras=tuple(_ASK[driver]()))
    except MissingExtra as error:
        report = DriverReport(driver, "missing", str(error))
    except (MavferError, OSError, RuntimeError) as error:  # what drivers raise of their own
        report = DriverReport(driver, "failed", " ".join(str(error).split()))
    pipe.send(report)
    pipe.close()


def _realsense() -> list[FoundCamera]:
    from recording.realsense.listing import connected_devices

    return [_found_realsense(device) for device in connected_devices()]


def _found_realsense(device: DeviceDescription) -> FoundCamera:
    modes = [
        Mode(stream, width, height, tuple(sorted(rates, reverse=True)))
        for stream in ("color", "depth")
        for width, height, rates in device.streams.get(stream, ())
    ]
    is_slow = device.usb.startswith("2")
    return FoundCamera(
        driver="realsense",
        name=device.name,
        serial=device.serial,
        place=f"USB {device.usb}".strip(),
        streams=tuple(dict.fromkeys(mode.stream for mode in modes)),
        modes=tuple(modes),
        problem="plugged into a USB 2 port, too slow for most sizes: use USB 3" if is_slow else "",
    )


def _gige() -> list[FoundCamera]:
    from recording.gige.aravis import find_gige_cameras

    return [
        FoundCamera(
            driver="gige",
            name=f"{camera.vendor} {camera.model}".strip(),
            serial=camera.serial,
            place=camera.address,
            streams=("thermal",),
        )
        for camera in find_gige_cameras()
    ]


def _v4l2() -> list[FoundCamera]:
    from recording.opencv.v4l2 import list_devices

    devices = list_devices()
    serials = Counter(device.serial for device in devices)
    return [
        _found_video(device if serials[device.serial] == 1 else replace(device, serial=""))
        for device in devices
        if _REALSENSE not in device.name.lower()  # its own driver gives it
    ]


def _found_video(device: VideoDevice) -> FoundCamera:
    counts = [mode for mode in device.modes if mode.fourcc == _COUNTS_FORMAT]
    stream: StreamName = "thermal" if counts else "color"
    modes = tuple(
        Mode(stream, mode.width, mode.height, mode.rates_hz, mode.fourcc)
        for mode in counts or device.modes
    )
    return FoundCamera(
        driver="uvc" if counts else "webcam",
        name=device.name,
        serial=device.serial,
        place=device.path,
        streams=(stream,),
        modes=modes,
        problem=device.problem,
    )


_ASK: Final[dict[DriverName, Callable[[], list[FoundCamera]]]] = {
    "realsense": _realsense,
    "gige": _gige,
    "v4l2": _v4l2,
}
