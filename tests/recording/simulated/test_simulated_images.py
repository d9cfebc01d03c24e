"""What the simulated cameras show, held against the truth and the noise models."""

from __future__ import annotations

import importlib.util
import threading
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mavfer.errors import require
from mavfer.vision.geometry import Calibration, CameraModel
from recording.camera import FrameFlag
from recording.simulated import SimulatedRig
from recording.simulated.lighting import LIT_SECONDS
from recording.simulated.sensors import NOISE

STREAMS = ("color", "depth", "thermal")


def rig_of(**options):
    return SimulatedRig(**{
        "seed": 1, "seconds": 2, "pace": "fast", "subject_code": "S01", "start_ns": 0,
        "drop_share": 0.0, "rates_hz": {"color": 5.0, "depth": 5.0, "thermal": 5.0}, **options,
    })  # fmt: skip


def frames_of(rig, stream):
    camera = rig.cameras[STREAMS.index(stream)]
    camera.open()
    camera.start()
    frames = []
    while True:
        try:
            frames.append(camera.read(1.0))
        except EOFError:
            return frames


def model_of(rig, stream):
    return getattr(Calibration.from_document(rig.calibration), stream)


@pytest.fixture(scope="module")
def detector():
    return require("dlib", "preprocess").get_frontal_face_detector()


@pytest.fixture(scope="module")
def predictor():
    found = importlib.util.find_spec("face_recognition_models")
    model = Path(found.origin).parent / "models" / "shape_predictor_68_face_landmarks.dat"
    return require("dlib", "preprocess").shape_predictor(str(model))


def gray(frame):
    return np.round(frame.pixels @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)


def landmark_error(image, expected, face, predictor):
    """Distances (51,) of the inner landmarks to the truth, as shares of the eyes' distance."""
    parts = np.array([(p.x, p.y) for p in predictor(image, face).parts()])
    eyes = expected[36:42].mean(axis=0) - expected[42:48].mean(axis=0)
    return np.hypot(*(parts - expected)[17:].T) / np.hypot(*eyes)


def test_a_real_detector_finds_bright_faces_and_their_landmarks(detector, predictor):
    found, errors = [], []
    for subject in ("S01", "S02", "S08", "S09"):
        rig = rig_of(subject_code=subject, seconds=8, rates_hz={"color": 2.5})
        truth = rig.truth().streams["color"]
        for frame in frames_of(rig, "color"):
            image, expected = gray(frame), truth.landmarks[frame.frame_number]
            faces = detector(image, 0)
            found.append(len(faces) == 1)
            errors += [landmark_error(image, expected, face, predictor) for face in faces[:1]]

    assert len(found) >= 76
    assert np.mean(found) >= 0.98
    assert np.median(errors) <= 0.03
    assert np.median(np.mean(errors, axis=0)) <= 0.04


def test_a_dark_take_begins_lit_and_then_hides_the_face(detector):
    rig = rig_of(lighting="dark", seconds=3.5)
    truth = rig.truth().streams["color"]
    found = [len(detector(gray(frame), 0)) for frame in frames_of(rig, "color")]
    is_lit = truth.true_ns < LIT_SECONDS * 1e9
    is_dark = truth.gain < 0.05

    assert all(np.array(found)[is_lit] == 1)
    assert sum(np.array(found)[is_dark]) == 0
    assert is_dark.sum() >= 8
    assert set(truth.exposure_ns[is_lit]) == {10_000_000}
    assert set(truth.exposure_ns[is_dark]) == {30_000_000}


def test_dark_noise_has_white_and_slow_blotchy_parts():
    wall = np.s_[20:180, 20:120, 0]
    frames = [f.pixels[wall].astype(float) for f in frames_of(rig_of(lighting="dark"), "color")]
    dark = frames[-1] - gaussian_filter(frames[-1], 25)
    smooth = gaussian_filter(dark, 3)
    apart = np.corrcoef(smooth[:, :-4].ravel(), smooth[:, 4:].ravel())[0, 1]

    assert frames[-1].mean() < 12
    assert dark.std() == pytest.approx(7.5, abs=2)  # half of it is cut off at black
    assert smooth.std() > 1.5  # white noise alone would leave less than 1
    assert apart > 0.6


def test_bright_color_noise_grows_with_the_level_as_the_model_says():
    frames = np.stack([f.pixels.astype(float) for f in frames_of(rig_of(), "color")])
    wall = frames[:, 10:90, 10:90]
    variance, level = wall.var(axis=0, ddof=1).mean(), wall.mean()
    model = NOISE["color"]

    expected = model["white_lit"] ** 2 + model["shot_variance_per_level"] * level
    assert variance == pytest.approx(expected, rel=0.1)
    assert 100 < level < 220


def test_flicker_changes_the_light_from_frame_to_frame_and_bright_light_does_not():
    steady, flicker = rig_of().truth(), rig_of(lighting="flicker", rates_hz={"color": 30.0}).truth()

    assert set(steady.streams["color"].gain) == {1.0}
    assert 0.3 < np.ptp(flicker.streams["color"].gain) < 0.8
    assert 0.85 < flicker.streams["color"].gain.mean() < 1.15


def test_flicker_is_seen_by_the_color_camera():
    rig = rig_of(lighting="flicker", rates_hz={"color": 12.0})
    levels = [frame.pixels[:90, :90].mean() for frame in frames_of(rig, "color")]

    assert np.corrcoef(levels, rig.truth().streams["color"].gain)[0, 1] > 0.95


def test_depth_noise_is_that_of_a_disparity():
    rig = rig_of()
    camera = model_of(rig, "depth")
    counts = np.stack([f.pixels for f in frames_of(rig, "depth")])[:, 10:90, 60:120]
    true_mm = rig.render_truth("depth", camera, 0)[10:90, 60:120]
    focal_baseline = camera.matrix[0, 0] * NOISE["depth"]["baseline_mm"]
    disparity = focal_baseline / (counts * 0.25)
    error = disparity - focal_baseline / true_mm

    assert counts.all()
    assert error.std() == pytest.approx(NOISE["depth"]["disparity_pixels"], rel=0.1)
    assert abs(error.mean()) < 0.01
    steps = disparity * NOISE["depth"]["steps_per_pixel"]
    assert abs(steps - np.round(steps)).max() < 0.12  # the counts' own rounding
    beside = [np.corrcoef(error[:, :, :-k].ravel(), error[:, :, k:].ravel())[0, 1] for k in (1, 12)]
    assert beside[0] > 0.6
    assert abs(beside[1]) < 0.1


def test_depth_is_missing_in_the_stereo_shadow_and_at_edges():
    rig = rig_of()
    frame = frames_of(rig, "depth")[0]
    true_ns = int(rig.truth().streams["depth"].true_ns[0])
    true_mm = rig.render_truth("depth", model_of(rig, "depth"), true_ns)
    row = int(rig.truth().streams["depth"].landmarks[0, 27, 1])
    head = np.flatnonzero(true_mm[row] < 1000)
    left, right = head[0], head[-1]

    assert (frame.pixels[row, left - 20 : left] == 0).mean() > 0.9
    assert (frame.pixels[row, right + 3 : right + 23] == 0).mean() < 0.1
    assert frame.pixels[row, left] == 0
    assert frame.pixels[row, right] == 0
    assert 0.02 < (frame.pixels == 0).mean() < 0.15
    seen = frame.pixels > 0
    assert np.median(abs(frame.pixels[seen] * 0.25 - true_mm[seen])) < 6


@pytest.mark.parametrize("mm_per_count", [0.1, 1.0])
def test_depth_counts_have_the_unit_that_the_camera_names(mm_per_count):
    rig = rig_of(depth_mm_per_count=mm_per_count, seconds=1)
    pixels = frames_of(rig, "depth")[0].pixels

    assert rig.cameras[1].info.depth_mm_per_count == mm_per_count
    assert np.median(pixels[10:90, 60:120]) * mm_per_count == pytest.approx(1600, rel=0.02)


def test_thermal_pixels_are_the_true_temperature_within_the_noise():
    rig = rig_of()
    true_ns = rig.truth().streams["thermal"].true_ns
    errors = []
    for frame in frames_of(rig, "thermal"):
        celsius = frame.pixels / 100 - 273.15
        truth = rig.render_truth(
            "thermal", model_of(rig, "thermal"), int(true_ns[frame.frame_number])
        )
        errors.append(celsius - gaussian_filter(truth, NOISE["thermal"]["blur_pixels"]))
    errors = np.stack(errors)

    assert abs(errors.mean()) < 0.1  # the offset since the last closing of the shutter
    assert (errors - errors.mean(axis=0)).std() == pytest.approx(0.05, rel=0.2)
    pattern = errors.mean(axis=0)
    assert pattern.std() == pytest.approx(np.hypot(0.03, 0.04), rel=0.3)
    assert pattern.mean(axis=0).std() == pytest.approx(0.04, rel=0.3)  # columns


def test_a_closed_shutter_repeats_the_picture_and_then_changes_the_offset():
    rig = rig_of(seconds=6, rates_hz={"thermal": 12.0}, shutter_every_seconds=(1.5, 2.0))
    frames = frames_of(rig, "thermal")
    truth = rig.truth().streams["thermal"]
    is_closed = np.array([FrameFlag.SHUTTER in frame.flags for frame in frames])
    begins = np.flatnonzero(np.diff(is_closed.astype(int)) == 1) + 1
    wall = np.s_[:30, :30]

    np.testing.assert_array_equal(is_closed, truth.is_shutter)
    assert 2 <= len(begins) <= 3
    assert 3 * len(begins) <= is_closed.sum() <= 7 * len(begins)
    for begin in begins:
        np.testing.assert_array_equal(frames[begin].pixels, frames[begin - 1].pixels)
    means = [frame.pixels[wall].mean() for frame in frames]
    open_means = [np.mean(part) for part in np.split(means, begins)]
    assert np.ptp(open_means) > 1  # counts of 0.01 degrees
    assert not np.array_equal(frames[1].pixels, frames[2].pixels)


def following(rig, time_index):
    """A camera 600 mm before the face that moves with the head at a moment of the latents."""
    seconds = time_index / 100
    rows = rig.truth().streams["color"]
    nearest = abs(rows.true_ns - seconds * 1e9).argmin()
    back = np.eye(4)
    back[2, 3] = 600
    focal = np.array([[500.0, 0, 159.5], [0, 500.0, 119.5], [0, 0, 1]])
    camera = CameraModel(
        320, 240, focal, np.zeros(5), back @ np.linalg.inv(rows.head_pose[nearest])
    )
    return camera, int(rows.true_ns[nearest])


def test_arousal_opens_the_mouth_in_every_stream():
    rig = rig_of(seconds=12, rates_hz={"color": 25.0})
    arousal = rig.truth().latents.arousal
    views = {}
    for name, index in (("calm", arousal.argmin()), ("aroused", arousal.argmax())):
        camera, true_ns = following(rig, index)
        views[name] = {s: rig.render_truth(s, camera, true_ns).astype(float) for s in STREAMS}
    mouth, hair = np.s_[125:155, 140:180], np.s_[5:25, 140:180]
    change = {s: abs(views["aroused"][s] - views["calm"][s]) for s in STREAMS}

    assert arousal.max() > 0.6
    assert arousal.min() < -0.6
    assert change["color"][mouth].mean() > 3 * change["color"][hair].mean()
    assert change["depth"][mouth].mean() > 2
    assert np.median(change["depth"][hair]) < 0.5
    assert np.percentile(views["aroused"]["thermal"][mouth], 95) > 36
    assert np.percentile(views["calm"]["thermal"][mouth], 95) < 36


def test_landmarks_follow_the_weights():
    truth = rig_of(seconds=30, rates_hz={"color": 20.0}).truth()
    rows = truth.streams["color"]
    at = np.searchsorted(truth.latents.time_ns, rows.true_ns)
    weights = truth.latents.weights[at]
    to_head = np.linalg.inv(rows.head_pose)
    points = np.einsum("tij,tkj->tki", to_head[:, :3, :3], rows.landmarks_mm)
    points += to_head[:, None, :3, 3]
    opening = points[:, 66, 1] - points[:, 62, 1]
    corners = -(points[:, 48, 1] + points[:, 54, 1])
    lids = points[:, 37, 1] - points[:, 41, 1]

    assert np.corrcoef(opening, weights[:, 1])[0, 1] > 0.98
    assert np.corrcoef(corners, weights[:, 0])[0, 1] > 0.95
    assert np.corrcoef(lids, weights[:, 4])[0, 1] > 0.98
    assert np.corrcoef(truth.latents.arousal[at], opening)[0, 1] > 0.9
    assert np.corrcoef(truth.latents.valence[at], corners)[0, 1] > 0.9


@pytest.mark.parametrize("stream", ["color", "depth", "thermal"])
def test_true_landmarks_lie_on_the_true_surface_in_every_camera(stream):
    rig = rig_of(seconds=4)
    truth = rig.truth().streams[stream]
    camera = model_of(rig, stream)
    nose = [27, 28, 29, 30, 33]
    for row in (0, 7, 15):
        depth = rig.render_truth("depth", camera, int(truth.true_ns[row]))
        x, y = np.round(truth.landmarks[row, nose]).astype(int).T
        motion = camera.camera_from_color
        expected = (truth.landmarks_mm[row, nose] @ motion[:3, :3].T + motion[:3, 3])[:, 2]

        assert abs(depth[y, x] - expected).max() < 4
        np.testing.assert_allclose(
            truth.landmarks[row], camera.project(truth.landmarks_mm[row].astype(float)), atol=1e-2
        )


def test_truth_seen_from_the_color_camera_is_what_the_color_camera_sees():
    rig = rig_of()
    frame = frames_of(rig, "color")[4]
    true_ns = int(rig.truth().streams["color"].true_ns[frame.frame_number])
    image = rig.render_truth("color", model_of(rig, "color"), true_ns)
    warm = rig.render_truth("thermal", model_of(rig, "color"), true_ns)

    assert image.dtype == np.uint8
    assert warm.dtype == np.float32
    assert abs(image.astype(float) - frame.pixels).mean() < 5
    skin = warm > 32
    assert image[skin][:, 0].mean() > image[skin][:, 2].mean() + 20  # skin is reddish
    assert 0.05 < skin.mean() < 0.2


def test_a_long_exposure_blurs_a_moving_face():
    from dataclasses import replace

    from recording.simulated.sensors import ColorSensor

    rig = rig_of(seconds=4)
    sharp = rig._build_sensor("color")
    exposure = int(np.argmax(np.abs(np.diff(rig.truth().streams["color"].landmarks[:, 30, 0]))))
    long = replace(sharp._schedule, exposure_ns=sharp._schedule.exposure_ns * 40)
    blurred = ColorSensor(sharp._renderer, long, sharp._lighting, sharp._seed)

    def detail(sensor):
        face = gaussian_filter(sensor.read_out(exposure)[150:300, 250:390, 1].astype(float), 1)
        return abs(np.diff(face, axis=1)).mean()

    assert detail(blurred) < 0.95 * detail(sharp)


def test_three_threads_give_the_frames_that_one_gives():
    rates = dict.fromkeys(STREAMS, 6.0)
    alone = {s: [f.pixels for f in frames_of(rig_of(rates_hz=rates), s)] for s in STREAMS}
    rig, together = rig_of(rates_hz=rates), {}

    def run(stream):
        together[stream] = [f.pixels for f in frames_of(rig, stream)]

    threads = [threading.Thread(target=run, args=(stream,)) for stream in STREAMS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for stream in STREAMS:
        np.testing.assert_array_equal(alone[stream], together[stream])


def test_subjects_look_different_and_have_their_own_temperature():
    one, other = (rig_of(subject_code=code, seconds=1) for code in ("S01", "S09"))
    traits = [rig.truth().settings["traits"] for rig in (one, other)]

    assert traits[0]["skin_gain"] != traits[1]["skin_gain"]
    skin = []
    for rig in (one, other):
        rows = rig.truth().streams["thermal"]
        x, y = rows.landmarks[0, [2, 3, 13, 14]].mean(axis=0).astype(int)
        skin.append(
            rig.render_truth("thermal", model_of(rig, "thermal"), int(rows.true_ns[0]))[y, x]
        )
    assert all(31 < celsius < 37 for celsius in skin)
    assert skin[0] != pytest.approx(skin[1], abs=0.05)
