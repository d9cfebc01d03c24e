"""A take of the simulated rig drawn before it is sent, so that drawing disturbs nobody's pace."""

from __future__ import annotations

import dataclasses
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from mavfer.streams import StreamName
    from recording.camera import Camera, Frame
    from recording.simulated.rig import SimulatedRig

__all__ = ["Beginning", "ServedFrames", "draw_frames", "require_room"]

_MOST_BYTES: Final = 1 << 30
"""Of a take that is drawn; twice as much is needed while it is."""
_PIXEL_BYTES: Final = {"color": 3, "depth": 2, "thermal": 2}


@dataclass(frozen=True)
class ServedFrames:
    """What one camera will send: N frames, in their order."""

    pixels: NDArray[Any]
    """uint8 (N, H, W, 3) RGB or uint16 (N, H, W) counts."""
    frame_number: NDArray[np.int64]
    """(N,) the camera's count; what is missing in it is never sent."""
    due_ns: NDArray[np.int64]
    """(N,) when each is sent, nanoseconds after the take's beginning."""
    device_ns: NDArray[np.int64]
    """(N,) middle of the exposure by the camera's clock."""
    exposure_ns: NDArray[np.int64]
    """(N,) exposure time."""
    rate_hz: float

    def __len__(self) -> int:
        return len(self.frame_number)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        height, width = self.pixels.shape[1:3]
        return width, height

    def save(self, path: Path) -> None:
        """Writes them for another process, as .npz."""
        np.savez(path, **{field.name: getattr(self, field.name) for field in _FIELDS})

    @classmethod
    def load(cls, path: Path) -> ServedFrames:
        """What `save` wrote."""
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        return cls(**{**arrays, "rate_hz": float(arrays["rate_hz"])})


_FIELDS = dataclasses.fields(ServedFrames)


class Beginning:
    """When a take begins on the host's monotonic clock: with the first camera that is started."""

    def __init__(self, tell: Callable[[int], object] | None = None) -> None:
        """`tell` gets the beginning at once, for cameras in other processes."""
        self._lock, self._has_begun = threading.Lock(), threading.Event()
        self._start_ns, self._tell = 0, tell

    def begin(self, at_ns: int | None = None) -> int:
        """The beginning, which is `at_ns`, or now, where nobody has begun."""
        with self._lock:
            if not self._has_begun.is_set():
                self._start_ns = time.monotonic_ns() if at_ns is None else at_ns
                self._has_begun.set()
                if self._tell is not None:
                    self._tell(self._start_ns)
        return self._start_ns

    def wait(self, timeout_seconds: float) -> int | None:
        """The beginning; None where nobody begins in time."""
        return self._start_ns if self._has_begun.wait(timeout_seconds) else None


def require_room(rig: SimulatedRig) -> None:
    """Raises where a rig's take would fill the memory.

    Raises:
        CommandError: It would, with the length that would not.
    """
    infos = [camera.info for camera in rig.cameras]
    bytes_per_second = sum(
        info.width * info.height * _PIXEL_BYTES[info.stream] * info.rate_hz for info in infos
    )
    most_seconds = _MOST_BYTES / bytes_per_second
    if rig.settings["seconds"] > most_seconds:
        message = (
            f"rig served: keeps its frames in memory, {most_seconds:.0f} seconds of these sizes "
            f"and rates. Record a shorter take, or smaller frames"
        )
        raise CommandError(message)


def draw_frames(rig: SimulatedRig) -> dict[StreamName, ServedFrames]:
    """Every frame of a take, by stream; those that the rig loses on their way are left out.

    Args:
        rig: At pace "fast", begun at 0 of the host's clock (`start_ns`), and not yet read.
    """
    return {camera.info.stream: _drawn(camera) for camera in rig.cameras}


def _drawn(camera: Camera) -> ServedFrames:
    frames = _read_all(camera)
    return ServedFrames(
        pixels=np.stack([frame.pixels for frame in frames]),
        frame_number=np.array([frame.frame_number for frame in frames]),
        due_ns=np.array([frame.host_ns for frame in frames]),
        device_ns=np.array([frame.device_ns for frame in frames]),
        exposure_ns=np.array([frame.exposure_ns for frame in frames]),
        rate_hz=camera.info.rate_hz,
    )


def _read_all(camera: Camera) -> list[Frame]:
    """Every frame of a camera that waits for its reader."""
    frames: list[Frame] = []
    camera.open()
    camera.start()
    try:
        while True:
            frame = camera.read(0.0)
            frames.append(frame)  # type: ignore[arg-type]  # at pace "fast" a frame, always
    except EOFError:
        return frames
    finally:
        camera.close()
