import os
from pathlib import Path

import numpy as np
import pytest
from skimage import data
from skimage.color import rgb2gray

from mavfer.vision.geometry import apply_matrix
from mavfer.vision.landmark_model import find_landmark_model
from mavfer.vision.tracking import FaceTracker

cv2 = pytest.importorskip("cv2", reason="needs the extra preprocess")

SIZE = (480, 360)


@pytest.fixture(scope="module")
def portrait():
    return np.rint(255 * rgb2gray(data.astronaut())).astype(np.uint8)


@pytest.fixture
def tracker():
    return FaceTracker(find_landmark_model().path)


def motion(frame):
    """Matrix (2, 3) from the portrait to a frame: the face sways, turns and comes nearer."""
    t = frame / 30
    angle, scale = 0.1 * np.sin(2.2 * t), 1.3 * (1 + 0.06 * np.sin(1.7 * t))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    place = np.array([240 + 60 * np.sin(1.5 * t), 170 + 20 * np.cos(2 * t)])
    return np.column_stack([turn, place - turn @ [222, 126]])


def film(portrait, frame, gain=1.0, sigma=3.0):
    image = cv2.warpAffine(portrait, motion(frame), SIZE, borderMode=cv2.BORDER_REPLICATE)
    noise = np.random.default_rng(frame).normal(0, sigma, image.shape)
    return np.clip(image * gain + noise, 0, 255).astype(np.uint8)


def in_portrait(observation, frame):
    matrix = np.vstack([motion(frame), [0, 0, 1]])
    return apply_matrix(np.linalg.inv(matrix)[:2], observation.landmarks.astype(float))


def test_a_moving_face_is_followed_closely_and_quietly(tracker, portrait):
    seen = [tracker.update(film(portrait, frame)) for frame in range(60)]
    still = np.array([in_portrait(one, frame) for frame, one in enumerate(seen)])
    about = still - np.median(still, axis=0)

    assert seen[0].source == "detected"
    assert {one.source for one in seen} == {"detected", "tracked"}
    assert sum(one.source == "detected" for one in seen) < 15
    # Pixels of the portrait; its eyes are 38 px apart.
    assert np.sqrt(np.mean(about**2)) < 0.6
    assert np.sqrt(np.mean(np.diff(about, axis=0) ** 2)) < 0.25
    assert all(one.n_faces == 1 and one.score > 0 for one in seen)
    assert seen[5].landmarks.dtype == np.float32


def test_flickering_lamps_do_not_drag_the_landmarks_along(tracker, portrait):
    rows = np.arange(SIZE[1])[:, None]
    errors = []
    for frame in range(45):
        bands = 1 + 0.35 * np.sin(2 * np.pi * (rows / 240 + frame * 0.31))
        seen = tracker.update(np.clip(film(portrait, frame) * bands, 0, 255).astype(np.uint8))
        errors.append(in_portrait(seen, frame))
    about = np.array(errors) - np.median(errors, axis=0)

    assert np.sqrt(np.mean(about**2)) < 0.9


def test_darkness_ends_the_track_at_once_and_light_brings_it_back(tracker, portrait):
    lit = [tracker.update(film(portrait, frame)) for frame in range(10)]
    dark = [tracker.update(film(portrait, frame, 0.03, 10)) for frame in range(10, 50)]
    again = [tracker.update(film(portrait, frame)) for frame in range(50, 60)]

    assert all(one.source != "none" for one in lit)
    assert all(one.source == "none" for one in dark)
    assert all(np.isnan(one.landmarks).all() and one.box is None for one in dark)
    assert [one.source for one in again[:4]].count("none") <= 2
    assert all(one.source != "none" for one in again[3:])


def test_a_face_that_leaves_is_let_go_within_frames(tracker, portrait):
    for frame in range(5):
        tracker.update(film(portrait, frame))
    empty = film(portrait[300:, :200], 0, sigma=6)

    after = [tracker.update(empty).source for _ in range(25)]

    assert set(after[6:]) == {"none"}


def test_a_jump_of_the_head_is_caught_up_with(tracker, portrait):
    for frame in range(5):
        tracker.update(film(portrait, frame))
    jumped = np.roll(film(portrait, 5), 70, axis=1)

    seen = [tracker.update(jumped) for _ in range(8)]

    eyes = in_portrait(seen[-1], 5)[36:48].mean(axis=0)
    assert seen[-1].source != "none"
    assert eyes[0] == pytest.approx(226 + 70 / 1.36, abs=5)


def test_noise_never_grows_a_face(tracker):
    rng = np.random.default_rng(0)
    frames = (rng.normal(15, 10, (40, 240, 320)).clip(0, 255)).astype(np.uint8)

    assert {tracker.update(frame).source for frame in frames} == {"none"}


@pytest.mark.real_media
@pytest.mark.skipif("MAVFER_REAL_MEDIA" not in os.environ, reason="MAVFER_REAL_MEDIA is not set")
def test_all_frames_of_a_real_clip_are_tracked(tracker):
    capture = cv2.VideoCapture(
        str(Path(os.environ["MAVFER_REAL_MEDIA"]) / "real_face_640x360_30fps.mp4")
    )
    seen = []
    while True:
        is_read, frame = capture.read()
        if not is_read:
            break
        seen.append(tracker.update(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)))
    landmarks = np.array([one.landmarks for one in seen])
    eyes = np.linalg.norm(landmarks[:, 36:42].mean(1) - landmarks[:, 42:48].mean(1), axis=1)
    smile = np.linalg.norm(landmarks[:, 54] - landmarks[:, 48], axis=1) / eyes

    assert len(seen) == 72
    assert all(one.source != "none" for one in seen)
    assert max(one.agreement for one in seen[1:]) < 0.02
    assert smile[25:45].mean() > 1.15 * smile[:5].mean()
