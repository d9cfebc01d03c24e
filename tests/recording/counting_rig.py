"""A rig whose frames say their own number, so that a test knows what came through.

Run as a script it records until it is stopped or killed, and prints what was written so far.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from recording.camera import CameraInfo, ClockDomain, Frame, FrameFlag, LostFrame

HEIGHT, WIDTH = 48, 64
RATES_HZ = {"color": 30.0, "depth": 30.0, "thermal": 25.0}
EPOCH_NS = 5_000_000_000


def counts_of(stream, number, shape=(HEIGHT, WIDTH)):
    """The u16 frame `number` of depth or thermal."""
    seed = number * 2 + (stream == "thermal")
    return np.random.default_rng(seed).integers(0, 65536, shape, dtype=np.uint16)


def picture_of(number, shape=(HEIGHT, WIDTH)):
    """The color frame `number`: 16 bars, black or white, that spell it."""
    bits = (number >> np.arange(16)) & 1
    bars = np.repeat(bits * 200 + 20, -(-shape[1] // 16))[: shape[1]]
    return np.broadcast_to(bars[None, :, None], (*shape, 3)).astype(np.uint8)


def number_of(picture):
    """The number that a color frame spells."""
    width = picture.shape[1] / 16
    columns = ((np.arange(16) + 0.5) * width).astype(int)
    bits = picture[picture.shape[0] // 2, columns, 1] > 120
    return int((bits << np.arange(16)).sum())


DETAIL_NAMES = ("sensor_celsius", "readout_us")


def details_of(number):
    """The details of frame `number`; every third time the camera does not say."""
    return (30 + number / 8, np.nan if number % 3 == 0 else 1000.0 + number)


class CountingCamera:
    """Gives `frames` frames; those in `lost` are counted and never given, those in `cut` are known
    to be lost on the link.

    At `fails_at` the cable is pulled, at `sticks_at` it says nothing ever again.
    """

    def __init__(
        self,
        stream,
        frames,
        *,
        model,
        paced,
        shape,
        hurried,
        lost=(),
        fails_at=None,
        sticks_at=None,
        shutter=(),
        details=False,
        cut=(),
    ):
        self.stream, self.frames, self.paced, self.shape = stream, frames, paced, shape
        self.lost, self.fails_at, self.shutter = set(lost), fails_at, set(shutter)
        self.cut = set(cut)
        self.model, self.number, self.hurried = model, 0, hurried
        self.sticks_at, self.details = sticks_at, details
        self.stopped_ns = None
        self.calls = []

    @property
    def info(self):
        return CameraInfo(
            stream=self.stream,
            model=self.model,
            serial=f"{self.stream}-1",
            width=self.shape[1],
            height=self.shape[0],
            rate_hz=RATES_HZ[self.stream],
            dtype="uint8" if self.stream == "color" else "uint16",
            depth_mm_per_count=0.25 if self.stream == "depth" else None,
            radiometry={"formula": "linear", "kelvin_per_count": 0.04, "offset_kelvin": 0.0}
            if self.stream == "thermal"
            else None,
            detail_names=DETAIL_NAMES if self.details else (),
        )

    def open(self):
        self.calls.append("open")

    def start(self):
        self.started_ns, self.stopped_ns = time.monotonic_ns(), None
        self.calls.append("start")

    def read(self, timeout_seconds):
        if self.number == self.fails_at:
            raise OSError("the cable was pulled")
        if self.number == self.sticks_at:
            threading.Event().wait()
        while self.number in self.lost:
            self.number += 1
        if self.frames is not None and self.number >= self.frames:
            raise EOFError
        since_start_ns = round(self.number * 1e9 / RATES_HZ[self.stream])
        if not self.had_exposed(since_start_ns):
            raise EOFError
        number, self.number = self.number, self.number + 1
        host_ns = EPOCH_NS + since_start_ns
        if self.paced and not self.hurried:
            host_ns = self.started_ns + since_start_ns
            time.sleep(max(0.0, (host_ns - time.monotonic_ns()) / 1e9))
        if number in self.cut:
            return LostFrame(number, host_ns)
        is_color = self.stream == "color"
        pixels = picture_of(number, self.shape) if is_color else None
        return Frame(
            pixels=pixels if is_color else counts_of(self.stream, number, self.shape),
            host_ns=host_ns,
            device_ns=since_start_ns,
            domain=ClockDomain.DEVICE,
            frame_number=number,
            exposure_ns=8_000_000,
            flags=FrameFlag.SHUTTER if number in self.shutter else FrameFlag(0),
            details=details_of(number) if self.details else (),
        )

    def had_exposed(self, since_start_ns):
        """Whether a frame was exposed before the camera was stopped, if it was."""
        if self.stopped_ns is None:
            return True
        in_real_time = self.paced and not self.hurried
        return in_real_time and self.started_ns + since_start_ns <= self.stopped_ns

    def stop(self):
        self.stopped_ns = time.monotonic_ns()
        self.calls.append("stop")

    def close(self):
        self.calls.append("close")


class CountingRig:
    """Color, depth and thermal; `options` are by stream, for example `depth={"lost": [3]}`."""

    name = "counting"

    def __init__(
        self,
        frames=30,
        *,
        model="simulated",
        paced=False,
        hurried=False,
        shape=(HEIGHT, WIDTH),
        streams=("color", "depth", "thermal"),
        settings=None,
        calibration=None,
        **options,
    ):
        self.is_paced, self.calibration = paced, calibration
        self.settings = {"frames": frames, **(settings or {})}
        common = {"model": model, "paced": paced, "shape": shape, "hurried": hurried}
        self.cameras = [
            CountingCamera(stream, frames, **common, **options.get(stream, {}))
            for stream in streams
        ]


class RecorderProcess:
    """A recorder in a process of its own; `written` is what it last said of its three streams."""

    def __init__(self, study, shape=(48, 64), reserve_bytes=0, color_sticks_at=-1, continues=""):
        numbers = [*shape, reserve_bytes, color_sticks_at]
        command = [sys.executable, __file__, study.root, continues, *numbers]
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.written = [0, 0, 0]

    def wait_for(self, frames):
        while self.written[0] < frames:
            line = self.process.stdout.readline()
            assert line, self.process.stderr.read()
            self.written = [int(word) for word in line.split()]

    def end(self, number=None):
        """Sends a signal, waits, and gives what was printed as an error."""
        if number is not None:
            self.process.send_signal(number)
        out, errors = self.process.communicate(timeout=60)
        for line in out.splitlines():
            self.written = [int(word) for word in line.split()]
        return errors


def main(root, continues, shape, reserve_bytes, sticks_at):
    from mavfer.errors import MavferError
    from mavfer.study.study import Study
    from recording.recorder import record_take, stopping_on_signals

    def tell(progress):
        print(*progress.frames.values(), flush=True)

    rig = CountingRig(
        None, paced=True, shape=shape, color={"sticks_at": sticks_at}, thermal={"details": True}
    )
    with stopping_on_signals() as stop:
        try:
            record_take(
                Study.open(Path(root)),
                rig,
                subject="S01",
                continues=continues or None,
                stop=stop,
                progress=tell,
                reserve_bytes=reserve_bytes,
            )
        except MavferError as error:
            sys.exit(str(error))


if __name__ == "__main__":
    height, width, reserve, color_frames = map(int, sys.argv[3:])
    main(sys.argv[1], sys.argv[2], (height, width), reserve, color_frames)
