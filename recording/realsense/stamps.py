"""When a frame was exposed, and what else the SDK says of it.

What the stamps are, in the SDK's own words and source (rs_frame.h, metadata-parser.h, read):
FRAME_TIMESTAMP is the device's clock when readout and sending begin; SENSOR_TIMESTAMP is the same
clock in the middle of the exposure, computed as FRAME_TIMESTAMP less half the exposure, which the
firmware sends beside it. BACKEND_TIMESTAMP is the host's clock when the kernel had the frame,
TIME_OF_ARRIVAL the host's clock when the SDK had it. On the D457 (MIPI) both device stamps of color
are the same count; whether it is the middle is not said. How true the firmware's half exposure is
was not checked: that needs a camera and a flash.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from recording.camera import ClockDomain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recording.realsense.profiles import SourceName

__all__ = ["DETAIL_NAMES", "HostClock", "Stamp", "StampReader", "Unwrapper"]

_NS_PER_US: Final = 1_000
_NS_PER_MS: Final = 1_000_000
_PERIOD_US: Final = 1 << 32
_METADATA: Final[Mapping[str, str]] = {
    "frame_timestamp_us": "frame_timestamp",
    "sensor_timestamp_us": "sensor_timestamp",
    "backend_timestamp_ms": "backend_timestamp",
    "time_of_arrival_ms": "time_of_arrival",
    "actual_exposure": "actual_exposure",
    "gain_level": "gain_level",
    "auto_exposure": "auto_exposure",
    "laser_power": "frame_laser_power",
    "laser_power_mode": "frame_laser_power_mode",
    "emitter_mode": "frame_emitter_mode",
    "temperature_celsius": "temperature",
}
"""Our name with its unit, and the SDK's. BACKEND_TIMESTAMP is documented in microseconds, but the
SDK's source keeps milliseconds there (recalled, not checked against the maker's document)."""

_DOMAINS: Final = ("hardware_clock", "system_time", "global_time")

DETAIL_NAMES: Final = (*_METADATA, "sdk_timestamp_ms", "sdk_timestamp_domain")
"""Names of `Stamp.details`; the domain is 0 hardware clock, 1 system time, 2 global time."""


class Unwrapper:
    """Makes one count of a clock of 32-bit microseconds, which starts again after 71.6 minutes.

    All streams of a device share it, so that they stay on one clock when the first frame of one
    comes before the clock starts again and that of another after. Stamps that are asked for one
    after the other must be less than half a period apart.
    """

    def __init__(self) -> None:
        self._last_ns: int | None = None
        self._lock = threading.Lock()

    def unwrap(self, stamp_ns: int) -> int:
        """A stamp, moved by as many periods as bring it closest to the last one."""
        period_ns = _PERIOD_US * _NS_PER_US
        with self._lock:
            if self._last_ns is not None:
                half_ns = period_ns // 2
                stamp_ns = (
                    self._last_ns + (stamp_ns - self._last_ns + half_ns) % period_ns - half_ns
                )
            self._last_ns = stamp_ns
            return stamp_ns


class HostClock:
    """Puts stamps of the host's wall clock on its monotonic clock.

    A live device's stamps are moved by the distance between both clocks at the start, so a wall
    clock that is set during a take does not matter. A file's clock belongs to another day, perhaps
    another machine: its first stamp is put where it is read, and the others keep their distance.
    """

    def __init__(self, offset_ns: int | None = None) -> None:
        """`offset_ns`: the monotonic clock less the wall clock; None for a file."""
        self._offsets_ns: dict[str, int] = {} if offset_ns is None else {"host": offset_ns}
        self._lock = threading.Lock()

    def monotonic_ns(self, stamp_ms: float, clock: str, read_ns: int) -> int:
        """A stamp on the monotonic clock.

        Args:
            stamp_ms: The stamp, milliseconds.
            clock: Which clock it is from: "host", or that of a file that has no other.
            read_ns: When the frame was read, for the first stamp of a file.
        """
        stamp_ns = round(stamp_ms * _NS_PER_MS)
        with self._lock:
            return stamp_ns + self._offsets_ns.setdefault(clock, read_ns - stamp_ns)


@dataclass(frozen=True)
class Stamp:
    """When a frame was exposed and arrived."""

    host_ns: int
    device_ns: int
    domain: ClockDomain
    exposure_ns: int
    details: tuple[float, ...]
    """In the order of `DETAIL_NAMES`; NaN where the SDK does not say."""


class _Said(NamedTuple):
    """What the SDK says of the time of a frame, and when it was read; NaN where it says nothing."""

    frame_us: float
    sensor_us: float
    arrival_ms: float
    exposure_us: float
    sdk_ms: float
    domain: str
    read_ns: int


class StampReader:
    """Reads the stamps of one stream's frames."""

    def __init__(
        self,
        sdk: Any,
        source: SourceName,
        *,
        unwrapper: Unwrapper,
        clock: HostClock,
        is_live: bool,
    ) -> None:
        """`unwrapper` and `clock` are those of the device; see `read` for `is_live`."""
        self._keys = [getattr(sdk.frame_metadata_value, name) for name in _METADATA.values()]
        self._domains = [getattr(sdk.timestamp_domain, name) for name in _DOMAINS]
        self._source = source
        self._unwrapper, self._clock = unwrapper, clock
        self._is_live = is_live

    def read(self, frame: Any, read_ns: int) -> Stamp:
        """The stamps of a frame that was taken from the SDK at `read_ns` of the monotonic clock.

        From a live device `read_ns` is the arrival. From a file the arrival is the recorded one,
        so that a session made of it is as long as the file however fast it is read.
        """
        supports, get = frame.supports_frame_metadata, frame.get_frame_metadata
        values = [float(get(key)) if supports(key) else math.nan for key in self._keys]
        domain = self._domains.index(frame.get_frame_timestamp_domain())
        frame_us, sensor_us, _, arrival_ms, exposure_us, *_ = values
        sdk_ms = frame.get_timestamp()
        said = _Said(
            frame_us, sensor_us, arrival_ms, exposure_us, sdk_ms, _DOMAINS[domain], read_ns
        )
        exposure_ns = self._exposure_ns(said)
        device_ns, clock_domain = self._middle(said, exposure_ns)
        return Stamp(
            host_ns=self._arrival_ns(said),
            device_ns=device_ns,
            domain=clock_domain,
            exposure_ns=exposure_ns,
            details=(*values, said.sdk_ms, float(domain)),
        )

    def _exposure_ns(self, said: _Said) -> int:
        """Exposure time; 0 where it is not known.

        ACTUAL_EXPOSURE is microseconds for depth and infrared. Color cameras of the D400 series
        put the setting of their control there, in units of 100 microseconds, and leave it at the
        manual value while the exposure is automatic (reported by users, read): for color it is
        twice what the firmware takes off the frame's stamp.
        """
        if self._source != "color" and not math.isnan(said.exposure_us):
            return round(said.exposure_us * _NS_PER_US)
        if math.isnan(said.frame_us) or math.isnan(said.sensor_us):
            return 0
        return 2 * (round(said.frame_us - said.sensor_us) % _PERIOD_US) * _NS_PER_US

    def _middle(self, said: _Said, exposure_ns: int) -> tuple[int, ClockDomain]:
        """Middle of the exposure, and by which clock: the device's own wherever it is known.

        Global time is the SDK's running fit of the device's clock to the host's, which moves while
        it is fitted; system time is the moment at which the SDK had the frame, some milliseconds
        after the exposure.
        """
        if not math.isnan(said.sensor_us):
            return self._unwrapper.unwrap(round(said.sensor_us) * _NS_PER_US), ClockDomain.DEVICE
        if not math.isnan(said.frame_us):
            readout_ns = round(said.frame_us) * _NS_PER_US
            return self._unwrapper.unwrap(readout_ns - exposure_ns // 2), ClockDomain.DEVICE
        if said.domain == "hardware_clock":
            readout_ns = round(said.sdk_ms * _NS_PER_MS)
            return self._unwrapper.unwrap(readout_ns - exposure_ns // 2), ClockDomain.DEVICE
        host_ns = self._clock.monotonic_ns(said.sdk_ms, "host", said.read_ns)
        if said.domain == "global_time":
            return host_ns - exposure_ns // 2, ClockDomain.HOST
        return host_ns, ClockDomain.ARRIVAL

    def _arrival_ns(self, said: _Said) -> int:
        if self._is_live:
            return said.read_ns
        if not math.isnan(said.arrival_ms):
            return self._clock.monotonic_ns(said.arrival_ms, "host", said.read_ns)
        clock = "device" if said.domain == "hardware_clock" else "host"
        return self._clock.monotonic_ns(said.sdk_ms, clock, said.read_ns)
