"""Sessions played as cameras: what comes out is what was recorded, at its time."""

from __future__ import annotations

import time

import numpy as np
import pytest
from counting_rig import CountingRig, counts_of, details_of, number_of

from mavfer.errors import CommandError, DataError, DeviceError, NotFound
from mavfer.study.session import Session
from mavfer.study.streams_file import DROP_CAUSES
from recording.archive import archive_session
from recording.camera import ClockDomain, FrameFlag, LostFrame
from recording.recorder import record_take
from recording.replay import ReplayRig, play, report_replay
from recording.rigs import open_rig
from recording.simulated import SimulatedRig

FRAMES = 12
STREAMS = ("color", "depth", "thermal")


@pytest.fixture
def folder(study):
    rig = CountingRig(
        FRAMES,
        color={"lost": [3]},
        depth={"cut": [0, 5, 6], "details": True},
        thermal={"shutter": [7, 8]},
    )
    return record_take(study, rig, subject="S01").folder


@pytest.fixture(params=["recorded", "archived"])
def either(request, folder):
    if request.param == "archived":
        archive_session(folder)
    return folder


def _all(camera):
    """Everything that a camera gives."""
    camera.open()
    camera.start()
    items = []
    while True:
        try:
            items.append(camera.read(1.0))
        except EOFError:
            camera.close()
            return items


def test_cameras_give_what_was_recorded(either):
    rig = ReplayRig(either, pace="fast")
    color, depth, thermal = (_all(camera) for camera in rig.cameras)

    assert [camera.info.stream for camera in rig.cameras] == list(STREAMS)
    assert [number_of(frame.pixels) for frame in color] == [n for n in range(FRAMES) if n != 3]
    assert [frame.frame_number for frame in color] == [n for n in range(FRAMES) if n != 3]
    assert [item.frame_number for item in depth] == list(range(FRAMES))
    lost = {item.frame_number: item.cause for item in depth if isinstance(item, LostFrame)}
    assert lost == {0: "link", 5: "link", 6: "link"}
    for frame in (item for item in depth if not isinstance(item, LostFrame)):
        number = frame.frame_number
        assert np.array_equal(frame.pixels, counts_of("depth", number))
        assert np.array_equal(frame.details, details_of(number), equal_nan=True)
        assert frame.device_ns == round(number * 1e9 / 30)
        assert frame.exposure_ns == 8_000_000
        assert frame.domain is ClockDomain.DEVICE
    assert [n for n, item in enumerate(thermal) if item.flags & FrameFlag.SHUTTER] == [7, 8]


def test_cameras_say_of_themselves_what_was_recorded(folder):
    _, depth, thermal = (camera.info for camera in ReplayRig(folder).cameras)

    assert depth.depth_mm_per_count == 0.25
    assert depth.detail_names == ("sensor_celsius", "readout_us")
    assert thermal.radiometry["formula"] == "linear"
    assert (thermal.model, thermal.serial, thermal.rate_hz) == ("simulated", "thermal-1", 25)


def test_a_take_of_a_replay_is_the_take(study, either):
    before = Session.open(either)
    rig = ReplayRig(either, pace="fast", start_ns=int(before.times("color")["host_ns"][0]))
    take = record_take(study, rig, subject="S01")
    after = Session.open(take.folder)
    drops = [
        sorted(row.tolist() for row in session.drops if row["cause"] != DROP_CAUSES["device"])
        for session in (before, after)
    ]
    gaps = [
        [int(row["frame_number"]) for row in session.drops if row["cause"] == DROP_CAUSES["device"]]
        for session in (before, after)
    ]

    assert take.report.verdict == "ok"
    for stream in STREAMS:
        assert np.array_equal(after.times(stream), before.times(stream))
        assert np.array_equal(after.details(stream)[1], before.details(stream)[1], equal_nan=True)
        assert after.document["streams"][stream] == before.document["streams"][stream]
    for stream in ("depth", "thermal"):
        assert np.array_equal(after.read(stream, 0, FRAMES), before.read(stream, 0, FRAMES))
    assert [number_of(frame.rgb()) for frame in after.color_frames()] == [
        n for n in range(FRAMES) if n != 3
    ]
    assert drops[0] == drops[1]
    assert len(drops[0]) == 3
    assert gaps == [[3], [3]]


def test_a_calibrated_take_is_played_with_its_calibration(study):
    sizes = {"color": (64, 48), "depth": (64, 48), "thermal": (32, 24)}
    simulated = SimulatedRig(3, seconds=0.3, pace="fast", sizes=sizes, drop_share=0.1)
    folder = record_take(study, simulated, subject="S01").folder
    rig = ReplayRig(folder, pace="fast")
    take = record_take(study, rig, subject="S02")
    before, after = Session.open(folder), Session.open(take.folder)
    moved = {
        name: np.unique(after.times(stream)[name] - before.times(stream)[name]).tolist()
        for stream in STREAMS
        for name in ("host_ns", "device_ns", "frame_number")
    }

    assert rig.calibration == simulated.calibration
    assert before.calibration == after.calibration
    assert len(moved["host_ns"]) == 1
    assert moved["device_ns"] == moved["frame_number"] == [0]
    study.calibration_path(before.calibration).unlink()
    with pytest.raises(NotFound, match=r"missing; session S01-001 needs it\. Copy it back"):
        ReplayRig(folder)


def test_stamps_of_the_hosts_own_clock_move_with_it(folder, monkeypatch):
    original = Session.times

    def of_the_host(session, stream):
        times = original(session, stream)
        times["domain"], times["device_ns"] = ClockDomain.ARRIVAL, times["host_ns"]
        return times

    monkeypatch.setattr(Session, "times", of_the_host)
    color = _all(ReplayRig(folder, pace="fast", start_ns=77).cameras[0])

    assert color[0].host_ns == 77
    assert all(frame.device_ns == frame.host_ns for frame in color)


def test_frames_come_in_the_order_of_arrival(folder, monkeypatch):
    rig = ReplayRig(folder, pace="fast")
    order = []
    for camera in rig.replays:

        def read(timeout_seconds, camera=camera, original=camera.read):
            order.append(camera.next_ns)
            return original(timeout_seconds)

        monkeypatch.setattr(camera, "read", read)
    counted = []
    play(rig, counted.append)
    reports = report_replay(rig)

    assert order == sorted(order)
    assert len(order) == 3 * FRAMES - 1
    assert sum(counted) == sum(report.frames for report in reports.values()) == 3 * FRAMES - 4
    assert reports["depth"].lost == 3
    assert reports["color"].late_ms_median is None


@pytest.mark.parametrize(("pace", "factor"), [("real", 1), (4, 4)])
def test_a_pace_is_kept(folder, pace, factor):
    rig = ReplayRig(folder, pace=pace)
    host_ns = Session.open(folder).times("thermal")["host_ns"]
    recorded_seconds = (host_ns[-1] - host_ns[0]) / 1e9
    begun = time.monotonic()
    play(rig)
    took_seconds = time.monotonic() - begun
    report = report_replay(rig)["thermal"]

    assert rig.is_paced
    assert took_seconds >= recorded_seconds / factor
    assert report.frames == FRAMES
    assert report.rate_hz > 0
    assert 0 <= report.late_ms_median <= report.late_ms_most


def test_a_replay_in_real_time_is_recorded_and_ends_where_it_is_told(study, folder):
    rig = open_rig(str(folder), seconds=0.21, pace="real", subject_code="S01", take=2)
    take = record_take(study, rig, subject="S01")
    session = Session.open(take.folder)

    assert session.document["settings"]["rig"] == "replay"
    assert session.document["settings"]["session"] == "S01-001"
    assert session.times("depth")["frame_number"].tolist() == [1, 2, 3, 4]
    assert session.times("thermal")["frame_number"].tolist() == [0, 1, 2, 3, 4, 5]
    assert take.failures == {}


def test_a_camera_waits_for_its_time_stops_when_told_and_goes_on(folder):
    camera = ReplayRig(folder, pace=0.02).cameras[0]
    camera.open()
    camera.start()
    first, second = camera.read(5), camera.read(0.01)
    camera.stop()
    with pytest.raises(EOFError):
        camera.read(0.01)
    camera.close()
    camera.open()
    camera.start()
    third = camera.read(5)
    camera.close()

    assert first.frame_number == 0
    assert second is None
    assert third.frame_number == 1
    assert number_of(third.pixels) == 1


def test_what_cannot_be_played_is_told(folder):
    with pytest.raises(CommandError, match=r"pace 0: cannot be\. Give real, fast, or a number"):
        ReplayRig(folder, pace=0)
    camera = ReplayRig(folder).cameras[1]
    with pytest.raises(DeviceError, match="replay of depth: is not open"):
        camera.start()
    with pytest.raises(DeviceError, match="replay of depth: is not started"):
        camera.read(0)
    with pytest.raises(CommandError, match="has no option --seed"):
        open_rig(str(folder), seed=3)
    path = folder / "session.json"
    path.write_text(path.read_text().replace('"state": "finished"', '"state": "damaged"'))
    with pytest.raises(
        DataError, match=r"interrupted or is damaged, so it is not played\. Run: mav"
    ):
        ReplayRig(folder)
