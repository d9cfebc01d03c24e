"""The rig as a recorder meets it: three cameras behind the common interface."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time

import numpy as np
import pytest
from scipy.signal import lfilter

from mavfer.errors import CommandError, DeviceError
from mavfer.vision.geometry import Calibration
from recording.camera import ClockDomain, FrameFlag
from recording.simulated import SimulatedRig
from recording.simulated.motion import TABLE_HZ, _low_pass

pytest.importorskip("numba")
pytest.importorskip("cv2")
pytest.importorskip("skimage")

SMALL = {"color": (160, 120), "depth": (160, 120), "thermal": (80, 64)}
SLOW = {"color": 10.0, "depth": 10.0, "thermal": 8.0}


def small_rig(**options):
    return SimulatedRig(**{
        "seed": 5, "seconds": 2, "pace": "fast", "subject_code": "S01", "start_ns": 10**12,
        "sizes": SMALL, "rates_hz": SLOW, **options,
    })  # fmt: skip


def read_all(camera, timeout_seconds=1.0):
    camera.open()
    camera.start()
    frames = []
    while True:
        try:
            frame = camera.read(timeout_seconds)
        except EOFError:
            camera.close()
            return frames
        if frame is not None:
            frames.append(frame)


def test_the_rig_has_a_color_a_depth_and_a_thermal_camera():
    infos = [camera.info for camera in SimulatedRig(1, seconds=1, start_ns=0).cameras]

    assert [info.stream for info in infos] == ["color", "depth", "thermal"]
    assert [(info.width, info.height) for info in infos] == [(640, 480), (640, 480), (320, 256)]
    assert [info.rate_hz for info in infos] == [30, 30, 25]
    assert infos[1].depth_mm_per_count == 0.25
    assert infos[2].radiometry == {
        "formula": "linear", "kelvin_per_count": 0.01, "offset_kelvin": 0.0,
    }  # fmt: skip


def test_the_same_arguments_give_the_same_frames_bit_for_bit():
    for one, other in zip(small_rig().cameras, small_rig().cameras, strict=True):
        frames, again = read_all(one), read_all(other)

        assert len(frames) == len(again) > 10
        for a, b in zip(frames, again, strict=True):
            assert dataclasses.replace(a, pixels=b.pixels) == b
            np.testing.assert_array_equal(a.pixels, b.pixels)


@pytest.mark.parametrize(
    "change", [{"seed": 6}, {"subject_code": "S02"}, {"take": 2}, {"lighting": "flicker"}]
)
def test_seed_subject_take_and_lighting_each_make_another_take(change):
    one, other = small_rig().truth(), small_rig(**change).truth()

    assert abs(one.latents.arousal - other.latents.arousal).max() > 0.05


def test_takes_of_one_subject_share_the_face_and_the_cameras():
    one, other = small_rig(take=1), small_rig(take=2)

    assert one.truth().settings["traits"] == other.truth().settings["traits"]
    assert one.calibration == other.calibration
    assert small_rig(subject_code="S09").calibration == one.calibration


def test_a_longer_take_begins_like_a_shorter_one():
    short, long = small_rig(seconds=1).truth(), small_rig(seconds=3).truth()

    np.testing.assert_array_equal(short.latents.arousal, long.latents.arousal[:101])
    np.testing.assert_array_equal(short.latents.weights, long.latents.weights[:101])


def test_frames_follow_the_interface():
    for camera in small_rig().cameras:
        frames = read_all(camera)
        info = camera.info
        expected = (
            (info.height, info.width, 3) if info.stream == "color" else (info.height, info.width)
        )

        assert {frame.pixels.shape for frame in frames} == {expected}
        assert {str(frame.pixels.dtype) for frame in frames} == {info.dtype}
        assert {frame.domain for frame in frames} == {ClockDomain.DEVICE}
        assert {frame.flags for frame in frames} == {FrameFlag(0)}
        assert all(frame.exposure_ns > 0 for frame in frames)
        assert frames[0].pixels is not frames[1].pixels


def test_lost_frames_are_missing_and_listed_in_the_truth():
    rig = small_rig(drop_share=0.3, seconds=6)
    for camera in rig.cameras:
        numbers = [frame.frame_number for frame in read_all(camera)]
        truth = rig.truth().streams[camera.info.stream]

        assert numbers == np.flatnonzero(~truth.dropped).tolist()
        assert 0.1 < truth.dropped.mean() < 0.5
        assert not truth.dropped[0]
        np.testing.assert_array_equal(truth.frame_number, np.arange(len(truth.dropped)))


def test_stamps_are_the_true_times_on_a_drifting_clock():
    rig = small_rig(seconds=60)
    truth = rig.truth()
    for stream, rows in truth.streams.items():
        clock = truth.settings["clocks"][stream]
        elapsed = rows.true_ns - truth.settings["start_ns"]
        slope = np.polyfit(elapsed, rows.device_ns - rows.device_ns[0], 1)[0]

        assert 10 < abs(clock["drift_ppm"]) < 100
        assert (slope - 1) * 1e6 == pytest.approx(clock["drift_ppm"], abs=0.01)
        expected = clock["offset_ns"] + elapsed * (1 + clock["drift_ppm"] * 1e-6)
        assert abs(rows.device_ns - expected).max() < 1_000
        assert np.ptp(np.diff(rows.device_ns)) < 3  # the camera keeps its rate by its own clock
        assert abs(np.diff(rows.true_ns).mean() * SLOW[stream] / 1e9 - 1) < 1e-4
        assert elapsed[0] > 0
        assert elapsed[-1] < 60e9


def test_frames_arrive_after_their_exposure_with_a_jitter_of_milliseconds():
    rig = small_rig(seconds=20, drop_share=0.0)
    camera = rig.cameras[2]
    frames = read_all(camera)
    truth = rig.truth().streams["thermal"]
    arrival = np.array([frame.host_ns for frame in frames])
    delay = (arrival - truth.true_ns - truth.exposure_ns // 2) / 1e6

    assert (np.diff(arrival) > 0).all()
    assert 6 <= delay.min() < 6.3
    assert delay.mean() == pytest.approx(8, abs=0.6)
    assert [frame.device_ns for frame in frames] == truth.device_ns.tolist()


def test_cameras_have_their_own_clocks_lenses_and_places():
    rig = small_rig()
    calibration = Calibration.from_document(rig.calibration)
    clocks = rig.truth().settings["clocks"]
    models = [calibration.color, calibration.depth, calibration.thermal]

    assert len({clock["offset_ns"] for clock in clocks.values()}) == 3
    assert len({clock["drift_ppm"] for clock in clocks.values()}) == 3
    assert len({model.matrix[0, 0] / model.width for model in models}) == 3
    assert len({tuple(model.distortion) for model in models}) == 3
    centres = [-m.camera_from_color[:3, :3].T @ m.camera_from_color[:3, 3] for m in models]
    distances = [float(np.linalg.norm(centre)) for centre in centres]
    assert distances == pytest.approx([0, 15, 70], abs=2)


def test_the_calibration_is_named_after_its_content_and_says_that_it_is_simulated():
    document = small_rig(created_utc="2024-05-01T12:00:00Z").calibration

    assert document["format"] == "mavfer.calibration"
    assert document["method"] == "simulated"
    assert document["created_utc"] == "2024-05-01T12:00:00Z"
    assert document["error_px"] == {"mean": 0.0, "max": 0.0}
    assert document["name"] == small_rig().calibration["name"]
    assert document["name"] != small_rig(seed=6).calibration["name"]


def test_at_real_pace_frames_come_at_their_times():
    rig = small_rig(pace="real", seconds=1.0, start_ns=None, rates_hz={**SLOW, "depth": 20.0})
    camera = rig.cameras[1]
    camera.open()
    began = time.monotonic_ns()
    frames = read_all(camera)
    took_seconds = (time.monotonic_ns() - began) / 1e9
    rows = rig.truth().streams["depth"]
    numbers = [frame.frame_number for frame in frames]

    assert rig.is_paced
    assert 0.9 < took_seconds < 3
    assert numbers == np.flatnonzero(~rows.dropped).tolist()
    late = np.array([frame.host_ns for frame in frames]) - rows.true_ns[numbers]
    assert late.min() > 0.01e9  # exposure and the least delay
    assert np.median(late) < 0.1e9


def test_at_real_pace_a_reader_who_sleeps_loses_frames():
    camera = small_rig(pace="real", seconds=1.5, start_ns=None).cameras[1]
    camera.open()
    camera.start()
    first = camera.read(1.0)
    time.sleep(0.6)
    second = camera.read(1.0)
    camera.close()

    assert first is not None
    assert second is not None
    assert second.frame_number - first.frame_number >= 4
    assert camera.dropped()[first.frame_number + 1 : second.frame_number].all()


def test_at_real_pace_a_short_timeout_gives_nothing_and_loses_nothing():
    camera = small_rig(pace="real", seconds=1.5, start_ns=None).cameras[2]
    camera.open()
    camera.start()
    answers = [camera.read(0.01) for _ in range(30)]
    camera.close()

    numbers = [frame.frame_number for frame in answers if frame is not None]
    assert camera.dropped().tolist() == [False] * len(numbers)
    assert answers[0] is None
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 1


def test_a_stopped_camera_ends_and_the_truth_ends_with_it():
    rig = small_rig()
    camera = rig.cameras[0]
    camera.open()
    camera.start()
    for _ in range(3):
        camera.read(1.0)
    camera.stop()

    with pytest.raises(EOFError):
        camera.read(1.0)
    assert rig.truth().streams["color"].frame_number.tolist() == [0, 1, 2]
    assert len(rig.truth().streams["depth"].frame_number) > 10


def test_a_camera_that_was_not_opened_says_so():
    camera = small_rig().cameras[0]

    with pytest.raises(DeviceError, match=r"is not open. Call open\(\)"):
        camera.start()
    with pytest.raises(DeviceError, match=r"is not started. Call open\(\) and start\(\)"):
        camera.read(1.0)
    camera.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lighting": "dim"}, "lighting 'dim' is unknown. Choose one of bright, dark, flicker"),
        ({"pace": "slow"}, "pace 'slow' is unknown"),
        ({"seconds": 0}, "0 seconds cannot be"),
        ({"sizes": {"infrared": (1, 1)}}, "stream 'infrared' is unknown"),
        ({"rates_hz": {"color": 0.0}}, "rates and sizes must be above 0"),
        ({"depth_mm_per_count": 0.0}, "0.0 millimetres a count cannot be"),
        ({"drop_share": 1.5}, "a drop share of 1.5 cannot be"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(CommandError, match=message):
        small_rig(**options)


def test_the_package_is_imported_without_any_extra():
    heavy = "{'numba', 'cv2', 'skimage', 'dlib'}"
    code = f"import sys, recording.simulated; print(sorted({heavy} & set(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert answer.stdout.strip() == "[]"


def test_a_skin_response_follows_as_a_first_order_low_pass():
    latent = np.random.default_rng(0).normal(size=500)
    keep = np.exp(-1 / (0.7 * TABLE_HZ))

    followed = _low_pass(latent, 0.7)

    theirs, _ = lfilter([1 - keep], [1, -keep], latent, zi=np.array([keep * latent[0]]))
    np.testing.assert_allclose(followed, theirs, atol=1e-12)


def test_what_a_stream_does_not_show_moves_nothing_in_it():
    take = small_rig()._takes["depth"]
    calm = take.table.copy()
    calm[:, [0, 2]] = 0.0  # arousal, and arousal as the skin follows it
    seconds = np.linspace(0, 2, 21)
    felt, unfelt = (
        dataclasses.replace(take, table=table, shown=(0.0, 1.0)) for table in (take.table, calm)
    )

    assert np.array_equal(felt.weights(seconds), unfelt.weights(seconds))
    assert np.array_equal(felt.skin_response(seconds), unfelt.skin_response(seconds))
    assert not np.array_equal(take.weights(seconds), felt.weights(seconds))
    assert np.array_equal(take.arousal_valence(seconds), felt.arousal_valence(seconds))


def test_a_split_rig_shows_valence_in_depth_and_arousal_in_thermal():
    whole, split = small_rig(), small_rig(shows="split")
    seconds = np.linspace(0, 2, 21)

    assert split.settings["shows"] == "split"
    assert {name: take.shown for name, take in split._takes.items()} == {
        "color": (1, 1),
        "depth": (0, 1),
        "thermal": (1, 0),
    }
    for stream, is_same in (("color", True), ("depth", False), ("thermal", False)):
        ours, theirs = (rig._takes[stream].weights(seconds) for rig in (split, whole))
        assert np.array_equal(ours, theirs) is is_same
    truth, known = split.truth(), whole.truth()
    assert np.array_equal(truth.latents.arousal, known.latents.arousal)
    assert np.array_equal(truth.streams["color"].landmarks, known.streams["color"].landmarks)
    assert not np.array_equal(truth.streams["depth"].landmarks, known.streams["depth"].landmarks)


def test_a_rig_cannot_show_something_else():
    with pytest.raises(CommandError, match=r"shows 'nothing' is unknown. Choose one of all, split"):
        small_rig(shows="nothing")
