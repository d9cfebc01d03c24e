"""Trying a rig out: on simulated cameras, on one behind a real SDK, and on ones that misbehave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import realsense_file as made
import shim
from counting_rig import CountingRig

from mavfer.errors import CommandError, DeviceError
from recording.camera import CameraInfo, ClockDomain, Frame
from recording.rig import LabRig, read_rig, run_selftest
from recording.rig.selftest import SelftestReport

HEAD = 'format = "mavfer.rig"\nversion = 1\nname = "lab"\n'
COLOR = '[cameras.color]\ndriver = "simulated"\nsize = [80, 60]\n'
SMALL = (
    COLOR
    + """
[cameras.depth]
driver = "simulated"
size = [80, 60]
[cameras.thermal]
driver = "simulated"
size = [40, 32]
[simulated]
drop_share = 0.0
[storage]
queue_frames = 30
"""
)


def rig_of(tmp_path, text, seconds):
    path = tmp_path / "lab.toml"
    path.write_text(HEAD + text)
    return LabRig(read_rig(path), seconds=seconds)


def by_check(report: SelftestReport, where):
    return {finding.check: finding for finding in report.findings if finding.where == where}


def test_a_simulated_rig_is_watched_and_nothing_is_kept(tmp_path):
    rig = rig_of(tmp_path, 'calibration = "factory"\n' + SMALL, 1.8)
    report = run_selftest(rig, seconds=1.8, folder=tmp_path)
    color, thermal = by_check(report, "color"), by_check(report, "thermal")

    assert [path.name for path in tmp_path.iterdir()] == ["lab.toml"]
    assert report.simulated == ("color", "depth", "thermal")
    assert "Nothing was shown of USB bandwidth, triggers" in report.unproven[0]
    assert "not measured: --flash" in report.unproven[1]
    assert set(color) == {"camera", "frames", "drops", "longest gap", "arrivals", "clock", "queue"}
    assert color["camera"].result == "pass"
    assert color["frames"].values["rate_hz"] == pytest.approx(30, rel=0.1)
    assert color["frames"].values["frames"] == pytest.approx(54, abs=5)
    assert thermal["frames"].values["asked_hz"] == 25
    assert abs(color["clock"].values["drift_ppm"]) < 5000  # arrivals may be late, in 1.8 s
    assert color["queue"].found.endswith("of 30 frames waited for the disk")
    assert thermal["shutter"].result == "look"
    assert by_check(report, "color, depth")["phase"].values["scatter_ms"] < 1
    assert by_check(report, "color, thermal")["phase"].found.startswith("rates differ")
    assert 0 < by_check(report, "rig")["processor"].values["core_share"] < 2
    assert report.to_document()["result"] == report.result


def test_losses_shutters_and_silence_are_told(tmp_path):
    rig = CountingRig(
        40, paced=True, model="metal",
        color={"lost": [10, 11]}, thermal={"cut": [5], "shutter": range(20, 30)},
    )  # fmt: skip
    report = run_selftest(rig, seconds=5.0)
    color, thermal = by_check(report, "color"), by_check(report, "thermal")

    assert report.result == "fail"
    assert report.simulated == ()
    assert color["drops"].found == "2 of 40: 2 device"
    assert color["drops"].result == "fail"
    assert "USB port (or controller) of its own" in color["drops"].advice
    assert color["longest gap"].values["longest_gap_ms"] == pytest.approx(100, abs=30)
    assert thermal["drops"].found == "1 of 40: 1 link"
    assert "jumbo packets" in thermal["drops"].advice
    assert thermal["shutter"].found.startswith("closed 1 times, 0.4")
    assert by_check(report, "depth")["drops"].result == "pass"
    assert color["camera"].result == "look"


def test_a_camera_that_gives_nothing_fails_and_the_others_are_judged():
    rig = CountingRig(25, paced=True, depth={"lost": range(25)})
    report = run_selftest(rig, seconds=3.0)

    assert by_check(report, "depth")["frames"].result == "fail"
    assert by_check(report, "depth")["frames"].values == {"frames": 0}
    assert by_check(report, "color")["frames"].result == "pass"
    assert "color, depth" not in {finding.where for finding in report.findings}


def test_a_calibration_of_another_size_fails():
    cameras = {"color": {"width": 640, "height": 480}, "depth": {"width": 64, "height": 48}}
    rig = CountingRig(15, paced=True, calibration={"cameras": cameras})
    report = run_selftest(rig, seconds=2.0)

    assert by_check(report, "color")["camera"].result == "fail"
    assert "calibration is of 640x480" in by_check(report, "color")["camera"].advice
    assert by_check(report, "depth")["camera"].result == "pass"


def test_link_statistics_of_a_network_camera_are_told(tmp_path, gige_server):
    gige_server.start(rate_hz=25.0, lost=0.01)
    text = COLOR + '[cameras.thermal]\ndriver = "gige"\naddress = "127.0.0.1"\n'
    report = run_selftest(rig_of(tmp_path, text, 1.3), seconds=1.3)
    thermal = by_check(report, "thermal")

    assert report.simulated == ("color",)
    assert "AX5-0001, 160x128 at 25" in thermal["camera"].found
    assert thermal["link"].values["received_packets"] > 100
    assert thermal["link"].result == "fail"
    assert "jumbo packets" in thermal["link"].advice
    assert thermal["drops"].values["incomplete"] + thermal["drops"].values["drops"] > 0
    assert thermal["frames"].values["asked_hz"] == pytest.approx(25.0, rel=0.01)


def test_a_recording_of_a_realsense_is_watched_in_real_time(tmp_path, recording):
    text = "is_paced = true\ncalibration = 'factory'\n" + "".join(
        f"[cameras.{stream}]\ndriver = 'file'\npath = '{recording}'\n"
        for stream in ("color", "depth")
    )
    report = run_selftest(rig_of(tmp_path, text, 2.0), seconds=5.0)
    color = by_check(report, "color")

    assert color["camera"].result == "pass"
    assert color["camera"].found.endswith("D435 made of software 0123, 320x240 at 30")
    assert color["frames"].values["frames"] == made.FRAMES
    assert color["drops"].result == "pass"
    phase = by_check(report, "color, depth")["phase"]
    assert phase.values["scatter_ms"] < 1


def test_video_devices_are_watched_through_their_driver(tmp_path):
    library = shim.build(tmp_path)
    size = "width=64,height=48,rate=30"
    devices = (
        f"path=/dev/video41,format=YUYV,{size},gap_at=60,gap=2;path=/dev/video42,format=Y16 ,{size}"
    )
    rig = tmp_path / "lab.toml"
    rig.write_text(
        HEAD + "[cameras.color]\ndriver = 'webcam'\ndevice = '/dev/video41'\n"
        "[cameras.thermal]\ndriver = 'uvc'\ndevice = '/dev/video42'\n"
        "radiometry = 'boson-raw'\ntelemetry = 'none'\n[storage]\ncolor_codec = 'jpeg95'\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mavfer", "rig", "selftest", rig, "--seconds", "3", "--json"],
        env={**os.environ, "V4L2_SHIM": devices, "V4L2_SHIM_LOG": str(tmp_path / "log"),
             "LD_PRELOAD": str(library), "OPENCV_LOG_LEVEL": "SILENT"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    found = {(finding["check"], finding["where"]): finding for finding in report["findings"]}

    assert done.returncode == 1
    assert found["drops", "color"]["values"]["device"] >= 2  # more on a busy machine
    assert found["drops", "color"]["result"] == "fail"
    assert found["clock", "color"]["found"] == "stamped by the host's driver: nothing to fit"
    assert found["phase", "color, thermal"]["values"]["scatter_ms"] < 3
    assert report["simulated"] == []


def test_a_camera_that_cannot_be_opened_is_told_and_nothing_stays(tmp_path):
    rig = rig_of(tmp_path, "[cameras.color]\ndriver = 'webcam'\ndevice = '/dev/video99'\n", 1.0)
    with pytest.raises(DeviceError, match="color camera cannot be opened: /dev/video99: is not"):
        run_selftest(rig, seconds=1.0, folder=tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["lab.toml"]


def test_a_rig_without_real_time_is_refused():
    with pytest.raises(CommandError, match="rig counting: gives no frames in real time"):
        run_selftest(CountingRig(10), seconds=1.0)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(CommandError, match=r"none: no such folder\. Name one on the study's disk"):
        run_selftest(CountingRig(10, paced=True), seconds=1.0, folder=tmp_path / "none")


class LampCamera:
    """Frames as bright as the lamp in the room while they were exposed; stamps are `later_ms`."""

    def __init__(self, stream, rate_hz, later_ms, flashes_seconds, start):
        self.stream, self.rate_hz, self.later_ms = stream, rate_hz, later_ms
        self.flashes, self.start_ns, self.number = flashes_seconds, start, 0

    @property
    def info(self):
        return CameraInfo(
            stream=self.stream, model="lamp", serial=self.stream, width=32, height=24,
            rate_hz=self.rate_hz, dtype="uint8" if self.stream == "color" else "uint16",
            depth_mm_per_count=1.0, radiometry={"formula": "uncalibrated"},
        )  # fmt: skip

    def open(self):
        pass

    def start(self):
        pass

    def read(self, timeout_seconds):
        exposed = self.number / self.rate_hz
        arrives_ns = self.start_ns + round((exposed + 0.01) * 1e9)
        time.sleep(max(0.0, (arrives_ns - time.monotonic_ns()) / 1e9))
        is_lit = np.searchsorted(self.flashes, exposed) % 2
        shape = (24, 32, 3) if self.stream == "color" else (24, 32)
        random = np.random.default_rng(self.number)
        pixels = random.integers(50, 60, shape) + 60 * is_lit
        frame = Frame(
            pixels=pixels.astype(self.info.dtype),
            host_ns=time.monotonic_ns(),
            device_ns=self.start_ns + round((exposed + self.later_ms / 1e3) * 1e9),
            domain=ClockDomain.HOST,
            frame_number=self.number,
            exposure_ns=0,
        )
        self.number += 1
        return frame

    def stop(self):
        pass

    def close(self):
        pass


class LampRig:
    name, is_paced, calibration = "lamps", True, None

    def __init__(self, flashes_seconds):
        start = time.monotonic_ns() + 100_000_000
        later = {"color": (30.0, 0.0), "thermal": (25.0, 80.0)}
        self.settings = {"color_codec": "jpeg95"}
        self.cameras = [
            LampCamera(stream, rate_hz, later_ms, flashes_seconds, start)
            for stream, (rate_hz, later_ms) in later.items()
        ]


def test_a_flash_is_waited_for_and_gives_the_offset_of_stamps():
    told = []
    report = run_selftest(
        LampRig([1.0, 1.73, 2.41]), seconds=0.5, with_flash=True, tell=told.append
    )
    flash = by_check(report, "thermal")["flash"]

    assert 2.7 < report.seconds < 8
    assert flash.values["flashes"] == 3
    assert abs(flash.values["offset_ms"] - 80.0) <= flash.values["uncertainty_ms"] + 1
    assert flash.values["uncertainty_ms"] < 36
    assert flash.result == "look"
    assert "add 0.0" in flash.advice
    assert "to this camera's delay_seconds" in flash.advice
    assert told[0].startswith("flash: now move a board before all lenses")
    assert not report.unproven


def test_a_flash_that_does_not_come_is_told_when_the_test_is_stopped():
    stop = threading.Event()
    timer = threading.Timer(1.2, stop.set)
    timer.start()
    report = run_selftest(LampRig([]), seconds=0.5, with_flash=True, stop=stop)
    timer.join()
    flash = by_check(report, "rig")["flash"]

    assert flash.result == "fail"
    assert flash.found == "no sudden change was seen by all of color, thermal"
