"""What recording costs: 1080p color, 1280x720 depth and 640x512 thermal, 30 a second, in real time.

The frames are drawn beforehand, with the noise of sensors (color: two grey levels, of each pixel
and channel by itself). The cameras here copy a frame into new memory, as drivers do; what that
costs is measured, and told apart from the recorder's share. Each codec is measured once alone and
once beside two processes that do nothing but compute, in sessions of their own as from another
terminal. Beside it, in the same run, what two other ways cost for the same frames, in one thread
that never waits: every frame into HDF5 with gzip; and JPEG of OpenCV with depth and thermal in
HDF5 with Blosc2, which needed 0.52 core, waiting for frames included, on the machine where the
limit of 0.60 was chosen.

    python benchmarks/record_throughput.py [--seconds 600] [--codec jpeg95] [--quick]

Ten minutes take 30 GB of disk at a time, in the folder for temporary files (TMPDIR).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import h5py
import hdf5plugin

from mavfer.study.study import Study, software_versions
from recording.camera import ClockDomain, Frame
from recording.recorder import record_take
from recording.simulated import SimulatedRig
from recording.simulated.sensors import NOISE

SIZES = {"color": (1920, 1080), "depth": (1280, 720), "thermal": (640, 512)}
RATES_HZ = {"color": 30.0, "depth": 30.0, "thermal": 30.0}
SECONDS, QUICK_SECONDS, PLAIN_SECONDS = 600, 10, 4
BUSY_PROCESSES = 2
CODECS = ("jpeg95", "h264")
MOST_CORE_SHARE, MOST_RSS_MB = 0.60, 800
"""What is to be reached alone; drops are to be none, alone and beside."""
RSS_SPANS = 10
"""Memory is told for so many parts of a take, to show whether it grows."""
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
        self.cpu_seconds = 0.0

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
        begun = time.thread_time()
        pixels = self._pictures[number % len(self._pictures)].copy()
        self.cpu_seconds += time.thread_time() - begun
        return Frame(
            pixels=pixels,
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
    NOISE["color"]["shot_variance_per_level"] = 0.0  # what is left is white noise of two levels
    rig = SimulatedRig(0, seconds=1, pace="fast", sizes=SIZES, rates_hz=RATES_HZ, drop_share=0)
    drawn = []
    for camera in rig.cameras:
        camera.open()
        camera.start()
        pictures = [camera.read(1).pixels for _ in range(DRAWN_FRAMES)]
        camera.close()
        drawn.append((camera.info, pictures))
    return drawn


def apart(function, *arguments):
    """What a function answers in a process of its own, whose memory is the function's alone."""
    with ProcessPoolExecutor(1, get_context("spawn")) as elsewhere:
        return elsewhere.submit(function, *arguments).result()


class Watch:
    """What the process costs while frames come: opening cameras and files is over."""

    def __init__(self, cameras, seconds):
        self._cameras, self._seconds = cameras, seconds
        self._begun = self._threads_begun = self._next_threads = None
        self._parts = {}
        self._rss_mb = [0.0] * RSS_SPANS
        self.last = {}

    def look(self, _progress):
        """Takes note; about twenty times a second, of the threads once a second."""
        now = time.monotonic(), time.process_time(), self._cameras_cpu()
        if self._begun is None:
            self._begun, self._threads_begun, self._next_threads = now, threads_cpu(), now[0] + 1
        wall = now[0] - self._begun[0]
        span = min(int(wall / self._seconds * RSS_SPANS), RSS_SPANS - 1)
        self._rss_mb[span] = max(self._rss_mb[span], resident_mb())
        if not wall:
            return
        self.last = {
            "core_share": (now[1] - self._begun[1]) / wall,
            "cameras_core_share": (now[2] - self._begun[2]) / wall,
        }
        if now[0] >= self._next_threads:
            self._next_threads += 1
            for name, cpu in threads_cpu().items():
                self._parts[name] = (cpu - self._threads_begun.get(name, 0.0)) / wall

    def result(self):
        """Shares of a core, in all and by thread, and memory."""
        return {
            **self.last,
            "core_share_by_thread": {name: round(cpu, 4) for name, cpu in self._parts.items()},
            "rss_mb": max(self._rss_mb),
            "rss_mb_over_time": [round(rss_mb) for rss_mb in self._rss_mb],
        }

    def _cameras_cpu(self):
        return sum(camera.cpu_seconds for camera in self._cameras)


def record(drawn, seconds, root, codec):
    """Core share, memory, counts and bytes of one take through the recorder."""
    study, rig = Study.create(root), ReplayRig(drawn, seconds, codec)
    watch, before = Watch(rig.cameras, seconds), machine_ticks()
    load = os.getloadavg()[0]
    take = record_take(study, rig, subject="S01", progress=watch.look)
    after = machine_ticks()
    written = sum((take.folder / name).stat().st_size for name in ("color.mkv", "streams.h5"))
    shutil.rmtree(root)
    return {
        **watch.result(),
        "frames": sum(take.progress.frames.values()),
        "drops": sum(take.progress.drops.values()),
        "most_queued_frames": max(take.progress.most_queued.values()),
        "written_mb_per_second": written / 1e6 / seconds,
        "load_average_before": load,
        "stolen_share": (after[1] - before[1]) / max(after[0] - before[0], 1),
    }


def threads_cpu():
    """CPU seconds of this process's threads, by name."""
    found = {}
    for thread in threading.enumerate():
        with suppress(OSError):  # it has ended meanwhile
            stat = Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text("ascii")
            found[thread.name] = found.get(thread.name, 0.0) + int(stat.split()[0]) / 1e9
    return found


def machine_ticks():
    """All ticks of the machine's processors, and those that a hypervisor gave to others."""
    ticks = [int(word) for word in Path("/proc/stat").read_text("ascii").split()[1:9]]
    return sum(ticks), ticks[7]


def resident_mb():
    """Memory that the process holds at this moment, the drawn frames among it."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def busy_processes(count):
    """Processes that want a core each, as long as the block runs."""
    command = [sys.executable, "-c", "while True: pass"]
    busy = [subprocess.Popen(command, start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def record_plainly(drawn, seconds, path, *, is_jpeg, **compression):
    """CPU seconds and bytes of the same frames appended to HDF5, one chunk a frame.

    With `is_jpeg` color is encoded by OpenCV, and its JPEGs are appended to a file.
    """
    pictures_path = path.with_suffix(".jpegs")
    begun = time.process_time()
    with h5py.File(path, "w") as file, pictures_path.open("wb") as jpegs:
        for info, pictures in drawn:
            frames = [pictures[n % len(pictures)] for n in range(round(seconds * info.rate_hz))]
            if is_jpeg and info.stream == "color":
                for frame in frames:
                    bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
                    jpegs.write(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])[1])
                continue
            shape = frames[0].shape
            dataset = file.create_dataset(
                info.stream, (0, *shape), info.dtype, maxshape=(None, *shape),
                chunks=(1, *shape), **compression,
            )  # fmt: skip
            for number, frame in enumerate(frames):
                dataset.resize(number + 1, axis=0)
                dataset[number] = frame
    cpu = time.process_time() - begun
    written = path.stat().st_size + pictures_path.stat().st_size
    return {"core_share": cpu / seconds, "mb_per_second": written / 1e6 / seconds}


def measure_others(drawn, folder):
    """Core share and MB/s of the other ways, by name."""
    blosc2 = hdf5plugin.Blosc2(cname="zstd", clevel=1, filters=hdf5plugin.Blosc2.BITSHUFFLE)
    ways = {
        "hdf5_gzip": {"is_jpeg": False, "compression": "gzip"},
        "cv2_jpeg_and_blosc2": {"is_jpeg": True, **blosc2},
    }
    found = {}
    for name, way in ways.items():
        found[name] = apart(partial(record_plainly, **way), drawn, PLAIN_SECONDS, folder / name)
        print(f"{name}: {found[name]['core_share']:.3f} core", file=sys.stderr, flush=True)
    return found


def tell(codec, place, measured):
    """Writes a take's numbers for a reader's eye."""
    is_reached = measured["drops"] == 0
    if place == "alone":
        is_reached &= measured["core_share"] <= MOST_CORE_SHARE
    is_reached &= measured["rss_mb"] <= MOST_RSS_MB
    lines = [
        f"{codec}, {place}: {'reached' if is_reached else 'NOT REACHED'}",
        f"  {measured['core_share']:.3f} core, of which the cameras' copies "
        f"{measured['cameras_core_share']:.3f}",
        f"  {measured['drops']} drops of {measured['frames'] + measured['drops']} frames, "
        f"at most {measured['most_queued_frames']} queued",
        f"  {measured['rss_mb']:.0f} MB resident; over time {measured['rss_mb_over_time']}",
        f"  {measured['written_mb_per_second']:.1f} MB/s written; load before "
        f"{measured['load_average_before']:.1f}, stolen {measured['stolen_share']:.1%}",
        *(
            f"  {name:20s} {share:.4f} core"
            for name, share in sorted(measured["core_share_by_thread"].items())
        ),
    ]
    print("\n".join(lines), file=sys.stderr, flush=True)


def measure(drawn, seconds, folder, codec):
    """Values of a codec, alone and beside busy processes."""
    alone = apart(record, drawn, seconds, folder / "alone", codec)
    tell(codec, "alone", alone)
    with busy_processes(BUSY_PROCESSES):
        beside = apart(record, drawn, seconds, folder / "beside", codec)
    tell(codec, f"beside {BUSY_PROCESSES} busy processes", beside)
    return {
        **{f"{codec}_{name}": value for name, value in alone.items()},
        **{f"{codec}_{name}_beside_busy": value for name, value in beside.items()},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of each take")
    parser.add_argument("--codec", action="append", choices=CODECS, help="color; all by default")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SECONDS} seconds a take")
    options = parser.parse_args()
    seconds = QUICK_SECONDS if options.quick else options.seconds
    codecs = options.codec or CODECS
    drawn = apart(draw_frames)
    raw_mb = sum(pictures[0].nbytes * info.rate_hz for info, pictures in drawn) / 1e6
    values = {"seconds": seconds, "raw_mb_per_second": raw_mb}
    with tempfile.TemporaryDirectory() as folder:
        for codec in codecs:
            values |= measure(drawn, seconds, Path(folder), codec)
        others = measure_others(drawn, Path(folder))
    ratios = {}
    for name, other in others.items():
        values |= {f"{name}_{key}": value for key, value in other.items()}
        for codec in codecs:
            share, written = values[f"{codec}_core_share"], values[f"{codec}_written_mb_per_second"]
            ratios[f"{codec}_cpu_{name}"] = other["core_share"] / share
            ratios[f"{codec}_bytes_{name}"] = other["mb_per_second"] / written
    result = {"benchmark": "record_throughput", "ratios": ratios, "values": values}
    print(
        json.dumps({**result, "versions": software_versions("av", "opencv-python", "simplejpeg")})
    )


if __name__ == "__main__":
    main()
