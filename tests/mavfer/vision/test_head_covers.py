import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d

from mavfer.errors import InvalidArray
from mavfer.vision.faces import FaceFinder, LandmarkReader
from mavfer.vision.geometry import apply_matrix
from mavfer.vision.head_covers import (
    cover_track,
    covered_pixels,
    head_outline,
    head_outlines,
)
from mavfer.vision.landmark_model import find_landmark_model
from mavfer.vision.landmarks import box_from_landmarks
from mavfer.vision.mean_face import MEAN_FACE
from mavfer.vision.people import PeopleTracker
from recording.simulated.cameras import build_calibration
from recording.simulated.motion import build_take
from recording.simulated.subjects import build_subject
from recording.simulated.truth import locate_landmarks

sys.path.insert(0, str(Path(__file__).parent))
import filming

SIZES = {"color": (1280, 720), "depth": (640, 480), "thermal": (320, 256)}
FRAMES = 450


def box_of(landmarks):
    box = box_from_landmarks(landmarks)
    return np.array([box.x, box.y, box.width])


def walker(seed):
    """True landmarks (T, 68, 2) of somebody who talks and walks about behind the subject."""
    code = f"S{seed:02d}"
    subject = build_subject(seed, code)
    traits, pivot_mm = subject.traits, subject.pivot_mm
    take = build_take(
        seed, code, 1, "bright", traits=traits, pivot_mm=pivot_mm, seconds=FRAMES / 30
    )
    points = locate_landmarks(subject, take, np.arange(FRAMES) / 30)
    steps = np.random.default_rng(seed).standard_normal((FRAMES + 200, 3))
    walk = gaussian_filter1d(steps, 21, axis=0)[100:-100]
    walk *= np.array([220, 30, 90]) / walk.std(axis=0)
    points += (walk + np.array([0, 0, 450]))[:, None]
    camera = build_calibration(0, SIZES).color
    return camera.project(points.reshape(-1, 3)).reshape(FRAMES, 68, 2)


def sights(random, frames):
    """True (T,) where a tracker saw the face: it misses up to 10 frames at a time, at ends too."""
    seen = np.ones(frames, bool)
    at = random.integers(0, 11)
    seen[:at] = False
    while at < frames:
        at += random.integers(5, 60)
        missed = random.integers(1, 11)
        seen[at : at + missed] = False
        at += missed
    seen[frames - random.integers(0, 11) :] = False
    return seen


def share_covered(landmarks, boxes, size=SIZES["color"]):
    """Of the frames with a face in the picture, those all of whose landmarks are in the cover."""
    middle = landmarks.mean(axis=1)
    inside = ((middle > 0) & (middle < size)).all(axis=1)
    return np.mean(
        [is_covered(*pair) for pair in zip(landmarks[inside], boxes[inside], strict=True)]
    )


def is_covered(landmarks, box):
    outline = head_outline(box)
    if outline is None:
        return False
    own = np.linalg.solve(outline.axes, (landmarks - outline.centre).T)
    return bool((np.hypot(*own) <= 1).all())


def test_faces_of_people_who_walk_about_are_covered_also_where_they_were_not_seen():
    shares = []
    for seed in range(4):
        landmarks, random = walker(seed), np.random.default_rng(seed)
        boxes = np.array([box_of(points) for points in landmarks])
        boxes += 0.02 * boxes[:, 2:] * random.standard_normal(boxes.shape)
        boxes[~sights(random, FRAMES)] = np.nan
        shares.append(share_covered(landmarks, cover_track(boxes)))

    assert np.mean(shares) >= 0.995
    assert min(shares) >= 0.98


def test_faces_are_covered_before_they_are_first_seen_and_after_they_are_last():
    landmarks = walker(1)
    boxes = np.array([box_of(points) for points in landmarks])
    shares = []
    for begin in range(10, FRAMES - 60, 25):
        window = slice(begin - 10, begin + 50)
        track = boxes[window].copy()
        track[:10], track[-10:] = np.nan, np.nan
        ends = np.r_[:10, 50:60]
        shares.append(share_covered(landmarks[window][ends], cover_track(track)[ends]))

    assert np.mean(shares) >= 0.995


@pytest.mark.parametrize("entry", [3, 12])
def test_somebody_who_walks_in_is_covered_before_the_tracker_sees_them(entry):
    model = find_landmark_model().path
    tracker, reader = PeopleTracker(model), LandmarkReader(model)
    own = reader.read(filming.portrait(), FaceFinder().find(filming.portrait())[0].box)
    places = [filming.place(max(680 - 6 * (k - entry), 430), 190, scale=1.1) for k in range(45)]
    boxes = np.full((len(places), 3), np.nan)
    for frame, place in enumerate(places):
        scene_now = [(place, True), (filming.place(170, 180), False)]
        for face in tracker.update(filming.group(scene_now, frame)):
            if face.observation.box.x > 300:
                box = face.observation.box
                boxes[frame] = box.x, box.y, box.width
    landmarks = np.array([apply_matrix(place, own) for place in places])
    first = int(np.flatnonzero(np.isfinite(boxes[:, 0]))[0])

    assert first > entry + 12  # it is seen late, so this tests something
    assert share_covered(landmarks, cover_track(boxes), size=(640, 360)) == 1


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(0, 12))
def test_a_track_is_covered_from_its_first_sight_to_its_last_and_some_frames_around(seen, hold):
    boxes = np.where(np.array(seen)[:, None], [300.0, 200, 80], np.nan)
    covered = cover_track(boxes, hold=hold, margin=0)
    rows = np.flatnonzero(seen)
    expected = np.zeros(len(seen), bool)
    if len(rows):
        expected[max(rows[0] - hold, 0) : rows[-1] + hold + 1] = True

    np.testing.assert_array_equal(np.isfinite(covered).all(axis=1), expected)
    np.testing.assert_array_equal(np.isfinite(covered).any(axis=1), expected)
    np.testing.assert_allclose(covered[rows], boxes[rows])
    assert (covered[expected, 2] >= 80).all()


def test_a_held_box_grows_and_reaches_on_with_the_last_motion():
    boxes = np.full((40, 3), np.nan)
    boxes[:20] = [[200 + 6 * frame, 150, 90] for frame in range(20)]
    covered = cover_track(boxes, hold=10)
    right = covered[:, 0] + covered[:, 2] / 2
    left = covered[:, 0] - covered[:, 2] / 2

    assert (np.diff(covered[19:30, 2]) > 0).all()
    assert right[29] > 200 + 6 * 29 + 45  # where it would be by now
    assert left[29] < 200 + 6 * 19 - 45  # and where it was last
    assert np.isnan(covered[30:]).all()


def test_a_margin_widens_every_box():
    boxes = np.tile([300.0, 200, 80], (5, 1))

    np.testing.assert_allclose(cover_track(boxes, margin=0.25)[:, 2], 100)


def test_a_track_that_was_never_seen_covers_nothing():
    assert np.isnan(cover_track(np.full((4, 3), np.nan))).all()
    assert cover_track(np.empty((0, 3))).shape == (0, 3)


def test_boxes_need_three_numbers():
    with pytest.raises(
        InvalidArray, match=r"x, y and width in each row \(n, 3\), got shape \(4,\)"
    ):
        cover_track(np.zeros(4))
    with pytest.raises(InvalidArray, match=r"got shape \(2, 4\)"):
        covered_pixels(np.zeros((2, 4)), (9, 9))


def test_the_outline_holds_crown_ears_and_chin_of_the_mean_face():
    x, y, width = box_of(MEAN_FACE[:, :2])
    crown_ears_chin = np.array([[0, -2.05], [-1.35, 0.1], [1.35, 0.1], [0, 2.2]])

    assert is_covered(np.concatenate([crown_ears_chin, MEAN_FACE[:, :2]]), np.array([x, y, width]))
    assert not is_covered(np.array([[0, -3.2]]), np.array([x, y, width]))


def test_pixels_of_a_crop_are_those_of_the_frame():
    boxes = np.array([[150.0, 120, 60], [np.nan, np.nan, np.nan], [40, 200, 30]])
    angle = 0.4
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.column_stack([0.8 * turn, [40, 10]])
    in_crop = covered_pixels(boxes, (300, 300), matrix=matrix)
    rows, columns = np.nonzero(in_crop)
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    places = np.rint(apply_matrix(back, np.stack([columns, rows], 1).astype(float))).astype(int)
    whole = covered_pixels(boxes + np.array([200, 200, 0]), (800, 800))

    assert 1000 < in_crop.sum() < 40000
    assert whole[places[:, 1] + 200, places[:, 0] + 200].mean() > 0.98


def test_what_is_nearer_to_the_subject_is_spared():
    others, subject = np.array([[100.0, 150, 80]]), np.array([190.0, 150, 80])
    covered = covered_pixels(others, (300, 300), spared=subject)
    alone = covered_pixels(others, (300, 300))

    np.testing.assert_array_equal(covered[:, :145], alone[:, :145])
    assert alone[:, 147:].any()
    assert not covered[:, 147:].any()


def test_the_subjects_face_is_spared_by_wider_heads_too():
    landmarks = 35 * MEAN_FACE[:, :2] + [150, 130]
    subject = box_of(landmarks)
    covered = covered_pixels(subject[None] * [0.95, 1, 1.5], (300, 300), spared=subject)
    x, y = np.rint(landmarks).astype(int).T

    assert not covered[y, x].any()
    assert covered.sum() > 10000


def test_heads_are_outlined_where_boxes_are_known():
    boxes = np.array([[10.0, 20, 8], [np.nan, 20, 8]])

    assert len(list(head_outlines(boxes))) == 1
