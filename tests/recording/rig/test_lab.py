"""The cameras that a rig's file names."""

from __future__ import annotations

import json

import numpy as np
import pytest
import realsense_file as made
import shim

from mavfer.errors import CommandError, InvalidFile
from mavfer.study.session import Session
from recording.realsense.camera import RealSenseCamera
from recording.recorder import record_take
from recording.rig import LabRig, Storage, read_rig
from recording.rigs import open_rig
from recording.simulated import SimulatedRig
from recording.thermal_gige import GigeThermalCamera
from recording.thermal_uvc import ThermalUvc
from recording.webcam import Webcam

HEAD = 'format = "mavfer.rig"\nversion = 1\nname = "lab"\n'
SIMULATED = """
calibration = "factory"
is_paced = false
[cameras]
color = { driver = "simulated", size = [80, 60] }
depth = { driver = "simulated", size = [80, 60], rate_hz = 15 }
thermal = { driver = "simulated", size = [40, 32] }
[simulated]
seed = 7
lighting = "dark"
drop_share = 0.0
[storage]
color_codec = "x264-lossless"
queue_frames = 20
"""


@pytest.fixture
def make(tmp_path):
    """The rig of a file with the given text behind its head."""

    def write_and_make(text, **options):
        path = tmp_path / "lab.toml"
        path.write_text(HEAD + text)
        return LabRig(read_rig(path), **{"seconds": 1.0, **options})

    return write_and_make


def consent(study, tmp_path):
    (tmp_path / "form.pdf").write_text("signed")
    study.write_consent("S01", tmp_path / "form.pdf", form_version="1", scope=["record"])


def test_simulated_cameras_are_those_of_the_simulated_rig(make):
    rig = make(SIMULATED, subject_code="S01", take=2, created_utc="2026-01-01T00:00:00Z")
    same = SimulatedRig(
        7, seconds=1.0, lighting="dark", pace="fast", subject_code="S01", take=2,
        sizes={"color": (80, 60), "depth": (80, 60), "thermal": (40, 32)},
        rates_hz={"depth": 15.0}, drop_share=0.0, created_utc="2026-01-01T00:00:00Z",
    )  # fmt: skip

    assert [camera.info for camera in rig.cameras] == [camera.info for camera in same.cameras]
    assert rig.calibration == same.calibration
    assert rig.is_paced is False
    assert rig.storage == Storage("x264-lossless", queue_frames=20)
    assert rig.settings.items() >= same.settings.items()


def test_a_take_keeps_the_rigs_file_and_its_hash(study, make, tmp_path):
    rig = make(SIMULATED, subject_code="S01")
    take = record_take(study, rig, subject="S01")
    session = Session.open(take.folder)
    settings = session.document["settings"]
    path = tmp_path / "lab.toml"

    assert take.report.verdict == "ok"
    assert settings["rig"] == "lab"
    assert settings["color_codec"] == "x264-lossless"
    assert settings["rig_file"] == {
        "name": "lab.toml",
        "sha256": read_rig(path).sha256,
        "document": json.loads(json.dumps(read_rig(path).document)),
    }
    assert session.truth_path.is_file()
    assert take.report.streams["depth"].frames == 15


def test_fewer_simulated_cameras_leave_no_truth(make):
    rig = make('[cameras.color]\ndriver = "simulated"\nsize = [80, 60]\n')

    assert [camera.info.stream for camera in rig.cameras] == ["color"]
    assert rig.truth is None
    assert rig.calibration is None


def test_color_and_depth_of_a_recording_are_one_device(study, make, recording, tmp_path):
    consent(study, tmp_path)
    text = "calibration = 'factory'\n" + "".join(
        f"[cameras.{stream}]\ndriver = 'file'\npath = '{recording}'\n"
        for stream in ("color", "depth")
    )
    rig = make(text)
    take = record_take(study, rig, subject="S01")
    session = Session.open(take.folder)

    assert all(isinstance(camera, RealSenseCamera) for camera in rig.cameras)
    assert not rig.is_paced
    assert {name: (s.frames, s.drops) for name, s in take.report.streams.items()} == {
        "color": (made.FRAMES, 0),
        "depth": (made.FRAMES, 0),
    }
    assert np.array_equal(session.read("depth", 7, 8)[0], made.counts_of(7))
    assert session.calibration == "realsense-0123"


def test_what_is_asked_of_a_realsense_reaches_it(make):
    rig = make(
        '[cameras.color]\ndriver = "realsense"\nserial = "12"\nsize = [1280, 720]\nrate_hz = 30\n'
        '[cameras.depth]\ndriver = "realsense"\nserial = "34"\noptions = { laser_power = 150 }\n'
    )
    color, depth = rig.cameras

    assert (color.info.stream, color.info.width, color.info.height) == ("color", 1280, 720)
    assert depth.info.stream == "depth"
    assert color._device is not depth._device
    assert color._device.source.serial == "12"
    assert depth._device.streams["depth"].options == {"laser_power": 150}


def test_each_driver_gives_its_camera(make):
    rig = make(
        '[cameras.color]\ndriver = "webcam"\ndevice = 3\nsize = [640, 480]\nrate_hz = 30\n'
        'fourcc = "MJPG"\ndelay_seconds = 0.02\n'
        '[cameras.thermal]\ndriver = "gige"\naddress = "192.168.1.20"\nsize = [320, 256]\n'
        'rate_hz = 9\npixel_format = "Mono16"\ntemperature_linear = "low"\npacket_bytes = 1440\n'
        'features = { NUCMode = "Manual" }\nstall_seconds = 4\ndelay_seconds = 0.004\n'
    )
    color, thermal = rig.cameras

    assert isinstance(color, Webcam)
    assert (color.info.serial, color.info.width, color.info.rate_hz) == ("3", 640, 30)
    assert color._delay_ns == 20_000_000
    assert isinstance(thermal, GigeThermalCamera)
    assert (thermal.info.width, thermal.info.height, thermal.info.rate_hz) == (320, 256, 9)
    assert thermal._stamp_shift_us == pytest.approx(-4000)
    assert thermal._features == {"NUCMode": "Manual"}
    assert (thermal._packet_bytes, thermal._stall_seconds) == (1440, 4)


def test_a_thermal_file_lies_beside_the_rigs(make, tmp_path):
    rig = make(
        '[cameras.color]\ndriver = "file"\npath = "c.mp4"\n'
        '[cameras.thermal]\ndriver = "file"\npath = "t.mkv"\nradiometry = "lepton-tlinear-high"\n'
    )

    assert [type(camera) for camera in rig.cameras] == [Webcam, ThermalUvc]
    assert rig.cameras[1].info.serial == str(tmp_path / "t.mkv")
    with pytest.raises(CommandError, match="unknown radiometry 'warm'; known: ax5-linear-high"):
        make('[cameras.color]\ndriver = "webcam"\ndevice = 0\n'
             '[cameras.thermal]\ndriver = "uvc"\ndevice = 1\nradiometry = "warm"\n')  # fmt: skip


def test_videos_are_recorded_as_if_they_were_cameras(study, make, tmp_path):
    consent(study, tmp_path)
    counts = [np.full((48, 64), 29_000 + number, np.uint16) for number in range(12)]
    colors = [np.full((48, 64, 3), 5 * number, np.uint8) for number in range(12)]
    shim.write_file(tmp_path / "t.mkv", counts, "gray16le")
    shim.write_file(tmp_path / "c.mkv", colors, "bgr0", "bgr24")
    rig = make(
        '[cameras.thermal]\ndriver = "file"\npath = "t.mkv"\nradiometry = "boson-tlinear-high"\n'
        '[cameras.color]\ndriver = "file"\npath = "c.mkv"\n'
    )
    take = record_take(study, rig, subject="S01", seconds=60.0)
    session = Session.open(take.folder)

    assert [camera.info.stream for camera in rig.cameras] == ["color", "thermal"]
    assert {name: s.frames for name, s in take.report.streams.items()} == {
        "color": 12,
        "thermal": 12,
    }
    assert np.array_equal(session.read("thermal", 0, 12), counts)


def test_a_measured_calibration_is_read_and_checked(make, tmp_path):
    document = SimulatedRig(1, seconds=1.0).calibration
    (tmp_path / "board.json").write_text(json.dumps(document))
    webcam = '[cameras.color]\ndriver = "webcam"\ndevice = 0\n'

    assert make('calibration = "board.json"\n' + webcam).calibration == document
    (tmp_path / "board.json").write_text(json.dumps({**document, "unit": "inch"}))
    with pytest.raises(InvalidFile, match=r"board\.json: not a valid calibration file: \$\.unit"):
        make('calibration = "board.json"\n' + webcam)


def test_a_rig_is_opened_by_name_or_by_file(tmp_path):
    path = tmp_path / "lab.toml"
    path.write_text(HEAD + SIMULATED)

    assert open_rig(str(path), seconds=2.0).settings["seconds"] == 2.0
    assert open_rig("simulated", seconds=1.0).settings["seed"] == 0
    assert open_rig("realsense", seconds=1.0, sizes={"color": (640, 480)}).name == "realsense"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("webcam", {}, r"unknown rig 'webcam'; known: simulated, realsense, served, or a"),
        ("realsense", {"seed": 3}, r"rig realsense: has no option --seed\. Leave it out"),
        ("lab.toml", {"sizes": {}}, r"lab\.toml: has no option --size\. Set it in the file"),
        ("realsense", {"pace": "fast"}, "a live device has its own pace"),
    ],
)
def test_what_a_rig_does_not_have_is_refused(name, options, message):
    with pytest.raises(CommandError, match=message):
        open_rig(name, seconds=1.0, **options)
