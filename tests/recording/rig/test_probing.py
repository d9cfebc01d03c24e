"""Asking drivers which cameras are connected."""

from __future__ import annotations

import time
from multiprocessing import Pipe

import pytest

from mavfer.errors import MissingExtra
from recording.opencv.v4l2 import VideoDevice, VideoMode
from recording.realsense.listing import describe_device
from recording.rig import probing
from recording.rig.probing import DriverReport, Mode, probe_cameras


def test_every_driver_answers_for_itself(gige_server):
    gige_server.start()
    reports = {report.driver: report for report in probe_cameras()}
    (camera,) = reports["gige"].cameras

    assert set(reports) == {"realsense", "gige", "v4l2"}
    assert reports["v4l2"].state == "ok"
    assert (camera.driver, camera.serial, camera.place) == ("gige", "AX5-0001", "127.0.0.1")
    assert camera.streams == ("thermal",)


def test_a_driver_that_is_slow_does_not_hold_up_the_others():
    reports = probe_cameras(limit_seconds=0.0)

    assert {report.state for report in reports} == {"late"}
    assert all("did not answer within 0 s. Ask again; if it is" in r.text for r in reports)


def test_a_driver_that_crashes_is_told():
    ours, theirs = Pipe(duplex=False)
    theirs.close()
    report = probing._report("gige", ours, deadline=time.monotonic() + 5.0, limit_seconds=5.0)
    ours.close()

    assert report.state == "failed"
    assert "crashed while it looked for cameras" in report.text


@pytest.mark.parametrize(
    ("error", "state"),
    [(MissingExtra("Aravis is not installed. Install it"), "missing"),
     (OSError(13, "no rights"), "failed"), (RuntimeError("bus\nerror"), "failed")],
)  # fmt: skip
def test_what_a_driver_raises_is_told_in_one_line(monkeypatch, error, state):
    def fail():
        raise error

    monkeypatch.setitem(probing._ASK, "gige", fail)
    ours, theirs = Pipe(duplex=False)
    probing._answer("gige", theirs)
    report = ours.recv()
    ours.close()

    assert report.state == state
    assert report.text == " ".join(str(error).split())
    assert report.cameras == ()


def test_a_realsense_gives_color_and_depth(sdk_device):
    found = probing._found_realsense(describe_device(*sdk_device))

    assert found.streams == ("color", "depth")
    assert found.serial == "0123"
    assert found.place == "USB 3.2"
    assert found.modes[0] == Mode("color", 320, 240, (30.0,))
    assert found.problem == ""


def test_video_devices_that_give_counts_are_thermal():
    y16 = VideoMode("Y16 ", 160, 120, (9.0,))
    rgb = VideoMode("RGB3", 160, 120, (9.0,))
    lepton = probing._found_video(
        VideoDevice("/dev/video2", "PureThermal", "usb-1", "1", (rgb, y16))
    )
    webcam = probing._found_video(VideoDevice("/dev/video0", "HD", "usb-2", "", (rgb,)))

    assert (lepton.driver, lepton.streams) == ("uvc", ("thermal",))
    assert lepton.modes == (Mode("thermal", 160, 120, (9.0,), "Y16 "),)
    assert (webcam.driver, webcam.streams) == ("webcam", ("color",))


def test_a_realsense_is_no_webcam_and_a_serial_that_is_shared_names_nothing(monkeypatch):
    y16 = VideoMode("Y16 ", 1280, 800, (15.0,))
    devices = [
        VideoDevice("/dev/video0", "Intel(R) RealSense(TM) Depth Ca", "usb-1", "", (y16,)),
        VideoDevice("/dev/video6", "HD Webcam", "usb-2", "77", ()),
        VideoDevice("/dev/video8", "HD Webcam", "usb-2", "77", ()),
        VideoDevice("/dev/video9", "Other", "usb-3", "78", ()),
    ]
    monkeypatch.setattr("recording.opencv.v4l2.list_devices", lambda: devices)

    assert [(camera.place, camera.serial) for camera in probing._v4l2()] == [
        ("/dev/video6", ""),
        ("/dev/video8", ""),
        ("/dev/video9", "78"),
    ]


def test_a_report_is_json():
    document = DriverReport("gige", "missing", "no Aravis").to_document()

    assert document == {"driver": "gige", "state": "missing", "text": "no Aravis", "cameras": ()}
