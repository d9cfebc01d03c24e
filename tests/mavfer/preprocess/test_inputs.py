"""What a shard depends on, and what it does not."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from mavfer.errors import CommandError, InvalidFile, NotFound
from mavfer.files import read_json, write_json
from mavfer.preprocess.inputs import Options, gather_inputs
from mavfer.study.session import Session
from mavfer.study.study import Study

SIM = "P1-001"


def hash_of(study, name=SIM, **options):
    return gather_inputs(study, name, Options(**options)).sha256


def calibration_of(study):
    return study.calibration_path(Session.open(study.session_folder(SIM)).calibration)


def append_byte(path):
    path.write_bytes(path.read_bytes() + b"\0")


def touch_session(study):
    path = study.session_folder(SIM) / "session.json"
    write_json(path, read_json(path) | {"created_utc": "2020-01-01T00:00:00Z"})


def touch_calibration(study):
    path = calibration_of(study)
    write_json(path, read_json(path) | {"created_utc": "2020-01-01T00:00:00Z"})


@pytest.mark.parametrize(
    "change",
    [
        touch_session,
        touch_calibration,
        lambda study: append_byte(study.session_folder(SIM) / "streams.h5"),
        lambda study: append_byte(study.session_folder(SIM) / "color.mkv"),
    ],
    ids=["session", "calibration", "streams", "color"],
)
def test_a_change_of_any_input_changes_the_hash(raw_copy, change):
    before = hash_of(raw_copy)
    other = hash_of(raw_copy, "S01-001")
    change(raw_copy)

    assert hash_of(raw_copy) != before
    assert hash_of(raw_copy, "S01-001") == other


def test_options_and_the_landmark_model_change_the_hash(raw_study, tmp_path):
    model = tmp_path / "other.dat"
    model.write_bytes(b"\x01\x01\x81\x88another model")
    hashes = {
        hash_of(raw_study),
        hash_of(raw_study, alignment="arcface224"),
        hash_of(raw_study, profile="small"),
        hash_of(raw_study, landmark_model=model),
        hash_of(raw_study, landmark_points="5"),
        hash_of(raw_study, blank_background=True),
    }

    assert len(hashes) == 6


def test_where_the_model_lies_does_not_matter(raw_study, tmp_path):
    model = gather_inputs(raw_study, SIM, Options()).model
    (tmp_path / "elsewhere.dat").symlink_to(model)

    assert hash_of(raw_study, landmark_model=tmp_path / "elsewhere.dat") == hash_of(raw_study)


def test_a_copy_of_a_study_at_another_time_has_the_same_hash(raw_study, tmp_path):
    root = shutil.copytree(raw_study.root, tmp_path / "moved", copy_function=shutil.copyfile)
    for path in root.rglob("*"):
        os.utime(path, (1, 1))

    assert hash_of(Study.open(root)) == hash_of(raw_study)


@pytest.mark.parametrize("position", [0, 1 << 19, 5 << 20, 9 << 20, (10 << 20) - 1])
def test_of_a_large_file_head_middle_and_tail_count(raw_copy, position):
    path = raw_copy.session_folder(SIM) / "color.mkv"
    data = np.random.default_rng(0).integers(0, 256, 10 << 20, np.uint8)
    path.write_bytes(data)
    before = hash_of(raw_copy)
    data[position] ^= 1
    path.write_bytes(data)

    assert hash_of(raw_copy) != before


def test_files_are_named_by_their_path_in_the_study(raw_study):
    inputs = gather_inputs(raw_study, SIM, Options())
    names = [f"sessions/{SIM}/{name}" for name in ("session.json", "streams.h5", "color.mkv")]
    names.append(f"calibration/{calibration_of(raw_study).name}")

    assert list(inputs.files) == names
    assert inputs.calibration == read_json(calibration_of(raw_study))


@pytest.mark.parametrize(
    ("state", "text"),
    [("recording", "was cut short, or is being recorded"), ("damaged", "is damaged")],
)
def test_a_take_that_is_not_whole_is_refused(raw_copy, state, text):
    path = raw_copy.session_folder(SIM) / "session.json"
    write_json(path, read_json(path) | {"state": state})
    with pytest.raises(InvalidFile, match=rf"session P1-001: {text}\. Run: mavfer audit"):
        hash_of(raw_copy)


def test_what_is_missing_is_named(raw_copy):
    with pytest.raises(NotFound, match="S07-001: no session here"):
        hash_of(raw_copy, "S07-001")
    with pytest.raises(CommandError, match=r"no alignment preset 'tight'\. There are: mavfer224,"):
        Options(alignment="tight")
    calibration_of(raw_copy).unlink()
    with pytest.raises(NotFound, match=r"\.json: missing; session P1-001 needs it"):
        hash_of(raw_copy)
    (raw_copy.session_folder("S01-001") / "color.mkv").unlink()
    with pytest.raises(NotFound, match=r"S01-001/color\.mkv: missing; session S01-001 needs it"):
        hash_of(raw_copy, "S01-001")
