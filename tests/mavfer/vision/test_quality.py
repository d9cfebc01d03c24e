import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from mavfer.vision.alignment import PRESETS, crop_matrix, warp_color
from mavfer.vision.geometry import apply_matrix, invert_matrix
from mavfer.vision.landmarks import FIVE_POINTS
from mavfer.vision.mean_face import MEAN_FACE
from mavfer.vision.quality import face_hull, measure_crop

PRESET = PRESETS["mavfer224"]
SHAPE = (224, 224)


@pytest.fixture(scope="module")
def portrait():
    return data.astronaut()


@pytest.fixture
def landmarks():
    """The mean face laid on the astronaut's, whose eyes are at (207, 110) and (245, 110)."""
    return MEAN_FACE[:, :2] * 38 + [226, 110]


def measure(frame, landmarks, **crops):
    matrix = crop_matrix(landmarks, PRESET)
    return measure_crop(
        warp_color(frame, matrix, SHAPE), landmarks, matrix, frame.shape[:2], **crops
    )


def test_a_blurred_face_has_less_edge(portrait, landmarks):
    sharp = measure(portrait, landmarks)
    blurred = measure(cv2.GaussianBlur(portrait, (0, 0), 3), landmarks)

    assert blurred.blur < 0.3 * sharp.blur


def test_brightness_and_saturation_are_those_of_the_face(portrait, landmarks):
    white = np.full_like(portrait, 255)
    half = np.full_like(portrait, 120)

    assert measure(white, landmarks).saturation == 1
    assert measure(half, landmarks).brightness == pytest.approx(120, abs=0.5)
    assert measure(half, landmarks).saturation == 0


@pytest.mark.parametrize(("kept", "share"), [(1.0, 1.0), (0.5, 0.5)])
def test_coverage_counts_the_face_alone(portrait, landmarks, kept, share):
    matrix = crop_matrix(landmarks, PRESET)
    hull = face_hull(landmarks, matrix, SHAPE)
    depth = np.where(hull, 700, 0).astype(np.uint16)
    depth[:, int(112 * 2 * kept) :] = 0

    quality = measure(portrait, landmarks, depth_crop=depth)

    assert quality.depth_coverage == pytest.approx(share, abs=0.02)
    assert np.isnan(quality.thermal_coverage)


def test_a_face_beyond_the_rim_is_partly_inside(portrait, landmarks):
    assert measure(portrait, landmarks).inside == 1
    assert measure(portrait, landmarks - [226, 0]).inside == pytest.approx(0.5, abs=0.03)


def test_five_points_measure_the_same_face(portrait, landmarks):
    few = np.full_like(landmarks, np.nan)
    few[list(FIVE_POINTS)] = landmarks[list(FIVE_POINTS)]
    all_points, five = (vars(measure(portrait, points)) for points in (landmarks, few))

    assert five == pytest.approx(all_points, nan_ok=True, rel=1e-6)


def test_no_face_has_no_measures(portrait):
    nowhere = np.full((68, 2), np.nan)
    quality = measure_crop(
        portrait[:224, :224], nowhere, np.full((2, 3), np.nan), portrait.shape[:2]
    )

    assert np.isnan(list(vars(quality).values())).all()


def test_hull_covers_brows_to_chin(landmarks):
    hull = face_hull(landmarks, crop_matrix(landmarks, PRESET), SHAPE)
    canonical = PRESET.canonical()

    assert np.flatnonzero(hull.any(axis=1)).max() == pytest.approx(canonical[8, 1], abs=1.5)
    assert np.flatnonzero(hull.any(axis=1)).min() == pytest.approx(canonical[19, 1], abs=1.5)


def plain_measures(color, hull, depth, to_frame, frame_shape):
    """The measures in plain numpy and OpenCV, in the order of `CropQuality`."""
    gray = cv2.cvtColor(color, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(gray, (112, 112), interpolation=cv2.INTER_AREA)
    row, column = (index[::16] for index in np.nonzero(hull))
    x, y = apply_matrix(to_frame, np.stack([column, row], axis=1)).T
    height, width = frame_shape
    return (
        cv2.Laplacian(small, cv2.CV_64F).var(),
        gray[hull].mean(),
        (color[hull] >= 250).any(axis=1).mean(),
        ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)).mean(),
        (depth[hull] > 0).mean(),
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_measures_are_those_of_plain_numpy(seed):
    rng = np.random.default_rng(seed)
    face = MEAN_FACE[:, :2] * rng.uniform(20, 60) + rng.uniform(-50, 350, 2)
    face += rng.normal(0, 2, face.shape)
    matrix = crop_matrix(face, PRESET)
    color = rng.integers(0, rng.choice([200, 256]), (224, 224, 3), dtype=np.uint8)
    color = cv2.GaussianBlur(color, (0, 0), rng.choice([0.1, 3]))
    depth = rng.choice([0, 700, 65535], (224, 224)).astype(np.uint16)

    quality = measure_crop(color, face, matrix, (300, 400), depth_crop=depth)

    hull = face_hull(face, matrix, SHAPE)
    expected = plain_measures(color, hull, depth, invert_matrix(matrix), (300, 400))
    assert tuple(vars(quality).values())[:5] == pytest.approx(expected, rel=1e-9, abs=1e-9)
