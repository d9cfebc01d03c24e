"""RealSense cameras over the SDK itself: its recorder, its playback, its software device."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import threading
import time
from importlib.metadata import version

import numpy as np
import pytest
import realsense_file as made

from mavfer.errors import CommandError, DeviceError, MissingExtra
from mavfer.schema import require_valid
from mavfer.study.session import Session
from mavfer.vision.geometry import CameraModel
from recording.camera import ClockDomain
from recording.realsense import (
    LiveDevice,
    RealSenseCamera,
    RealSenseDevice,
    RealSenseRig,
    RecordedFile,
    StreamRequest,
    connected_devices,
)
from recording.realsense.lens import distortion_of
from recording.realsense.listing import describe_device
from recording.realsense.sources import choose_device
from recording.realsense.stamps import DETAIL_NAMES, HostClock, Unwrapper
from recording.recorder import record_take

READ_SECONDS = 0.05


@pytest.fixture(scope="session")
def sdk():
    reason = "pyrealsense2 or libusb-1.0-0 is not installed"
    return pytest.importorskip("pyrealsense2", reason=reason, exc_type=ImportError)


@pytest.fixture(scope="session")
def recording(sdk, tmp_path_factory):
    """Color and depth of 40 frames each; not to be changed."""
    return made.record(sdk, tmp_path_factory.mktemp("realsense") / "two.db3")


@pytest.fixture(scope="session")
def recording_with_infrared(sdk, tmp_path_factory):
    """Color, and depth and infrared of one sensor; not to be changed."""
    path = tmp_path_factory.mktemp("realsense") / "three.db3"
    return made.record(sdk, path, sources=("color", "depth", "infrared"))


class Software:
    """A source that gives a device made of software, as the USB bus gives one of metal."""

    name = "software"
    is_paced = True

    def __init__(self, device):
        self.device = device

    def connect(self, sdk):
        return self.device.device


def cameras_of(source, streams=("color", "depth"), **options):
    requests = {name: StreamRequest() for name in streams}
    device = RealSenseDevice(source, requests, **options)
    return [RealSenseCamera(device, name) for name in streams]


def read_all(camera, frames, delay_seconds=0.0):
    """Reads until the end; a frame's pixels are checked where they come."""
    while True:
        try:
            frame = camera.read(READ_SECONDS)
        except EOFError:
            return
        if frame is not None:
            frames.append(frame)
            time.sleep(delay_seconds)


def play(cameras, delays_seconds=()):
    """Opens, starts and reads each camera in a thread of its own, as the recorder does."""
    frames = [[] for _ in cameras]
    delays = [*delays_seconds, *[0.0] * len(cameras)]
    for camera in cameras:
        camera.open()
    for camera in cameras:
        camera.start()
    threads = [
        threading.Thread(target=read_all, args=(camera, mine, delay))
        for camera, mine, delay in zip(cameras, frames, delays, strict=False)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for camera in cameras:
        camera.stop()
        camera.close()
    return frames


def is_as_recorded(source, frames):
    contents = [made.CONTENT[source](number) for number in range(made.FRAMES)]
    return [f.frame_number for f in frames] == list(range(made.FRAMES)) and all(
        np.array_equal(frame.pixels, content)
        for frame, content in zip(frames, contents, strict=True)
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

    with pytest.raises(DeviceError, match="Close and open it to begin again"):
        color.start()
    color.close()
    with pytest.raises(DeviceError, match=r"color is not open\. Call open"):
        color.read(0.1)


def test_the_stamp_is_the_middle_of_the_exposure_by_the_device(recording):
    for source, frames in zip(
        ("color", "depth"), play(cameras_of(RecordedFile(recording, "fast"))), strict=True
    ):
        half_us = made.EXPOSURE_US[source] // 2
        middles = [made.readout_us(source, n) - half_us for n in range(made.FRAMES)]

        assert [f.device_ns for f in frames] == [1000 * middle for middle in middles]
        assert {f.domain for f in frames} == {ClockDomain.DEVICE}
        assert {f.exposure_ns for f in frames} == {1000 * made.EXPOSURE_US[source]}


def test_a_file_that_is_read_fast_keeps_the_times_at_which_its_frames_arrived(recording):
    before_ns = time.monotonic_ns()
    color, depth = play(cameras_of(RecordedFile(recording, "fast")))
    seconds = (time.monotonic_ns() - before_ns) / 1e9
    arrivals = {f.host_ns for f in color} | {f.host_ns for f in depth}

    assert seconds < 39 / 30
    assert color[0].host_ns == depth[0].host_ns >= before_ns
    assert color[-1].host_ns - color[0].host_ns == 1_300_000_000
    assert len(arrivals) == made.FRAMES


def test_all_that_the_sdk_says_of_a_frame_is_kept(recording):
    color, depth = play(cameras_of(RecordedFile(recording, "fast")))
    said = [dict(zip(DETAIL_NAMES, frames[7].details, strict=True)) for frames in (color, depth)]

    for stream, mine in zip(("color", "depth"), said, strict=True):
        wanted = made.stamps_of(stream, 7)
        assert mine["frame_timestamp_us"] == wanted["frame_timestamp"]
        assert mine["sensor_timestamp_us"] == wanted["sensor_timestamp"]
        assert mine["backend_timestamp_ms"] == wanted["backend_timestamp"]
        assert mine["time_of_arrival_ms"] == wanted["time_of_arrival"]
        assert mine["actual_exposure"] == wanted["actual_exposure"]
        assert mine["gain_level"] == 23
        assert mine["sdk_timestamp_domain"] == 0
        assert mine["sdk_timestamp_ms"] == wanted["frame_timestamp"] / 1000
        assert math.isnan(mine["temperature_celsius"])
    assert (said[1]["laser_power"], said[1]["laser_power_mode"], said[1]["emitter_mode"]) == (
        150,
        1,
        1,
    )
    assert math.isnan(said[0]["laser_power"])


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


def test_the_factory_s_calibration_is_a_document_of_ours(sdk, recording):
    device = RealSenseDevice(RecordedFile(recording, "fast"))
    before = device.calibration
    depth = RealSenseCamera(device, "depth")
    depth.open()
    document = device.calibration
    depth.close()
    require_valid(document, "calibration", recording)
    models = {n: CameraModel.from_document(c) for n, c in document["cameras"].items()}
    point_mm = np.array([[40.0, -25.0, 600.0]])
    original = made.make_device(sdk)
    motion = original.profiles["color"].get_extrinsics_to(original.profiles["depth"])
    lens = {
        name: p.as_video_stream_profile().get_intrinsics() for name, p in original.profiles.items()
    }
    in_depth = sdk.rs2_transform_point_to_point(motion, (point_mm[0] / 1000).tolist())
    in_color = (point_mm[0] / 1000).tolist()

    assert before is None
    assert document["method"] == "factory"
    assert document["name"] == "realsense-0123"
    assert np.allclose(
        models["depth"].project(point_mm),
        sdk.rs2_project_point_to_pixel(lens["depth"], in_depth),
        atol=1e-3,
    )
    assert np.allclose(
        models["color"].project(point_mm),
        sdk.rs2_project_point_to_pixel(lens["color"], in_color),
        atol=0.01,
    )
    assert np.allclose(models["depth"].camera_from_color[:3, 3], [-1, 15, 2], atol=1e-5)


@pytest.mark.parametrize(
    ("model", "tolerance_px"),
    [
        ("none", 1e-3),
        ("brown_conrady", 1e-3),
        ("inverse_brown_conrady", 0.03),
        ("modified_brown_conrady", 0.03),
    ],
)
def test_lenses_are_drawn_as_the_sdk_draws_them(sdk, model, tolerance_px):
    lens = _lens(sdk, model)
    camera = CameraModel(
        lens.width, lens.height,
        np.array([[lens.fx, 0, lens.ppx], [0, lens.fy, lens.ppy], [0, 0, 1]]),
        distortion_of(lens, "color"), np.eye(4),
    )  # fmt: skip
    rays = np.stack(np.meshgrid(np.linspace(-0.9, 0.9, 11), np.linspace(-0.5, 0.5, 7)), -1).reshape(
        -1, 2
    )
    points = np.column_stack([rays, np.ones(len(rays))])
    drawn = np.array([sdk.rs2_project_point_to_pixel(lens, point) for point in points.tolist()])

    assert np.abs(camera.project_own(points) - drawn).max() < tolerance_px


def test_a_fisheye_lens_is_refused(sdk):
    with pytest.raises(DeviceError, match=r"kannala_brandt4 cannot be expressed.*board"):
        distortion_of(_lens(sdk, "kannala_brandt4"), "color")


def test_a_lens_that_cannot_be_expressed_is_told_and_does_not_stop_a_recording(sdk):
    software = made.make_device(sdk, lens="kannala_brandt4", focal=120.0)
    device = RealSenseDevice(Software(software))
    color = RealSenseCamera(device, "color")
    color.open()
    settings = color.info.settings
    color.close()

    assert device.calibration is None
    assert "kannala_brandt4 cannot be expressed" in settings["calibration_problem"]
    assert np.allclose(settings["intrinsics"]["coefficients"], made.COLOR_LENS)


def _lens(sdk, model):
    lens = sdk.intrinsics()
    lens.width, lens.height, lens.fx, lens.fy, lens.ppx, lens.ppy = (
        1280,
        720,
        643.0,
        642.0,
        640.0,
        358.0,
    )
    lens.model, lens.coeffs = getattr(sdk.distortion, model), list(made.COLOR_LENS)
    return lens


def test_stamps_of_32_bits_go_on_where_they_begin_again(sdk, tmp_path):
    start_us = (1 << 32) - 400_000

    def send(device, source, number):
        device.send(source, number, start_us=start_us)

    path = made.record(sdk, tmp_path / "wrap.db3", send=send)
    color, depth = play(cameras_of(RecordedFile(path, "fast")), (0.002, 0.0))
    raw = [dict(zip(DETAIL_NAMES, f.details, strict=True))["frame_timestamp_us"] for f in depth]

    assert min(raw) < 1_000_000
    assert max(raw) > 4_000_000_000
    for source, frames in (("color", color), ("depth", depth)):
        half_us = made.EXPOSURE_US[source] // 2
        middles = [made.readout_us(source, n, start_us) - half_us for n in range(made.FRAMES)]
        assert [frame.device_ns for frame in frames] == [1000 * middle for middle in middles]


def test_unwrapping_follows_both_streams_through_many_periods():
    unwrapper, period_us = Unwrapper(), 1 << 32
    true_us = np.arange(0, 5 * period_us, period_us // 7)
    jitter_us = np.where(np.arange(len(true_us)) % 2, 0, -30_000) + 40_000
    stamps_us = true_us + jitter_us
    unwrapped = [unwrapper.unwrap(int(stamp % period_us) * 1000) for stamp in stamps_us]

    assert unwrapped == [int(stamp) * 1000 for stamp in stamps_us]


@pytest.mark.parametrize(
    ("domain", "metadata", "expected"),
    [
        (
            "hardware_clock",
            {"frame_timestamp": 5_000_000, "actual_exposure": 6_000},
            ("DEVICE", 3_000),
        ),
        ("hardware_clock", {}, ("DEVICE", 0)),
        ("global_time", {"actual_exposure": 6_000}, ("HOST", 3_000)),
        ("system_time", {"actual_exposure": 6_000}, ("ARRIVAL", 0)),
    ],
)
def test_a_stamp_names_the_clock_it_is_from(sdk, tmp_path, domain, metadata, expected):
    wanted, moved_us = expected

    def send(device, source, number):
        stamps = {n: v + number * 40_000 if "stamp" in n else v for n, v in metadata.items()}
        device.send(
            source, number, domain=domain, metadata=stamps, start_us=5_000_000 + number * 40_000
        )

    path = made.record(sdk, tmp_path / "clock.db3", 3, send=send)
    before_ns = time.monotonic_ns()
    _, depth = play(cameras_of(RecordedFile(path, "fast")))
    steps = np.diff([frame.device_ns for frame in depth])

    assert {frame.domain.name for frame in depth} == {wanted}
    if wanted == "DEVICE":
        assert depth[0].device_ns == (5_000_000 - moved_us) * 1000
        assert steps.tolist() == [40_000_000, 40_000_000]
    else:
        assert depth[0].device_ns >= before_ns - moved_us * 1000
        assert depth[0].host_ns - depth[0].device_ns == moved_us * 1000
        assert np.allclose(steps, made.PERIOD_MS * 1e6, atol=1e3)


def test_the_wall_clock_of_a_live_device_is_put_on_the_monotonic_clock():
    clock = HostClock(offset_ns=-1_000_000_000)

    assert clock.monotonic_ns(1_500.5, "host", read_ns=7) == 500_500_000


def test_stamps_of_a_file_keep_their_distances_from_where_the_first_is_read():
    clock = HostClock()
    stamps = [
        clock.monotonic_ns(ms, "host", read_ns) for ms, read_ns in ((90.0, 5), (80.0, 9), (99.5, 9))
    ]

    assert stamps == [5, 5 - 10_000_000, 5 + 9_500_000]


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


def test_a_live_device_lets_the_oldest_frames_fall_that_nobody_reads(sdk):
    software = made.make_device(sdk)
    color, depth = cameras_of(Software(software))
    for camera in (color, depth):
        camera.open()
    color.start()
    for number in range(100):
        software.send("depth", number)
    software.send("color", 0)
    first = depth, color.read(1.0)
    depth.start()
    numbers = [depth.read(1.0).frame_number for _ in range(32)]

    assert first[1].frame_number == 0
    assert numbers == list(range(68, 100))
    color.close()
    depth.close()


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


def test_a_take_from_a_file_has_every_frame_and_passes_its_audit(study, recording, tmp_path):
    form = tmp_path / "form.pdf"
    form.write_text("signed")
    study.write_consent("S01", form, form_version="1", scope=["record"])
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
    form = tmp_path / "form.pdf"
    form.write_text("signed")
    study.write_consent("S01", form, form_version="1", scope=["record"])
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
