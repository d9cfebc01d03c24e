import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the extra preprocess")

import cv2

from mavfer.errors import InvalidArray
from mavfer.vision.landmark_model import find_landmark_model
from mavfer.vision.landmarks import FIVE_POINTS, is_found, known_points
from mavfer.vision.people import PeopleTracker
from mavfer.vision.smoothing import smooth_landmarks

from .filming import FACE, SIZE, film, group, in_portrait, place, sway


@pytest.fixture
def tracker():
    return PeopleTracker(find_landmark_model().path)


def swaying(frame, **light):
    return film(sway(frame), frame, **light)


def follow(tracker, frames):
    return [tracker.update(frame) for frame in frames]


def numbers(seen):
    return {face.track for faces in seen for face in faces}


def alone(faces):
    (face,) = faces
    return face.observation


def told(faces):
    return [
        (face.track, face.observation.landmarks.tobytes(), face.observation.score) for face in faces
    ]


def heads_of(seen, places):
    """For each frame, which of the heads (back to front) each track is on; None: on none."""
    owners = []
    for faces, heads in zip(seen, places, strict=True):
        middles = np.array([matrix @ [*FACE, 1] for matrix, _ in heads])
        at = {}
        for face in faces:
            box = face.observation.box
            apart = np.hypot(*(middles - (box.x, box.y)).T) / box.width
            foremost = np.flatnonzero(apart < 0.3)
            at[face.track] = int(foremost[-1]) if foremost.size else None
        owners.append(at)
    return owners


def switches(owners):
    """How often a track goes over to another head, and how often two are on one head."""
    last, count = {}, 0
    for at in owners:
        count += len(at) - len(set(at.values()))
        for track, head in at.items():
            count += last.get(track, head) != head
            last[track] = head
    return count


def test_a_moving_face_is_followed_closely_and_quietly(tracker):
    seen = [alone(tracker.update(swaying(frame))) for frame in range(60)]
    still = np.array([in_portrait(one.landmarks, sway(i)) for i, one in enumerate(seen)])
    about = still - np.median(still, axis=0)

    assert seen[0].source == "detected"
    assert {one.source for one in seen} == {"detected", "tracked"}
    assert sum(one.source == "detected" for one in seen) < 15
    # Pixels of the portrait; its eyes are 43 px apart.
    assert np.sqrt(np.mean(about**2)) < 0.3
    assert np.sqrt(np.mean(np.diff(about, axis=0) ** 2)) < 0.15
    assert tracker.n_faces == 1
    assert all(one.score > 0 for one in seen)
    assert seen[5].landmarks.dtype == np.float32
    assert tracker.states == {0: "TRACK"}


def test_flickering_lamps_do_not_drag_the_landmarks_along(tracker):
    rows = np.arange(SIZE[1])[:, None]
    errors = []
    for frame in range(45):
        bands = 1 + 0.35 * np.sin(2 * np.pi * (rows / 240 + frame * 0.31))
        seen = tracker.update(np.clip(swaying(frame) * bands, 0, 255).astype(np.uint8))
        errors.append(in_portrait(alone(seen).landmarks, sway(frame)))
    about = np.array(errors) - np.median(errors, axis=0)

    assert np.sqrt(np.mean(about**2)) < 0.9


def test_darkness_ends_the_track_at_once_and_light_brings_another(tracker):
    lit = follow(tracker, (swaying(frame) for frame in range(10)))
    dark = follow(tracker, (swaying(frame, gain=0.03, sigma=10) for frame in range(10, 50)))
    states = tracker.states
    again = follow(tracker, (swaying(frame) for frame in range(50, 60)))

    assert all(len(faces) == 1 for faces in lit)
    assert not any(dark)
    assert states == {0: "LOST"}
    assert [len(faces) for faces in again[3:]] == [1] * 7
    assert numbers(lit) == {0}
    assert numbers(again) == {1}


def test_doubt_comes_before_loss_and_ends_when_the_face_is_seen_again(tracker):
    follow(tracker, (swaying(frame) for frame in range(10)))

    hidden = follow(tracker, [film(place(900, 900), i) for i in range(2)])
    states = tracker.states
    back = follow(tracker, (swaying(frame) for frame in range(10, 14)))

    assert not any(hidden)
    assert states == {0: "DOUBT"}
    assert all(len(faces) == 1 for faces in back[2:])


def test_a_face_that_leaves_is_let_go_and_in_the_end_forgotten(tracker):
    follow(tracker, (swaying(frame) for frame in range(5)))
    empty = film(place(240, -500), sigma=6)

    after = follow(tracker, [empty] * 6 + [np.zeros_like(empty)] * 90)

    assert not any(after[1:])
    assert tracker.states == {}
    assert tracker.n_faces == 0


@pytest.mark.parametrize("gone", [0, 3, 22])
def test_after_a_cut_or_an_absence_a_face_is_followed_within_three_frames(tracker, gone):
    recovered = []
    for x, y, scale in ((130, 150, 1.1), (330, 190, 1.5)):
        follow(tracker, (film(place(0, -500), i) for i in range(gone)))
        seen = follow(tracker, (film(place(x, y, scale=scale), i) for i in range(4)))
        recovered += [len(faces) == 1 for faces in seen[2:]]

    assert all(recovered)


def test_somebody_who_comes_in_is_followed_beside_whom_is_there(tracker):
    heads = [
        [(place(160, 170), False)] + ([(place(460, 180), True)] if frame > 3 else [])
        for frame in range(40)
    ]
    seen = follow(tracker, (group(places, frame) for frame, places in enumerate(heads)))

    assert [len(faces) for faces in seen[:4]] == [1] * 4
    assert [len(faces) for faces in seen[34:]] == [2] * 6
    assert numbers(seen) == {0, 1}
    assert tracker.n_faces == 2


def test_somebody_who_comes_in_after_quiet_seconds_is_followed_within_one(tracker):
    alone = film(place(160, 170), 0)
    together = group([(place(160, 170), False), (place(460, 180), True)], 1)
    seen = follow(tracker, [alone] * 130 + [together] * 31)

    assert {len(faces) for faces in seen[:130]} == {1}
    assert len(seen[-1]) == 2
    assert tracker.n_faces == 2


def crossing(frame, gap):
    """Two heads that pass each other, one `gap` pixels lower; the lower one is in front."""
    x = 140 + 12 * frame
    return [
        (place(x, 175 - gap / 2, scale=1.1), False),
        (place(640 - x, 175 + gap / 2, scale=1.1), True),
    ]


@pytest.mark.parametrize("gap", [0, 40, 150])
def test_people_who_cross_keep_their_numbers_or_get_new_ones(tracker, gap):
    places = [crossing(frame, gap) for frame in range(30)]
    seen = follow(tracker, (group(heads, frame) for frame, heads in enumerate(places)))
    owners = heads_of(seen, places)

    assert switches(owners) == 0
    assert len(seen[0]) == 2
    assert sum(None in at.values() for at in owners) == 0
    assert any(len(at) == 2 for at in owners[-4:])


def test_three_people_side_by_side_are_three(tracker):
    places = [
        [
            (place(120 + 200 * i + 8 * np.sin(frame / 9 + i), 180, scale=1.2), i == 1)
            for i in range(3)
        ]
        for frame in range(20)
    ]
    seen = follow(tracker, (group(heads, frame) for frame, heads in enumerate(places)))

    assert [len(faces) for faces in seen[4:]] == [3] * 16
    assert numbers(seen) == {0, 1, 2}
    assert switches(heads_of(seen, places)) == 0


def test_a_cut_that_puts_somebody_else_in_the_same_place_starts_a_track(tracker):
    here = place(240, 170)
    before = follow(tracker, (film(here, frame) for frame in range(6)))
    after = follow(tracker, (group([(here, True)], frame, size=SIZE) for frame in range(6)))

    assert numbers(before) == {0}
    assert numbers(after) == {1}
    assert len(after[2]) == 1


def test_what_is_no_face_grows_none(tracker):
    rng = np.random.default_rng(0)
    noise = (rng.normal(15, 10, (240, 320)).clip(0, 255).astype(np.uint8) for _ in range(40))

    assert not any(follow(tracker, noise))
    assert tracker.states == {}


@pytest.mark.parametrize("name", ["brick", "grass", "gravel", "coins", "page", "camera"])
def test_textures_grow_no_face(tracker, name):
    from skimage import data

    image = np.asarray(getattr(data, name)())
    frames = [cv2.resize(image, None, fx=f, fy=f) for f in (0.6, 1.0, 1.3)]

    assert not any(tracker.update(frame) for frame in frames for _ in range(2))


def test_a_film_upside_down_has_nobody(tracker):
    assert not any(follow(tracker, (swaying(frame)[::-1] for frame in range(12))))


def test_a_face_too_small_for_the_detector_is_nobody(tracker):
    tiny = [film(place(240, 170, scale=0.4), frame, size=(640, 480)) for frame in range(6)]

    assert not any(follow(tracker, tiny))
    assert tracker.n_faces == 0


def test_a_tracker_goes_on_from_its_state_bit_for_bit(tracker):
    def frame_of(i):
        if 12 <= i < 16:
            return np.zeros((360, 640), np.uint8)
        return group([(place(160 + i, 170), False), (place(460 - i, 180), True)], i)

    whole, states = [], []
    frames = [frame_of(i) for i in range(24)]
    for frame in frames:
        states.append(tracker.state())
        whole.append(tracker.update(frame))
    for stop in (0, 7, 13, 18):
        again = PeopleTracker(find_landmark_model().path)
        again.restore(states[stop])
        for ours, theirs in zip(follow(again, frames[stop:]), whole[stop:], strict=True):
            assert told(ours) == told(theirs)


def test_the_state_is_plain_arrays(tracker, tmp_path):
    follow(tracker, (swaying(frame) for frame in range(3)))
    np.savez(tmp_path / "state.npz", allow_pickle=False, **tracker.state())

    with np.load(tmp_path / "state.npz", allow_pickle=False) as file:
        back = PeopleTracker(find_landmark_model().path)
        back.restore(dict(file))

    assert back.states == {0: "TRACK"}


def test_five_points_follow_a_face_too():
    tracker = PeopleTracker(find_landmark_model(kind="5").path)

    seen = [alone(tracker.update(swaying(frame))) for frame in range(40)]
    points = list(FIVE_POINTS)
    still = np.array([in_portrait(one.landmarks[points], sway(i)) for i, one in enumerate(seen)])
    about = still - np.median(still, axis=0)

    assert all(is_found(one.landmarks) for one in seen)
    assert known_points(seen[9].landmarks).sum() == 5
    assert np.sqrt(np.mean(about**2)) < 0.6
    assert tracker.states == {0: "TRACK"}


def test_strides_of_a_frame_do_not_matter_and_nothing_of_it_is_kept(tracker):
    other = PeopleTracker(find_landmark_model().path)
    for frame in range(6):
        gray = swaying(frame)
        wide = np.repeat(gray, 2, axis=1)
        strided = wide[:, ::2]
        (ours,), (theirs,) = tracker.update(strided), other.update(gray)
        wide[:] = 0

        np.testing.assert_array_equal(ours.observation.landmarks, theirs.observation.landmarks)


@pytest.mark.parametrize("frame", [np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.float32)])
def test_color_or_float_frames_are_refused(tracker, frame):
    with pytest.raises(InvalidArray, match=r"needs uint8 \(H, W\)"):
        tracker.update(frame)


@pytest.mark.real_media
@pytest.mark.skipif("MAVFER_REAL_MEDIA" not in os.environ, reason="MAVFER_REAL_MEDIA is not set")
def test_all_frames_of_a_real_clip_are_tracked_quietly(tracker):
    capture = cv2.VideoCapture(
        str(Path(os.environ["MAVFER_REAL_MEDIA"]) / "real_face_640x360_30fps.mp4")
    )
    frames = []
    while (answer := capture.read())[0]:
        frames.append(cv2.cvtColor(answer[1], cv2.COLOR_BGR2GRAY))
    seen = [alone(faces) for faces in follow(tracker, frames)]
    landmarks = np.array([one.landmarks for one in seen])
    eyes = np.linalg.norm(landmarks[:, 36:42].mean(1) - landmarks[:, 42:48].mean(1), axis=1)
    smile = np.linalg.norm(landmarks[:, 54] - landmarks[:, 48], axis=1) / eyes
    jitter = np.sqrt(np.mean(np.diff(smooth_landmarks(landmarks)[:16], 2, axis=0) ** 2) / 6)

    assert len(seen) == 72
    assert max(one.agreement for one in seen[1:]) < 0.02
    assert smile[25:45].mean() > 1.15 * smile[:5].mean()
    # Detecting every frame anew gives 0.455 px.
    assert jitter < 0.25 * 0.455
