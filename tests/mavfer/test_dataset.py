import os
import subprocess
import sys
import time

import numpy as np
import pytest

import mavfer
from mavfer.errors import (
    ChecksumMismatch,
    CommandError,
    InvalidArray,
    InvalidFile,
    NotFound,
    WrongVersion,
)
from mavfer.files import write_csv, write_jsonl
from mavfer.study.shard_index import read_index
from mavfer.study.study import Study


@pytest.fixture
def labelled(study, shard_factory):
    shard_factory.write_label(study, "S01-001")
    return study


def test_opening_a_study_says_what_is_there(labelled):
    ds = mavfer.load(labelled.root)

    assert (len(ds), ds.subjects) == (3, ["S01", "S02"])
    assert ds.sessions == ["S01-001", "S01-002", "S02-001"]
    assert repr(ds) == (
        "<mavfer study 'test': 3 sessions of 2 subjects, 120 frames, 3.9 s\n"
        "  streams  color 24x20, depth 24x20 (2 of 3 sessions), thermal 24x20 (2 of 3 sessions)\n"
        "  valid    100.0% of frames, 0.0% carried by depth\n"
        "  labels   gold: arousal, valence (1 of 3 sessions)>"
    )
    assert ds.info["frames"] == 120
    assert ds.info["streams"]["depth"]["dtype"] == "uint16"
    assert repr(ds[0]) == "<Recording S01-001: 40 frames, 1.3 s, color, depth, thermal 24x20>"


def test_slices_give_the_pixels_that_were_written(study, shard_factory):
    recording = mavfer.load(str(study.root), labels=None)[0]
    for name, pixels in zip(shard_factory.ALL, shard_factory.faces(40), strict=True):
        frames = getattr(recording, name)

        assert (frames.shape, frames.dtype, len(frames)) == (pixels.shape, pixels.dtype, 40)
        for key in (7, -1, np.int64(3), slice(10, 32), slice(None, None, -3), slice(35, 5, -7)):
            np.testing.assert_array_equal(frames[key], pixels[key])
        for key in ([5, 1, -2], np.arange(40) % 9 == 0, (slice(2, 5), 3), (4, slice(2), 1), []):
            np.testing.assert_array_equal(frames[key], pixels[key])
        np.testing.assert_array_equal(np.asarray(frames), pixels)


def test_frames_that_are_not_there_are_refused(study):
    color = mavfer.load(study.root, labels=None)[0].color

    with pytest.raises(IndexError, match="frame 40 of a session with 40 frames"):
        color[40]
    with pytest.raises(InvalidArray, match="frames are chosen by a number"):
        color[[0.5]]


def test_a_missing_stream_is_zeros_of_the_same_size(study):
    recording = mavfer.load(study.root, labels=None)["S01-002"]

    assert recording.depth.shape == (40, 24, 20)
    assert repr(recording.thermal) == "<thermal uint16 (40, 24, 20), absent (zeros)>"
    assert not recording.depth[3:9].any()
    assert not recording.valid["depth"].any()
    assert recording.valid["color"].all()


def test_what_was_measured_has_the_documented_shapes(study):
    recording = mavfer.load(study.root, labels=None)[0]

    assert recording.landmarks.shape == (40, 68, 2)
    assert recording.landmarks.dtype == np.float32
    assert recording.crop_matrix.shape == (40, 2, 3)
    assert recording.crop_matrix.dtype == np.float64
    assert recording.time_seconds[30] == pytest.approx(1)
    assert recording.host_ns.dtype == np.int64
    assert (recording.session, recording.subject) == ("S01-001", "S01")


def test_labels_are_joined_by_name(labelled):
    ds = mavfer.load(labelled.root)

    np.testing.assert_allclose(ds[0].arousal, np.sin(np.arange(40) / 7), atol=1e-6)
    assert ds[0].valence.dtype == np.float32
    assert ds[0].label_valid.all()
    assert np.isnan(ds[2].arousal).all()
    assert not ds[2].label_valid.any()
    assert (ds[0].expression == -1).all()


def test_a_label_name_that_is_not_there_yet_is_nan(labelled):
    ds = mavfer.load(labelled.root, labels="later")

    assert np.isnan(ds[0].arousal).all()
    assert "later: arousal, valence (0 of 3 sessions)" in repr(ds)


def test_one_raters_trace_can_be_the_label(study, shard_factory):
    samples = [(t / 30, t / 60, 0) for t in range(0, 40, 3)]
    shard_factory.write_rating(study, "S01-001", "arousal", "R1", samples)
    ds = mavfer.load(study.root, labels="rater:R1")

    np.testing.assert_allclose(ds[0].arousal, np.arange(40) / 60, atol=1e-6)
    assert np.isnan(ds[0].valence).all()
    assert "rater:R1: arousal, valence (1 of 3 sessions)" in repr(ds)


def test_without_labels_there_are_no_label_columns(labelled):
    ds = mavfer.load(labelled.root, labels=None)

    assert "arousal" not in ds.frames()
    assert "arousal" not in ds.clips(length=4)[0]
    with pytest.raises(NotFound, match="loaded without labels"):
        _ = ds[0].arousal


def test_a_label_of_other_frames_is_told_when_it_is_used(study, shard_factory):
    shard_factory.write_label(study, "S01-001", frames=12)
    ds = mavfer.load(study.root)

    with pytest.raises(InvalidFile, match="12 rows, the shard has 40 frames"):
        ds.clips(length=4)[0]


def test_tables_have_a_row_a_session_and_a_row_a_frame(labelled):
    write_csv(labelled.participants_path, {"subject": ["S01", "S02"], "age": [30, 41]})
    ds = mavfer.load(labelled.root)
    table, frames = ds.to_pandas(), ds.frames()

    assert table["session"].tolist() == ds.sessions
    assert table["has_depth"].tolist() == [True, False, True]
    assert table["lighting"].tolist() == ["bright"] * 3
    assert table["height"].tolist() == [24] * 3
    assert len(frames) == 120
    first = ["session", "subject", "frame", "time_seconds", "valid"]
    assert frames.columns[:5].tolist() == first
    assert {"reason", "n_faces", "brightness", "arousal", "valence"} <= set(frames)
    assert frames.loc[45, ["session", "frame", "valid_depth"]].tolist() == ["S01-002", 5, False]
    assert frames["arousal"].notna().sum() == 40


def test_select_takes_a_query_over_sessions(study):
    ds = mavfer.load(study.root, labels=None)

    assert ds.select("subject != 'S01'").sessions == ["S02-001"]
    assert ds.select("has_depth and lighting == 'bright'").sessions == ["S01-001", "S02-001"]
    assert len(ds.select("frames > 1000")) == 0
    assert ds[:2].sessions == ["S01-001", "S01-002"]
    for query in ("smile > 3", "subject ==", "subject > 3"):
        with pytest.raises(CommandError, match=r"select\(.*Columns: session, subject"):
            ds.select(query)


def test_a_split_keeps_the_subjects_of_its_part(study, shard_factory):
    shard_factory.write_split(study, [{"train": ["S01", "S09"], "test": ["S02"]}])

    assert mavfer.load(study.root).split("train").sessions == ["S01-001", "S01-002"]
    assert mavfer.load(study.root, split="test").subjects == ["S02"]


def test_what_cannot_be_opened_is_told(study, tmp_path):
    with pytest.raises(NotFound, match="no study here"):
        mavfer.load(tmp_path)
    empty = Study.create(tmp_path / "empty")
    with pytest.raises(NotFound, match=r"no shards yet. Run mavfer preprocess"):
        mavfer.load(empty.root)
    with pytest.raises(CommandError, match="modalities is 'color'"):
        mavfer.load(study.root, modalities="color")
    with pytest.raises(CommandError, match=r"labels is '../x'"):
        mavfer.load(study.root, labels="../x")
    with pytest.raises(CommandError, match=r"verify is 'all'. Choose one of none, index, full"):
        mavfer.load(study.root, verify="all")
    with pytest.raises(NotFound, match="no session 'S77-001' here"):
        mavfer.load(study.root)["S77-001"]


def test_a_changed_byte_is_found_by_full_verification(study):
    mavfer.load(study.root, labels=None, verify="full")
    path = study.shard_path("S02-001")
    table = mavfer.load(study.root)["S02-001"].shard.streams["thermal"].table
    keep = path.stat()
    content = bytearray(path.read_bytes())
    content[int(table["offset"][13]) + 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(keep.st_atime_ns, keep.st_mtime_ns))

    mavfer.load(study.root, labels=None)
    with pytest.raises(ChecksumMismatch, match="session S02-001, thermal frame 13"):
        mavfer.load(study.root, labels=None, verify="full")


def test_a_shard_of_a_newer_version_names_the_way_out(study):
    import h5py

    with h5py.File(study.shard_path("S02-001"), "r+") as file:
        file.attrs["version"] = 9

    with pytest.raises(WrongVersion, match=r"shard version 9, this mavfer reads version 1. Update"):
        mavfer.load(study.root)


def test_a_missing_shard_is_told_also_when_the_index_was_believed(study):
    mavfer.load(study.root)
    study.shard_path("S02-001").unlink()

    with pytest.raises(NotFound, match=r"listed in index.jsonl but missing"):
        mavfer.load(study.root)
    believed = mavfer.load(study.root, verify="none")
    with pytest.raises(NotFound, match="no such shard"):
        believed["S02-001"].color[0]


def test_stills_have_no_time(shard_factory, tmp_path):
    study = shard_factory.make_study(tmp_path / "s", {"S01-001": {"kind": "stills"}})
    recording = mavfer.load(study.root, labels=None)[0]

    assert np.isnan(recording.time_seconds).all()
    assert recording.info["rate_hz"] is None
    assert "stills" in repr(recording)


def test_loading_imports_no_heavy_package(study):
    read_index(study)
    code = (
        "import sys, mavfer; mavfer.load(sys.argv[1]); "
        "print(sorted({'torch', 'cv2', 'pandas', 'dlib'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(study.root)], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"


def test_a_thousand_sessions_open_in_a_moment(study):
    line = read_index(study)[0]
    lines = []
    for number in range(1000):
        path = study.shards_folder / f"S{number:04d}-001.h5"
        path.touch()
        status = path.stat()
        identity = {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "file": path.name}
        names = {"session": path.stem, "subject": path.stem[:-4]}
        lines.append(line | identity | names)
    for path in study.shards_folder.glob("S??-*.h5"):
        path.unlink()
    write_jsonl(study.index_path, lines)
    seconds = []
    for _ in range(5):
        start = time.process_time()
        ds = mavfer.load(study.root)
        seconds.append(time.process_time() - start)

    assert len(ds) == 1000
    assert min(seconds) < 0.1
