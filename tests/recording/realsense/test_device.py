"""Reading files through the cameras of one device."""

from __future__ import annotations

import numpy as np
import pytest
from realsense_file import cameras_of, is_as_recorded, play, read_all

from mavfer.errors import DeviceError
from recording.realsense import (
    RealSenseCamera,
    RealSenseDevice,
    RecordedFile,
    StreamRequest,
)


@pytest.mark.parametrize("pace", ["fast", "real"])
def test_every_frame_of_a_file_comes_pixel_for_pixel(recording, pace):
    color, depth = play(cameras_of(RecordedFile(recording, pace)))

    assert is_as_recorded("color", color)
    assert is_as_recorded("depth", depth)
    assert color[0].pixels.dtype == np.uint8
    assert depth[0].pixels.dtype == np.uint16


@pytest.mark.parametrize("delays", [(0.004, 0.0), (0.0, 0.004)])
def test_a_slow_reader_of_a_fast_file_loses_nothing_and_holds_up_nobody_for_good(recording, delays):
    color, depth = play(cameras_of(RecordedFile(recording, "fast")), delays)

    assert is_as_recorded("color", color)
    assert is_as_recorded("depth", depth)


def test_depth_and_infrared_come_from_one_sensor(recording_with_infrared):
    streams = ("color", "depth", "infrared")
    cameras = cameras_of(RecordedFile(recording_with_infrared, "fast"), streams)
    frames = play(cameras, (0.0, 0.003, 0.0))

    for stream, mine in zip(streams, frames, strict=True):
        assert is_as_recorded(stream, mine)
    with pytest.raises(DeviceError, match="not a stream of a session"):
        _ = cameras[2].info


def test_a_camera_that_is_closed_early_leaves_the_others_their_frames(recording_with_infrared):
    source = RecordedFile(recording_with_infrared, "fast")
    color, depth, infrared = cameras_of(source, ("color", "depth", "infrared"))
    for camera in (color, depth, infrared):
        camera.open()
    for camera in (color, depth, infrared):
        camera.start()
    depth.stop()
    depth.close()
    color.close()
    frames = []
    read_all(infrared, frames)
    infrared.close()

    assert is_as_recorded("infrared", frames)


def test_a_camera_can_be_opened_again(recording):
    color, depth = cameras_of(RecordedFile(recording, "fast"))
    for _ in range(2):
        for frames, source in zip(play([color, depth]), ("color", "depth"), strict=True):
            assert is_as_recorded(source, frames)
    color.open()
    color.start()
    assert color.read(1.0).frame_number == 0
    color.stop()

    with pytest.raises(EOFError):
        color.read(0.1)
    with pytest.raises(DeviceError, match="Close and open it to begin again"):
        color.start()
    color.close()
    with pytest.raises(DeviceError, match=r"color is not open\. Call open"):
        color.read(0.1)


def test_one_stream_has_one_camera(recording):
    device = RealSenseDevice(RecordedFile(recording, "fast"), {"color": StreamRequest()})
    first, second = RealSenseCamera(device, "color"), RealSenseCamera(device, "color")
    first.open()
    with pytest.raises(DeviceError, match="color is read by another camera"):
        second.open()
    second.close()
    frames = []
    first.start()
    read_all(first, frames)
    first.close()

    assert is_as_recorded("color", frames)
