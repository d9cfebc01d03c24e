"""Takes that are killed, stopped by a signal, or run into a full disk, and what an audit saves."""

from __future__ import annotations

import signal
import subprocess
import time

import h5py
import numpy as np
import pytest
from counting_rig import CountingRig, RecorderProcess, counts_of, details_of, number_of

from mavfer.errors import Busy, DataError
from mavfer.files import sha256_of
from mavfer.study.hdf5 import open_hdf5
from mavfer.study.session import Session
from mavfer.study.streams_file import DROP_CAUSES
from mavfer.study.study import Study
from recording.audit import audit_session
from recording.recorder import record_take
from recording.unwritten import UNWRITTEN_NAME

FRAMES_OF_HALF_A_SECOND = 15


def _accounted_for(session, stream):
    """Numbers of the frames stored or listed as lost on their way to the disk, in order."""
    drops = session.drops
    lost = drops[drops["stream"] == ("color", "depth", "thermal").index(stream)]
    assert set(lost["cause"].tolist()) <= {DROP_CAUSES["queue"], DROP_CAUSES["disk"]}
    return sorted([*session.times(stream)["frame_number"].tolist(), *lost["frame_number"].tolist()])


def _files(folder):
    return {p.name: sha256_of(p) for p in folder.iterdir() if p.name != ".lock"}


@pytest.mark.parametrize("frames", [8, 17, 34, 51])
def test_a_killed_take_keeps_everything_that_was_flushed(study, frames):
    child = RecorderProcess(study)
    child.wait_for(frames)
    time.sleep(0.013 * (frames % 5))
    child.end(signal.SIGKILL)
    written = child.written
    folder = study.session_folder("S01-001")
    report = audit_session(folder)
    session = Session.open(folder)
    numbers = [number_of(frame.rgb()) for frame in session.color_frames()]
    found = [report.streams[name].frames for name in ("color", "depth", "thermal")]

    assert report.verdict == "recovered"
    assert session.state == "recovered"
    assert found[0] >= written[0] - FRAMES_OF_HALF_A_SECOND
    assert found[1] >= written[1] - 1
    assert found[2] >= written[2] - 1
    assert numbers == session.times("color")["frame_number"].tolist()
    for stream, count in (("depth", found[1]), ("thermal", found[2])):
        stamps = session.times(stream)["frame_number"].tolist()
        assert np.array_equal(
            session.read(stream, 0, count), [counts_of(stream, number) for number in stamps]
        )
    said = [details_of(number) for number in session.times("thermal")["frame_number"]]
    assert np.array_equal(session.details("thermal")[1], said, equal_nan=True)
    for stream, count in zip(("color", "depth", "thermal"), written, strict=True):
        numbers = _accounted_for(session, stream)
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= count - 1
    assert report.streams["color"].causes.get("disk", 0) == report.cut["color"]
    with open_hdf5(session.streams_path) as file:  # opens as any other file does
        assert file["/color/times"].shape == (found[0],)


def test_a_take_killed_before_its_first_pictures_were_flushed_is_damaged_not_a_riddle(study):
    child = RecorderProcess(study, color_sticks_at=1)
    child.wait_for(1)
    child.end(signal.SIGKILL)
    folder = study.session_folder("S01-001")
    report = audit_session(folder)

    assert report.verdict == "damaged"
    assert "color" in report.problems[0]
    assert Session.open(folder).state == "damaged"


def test_auditing_a_recovered_take_again_changes_nothing(study):
    child = RecorderProcess(study)
    child.wait_for(20)
    child.end(signal.SIGKILL)
    folder = study.session_folder("S01-001")
    first = audit_session(folder)
    before = _files(folder)
    second = audit_session(folder)

    assert first == second
    assert first.verdict == "recovered"
    assert _files(folder) == before


def test_a_take_that_is_still_recorded_is_left_alone(study):
    child = RecorderProcess(study)
    child.wait_for(5)
    folder = study.session_folder("S01-001")
    with pytest.raises(Busy, match="S01-001 is being recorded"):
        audit_session(folder)
    child.end(signal.SIGINT)

    assert audit_session(folder).verdict == "ok"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_take_as_it_should(study, number):
    child = RecorderProcess(study)
    child.wait_for(10)
    errors = child.end(number)
    session = Session.open(study.session_folder("S01-001"))

    assert child.process.returncode == 0, errors
    assert session.state == "finished"
    assert session.document["audit"]["verdict"] == "ok"
    assert len(session.times("color")) >= 10


def test_a_take_ends_whole_before_the_disk_is_full(small_disk):
    study = Study.create(small_disk / "study")
    child = RecorderProcess(study, shape=(240, 320), reserve_bytes=2 << 20)
    errors = child.end()
    session = Session.open(study.session_folder("S01-001"))
    report = audit_session(session.folder)

    assert child.process.returncode == 1
    assert "less than the 2 MB that ending a take may need. The take was ended" in errors
    assert errors.count("\n") == 1
    assert report.verdict == "ok"
    assert session.state == "finished"
    assert report.streams["depth"].frames >= 10
    for stream in session.streams:
        numbers = _accounted_for(session, stream)
        assert numbers == list(range(len(numbers)))
    assert sum(stream.causes.get("disk", 0) for stream in report.streams.values()) >= 1


def test_a_disk_that_is_too_full_for_a_take_is_told_before_the_first_frame(study):
    rig = CountingRig(20)
    with pytest.raises(DataError, match=r"the disk has .* MB left, less than the"):
        record_take(study, rig, subject="S01", reserve_bytes=1 << 60)

    assert study.sessions() == []
    assert all("start" not in camera.calls for camera in rig.cameras)


def test_a_disk_that_runs_full_under_the_recorder_costs_nothing_that_was_written(small_disk):
    study = Study.create(small_disk / "study")
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(2 << 20))
    child = RecorderProcess(study, shape=(240, 320))
    errors = child.end()
    ballast.unlink()
    grown = small_disk / "study" / "sessions" / "S01-001" / "streams.h5"
    subprocess.run(["mount", "-o", "remount,size=32m", small_disk], check=True)
    report = audit_session(grown.parent)
    session = Session.open(grown.parent)

    assert child.process.returncode == 1, errors
    assert "the take was stopped, writing failed" in errors
    assert "mavfer audit" in errors
    assert errors.count("\n") == 1
    assert report.verdict == "recovered"
    frames = report.streams["depth"].frames
    assert frames >= child.written[1] - 2
    assert np.array_equal(
        session.read("depth", 0, frames),
        [counts_of("depth", number, (240, 320)) for number in range(frames)],
    )
    for stream in session.streams:
        numbers = _accounted_for(session, stream)
        assert numbers == list(range(len(numbers)))
    assert sum(stream.causes.get("disk", 0) for stream in report.streams.values()) >= 1
    assert not (grown.parent / UNWRITTEN_NAME).exists()


def test_a_take_whose_color_file_was_cut_off_is_damaged(study):
    take = record_take(study, CountingRig(60), subject="S01")
    color = take.folder / "color.mkv"
    color.write_bytes(color.read_bytes()[: color.stat().st_size // 2])
    report = audit_session(take.folder)

    assert report.verdict == "damaged"
    assert "frames for 60 stamps" in report.problems[0]
    assert Session.open(take.folder).state == "finished"


def test_a_take_whose_details_were_cut_off_is_damaged(study):
    take = record_take(study, CountingRig(10, depth={"details": True}), subject="S01")
    with h5py.File(take.folder / "streams.h5", "r+") as file:
        file["/depth/details"].resize(7, axis=0)
    report = audit_session(take.folder)

    assert report.verdict == "damaged"
    assert report.problems == (
        "depth: 7 rows of details for 10 stamps",
        "streams.h5: changed since the take was recorded. Restore it from a copy",
    )


def test_a_take_whose_stamps_are_gone_is_damaged(study):
    take = record_take(study, CountingRig(10), subject="S01")
    (take.folder / "streams.h5").write_bytes(b"not HDF5")
    report = audit_session(take.folder)

    assert report.verdict == "damaged"
    assert "torn or cut off" in report.problems[0]


def test_an_interrupted_take_of_which_nothing_can_be_read_is_damaged_and_kept(study):
    take = record_take(study, CountingRig(10), subject="S01")
    document = (take.folder / "session.json").read_text()
    (take.folder / "session.json").write_text(document.replace('"finished"', '"recording"'))
    (take.folder / "color.mkv").write_bytes(b"torn")
    stamps = sha256_of(take.folder / "streams.h5")
    report = audit_session(take.folder)

    assert report.verdict == "damaged"
    assert Session.open(take.folder).state == "damaged"
    assert audit_session(take.folder).verdict == "damaged"
    assert sha256_of(take.folder / "streams.h5") == stamps
    assert (take.folder / "color.mkv").read_bytes() == b"torn"
