"""Devices and files that are there, and those that are not."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
import pytest
import realsense_file as made
from realsense_file import cameras_of, read_all

from mavfer.errors import DeviceError, MissingExtra
from recording.realsense import (
    LiveDevice,
    RecordedFile,
    connected_devices,
)
from recording.realsense.sources import choose_device


def test_no_device_and_a_missing_serial_are_told(sdk):
    one, two = made.make_device(sdk).device, made.make_device(sdk).device
    two.update_info(sdk.camera_info.serial_number, "0456")

    assert choose_device(sdk, [one], None) is one
    assert choose_device(sdk, [one, two], "0456") is two
    with pytest.raises(DeviceError, match="several RealSense devices are connected: 0123, 0456"):
        choose_device(sdk, [one, two], None)
    with pytest.raises(DeviceError, match="RealSense 9 is not connected; connected: 0123, 0456"):
        choose_device(sdk, [one, two], "9")
    if connected_devices():
        pytest.skip("a RealSense is connected")
    (camera,) = cameras_of(LiveDevice(), ("color",))
    with pytest.raises(DeviceError, match=r"no RealSense is connected\. Plug it in"):
        camera.open()
    camera.close()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.mp4", b"", "not a recording of the RealSense SDK. Give a file .db3 or .bag"),
        ("a.db3", None, "no such file"),
        ("a.db3", b"", "torn, or not a .db3 recording"),
        ("a.bag", b"hello", "torn, or not a .bag recording"),
        ("a.db3", b"#ROSBAG V2.0\n#", "holds a .bag recording. Rename it to a.bag"),
        ("a.bag", b"SQLite format 3\0", "holds a .db3 recording. Rename it to a.db3"),
        ("a.bag", b"#ROSBAG V2.0\n\0\0", "torn or cut off"),
        ("a.db3", b"SQLite format 3\0" + bytes(100), "torn or cut off"),
    ],
)
def test_a_file_that_is_no_whole_recording_is_refused(sdk, tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    (camera,) = cameras_of(RecordedFile(path, "fast"), ("color",))

    with pytest.raises(DeviceError, match=message):
        camera.open()


def test_a_file_that_was_cut_off_is_refused(recording, tmp_path):
    path = tmp_path / "cut.db3"
    path.write_bytes(recording.read_bytes()[: recording.stat().st_size // 2])
    (camera,) = cameras_of(RecordedFile(path, "fast"), ("color",))

    with pytest.raises(DeviceError, match=r"cut.db3: torn or cut off \(.*malformed"):
        camera.open()


def test_a_file_that_breaks_off_in_the_middle_says_so_where_the_sdk_does_not(sdk, tmp_path):
    def send(device, source, number):
        rng = np.random.default_rng(number)
        content = made.CONTENT[source](number)
        device.send(
            source, number, content=rng.integers(0, 255, content.shape).astype(content.dtype)
        )

    path = made.record(sdk, tmp_path / "broken.db3", 14, send=send, gap_seconds=0.06)
    data = bytearray(path.read_bytes())
    picture_end = [match.start() for match in re.finditer(b"IEND", data)][6]
    page = (picture_end - 40_000) // 4096 * 4096
    data[page : page + 4096] = bytes(4096)
    path.write_bytes(data)
    cameras = cameras_of(RecordedFile(path, "fast"))
    for camera in cameras:
        camera.open()
    for camera in cameras:
        camera.start()
    numbers = [camera.read(1.0).frame_number for _ in range(2) for camera in cameras]

    assert numbers == [0, 0, 1, 1]
    for camera in cameras:
        with pytest.raises(DeviceError, match=r"broken\.db3: torn, its last 0\.\d seconds cannot"):
            read_all(camera, [])
    for camera in cameras:
        camera.close()
    with pytest.raises(DeviceError, match=r"broken\.db3: torn, its last"):
        cameras[0].open()


def test_a_libusb_that_cannot_be_loaded_is_named_with_its_package(tmp_path):
    (tmp_path / "libusb-1.0.so.0").write_bytes(b"")
    program = "from recording.realsense import connected_devices as ask; ask()"
    environment = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 1
    assert (
        f"{MissingExtra.__name__}: pyrealsense2 needs the system library libusb-1.0"
        in result.stderr
    )
    assert "apt-get install libusb-1.0-0" in result.stderr
