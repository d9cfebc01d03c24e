"""Reading a live device: the SDK's own device that is made of software."""

from __future__ import annotations

import time

import numpy as np
import pytest
import realsense_file as made
from realsense_file import Software, cameras_of

from mavfer.errors import DeviceError
from recording.camera import LostFrame


def test_a_live_device_gives_its_frames_as_they_come(sdk):
    software = made.make_device(sdk, sources=("color", "depth", "infrared"))
    cameras = cameras_of(Software(software), ("color", "depth", "infrared"))
    for camera in cameras:
        camera.open()
    for camera in cameras:
        camera.start()
    before_ns = time.monotonic_ns()
    for number in range(5):
        for source in ("infrared", "color", "depth"):
            software.send(source, number)
    frames = [[camera.read(1.0) for _ in range(5)] for camera in cameras]
    software.send("depth", 5)
    cameras[1].stop()

    assert cameras[0].read(0.01) is None
    assert cameras[1].read(0.01).frame_number == 5
    with pytest.raises(EOFError):
        cameras[1].read(0.01)
    for source, mine in zip(("color", "depth", "infrared"), frames, strict=True):
        assert [frame.frame_number for frame in mine] == list(range(5))
        assert all(np.array_equal(f.pixels, made.CONTENT[source](f.frame_number)) for f in mine)
        assert before_ns < mine[0].host_ns <= mine[-1].host_ns < time.monotonic_ns()
    for camera in cameras:
        camera.close()


@pytest.mark.parametrize("sources", [("color", "depth"), ("depth", "infrared")])
def test_frames_that_fall_because_nobody_reads_are_told_as_lost_in_the_queue(sdk, sources):
    software = made.make_device(sdk, sources=sources)
    one, depth = cameras_of(Software(software), (next(s for s in sources if s != "depth"), "depth"))
    for camera in (one, depth):
        camera.open()
        camera.start()
    other = next(source for source in sources if source != "depth")
    software.send("depth", 0)
    first = depth.read(1.0)
    for number in range(1, 101):
        software.send("depth", number)
        if number % 2:
            software.send(other, number)
        if other == "infrared" and number % 10 == 0:
            while one.read(0.001) is not None:
                pass
    told = [depth.read(1.0) for _ in range(100)]
    lost = [word for word in told if isinstance(word, LostFrame)]

    assert first.frame_number == 0
    assert [word.frame_number for word in told] == list(range(1, 101))
    assert [word.frame_number for word in lost] == list(range(1, 69))
    assert {word.cause for word in lost} == {"queue"}
    one.close()
    depth.close()


def test_a_gap_in_the_count_without_an_overflow_is_left_to_the_recorder(sdk):
    software = made.make_device(sdk)
    color, depth = cameras_of(Software(software))
    for camera in (color, depth):
        camera.open()
        camera.start()
    for number in (0, 1, 5):
        software.send("color", number)
    frames = [color.read(1.0) for _ in range(3)]
    color.close()
    depth.close()

    assert [frame.frame_number for frame in frames] == [0, 1, 5]
    assert not any(isinstance(frame, LostFrame) for frame in frames)


def test_pixels_outlive_what_the_sdk_does_next(sdk):
    software = made.make_device(sdk)
    color, depth = cameras_of(Software(software))
    for camera in (color, depth):
        camera.open()
        camera.start()
    held = []
    for number in range(60):
        software.send("color", number)
        held.append(color.read(1.0))
    color.close()
    depth.close()

    assert all(np.array_equal(f.pixels, made.picture_of(f.frame_number)) for f in held)


def test_a_device_that_says_nothing_any_more_is_an_error(sdk):
    software = made.make_device(sdk)
    (color,) = cameras_of(Software(software), ("color",), silence_seconds=0.2)
    color.open()
    with pytest.raises(DeviceError, match="color is not started"):
        color.read(0.01)
    color.start()
    software.send("color", 0)

    assert color.read(1.0).frame_number == 0
    assert color.read(0.05) is None
    time.sleep(0.2)
    with pytest.raises(DeviceError, match=r"no color frame for 0\.\d seconds\. Check the cable"):
        color.read(0.05)
    color.close()


def test_a_device_that_another_has_open_is_an_error(sdk):
    software = made.make_device(sdk)
    (first,) = cameras_of(Software(software), ("color",))
    (second,) = cameras_of(Software(software), ("color",))
    first.open()
    first.start()
    with pytest.raises(DeviceError, match=r"software: color cannot be opened.*already|streaming"):
        second.open()
    first.close()
    second.open()
    second.close()


def test_a_camera_that_starts_later_takes_nothing_from_those_that_run(sdk):
    software = made.make_device(sdk, sources=("depth", "infrared"))
    depth, infrared = cameras_of(Software(software), ("depth", "infrared"))
    depth.open()
    infrared.open()
    depth.start()
    for number in range(3):
        software.send("infrared", number)
        software.send("depth", number)
    first = depth.read(1.0)
    infrared.start()

    assert first.frame_number == 0
    assert [infrared.read(1.0).frame_number for _ in range(3)] == [0, 1, 2]
    assert [depth.read(1.0).frame_number for _ in range(2)] == [1, 2]
    infrared.stop()
    software.send("infrared", 3)
    software.send("depth", 3)
    infrared.start()
    software.send("infrared", 4)

    assert depth.read(1.0).frame_number == 3
    assert infrared.read(1.0).frame_number == 4
    depth.close()
    infrared.close()
