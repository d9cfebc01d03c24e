"""A RealSense made of software: the SDK's own device without hardware, and its own recorder.

`make_device` gives a live device whose frames a test hands in; `record` writes such a device to a
file, as the SDK writes that of a real one. What a frame shows follows from its number.
"""

from __future__ import annotations

import gc
import threading
import time
from dataclasses import dataclass

import numpy as np

from recording.realsense import RealSenseCamera, RealSenseDevice, StreamRequest

READ_SECONDS = 0.05
WIDTH, HEIGHT = 320, 240
FRAMES = 40
PERIOD_MS = 1000 / 30
DEPTH_MM_PER_COUNT = 0.25
EXPOSURE_US = {"color": 9_000, "depth": 7_000, "infrared": 7_000}
LATER_US = {"color": 2_500, "depth": 0, "infrared": 0}
"""How much later than depth a stream begins its readout."""
ARRIVAL_MS = 1_700_000_000_000
"""The wall clock when the first frame arrived."""
SERIAL = "0123"
COLOR_LENS = (-0.0565, 0.0682, 0.000366, 0.00069, -0.0218)
ROTATION_COLUMNS = [0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0]
TRANSLATION_METRES = [0.015, 0.001, -0.002]
"""From depth to color."""

INDEX = {"color": 0, "depth": 0, "infrared": 1}
FORMAT = {"color": "rgb8", "depth": "z16", "infrared": "y8"}
BYTES = {"color": 3, "depth": 2, "infrared": 1}


def counts_of(number):
    """The depth frame `number`: counts of the whole range, a row each."""
    rows = (np.arange(HEIGHT, dtype=np.uint32) * 257 + number * 1009) % 65536
    return np.repeat(rows[:, None].astype(np.uint16), WIDTH, axis=1)


def picture_of(number):
    """The color frame `number`: another color for each column, no two channels alike."""
    columns = np.arange(WIDTH)[:, None] * [1, 3, 7] + number * np.array([5, 11, 13])
    return np.broadcast_to(columns.astype(np.uint8), (HEIGHT, WIDTH, 3)).copy()


def gray_of(number):
    """The infrared frame `number`."""
    return np.full((HEIGHT, WIDTH), number * 3 % 256, np.uint8)


CONTENT = {"color": picture_of, "depth": counts_of, "infrared": gray_of}


def readout_us(source, number, start_us=10_000_000):
    """When the readout of a frame begins by the device's clock."""
    return start_us + round(number * PERIOD_MS * 1000) + LATER_US[source]


@dataclass
class SoftwareDevice:
    """The SDK's software device, with its sensors and profiles by stream."""

    sdk: object
    device: object
    sensors: dict
    profiles: dict

    def send(
        self,
        source,
        number,
        *,
        start_us=10_000_000,
        domain="hardware_clock",
        metadata=None,
        content=None,
    ):
        """Hands in one frame, with the metadata of a D400 unless others are given."""
        said = stamps_of(source, number, start_us) if metadata is None else metadata
        for name, value in said.items():
            key = getattr(self.sdk.frame_metadata_value, name)
            self.sensors[source].set_metadata(key, value)
        frame = self.sdk.software_video_frame()
        frame.stride, frame.bpp = WIDTH * BYTES[source], BYTES[source]
        frame.timestamp = said.get("frame_timestamp", start_us) % (1 << 32) / 1000
        if domain != "hardware_clock":
            frame.timestamp = ARRIVAL_MS + number * PERIOD_MS
        frame.domain = getattr(self.sdk.timestamp_domain, domain)
        frame.frame_number = number
        frame.profile = self.profiles[source].as_video_stream_profile()
        frame.pixels = CONTENT[source](number) if content is None else content
        self.sensors[source].on_video_frame(frame)


def stamps_of(source, number, start_us=10_000_000):
    """Metadata of a frame, with the device's stamps cut to 32 bits as the firmware does."""
    frame_us = readout_us(source, number, start_us) % (1 << 32)
    said = {
        "frame_timestamp": frame_us,
        "sensor_timestamp": frame_us - EXPOSURE_US[source] // 2,
        "actual_exposure": 166 if source == "color" else EXPOSURE_US[source],
        "gain_level": 16 + number,
        "time_of_arrival": ARRIVAL_MS + round(number * PERIOD_MS) + 12,
        "backend_timestamp": ARRIVAL_MS + round(number * PERIOD_MS) + 11,
    }
    is_lit = {"frame_laser_power": 150, "frame_laser_power_mode": 1, "frame_emitter_mode": 1}
    return said if source == "color" else {**said, **is_lit}


def make_device(
    sdk, sources=("color", "depth"), *, lens="inverse_brown_conrady", focal=301.0, color="rgb8"
):
    """A software device with a sensor for color and one for depth and infrared, as a D435 has."""
    device = sdk.software_device()
    facts = {
        "name": "Intel RealSense D435 made of software",
        "serial_number": SERIAL,
        "firmware_version": "5.16.0.1",
        "usb_type_descriptor": "3.2",
    }
    for name, value in facts.items():
        device.register_info(getattr(sdk.camera_info, name), value)
    stereo, rgb = device.add_sensor("Stereo Module"), device.add_sensor("RGB Camera")
    sensors = {"color": rgb, "depth": stereo, "infrared": stereo}
    profiles = {}
    for number, source in enumerate(sources):
        model = lens if source == "color" else "brown_conrady"
        stream = video_stream(sdk, source, number, model=model, color=color, focal=focal)
        profiles[source] = sensors[source].add_video_stream(stream, True)
    stereo.add_read_only_option(sdk.option.depth_units, DEPTH_MM_PER_COUNT / 1000)
    stereo.add_option(sdk.option.laser_power, sdk.option_range(0, 360, 150, 30), True)
    if {"color", "depth"} <= set(sources):
        motion = sdk.extrinsics()
        motion.rotation, motion.translation = ROTATION_COLUMNS, TRANSLATION_METRES
        profiles["depth"].register_extrinsics_to(profiles["color"], motion)
    return SoftwareDevice(sdk, device, sensors, profiles)


def video_stream(sdk, source, number, *, model="none", color="rgb8", focal=301.0):
    """What the SDK is told of a stream before it is added to a sensor."""
    lens = sdk.intrinsics()
    lens.width, lens.height, lens.fx, lens.fy = WIDTH, HEIGHT, focal, focal + 1
    lens.ppx, lens.ppy = WIDTH / 2 + 3, HEIGHT / 2 - 2
    lens.model = getattr(sdk.distortion, model)
    lens.coeffs = list(COLOR_LENS) if source == "color" else [0.0] * 5
    stream = sdk.video_stream()
    stream.type, stream.index, stream.uid = getattr(sdk.stream, source), INDEX[source], number
    stream.width, stream.height, stream.fps = WIDTH, HEIGHT, 30
    stream.bpp, stream.fmt = BYTES[source], getattr(sdk.format, FORMAT[source])
    if source == "color":
        stream.fmt = getattr(sdk.format, color)
    stream.intrinsics = lens
    return stream


def record(sdk, path, frames=FRAMES, *, gap_seconds=0.0, send=None, **options):
    """Records `frames` frames of each stream with the SDK's own recorder, every number once."""
    made = make_device(sdk, **options)
    recorder = sdk.recorder(str(path), made.device)
    sensors = recorder.query_sensors()
    queue = sdk.frame_queue(4)
    for sensor in sensors:
        profiles = sensor.get_stream_profiles()
        if profiles:
            sensor.open(profiles)
            sensor.start(queue=queue)
    for number in range(frames):
        for source in made.profiles:
            (send or SoftwareDevice.send)(made, source, number)
        time.sleep(gap_seconds)
    for sensor in sensors:
        if sensor.get_stream_profiles():
            sensor.stop()
            sensor.close()
    # The recorder writes its last part when nothing holds it any more.
    del recorder, sensors, sensor
    gc.collect()
    return path


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
    contents = [CONTENT[source](number) for number in range(FRAMES)]
    return [f.frame_number for f in frames] == list(range(FRAMES)) and all(
        np.array_equal(frame.pixels, content)
        for frame, content in zip(frames, contents, strict=True)
    )
