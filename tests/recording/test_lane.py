"""What a lane tells of its camera: repeated exposures, and what the link counted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from counting_rig import CountingCamera, CountingRig

from mavfer.study.session import Session
from recording.camera import FrameFlag
from recording.recorder import record_take

COUNTS = {
    "completed_buffers": 29,
    "failures": 0,
    "received_packets": 123456,
    "missing_packets": 7,
    "resend_requests": 9,
    "resent_packets": 2,
    "duplicated_packets": 1,
    "ignored_packets": 3,
}


class TriplingCamera(CountingCamera):
    """Sends every exposure three times under one number, as a Lepton 2.x does, and says so."""

    is_said = True

    def __init__(self, stream, frames):
        super().__init__(
            stream, frames, model="simulated", paced=False, shape=(48, 64), hurried=False
        )
        self.exposure = None

    def read(self, timeout_seconds):
        frame = super().read(timeout_seconds)
        if frame.frame_number % 3 == 0:
            self.exposure = frame
        flags = FrameFlag.REPEATED if frame.frame_number % 3 and self.is_said else FrameFlag(0)
        number = frame.frame_number // 3
        return replace(frame, pixels=self.exposure.pixels, frame_number=number, flags=flags)


class CountingLinkCamera(CountingCamera):
    """Knows what came over its link as long as it is open."""

    def __init__(self, stream, frames):
        super().__init__(
            stream, frames, model="simulated", paced=False, shape=(48, 64), hurried=False
        )

    def link_statistics(self):
        return {} if "close" in self.calls else COUNTS


def _record(study, camera):
    rig = CountingRig(30)
    rig.cameras = [camera if other.stream == camera.stream else other for other in rig.cameras]
    take = record_take(study, rig, subject="S01")
    events = Session.open(take.folder).events
    told = [(event["kind"].decode(), event["text"].decode()) for event in events]
    return take, [event for event in told if event[0] not in {"started", "stopped"}]


def test_an_exposure_that_is_sent_again_is_neither_a_drop_nor_a_jump_of_the_count(study):
    take, events = _record(study, TriplingCamera("thermal", 30))
    stream = take.report.streams["thermal"]

    assert events == []
    assert stream.frames == 30
    assert stream.drops == 0
    assert stream.flags == {"repeated": 20}


def test_a_count_that_stands_still_without_a_word_is_told(study, monkeypatch):
    monkeypatch.setattr(TriplingCamera, "is_said", False)
    _, events = _record(study, TriplingCamera("thermal", 30))

    assert events[0] == ("count_jumped", "count went from 0 to 0")
    assert len(events) == 20


def test_what_the_link_counted_is_kept_when_the_camera_stops(study):
    _, events = _record(study, CountingLinkCamera("depth", 30))
    texts = [text for kind, text in events if kind == "link_statistics"]
    words = ", ".join(texts).split(", ")

    assert words == [f"{name} {count}" for name, count in COUNTS.items() if count]
    assert len(texts) == 2
    assert all(len(text) <= 128 for text in texts)


@pytest.mark.parametrize("error", [OSError("gone"), RuntimeError("no stream")])
def test_a_link_that_cannot_be_asked_any_more_costs_nothing(study, monkeypatch, error):
    def fail(_):
        raise error

    monkeypatch.setattr(CountingLinkCamera, "link_statistics", fail)
    take, events = _record(study, CountingLinkCamera("depth", 30))

    assert events == []
    assert take.failures == {}
    assert take.report.streams["depth"].frames == 30
