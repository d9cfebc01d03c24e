"""A RealSense made of software: the SDK's own device without hardware, and its own recorder.

`make_device` gives a live device whose frames a test hands in; `record` writes such a device to a
file, as the SDK writes that of a real one. What a frame shows follows from its number.
"""

from __future__ import annotations

import gc
import threading
import time

import numpy as np

from recording.realsense import RealSenseCamera, RealSenseDevice, StreamRequest
from recording.simulated import serving_realsense

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
COLOR_FROM_DEPTH = np.array(
    [[0.0, -1.0, 0.0, 15.0], [1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, -2.0], [0.0, 0.0, 0.0, 1.0]]
)


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


class SoftwareDevice(serving_realsense.SoftwareDevice):
    """The software device with frames that follow from their numbers."""

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
        timestamp_ms = said.get("frame_timestamp", start_us) % (1 << 32) / 1000
        if domain != "hardware_clock":
            timestamp_ms = ARRIVAL_MS + number * PERIOD_MS
        pixels = CONTENT[source](number) if content is None else content
        self.hand_in(source, number, pixels, said, timestamp_ms=timestamp_ms, domain=domain)


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
    streams = {
        source: software_stream(
            source,
            model=lens if source == "color" else "brown_conrady",
            pixel_format=color if source == "color" else "",
            focal=focal,
        )
        for source in sources
    }
    return SoftwareDevice(
        sdk,
        streams,
        depth_mm_per_count=DEPTH_MM_PER_COUNT,
        color_from_depth=COLOR_FROM_DEPTH,
        facts={**serving_realsense.FACTS, "serial_number": SERIAL},
    )


def software_stream(source, *, model="none", pixel_format="", focal=301.0):
    """A stream of the size of all that are made here."""
    return serving_realsense.SoftwareStream(
        size=(WIDTH, HEIGHT),
        focal_px=(focal, focal + 1),
        centre_px=(WIDTH / 2 + 3, HEIGHT / 2 - 2),
        distortion=COLOR_LENS if source == "color" else (0.0,) * 5,
        model=model,
        pixel_format=pixel_format,
    )


def video_stream(sdk, source, number):
    """What the SDK is told of a stream before it is added to a sensor."""
    return serving_realsense.describe_stream(sdk, source, number, software_stream(source))


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
