"""Runs of mavfer preprocess in processes of their own, to be killed, and what they made."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time

import numpy as np
import pytest

from mavfer.cli import run
from mavfer.study.hdf5 import open_hdf5
from mavfer.study.session import Session
from mavfer.study.shard_index import read_index
from mavfer.study.shards import Shard
from mavfer.study.study import Study

WHEN = ("size", "mtime_ns", "sha256", "created_utc")
DOCUMENTS = ("configuration", "inputs", "synchronisation", "tracks", "settings")


def contents_of(study):
    """Everything in the shards and the index but when they were made."""
    found = {}
    for name in study.sessions():
        shard = Shard(study.shard_path(name))
        with open_hdf5(shard.path) as file:
            columns = list(file["frames"])
            masks = list(file["masks"]) if "masks" in file else []
        rows = range(shard.frames)
        found |= {(name, stream): shard.read(stream, rows) for stream in shard.streams}
        found |= {(name, "mask", stream): shard.mask(stream, rows) for stream in masks}
        found |= {(name, "column", column): shard.column(column) for column in columns}
        documents = shard.documents()
        found |= {(name, "document", key): documents[key] for key in DOCUMENTS}
    for line in read_index(study):
        found[line["session"], "index"] = {k: v for k, v in line.items() if k not in WHEN}
    return found


def assert_same_data(study, other):
    left, right = contents_of(study), contents_of(other)

    assert left.keys() == right.keys()
    for key, value in left.items():
        if isinstance(value, np.ndarray):
            assert value.tobytes() == right[key].tobytes(), key
        else:
            assert value == right[key], key


def wait_until(is_true, what):
    for _ in range(1200):
        if is_true():
            return
        time.sleep(0.05)
    pytest.fail(f"waited in vain: {what}")


def begin(study, *words):
    command = [sys.executable, "-m", "mavfer", "preprocess", str(study.root), *words]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def is_group_gone(number):
    try:
        os.killpg(number, 0)
    except ProcessLookupError:
        return True
    return False


LONG = "P1-001"
LARGEST_STEP = 8
"""Frames that are done at a time; what is counted in larger steps was taken up from before."""


def record_long(root, seconds=6):
    """A study with one session that goes dark and is long enough for several steps."""
    sizes = ("color=320x240", "depth=320x240", "thermal=160x120")
    words = [
        *("record", str(root), "--subject", "P1", "--rig", "simulated", "--seconds", str(seconds)),
        *("--pace", "fast", "--seed", "3", "--lighting", "dark"),
        *(word for size in sizes for word in ("--size", size)),
    ]
    assert run(["init", str(root)]) == 0
    assert run(words) == 0
    return Study.open(root)


POSITIONS = """
import sys
from pathlib import Path
from mavfer.preprocess import Options
from mavfer.preprocess.session_job import preprocess_session
from mavfer.study.study import Study

def advance(count):
    print(count, flush=True)

preprocess_session(Study.open(Path(sys.argv[1])), sys.argv[2], Options(), advance)
"""


def begin_counting(study, session):
    """A run that prints a line with the number of frames whenever some are done."""
    return subprocess.Popen(
        [sys.executable, "-c", POSITIONS, str(study.root), session],
        stdout=subprocess.PIPE,
        text=True,
    )


def kill_at_random(study, session, kills, seed=1):
    """Kills a run again and again at random; gives frames that were done twice, and all frames.

    Frames are counted when they are watched and when they are finished.
    """
    rng = random.Random(seed)
    total = 2 * len(Session.open(study.session_folder(session)).times("color"))
    reached = done_twice = 0
    for turn in range(kills):
        least, most = sorted((reached, total * (turn + 1) // (kills + 1)))
        stop = rng.randint(least, most)
        taken_up, reached_before, reached = 0, reached, 0
        process = begin_counting(study, session)
        for line in process.stdout:
            count = int(line)
            reached += count
            taken_up += count if count > LARGEST_STEP else 0
            if reached >= stop and count <= LARGEST_STEP:
                break
        process.kill()
        process.wait()
        process.stdout.close()
        done_twice += max(reached_before - taken_up, 0)
    return done_twice, total
