"""When a frame was exposed, by which clock, and what else is said of it."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
import realsense_file as made
from realsense_file import cameras_of, play

from recording.camera import ClockDomain
from recording.realsense import (
    RecordedFile,
)
from recording.realsense.stamps import DETAIL_NAMES, HostClock, Unwrapper


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
