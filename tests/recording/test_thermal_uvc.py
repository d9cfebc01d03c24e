"""Thermal cameras over UVC: our unchanged code over stock OpenCV over a V4L2 shim, and files."""

import json

import numpy as np
import pytest
import shim

from mavfer.errors import CommandError, DeviceError
from mavfer.study.session import Session
from mavfer.study.study import Study
from recording.camera import ClockDomain, FrameFlag
from recording.radiometry import lepton_tlinear
from recording.thermal_uvc import ThermalUvc

TLINEAR = {"radiometry": "lepton-tlinear-high"}
PLAIN = {"width": 64, "height": 48}
LEPTON = {"width": 160, "height": 122, "telemetry": 1}
DEVICES = {
    "plain": {**PLAIN, "gap_at": 12, "gap": 3, "damaged_at": 18},
    "lepton": {**LEPTON, "repeat": 3, "shutter_at": 6, "shutter": 2},
    "lepton2": {"width": 80, "height": 63, "telemetry": 1, "gap_at": 10, "gap": 2},
    "mute": {**PLAIN, "is_mute": 1, "gap_at": 12, "gap": 3},
    "unplugged": {**PLAIN, "unplug_at": 12, "replug_ms": 300},
    "failing": {**PLAIN, "eio_at": 12},
    "stalled": {**PLAIN, "stall_at": 12, "stall_ms": 500},
    "late": PLAIN,
    "colored": {**PLAIN, "format": "YUYV"},
    "untold": PLAIN,
    "delayed": PLAIN,
    "frozen": {**PLAIN, "repeat": 2},
    "stopped": PLAIN,
}
JOBS = {
    "plain": {"options": TLINEAR, "frames": 20},
    "lepton": {"frames": 30},
    "lepton2": {"frames": 12},
    "mute": {"options": TLINEAR, "frames": 20},
    "unplugged": {"options": TLINEAR, "frames": 20, "openings": 2, "patience_seconds": 5},
    "failing": {"options": TLINEAR, "frames": 20},
    "stalled": {"options": TLINEAR, "frames": 15},
    "late": {"options": TLINEAR, "frames": 25, "sleeps_at": 6},
    "colored": {"options": TLINEAR, "frames": 1},
    "untold": {"frames": 1},
    "delayed": {"options": {**TLINEAR, "delay_seconds": 0.012}, "frames": 3},
    "frozen": {"options": TLINEAR, "frames": 8},
    "stopped": {"options": TLINEAR, "frames": 6, "drains_after": 0.2},
}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return shim.build(tmp_path_factory.mktemp("shim"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def bench(library, folder):
    """What each job saw of its device."""
    return shim.read(library, folder, DEVICES, {n: {"kind": "thermal", **JOBS[n]} for n in JOBS})


def require_whole(seen, shape=(48, 64)):
    """Every frame that the driver handed out since the first one is there, pixel for pixel."""
    first, last = seen.numbers[0], seen.numbers[-1]
    given = [number for number in seen.handed_out if first <= number <= last]

    assert seen.numbers.tolist() == given
    assert np.array_equal(seen.pixels, [shim.counts_of(number, shape) for number in given])
    stamps_us = [seen.handed_out[number] // 1000 for number in given]
    assert (seen.device_ns // 1000).tolist() == stamps_us


def test_every_frame_handed_out_is_read_pixel_for_pixel_with_its_number_and_stamp(bench):
    seen = bench["plain"]

    require_whole(seen)
    assert {12, 13, 14}.isdisjoint(seen.numbers.tolist())
    assert {11, 15} <= set(seen.numbers.tolist())
    assert set(seen.domains.tolist()) == {ClockDomain.HOST}
    assert (seen.host_ns >= seen.device_ns).all()
    assert seen.infos[0]["settings"]["frame_numbers"] == "driver"


def test_a_frame_that_the_driver_calls_damaged_is_flagged(bench):
    seen = bench["plain"]

    assert seen.numbers[seen.flags == FrameFlag.INCOMPLETE].tolist() == [18]
    assert set(seen.flags.tolist()) == {0, FrameFlag.INCOMPLETE}


def test_telemetry_is_cut_off_and_told(bench):
    seen = bench["lepton"]
    info = seen.infos[0]
    exposures = seen.numbers - 70000

    assert seen.pixels.shape == (30, 120, 160)
    for exposure, pixels in zip(exposures, seen.pixels, strict=True):
        assert np.array_equal(pixels, shim.counts_of(exposure, (120, 160)))
    assert info["detail_names"][:2] == ["uptime_ms", "sensor_celsius"]
    assert np.array_equal(seen.details[:, 0], 5000 + exposures * 111)
    assert set(seen.details[:, 1]) == {32.0}
    assert set(seen.details[:, 2]) == {27.0}
    assert (info["width"], info["height"]) == (160, 120)
    assert info["radiometry"] == lepton_tlinear("high")
    assert info["settings"]["frame_numbers"] == "telemetry"
    assert info["model"] == "lepton"


def test_exposures_that_are_sent_again_and_a_closed_shutter_are_flagged(bench):
    seen = bench["lepton"]
    is_repeated = (seen.flags & FrameFlag.REPEATED) > 0
    is_closed = (seen.flags & FrameFlag.SHUTTER) > 0

    assert np.array_equal(is_repeated[1:], np.diff(seen.numbers) == 0)
    assert 18 <= is_repeated.sum() <= 20
    assert set(seen.numbers[is_closed] - 70000) == {6, 7}
    assert is_closed.sum() == 6


def test_a_small_lepton_has_three_rows_of_telemetry(bench):
    seen = bench["lepton2"]
    gaps = np.diff(seen.numbers)

    assert seen.pixels.shape == (12, 60, 80)
    assert np.array_equal(seen.pixels[0], shim.counts_of(seen.numbers[0] - 70000, (60, 80)))
    assert set(gaps[gaps > 1].tolist()) <= {3}
    assert 70012 in seen.numbers
    assert {70010, 70011}.isdisjoint(seen.numbers.tolist())


def test_where_the_driver_s_count_is_hidden_stamps_tell_the_gap(bench):
    seen = bench["mute"]
    steps = np.diff(seen.numbers)
    true_steps = np.diff(list(seen.handed_out)[-len(seen.numbers) :])

    assert seen.infos[0]["settings"]["frame_numbers"] == "stamps"
    assert 4 in steps
    assert np.array_equal(steps, true_steps)


def test_an_unplugged_camera_says_so_at_once_and_comes_back_on_the_same_object(bench):
    seen = bench["unplugged"]
    (message, seconds), *others = seen.errors
    restart = int(np.flatnonzero(np.diff(seen.numbers) < 0)[0]) + 1

    assert "was unplugged, or its driver failed" in message
    assert seconds < 3
    assert others == []
    assert seen.numbers[restart - 1] == 11
    assert len(seen.numbers) - restart == 20
    assert np.array_equal(seen.pixels[-1], shim.counts_of(seen.numbers[-1], (48, 64)))
    assert len(seen.infos) == 2


def test_a_driver_that_fails_is_no_stall(bench):
    seen = bench["failing"]

    assert len(seen.errors) == 1
    assert "was unplugged, or its driver failed" in seen.errors[0][0]
    assert seen.numbers[-1] == 11


def test_a_stall_is_told_in_time_and_nothing_is_lost_by_it(bench):
    seen = bench["stalled"]

    assert seen.errors == []
    assert len(seen.waits_ms) >= 3
    assert np.median(seen.waits_ms) < 180
    require_whole(seen)
    assert np.diff(seen.device_ns).max() > 450e6


def test_what_a_busy_reader_misses_shows_in_the_numbers(bench):
    seen = bench["late"]
    steps = np.diff(seen.numbers)

    require_whole(seen)
    assert steps.max() >= 5


def test_what_the_driver_holds_when_the_camera_is_stopped_is_still_read(bench):
    seen = bench["stopped"]
    last_of_all = list(seen.handed_out)[-1]

    require_whole(seen)
    assert 6 + 5 <= len(seen.numbers) <= 6 + 10
    assert seen.numbers[-1] == last_of_all


def test_frames_that_came_twice_without_telemetry_are_known_by_their_pixels(bench):
    seen = bench["frozen"]
    is_repeated = (seen.flags & FrameFlag.REPEATED) > 0

    assert np.array_equal(is_repeated[1:], np.diff(seen.numbers // 2) == 0)
    assert (np.diff(seen.numbers) >= 1).all()
    assert is_repeated.any()


def test_a_measured_delay_moves_the_stamp_to_the_exposure(bench):
    seen = bench["delayed"]
    stamps_us = [seen.handed_out[number] // 1000 for number in seen.numbers.tolist()]

    assert (seen.device_ns // 1000).tolist() == [stamp - 12_000 for stamp in stamps_us]
    assert seen.infos[0]["settings"]["delay_seconds"] == 0.012


def test_a_camera_that_gives_colors_is_refused_with_the_cause(bench):
    message = bench["colored"].errors[0][0]

    assert "gives uint8 (48, 64, 2), not 16-bit counts (format 'YUYV' through V4L2)" in message
    assert "Switch the camera to raw counts" in message


def test_counts_without_a_meaning_are_refused(bench):
    message = bench["untold"].errors[0][0]

    assert "does not say what its counts mean. Give radiometry" in message


def test_connected_devices_are_listed_with_their_formats(bench, folder):
    listed = json.loads((folder / "devices.json").read_text())
    devices = {device["name"]: device for device in listed}

    assert bench.keys() == DEVICES.keys()
    assert len(devices) == len(DEVICES)
    assert devices["lepton"]["modes"] == [
        {"fourcc": "Y16 ", "width": 160, "height": 122, "rates_hz": [30.0]}
    ]
    assert devices["colored"]["modes"][0]["fourcc"] == "YUYV"
    assert devices["plain"]["bus"].startswith("usb-shim")


def test_a_take_of_color_and_thermal_is_whole(library, tmp_path):
    study = Study.create(tmp_path / "study")
    form = tmp_path / "form.pdf"
    form.write_text("signed")
    study.write_consent("S01", form, form_version="1", scope=["record"])
    devices = [
        {"path": "/dev/video1", "format": "YUYV", **PLAIN, "gap_at": 3, "gap": 2},
        {"path": "/dev/video2", **LEPTON, "gap_at": 5, "gap": 4},
    ]
    arms = str(tmp_path / "armed")
    devices = [{**device, "armed_by": arms} for device in devices]
    take = {"color": {"source": "/dev/video1"}, "thermal": {"source": "/dev/video2"}}
    take |= {"study": str(study.root), "subject": "S01", "seconds": 1.5, "arms": arms}
    (told,) = shim.record(library, tmp_path, devices, [take])
    session = Session.open(study.root / "sessions" / "S01-001")
    colors = [frame.rgb() for frame in session.color_frames()]
    color_numbers = session.times("color")["frame_number"].tolist()
    thermal_numbers = session.times("thermal")["frame_number"].tolist()
    thermal = session.read("thermal", 0, len(thermal_numbers))
    drops = session.drops
    handed_out = shim.handed_out(tmp_path / "log")

    assert told["failures"] == {}
    assert session.document["audit"]["verdict"] == "ok"
    assert session.document["streams"]["thermal"]["radiometry"] == lepton_tlinear("high")
    for number, picture in zip(color_numbers, colors, strict=True):
        assert np.array_equal(picture, shim.picture_of(number, (48, 64)))
    for number, counts in zip(thermal_numbers, thermal, strict=True):
        assert np.array_equal(counts, shim.counts_of(number - 70000, (120, 160)))
    lost_thermal = drops["frame_number"][drops["stream"] == 2].tolist()
    lost_color = drops["frame_number"][drops["stream"] == 0].tolist()
    assert len(lost_thermal) >= 4
    assert len(lost_color) >= 2
    assert {70000 + number for number, _ in handed_out["/dev/video2"]}.isdisjoint(lost_thermal)
    assert {number for number, _ in handed_out["/dev/video1"]}.isdisjoint(lost_color)
    for numbers, lost in ((thermal_numbers, lost_thermal), (color_numbers, lost_color)):
        assert sorted(numbers + lost) == list(range(numbers[0], numbers[-1] + 1))


def thermal_file(path, pictures, **options):
    return ThermalUvc(shim.write_file(path, pictures, "gray16le"), **options)


def test_a_file_of_counts_is_read_bit_for_bit_and_ends(tmp_path):
    counts = np.random.default_rng(1).integers(0, 65536, (9, 48, 64), dtype=np.uint16)
    camera = thermal_file(tmp_path / "t.mkv", counts, **TLINEAR)
    frames = shim.read_file(camera)

    assert np.array_equal([frame.pixels for frame in frames], counts)
    assert [frame.frame_number for frame in frames] == list(range(9))
    assert [frame.device_ns for frame in frames] == [number * 40_000_000 for number in range(9)]
    assert {frame.domain for frame in frames} == {ClockDomain.DEVICE}
    assert np.diff([frame.host_ns for frame in frames]).tolist() == [40_000_000] * 8
    assert (camera.info.rate_hz, camera.info.model) == (25, "video file")


def test_a_file_can_be_read_again_on_the_same_object(tmp_path):
    counts = np.full((3, 48, 64), 30000, np.uint16) + np.arange(3, dtype=np.uint16)[:, None, None]
    camera = thermal_file(tmp_path / "t.mkv", counts, **TLINEAR)

    assert len(shim.read_file(camera)) == 3
    assert len(shim.read_file(camera)) == 3


def lepton_picture(exposure, *, is_at_top, tlinear=(1, 1)):
    words = np.zeros(320, np.uint16)
    words[[0, 1, 3, 20, 21, 24, 26]] = [0x0E09, 5000, 0x30, exposure, 1, 30515, 30015]
    words[[208, 209]] = tlinear
    parts = [shim.counts_of(exposure, (120, 160)), words.reshape(2, 160)]
    return np.concatenate(parts[::-1] if is_at_top else parts)


@pytest.mark.parametrize("is_at_top", [True, False])
def test_telemetry_is_found_at_the_top_and_at_the_bottom(tmp_path, is_at_top):
    pictures = [lepton_picture(number, is_at_top=is_at_top) for number in (5, 6, 9)]
    frames = shim.read_file(thermal_file(tmp_path / "t.mkv", pictures))

    assert [frame.frame_number for frame in frames] == [65541, 65542, 65545]
    assert np.array_equal(frames[2].pixels, shim.counts_of(9, (120, 160)))


@pytest.mark.parametrize(
    ("tlinear", "kelvin_per_count", "offset_kelvin"),
    [((1, 1), 0.01, 0), ((1, 0), 0.1, 0), ((0, 0), 0.025, 305.15 - 0.025 * 8192)],
)
def test_telemetry_tells_what_counts_mean(tmp_path, tlinear, kelvin_per_count, offset_kelvin):
    picture = lepton_picture(5, is_at_top=False, tlinear=tlinear)
    camera = thermal_file(tmp_path / "t.mkv", [picture])
    camera.open()
    camera.close()

    assert camera.info.radiometry["kelvin_per_count"] == kelvin_per_count
    assert camera.info.radiometry["offset_kelvin"] == pytest.approx(offset_kelvin)


def test_torn_telemetry_is_flagged_and_tells_nothing(tmp_path):
    pictures = [lepton_picture(number, is_at_top=False) for number in (5, 6, 7)]
    pictures[1][120:] = 0
    frames = shim.read_file(thermal_file(tmp_path / "t.mkv", pictures))

    assert [frame.flags for frame in frames] == [0, FrameFlag.INCOMPLETE, 0]
    assert np.isnan(frames[1].details).all()
    assert [frame.frame_number - 65536 for frame in frames] == [5, 6, 7]


def test_telemetry_that_is_asked_for_and_not_there_is_an_error(tmp_path):
    picture = np.full((48, 64), 30000, np.uint16)
    camera = thermal_file(tmp_path / "t.mkv", [picture], telemetry="bottom", **TLINEAR)
    with pytest.raises(DeviceError, match="no telemetry of a Lepton in a picture of 64x48"):
        camera.open()


def test_a_file_of_eight_bits_is_refused_with_the_cause(tmp_path):
    path = shim.write_file(tmp_path / "t.mkv", [np.zeros((48, 64), np.uint8)], "gray")
    with pytest.raises(DeviceError, match=r"gives uint8 .*, not 16-bit counts .*through FFMPEG"):
        ThermalUvc(path, **TLINEAR).open()


def test_a_camera_that_is_not_there_is_named_with_what_is():
    with pytest.raises(DeviceError, match="no video device is called 'PureThermal'; connected: "):
        ThermalUvc("PureThermal", **TLINEAR).open()
    with pytest.raises(DeviceError, match=r"/dev/video97: is not there .*mavfer rig probe"):
        ThermalUvc(97, **TLINEAR).open()


def test_an_unknown_family_is_refused_before_anything_is_opened():
    with pytest.raises(CommandError, match="unknown radiometry 'warm'"):
        ThermalUvc(97, radiometry="warm")


def test_reading_before_start_and_after_stop_is_told_apart(tmp_path):
    counts = np.zeros((3, 48, 64), np.uint16)
    camera = thermal_file(tmp_path / "t.mkv", counts, **TLINEAR)
    with pytest.raises(DeviceError, match="is not open"):
        camera.start()
    camera.open()
    with pytest.raises(DeviceError, match="is not started"):
        camera.read(0.1)
    camera.start()
    camera.stop()
    with pytest.raises(EOFError, match=r"^$"):
        camera.read(0.1)
    camera.close()
    camera.close()
