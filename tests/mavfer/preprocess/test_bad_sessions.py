"""What can be wrong with a session, each told or borne."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import av
import h5py
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "vision"))
from filming import film, sway

from mavfer.cli import run
from mavfer.files import read_json, write_json
from mavfer.preprocess import Options, preprocess_study
from mavfer.study.session import Session
from mavfer.study.shards import Shard
from mavfer.study.study import Study
from mavfer.vision.validity import Reason, Valid

VIDEO, SIM = "S01-001", "P1-001"


def study_of(folder, codec, layout, *, frames=12, is_upside_down=False):
    """A study with one imported video of a face that sways."""
    path = folder / ("S01.mov" if codec == "qtrle" else "S01.mkv")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = 480, 360, layout
        for number in range(frames):
            gray = film(sway(number), number)
            gray = gray[::-1, ::-1] if is_upside_down else gray
            frame = av.VideoFrame.from_ndarray(np.stack([gray] * 3, axis=2), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame.reformat(format=layout)))
        container.mux(stream.encode(None))
    assert run(["init", str(folder / "study")]) == 0
    assert run(["import-video", str(path), str(folder / "study")]) == 0
    return Study.open(folder / "study")


def failure(study, session):
    """Why a session failed."""
    results = {result.session: result for result in preprocess_study(study.root, Options()).results}
    return results[session].error


def times_of(study, stream):
    return h5py.File(Session.open(study.session_folder(SIM)).streams_path, "r+"), f"{stream}/times"


def cut(study, stream, share):
    """Leaves the first share of a stream's frames."""
    with h5py.File(Session.open(study.session_folder(SIM)).streams_path, "r+") as file:
        rows = round(share * len(file[f"{stream}/times"]))
        for name in ("times", "frames"):
            if f"{stream}/{name}" in file:
                file[f"{stream}/{name}"].resize(rows, axis=0)


@pytest.mark.parametrize(
    ("codec", "layout"),
    [("prores_ks", "yuv422p10le"), ("ffv1", "gray"), ("qtrle", "argb"), ("mjpeg", "yuvj420p")],
    ids=["10-bit", "grayscale", "alpha", "full-range"],
)
def test_videos_of_every_make_give_the_same_face(tmp_path, codec, layout):
    study = study_of(tmp_path, codec, layout)
    outcome = preprocess_study(study.root, Options())
    shard = Shard(study.shard_path(VIDEO))
    first = shard.read("color", range(1))[0].astype(int)

    assert outcome.is_good
    assert (shard.valid == Valid.COLOR).all()
    assert np.abs(np.diff(first, axis=2)).mean() < 3
    assert 60 < first.mean() < 160


def test_a_video_that_stands_on_its_head_has_rows_without_a_face(tmp_path):
    study = study_of(tmp_path, "ffv1", "gray", is_upside_down=True)
    outcome = preprocess_study(study.root, Options())
    shard = Shard(study.shard_path(VIDEO))

    assert (shard.frames, set(shard.valid)) == (12, {0})
    assert set(shard.column("reason")) == {Reason.NO_FACE}
    assert any("no face in any of 12 frames" in notice for notice in outcome.notices)
    assert not shard.read("color", range(12)).any()


@pytest.mark.parametrize(
    ("stream", "bit", "reason"),
    [("depth", Valid.DEPTH, Reason.NO_DEPTH), ("thermal", Valid.THERMAL, Reason.NO_THERMAL)],
)
def test_a_stream_that_ends_early_leaves_the_rest_of_the_rows_without_it(
    raw_copy, stream, bit, reason
):
    cut(raw_copy, stream, 0.6)
    outcome = preprocess_study(raw_copy.root, Options())
    shard = Shard(raw_copy.shard_path(SIM))
    is_there = shard.column(f"{stream}_frame") >= 0

    assert outcome.is_good
    assert 0.5 <= is_there.mean() < 0.8
    assert ((shard.valid[~is_there] & bit) == 0).all()
    assert (shard.valid[~is_there] & Valid.COLOR).all()
    if stream == "thermal":
        assert set(shard.column("reason")[~is_there]) == {reason}
    assert not shard.read(stream, range(shard.frames))[~is_there].any()
    assert any(f"frames have no {stream} near in time" in text for text in outcome.notices)


def test_streams_that_hardly_overlap_are_refused_with_what_was_measured(raw_copy):
    cut(raw_copy, "thermal", 0.3)
    error = failure(raw_copy, SIM)
    report = raw_copy.reports_folder / f"{SIM}.synchronisation.json"

    assert f"session {SIM}, thermal: only " in error
    assert f"What was measured: {report}" in error
    assert read_json(report)["thermal"]["pairing"]["missing"] > 5
    assert not raw_copy.shard_path(SIM).exists()


def test_a_clock_that_jumps_all_the_time_is_named(raw_copy):
    file, name = times_of(raw_copy, "depth")
    with file:
        rows = file[name][:]
        rows["device_ns"][5::2] -= 2_000_000_000
        file[name][:] = rows

    assert f"session {SIM}, depth: device stamps jump " in (error := failure(raw_copy, SIM))
    assert "first at frame 5: they are no clock's" in error


def test_a_take_without_frames_is_named(raw_copy):
    cut(raw_copy, "color", 0)

    assert f"session {SIM}, color: no frames. Record the take again" in failure(raw_copy, SIM)


@pytest.mark.parametrize("focal", [0, -500])
def test_a_calibration_that_cannot_be_is_named(raw_copy, focal):
    path = raw_copy.calibration_path(Session.open(raw_copy.session_folder(SIM)).calibration)
    document = read_json(path)
    document["cameras"]["depth"]["matrix"][0][0] = focal
    write_json(path, document)
    error = failure(raw_copy, SIM)

    assert str(path) in error
    assert not raw_copy.shard_path(SIM).exists()
