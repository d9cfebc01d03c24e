"""A simulated camera: delivers the exposures of a schedule, in real time or at once."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

import numpy as np

from mavfer.errors import DeviceError
from recording.camera import CameraInfo, ClockDomain, Frame, FrameFlag
from recording.simulated.clocks import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from recording.simulated.clocks import Schedule
    from recording.simulated.sensors import Sensor

__all__ = ["SimulatedCamera"]


class SimulatedCamera:
    """One stream of the simulated rig, behind the interface of every camera."""

    def __init__(
        self,
        info: CameraInfo,
        schedule: Schedule,
        is_shutter: NDArray[np.bool_],
        *,
        build_sensor: Callable[[], Sensor],
        begin: Callable[[], int],
        is_paced: bool,
    ) -> None:
        self._info = info
        self._schedule = schedule
        self._is_shutter = is_shutter
        self._build_sensor = build_sensor
        self._begin = begin
        self._is_paced = is_paced
        self._sensor: Sensor | None = None
        self._start_ns: int | None = None
        self._next = 0
        self._end = len(schedule)
        self._is_dropped = schedule.is_lost.copy()
        self._waiting: Frame | None = None

    @property
    def info(self) -> CameraInfo:
        """What is known of the camera."""
        return self._info

    def open(self) -> None:
        """Makes the face and the sensor, and draws twice, so that no frame waits for a compiler."""
        self._sensor = self._build_sensor()
        self._sensor.read_out(0)
        self._sensor.read_out(len(self._schedule) - 1)  # dark takes begin lit

    def start(self) -> None:
        """Begins the take, unless another camera of the rig has begun it."""
        if self._sensor is None:
            raise DeviceError(f"{self._info.serial}: is not open. Call open() before start()")
        self._start_ns = self._begin()

    def read(self, timeout_seconds: float) -> Frame | None:
        """The next frame; None when none came in time.

        Raises:
            EOFError: The take is over, or what was exposed before `stop` has been read.
            DeviceError: The camera was not opened and started.
        """
        if self._sensor is None or self._start_ns is None:
            raise DeviceError(f"{self._info.serial}: is not started. Call open() and start()")
        frame = self._waiting or self._take_next(self._sensor, self._start_ns)
        if self._is_paced:
            return self._deliver_in_time(frame, timeout_seconds)
        return frame

    def stop(self) -> None:
        """Ends exposing; at pace "real" frames already exposed may still be read."""
        if self._start_ns is None:
            return
        if not self._is_paced:
            self._end = self._next
            return
        elapsed_ns = time.monotonic_ns() - self._start_ns
        exposed = int(np.searchsorted(self._schedule.true_ns, elapsed_ns))
        self._end = min(self._end, max(exposed, self._next))

    def close(self) -> None:
        """Forgets the sensor; the take ends with the last frame that was read."""
        self.stop()
        self._sensor = None
        if self._start_ns is not None:
            self._end = self._next if self._waiting is None else self._waiting.frame_number

    def dropped(self) -> NDArray[np.bool_]:
        """Exposures (N,) whose frames were not delivered, as far as the camera ran."""
        return self._is_dropped[: self._end].copy()

    def _take_next(self, sensor: Sensor, start_ns: int) -> Frame:
        """The frame of the next exposure that is not lost, as it will arrive."""
        if self._is_paced:
            self._skip_late(start_ns)
        while self._next < self._end and self._is_dropped[self._next]:
            self._next += 1
        if self._next >= self._end:
            raise EOFError
        exposure, self._next = self._next, self._next + 1
        return Frame(
            pixels=sensor.read_out(exposure),
            host_ns=start_ns + int(self._schedule.arrival_ns[exposure]),
            device_ns=int(self._schedule.device_ns[exposure]),
            domain=ClockDomain.DEVICE,
            frame_number=exposure,
            exposure_ns=int(self._schedule.exposure_ns[exposure]),
            flags=FrameFlag.SHUTTER if self._is_shutter[exposure] else FrameFlag(0),
        )

    def _skip_late(self, start_ns: int) -> None:
        """Drops exposures that should have arrived more than a frame's time ago."""
        period_ns = int(NS_PER_SECOND / self._info.rate_hz)
        due_ns = time.monotonic_ns() - start_ns - period_ns
        first = int(np.searchsorted(self._schedule.arrival_ns[: self._end], due_ns))
        self._is_dropped[self._next : first] = True
        self._next = max(self._next, first)

    def _deliver_in_time(self, frame: Frame, timeout_seconds: float) -> Frame | None:
        """Waits until a frame arrives, and stamps it; keeps it where that is after the timeout."""
        wait_seconds = (frame.host_ns - time.monotonic_ns()) / NS_PER_SECOND
        if wait_seconds > timeout_seconds:
            self._waiting = frame
            time.sleep(timeout_seconds)
            return None
        self._waiting = None
        time.sleep(max(wait_seconds, 0))
        return dataclasses.replace(frame, host_ns=time.monotonic_ns())
