"""What the system says of video devices, on a folder made like the kernel's.

Devices that answer are asked in test_thermal_uvc.py, under the shim.
"""

import os
import sys

import pytest

from mavfer.errors import DeviceError
from recording.opencv.v4l2 import BufferNotes, descriptors_of, find_device, list_devices


@pytest.fixture
def kernel(tmp_path):
    """Three devices that are listed and cannot be opened; the third has a serial number."""
    names = {"video70": "PureThermal (fw:v1.3.0)", "video8": "HD Webcam", "video71": "HD Webcam"}
    for entry, name in names.items():
        (tmp_path / "class" / entry).mkdir(parents=True)
        (tmp_path / "class" / entry / "name").write_text(f"{name}\n")
    usb = tmp_path / "usb" / "1-2"
    (usb / "1-2:1.0").mkdir(parents=True)
    (usb / "serial").write_text("0042\n")
    (tmp_path / "class" / "video71" / "device").symlink_to(usb / "1-2:1.0")
    return tmp_path / "class"


def test_devices_are_listed_by_number_also_where_they_cannot_be_asked(kernel):
    devices = list_devices(kernel)

    assert [device.path for device in devices] == ["/dev/video8", "/dev/video70", "/dev/video71"]
    assert [device.serial for device in devices] == ["", "", "0042"]
    assert all("No such file" in device.problem for device in devices)
    assert all(device.modes == () for device in devices)


def test_a_device_is_found_by_a_part_of_its_name_and_by_its_serial_number(kernel):
    assert find_device("purethermal", kernel).path == "/dev/video70"
    assert find_device("0042", kernel).path == "/dev/video71"


def test_two_devices_of_one_name_are_told_apart_by_the_user(kernel):
    with pytest.raises(DeviceError, match=r"several .*/dev/video8 HD Webcam; /dev/video71 .*0042"):
        find_device("HD Webcam", kernel)


def test_an_unknown_name_is_answered_with_what_is_connected(kernel, tmp_path):
    with pytest.raises(DeviceError, match=r"called 'Boson'; connected: /dev/video8 HD Webcam; "):
        find_device("Boson", kernel)
    with pytest.raises(DeviceError, match="connected: none"):
        find_device("Boson", tmp_path / "nothing")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
def test_a_file_s_descriptors_are_found_whoever_opened_it(tmp_path):
    path = tmp_path / "file"
    descriptors = {os.open(path, os.O_CREAT), os.open(path, os.O_RDONLY)}
    found = descriptors_of(str(path))
    for descriptor in descriptors:
        os.close(descriptor)

    assert found == descriptors
    assert descriptors_of(str(path)) == set()


def test_a_descriptor_of_no_video_device_has_no_notes(tmp_path):
    with (tmp_path / "file").open("w") as file:
        assert BufferNotes(file.fileno()).of(0) is None
