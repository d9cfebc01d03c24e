"""What recording costs: 1080p color, 1280x720 depth and 640x512 thermal, 30 a second, in real time.

The frames are drawn beforehand, so that what is measured is the recorder: its threads, the encoder
and the files; once on its own and once beside two processes that do nothing but compute. Beside it,
in the same run, the straightforward way: every frame into HDF5 with gzip.

    python benchmarks/record_throughput.py [--seconds 600] [--codec jpeg95] [--quick]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import h5py

from mavfer.study.study import Study, software_versions
from recording.camera import ClockDomain, Frame
from recording.recorder import record_take
from recording.simulated import SimulatedRig

SIZES = {"color": (1920, 1080), "depth": (1280, 720), "thermal": (640, 512)}
RATES_HZ = {"color": 30.0, "depth": 30.0, "thermal": 30.0}
SECONDS, QUICK_SECONDS, PLAIN_SECONDS = 600, 10, 2
BUSY_PROCESSES = 2
CODECS = ("h264", "jpeg95")
DRAWN_FRAMES = 6
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

    def __init__(self, drawn, seconds, codec):
        self.settings = {"seconds": seconds, "color_codec": codec}
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


def record(drawn, seconds, root, codec):
    """Core share, memory, counts and bytes of one take through the recorder."""
    study = Study.create(root)
    measured = {"rss_mb": 0.0, "core_share": 0.0}
    begun = []  # wall and CPU time when frames began to come: opening cameras and files is over

    def look(progress):
        now = time.monotonic(), time.process_time()
        begun[:] = begun or now
        if now > tuple(begun):
            measured["core_share"] = (now[1] - begun[1]) / (now[0] - begun[0])
        measured["rss_mb"] = max(measured["rss_mb"], resident_mb())

    take = record_take(study, ReplayRig(drawn, seconds, codec), subject="S01", progress=look)
    written = sum((take.folder / name).stat().st_size for name in ("color.mkv", "streams.h5"))
    return {
        **measured,
        "frames": sum(take.progress.frames.values()),
        "drops": sum(take.progress.drops.values()),
        "most_queued_frames": max(take.progress.most_queued.values()),
        "written_mb_per_second": written / 1e6 / seconds,
    }


def resident_mb():
    """Memory that the process holds at this moment, the drawn frames among it."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def busy_processes(count):
    """Processes that want a core each, as long as the block runs."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


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
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of each take")
    parser.add_argument("--codec", action="append", choices=CODECS, help="color; all by default")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SECONDS} seconds a take")
    options = parser.parse_args()
    seconds = QUICK_SECONDS if options.quick else options.seconds
    drawn = draw_frames()
    raw_mb = sum(pictures[0].nbytes * info.rate_hz for info, pictures in drawn) / 1e6
    values = {"seconds": seconds, "raw_mb_per_second": raw_mb}
    with tempfile.TemporaryDirectory() as folder:
        for codec in options.codec or CODECS:
            record(drawn, 0.5, Path(folder) / f"{codec}-warm-up", codec)
            alone = record(drawn, seconds, Path(folder) / codec, codec)
            with busy_processes(BUSY_PROCESSES):
                beside = record(drawn, seconds, Path(folder) / f"{codec}-beside", codec)
            values |= {f"{codec}_{name}": value for name, value in alone.items()}
            values |= {f"{codec}_{name}_beside_busy": value for name, value in beside.items()}
        plain = record_plainly(drawn, PLAIN_SECONDS, Path(folder) / "plain.h5")
    values["gzip_core_share_needed"] = plain["cpu"] / PLAIN_SECONDS
    plain_mb_per_second = plain["bytes"] / 1e6 / PLAIN_SECONDS
    ratios = {}
    for codec in options.codec or CODECS:
        share, written = values[f"{codec}_core_share"], values[f"{codec}_written_mb_per_second"]
        ratios[f"{codec}_cpu_hdf5_gzip"] = plain["cpu"] / PLAIN_SECONDS / share
        ratios[f"{codec}_bytes_hdf5_gzip"] = plain_mb_per_second / written
    result = {"benchmark": "record_throughput", "ratios": ratios, "values": values}
    print(json.dumps({**result, "versions": software_versions("av", "opencv-python")}))


if __name__ == "__main__":
    main()
