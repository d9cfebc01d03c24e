"""Steps of a run: whole or not there, and never those of other inputs."""

from __future__ import annotations

import os

import numpy as np
import pytest

from mavfer.errors import DataError
from mavfer.preprocess.workspace import Workspace


@pytest.fixture
def steps(tmp_path):
    return Workspace(tmp_path / "steps", "abc")


def test_nothing_is_there_before_a_step_is_saved(steps):
    assert not steps.folder.exists()
    assert steps.load("segment", 0) is None


def test_what_was_saved_is_loaded_bit_for_bit(steps):
    rows = np.zeros(2, [("frame", "<i8"), ("points", "<f4", (68, 2)), ("is_carried", "?")])
    rows["points"] = 0.5
    arrays = {
        "a": np.arange(5, dtype=np.uint16),
        "b": np.array([np.nan, 1.5]),
        "c": np.array(3),
        "rows": rows,
        "states": np.array(["TRACK", "LOST"]),
        "nothing": np.empty((0, 224, 224), np.uint8),
    }
    steps.save("segment", 4, arrays)
    loaded = steps.load("segment", 4)

    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        assert loaded[name].tobytes() == array.tobytes()
        assert (loaded[name].dtype, loaded[name].shape) == (array.dtype, array.shape)
        assert loaded[name].flags.writeable


def test_steps_outlive_the_process_but_not_a_change_of_inputs(steps):
    steps.save("segment", 0, {"a": np.zeros(3)})

    assert Workspace(steps.folder, "abc").load("segment", 0) is not None
    assert Workspace(steps.folder, "other").load("segment", 0) is None
    assert Workspace(steps.folder, "abc").load("segment", 0) is None


@pytest.mark.parametrize("at", [0, 40, 200, -30, -1])
def test_a_step_with_a_changed_byte_counts_as_missing(steps, at):
    steps.save("segment", 0, {"a": np.arange(100, dtype=np.int64)})
    path = steps.folder / "segment-000000.step"
    whole = bytearray(path.read_bytes())
    whole[at] ^= 0xFF
    path.write_bytes(whole)
    loaded = steps.load("segment", 0)

    assert loaded is None or (loaded["a"] == np.arange(100)).all()


def test_a_step_that_was_cut_off_counts_as_missing(steps):
    steps.save("segment", 0, {"a": np.arange(1000)})
    os.truncate(steps.folder / "segment-000000.step", 500)

    assert steps.load("segment", 0) is None


def test_all_steps_of_a_kind_are_forgotten_and_no_others(steps):
    for number in range(3):
        steps.save("segment", number, {"a": np.zeros(1)})
    steps.save("watched", 0, {"a": np.zeros(1)})
    steps.forget_all("segment")

    assert [steps.load("segment", number) for number in range(3)] == [None] * 3
    assert steps.load("watched", 0) is not None


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    steps = Workspace(tmp_path / "file" / "steps", "abc")

    with pytest.raises(DataError, match=r"segment-000000.step: cannot be written .* Free space"):
        steps.save("segment", 0, {"a": np.zeros(1)})


def test_a_cleared_workspace_leaves_nothing(steps):
    steps.save("segment", 0, {"a": np.zeros(1)})
    steps.clear()

    assert not steps.folder.exists()
