"""Long tests, run by `make soak` only: a minute of darkness, many kills, many batches."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from journey import Journey

import mavfer
from mavfer.cli import run
from mavfer.vision.mean_face import STABLE_POINTS

pytestmark = pytest.mark.soak

LIGHTS_OUT_SECONDS = 1.5
KILLS = 20
BATCHES = 10_000


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_depth_carries_the_head_through_a_minute_of_darkness(tmp_path, seed):
    root = tmp_path / "study"
    record = [
        *("record", str(root), "--subject", "P01", "--rig", "simulated", "--seed", str(seed)),
        *("--seconds", "60", "--lighting", "dark", "--pace", "fast"),
        *("--rate", "color=15", "--rate", "depth=15", "--rate", "thermal=12.5"),
    ]
    for command in (["init", str(root)], record, ["preprocess", str(root)]):
        assert run(command) == 0
    journey = Journey(root)
    rec, members = journey.dataset[0], journey.truth("P01-001").members
    true = members["/color/landmarks"][~members["/color/dropped"]]
    is_dark = rec.time_seconds > LIGHTS_OUT_SECONDS + 0.2
    apart = (rec.landmarks - true)[is_dark][:, list(STABLE_POINTS)].mean(axis=1)
    eyes = np.linalg.norm(true[:, 36] - true[:, 45], axis=1)[is_dark]
    percent = 100 * np.linalg.norm(apart, axis=1) / eyes
    print(
        f"seed {seed}: centre {np.nanmedian(percent):.2f} %, "
        f"p95 {np.nanpercentile(percent, 95):.2f} %"
    )

    assert np.isfinite(percent).mean() >= 0.98
    assert np.nanmedian(percent) <= 3
    assert np.nanpercentile(percent, 95) <= 8


def test_preprocessing_killed_many_times_ends_as_if_it_had_not_been(journey, tmp_path):
    root = tmp_path / "study"
    subprocess.run(["cp", "-r", journey.root, root], check=True)
    for product in [*root.glob("shards/*"), *root.glob("media/*")]:
        product.unlink()
    command = [sys.executable, "-m", "mavfer", "preprocess", root, "-j", "2"]
    moments = random.Random(0)
    for _ in range(KILLS):
        child = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        time.sleep(moments.uniform(2, 12))
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        for path in root.glob("shards/*.h5"):
            mavfer.load(root, labels=None)[path.stem].shard.verify()

    assert subprocess.run(command, check=False).returncode == 0
    assert run(["check", str(root)]) == 0
    for before, after in zip(journey.dataset, mavfer.load(root, labels=None), strict=True):
        for stream in ("color", "depth", "thermal"):
            assert np.array_equal(before.stream(stream)[:], after.stream(stream)[:])
        assert np.array_equal(before.landmarks, after.landmarks, equal_nan=True)


def test_many_batches_leave_memory_and_descriptors_flat(journey):
    clips = journey.dataset.clips(length=8, hop=2, start="random")
    loader = clips.loader(batch_size=4, threads=2)
    done, early = 0, 0
    for epoch in range(BATCHES):
        loader.set_epoch(epoch)
        for _ in loader:
            done += 1
            if done == BATCHES // 10:
                early = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if done >= BATCHES:
            break
    late = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    assert late <= 1.01 * early
    assert len(list(Path("/proc/self/fd").iterdir())) < 200
