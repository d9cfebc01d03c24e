"""Recording takes with a rig whose frames say their own number."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest
from counting_rig import (
    DETAIL_NAMES,
    EPOCH_NS,
    CountingRig,
    counts_of,
    details_of,
    number_of,
    picture_of,
)

from mavfer.errors import CommandError, DataError, DeviceError, NotFound
from mavfer.study.session import Session
from mavfer.study.streams_file import DROP_CAUSES
from recording.recorder import record_take


def _consent(study, tmp_path, scope=("record",)):
    form = tmp_path / "form.pdf"
    form.write_text("signed")
    return study.write_consent("S01", form, form_version="1", scope=list(scope))


def test_every_frame_of_a_take_is_on_the_disk_bit_for_bit(study):
    take = record_take(study, CountingRig(40), subject="S01")
    session = Session.open(take.folder)
    color = [number_of(frame.rgb()) for frame in session.color_frames()]

    assert take.report.verdict == "ok"
    assert session.state == "finished"
    assert color == list(range(40))
    for stream in ("depth", "thermal"):
        stored = session.read(stream, 0, 40)
        assert np.array_equal(stored, [counts_of(stream, number) for number in range(40)])
        assert session.times(stream)["frame_number"].tolist() == list(range(40))
    assert session.times("color")["host_ns"][0] == EPOCH_NS
    assert study.participants()["subject"] == ["S01"]


@pytest.mark.parametrize("codec", ["jpeg95", "x264-lossless"])
def test_a_rig_chooses_how_its_color_is_written(study, codec):
    take = record_take(study, CountingRig(9, settings={"color_codec": codec}), subject="S01")
    session = Session.open(take.folder)
    pictures = [frame.rgb() for frame in session.color_frames()]

    assert session.document["streams"]["color"]["codec"] == codec
    assert [number_of(picture) for picture in pictures] == list(range(9))
    if codec == "x264-lossless":
        assert np.array_equal(pictures[5], picture_of(5))


def test_an_unknown_color_codec_leaves_no_session_behind(study):
    rig = CountingRig(9, settings={"color_codec": "palette"})
    with pytest.raises(CommandError, match="known: h264, jpeg95, camera-jpeg, x264-lossless"):
        record_take(study, rig, subject="S01")

    assert study.sessions() == []
    assert all(camera.calls[-1] == "close" for camera in rig.cameras)


def test_a_jump_of_the_camera_s_count_is_listed_as_drops(study):
    take = record_take(study, CountingRig(30, depth={"lost": [7, 8, 20]}), subject="S01")
    session = Session.open(take.folder)
    drops = session.drops

    assert drops["frame_number"].tolist() == [7, 8, 20]
    assert set(drops["stream"].tolist()) == {1}
    assert set(drops["cause"].tolist()) == {DROP_CAUSES["device"]}
    assert take.report.streams["depth"].drops == 3
    assert take.report.streams["depth"].frames == 27
    assert take.report.streams["color"].frames == 30


def test_a_frame_lost_on_the_link_is_listed_with_that_cause_and_others_with_theirs(study):
    rig = CountingRig(30, depth={"lost": [7, 12], "cut": [8, 11, 29]}, color={"cut": [0]})
    take = record_take(study, rig, subject="S01")
    drops = Session.open(take.folder).drops
    of_depth = drops[drops["stream"] == 1]
    causes = dict(zip(of_depth["frame_number"].tolist(), of_depth["cause"].tolist(), strict=True))

    assert causes == {7: 0, 8: 1, 11: 1, 12: 0, 29: 1}
    assert of_depth["host_ns"].tolist() == sorted(of_depth["host_ns"].tolist())
    assert of_depth["host_ns"].min() > EPOCH_NS
    assert take.report.streams["depth"].causes == {"device": 2, "link": 3}
    assert take.report.streams["color"].causes == {"link": 1}
    assert take.report.streams["thermal"].causes == {}
    assert take.report.streams["depth"].frames == 25


def test_frames_that_a_full_queue_refuses_are_listed_and_nothing_else_is_lost(study):
    rig = CountingRig(150, paced=True, hurried=True, shape=(480, 640), streams=("color", "depth"))
    take = record_take(study, rig, subject="S01", queue_frames=2)
    session = Session.open(take.folder)

    assert take.report.verdict == "ok"
    assert len(session.drops) > 0
    for number, stream in enumerate(("color", "depth")):
        drops = session.drops[session.drops["stream"] == number]
        stored = session.times(stream)["frame_number"].tolist()
        assert set(drops["cause"].tolist()) <= {DROP_CAUSES["queue"]}
        assert sorted([*stored, *drops["frame_number"].tolist()]) == list(range(150))
        assert take.progress.most_queued[stream] <= 2


def test_a_rig_without_pace_waits_for_the_disk_instead_of_dropping(study):
    rig = CountingRig(60, shape=(240, 320))
    take = record_take(study, rig, subject="S01", queue_frames=1)

    assert [stream.drops for stream in take.report.streams.values()] == [0, 0, 0]
    assert [stream.frames for stream in take.report.streams.values()] == [60, 60, 60]


def test_what_a_camera_says_beside_the_stamps_is_kept_with_every_frame(study):
    options = {"thermal": {"details": True}, "color": {"details": True, "lost": [4]}}
    take = record_take(study, CountingRig(20, **options), subject="S01")
    session = Session.open(take.folder)
    names, values = session.details("thermal")
    _, of_color = session.details("color")

    assert take.report.verdict == "ok"
    assert names == DETAIL_NAMES
    assert np.array_equal(values, [details_of(n) for n in range(20)], equal_nan=True)
    assert np.array_equal(of_color, [details_of(n) for n in range(20) if n != 4], equal_nan=True)
    assert session.details("depth")[0] == ()
    assert session.details("depth")[1].shape == (20, 0)


def test_a_camera_that_gives_other_details_than_it_named_is_stopped(study, monkeypatch):
    rig = CountingRig(20, depth={"details": True})
    monkeypatch.setattr("counting_rig.details_of", lambda _: (1.0,))
    take = record_take(study, rig, subject="S01")

    assert take.failures == {"depth": "frame 0 has 1 details, named: sensor_celsius, readout_us"}


def test_nothing_is_recorded_of_a_real_person_without_consent(study):
    rig = CountingRig(9, model="Camera 5")
    with pytest.raises(NotFound, match=r"no consent record.*mavfer consent .* --subject S01"):
        record_take(study, rig, subject="S01")

    assert study.sessions() == []
    assert all("start" not in camera.calls for camera in rig.cameras)


def test_a_consent_that_does_not_cover_recording_is_not_enough(study, tmp_path):
    _consent(study, tmp_path, scope=("rate",))
    with pytest.raises(DataError, match="does not cover recording"):
        record_take(study, CountingRig(9, model="Camera 5"), subject="S01")


def test_a_take_names_the_consent_it_was_made_under(study, tmp_path):
    _consent(study, tmp_path)
    real = record_take(study, CountingRig(9, model="Camera 5"), subject="S01")
    simulated = record_take(study, CountingRig(9), subject="S02")
    documents = [json.loads((t.folder / "session.json").read_text()) for t in (real, simulated)]

    assert documents[0]["kind"] == "video"
    assert len(documents[0]["consent_sha256"]) == 64
    assert documents[1]["kind"] == "simulated"
    assert documents[1]["consent_sha256"] is None
    assert "simulated" in documents[1]["consent_note"]


def test_a_camera_that_fails_ends_its_stream_and_no_other(study):
    take = record_take(study, CountingRig(50, depth={"fails_at": 12}), subject="S01")
    session = Session.open(take.folder)
    events = [event for event in session.events if event["kind"] == b"camera_failed"]

    assert {name: s.frames for name, s in take.report.streams.items()} == {
        "color": 50,
        "depth": 12,
        "thermal": 50,
    }
    assert take.failures == {"depth": "the cable was pulled"}
    assert events[0]["text"] == b"the cable was pulled"
    assert events[0]["stream"] == 1


def test_a_take_without_a_color_frame_is_no_take(study):
    with pytest.raises(DeviceError, match=r"no color frame was recorded .the cable was pulled"):
        record_take(study, CountingRig(20, color={"fails_at": 0}), subject="S01")

    assert Session.open(study.session_folder("S01-001")).state == "damaged"


def test_a_rig_without_a_color_camera_is_refused(study):
    with pytest.raises(DeviceError, match="needs one color camera"):
        record_take(study, CountingRig(20, streams=("depth",)), subject="S01")

    assert study.sessions() == []


def test_the_shutter_s_closings_are_events(study):
    take = record_take(study, CountingRig(20, thermal={"shutter": [5, 6, 7]}), subject="S01")
    session = Session.open(take.folder)
    kinds = [kind for kind in session.events["kind"].tolist() if kind.startswith(b"shutter")]

    assert kinds == [b"shutter_closed", b"shutter_opened"]
    assert np.flatnonzero(session.times("thermal")["flags"]).tolist() == [5, 6, 7]


def test_a_take_ends_when_its_seconds_are_over(study):
    take = record_take(study, CountingRig(None, paced=True), subject="S01", seconds=0.7)

    assert 10 <= take.report.streams["color"].frames <= 30
    assert take.report.verdict == "ok"


def test_two_recorders_at_once_get_sessions_of_their_own(study):
    takes, errors = [], []

    def record(subject):
        try:
            takes.append(record_take(study, CountingRig(20), subject=subject))
        except Exception as error:
            errors.append(error)

    subjects = ["S01", "S01", "S02", "S03"]
    threads = [threading.Thread(target=record, args=(subject,)) for subject in subjects]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert sorted(take.session for take in takes) == ["S01-001", "S01-002", "S02-001", "S03-001"]
    assert {take.report.verdict for take in takes} == {"ok"}
    assert sorted(study.participants()["subject"]) == ["S01", "S02", "S03"]


def test_a_calibration_is_written_once_and_named_by_every_take(study):
    camera = {
        "width": 64,
        "height": 48,
        "matrix": [[60, 0, 31.5], [0, 60, 23.5], [0, 0, 1]],
        "distortion": [0, 0, 0, 0, 0],
        "camera_from_color": np.eye(4).tolist(),
    }
    document = {
        "format": "mavfer.calibration",
        "version": 1,
        "name": "bench",
        "created_utc": "2026-01-31T12:00:00Z",
        "method": "board",
        "unit": "millimetre",
        "cameras": {"color": camera, "depth": camera},
        "error_px": None,
    }
    later = {**document, "created_utc": "2026-02-01T12:00:00Z"}
    other = {**document, "error_px": {"mean": 0.1, "max": 0.2}}
    names = [
        Session.open(
            record_take(study, CountingRig(5, calibration=rig), subject="S01").folder
        ).calibration
        for rig in (document, later, other)
    ]

    assert names[:2] == ["bench", "bench"]
    assert names[2].startswith("bench-")
    assert sorted(p.stem for p in (study.root / "calibration").iterdir()) == sorted(set(names))
