import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the extra preprocess")

from mavfer.vision.faces import Face
from mavfer.vision.landmark_model import find_landmark_model
from mavfer.vision.landmarks import Box
from mavfer.vision.tracking import FaceFollower
from mavfer.vision.tracking_state import arrays_from_tracks, tracks_from_arrays

from .filming import SIZE, film, group, place, sway


@pytest.fixture(scope="module")
def follower():
    return FaceFollower(find_landmark_model().path)


@pytest.fixture
def track(follower):
    gray = film(sway(0))
    return follower.start(gray, follower.finder.find(gray)[0], 7)


def test_a_track_begins_where_the_detector_sees_a_face(track):
    seen = track.observe()

    assert (track.number, track.state) == (7, "TRACK")
    assert seen.source == "detected"
    assert np.isnan(seen.agreement)
    assert not track.is_doubtful
    assert not track.is_due


def test_quiet_faces_are_read_in_every_third_frame(follower, track):
    moved_along = []
    for frame in range(1, 14):
        track = follower.carry(film(sway(frame), frame), track)
        moved_along.append(track.moved_along)

    assert moved_along[0] == 0  # how well landmarks and flow agree is not known yet
    assert moved_along.count(0) == 5
    assert max(moved_along) == 2


def test_the_tilt_of_the_head_is_known(follower):
    gray = film(place(240, 170, degrees=15))
    track = follower.start(gray, follower.finder.find(gray)[0], 0)

    # The portrait's own head is tilted by 3 degrees.
    assert track.turn_degrees == pytest.approx(17, abs=4)


def test_a_face_is_confirmed_every_half_second(follower, track):
    for frame in range(1, 16):
        track = follower.carry(film(sway(frame), frame), track)

    assert track.is_due
    assert track.observe().source == "tracked"
    assert not track.confirmed(0.9).is_due
    assert track.confirmed(0.9).observe().source == "detected"
    assert follower.look_near(film(sway(15), 15), track).score > 0.4


def test_darkness_is_doubt(follower, track):
    dark = follower.carry(film(sway(1), 1, gain=0.03, sigma=10), track)

    assert dark.is_doubtful
    assert dark.moved_along == 0


def test_somebody_else_is_not_the_same_face(follower, track):
    here = sway(0)
    gray = group([(here, True)], size=SIZE)
    other = follower.carry(gray, track)

    assert not other.is_same_face(other.cells)
    assert track.is_same_face(follower.carry(film(here, 1), track).cells)


def test_a_doubtful_find_that_is_no_face_starts_nothing(follower):
    rng = np.random.default_rng(0)
    cloth = rng.normal(120, 30, (360, 480)).clip(0, 255).astype(np.uint8)

    assert follower.start(cloth, Face(Box(240, 180, 100), 0.1), 0) is None


def test_tracks_become_arrays_and_back_without_losing_a_bit(follower, track):
    moved = follower.carry(film(sway(1), 1), track)
    arrays = arrays_from_tracks([track, moved])
    first, second = tracks_from_arrays(arrays)

    assert arrays["landmarks"].shape == (2, 68, 2)
    assert (first.number, first.state, second.agreement) == (7, "TRACK", moved.agreement)
    assert second.landmarks.tobytes() == moved.landmarks.tobytes()
    assert second.moved_along == moved.moved_along
    assert tracks_from_arrays(arrays_from_tracks([])) == []
