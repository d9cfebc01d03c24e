"""What is chosen of what a device offers, and what it says of itself."""

from __future__ import annotations

import json
from importlib.metadata import version

import numpy as np
import pytest
import realsense_file as made
from realsense_file import Software, cameras_of, play

from mavfer.errors import DeviceError
from recording.realsense import (
    RealSenseCamera,
    RealSenseDevice,
    RecordedFile,
    StreamRequest,
)
from recording.realsense.listing import describe_device


def test_a_camera_says_what_was_in_force(recording):
    color, depth = cameras_of(RecordedFile(recording, "fast"))
    before = color.info
    color.open()
    depth.open()
    infos = color.info, depth.info
    color.close()
    depth.close()

    assert (before.stream, before.width) == ("color", 0)
    assert [(i.width, i.height, i.rate_hz, i.serial) for i in infos] == [(320, 240, 30, "0123")] * 2
    assert infos[0].model == "Intel RealSense D435 made of software"
    assert infos[0].depth_mm_per_count is None
    assert infos[1].depth_mm_per_count == 0.25
    assert infos[1].clock_hz == 1e6
    assert infos[1].settings["options"]["laser_power"] == 150
    assert infos[0].settings["firmware"] == "5.16.0.1"
    assert infos[0].settings["usb"] == "3.2"
    assert infos[0].settings["sdk"].endswith(version("pyrealsense2"))
    assert infos[0].settings["intrinsics"]["model"] == "inverse_brown_conrady"
    assert json.dumps(infos[0].settings)


def test_options_are_set_on_a_live_device_and_checked(sdk):
    software = made.make_device(sdk)

    def open_depth(**options):
        requests = {"depth": StreamRequest(options=options)}
        camera = RealSenseCamera(RealSenseDevice(Software(software), requests), "depth")
        camera.open()
        camera.close()
        return camera.info

    assert open_depth(laser_power=210).settings["options"]["laser_power"] == 210
    with pytest.raises(DeviceError, match=r"laser_power cannot be 400\. Choose from 0 to 360"):
        open_depth(laser_power=400)
    with pytest.raises(DeviceError, match=r"no option 'laser'. Choose one of .*laser_power"):
        open_depth(laser=1)


def test_what_a_device_does_not_offer_is_told_with_what_it_does(sdk, recording):
    file = RecordedFile(recording, "fast")

    def open_camera(source, request):
        RealSenseCamera(RealSenseDevice(file, {source: request}), source).open()

    with pytest.raises(
        DeviceError, match=r"no color of 640x480 at 60 Hz\. Ask for one of 320x240 at 30 Hz"
    ):
        open_camera("color", StreamRequest(640, 480, 60))
    with pytest.raises(DeviceError, match=r"no depth of anyxany at 15 Hz\. Ask for one of 320x240"):
        open_camera("depth", StreamRequest(rate_hz=15))
    with pytest.raises(
        DeviceError, match=r"gives no infrared, only color, depth\. Leave infrared out"
    ):
        open_camera("infrared", StreamRequest())
    with pytest.raises(DeviceError, match="infrared was not asked for"):
        RealSenseCamera(RealSenseDevice(file), "infrared").open()


def test_the_best_of_several_sizes_is_the_default_one(sdk):
    software = made.make_device(sdk)
    rgb = software.sensors["color"]
    stream = made.video_stream(sdk, "color", 7)
    stream.width, stream.height, stream.fps = 1280, 720, 15
    rgb.add_video_stream(stream)
    description = describe_device(sdk, software.device)
    sizes = []
    for request in (StreamRequest(), StreamRequest(width=1280)):
        camera = RealSenseCamera(RealSenseDevice(Software(software), {"color": request}), "color")
        camera.open()
        sizes.append((camera.info.width, camera.info.height, camera.info.rate_hz))
        camera.close()

    assert sizes == [(320, 240, 30), (1280, 720, 15)]
    assert description.streams == {
        "color": ((1280, 720, (15.0,)), (320, 240, (30.0,))),
        "depth": ((320, 240, (30.0,)),),
    }
    assert (description.serial, description.usb) == ("0123", "3.2")
    assert description.firmware == "5.16.0.1"


def test_color_that_was_recorded_blue_first_comes_red_first(sdk, tmp_path):
    path = made.record(sdk, tmp_path / "bgr.db3", 3, color="bgr8")
    color, _ = play(cameras_of(RecordedFile(path, "fast")))

    assert len(color) == 3
    assert all(np.array_equal(f.pixels, made.picture_of(f.frame_number)[..., ::-1]) for f in color)
