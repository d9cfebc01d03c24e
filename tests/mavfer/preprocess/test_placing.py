"""Sessions whose cameras nobody calibrated: refused, or placed by the face."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "study"))
from make_videos import make_video

from mavfer.cli import run
from mavfer.files import read_json, write_json
from mavfer.preprocess import Options, preprocess_study
from mavfer.preprocess.placing import place_streams
from mavfer.preprocess.timeline import align_times
from mavfer.study.session import Session
from mavfer.study.shards import Shard
from mavfer.study.streams_file import open_streams
from mavfer.study.study import Study
from mavfer.study.video_reader import read_video
from mavfer.vision.radiometry import Linear, describe, formula_of

SESSION = "P1-001"


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    root = tmp_path_factory.mktemp("placed") / "study"
    record = [
        *("record", str(root), "--subject", "P1", "--rig", "simulated", "--seconds", "5"),
        *("--pace", "fast", "--seed", "5"),
        *(word for rate in ("color=10", "depth=10", "thermal=9") for word in ("--rate", rate)),
    ]
    assert run(["init", str(root)]) == 0
    assert run(record) == 0
    outcome = preprocess_study(root, Options(media=False))
    assert outcome.is_good
    assert not any("mirror" in notice for notice in outcome.notices)
    return Study.open(root)


@pytest.fixture
def uncalibrated(calibrated, tmp_path):
    study = Study.open(shutil.copytree(calibrated.root, tmp_path / "study"))
    path = study.session_folder(SESSION) / "session.json"
    write_json(path, read_json(path) | {"calibration": None})
    return study


def test_without_a_calibration_depth_and_thermal_are_refused(uncalibrated, capsys):
    code = run(["preprocess", str(uncalibrated.root)])
    told = capsys.readouterr().err

    assert code == 1
    assert f"session {SESSION}: has depth or thermal but names no calibration" in told
    assert "or take a few pixels of error with --approx" in told


def test_on_demand_they_are_placed_by_the_face_and_say_so(uncalibrated, calibrated, capsys):
    code = run(["preprocess", str(uncalibrated.root), "--approx", "--no-media"])
    told = capsys.readouterr().err
    shard, truth = (Shard(study.shard_path(SESSION)) for study in (uncalibrated, calibrated))
    placements = shard.documents()["placements"]
    rows = np.flatnonzero((shard.valid & 6 == 6) & (truth.valid & 6 == 6))
    masks = shard.mask("depth", range(shard.frames))
    depth = [s.read("depth", range(s.frames))[rows].astype(float) for s in (shard, truth)]
    both = (depth[0] > 0) & (depth[1] > 0)

    assert code == 0
    assert f"{SESSION}: depth is placed by the face, likely off by" in told
    assert (shard.valid[shard.valid > 0] & 16 == 16).all()
    assert ((masks & 8 == 8) == (masks > 0)).all()
    assert set(placements) == {"depth", "thermal"}
    assert placements["depth"]["error_eye_percent"] < 25
    assert len(rows) >= 15
    assert np.median(np.abs(depth[0] - depth[1])[both]) < 12


def _thermal_placement(study):
    """Where color pixels lie in thermal, by the subject's landmarks in the study's shard."""
    session = Session.open(study.session_folder(SESSION))
    timeline = align_times(session)
    del timeline.pairings["depth"]
    landmarks = Shard(study.shard_path(SESSION)).column("landmarks")
    with open_streams(session.streams_path) as file:
        return place_streams(session, timeline, file, landmarks)["thermal"]


def test_thermal_is_placed_by_temperature_whatever_a_count_means(calibrated, uncalibrated):
    folder = uncalibrated.session_folder(SESSION)
    document = read_json(folder / "session.json")
    entry = document["streams"]["thermal"]
    kelvin, fine = formula_of(entry["radiometry"]).kelvin, Linear(0.003, offset_kelvin=240.0)
    with h5py.File(folder / "streams.h5", "r+") as file:
        frames = file["/thermal/frames"]
        for row, counts in enumerate(frames):
            frames[row] = np.where(counts, np.rint(fine.counts(kelvin(counts))), 0)
    entry["radiometry"] = describe(fine)
    write_json(folder / "session.json", document)
    expected, found = _thermal_placement(calibrated), _thermal_placement(uncalibrated)

    assert found.matrix[0, 0] == pytest.approx(expected.matrix[0, 0], rel=0.01)
    assert found.matrix[:, 2] == pytest.approx(expected.matrix[:, 2], abs=1.0)
    assert found.error_px == pytest.approx(expected.error_px, rel=0.05)


def test_a_mirror_image_is_told_from_how_the_head_turns(calibrated, tmp_path):
    study = Study.open(shutil.copytree(calibrated.root, tmp_path / "study"))
    path = study.session_folder(SESSION) / "color.mkv"
    pictures = [np.ascontiguousarray(frame.rgb()[:, ::-1]) for frame in read_video(path)]
    size = pictures[0].shape[1::-1]
    make_video(path, len(pictures), codec="ffv1", layout="yuv444p", size=size, pictures=pictures)
    outcome = preprocess_study(study.root, Options(media=False))

    assert any("color looks like a mirror image" in notice for notice in outcome.notices)
