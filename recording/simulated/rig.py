"""The simulated rig: three cameras that watch one subject, and the truth about it."""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from mavfer.errors import CommandError
from mavfer.streams import STREAM_NAMES, StreamName
from recording.camera import CameraInfo
from recording.simulated.camera import SimulatedCamera
from recording.simulated.cameras import build_calibration, describe_calibration
from recording.simulated.clocks import NS_PER_SECOND, Schedule, build_clock, plan_exposures
from recording.simulated.head import PIVOT_MM
from recording.simulated.lighting import LightingName
from recording.simulated.motion import build_take
from recording.simulated.render import Renderer
from recording.simulated.sensors import NOISE, ColorSensor, DepthSensor, Sensor, ThermalSensor
from recording.simulated.shutter import plan_shutter
from recording.simulated.subjects import Subject, build_subject, draw_traits, seed_from
from recording.simulated.truth import Truth, latent_truth, stream_truth
from recording.start import SharedStart

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mavfer.vision.geometry import CameraModel
    from recording.camera import Camera

__all__ = ["Pace", "Shows", "SimulatedRig"]

Pace = Literal["real", "fast"]
Shows = Literal["all", "split"]

_SIZES: Final[dict[StreamName, tuple[int, int]]] = {
    "color": (640, 480),
    "depth": (640, 480),
    "thermal": (320, 256),
}
_RATES_HZ: Final[dict[StreamName, float]] = {"color": 30.0, "depth": 30.0, "thermal": 25.0}
_DEPTH_EXPOSURE_SECONDS: Final = 0.008
_THERMAL_EXPOSURE_SECONDS: Final = 0.010
_SHOWN: Final[dict[Shows, dict[StreamName, tuple[float, float]]]] = {
    "all": {"color": (1, 1), "depth": (1, 1), "thermal": (1, 1)},
    "split": {"color": (1, 1), "depth": (0, 1), "thermal": (1, 0)},
}
"""Shares of arousal and of valence that a stream shows."""

_RADIOMETRY: Final = {"formula": "linear", "kelvin_per_count": 0.01, "offset_kelvin": 0.0}


class SimulatedRig:
    """A color, a depth and a thermal camera in front of a simulated subject.

    The same arguments (with `start_ns`) give the same frames and stamps, bit for bit, at pace
    "fast". The subject's face depends on `seed` and `subject_code`, the cameras on `seed`, what
    happens on all of `seed`, `subject_code`, `take` and `lighting`.

    Args:
        seed: Of the rig and its subjects.
        seconds: Length of the take; cameras then raise EOFError.
        lighting: "bright"; "dark", which begins lit for 1.5 s; or "flicker" at 100 Hz.
        pace: "real" delivers each frame at its time, "fast" as soon as it is drawn.
        subject_code: Who sits there; the seed's own subject where None.
        take: Which take of this subject.
        start_ns: The host's monotonic clock at the start. By default now, at pace "real" when the
            first camera starts.
        sizes: Width and height of streams that shall differ from 640x480, 640x480, 320x256.
        rates_hz: Frames a second of streams that shall differ from 30, 30, 25.
        depth_mm_per_count: Unit of the depth counts.
        drop_share: Share of frames that are lost on their way.
        shutter_every_seconds: Least and most time between closings of the thermal shutter.
        created_utc: Date in the calibration document.
        shows: What the streams show of the subject's state: "all" of it; or "split", arousal alone
            in thermal, valence alone in depth and both in color, to test what a network reads.

    Raises:
        CommandError: An option that cannot be.
    """

    def __init__(
        self,
        seed: int,
        *,
        seconds: float,
        lighting: LightingName = "bright",
        pace: Pace = "real",
        subject_code: str | None = None,
        take: int = 1,
        start_ns: int | None = None,
        sizes: Mapping[StreamName, tuple[int, int]] | None = None,
        rates_hz: Mapping[StreamName, float] | None = None,
        depth_mm_per_count: float = 0.25,
        drop_share: float = 0.003,
        shutter_every_seconds: tuple[float, float] = (30.0, 60.0),
        created_utc: str = "1970-01-01T00:00:00Z",
        shows: Shows = "all",
    ) -> None:
        self._sizes = {**_SIZES, **(sizes or {})}
        self._rates_hz = {**_RATES_HZ, **(rates_hz or {})}
        _choose("lighting", lighting, get_args(LightingName))
        _choose("pace", pace, get_args(Pace))
        _choose("shows", shows, get_args(Shows))
        _check_streams(self._sizes, self._rates_hz)
        _check_numbers(seconds, depth_mm_per_count, drop_share)
        self._seed, self._seconds, self._pace = seed, seconds, pace
        self._subject_code = subject_code or f"seed-{seed}"
        self._lighting, self._take_number = lighting, take
        self._mm_per_count, self._drop_share = depth_mm_per_count, drop_share
        if pace == "fast" and start_ns is None:
            start_ns = time.monotonic_ns()
        self._epoch = SharedStart(start_ns)
        self._cameras_model = build_calibration(seed, self._sizes)
        self._document = describe_calibration(self._cameras_model, created_utc)
        self._traits = draw_traits(seed, self._subject_code)
        self._shows = shows
        take_of_all = build_take(
            seed, self._subject_code, take, lighting,
            traits=self._traits, pivot_mm=PIVOT_MM * self._traits.size, seconds=seconds,
        )  # fmt: skip
        self._takes = {
            name: dataclasses.replace(take_of_all, shown=shown)
            for name, shown in _SHOWN[shows].items()
        }
        self._clocks = {name: build_clock(seed, name) for name in STREAM_NAMES}
        self._schedules = {name: self._plan(name) for name in STREAM_NAMES}
        self._shutter = plan_shutter(
            self._random("shutter"), self._schedules["thermal"].true_ns, shutter_every_seconds
        )
        self._subject_lock = threading.Lock()
        self._cameras = {name: self._build_camera(name) for name in STREAM_NAMES}

    @property
    def name(self) -> str:
        """What `--rig` was given."""
        return "simulated"

    @property
    def cameras(self) -> list[Camera]:
        """Color, depth, thermal."""
        return list(self._cameras.values())

    @property
    def is_paced(self) -> bool:
        """True when frames come in real time."""
        return self._pace == "real"

    @property
    def calibration(self) -> dict[str, Any]:
        """A document of the calibration format, exact by construction."""
        return self._document

    @property
    def settings(self) -> dict[str, Any]:
        """What was asked for."""
        return {
            "seed": self._seed,
            "subject_code": self._subject_code,
            "take": self._take_number,
            "lighting": self._lighting,
            "pace": self._pace,
            "seconds": self._seconds,
            "rates_hz": dict(self._rates_hz),
            "sizes": {name: list(size) for name, size in self._sizes.items()},
            "drop_share": self._drop_share,
            "shows": self._shows,
        }

    def truth(self) -> Truth:
        """What really happened, for every exposure up to now or to where cameras were stopped.

        Cameras that were never started are taken to have run to the end.
        """
        start_ns = self._epoch.begin()
        subject = self._subject()
        streams = {
            name: stream_truth(
                subject,
                self._takes[name],
                self._camera_model(name),
                self._schedules[name],
                dropped=camera.dropped(),
                is_shutter=self._closed(name),
                start_ns=start_ns,
            )
            for name, camera in self._cameras.items()
        }
        return Truth(
            latents=latent_truth(self._takes["color"], self._seconds, start_ns),
            streams=streams,
            calibration=self._document,
            settings={
                **self.settings,
                "start_ns": start_ns,
                "clocks": {name: dataclasses.asdict(clock) for name, clock in self._clocks.items()},
                "traits": dataclasses.asdict(self._traits),
                "noise": NOISE,
            },
        )

    def render_truth(
        self, stream: StreamName, camera: CameraModel, true_ns: int
    ) -> NDArray[np.uint8] | NDArray[np.float32]:
        """A stream's subject matter without noise, through any lens, at any time.

        Args:
            stream: What to show.
            camera: Through which lens, and from where.
            true_ns: When, on the host's clock.

        Returns:
            color: uint8 (H, W, 3) RGB in full light, whatever the take's lighting;
            depth: float32 (H, W) millimetres along `camera`'s axis;
            thermal: float32 (H, W) degrees Celsius, without the sensor's blur.
        """
        renderer = Renderer(self._subject(), self._takes[stream], camera)
        seconds = (true_ns - self._epoch.begin()) / NS_PER_SECOND
        if stream == "color":
            return renderer.color(seconds)
        return renderer.depth(seconds) if stream == "depth" else renderer.celsius(seconds)

    def _camera_model(self, stream: StreamName) -> CameraModel:
        """The lens of a stream."""
        models = {"color": self._cameras_model.color, "depth": self._cameras_model.depth}
        thermal = self._cameras_model.thermal
        return models[stream] if thermal is None or stream != "thermal" else thermal

    def _subject(self) -> Subject:
        """The subject, made once even where three threads ask."""
        with self._subject_lock:
            return build_subject(self._seed, self._subject_code)

    def _random(self, purpose: str) -> np.random.Generator:
        """Numbers for one purpose in this take."""
        parts = (self._seed, self._subject_code, self._take_number, self._lighting)
        return np.random.default_rng(seed_from(purpose, *parts))

    def _closed(self, stream: StreamName) -> NDArray[np.bool_]:
        """Exposures (N,) during which the shutter was closed."""
        if stream == "thermal":
            return self._shutter.is_closed
        return np.zeros(len(self._schedules[stream]), dtype=bool)

    def _exposure_seconds(self, stream: StreamName, seconds: float) -> float:
        """Exposure time of a stream near a moment of the take."""
        if stream == "color":
            lighting = self._takes["color"].lighting
            return lighting.exposure_seconds(seconds, 1 / self._rates_hz["color"])
        return _DEPTH_EXPOSURE_SECONDS if stream == "depth" else _THERMAL_EXPOSURE_SECONDS

    def _plan(self, stream: StreamName) -> Schedule:
        """All exposures of a stream."""
        return plan_exposures(
            self._random(f"exposures {stream}"),
            stream,
            self._clocks[stream],
            seconds=self._seconds,
            rate_hz=self._rates_hz[stream],
            exposure_seconds=lambda seconds: self._exposure_seconds(stream, seconds),
            drop_share=self._drop_share,
        )

    def _build_camera(self, stream: StreamName) -> SimulatedCamera:
        """A camera that makes its sensor when it is opened."""
        return SimulatedCamera(
            self._describe(stream),
            self._schedules[stream],
            self._closed(stream),
            build_sensor=lambda: self._build_sensor(stream),
            begin=self._epoch.begin,
            is_paced=self.is_paced,
        )

    def _build_sensor(self, stream: StreamName) -> Sensor:
        """The sensor behind a stream's lens."""
        take = self._takes[stream]
        renderer = Renderer(self._subject(), take, self._camera_model(stream))
        schedule = self._schedules[stream]
        seed = int(self._random(f"sensor {stream}").integers(1 << 62))
        if stream == "color":
            return ColorSensor(renderer, schedule, take.lighting, seed)
        if stream == "depth":
            return DepthSensor(renderer, schedule, self._mm_per_count, seed)
        return ThermalSensor(renderer, schedule, self._shutter, seed)

    def _describe(self, stream: StreamName) -> CameraInfo:
        """What a stream's camera says of itself."""
        width, height = self._sizes[stream]
        return CameraInfo(
            stream=stream,
            model="simulated",
            serial=f"simulated-{stream}-{self._seed}",
            width=width,
            height=height,
            rate_hz=self._rates_hz[stream],
            dtype="uint8" if stream == "color" else "uint16",
            depth_mm_per_count=self._mm_per_count if stream == "depth" else None,
            radiometry=dict(_RADIOMETRY) if stream == "thermal" else None,
            settings={"lighting": self._lighting, "noise": NOISE[stream]},
        )


def _check_streams(
    sizes: Mapping[StreamName, tuple[int, int]], rates_hz: Mapping[StreamName, float]
) -> None:
    """Raises CommandError for streams, sizes or rates that cannot be."""
    for stream in (*sizes, *rates_hz):
        _choose("stream", stream, STREAM_NAMES)
    if min(rates_hz.values()) <= 0 or min(min(size) for size in sizes.values()) < 1:
        raise CommandError("simulated rig: rates and sizes must be above 0. Correct them")


def _check_numbers(seconds: float, depth_mm_per_count: float, drop_share: float) -> None:
    """Raises CommandError for numbers that cannot be."""
    if not 0 < seconds < math.inf:
        raise CommandError(f"simulated rig: {seconds} seconds cannot be. Ask for more than 0")
    if not depth_mm_per_count > 0:
        raise CommandError(
            f"simulated rig: {depth_mm_per_count} millimetres a count cannot be. "
            f"Give more than 0, for example 0.25"
        )
    if not 0 <= drop_share < 1:
        raise CommandError(
            f"simulated rig: a drop share of {drop_share} cannot be. Give 0 or more, but below 1"
        )


def _choose(option: str, given: str, allowed: tuple[str, ...]) -> None:
    """Raises CommandError unless `given` is one of the `allowed`."""
    if given not in allowed:
        raise CommandError(
            f"simulated rig: {option} {given!r} is unknown. Choose one of {', '.join(allowed)}"
        )
