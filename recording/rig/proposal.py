"""A first rig's file for the cameras that were found, with comments for whoever goes on with it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import AlreadyThere, DeviceError
from recording.radiometry import NAMED
from recording.rig.description import FACTORY, parse_rig

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mavfer.streams import StreamName
    from recording.rig.probing import DriverReport, FoundCamera, Mode

__all__ = ["choose_cameras", "propose_rig", "write_rig"]

_PREFERRED: Final[dict[StreamName, tuple[str, ...]]] = {
    "color": ("realsense", "webcam"),
    "depth": ("realsense",),
    "thermal": ("gige", "uvc"),
}
"""Drivers of each stream, the best first."""

_WANTED_RATE_HZ: Final = 30.0
_WANTED_PIXELS: Final[dict[StreamName, int]] = {"color": 1280 * 720, "depth": 1280 * 720}
"""Enough for a face at arm's length; more costs bandwidth and disk."""
_AWKWARD: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_FORMATS: Final = ("MJPG", "YUYV", "NV12")


def choose_cameras(reports: Iterable[DriverReport]) -> dict[StreamName, FoundCamera]:
    """The camera of each stream, as far as there are any."""
    found = [camera for report in reports for camera in report.cameras]
    chosen = {}
    for stream, drivers in _PREFERRED.items():
        able = [camera for camera in found if stream in camera.streams]
        able.sort(key=lambda camera: (drivers.index(camera.driver), bool(camera.problem)))
        if able:
            chosen[stream] = able[0]
    return chosen


def propose_rig(reports: Sequence[DriverReport], name: str) -> str:
    """The text of a first rig's file.

    Raises:
        DeviceError: No camera gives color, without which nothing is recorded.
    """
    chosen = choose_cameras(reports)
    if "color" not in chosen:
        raise DeviceError(
            "no camera that gives color is connected, so there is no rig to write. Plug in a "
            "RealSense or a webcam, then run mavfer rig probe again"
        )
    is_realsense = chosen.get("depth") is not None and chosen["depth"] == chosen["color"]
    lines = [
        "# A rig: cameras that are recorded together. docs/record.md explains it, docs/formats.md",
        "# lists all keys. Try it out once: mavfer rig selftest THIS_FILE",
        'format = "mavfer.rig"',
        "version = 1",
        f"name = {_quoted(_AWKWARD.sub('-', name))}",
        *_calibration_lines(is_realsense=is_realsense),
    ]
    for stream, camera in chosen.items():
        lines += ["", *_camera_lines(stream, camera)]
    lines += ["", *_others(reports, chosen), *_storage_lines()]
    return "\n".join(lines) + "\n"


def write_rig(path: Path, text: str) -> None:
    """Writes a first rig's file, which must make sense; never over another one.

    Raises:
        AlreadyThere: There is such a file.
    """
    content = text.encode()
    parse_rig(content, path)
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        raise AlreadyThere(
            f"{path}: exists already. Choose another name, or move it away"
        ) from error


def _calibration_lines(*, is_realsense: bool) -> Iterator[str]:
    if is_realsense:
        yield f"calibration = {_quoted(FACTORY)}   # what the RealSense knows of color and depth"
    else:
        yield "# Without a calibration depth and thermal cannot be placed on the face."
    yield '# calibration = "calibration/lab.json"   # a measured one'


def _camera_lines(stream: StreamName, camera: FoundCamera) -> Iterator[str]:
    yield f"[cameras.{stream}]"
    yield f"# {_one_line(camera.name)}, {camera.place}"
    if camera.problem:
        yield f"# {_one_line(camera.problem)}"
    for key, value in _entry(stream, camera).items():
        yield f"{key} = {_quoted(value)}"
    yield from _HINTS.get(camera.driver, ())


def _entry(stream: StreamName, camera: FoundCamera) -> dict[str, Any]:
    """What is certain of a camera, in the words of a rig's file."""
    entry: dict[str, Any] = {"driver": camera.driver}
    if camera.driver in ("uvc", "webcam"):
        entry["device"] = camera.serial or camera.place
    elif camera.serial:
        entry["serial"] = camera.serial
    elif camera.driver == "gige":
        entry["address"] = camera.place
    modes = [mode for mode in camera.modes if mode.stream == stream]
    if modes:
        mode = _best_mode(stream, modes)
        entry["size"] = [mode.width, mode.height]
        if mode.rates_hz:
            entry["rate_hz"] = _best_rate(mode)
        if camera.driver == "webcam":
            entry["fourcc"] = mode.fourcc
    return entry


def _best_mode(stream: StreamName, modes: Sequence[Mode]) -> Mode:
    """30 frames a second at the size closest to what a face needs; of thermal the largest."""
    wanted = _WANTED_PIXELS.get(stream)

    def badness(mode: Mode) -> tuple[bool, float, int]:
        pixels = mode.width * mode.height
        is_slow = bool(mode.rates_hz) and max(mode.rates_hz) < _WANTED_RATE_HZ - 0.5
        rank = _FORMATS.index(mode.fourcc) if mode.fourcc in _FORMATS else len(_FORMATS)
        if wanted is None:
            return False, -pixels, rank
        return is_slow, abs(pixels - wanted), rank

    return min(modes, key=badness)


def _best_rate(mode: Mode) -> float:
    """The offered rate closest to 30."""
    rate_hz = min(mode.rates_hz, key=lambda rate: abs(rate - _WANTED_RATE_HZ))
    return int(rate_hz) if float(rate_hz).is_integer() else round(rate_hz, 3)


def _others(
    reports: Iterable[DriverReport], chosen: dict[StreamName, FoundCamera]
) -> Iterator[str]:
    """Cameras that no stream took, for whoever wants them instead."""
    taken = list(chosen.values())
    others = [camera for report in reports for camera in report.cameras if camera not in taken]
    if others:
        yield "# Also connected:"
    for camera in others:
        yield f"#   {_one_line(camera.name)}, {camera.place}"
        for stream in camera.streams:
            entry = _entry(stream, camera).items()
            told = ", ".join(f"{key} = {_quoted(value)}" for key, value in entry)
            yield f"#   cameras.{stream} = {{ {told} }}"
    if others:
        yield ""


def _storage_lines() -> Iterator[str]:
    yield "[storage]"
    yield 'color_codec = "jpeg95"   # "h264": half the room, twice the work; or "x264-lossless"'


def _quoted(value: object) -> str:
    """A value as TOML writes it; for text, whole numbers, decimals and lists that is JSON."""
    return json.dumps(value, ensure_ascii=False)


def _one_line(text: str) -> str:
    """Text that a comment can hold."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


_HINTS: Final = {
    "gige": (
        '# temperature_linear = "high"   # 0.04 K a count where the camera can; "low", "off"',
        "# rate_hz = 30",
        '# features = { NUCMode = "Manual" }   # other GenICam features to set',
    ),
    "uvc": (
        f'# radiometry = "lepton-tlinear-high"   # or {", ".join(sorted(NAMED)[:4])}, …;',
        "# without it a Lepton's telemetry is believed, and other cameras are refused",
        "# delay_seconds = 0.0   # once measured: mavfer rig selftest --flash",
    ),
    "webcam": ("# delay_seconds = 0.0   # once measured: mavfer rig selftest --flash",),
    "realsense": ("# options = { enable_auto_exposure = 1 }   # options of the SDK",),
}
