"""The simulated rig behind the libraries of real cameras: to try a recorder without cameras.

Color and depth come from librealsense, by its own device that is made of software; thermal comes
over the network, as GigE Vision, from a camera in another process. The recorder runs the code that
it runs for cameras of metal, and what it stores can be held against the truth. Both cameras call
themselves "simulated", so that the session is one of a simulated subject.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from mavfer.errors import DeviceError
from mavfer.vision.geometry import Calibration
from recording.realsense import RealSenseCamera
from recording.simulated.clocks import DeviceClock
from recording.simulated.rig import SimulatedRig
from recording.simulated.serving_frames import Beginning, ServedFrames, draw_frames, require_room
from recording.simulated.serving_gige import GigeServer
from recording.simulated.serving_gige_camera import ADDRESS
from recording.simulated.serving_realsense import ServedRealSense
from recording.thermal_gige import GigeThermalCamera

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mavfer.streams import StreamName
    from recording.camera import Camera
    from recording.simulated.lighting import LightingName
    from recording.simulated.truth import StreamTruth, Truth

__all__ = ["ServedRig", "in_ax5_counts"]

_MM_PER_COUNT: Final = 0.25
_RIG_KELVIN: Final = 0.01
_AX5_KELVIN: Final = 0.04
"""Of one count, as an Ax5 counts with TemperatureLinearMode On and its resolution High."""
_READOUT_NS: Final = 5_000_000
"""From the end of an exposure until a camera sends it (ours)."""
_FIRST_BLOCK: Final = 1
"""The number of the first thermal frame, as GigE Vision counts."""


class ServedRig:
    """A simulated subject, recorded through librealsense and GigE Vision; a context.

    On entering, the whole take is drawn, twice as long as it lasts or more, and the thermal camera
    switched on. The take begins with the start of color or depth. One such rig can live on a
    machine, because the thermal camera has a fixed address.

    Args:
        seed: Of the rig and its subjects.
        seconds: Length of the take; afterwards the cameras are silent, so end the recording then.
        lighting: "bright", "dark" or "flicker".
        subject_code: Who sits there; the seed's own subject where None.
        take: Which take of this subject.
        sizes: Width and height of streams that shall differ from the simulated rig's.
        rates_hz: Frames a second of streams that shall differ; whole numbers for color and depth.
        drop_share: Share of frames that the cameras count and never send.
        created_utc: Date in the calibration document.

    Raises:
        CommandError: An option that cannot be, or a take that is too long to be drawn beforehand.
    """

    server_kind: type[GigeServer] = GigeServer
    """What switches the thermal camera on."""

    def __init__(
        self,
        seed: int,
        *,
        seconds: float,
        lighting: LightingName = "bright",
        subject_code: str | None = None,
        take: int = 1,
        sizes: Mapping[StreamName, tuple[int, int]] | None = None,
        rates_hz: Mapping[StreamName, float] | None = None,
        drop_share: float = 0.0,
        created_utc: str = "1970-01-01T00:00:00Z",
    ) -> None:
        self._simulated = SimulatedRig(
            seed, seconds=seconds, lighting=lighting, pace="fast", subject_code=subject_code,
            take=take, start_ns=0, sizes=sizes, rates_hz=rates_hz, drop_share=drop_share,
            depth_mm_per_count=_MM_PER_COUNT, created_utc=created_utc,
        )  # fmt: skip
        require_room(self._simulated)
        self.server = self.server_kind()
        """The thermal camera's process."""
        self.frames: dict[StreamName, ServedFrames] = {}
        """What each camera is to send; known once the rig was entered."""
        self.realsense: ServedRealSense
        """The device of color and depth; likewise."""
        self._drawn: Truth
        self._beginning = Beginning(self.server.begin)
        self._cameras: list[Camera] = []

    def __enter__(self) -> Self:
        """The rig with its take drawn and its thermal camera switched on.

        Raises:
            DeviceError: Aravis is not installed.
            Busy: Another rig of this kind is served on this machine.
        """
        drawn = draw_frames(self._simulated)
        self._drawn = self._simulated.truth()
        self.frames = self.plan(self._as_cameras_count(drawn))
        lenses = Calibration.from_document(self._simulated.calibration)
        self.realsense = ServedRealSense(
            {"color": self.frames["color"], "depth": self.frames["depth"]},
            {"color": lenses.color, "depth": lenses.depth},
            depth_mm_per_count=_MM_PER_COUNT,
            beginning=self._beginning,
        )
        self.server.switch_on()
        self.server.play(self.frames["thermal"])
        self._cameras = [
            RealSenseCamera(self.realsense, "color"),
            RealSenseCamera(self.realsense, "depth"),
            GigeThermalCamera(address=ADDRESS),
        ]
        return self

    def __exit__(self, *_: object) -> None:
        """Switches the thermal camera off."""
        self.server.close()

    @property
    def name(self) -> str:
        """What `--rig` was given."""
        return "served"

    @property
    def cameras(self) -> list[Camera]:
        """Color, depth, thermal: the cameras of `recording` themselves.

        Raises:
            DeviceError: The rig was not entered.
        """
        if not self._cameras:
            raise DeviceError("rig served: is not switched on. Use it as a context: with rig")
        return list(self._cameras)

    @property
    def is_paced(self) -> bool:
        """True: frames come in real time."""
        return True

    @property
    def calibration(self) -> dict[str, Any]:
        """The simulated rig's document, as a lab that calibrated these cameras would have it."""
        return self._simulated.calibration

    @property
    def settings(self) -> dict[str, Any]:
        """What was asked for, but the length: these cameras do not end by themselves."""
        asked = {**self._simulated.settings, "pace": "real"}
        return {name: value for name, value in asked.items() if name != "seconds"}

    def plan(self, frames: dict[StreamName, ServedFrames]) -> dict[StreamName, ServedFrames]:
        """What is sent of what was drawn: all of it. To be overridden by who wants faults."""
        return frames

    def sent(self) -> dict[StreamName, list[int]]:
        """Numbers of the frames that were sent, by stream, as the recorder counts them."""
        sent = self.realsense.sent
        return {"color": sent["color"], "depth": sent["depth"], "thermal": self.server.sent()}

    def truth(self) -> Truth:
        """What really happened, for every exposure up to the last that was sent.

        Latents and landmarks are the simulated rig's; the clocks are those of the served cameras,
        which keep microseconds of 32 bits in place of the whole count here.
        """
        begin_ns, sent, truth = self._beginning.begin(), self.sent(), self._drawn
        numbers = {**sent, "thermal": [block - _FIRST_BLOCK for block in sent["thermal"]]}
        streams = {n: _as_sent(t, numbers[n], begin_ns) for n, t in truth.streams.items()}
        color, thermal = streams["color"], streams["thermal"]
        streams["color"] = dataclasses.replace(
            color, device_ns=self._depth_clock(color.true_ns - begin_ns)
        )
        streams["thermal"] = dataclasses.replace(
            thermal, frame_number=thermal.frame_number + _FIRST_BLOCK
        )
        return dataclasses.replace(
            truth,
            latents=dataclasses.replace(truth.latents, time_ns=truth.latents.time_ns + begin_ns),
            streams=streams,
            settings={**truth.settings, **self.settings, "start_ns": begin_ns},
        )

    def _as_cameras_count(
        self, drawn: dict[StreamName, ServedFrames]
    ) -> dict[StreamName, ServedFrames]:
        """The take in the units and on the clocks of the cameras that send it."""
        sent = {name: self._sent_after_readout(name, frames) for name, frames in drawn.items()}
        color, thermal = sent["color"], sent["thermal"]
        true_ns = self._drawn.streams["color"].true_ns[color.frame_number]
        return {
            "color": dataclasses.replace(color, device_ns=self._depth_clock(true_ns)),
            "depth": sent["depth"],
            "thermal": dataclasses.replace(thermal, pixels=in_ax5_counts(thermal.pixels)),
        }

    def _sent_after_readout(self, stream: StreamName, frames: ServedFrames) -> ServedFrames:
        """Frames without the delays of a simulated link: here real ones come on top."""
        true_ns = self._drawn.streams[stream].true_ns[frames.frame_number]
        due_ns = true_ns + frames.exposure_ns // 2 + _READOUT_NS
        return dataclasses.replace(frames, due_ns=due_ns)

    def _depth_clock(self, true_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """What the one clock of the RealSense shows at times (N,) after the beginning."""
        return DeviceClock(**self._drawn.settings["clocks"]["depth"]).device_ns(true_ns)


def in_ax5_counts(centikelvin: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Counts of 0.04 K, which fit into 14 bits, from the simulated rig's of 0.01 K."""
    return np.asarray(np.round(centikelvin * (_RIG_KELVIN / _AX5_KELVIN)), np.uint16)


def _as_sent(truth: StreamTruth, numbers: list[int], begin_ns: int) -> StreamTruth:
    """The truth of a stream up to its last frame that was sent, on the host's clock."""
    count = max(numbers, default=-1) + 1
    cut = {field.name: getattr(truth, field.name)[:count] for field in dataclasses.fields(truth)}
    is_sent = np.isin(cut["frame_number"], numbers)
    return dataclasses.replace(
        truth, **{**cut, "true_ns": cut["true_ns"] + begin_ns, "dropped": ~is_sent}
    )
