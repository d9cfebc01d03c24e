"""What one camera gives, frame by frame: watched while it is silent, brought back when it is lost.

Every call to the camera is made on the thread that calls `Reader.run`.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mavfer.errors import DeviceError
from mavfer.streams import STREAMS
from recording.camera import LinkCounter, LostFrame
from recording.stretches import Stretches

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from recording.camera import Camera, CameraInfo, Frame
    from recording.stretches import LastStamp

__all__ = ["READ_SECONDS", "Patience", "Reader"]

READ_SECONDS: Final = 0.2
"""How long a camera is asked for a frame before the reader looks whether it is to stop."""
_NANOSECONDS: Final = 1_000_000_000
_EVENT_BYTES: Final = 128
"""Longest text of an event."""
_SAME: Final = (
    "model",
    "serial",
    "width",
    "height",
    "dtype",
    "detail_names",
    "depth_mm_per_count",
    "radiometry",
)
"""What a camera that comes back must not have changed."""


@dataclass(frozen=True)
class Patience:
    """How long a camera may be silent."""

    stalled_periods: float = 10
    """Frames that fail to come before a camera is called stalled,"""
    stalled_seconds: float = 0.5
    """and the least time for that."""
    first_seconds: float = 3.0
    """What a camera may take longer for its first frame."""
    lost_seconds: float = 3.0
    """Silence after which it is closed and opened again; twice the time to a stall at least."""
    pauses_seconds: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 5.0)
    """Before each attempt to open it again; the last one stays."""
    drain_seconds: float = 1.0
    """How long the end of a take reads on, at most: what was exposed by then waits in buffers."""
    hang_seconds: float = 5.0
    """How long the end of a take waits for a camera whose driver does not answer."""

    def until_stalled_seconds(self, rate_hz: float) -> float:
        """Silence after which a camera of that rate is called stalled."""
        return max(self.stalled_seconds, self.stalled_periods / rate_hz)

    def until_lost_seconds(self, rate_hz: float) -> float:
        """Silence after which it is called lost."""
        return max(self.lost_seconds, 2 * self.until_stalled_seconds(rate_hz))


class Reader:
    """Reads one camera until it ends or is told to stop, over stalls and unplugged cables."""

    def __init__(
        self,
        camera: Camera,
        *,
        is_paced: bool,
        patience: Patience,
        give: Callable[[Frame | LostFrame], None],
        tell: Callable[[int, str, str], None],
    ) -> None:
        """Opens nothing yet; see `run`.

        Args:
            camera: The source of frames.
            is_paced: Frames come in real time; only then silence means something, and only then a
                camera that fails is opened again.
            patience: How long it may be silent.
            give: Gets every frame, and word of every lost one.
            tell: Gets the time, kind and text of every event.
        """
        self.camera = camera
        self.info: CameraInfo = camera.info
        """What is known of the camera; complete once it was opened."""
        self.failure: Exception | None = None
        """What ended the camera early."""
        self.trouble = ""
        """Why there are no frames at this moment; empty while they come."""
        self._is_paced, self._patience = is_paced, patience
        self._give, self._tell = give, tell
        self._stretches = Stretches(self.info.rate_hz)
        self._lost: Exception | None = None
        self._attempts = 0
        self._heard_ns: int | None = None
        self._last_host_ns: int | None = None
        self._is_stalled = False

    def run(self, opened: threading.Event, go: threading.Event, stop: threading.Event) -> None:
        """Opens the camera, sets `opened`, waits for `go` and reads until `stop`."""
        try:
            self.camera.open()
            self.info = self.camera.info
            self._stretches = Stretches(self.info.rate_hz)
            opened.set()
            go.wait()
            self._read_over_losses(stop)
        except Exception as error:  # any driver's error ends this camera, no other
            self.failure = error
        finally:
            opened.set()
            self._close()
        if self.failure is not None and self.failure is not self._lost and go.is_set():
            self._tell(self._now_ns(), "camera_failed", str(self.failure))

    @property
    def is_lost(self) -> bool:
        """True from a failure until the camera gives a frame again."""
        return self._lost is not None

    def go_on_after(self, last: LastStamp) -> None:
        """Says what the last frame of the segment before was; between `opened` and `go`."""
        self._stretches = Stretches(self.info.rate_hz, last)

    def watch(self) -> None:
        """Tells at once of a camera that is silent; for another thread, should `read` hang."""
        heard_ns = self._heard_ns
        if not self._is_paced or heard_ns is None or self._is_stalled or self._lost is not None:
            return
        silent_seconds = (time.monotonic_ns() - heard_ns) / _NANOSECONDS
        if silent_seconds > self._patience.until_stalled_seconds(self.info.rate_hz):
            self._is_stalled = True
            self.trouble = f"no frame for {silent_seconds:.1f} s"
            self._tell(time.monotonic_ns(), "camera_stalled", self.trouble)

    def _read_over_losses(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self.camera.start()
                self._heard_ns = time.monotonic_ns() + round(
                    self._patience.first_seconds * _NANOSECONDS
                )
                self._read_frames(stop)
                self.camera.stop()
                if stop.is_set():
                    self._drain()
            except Exception as error:
                if not self._is_paced or stop.is_set():
                    raise
                self._lose(error)
            else:
                return
            self._bring_back(stop)
        self.failure = self._lost

    def _read_frames(self, stop: threading.Event) -> None:
        with suppress(EOFError):
            while not stop.is_set():
                if not self._read_next():
                    self._require_alive()

    def _read_next(self) -> bool:
        """Passes on what the camera gives next; False where nothing came in time."""
        frame = self.camera.read(READ_SECONDS)
        if isinstance(frame, LostFrame):
            self._hear(frame.host_ns)
            if not self._stretches.is_between:
                self._give(self._stretches.renumber(frame))
        elif frame is not None:
            self._require_shape(frame)
            self._take(frame)
        return frame is not None

    def _drain(self) -> None:
        """Passes on what a stopped camera had exposed; tells where that cannot be known."""
        until = time.monotonic() + self._patience.drain_seconds
        trouble = "still gave frames after its stop"
        try:
            while time.monotonic() < until:
                if not self._read_next():
                    return
        except EOFError:
            return
        except Exception as error:  # the take is over, and what was read before is kept
            trouble = str(error)
        self._tell(self._now_ns(), "not_drained", trouble)

    def _take(self, frame: Frame) -> None:
        """Passes a frame on, and tells of the gap that it ends."""
        carried, gap = self._stretches.carry(frame)
        self._hear(frame.host_ns)
        if self._lost is not None or gap is not None:
            self._lost, self._attempts, self.trouble = None, 0, ""
            self._tell(frame.host_ns, "camera_back", str(gap or "with its first frame"))
        self._give(carried)

    def _hear(self, host_ns: int) -> None:
        """Notes a sign of life."""
        self._heard_ns, self._last_host_ns = time.monotonic_ns(), host_ns
        if self._is_stalled:
            self._is_stalled, self.trouble = False, ""
            self._tell(host_ns, "camera_back", "from a stall")

    def _require_alive(self) -> None:
        if self._is_paced and self._heard_ns is not None:
            silent_seconds = (time.monotonic_ns() - self._heard_ns) / _NANOSECONDS
            if silent_seconds > self._patience.until_lost_seconds(self.info.rate_hz):
                message = f"no frame for {silent_seconds:.1f} s"
                raise DeviceError(message)

    def _require_shape(self, frame: Frame) -> None:
        info = self.info
        wanted = STREAMS[info.stream].frame_shape(info.height, info.width)
        if frame.pixels.shape != wanted or frame.pixels.dtype != info.dtype:
            found = f"{frame.pixels.dtype} {frame.pixels.shape}"
            message = f"frame {frame.frame_number} is {found}, not {info.dtype} {wanted}"
            raise DeviceError(message)
        if len(frame.details) != len(info.detail_names):
            named = ", ".join(info.detail_names) or "none"
            message = f"frame {frame.frame_number} has {len(frame.details)} details, named: {named}"
            raise DeviceError(message)

    def _lose(self, error: Exception) -> None:
        """Notes that the camera is lost, and tells so where it has given frames since it was."""
        if self._lost is None:
            self._tell(self._now_ns(), "camera_lost", str(error))
        self._lost, self._heard_ns, self._is_stalled = error, None, False
        self.trouble = f"lost: {error}"

    def _bring_back(self, stop: threading.Event) -> None:
        """Closes the camera and opens it again, with growing pauses, until it is there."""
        pauses = self._patience.pauses_seconds
        refused = ""
        while not stop.is_set():
            self._close()
            pause_seconds = pauses[min(self._attempts, len(pauses) - 1)]
            self._attempts += 1
            if stop.wait(pause_seconds):
                return
            try:
                self.camera.open()
            except Exception as error:  # still unplugged, or whatever its driver says then
                self.trouble = f"lost: {error}"
                continue
            changed = _changes(self.info, self.camera.info)
            if not changed:
                self._stretches.restart()
                return
            self.trouble = f"refused, it is another camera: {changed}"
            if changed != refused:
                self._tell(self._now_ns(), "camera_refused", changed)
            refused = changed

    def _tell_of_link(self) -> None:
        """Tells what the camera counted on its link, where it does: gone once it is closed."""
        if not isinstance(self.camera, LinkCounter):
            return
        try:
            numbers = self.camera.link_statistics()
        except Exception:  # of a camera that is gone they are no loss
            return
        for text in _joined([f"{name} {number}" for name, number in numbers.items() if number]):
            self._tell(self._now_ns(), "link_statistics", text)

    def _close(self) -> None:
        self._tell_of_link()
        try:
            self.camera.close()
        except Exception as error:  # a driver may choke on a cable that was pulled
            self.failure = self.failure or (None if self._lost else error)

    def _now_ns(self) -> int:
        """The time of an event on the clock of the frames; without pace that is not the host's."""
        if self._is_paced or self._last_host_ns is None:
            return time.monotonic_ns()
        return self._last_host_ns


def _joined(words: list[str]) -> list[str]:
    """Words with commas between, in as few texts as events have room for."""
    texts: list[str] = []
    for word in words:
        longer = f"{texts[-1]}, {word}" if texts else word
        if texts and len(longer) <= _EVENT_BYTES:
            texts[-1] = longer
        else:
            texts.append(word)
    return texts


def _changes(before: CameraInfo, after: CameraInfo) -> str:
    """What a camera that came back has changed; empty where it is the same."""
    pairs = [(name, getattr(before, name), getattr(after, name)) for name in _SAME]
    return ", ".join(f"{name} {new!r}, not {old!r}" for name, old, new in pairs if old != new)
