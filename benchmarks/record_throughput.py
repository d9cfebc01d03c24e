"""What recording costs: 720p color, 848x480 depth and 640x512 thermal, in real time.

The frames are drawn beforehand, so that what is measured is the recorder: its threads, the encoder
and the files. Beside it, in the same run, the straightforward way: every frame into HDF5 with gzip.

    python benchmarks/record_throughput.py [--quick]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import h5py

from mavfer.study.study import Study, software_versions
from recording.camera import ClockDomain, Frame
from recording.recorder import record_take
from recording.simulated import SimulatedRig

SIZES = {"color": (1280, 720), "depth": (848, 480), "thermal": (640, 512)}
RATES_HZ = {"color": 30.0, "depth": 30.0, "thermal": 25.0}
DRAWN_FRAMES = 12
"""They are shown forwards and backwards, so that motion goes on without a jump."""


class ReplayCamera:
    """Delivers frames that were drawn before, each at its time."""

    def __init__(self, info, pictures, seconds):
        self.info = info
        self._pictures = pictures + pictures[-2:0:-1]
        self._count = round(seconds * info.rate_hz)
        self._next = 0
        self._started_ns = 0

    def open(self):
        """Nothing to connect to."""

    def start(self):
        """Time begins."""
        self._started_ns = time.monotonic_ns()

    def read(self, timeout_seconds):
        """The next frame, when it is due."""
        number = self._next
        if number == self._count:
            raise EOFError
        due_ns = self._started_ns + round((number + 1) * 1e9 / self.info.rate_hz)
        wait_seconds = (due_ns - time.monotonic_ns()) / 1e9
        time.sleep(min(max(wait_seconds, 0), timeout_seconds))
        if wait_seconds > timeout_seconds:
            return None
        self._next += 1
        return Frame(
            pixels=self._pictures[number % len(self._pictures)],
            host_ns=time.monotonic_ns(),
            device_ns=due_ns,
            domain=ClockDomain.DEVICE,
            frame_number=number,
            exposure_ns=8_000_000,
        )

    def stop(self):
        """No more frames."""
        self._count = self._next

    def close(self):
        """Nothing to give back."""


class ReplayRig:
    """The three cameras."""

    name = "replay"
    is_paced = True
    calibration = None

    def __init__(self, drawn, seconds):
        self.settings = {"seconds": seconds}
        self.cameras = [ReplayCamera(info, pictures, seconds) for info, pictures in drawn]


def draw_frames():
    """Per camera what it says of itself, and a few frames of the simulated scene."""
    rig = SimulatedRig(0, seconds=1, pace="fast", sizes=SIZES, rates_hz=RATES_HZ, drop_share=0)
    drawn = []
    for camera in rig.cameras:
        camera.open()
        camera.start()
        pictures = [camera.read(1).pixels for _ in range(DRAWN_FRAMES)]
        camera.close()
        drawn.append((camera.info, pictures))
    return drawn


def record(drawn, seconds, root):
    """Core share, counts and bytes of one take through the recorder."""
    study = Study.create(root)
    wall, cpu = time.monotonic(), time.process_time()
    measured = {}

    def note_end(_):
        measured["wall"], measured["cpu"] = time.monotonic() - wall, time.process_time() - cpu

    take = record_take(study, ReplayRig(drawn, seconds), subject="S01", progress=note_end)
    return {
        **measured,
        "frames": sum(take.progress.frames.values()),
        "drops": sum(take.progress.drops.values()),
        "most_queued": max(take.progress.most_queued.values()),
        "bytes": sum((take.folder / name).stat().st_size for name in ("color.mkv", "streams.h5")),
    }


def record_plainly(drawn, seconds, path):
    """CPU seconds and bytes of the same frames appended to HDF5 with gzip, one chunk a frame."""
    begun = time.process_time()
    with h5py.File(path, "w") as file:
        for info, pictures in drawn:
            shape = pictures[0].shape
            dataset = file.create_dataset(
                info.stream, (0, *shape), info.dtype, maxshape=(None, *shape),
                chunks=(1, *shape), compression="gzip",
            )  # fmt: skip
            for number in range(round(seconds * info.rate_hz)):
                dataset.resize(number + 1, axis=0)
                dataset[number] = pictures[number % len(pictures)]
    return {"cpu": time.process_time() - begun, "bytes": path.stat().st_size}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="4 seconds instead of 30")
    seconds = 4 if parser.parse_args().quick else 30
    drawn = draw_frames()
    raw_mb = sum(p[0].nbytes * round(seconds * info.rate_hz) for info, p in drawn) / 1e6
    with tempfile.TemporaryDirectory() as folder:
        record(drawn, 0.5, Path(folder) / "warm-up")
        ours = record(drawn, seconds, Path(folder) / "study")
        share_seconds = min(seconds, 4)  # gzip is too slow for more
        plain = record_plainly(drawn, share_seconds, Path(folder) / "plain.h5")
    scale = seconds / share_seconds
    values = {
        "seconds": seconds,
        "core_share": ours["cpu"] / ours["wall"],
        "frames": ours["frames"],
        "drops": ours["drops"],
        "most_queued_frames": ours["most_queued"],
        "raw_mb_per_second": raw_mb / seconds,
        "written_mb_per_second": ours["bytes"] / 1e6 / seconds,
        "gzip_core_share_needed": plain["cpu"] / share_seconds,
    }
    ratios = {
        "cpu_hdf5_gzip": plain["cpu"] * scale / ours["cpu"],
        "bytes_hdf5_gzip": plain["bytes"] * scale / ours["bytes"],
    }
    result = {"benchmark": "record_throughput", "ratios": ratios, "values": values}
    print(json.dumps({**result, "versions": software_versions("av", "opencv-python")}))


if __name__ == "__main__":
    main()
