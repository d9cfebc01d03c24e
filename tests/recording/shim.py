"""Builds the V4L2 shim, starts the reader under it, and knows what its frames show."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
RATE_HZ = 30


def build(folder):
    """The shim as a library; skips where there is nothing to build it with."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not sys.platform.startswith("linux") or compiler is None:
        pytest.skip("the V4L2 shim needs Linux and a C compiler")
    library = folder / "v4l2_shim.so"
    sources = [HERE / "v4l2_shim.c", "-o", library, "-ldl", "-lpthread"]
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", *sources], check=True)
    return library


def run(library, devices, arguments, log):
    """What the reader printed, with these devices there."""
    text = ";".join(
        ",".join(f"{key}={value}" for key, value in {"rate": RATE_HZ, **device}.items())
        for device in devices
    )
    shim = {"V4L2_SHIM": text, "V4L2_SHIM_LOG": str(log), "LD_PRELOAD": str(library)}
    done = subprocess.run(
        [sys.executable, HERE / "v4l2_reader.py", *map(str, arguments)],
        env={**os.environ, **shim, "OPENCV_LOG_LEVEL": "SILENT"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def handed_out(log):
    """Sequence and stamp of every frame that a program got of a device, by its path."""
    frames = {}
    for line in log.read_text().splitlines():
        path, sequence, stamp_ns = line.split()
        frames.setdefault(path, []).append((int(sequence), int(stamp_ns)))
    return frames


def counts_of(exposure, shape):
    """uint16 (H, W) of a Y16 device."""
    y, x = np.indices(shape)
    return (29000 + (x * 7 + y * 13 + exposure * 31) % 4096).astype(np.uint16)


def picture_of(exposure, shape):
    """RGB (H, W, 3) of a YUYV device, by OpenCV's own conversion."""
    import cv2

    y, x = np.indices(shape)
    luma = 16 + (x * 3 + y * 5 + exposure * 7) % 220
    chroma = np.where(x % 2, 100 + exposure % 50, 150 - y % 50)
    samples = np.stack([luma, chroma], axis=-1).astype(np.uint8)
    return cv2.cvtColor(samples, cv2.COLOR_YUV2RGB_YUYV)


def read(library, folder, devices, jobs):
    """What the reader's jobs saw, all at once, each with the device of its name.

    Args:
        library: The shim.
        folder: For the files of this run.
        devices: Settings of the devices by name.
        jobs: What is done with them, by name; see `v4l2_reader.read`.
    """
    paths = {name: f"/dev/video{40 + number}" for number, name in enumerate(devices)}
    for path in paths.values():
        (folder / "sysfs" / path.removeprefix("/dev/")).mkdir(parents=True)
    set_up = [{"path": paths[name], "card": name, **devices[name]} for name in devices]
    sent = {name: {"source": paths[name], **job} for name, job in jobs.items()}
    (folder / "jobs.json").write_text(json.dumps(sent))
    run(library, set_up, ["read", folder / "jobs.json", folder], folder / "log")
    out = handed_out(folder / "log")
    seen = {name: Seen(folder / f"{name}.npz") for name in jobs}
    for name, path in paths.items():
        seen[name].handed_out = dict(out.get(path, []))
    return seen


def record(library, folder, devices, takes):
    """Records takes all at once, each from a pair of the devices; tells what came of each.

    Args:
        library: The shim.
        folder: For the files of this run; "log" says what was handed out.
        devices: Settings of the devices, with their paths.
        takes: Jobs of `v4l2_reader.record`.
    """
    (folder / "takes.json").write_text(json.dumps(takes))
    printed = run(library, devices, ["takes", folder / "takes.json"], folder / "log")
    return json.loads(printed.splitlines()[-1])


def read_file(camera):
    """Every frame of a camera that ends."""
    frames = []
    camera.open()
    camera.start()
    try:
        while True:
            frames.append(camera.read(0.2))
    except EOFError:
        return frames
    finally:
        camera.close()


def write_file(path, frames, stored_as, given_as=None):
    """A lossless video of arrays, 25 frames a second."""
    import av

    with av.open(str(path), "w") as file:
        stream = file.add_stream("ffv1", rate=25)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = stored_as
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format=given_as or stored_as)
            file.mux(stream.encode(picture))
        file.mux(stream.encode())
    return str(path)


class Seen:
    """What one job of the reader saw."""

    def __init__(self, path):
        with np.load(path) as file:
            for name in file.files:
                setattr(self, name, file[name])
        self.errors = json.loads(str(self.errors))
        self.infos = json.loads(str(self.infos))
