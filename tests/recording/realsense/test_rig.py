"""Takes from a RealSense."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import realsense_file as made
from realsense_file import Software

from mavfer.errors import CommandError
from mavfer.study.session import Session
from recording.reader import Patience
from recording.realsense import RealSenseCamera, RealSenseDevice, RealSenseRig
from recording.recorder import record_take


def give_consent(study, tmp_path):
    form = tmp_path / "form.pdf"
    form.write_text("signed")
    study.write_consent("S01", form, form_version="1", scope=["record"])


def test_a_take_from_a_file_has_every_frame_and_passes_its_audit(study, recording, tmp_path):
    give_consent(study, tmp_path)
    rig = RealSenseRig(file=recording, pace="fast")
    take = record_take(study, rig, subject="S01")
    session = Session.open(take.folder)
    times = session.times("depth")

    assert take.report.verdict == "ok"
    assert take.failures == {}
    assert {name: (s.frames, s.drops) for name, s in take.report.streams.items()} == {
        "color": (made.FRAMES, 0),
        "depth": (made.FRAMES, 0),
    }
    stored = session.read("depth", 0, made.FRAMES)
    assert np.array_equal(stored, [made.counts_of(number) for number in range(made.FRAMES)])
    assert times["frame_number"].tolist() == list(range(made.FRAMES))
    assert np.allclose(np.diff(times["host_ns"]) / 1e6, made.PERIOD_MS, atol=1.1)
    assert session.document["streams"]["depth"]["depth_mm_per_count"] == 0.25
    assert session.calibration == "realsense-0123"
    assert session.document["settings"]["file"] == "two.db3"


def test_a_take_in_real_time_lasts_as_long_as_the_file(study, recording, tmp_path):
    give_consent(study, tmp_path)
    rig = RealSenseRig(file=recording)
    before = time.monotonic()
    take = record_take(study, rig, subject="S01")
    seconds = time.monotonic() - before
    times = Session.open(take.folder).times("color")

    assert rig.is_paced
    assert seconds > 1.3
    assert [s.drops for s in take.report.streams.values()] == [0, 0]
    assert 1.25 < (times["host_ns"][-1] - times["host_ns"][0]) / 1e9 < 1.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"file": "a.db3", "serial": "1"}, "a serial number or a file, not both"),
        ({"pace": "fast"}, "a live device has its own pace"),
        ({"pace": "slow"}, "pace 'slow' is unknown"),
        ({"streams": ("color", "thermal")}, "no stream 'thermal'"),
        ({"streams": ("color",), "sizes": {"depth": (640, 480)}}, "'depth' is not recorded"),
        ({"file": "a.db3", "options": {"depth": {"laser_power": 1}}}, "a file has its options"),
    ],
)
def test_options_of_the_rig_that_cannot_go_together_are_refused(options, message):
    with pytest.raises(CommandError, match=message):
        RealSenseRig(**options)


def test_a_rig_says_what_was_asked_for():
    rig = RealSenseRig(
        "0123", streams=("color",), sizes={"color": (640, 480)}, rates_hz={"color": 60}
    )

    assert rig.is_paced
    assert rig.calibration is None
    assert [camera.info.stream for camera in rig.cameras] == ["color"]
    assert rig.settings == {"asked": {"color": {"size": [640, 480], "rate_hz": 60, "options": {}}}}


class SoftwareRig:
    """A rig of a live device, with color and depth."""

    name, is_paced, settings = "software", True, {}

    def __init__(self, software):
        self.device = RealSenseDevice(Software(software), silence_seconds=0.3)
        self.cameras = [RealSenseCamera(self.device, source) for source in ("color", "depth")]

    @property
    def calibration(self):
        return self.device.calibration


def test_a_live_device_that_falls_silent_comes_back_within_the_take(sdk, study, tmp_path):
    give_consent(study, tmp_path)
    software, stop = made.make_device(sdk), threading.Event()

    def send():
        for number in range(90):
            for source in ("color", "depth"):
                software.send(source, number)
            time.sleep(1.0 if number == 45 else 1 / 60)
        stop.set()

    thread = threading.Thread(target=send)
    thread.start()
    take = record_take(
        study,
        SoftwareRig(software),
        subject="S01",
        stop=stop,
        patience=Patience(pauses_seconds=(0.1,)),
    )
    thread.join()
    session = Session.open(take.folder)
    kinds = [event["kind"] for event in session.events]
    stored = session.read("depth", 0, len(session.times("depth")["host_ns"]))
    number_by_first_count = {int(made.counts_of(number)[0, 0]): number for number in range(90)}
    numbers = [number_by_first_count[int(counts[0, 0])] for counts in stored]

    assert take.failures == {}
    assert kinds.count(b"camera_lost") == kinds.count(b"camera_back") >= 2
    assert numbers[-1] == 89
    assert numbers == sorted(set(numbers))
    assert set(range(numbers[0], 90)) - set(numbers) <= set(range(46, 60))  # until it was back
    assert all(np.array_equal(c, made.counts_of(n)) for c, n in zip(stored, numbers, strict=True))
