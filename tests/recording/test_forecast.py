"""What a take will need, and whether the disk has it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from counting_rig import CountingRig

from mavfer.errors import DataError
from mavfer.study.session import Session
from recording import forecast as forecast_module
from recording.forecast import Forecast, RoomLeft, StreamForecast, forecast_take, require_room
from recording.recorder import record_take

FRAMES = 90
RESERVE = 1000


def _cameras(**changes):
    return [replace(camera.info, **changes) for camera in CountingRig(1).cameras]


def _forecast(study, codec="h264", **changes):
    return forecast_take(study, _cameras(**changes), codec, reserve_bytes=RESERVE)


def test_a_first_take_is_estimated_from_usual_ratios(study):
    small, large = _forecast(study), _forecast(study, width=1280, height=720)
    jpeg = _forecast(study, "jpeg95", width=1280, height=720)
    mb_a_second = {name: s.bytes_a_second / 1e6 for name, s in large.streams.items()}

    assert {stream.basis for stream in large.streams.values()} == {"usual ratio"}
    assert mb_a_second["depth"] == pytest.approx(1280 * 720 * 2 * 30 / 2.0 / 1e6, rel=1e-3)
    assert mb_a_second["thermal"] == pytest.approx(1280 * 720 * 2 * 25 / 2.0 / 1e6, rel=1e-3)
    assert mb_a_second["color"] == pytest.approx(1280 * 720 * 3 * 30 / 20 / 1e6, rel=1e-3)
    assert jpeg.streams["color"].bytes_a_second > 2.2 * large.streams["color"].bytes_a_second
    assert large.bytes_a_second > 100 * small.bytes_a_second
    assert large.usable_bytes == pytest.approx(0.9 * large.free_bytes - RESERVE)
    assert large.fitting_seconds == pytest.approx(large.usable_bytes / large.bytes_a_second)


def test_later_takes_are_estimated_from_the_last_one_with_the_same_cameras(study):
    usual = _forecast(study)
    take = record_take(study, CountingRig(FRAMES), subject="S01")
    learned = _forecast(study)
    sizes = {
        "color": (take.folder / "color.mkv").stat().st_size * 30 / FRAMES,
        "depth": 48 * 64 * 2 * 30,
        "thermal": 48 * 64 * 2 * 25,
    }

    for stream, bytes_a_second in sizes.items():
        assert learned.streams[stream].basis == "as in S01-001"
        assert learned.streams[stream].bytes_a_second == pytest.approx(bytes_a_second, rel=0.05)
    assert learned.streams["depth"].bytes_a_second > 1.9 * usual.streams["depth"].bytes_a_second
    assert "depth 0.2 MB/s (as in S01-001)" in str(learned)
    assert _forecast(study, serial="other").streams == usual.streams
    assert _forecast(study, "jpeg95").streams["color"].basis == "usual ratio"
    assert _forecast(study, "jpeg95").streams["depth"].basis == "as in S01-001"


def test_sessions_that_cannot_be_read_or_are_too_short_tell_nothing(study):
    short = record_take(study, CountingRig(9), subject="S01")
    torn = record_take(study, CountingRig(FRAMES), subject="S02")
    gone = record_take(study, CountingRig(FRAMES), subject="S03")
    (torn.folder / "session.json").write_text("{")
    (gone.folder / "streams.h5").unlink()

    assert short.report.verdict == "ok"
    assert {s.basis for s in _forecast(study).streams.values()} == {"usual ratio"}


def test_a_take_that_will_not_fit_is_refused_with_numbers_before_a_camera_starts(study):
    rig = CountingRig(20)
    with pytest.raises(DataError, match=r"1000000000000 s need about .* GB .color .* MB/s .usual"):
        record_take(study, rig, subject="S01", seconds=1e12)

    assert study.sessions() == []
    assert all("start" not in camera.calls for camera in rig.cameras)
    with pytest.raises(DataError, match=r"Make room, or record at most \d+ s"):
        record_take(study, CountingRig(9, settings={"seconds": 1e12}), subject="S01")


def test_the_limit_is_the_room_less_a_tenth_and_the_reserve(study):
    usable = 0.9 * 1000e6 - 100e6
    forecast = Forecast({"color": StreamForecast(2e6, "usual ratio")}, 10**9, usable)
    require_room(forecast, 400, study.root)
    require_room(forecast, None, study.root)

    assert forecast.fitting_seconds == 400
    with pytest.raises(DataError, match=r"of the 1\.00 GB that are free 0\.80 may be used"):
        require_room(forecast, 401, study.root)


def test_a_take_learns_its_own_pace_from_the_files_that_grow(study, monkeypatch):
    forecast = Forecast({"color": StreamForecast(1e6, "usual ratio")}, 10**9, 5e6)
    folder = study.root / "take"
    folder.mkdir()
    clock = [100.0]
    monkeypatch.setattr(forecast_module.time, "monotonic", lambda: clock[0])
    room = RoomLeft(forecast, folder, reserve_bytes=RESERVE)
    free = shutil.disk_usage(folder).free

    assert room.seconds() == 5
    clock[0] += 5
    assert room.seconds() == pytest.approx(free / 1e6, rel=0.05)
    (folder / "color.mkv").write_bytes(bytes(40_000))
    clock[0] += 15
    assert room.seconds() == pytest.approx(free / 2000, rel=0.05)


def test_a_take_says_how_long_it_may_go_on(study):
    seen = []
    record_take(
        study, CountingRig(9), subject="S01", progress=lambda p: seen.append(p.room_seconds)
    )

    assert min(seen) > 60
    assert json.loads((study.session_folder("S01-001") / "session.json").read_text())
    assert Session.open(study.session_folder("S01-001")).state == "finished"
