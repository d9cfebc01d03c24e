"""Opening sessions, their calibration and their truth."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from mavfer.errors import InvalidFile, NotFound
from mavfer.study.calibration import read_calibration, write_calibration
from mavfer.study.color_writer import ColorWriter
from mavfer.study.lock import study_lock
from mavfer.study.session import Session, write_session_document
from mavfer.study.streams_file import stamp_row
from mavfer.study.streams_writer import StreamsWriter
from mavfer.study.study import Study, utc_now
from mavfer.study.truth import read_truth, write_truth

FRAMES = 8
SHAPE = (12, 16)


def _camera():
    return {
        "width": 16,
        "height": 12,
        "matrix": [[20, 0, 7.5], [0, 20, 5.5], [0, 0, 1]],
        "distortion": [0, 0, 0, 0, 0],
        "camera_from_color": np.eye(4).tolist(),
    }


CALIBRATION = {
    "format": "mavfer.calibration",
    "version": 1,
    "name": "bench",
    "created_utc": "2026-01-31T12:00:00Z",
    "method": "board",
    "unit": "millimetre",
    "cameras": {"color": _camera(), "depth": _camera()},
    "error_px": None,
}


def _document(session="S01-001"):
    entry = {"model": "m", "serial": "", "width": 16, "height": 12, "rate_hz": 30, "settings": {}}
    color = {"file": "color.mkv", "codec": "x264-lossless", "lossless_copy": False,
             "rotation_degrees": 90, "has_audio": False}  # fmt: skip
    return {
        "format": "mavfer.session",
        "version": 1,
        "session": session,
        "subject": "S01",
        "kind": "video",
        "state": "finished",
        "created_utc": utc_now(),
        "streams": {
            "depth": {**entry, "depth_mm_per_count": 1.0},
            "color": {**entry, **color, "width": 12, "height": 16},
        },
        "calibration": "bench",
        "calibration_sha256": None,
        "consent_sha256": None,
        "consent_note": "a test",
        "segments": [{"monotonic_ns": 0, "utc": utc_now()}],
        "settings": {},
        "versions": {},
    }


@pytest.fixture
def empty_study(tmp_path):
    return Study.create(tmp_path / "study")


@pytest.fixture
def folder(empty_study):
    folder = empty_study.session_folder("S01-001")
    folder.mkdir()
    color = ColorWriter(
        folder / "color.mkv", width=16, height=12, rate_hz=30, codec="x264-lossless"
    )
    with StreamsWriter(folder / "streams.h5", "S01-001", {"depth": SHAPE}) as streams:
        for number in range(FRAMES):
            stamp = stamp_row(host_ns=number, device_ns=0, domain=0, frame_number=number)
            streams.append_frame("depth", np.full(SHAPE, number, np.uint16), stamp)
            streams.append_frame("color", None, stamp)
            color.append(np.full((*SHAPE, 3), number * 9, np.uint8), number * 33_000_000)
    color.close()
    write_session_document(folder, _document())
    return folder


def test_a_session_gives_its_frames_and_their_times(folder):
    session = Session.open(folder)
    colors = [int(frame.rgb()[0, 0, 0]) for frame in session.color_frames()]

    assert session.streams == ("color", "depth")
    assert (session.name, session.subject, session.calibration) == ("S01-001", "S01", "bench")
    assert session.size == (12, 16)
    assert colors == [number * 9 for number in range(FRAMES)]
    assert next(session.color_frames()).rgb().shape == (16, 12, 3)
    assert session.times("depth")["host_ns"].tolist() == list(range(FRAMES))
    assert session.read("depth", 2, 5)[:, 0, 0].tolist() == [2, 3, 4]
    assert [int(f[0, 0]) for f in session.depth_frames([5, 5, 1])] == [5, 5, 1]
    assert len(session.drops) == len(session.markers) == len(session.events) == 0


def test_a_stream_that_a_session_lacks_is_told(folder):
    session = Session.open(folder)
    with pytest.raises(NotFound, match="no /thermal/times; session S01-001 lacks that stream"):
        session.times("thermal")
    with pytest.raises(NotFound, match="no /thermal/frames; session S01-001"):
        list(session.thermal_frames([0]))


@pytest.mark.parametrize(("stamps", "found"), [(1, "7 frames for 8"), (-2, "more than")])
def test_frames_and_stamps_that_differ_in_number_are_told(folder, stamps, found):
    count = FRAMES - stamps if stamps > 0 else FRAMES + 3
    color = ColorWriter(
        folder / "color.mkv", width=16, height=12, rate_hz=30, codec="x264-lossless"
    )
    for number in range(count):
        color.append(np.zeros((*SHAPE, 3), np.uint8), number * 33_000_000)
    color.close()
    with pytest.raises(InvalidFile, match=found):
        list(Session.open(folder).color_frames())


def test_a_folder_that_is_no_session_is_told(folder, tmp_path):
    with pytest.raises(NotFound, match="no session here"):
        Session.open(tmp_path)
    (folder / "session.json").write_text(json.dumps(_document())[:50])
    with pytest.raises(InvalidFile, match="not readable as JSON"):
        Session.open(folder)
    write_session_document(folder, _document("S01-002"))
    with pytest.raises(InvalidFile, match="says session S01-002, its folder says S01-001"):
        Session.open(folder)


def test_a_document_against_its_schema_is_not_written(folder):
    before = (folder / "session.json").read_text()
    with pytest.raises(InvalidFile, match="state"):
        write_session_document(folder, {**_document(), "state": "lost"})

    assert (folder / "session.json").read_text() == before


def test_a_calibration_comes_back_and_a_missing_one_says_who_needs_it(empty_study):
    name = write_calibration(empty_study, CALIBRATION)
    cameras = read_calibration(empty_study, name, session="S01-001")

    assert cameras.depth.matrix[0, 2] == 7.5
    assert cameras.thermal is None
    with pytest.raises(NotFound, match=r"attic\.json: missing; session S01-001 needs it"):
        read_calibration(empty_study, "attic", session="S01-001")
    with pytest.raises(NotFound, match="session S01-001: names no calibration"):
        read_calibration(empty_study, None, session="S01-001")


@dataclasses.dataclass(frozen=True)
class _Latent:
    time_ns: np.ndarray
    arousal: np.ndarray
    valence: np.ndarray
    weights: np.ndarray


def test_the_truth_comes_back(tmp_path):
    count = 5
    latent = _Latent(np.arange(9), np.linspace(-1, 1, 9), np.zeros(9), np.zeros((9, 6)))
    color = {
        "frame_number": np.arange(count),
        "true_ns": np.arange(count) * 33,
        "dropped": np.array([0, 1, 0, 0, 0], bool),
        "head_pose": np.broadcast_to(np.eye(4), (count, 4, 4)),
        "landmarks": np.zeros((count, 68, 2)),
        "landmarks_mm": np.zeros((count, 68, 3)),
        "gain": np.ones(count),
    }
    path = tmp_path / "truth.h5"
    write_truth(path, {"latent": latent, "color": color}, session="S01-001",
                settings={"seed": 3}, calibration=CALIBRATION)  # fmt: skip
    truth = read_truth(path)

    assert truth.session == "S01-001"
    assert truth.settings == {"seed": 3}
    assert truth.calibration == CALIBRATION
    assert truth.members["/color/dropped"].tolist() == [False, True, False, False, False]
    assert truth.members["/latent/arousal"].dtype == np.float32
    del color["gain"]
    with pytest.raises(InvalidFile, match="'/color/gain' is a required property"):
        write_truth(path, {"latent": latent, "color": color}, session="S01-001",
                    settings={}, calibration={})  # fmt: skip


def test_one_process_at_a_time_changes_the_list_of_sessions(empty_study):
    with study_lock(empty_study):
        assert (empty_study.sessions_folder / ".lock").exists()
    with study_lock(empty_study):
        pass

    assert empty_study.sessions() == []
