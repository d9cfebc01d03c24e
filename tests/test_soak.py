"""Long tests, run by `make soak` only: a minute of darkness, many kills, many batches."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from journey import Journey
from recorder_kills import STREAMS, kill_takes
from shard_trials import (
    flip_anywhere,
    flip_each_frame,
    kill_indexers,
    kill_releases,
    kill_writers,
    read_batches,
)

import mavfer
from mavfer.cli import run
from mavfer.study.study import Study
from mavfer.vision.mean_face import STABLE_POINTS

pytestmark = pytest.mark.soak

LIGHTS_OUT_SECONDS = 1.5
KILLS = 20
WRITER_KILLS = 100
FLIPS = 500
BATCHES = 10_000
MOST_LOST = {"color": 15, "depth": 1, "thermal": 1}
MOST_BEHIND_SECONDS = 0.1


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


def test_takes_killed_at_random_moments_keep_all_but_the_last_frames(tmp_path):
    study = Study.create(tmp_path / "study")
    killed = list(kill_takes(study, KILLS))
    lost = {stream: [take.lost[stream] for take in killed] for stream in STREAMS}
    behind = [take.marks_behind_seconds for take in killed]
    print(f"{KILLS} kills: lost {lost}, marks at most {max(behind):.3f} s behind")

    assert [take.verdict for take in killed] == ["recovered"] * KILLS
    assert all(take.is_lossless for take in killed)
    assert all(take.is_accounted_for for take in killed)
    assert {stream: max(counts) <= MOST_LOST[stream] for stream, counts in lost.items()} == (
        dict.fromkeys(STREAMS, True)
    )
    assert max(behind) <= MOST_BEHIND_SECONDS


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


def test_a_hundred_killed_writers_leave_nothing_that_is_listed(tmp_path):
    parts, shards = kill_writers(tmp_path / "study", WRITER_KILLS)
    print(f"{WRITER_KILLS} kills: {parts} left a part, at {shards} there was a shard already")

    assert parts >= WRITER_KILLS // 4


def test_an_index_killed_a_hundred_times_is_what_it_would_have_been(tmp_path):
    kill_indexers(tmp_path / "study", WRITER_KILLS)


def test_killed_releases_are_not_there_or_whole(tmp_path):
    whole = kill_releases(tmp_path, KILLS)
    print(f"{KILLS} kills: {whole} releases were whole")


def test_every_flipped_byte_of_pixels_is_told_with_session_stream_and_frame(tmp_path):
    assert flip_each_frame(tmp_path / "study", frames=60) == 5 * 60


def test_a_bit_flipped_anywhere_is_told_or_changes_nothing(tmp_path):
    told, silent = flip_anywhere(tmp_path / "study", FLIPS)
    print(f"{FLIPS} flips: {told} told by verify(), {silent} by the hash of the file alone")

    assert told > 0


def test_ten_thousand_batches_leave_memory_and_descriptors_flat(tmp_path):
    early, late = read_batches(tmp_path / "study", BATCHES, warm_up=500, sessions=200)
    print(f"{early / 1e6:.1f} MB after 500 batches, {late / 1e6:.1f} MB after {BATCHES}")

    assert late <= 1.01 * early
