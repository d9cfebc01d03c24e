"""Reads shim devices with our own cameras; run with LD_PRELOAD by the tests.

python v4l2_reader.py read JOBS.json FOLDER    one thread a job; FOLDER gets NAME.npz each
python v4l2_reader.py takes JOBS.json          one take a job, all at once; prints what came of them
"""

from __future__ import annotations

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np

from mavfer.errors import DeviceError
from mavfer.study.study import Study
from recording.camera import LostFrame
from recording.opencv.v4l2 import list_devices
from recording.recorder import record_take
from recording.thermal_uvc import ThermalUvc
from recording.webcam import Webcam

ARMED_AFTER_FRAMES = 5
KINDS = {"thermal": ThermalUvc, "webcam": Webcam}


class Log:
    """What one job saw."""

    def __init__(self):
        self.frames, self.lost, self.errors, self.waits_ms, self.infos = [], [], [], [], []

    def save(self, path):
        empty = np.zeros(0)
        np.savez(
            path,
            pixels=np.array([f.pixels for f in self.frames]) if self.frames else empty,
            numbers=[f.frame_number for f in self.frames],
            host_ns=[f.host_ns for f in self.frames],
            device_ns=[f.device_ns for f in self.frames],
            domains=[int(f.domain) for f in self.frames],
            flags=[int(f.flags) for f in self.frames],
            details=[f.details for f in self.frames],
            jpegs=[sha256(f.jpeg or b"").hexdigest() for f in self.frames],
            lost=self.lost,
            waits_ms=self.waits_ms,
            errors=json.dumps(self.errors),
            infos=json.dumps([asdict(info) for info in self.infos]),
        )


def read(job, log):
    """Reads so many frames, opening anew as often as the job allows."""
    camera = KINDS[job["kind"]](job["source"], **job.get("options", {}))
    openings = job.get("openings", 1)
    while openings:
        openings -= 1
        began = time.monotonic()
        try:
            open_patiently(camera, job.get("patience_seconds", 0))
            log.infos.append(camera.info)
            camera.start()
            read_frames(camera, job, log)
        except DeviceError as error:
            log.errors.append([str(error), time.monotonic() - began])
        finally:
            camera.close()


def open_patiently(camera, seconds):
    until = time.monotonic() + seconds
    while True:
        try:
            return camera.open()
        except DeviceError:
            if time.monotonic() >= until:
                raise
            time.sleep(0.05)


def read_frames(camera, job, log):
    wanted = len(log.frames) + job["frames"]
    while len(log.frames) < wanted:
        began = time.monotonic()
        frame = camera.read(0.1)
        if frame is None:
            log.waits_ms.append((time.monotonic() - began) * 1e3)
        elif isinstance(frame, LostFrame):
            log.lost.append(frame.frame_number)
        else:
            log.frames.append(frame)
        if len(log.frames) == job.get("sleeps_at"):
            time.sleep(0.6)
    if "drains_after" in job:
        time.sleep(job["drains_after"])
        camera.stop()
        with suppress(EOFError):
            while True:
                log.frames.append(camera.read(0.1))


def main_read(jobs, folder):
    logs = {name: Log() for name in jobs}
    threads = [threading.Thread(target=read, args=(job, logs[name])) for name, job in jobs.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, log in logs.items():
        log.save(folder / f"{name}.npz")
    devices = [asdict(device) for device in list_devices(folder / "sysfs")]
    (folder / "devices.json").write_text(json.dumps(devices))


class Pair:
    """A rig of a webcam and a thermal camera, with their options."""

    name, is_paced = "shim", True

    def __init__(self, job):
        self.cameras = [Webcam(**job["color"]), ThermalUvc(**job["thermal"])]
        self.calibration = job.get("calibration")
        self.settings = {"color_codec": "x264-lossless"}


def record(job):
    """One take; what came of it. Faults are let loose once thermal frames are written."""

    def arm(progress):
        if progress.frames["thermal"] >= ARMED_AFTER_FRAMES and "arms" in job:
            Path(job["arms"]).touch()

    study = Study.open(Path(job["study"]), writable=True)
    take = record_take(
        study, Pair(job), subject=job["subject"], seconds=job["seconds"], progress=arm
    )
    return {"folder": str(take.folder), "failures": take.failures}


def main_takes(jobs):
    with ThreadPoolExecutor(len(jobs)) as pool:
        print(json.dumps(list(pool.map(record, jobs))))


if __name__ == "__main__":
    cv2.setNumThreads(1)
    verb, jobs, *folder = sys.argv[1:]
    asked = json.loads(Path(jobs).read_text())
    if verb == "read":
        main_read(asked, Path(folder[0]))
    else:
        main_takes(asked)
