"""The first rig's file for what was found."""

from __future__ import annotations

import tomllib

import pytest

from mavfer.errors import AlreadyThere, DeviceError
from recording.rig.description import parse_rig, read_rig
from recording.rig.probing import DriverReport, FoundCamera, Mode
from recording.rig.proposal import choose_cameras, propose_rig, write_rig

D435 = FoundCamera(
    driver="realsense",
    name="Intel RealSense D435",
    serial="838212073161",
    place="USB 3.2",
    streams=("color", "depth"),
    modes=(
        Mode("color", 1920, 1080, (30.0, 15.0, 6.0)),
        Mode("color", 1280, 720, (30.0, 15.0)),
        Mode("color", 640, 480, (60.0, 30.0)),
        Mode("depth", 1280, 720, (15.0, 6.0)),
        Mode("depth", 848, 480, (90.0, 60.0, 30.0)),
    ),
)
AX5 = FoundCamera("gige", "FLIR A65", "71702468", "192.168.1.20", ("thermal",))
NAMELESS = FoundCamera("gige", "FLIR A35", "", "192.168.1.21", ("thermal",))
LEPTON = FoundCamera(
    driver="uvc",
    name="PureThermal 2",
    serial="8003-1",
    place="/dev/video4",
    streams=("thermal",),
    modes=(Mode("thermal", 160, 120, (9.0,), "Y16 "), Mode("thermal", 160, 122, (9.0,), "Y16 ")),
)
WEBCAM = FoundCamera(
    driver="webcam",
    name='HD "Pro"\nC920',
    serial="",
    place="/dev/video0",
    streams=("color",),
    modes=(
        Mode("color", 1280, 720, (10.0,), "YUYV"),
        Mode("color", 640, 480, (29.97,), "YUYV"),
        Mode("color", 1280, 720, (29.97,), "MJPG"),
    ),
)


def reports(*cameras):
    return [DriverReport("realsense", "ok", cameras=cameras)]


def proposed(*cameras, name="lab"):
    return tomllib.loads(propose_rig(reports(*cameras), name))


def test_a_realsense_is_color_and_depth_and_a_gige_camera_is_thermal(tmp_path):
    text = propose_rig(reports(WEBCAM, LEPTON, AX5, D435), "lab")
    rig = parse_rig(text.encode(), tmp_path / "lab.toml")

    assert rig.has_factory_calibration
    assert rig.cameras == {
        "color": {
            "driver": "realsense",
            "serial": "838212073161",
            "size": [1280, 720],
            "rate_hz": 30,
        },
        "depth": {
            "driver": "realsense",
            "serial": "838212073161",
            "size": [848, 480],
            "rate_hz": 30,
        },
        "thermal": {"driver": "gige", "serial": "71702468"},
    }
    assert "# Also connected:" in text
    assert '#   cameras.thermal = { driver = "uvc", device = "8003-1", size = [160, 122]' in text


def test_a_webcam_is_color_and_a_camera_of_counts_is_thermal():
    rig = proposed(WEBCAM, LEPTON)

    assert rig["cameras"]["color"] == {
        "driver": "webcam",
        "device": "/dev/video0",
        "size": [1280, 720],
        "rate_hz": 29.97,
        "fourcc": "MJPG",
    }
    assert rig["cameras"]["thermal"]["size"] == [160, 122]
    assert "calibration" not in rig


def test_a_camera_without_a_serial_is_named_by_its_place():
    assert proposed(WEBCAM, NAMELESS)["cameras"]["thermal"]["address"] == "192.168.1.21"


def test_a_camera_that_cannot_be_asked_is_the_last_choice():
    locked = FoundCamera("webcam", "a", "", "/dev/video9", ("color",), problem="not allowed")

    assert choose_cameras(reports(locked, WEBCAM))["color"] == WEBCAM
    assert proposed(locked)["cameras"]["color"] == {"driver": "webcam", "device": "/dev/video9"}
    assert "# not allowed" in propose_rig(reports(locked), "lab")


def test_a_rig_needs_color():
    with pytest.raises(DeviceError, match=r"no camera that gives color is connected.*Plug in"):
        propose_rig(reports(AX5), "lab")


def test_a_file_is_written_once_with_a_name_that_fits(tmp_path):
    path = tmp_path / "my lab.toml"
    write_rig(path, propose_rig(reports(D435, AX5), path.stem))
    before = path.read_bytes()

    assert read_rig(path).name == "my-lab"
    with pytest.raises(AlreadyThere, match=r"my lab\.toml: exists already\. Choose another name"):
        write_rig(path, propose_rig(reports(WEBCAM), "other"))
    assert path.read_bytes() == before
