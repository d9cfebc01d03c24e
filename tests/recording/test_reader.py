"""Cameras that fall silent, are unplugged and come back, while the others go on."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from counting_rig import RATES_HZ, CountingCamera, CountingRig, counts_of, number_of

from mavfer.study.session import Session
from mavfer.study.streams_file import DROP_CAUSES
from recording.camera import FrameFlag, LostFrame
from recording.reader import Patience
from recording.recorder import record_take

IMPATIENT = Patience(
    stalled_seconds=0.3, first_seconds=1, lost_seconds=0.6, pauses_seconds=(0.1,), hang_seconds=0.5
)


class WanderingCamera(CountingCamera):
    """Is pulled out at frame `leaves_at`; `serials` are what answers at each attempt after that.

    None among them: nothing answers. When it is back it counts from nought, and so does its clock.
    """

    def __init__(self, stream, *, leaves_at, serials=(), silently=False):
        super().__init__(stream, None, model="simulated", paced=True, shape=(48, 64), hurried=False)
        self.leaves_at, self.serials, self.silently = leaves_at, list(serials), silently
        self.serial = super().info.serial
        self.is_away = False

    @property
    def info(self):
        return replace(super().info, serial=self.serial)

    def open(self):
        super().open()
        if self.calls.count("open") > 1:
            answer = self.serials.pop(0) if self.serials else None
            if answer is None:
                message = "no such camera"
                raise OSError(message)
            self.serial = answer
            self.is_away, self.leaves_at, self.number = False, None, 0

    def close(self):
        super().close()
        if self.is_away:
            message = "the handle is gone"
            raise OSError(message)

    def read(self, timeout_seconds):
        if self.number == self.leaves_at:
            self.is_away = True
            if self.silently:
                time.sleep(timeout_seconds)
                return None
            message = "the cable was pulled"
            raise OSError(message)
        return super().read(timeout_seconds)


class PausingCamera(CountingCamera):
    """Says nothing for `seconds` before frame 5; with `hangs` its driver does not even return."""

    def __init__(self, stream, *, seconds, hangs=False):
        super().__init__(stream, None, model="simulated", paced=True, shape=(48, 64), hurried=False)
        self.seconds, self.hangs = seconds, hangs

    def read(self, timeout_seconds):
        if self.number == 5 and self.hangs:
            threading.Event().wait(self.seconds)
        elif self.number == 5 and self.seconds > 0:
            time.sleep(timeout_seconds)
            self.seconds -= timeout_seconds
            return None
        return super().read(timeout_seconds)


def _rig(camera):
    rig = CountingRig(None, paced=True)
    rig.cameras = [camera if other.stream == camera.stream else other for other in rig.cameras]
    return rig


def _record(study, camera, seconds, progress=None, patience=IMPATIENT):
    take = record_take(
        study, _rig(camera), subject="S01", seconds=seconds, patience=patience, progress=progress
    )
    return take, Session.open(take.folder)


def _events(session, stream):
    events = session.events
    own = events[events["stream"] == ("color", "depth", "thermal").index(stream)]
    return [(event["kind"].decode(), event["text"].decode()) for event in own]


def _without_stalls(events):
    """A machine that is busy elsewhere for half a second makes any camera look stalled."""
    return [(k, t) for k, t in events if k != "camera_stalled" and t != "from a stall"]


def _require_untouched(session, *streams):
    for stream in streams:
        numbers = session.times(stream)["frame_number"].tolist()

        assert numbers == list(range(len(numbers)))
        assert not session.times(stream)["flags"].any()
        assert _without_stalls(_events(session, stream)) == []


@pytest.mark.parametrize("silently", [False, True])
def test_a_camera_that_was_unplugged_goes_on_in_its_stream(study, silently):
    camera = WanderingCamera(
        "depth", leaves_at=8, serials=[None, None, "depth-1"], silently=silently
    )
    take, session = _record(study, camera, 2.2)
    times = session.times("depth")
    host_ns, numbers = times["host_ns"], times["frame_number"]
    gap = take.report.streams["depth"].gaps[0]
    kinds = [kind for kind, _ in _without_stalls(_events(session, "depth"))]

    assert take.report.verdict == "ok"
    assert take.failures == {}
    assert kinds == ["camera_lost", "camera_back"]
    assert not silently or ("camera_stalled" in dict(_events(session, "depth")))
    assert np.flatnonzero(times["flags"]).tolist() == [8]
    assert times["flags"][8] == FrameFlag.RESTARTED
    assert len(times) > 15
    assert np.array_equal(
        session.read("depth", 0, len(times)),
        [counts_of("depth", n) for n in [*range(8), *range(len(times) - 8)]],
    )
    assert (np.diff(numbers)[[*range(7), *range(8, len(numbers) - 1)]] == 1).all()
    assert gap.after_frame == 7
    assert gap.seconds == pytest.approx((host_ns[8] - host_ns[7]) / 1e9, abs=1e-3)
    assert gap.frames == numbers[8] - 8 == pytest.approx(gap.seconds * RATES_HZ["depth"], abs=1.5)
    assert np.ptp(times["device_ns"] - host_ns) < 5_000_000
    assert take.report.streams["depth"].drops == 0
    _require_untouched(session, "color", "thermal")


def test_color_that_comes_back_goes_on_in_its_file(study):
    camera = WanderingCamera("color", leaves_at=6, serials=["color-1"])
    take, session = _record(study, camera, 1.2)
    numbers = [number_of(frame.rgb()) for frame in session.color_frames()]

    assert take.report.verdict == "ok"
    assert numbers == [*range(6), *range(len(numbers) - 6)]
    assert len(numbers) > 15
    assert len(take.report.streams["color"].gaps) == 1
    _require_untouched(session, "depth", "thermal")


def test_another_camera_in_its_place_is_refused_and_told_once(study):
    seen = set()
    camera = WanderingCamera("thermal", leaves_at=4, serials=["stranger", "stranger", "thermal-1"])
    take, session = _record(study, camera, 1.6, lambda p: seen.add(p.troubles.get("thermal", "")))
    told = "serial 'stranger', not 'thermal-1'"
    kinds = [kind for kind, _ in _without_stalls(_events(session, "thermal"))]

    assert kinds == ["camera_lost", "camera_refused", "camera_back"]
    assert dict(_events(session, "thermal"))["camera_refused"] == told
    assert f"refused, it is another camera: {told}" in seen
    assert "lost: the cable was pulled" in seen
    assert "" in seen
    assert take.failures == {}
    _require_untouched(session, "color", "depth")


def test_a_camera_that_stays_away_is_a_failure_of_its_stream_alone(study):
    take, session = _record(study, WanderingCamera("depth", leaves_at=5), 0.8)

    assert take.failures == {"depth": "the cable was pulled"}
    assert take.report.streams["depth"].frames == 5
    assert _without_stalls(_events(session, "depth")) == [("camera_lost", "the cable was pulled")]
    assert take.progress.troubles["depth"] == "lost: no such camera"
    _require_untouched(session, "color", "thermal")


def test_a_camera_that_gave_no_frame_before_it_was_lost_begins_when_it_is_back(study):
    take, session = _record(study, WanderingCamera("depth", leaves_at=0, serials=["depth-1"]), 0.9)
    times = session.times("depth")

    assert take.failures == {}
    assert times["frame_number"].tolist() == list(range(len(times)))
    assert len(times) > 5
    assert not times["flags"].any()
    assert _events(session, "depth")[-1] == ("camera_back", "with its first frame")


def test_a_stalled_camera_is_told_while_it_is_silent_and_when_it_is_back(study):
    seen = []
    take, session = _record(
        study,
        PausingCamera("depth", seconds=0.5),
        1.2,
        lambda p: seen.append(p.troubles.get("depth", "")),
        replace(IMPATIENT, lost_seconds=10),
    )
    troubles = [text for text, before in zip(seen, ["", *seen], strict=False) if text != before]
    kinds = [kind for kind, _ in _events(session, "depth")]

    assert kinds[:2] == ["camera_stalled", "camera_back"]
    assert [text[:12] for text in troubles[:2]] == ["no frame for", ""]
    assert take.failures == {}
    assert not session.times("depth")["flags"].any()
    _require_untouched(session, "color", "thermal")


def test_a_driver_that_never_answers_holds_up_neither_the_others_nor_the_end(study):
    began = time.monotonic()
    take, session = _record(study, PausingCamera("thermal", seconds=30, hangs=True), 1.0)

    assert time.monotonic() - began < 5
    assert "does not answer" in take.failures["thermal"]
    assert take.report.verdict == "ok"
    assert take.report.streams["thermal"].frames == 5
    assert "camera_stalled" in dict(_events(session, "thermal"))
    _require_untouched(session, "color", "depth")


class BufferingCamera(CountingCamera):
    """Its driver holds `held` frames when it is stopped; then it ends, or does what `after` says.

    Frame `told` of those in the buffers is known to be lost.
    """

    def __init__(self, stream, *, held, told=None, after=None):
        super().__init__(stream, None, model="simulated", paced=True, shape=(48, 64), hurried=False)
        self.held, self.told, self.after = held, told, after

    def stop(self):
        super().stop()
        self.end = self.number + self.held

    def read(self, timeout_seconds):
        if self.stopped_ns is not None and self.number == self.end:
            return self.after() if self.after else super().read(timeout_seconds)
        if self.stopped_ns is not None and self.end - self.number == self.told:
            self.number += 1
            return LostFrame(self.number - 1, time.monotonic_ns())
        return super().read(timeout_seconds)

    def had_exposed(self, since_start_ns):
        return self.stopped_ns is None or self.number < self.end


@pytest.mark.parametrize("after", [None, lambda: None])
def test_what_waits_in_a_driver_s_buffers_at_the_end_is_written(study, after):
    camera = BufferingCamera("depth", held=6, told=2, after=after)
    take, session = _record(study, camera, 0.5)
    numbers = session.times("depth")["frame_number"].tolist()

    assert numbers == [*range(camera.end - 2), camera.end - 1]
    assert session.drops["frame_number"].tolist() == [camera.end - 2]
    assert session.drops["cause"].tolist() == [DROP_CAUSES["link"]]
    assert np.array_equal(
        session.read("depth", len(numbers) - 1, len(numbers)), [counts_of("depth", camera.end - 1)]
    )
    assert take.failures == {}
    _require_untouched(session, "color", "thermal")


def _refuse():
    message = "is not started"
    raise OSError(message)


def test_a_camera_that_cannot_be_read_after_its_stop_is_told_and_costs_nothing(study):
    take, session = _record(study, BufferingCamera("depth", held=3, after=_refuse), 0.5)

    assert _without_stalls(_events(session, "depth")) == [("not_drained", "is not started")]
    assert take.failures == {}
    assert take.report.verdict == "ok"
    _require_untouched(session, "color", "thermal")


def test_a_camera_that_does_not_heed_its_stop_holds_the_end_up_no_longer_than_told(study):
    patience = replace(IMPATIENT, drain_seconds=0.2)
    camera = BufferingCamera("depth", held=10**6)
    take, session = _record(study, camera, 0.4, patience=patience)
    told = _without_stalls(_events(session, "depth"))
    since_stop = len(session.times("depth")) - (camera.end - camera.held)

    assert told == [("not_drained", "still gave frames after its stop")]
    assert 0 < since_stop < 1.2 * RATES_HZ["depth"]
    assert take.failures == {}
