"""Takes of the simulated rig that came through the libraries of real cameras, faults included."""

from __future__ import annotations

import dataclasses
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from gige_server import GigeServer

from mavfer.study.session import Session
from mavfer.study.streams_file import STREAM_NUMBERS
from recording.recorder import record_take
from recording.simulated import SimulatedRig
from recording.simulated.serving import ServedRig
from recording.simulated.serving_frames import draw_frames

AFTERWARDS_SECONDS = 0.3
"""How long a take goes on after its last frame, so that all that was sent has arrived."""

RATES_HZ = {"color": 15, "depth": 15, "thermal": 9}
SMALL = {"color": (160, 120), "depth": (160, 120), "thermal": (160, 120)}
TELEMETRY_COUNT = 70_000
"""Where the shim's telemetry begins to count."""


class FaultyRig(ServedRig):
    """A served rig in whose take frames of depth are counted and not sent, and packets fall.

    With faults, color is written without loss.
    """

    server_kind = GigeServer

    def __init__(self, seed, *, missing_depth=(), lost_share=0.0, **options):
        self.missing_depth, self.lost_share = missing_depth, lost_share
        super().__init__(seed, **options)

    def __enter__(self):
        super().__enter__()
        self.server.tell(lose=self.lost_share)
        return self

    @property
    def settings(self):
        codec = "x264-lossless" if self.missing_depth else "h264"
        return {**super().settings, "color_codec": codec}

    def plan(self, frames):
        depth = frames["depth"]
        is_sent = ~np.isin(depth.frame_number, self.missing_depth)
        arrays = ("pixels", "frame_number", "due_ns", "device_ns", "exposure_ns")
        kept = {name: getattr(depth, name)[is_sent] for name in arrays}
        return {**frames, "depth": dataclasses.replace(depth, **kept)}


@dataclass(frozen=True)
class ServedTake:
    """A take that is over."""

    session: Session
    report: object
    sent: dict
    """Numbers of the frames that were sent, by stream."""
    pixels: dict
    """What they show, by stream and number."""
    factory: dict
    """The calibration that the RealSense says of itself."""

    def stored(self, stream):
        """Numbers, flags and pixels of what is on the disk."""
        times = self.session.times(stream)
        pixels = stored_pixels(self.session, stream)
        return times["frame_number"].tolist(), times["flags"].tolist(), pixels

    def listed(self, stream):
        """Numbers and causes of the drops of a stream."""
        return listed_drops(self.session, stream)


def record_served(study, rig, subject):
    """Records a served rig until all is sent and has arrived."""
    stop = threading.Event()
    ends_at = max(frames.due_ns[-1] for frames in rig.frames.values()) / 1e9 + AFTERWARDS_SECONDS

    def end_when_all_came(progress):
        if progress.frames["color"] and not hasattr(end_when_all_came, "at"):
            end_when_all_came.at = time.monotonic() + ends_at
        if time.monotonic() >= getattr(end_when_all_came, "at", np.inf):
            stop.set()

    take = record_take(study, rig, subject=subject, stop=stop, progress=end_when_all_came)
    first = {"color": 0, "depth": 0, "thermal": 1}  # GigE Vision counts from 1
    pixels = {
        stream: dict(
            zip((frames.frame_number + first[stream]).tolist(), frames.pixels, strict=True)
        )
        for stream, frames in rig.frames.items()
    }
    return ServedTake(
        Session.open(take.folder), take.report, rig.sent(), pixels, rig.realsense.calibration
    )


@dataclass(frozen=True)
class VideoFiles:
    """Drawn takes as the shim's devices send them."""

    color: str
    """YUYV."""
    thermal: str
    """Y16."""
    rgb: list
    """What OpenCV makes of each color exposure."""
    counts: np.ndarray
    """(N, H, W) of each thermal exposure."""

    def device(self, kind, path, **settings):
        """Settings of a device that sends one of the files."""
        frames = {"color": self.color, "thermal": self.thermal}[kind]
        size = {"width": SMALL[kind][0], "height": SMALL[kind][1], "rate": RATES_HZ[kind]}
        four = {"color": "YUYV", "thermal": "Y16 "}[kind]
        count = len({"color": self.rgb, "thermal": self.counts}[kind])
        file = {"frames": frames, "count": count}
        return {"path": path, "format": four, **file, **size, **settings}


def draw_video_files(folder, seed, seconds):
    """A take as files of the shim."""
    rig = SimulatedRig(
        seed, seconds=seconds, pace="fast", start_ns=0, sizes=SMALL, rates_hz=RATES_HZ, drop_share=0
    )
    frames = draw_frames(rig)
    samples = [cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_YUYV) for rgb in frames["color"].pixels]
    counts = frames["thermal"].pixels
    (folder / "color.yuyv").write_bytes(b"".join(one.tobytes() for one in samples))
    (folder / "thermal.y16").write_bytes(counts.tobytes())
    rgb = [cv2.cvtColor(one, cv2.COLOR_YUV2RGB_YUYV) for one in samples]
    return VideoFiles(str(folder / "color.yuyv"), str(folder / "thermal.y16"), rgb, counts)


@dataclass(frozen=True)
class VideoTake:
    """A take through V4L2 that is over."""

    session: Session
    failures: dict
    handed_out: dict
    """Sequence and stamp, nanoseconds, of every frame that the driver handed out, by stream."""
    exposures: dict
    """What each frame shows, by stream and sequence."""

    @classmethod
    def of(cls, told, color, thermal, files):
        """What the recording process told, and what the shim wrote down."""
        return cls(
            Session.open(Path(told["folder"])),
            told["failures"],
            {"color": color, "thermal": thermal},
            {"color": files.rgb, "thermal": files.counts},
        )

    @property
    def verdict(self):
        return self.session.document["audit"]["verdict"]

    def stamps_us(self, stream):
        """Of the stored frames."""
        return (self.session.times(stream)["device_ns"] // 1000).tolist()

    def listed(self, stream):
        return listed_drops(self.session, stream)

    def events(self, stream):
        """Kinds of the events that are about a stream, in order."""
        events = self.session.events
        mine = events["kind"][events["stream"] == STREAM_NUMBERS[stream]]
        return [kind.decode() for kind in mine]

    def require_whole(self, stream, *, numbers_from):
        """Nothing came between; and each frame has the number that the camera gave it."""
        count = len(self.stamps_us(stream))
        sequences = self.require_stretch(stream, 0, count)
        numbers = self.session.times(stream)["frame_number"].tolist()

        assert numbers == [numbers_from + sequence for sequence in sequences]
        assert self.handed_out[stream][-1][0] == sequences[-1]

    def require_stretch(self, stream, first, end):
        """Each frame handed out between two stored ones is stored, bit for bit; their sequences."""
        stamps_us = self.stamps_us(stream)[first:end]
        given = {stamp_ns // 1000: sequence for sequence, stamp_ns in self.handed_out[stream]}
        between = [stamp for stamp in given if stamps_us[0] <= stamp <= stamps_us[-1]]
        pixels = stored_pixels(self.session, stream)[first:end]

        assert stamps_us == between
        for stamp, found in zip(stamps_us, pixels, strict=True):
            assert np.array_equal(found, self.exposures[stream][given[stamp]])
        return [given[stamp] for stamp in stamps_us]


def stored_pixels(session, stream):
    """Every frame of a stream that is on the disk."""
    if stream == "color":
        return [frame.rgb() for frame in session.color_frames()]
    return session.read(stream, 0, len(session.times(stream)))


def listed_drops(session, stream):
    """Numbers and causes of the drops of a stream."""
    mine = session.drops[session.drops["stream"] == STREAM_NUMBERS[stream]]
    return dict(zip(mine["frame_number"].tolist(), mine["cause"].tolist(), strict=True))
