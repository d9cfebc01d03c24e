"""What an audit finds in takes: clocks, gaps, flags, marks, and files that changed."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from counting_rig import EPOCH_NS, CountingRig

from mavfer.files import read_json, write_json
from mavfer.schema import require_valid
from mavfer.study.session import Session
from mavfer.study.streams_file import MARKERS
from recording.audit import add_hashes, audit_session
from recording.camera import FrameFlag
from recording.recorder import record_take

SECOND_NS = 1_000_000_000


@pytest.fixture
def take(study):
    """A take of three seconds at 30 frames a second; thermal has 25."""
    return record_take(study, CountingRig(90), subject="S01")


def _edit(folder, change):
    """Changes streams.h5, and forgets what the files were."""
    with h5py.File(folder / "streams.h5", "r+") as file:
        change(file)
    document = read_json(folder / "session.json")
    del document["files"]
    write_json(folder / "session.json", document)


def _mark(folder, *marks):
    def add(file):
        rows = np.array([(EPOCH_NS + round(s * SECOND_NS), label) for s, label in marks], MARKERS)
        file["/markers"].resize(len(rows), axis=0)
        file["/markers"][:] = rows

    _edit(folder, add)


def _restamp(folder, stream, change):
    def restamp(file):
        times = file[f"/{stream}/times"][:]
        change(times)
        file[f"/{stream}/times"][:] = times

    _edit(folder, restamp)


def test_every_stream_comes_with_its_clock_and_how_sure_its_times_are(take):
    clock = take.report.streams["depth"].clock

    assert clock.domains == ("device",)
    assert clock.problem is None
    assert clock.fit["drift_ppm"] == pytest.approx(0, abs=0.1)
    assert clock.fit["is_usable"] is True
    assert [piece["cause"] for piece in clock.fit["pieces"]] == ["start"]
    assert clock.fit["uncertainty_median_ms"] <= clock.fit["uncertainty_max_ms"] < 0.1
    assert take.report.notices == ()


def test_a_clock_that_was_set_and_a_stall_are_told_with_their_place(take):
    def spoil(times):
        times["device_ns"][50:] += 40_000_000
        times["host_ns"][20:50] = times["host_ns"][50]  # they all came at once

    _restamp(take.folder, "depth", spoil)
    stream = audit_session(take.folder).streams["depth"]
    gap = stream.gaps[0]
    jump = stream.clock.fit["pieces"][-1]

    assert (jump["first_frame"], jump["cause"]) == (50, "step")
    assert jump["jump_ms"] == pytest.approx(40, abs=0.5)
    assert len(stream.gaps) == 1
    assert (gap.after_frame, gap.frames, gap.is_restart) == (19, 0, False)
    assert gap.at_seconds == pytest.approx(19 / 30, abs=0.002)
    assert gap.seconds == pytest.approx(31 / 30, abs=0.002)


def test_frames_lost_in_a_row_are_a_gap_and_drops_with_their_cause(study):
    lost = list(range(30, 60))
    take = record_take(study, CountingRig(90, depth={"lost": lost}), subject="S01")
    stream = take.report.streams["depth"]

    assert stream.causes == {"device": 30}
    assert [(gap.after_frame, gap.frames) for gap in stream.gaps] == [(29, 30)]
    assert take.report.streams["color"].gaps == ()


def test_flags_are_counted(take):
    def spoil(times):
        times["flags"][3:5] = FrameFlag.SHUTTER | FrameFlag.REPEATED
        times["flags"][9] = FrameFlag.INCOMPLETE

    _restamp(take.folder, "thermal", spoil)

    assert audit_session(take.folder).streams["thermal"].flags == {
        "shutter": 2,
        "incomplete": 1,
        "repeated": 2,
    }


def test_stamps_that_are_no_clock_s_are_told_and_are_no_damage(take):
    def jump(times):
        times["device_ns"] += np.arange(90) % 3 * np.arange(90) * SECOND_NS

    _restamp(take.folder, "depth", jump)
    report = audit_session(take.folder)

    assert report.verdict == "ok"
    assert report.streams["depth"].clock.fit is None
    assert "depth: no clock fit, so preprocessing will refuse the session" in report.notices[0]


def test_stamps_that_stand_still_are_told(take):
    def stop(times):
        times["device_ns"] = 7

    _restamp(take.folder, "thermal", stop)
    report = audit_session(take.folder)

    assert report.streams["thermal"].clock.fit["uncertainty_max_ms"] is None
    assert report.notices == (
        "thermal: the camera's stamps stand still; times of arrival will be used",
    )


def test_marks_are_counted_with_their_first_and_last(take):
    _mark(take.folder, (0.5, "video 1"), (1.25, "video 2"), (2.0, "rest"))
    markers = audit_session(take.folder).markers

    assert markers.count == 3
    assert (markers.first.label, markers.first.seconds) == ("video 1", 0.5)
    assert (markers.last.label, markers.last.seconds) == ("rest", 2.0)
    assert markers.is_in_order
    assert markers.outside == 0


def test_marks_outside_the_take_and_out_of_order_are_told_and_are_no_damage(take):
    _mark(take.folder, (1.0, "a"), (-0.5, "before"), (99.0, "after"))
    report = audit_session(take.folder)

    assert report.is_passed
    assert report.markers.first.label == "before"
    assert report.notices == (
        "markers: 2 of 3 before the first frame or after the last",
        "markers: not in the order of their times",
    )


def test_a_finished_take_says_what_its_files_are(take):
    document = Session.open(take.folder).document
    names = {"color.mkv", "streams.h5"}

    assert set(document["files"]) == names
    assert {name: file.state for name, file in take.report.files.items()} == dict.fromkeys(
        names, "as recorded"
    )
    assert audit_session(take.folder) == take.report
    assert "files" not in document["audit"]


@pytest.mark.parametrize("name", ["color.mkv", "streams.h5"])
def test_a_file_that_changed_since_is_named_unless_only_sizes_are_compared(take, name):
    path = take.folder / name
    content = bytearray(path.read_bytes())
    content[len(content) * 3 // 4] ^= 1  # pixels: nothing but their hash can tell
    path.write_bytes(content)
    thorough, quick = audit_session(take.folder), audit_session(take.folder, is_quick=True)

    assert thorough.verdict == "damaged"
    assert not thorough.is_passed
    assert thorough.problems == (
        f"{name}: changed since the take was recorded. Restore it from a copy",
    )
    assert quick.verdict == "ok"
    assert {file.state for file in quick.files.values()} == {"not compared"}
    assert Session.open(take.folder).state == "finished"


def test_a_file_that_is_gone_is_named_by_a_quick_audit_too(take):
    (take.folder / "color.mkv").unlink()
    report = audit_session(take.folder, is_quick=True)

    assert report.verdict == "damaged"
    assert any("color.mkv: recorded with the take, and missing now" in p for p in report.problems)


def test_a_session_of_an_earlier_version_has_no_hashes_to_compare(take):
    document = read_json(take.folder / "session.json")
    del document["files"]
    document["audit"] = {"verdict": "ok", "streams": {}, "problems": [], "cut": {}}
    write_json(take.folder / "session.json", document)
    report = audit_session(take.folder)

    assert report.verdict == "ok"
    assert report.files == {}


def _ended_unhashed(study, **options):
    return record_take(study, CountingRig(90, **options), subject="S01", with_hashes=False)


def test_hashes_that_a_take_left_out_are_added_by_the_next_audit(study):
    take = _ended_unhashed(study)
    quick = audit_session(take.folder, is_quick=True)
    left_out = Session.open(take.folder).document["files"]
    told = []
    report = audit_session(take.folder, advance=told.append)
    files = Session.open(take.folder).document["files"]

    assert (take.report.files, quick.files, left_out) == ({}, {}, {})
    assert set(files) == {"color.mkv", "streams.h5"}
    assert sum(told) == sum(entry["bytes"] for entry in files.values())
    assert {file.state for file in report.files.values()} == {"as recorded"}
    assert audit_session(take.folder) == report


def test_interrupted_hashing_leaves_a_whole_take(study):
    take = _ended_unhashed(study)

    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add_hashes(take.folder, interrupt)
    document = Session.open(take.folder).document

    assert (document["state"], document["files"]) == ("finished", {})
    assert audit_session(take.folder).verdict == "ok"


def test_a_damaged_take_gets_no_hashes_that_would_call_it_whole(study):
    take = _ended_unhashed(study)
    (take.folder / "color.mkv").write_bytes(b"torn")
    report = audit_session(take.folder)

    assert report.verdict == "damaged"
    assert Session.open(take.folder).document["files"] == {}


def test_the_rate_is_that_while_the_camera_was_there(take):
    def be_away(times):
        times["host_ns"][30:] += 60 * SECOND_NS
        times["flags"][30] = FrameFlag.RESTARTED

    _restamp(take.folder, "depth", be_away)
    stream = audit_session(take.folder).streams["depth"]

    assert stream.rate_hz == pytest.approx(30, abs=0.01)
    assert stream.longest_gap_ms > 60_000


def test_a_stream_that_ends_before_the_others_is_told(study):
    take = _ended_unhashed(study, depth={"fails_at": 30})

    assert take.failures.keys() == {"depth"}
    assert take.report.verdict == "ok"
    assert take.report.notices == ("depth: ends 2.6 s before the take",)


def test_a_stream_that_begins_after_the_others_is_told(take):
    def be_late(times):
        times["host_ns"][:60] = times["host_ns"][60]

    _restamp(take.folder, "thermal", be_late)

    assert "thermal: begins 2.4 s after the take" in audit_session(take.folder).notices


def test_many_lost_frames_are_told_and_those_of_an_interruption_are_not(study):
    take = _ended_unhashed(study, depth={"lost": range(40, 49)}, thermal={"lost": range(40, 50)})

    assert take.report.notices == (
        "thermal: 11.1% of its frames are lost. See why: mavfer rig selftest RIG",
    )


def test_the_report_is_json_and_says_pass_or_fail(take):
    said = json.loads(json.dumps(take.report.to_document(), allow_nan=False))
    document = Session.open(take.folder).document
    require_valid(document, "session", take.folder / "session.json")

    assert said["pass"] is True
    assert said == {**document["audit"], "files": said["files"]}
