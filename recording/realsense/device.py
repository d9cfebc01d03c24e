"""One RealSense device, shared by the cameras that read its streams."""

from __future__ import annotations

import dataclasses
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from mavfer.errors import DeviceError
from recording.realsense.connection import Connection
from recording.realsense.profiles import StreamRequest
from recording.realsense.sdk import load_sdk, told_as_device_error
from recording.realsense.stamps import Stamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recording.realsense.profiles import SourceName
    from recording.realsense.sources import DeviceSource

__all__ = ["Arrived", "RealSenseDevice"]

_State = Literal["open", "running", "ended"]


_NS_PER_SECOND: Final = 1_000_000_000
_LAST_LOOK_SECONDS: Final = 0.1
_MOST_TAIL_SECONDS: Final = 0.5
"""How much earlier than its recording a file may end: streams that are not read may go on longer,
such as those of the motion sensor."""


class Arrived(NamedTuple):
    """A frame as it arrived."""

    frame: Any
    """The SDK's frame."""
    stamp: Stamp
    is_after_overflow: bool
    """Whether frames before this one fell because they were not read in time."""


class RealSenseDevice:
    """A device that is opened with its first camera and closed with its last.

    Every method may be called from any thread. Cameras that are to lose no frame of a file are all
    opened before the first is started, as the recorder does: the first start starts them all.
    """

    def __init__(
        self,
        source: DeviceSource,
        streams: Mapping[SourceName, StreamRequest] | None = None,
        *,
        silence_seconds: float = 5.0,
    ) -> None:
        """Opens nothing yet.

        Args:
            source: Where the device comes from.
            streams: What is asked of each stream; color and depth at the device's defaults if None.
            silence_seconds: How long a live stream may give nothing before it counts as failed.
        """
        self.source = source
        self.streams: dict[SourceName, StreamRequest] = dict(
            {"color": StreamRequest(), "depth": StreamRequest()} if streams is None else streams
        )
        self._silence_seconds = silence_seconds
        self._lock = threading.Lock()
        self._connections: dict[SourceName, Connection] = {}
        """One for all streams, but where a device was unplugged and a stream came back first."""
        self._states: dict[SourceName, _State] = {}
        self._last_seen: dict[SourceName, float] = {}
        self._held: dict[SourceName, Arrived] = {}
        """Frames of a file whose time has not come."""
        self._calibration: dict[str, Any] | None = None
        self._torn = ""
        """Why a file is not played again by a recorder that would bring its camera back."""

    @property
    def calibration(self) -> dict[str, Any] | None:
        """The factory's calibration; None before the device was open, or without color or depth."""
        return self._calibration

    def open(self, source: SourceName) -> Connection:
        """Opens the device for one of its streams, unless it is open, and gives what is known.

        Raises:
            MissingExtra: The SDK or libusb is not installed.
            DeviceError: The device is not there, is busy, or does not offer what is asked for.
        """
        with self._lock:
            if self._torn:
                raise DeviceError(self._torn)
            if source not in self.streams:
                message = f"{self.source.name}: {source} was not asked for. Name it in `streams`"
                raise DeviceError(message)
            if source in self._states:
                message = f"{self.source.name}: {source} is read by another camera. Close that one"
                raise DeviceError(message)
            connection = self._shared_connection() or self._connect()
            self._connections[source] = connection
            self._states[source] = "open"
            return connection

    def start(self, source: SourceName) -> None:
        """Lets frames of this stream come, and of all others that are open.

        Raises:
            DeviceError: The stream is not open, the device refuses, or this is a file whose stream
                was stopped.
        """
        with self._lock:
            connection = self._require_open(source)
            if connection.is_recording and self._states[source] == "ended":
                message = (
                    f"{self.source.name}: {source} was stopped. Close and open it to begin again"
                )
                raise DeviceError(message)
            self._states[source] = "running"
            connection.start(source, self._wanted(connection))
            self._last_seen[source] = time.monotonic()

    def read(self, source: SourceName, timeout_seconds: float) -> Arrived | None:
        """The stream's next frame and its stamps; None where none came in time.

        Raises:
            EOFError: The file has ended, or the stream was stopped; a live one gives first what it
                had exposed.
            DeviceError: The stream is not open, the device was unplugged or says nothing, or the
                file ends before its recording did.
        """
        connection = self._require_open(source)
        if self._states[source] == "open":
            message = f"{self.source.name}: {source} is not started. Call start() before read()"
            raise DeviceError(message)
        if connection.is_recording and self._states[source] == "ended":
            raise EOFError  # what the SDK read ahead would leave a gap behind the frame that waited
        arrived = self._held.pop(source, None) or self._take(connection, source, timeout_seconds)
        if arrived is None or not (connection.is_recording and self.source.is_paced):
            return arrived
        return self._deliver_in_time(source, arrived, timeout_seconds)

    def stop(self, source: SourceName) -> None:
        """Ends this stream; the others go on."""
        with self._lock:
            if self._states.get(source) == "running":
                connection = self._connections[source]
                self._states[source] = "ended"
                self._held.pop(source, None)
                connection.stop(source, self._wanted(connection))

    def close(self, source: SourceName) -> None:
        """Gives the stream back, and the device with the last one; harmless at any time."""
        with suppress(DeviceError):  # a device that is gone cannot be stopped
            self.stop(source)
        with self._lock:
            self._states.pop(source, None)
            connection = self._connections.pop(source, None)
            if connection is not None and connection not in self._connections.values():
                connection.close()

    def _shared_connection(self) -> Connection | None:
        """What another stream has open, if it is still good."""
        return next((c for c in self._connections.values() if c.is_connected), None)

    def _connect(self) -> Connection:
        with told_as_device_error(f"{self.source.name}: cannot be opened"):
            connection = Connection(load_sdk(), self.source, self.streams)
        self._calibration = connection.calibration
        return connection

    def _take(
        self, connection: Connection, source: SourceName, timeout_seconds: float
    ) -> Arrived | None:
        """What comes next; raises where nothing can come any more."""
        taken = connection.feed(source).take(source, timeout_seconds)
        if taken is None and self._may_have_ended(connection, source):
            taken = connection.feed(source).take(source, _LAST_LOOK_SECONDS)
            if taken is None:
                if self._states[source] == "running":
                    self._require_whole(connection)
                raise EOFError
        if taken is None:
            self._require_alive(connection, source)
            return None
        self._last_seen[source] = time.monotonic()
        stamp = connection.read_stamp(source, taken.frame, taken.read_ns)
        return Arrived(taken.frame, stamp, taken.is_after_overflow)

    def _deliver_in_time(
        self, source: SourceName, arrived: Arrived, timeout_seconds: float
    ) -> Arrived | None:
        """Waits for a recorded frame's time; keeps the frame where that is after the timeout."""
        stamp = arrived.stamp
        wait_seconds = (stamp.host_ns - time.monotonic_ns()) / _NS_PER_SECOND
        if wait_seconds > timeout_seconds:
            self._held[source] = arrived
            time.sleep(timeout_seconds)
            return None
        time.sleep(max(wait_seconds, 0.0))
        return arrived._replace(stamp=dataclasses.replace(stamp, host_ns=time.monotonic_ns()))

    def _wanted(self, connection: Connection) -> set[SourceName]:
        """Streams of a connection that are read, or will be."""
        mine = {source for source, other in self._connections.items() if other is connection}
        return {source for source in mine if self._states[source] != "ended"}

    def _require_open(self, source: SourceName) -> Connection:
        connection = self._connections.get(source)
        if connection is None:
            message = f"{self.source.name}: {source} is not open. Call open() first"
            raise DeviceError(message)
        return connection

    def _may_have_ended(self, connection: Connection, source: SourceName) -> bool:
        return self._states[source] == "ended" or connection.has_ended

    def _require_whole(self, connection: Connection) -> None:
        """Raises where a file ended too early: the SDK is silent about what it cannot read."""
        missing_seconds = connection.missing_seconds
        if missing_seconds > _MOST_TAIL_SECONDS:
            self._torn = (
                f"{self.source.name}: torn, its last {missing_seconds:.1f} seconds cannot be read. "
                f"Use what was read, or record again"
            )
            raise DeviceError(self._torn)

    def _require_alive(self, connection: Connection, source: SourceName) -> None:
        """Raises where a live device is gone or says nothing."""
        name = self.source.name
        if not connection.is_connected:
            message = f"{name}: was unplugged. Plug it in again, best into a USB 3 port"
            raise DeviceError(message)
        silent_seconds = time.monotonic() - self._last_seen[source]
        if silent_seconds > self._silence_seconds and not connection.is_recording:
            message = (
                f"{name}: no {source} frame for {silent_seconds:.1f} seconds. "
                f"Check the cable and the USB port, or what triggers the camera"
            )
            raise DeviceError(message)
