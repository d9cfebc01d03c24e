import numpy as np
import pytest
from skimage import data
from skimage.color import rgb2gray

from mavfer.errors import InvalidArray
from mavfer.vision.faces import FaceFinder, LandmarkReader
from mavfer.vision.landmark_model import find_landmark_model
from mavfer.vision.landmarks import FIVE_POINTS, Box, box_from_landmarks, is_found, known_points

cv2 = pytest.importorskip("cv2", reason="needs the extra preprocess")

FACE_X, FACE_Y = 222, 126
"""Where the astronaut's face is in her portrait."""


@pytest.fixture(scope="module")
def portrait():
    return np.rint(255 * rgb2gray(data.astronaut())).astype(np.uint8)


@pytest.fixture(scope="module")
def reader():
    return LandmarkReader(find_landmark_model().path)


@pytest.fixture(scope="module")
def finder():
    return FaceFinder()


def test_a_real_face_is_found_where_it_is(finder, portrait):
    face, *others = finder.find(portrait)

    assert face.box.x == pytest.approx(FACE_X, abs=8)
    assert face.box.y == pytest.approx(FACE_Y, abs=8)
    assert 70 < face.box.width < 110
    assert face.score > 1
    assert not any(other.is_clear for other in others)


def test_large_frames_are_searched_small_and_answered_large(finder, portrait):
    large = portrait.repeat(3, axis=0).repeat(3, axis=1)
    small_face, face = finder.find(portrait)[0], finder.find(large)[0]

    assert face.box.x == pytest.approx(3 * small_face.box.x + 1, abs=20)
    assert face.box.width == pytest.approx(3 * small_face.box.width, rel=0.2)


def test_an_expected_face_is_found_near_its_box_only(finder, portrait):
    near = finder.find_near(portrait, Box(FACE_X + 15, FACE_Y - 10, 100))

    assert near.box.x == pytest.approx(FACE_X, abs=8)
    assert finder.find_near(portrait, Box(400, 400, 100)) is None


def test_the_widest_face_comes_first(finder, portrait):
    face = portrait[:260, 90:350]
    small = face[::2, ::2]
    both = np.full((300, 640), 128, np.uint8)
    both[:130, :130] = small
    both[20:280, 300:560] = face

    faces = [face for face in finder.find(both) if face.is_clear]

    assert faces[0].box.x > 300
    assert faces == sorted(faces, key=lambda face: face.box.width, reverse=True)


def test_noise_has_no_face(finder):
    noise = np.random.default_rng(0).normal(20, 12, (360, 640)).clip(0, 255).astype(np.uint8)

    assert finder.find(noise) == []


def test_landmarks_lie_on_eyes_nose_and_mouth(reader, finder, portrait):
    landmarks = reader.read(portrait, finder.find(portrait)[0].box)
    left, right = landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)

    assert landmarks.shape == (68, 2)
    np.testing.assert_allclose(left, (203, 101), atol=4)
    np.testing.assert_allclose(right, (246, 103), atol=4)
    assert left[1] < landmarks[30, 1] < landmarks[51, 1] < landmarks[8, 1]


def test_landmarks_are_finer_than_whole_pixels(reader, finder, portrait):
    landmarks = reader.read(portrait, finder.find(portrait)[0].box)

    assert len(np.unique(np.round(landmarks % 1, 3))) > 10


def test_shifting_the_frame_shifts_box_and_landmarks(reader, portrait):
    shifted = np.roll(portrait, (7, -11), axis=(0, 1))
    box = Box(FACE_X, FACE_Y, 90)

    moved = reader.read(shifted, Box(FACE_X - 11, FACE_Y + 7, 90))

    np.testing.assert_allclose(moved, reader.read(portrait, box) + np.array([-11, 7]), atol=1e-6)


def test_the_box_around_landmarks_is_about_the_detectors(reader, finder, portrait):
    box = finder.find(portrait)[0].box
    ours = box_from_landmarks(reader.read(portrait, box))

    assert box.distance(ours) < 0.1
    assert ours.width == pytest.approx(box.width, rel=0.15)


def test_a_face_at_the_rim_is_read_beyond_it(reader, portrait):
    cut = portrait[:, FACE_X - 25 :]
    landmarks = reader.read(cut, Box(25, FACE_Y, 90))

    assert np.isfinite(landmarks).all()
    np.testing.assert_allclose(landmarks[42:48].mean(axis=0), (246 - FACE_X + 25, 103), atol=8)


def test_a_tilted_face_is_found_upright(finder, portrait):
    tilt = cv2.getRotationMatrix2D((FACE_X, FACE_Y), -50, 1)
    tilted = cv2.warpAffine(portrait, tilt, portrait.shape[::-1])

    box = Box(FACE_X + 5, FACE_Y, 90)
    upright = finder.find_near(tilted, box, turn_degrees=50)

    assert finder.find_near(tilted, box) is None
    assert upright.box.x == pytest.approx(FACE_X, abs=8)
    assert upright.box.y == pytest.approx(FACE_Y, abs=8)
    assert 70 < upright.box.width < 110


def test_a_face_on_its_head_is_no_face(finder, portrait):
    assert not any(face.is_clear for face in finder.find(portrait[::-1]))


def test_strides_do_not_matter(finder, reader, portrait):
    color = portrait[..., None].repeat(3, axis=2)
    box = finder.find(portrait)[0].box

    assert finder.find(color[..., 1]) == finder.find(portrait)
    np.testing.assert_array_equal(reader.read(color[..., 1], box), reader.read(portrait, box))


def test_five_points_are_those_of_the_sixty_eight(reader, finder, portrait):
    five = LandmarkReader(find_landmark_model(kind="5").path)
    box = finder.find(portrait)[0].box

    few, all_points = five.read(portrait, box), reader.read(portrait, box)

    assert few.shape == (68, 2)
    assert np.flatnonzero(known_points(few)).tolist() == sorted(FIVE_POINTS)
    assert is_found(few)
    # Lids are read at slightly different places; the eyes are 43 px apart.
    assert np.nanmax(np.abs(few - all_points)) < 6
    assert box_from_landmarks(few).distance(box_from_landmarks(all_points)) < 0.05


@pytest.mark.parametrize("frame", [np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.float32)])
def test_color_or_float_frames_are_refused(finder, frame):
    with pytest.raises(InvalidArray, match=r"needs uint8 \(H, W\)"):
        finder.find(frame)
