"""A session that was cut short is gone on with, and ends as if nothing had happened."""

from __future__ import annotations

import shutil

import pytest
from preprocess_trials import (
    LARGEST_STEP,
    LONG,
    assert_same_data,
    begin,
    begin_counting,
    kill_at_random,
    record_long,
    wait_until,
)

from mavfer.files import read_json
from mavfer.preprocess import Options, preprocess_study
from mavfer.preprocess.segments import SEGMENT_FRAMES
from mavfer.study.study import Study


@pytest.fixture(scope="module")
def long_study(tmp_path_factory):
    return record_long(tmp_path_factory.mktemp("long") / "study")


@pytest.fixture(scope="module")
def long_made(long_study, tmp_path_factory):
    root = tmp_path_factory.mktemp("made") / "study"
    study = Study.open(shutil.copytree(long_study.root, root))
    assert preprocess_study(root, Options()).is_good
    return study


@pytest.fixture
def long_copy(long_study, tmp_path):
    return Study.open(shutil.copytree(long_study.root, tmp_path / "study"))


def steps_of(study):
    return study.shards_folder / f".{LONG}.steps"


def test_a_run_that_was_killed_ends_like_one_that_was_not(long_copy, long_made):
    step = steps_of(long_copy) / "segment-000000.step"
    process = begin(long_copy)
    wait_until(step.exists, "a step is finished")
    process.kill()
    process.communicate(timeout=60)
    counting = begin_counting(long_copy, LONG)
    counts = [int(line) for line in counting.stdout]
    counting.stdout.close()

    assert counting.wait() == 0
    assert sum(count for count in counts if count > LARGEST_STEP) >= 2 * SEGMENT_FRAMES
    assert_same_data(long_copy, long_made)
    assert not steps_of(long_copy).exists()
    tables = [read_json(study.media_table_path(LONG)) for study in (long_copy, long_made)]
    assert tables[0]["video_sha256"] == tables[1]["video_sha256"]


@pytest.mark.soak
def test_only_the_last_step_is_done_again_and_nothing_is_torn(tmp_path):
    whole = record_long(tmp_path / "whole", seconds=90)
    study = Study.open(shutil.copytree(whole.root, tmp_path / "study"))
    done_twice, total = kill_at_random(study, LONG, kills=20)

    assert preprocess_study(study.root, Options()).is_good
    assert preprocess_study(whole.root, Options()).is_good
    assert_same_data(study, whole)
    assert done_twice / 20 <= 0.05 * total


@pytest.mark.soak
def test_a_step_that_is_damaged_is_made_again(long_copy, long_made):
    step = steps_of(long_copy) / "segment-000000.step"
    process = begin(long_copy)
    wait_until(step.exists, "a step is finished")
    process.kill()
    process.communicate(timeout=60)
    step.write_bytes(step.read_bytes()[:-1000])

    assert preprocess_study(long_copy.root, Options()).is_good
    assert_same_data(long_copy, long_made)
