"""What a collector sees while a take goes on, and while its files are hashed; all on stderr."""

from __future__ import annotations

import math
import sys
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

import click
from tqdm import tqdm

from mavfer.progress import counted, duration

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from mavfer.streams import StreamName
    from recording.camera import CameraInfo, Rig
    from recording.recorder import TakeProgress

__all__ = ["TakeDisplay", "hashing_bar", "take_lines", "tell_of_hashing"]

_GB: Final = 1e9
_SECONDS_A_MINUTE: Final = 60
_SECONDS_BETWEEN_LINES: Final = 30.0
"""Where nobody watches a terminal."""
_RATE_SECONDS: Final = 3.0
"""Rates are of about the last so many seconds."""
_REFRESH_SECONDS: Final = 0.5
_WORTH_A_BAR_BYTES: Final = 500_000_000
"""Less is hashed before anybody wonders."""
_MORE_THAN_ENOUGH: Final = 1.2
"""So much more room than is needed ends the warning, which would come and go otherwise."""
_NOT_CALIBRATED: Final = "no calibration: depth and thermal cannot be placed on color later"
_BELL: Final = "\a"


class TakeDisplay:
    """A bar of the take and a line a stream on a terminal; elsewhere a line every half minute.

    Troubles are told above the bar, once, with the terminal's bell, and so is their end.
    """

    def __init__(
        self, rig: Rig, seconds: float, stop: threading.Event, hint: str, *, ends_itself: bool
    ) -> None:
        """Shows nothing yet.

        Args:
            rig: Its cameras are open when `show` is called.
            seconds: How long the take is to be.
            stop: Is set when somebody asked for its end.
            hint: What may be done meanwhile; told when the take begins.
            ends_itself: True where the rig counts frames to its end, not seconds.
        """
        self._rig, self._total_seconds, self._stop = rig, seconds, stop
        self._hint, self._ends_itself = hint, ends_itself
        self._troubles: dict[str, str] = {}
        self._rates: dict[StreamName, _Rate] = {}
        self._bars: list[tqdm[NoReturn]] = []
        self._is_terminal = sys.stderr.isatty()
        self._began = self._shown = 0.0
        self._is_end_told = False

    def __enter__(self) -> TakeDisplay:
        if self._is_terminal:  # some cameras take seconds
            click.echo(f"rig {self._rig.name}: opening the cameras", err=True)
        return self

    def __exit__(self, *_: object) -> None:
        for bar in reversed(self._bars):
            bar.close()

    def show(self, progress: TakeProgress) -> None:
        """Brings what is shown up to date; cheap when called often."""
        now = time.monotonic()
        if not self._began:
            self._begin(progress, now)
        for stream, frames in progress.frames.items():
            self._rates[stream].count(now, frames)
        elapsed = self._elapsed_seconds(progress, now)
        self._tell_of_troubles(self._troubles_of(progress, self._total_seconds - elapsed))
        self._tell_of_end()
        if self._is_terminal and now - self._shown >= _REFRESH_SECONDS:
            self._shown = now
            self._draw(progress, elapsed)
        elif not self._is_terminal and now - self._shown >= _SECONDS_BETWEEN_LINES:
            self._shown = now
            click.echo(self._one_line(progress, elapsed), err=True)

    def _begin(self, progress: TakeProgress, now: float) -> None:
        """Says what is recorded, by which cameras."""
        self._began = self._shown = now
        self._rates = {stream: _Rate() for stream in progress.frames}
        length = _clock(self._total_seconds)
        click.echo(f"{progress.session}: recording {length} with rig {self._rig.name}", err=True)
        for camera in self._rig.cameras:
            click.echo(f"  {camera.info.stream:<8}{_camera_words(camera.info)}", err=True)
        if self._rig.calibration is None and len(progress.frames) > 1:
            click.echo(_NOT_CALIBRATED, err=True)
        click.echo(self._hint, err=True)
        if self._is_terminal:
            self._shown = 0.0
            lines = len(progress.frames)
            self._bars = [_text_bar(place) for place in range(lines + 1)]
            self._bars[0].total = max(1, round(self._total_seconds * 10))

    def _elapsed_seconds(self, progress: TakeProgress, now: float) -> float:
        """How much of the take is over: by the clock, or by color where frames are counted."""
        if not self._ends_itself:
            return now - self._began
        color = next(c.info for c in self._rig.cameras if c.info.stream == "color")
        return (progress.frames["color"] + progress.drops["color"]) / color.rate_hz

    def _draw(self, progress: TakeProgress, elapsed: float) -> None:
        head, *rest = self._bars
        done = min(elapsed, self._total_seconds)
        where = f"{progress.session} {_of(done, self._total_seconds)}"
        head.bar_format = f"{where} |{{bar}}| {_side_words(progress)}"
        head.n = round(done * 10)
        for bar, line in zip(rest, take_lines(progress, self._rates_hz()), strict=True):
            bar.set_description_str(line, refresh=False)
        for bar in self._bars:
            bar.refresh()

    def _one_line(self, progress: TakeProgress, elapsed: float) -> str:
        frames = ", ".join(f"{stream} {n:,}" for stream, n in progress.frames.items())
        lost = sum(progress.drops.values())
        told = f"{lost:,} lost" if lost else "none lost"
        where = _of(min(elapsed, self._total_seconds), self._total_seconds)
        return f"{progress.session}: {where}, {frames} frames, {told}, {_side_words(progress)}"

    def _rates_hz(self) -> dict[StreamName, float]:
        return {stream: rate.hz for stream, rate in self._rates.items()}

    def _troubles_of(self, progress: TakeProgress, left_seconds: float) -> dict[str, str]:
        """What is wrong now: streams without frames, and a disk that will not hold out."""
        troubles = {str(stream): text for stream, text in progress.troubles.items()}
        told = self._troubles.get("disk")  # once is enough, whatever the number is by now
        enough = left_seconds if told is None else _MORE_THAN_ENOUGH * left_seconds
        if progress.room_seconds < enough:
            room = duration(progress.room_seconds)
            troubles["disk"] = told or f"room for {room}; the take is ended when it is used up"
        return troubles

    def _tell_of_troubles(self, troubles: dict[str, str]) -> None:
        for name in [*troubles, *(name for name in self._troubles if name not in troubles)]:
            text = troubles.get(name, "all right again")
            if self._troubles.get(name) != text:
                self._say(f"{name}: {text}", with_bell=name in troubles)
        self._troubles = troubles

    def _tell_of_end(self) -> None:
        if self._stop.is_set() and not self._is_end_told:
            self._is_end_told = True
            self._say("ending the take; everything up to here is kept")

    def _say(self, text: str, *, with_bell: bool = False) -> None:
        """A line above the bars, with the time of the take."""
        at = _clock(time.monotonic() - self._began)
        bell = _BELL if with_bell and self._is_terminal else ""
        tqdm.write(f"{at} {text}{bell}", file=sys.stderr)


class _Rate:
    """Frames a second over the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def count(self, now: float, frames: int) -> None:
        """Notes how many frames there are."""
        self._seen.append((now, frames))
        while now - self._seen[0][0] > _RATE_SECONDS:
            self._seen.popleft()

    @property
    def hz(self) -> float:
        """The rate; 0 before there is one."""
        (began, before), (now, frames) = self._seen[0], self._seen[-1]
        return (frames - before) / (now - began) if now > began else 0.0


def take_lines(progress: TakeProgress, rates_hz: dict[StreamName, float]) -> Iterator[str]:
    """A line a stream: frames, rate, and what is lost."""
    for stream, frames in progress.frames.items():
        lost = progress.drops[stream]
        share = 100 * lost / max(1, lost + frames)
        words = f"{lost:,} lost ({share:.1f} %)" if lost else "none lost"
        trouble = progress.troubles.get(stream)
        told = f"{words}; NO FRAMES ({trouble})" if trouble else words
        yield f"  {stream:<8}{frames:>9,} frames {rates_hz[stream]:>7.1f} a second, {told}"


@contextmanager
def hashing_bar(title: str, size_bytes: int, hint: str = "") -> Iterator[Callable[[int], None]]:
    """Hands out `advance(bytes)`: a bar on a terminal, a line elsewhere; nothing of small files."""
    tell_of_hashing(title, size_bytes, hint)
    is_small = size_bytes < _WORTH_A_BAR_BYTES
    with tqdm(
        total=size_bytes,
        desc=title,
        unit="B",
        unit_scale=True,
        leave=False,
        disable=is_small or None,
    ) as bar:

        def advance(count: int) -> None:
            bar.update(count)

        yield advance


def tell_of_hashing(title: str, size_bytes: int, hint: str = "") -> None:
    """Says that files are hashed, where that takes so long that somebody might wonder."""
    if size_bytes >= _WORTH_A_BAR_BYTES:
        click.echo(f"{title}: hashing {size_bytes / _GB:.1f} GB{hint}", err=True)


def _text_bar(place: int) -> tqdm[NoReturn]:
    return tqdm(position=place, bar_format="{desc}", leave=False, dynamic_ncols=True)


def _camera_words(info: CameraInfo) -> str:
    serial = f" {info.serial}" if info.serial else ""
    return f"{info.model}{serial}, {info.width}x{info.height} at {info.rate_hz:g}"


def _side_words(progress: TakeProgress) -> str:
    words = []
    if math.isfinite(progress.room_seconds):  # else nobody looked
        words.append(f"disk for {duration(progress.room_seconds)}")
    if progress.marks:
        words.append(counted(progress.marks, "mark"))
    return ", ".join(words)


def _of(seconds: float, total: float) -> str:
    return f"{_clock(seconds)} of {_clock(total)}"


def _clock(seconds: float) -> str:
    """Minutes and seconds."""
    minutes, rest = divmod(int(seconds), _SECONDS_A_MINUTE)
    return f"{minutes}:{rest:02d}"
