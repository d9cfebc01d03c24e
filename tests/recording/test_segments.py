"""Interrupted takes that go on in their session, and sessions that cannot."""

from __future__ import annotations

import json
import signal

import hdf5plugin
import numpy as np
import pytest
from counting_rig import CountingRig, RecorderProcess, counts_of, details_of, number_of

from mavfer.errors import AlreadyThere, CommandError, DataError, DeviceError, NotFound
from mavfer.files import sha256_of
from mavfer.study import streams_writer
from mavfer.study.session import Session
from recording import forecast, segments
from recording.audit import audit_session
from recording.camera import FrameFlag
from recording.recorder import record_take

STREAMS = ("color", "depth", "thermal")
NANOSECONDS = 10**9


def _rig(frames=10, **options):
    return CountingRig(frames, paced=True, thermal={"details": True}, **options)


def _interrupted(study, **options):
    """A session as an audit leaves it that mended it."""
    take = record_take(study, _rig(**options), subject="S01")
    _edit(take.folder, state="recovered")
    return take.folder


def _edit(folder, **changes):
    path = folder / "session.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _go_on(study, folder, rig=None):
    return record_take(study, rig or _rig(), subject="S01", continues=folder.name)


def _require_whole(folder, lengths):
    """Every stream holds its segments of `lengths` frames, one behind the other."""
    session = Session.open(folder)
    starts = np.cumsum([0, *lengths[:-1]]).tolist()
    drawn = [number for length in lengths for number in range(length)]
    for stream in STREAMS:
        times = session.times(stream)

        assert (np.diff(times["host_ns"]) > 0).all()
        assert (np.diff(times["device_ns"]) > 0).all()
        assert (np.diff(times["frame_number"]) > 0).all()
        assert np.flatnonzero(times["flags"] == FrameFlag.RESTARTED).tolist() == starts[1:]
    assert [number_of(frame.rgb()) for frame in session.color_frames()] == drawn
    for stream in ("depth", "thermal"):
        stored = session.read(stream, 0, len(drawn))
        assert np.array_equal(stored, [counts_of(stream, number) for number in drawn])
    said = [details_of(number) for number in drawn]
    assert np.array_equal(session.details("thermal")[1], said, equal_nan=True)
    firsts = [entry.get("first_frames") for entry in session.document["segments"]]
    assert firsts == [None, *[dict.fromkeys(STREAMS, start) for start in starts[1:]]]
    assert [path.name for path in folder.iterdir() if path.is_dir()] == []
    return session


def test_a_take_goes_on_as_a_further_segment_of_its_session(study):
    folder = _interrupted(study)
    take = _go_on(study, folder)
    session = _require_whole(folder, [10, 10])
    second = session.document["segments"][1]
    host_ns = session.times("color")["host_ns"]
    frames = list(session.color_frames())

    assert study.sessions() == ["S01-001"]
    assert take.report.verdict == "recovered"
    assert session.state == "recovered"
    assert second["moved_ns"] == 0
    assert second["gap_seconds"] == pytest.approx(
        (second["monotonic_ns"] - max(session.times(s)["host_ns"][9] for s in STREAMS)) / 1e9,
        abs=1e-3,
    )
    assert frames[12].time_ns == pytest.approx(host_ns[12] - host_ns[0], abs=1_000_000)
    assert take.report.streams["color"].gaps[0].after_frame == 9
    assert take.report.streams["color"].gaps[0].seconds > second["gap_seconds"]
    assert audit_session(folder) == take.report


def test_a_segment_that_takes_long_to_join_ends_well(study, monkeypatch):
    folder = _interrupted(study)
    monkeypatch.setattr(forecast, "_LOOK_SECONDS", 0.0)  # looks at the disk at every chance

    assert _go_on(study, folder).progress.room_seconds > 0


def test_a_killed_segment_is_mended_and_the_next_goes_on(study):
    child = RecorderProcess(study)
    child.wait_for(12)
    child.end(signal.SIGKILL)
    folder = study.session_folder("S01-001")
    first = audit_session(folder)
    child = RecorderProcess(study, continues="S01-001")
    child.wait_for(25)
    child.end(signal.SIGKILL)
    with pytest.raises(DataError, match=r"S01-001 was interrupted\. Run: mavfer audit"):
        _go_on(study, folder)
    second = audit_session(folder)
    session = Session.open(folder)
    numbers = [number_of(frame.rgb()) for frame in session.color_frames()]
    before, after = first.streams["color"].frames, second.streams["color"].frames
    drawn = (numbers[:before], numbers[before:])
    missing = sum(one[-1] + 1 - len(one) for one in drawn)

    assert first.verdict == second.verdict == "recovered"
    assert all(one == sorted(set(one)) for one in drawn)
    assert missing <= second.streams["color"].causes.get("queue", 0)  # a machine that stood still
    assert after - before >= 25 - 15
    assert second.streams["depth"].frames >= first.streams["depth"].frames + child.written[1] - 1
    assert second.cut["color"] == second.streams["color"].causes.get("disk", 0)

    child = RecorderProcess(study, continues="S01-001")
    child.wait_for(5)
    errors = child.end(signal.SIGINT)

    assert child.process.returncode == 0, errors
    assert len(Session.open(folder).document["segments"]) == 3
    assert len(audit_session(folder).streams["thermal"].gaps) == 2


@pytest.mark.parametrize("step", ["_join_streams", "_join_color", "_remove"])
def test_joining_may_be_interrupted_anywhere(study, monkeypatch, step):
    folder = _interrupted(study)

    def stumble(*_):
        raise OSError(step)

    with monkeypatch.context() as patch:
        patch.setattr(segments, step, stumble)
        with pytest.raises(OSError, match=step):
            _go_on(study, folder)

    assert Session.open(folder).state == "recording"
    assert audit_session(folder).verdict == "recovered"
    _require_whole(folder, [10, 10])


def test_a_segment_of_which_nothing_can_be_read_costs_the_session_nothing(study):
    folder = _interrupted(study)
    before = {name: sha256_of(folder / name) for name in ("color.mkv", "streams.h5")}
    with pytest.raises(DeviceError, match="no color frame was recorded"):
        _go_on(study, folder, _rig(color={"fails_at": 0}))
    report = audit_session(folder)
    session = Session.open(folder)

    assert report.verdict == "recovered"
    assert report.streams["color"].frames == 10
    assert (
        "the last segment was given up, its files are kept beside the session"
        in (report.problems[0])
    )
    assert (folder / "segment-002.unreadable" / "streams.h5").is_file()
    assert len(session.document["segments"]) == 1
    assert {name: sha256_of(folder / name) for name in before} == before

    _go_on(study, folder)

    assert len(Session.open(folder).times("color")) == 20


def test_a_session_of_an_earlier_version_goes_on(study, monkeypatch):
    bit_planes = hdf5plugin.Blosc2(cname="zstd", clevel=1, filters=hdf5plugin.Blosc2.BITSHUFFLE)
    with monkeypatch.context() as patch:
        patch.setattr(streams_writer, "_PACKINGS", {"depth": bit_planes, "thermal": bit_planes})
        folder = _interrupted(study)
    take = _go_on(study, folder)

    assert take.report.verdict == "recovered"
    _require_whole(folder, [10, 10])


def test_a_host_that_was_restarted_goes_on_by_the_wall_clock():
    before = {"monotonic_ns": 900 * NANOSECONDS, "utc": "2026-01-31T12:00:00Z", "boot_id": "a"}
    last_ns = 960 * NANOSECONDS
    later = {"monotonic_ns": 20 * NANOSECONDS, "utc": "2026-01-31T12:05:00.250000Z"}
    same_run = {**before, "monotonic_ns": 1500 * NANOSECONDS, "utc": "2026-01-31T12:15:00Z"}
    set_back = {**later, "utc": "2026-01-31T11:00:00Z", "boot_id": "b"}
    moved_ns = segments._moved_ns(before, {**later, "boot_id": "b"}, last_ns)

    assert moved_ns == (900 + 300 - 20) * NANOSECONDS + 250_000_000
    assert segments._moved_ns({**before, "moved_ns": 5}, same_run, last_ns) == 5
    assert segments._moved_ns(before, set_back, last_ns) == (961 - 20) * NANOSECONDS
    del before["boot_id"]
    assert segments._moved_ns(before, later, last_ns) == moved_ns
    unnamed_run = {"monotonic_ns": 1500 * NANOSECONDS, "utc": "2026-01-31T12:10:00.3Z"}
    assert segments._moved_ns(before, unnamed_run, last_ns) == 0


def test_stamps_after_a_restart_of_the_host_go_on_in_the_session_s_time(study):
    folder = _interrupted(study)
    document = json.loads((folder / "session.json").read_text())
    document["segments"][0] |= {"boot_id": "another", "utc": "2020-01-31T12:00:00Z"}
    _edit(folder, **document)
    take = _go_on(study, folder)
    session = _require_whole(folder, [10, 10])
    second = session.document["segments"][1]
    days = second["gap_seconds"] / 86400

    assert days > 365
    assert second["moved_ns"] > 365 * 86400 * NANOSECONDS
    assert take.report.streams["depth"].gaps[0].seconds == pytest.approx(
        second["gap_seconds"], abs=2
    )
    assert session.events["host_ns"][-1] > second["monotonic_ns"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"shape": (24, 32)}, "color: not the camera it was begun with: height 24, not 48"),
        ({"streams": ("color", "depth")}, "thermal: not the camera"),
        ({"settings": {"color_codec": "jpeg95"}}, "codec 'jpeg95', not 'h264'"),
        ({"depth": {"details": True}}, r"depth: the camera gives the details .'sensor_celsius'"),
    ],
)
def test_other_cameras_do_not_go_on_with_a_session(study, options, says):
    folder = _interrupted(study)
    before = sha256_of(folder / "session.json")
    with pytest.raises(DeviceError, match=says):
        _go_on(study, folder, _rig(**options))

    assert sha256_of(folder / "session.json") == before


def test_a_session_that_is_no_open_take_does_not_go_on(study, tmp_path):
    folder = _interrupted(study)
    with pytest.raises(DataError, match="S01-001 is of subject S01, not of S02"):
        record_take(study, _rig(), subject="S02", continues="S01-001")
    with pytest.raises(NotFound, match="no session here"):
        record_take(study, _rig(), subject="S01", continues="S01-009")
    with pytest.raises(CommandError, match="gives no frames in real time"):
        _go_on(study, folder, CountingRig(9))
    _edit(folder, state="damaged")
    with pytest.raises(DataError, match="S01-001 is damaged"):
        _go_on(study, folder)
    _edit(folder, state="recovered", source={"file": "x.mp4"})
    with pytest.raises(DataError, match="was imported; only takes are continued"):
        _go_on(study, folder)
    _edit(folder, source=None, calibration="bench")
    with pytest.raises(DataError, match="its calibration is another one than now"):
        _go_on(study, folder)
    study.shards_folder.mkdir(exist_ok=True)
    study.shard_path("S01-001").touch()
    with pytest.raises(AlreadyThere, match="was preprocessed already"):
        _go_on(study, folder)

    assert study.sessions() == ["S01-001"]
