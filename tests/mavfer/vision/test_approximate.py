from functools import cache

import cv2
import numpy as np
import pytest
from scipy.interpolate import RBFInterpolator

from mavfer.errors import InvalidArray, NotAligned
from mavfer.vision.approximate import estimate_placement
from mavfer.vision.geometry import Calibration, apply_matrix, estimate_similarity
from mavfer.vision.mean_face import EYE_DISTANCE_MM, MEAN_FACE
from mavfer.vision.registration import PixelMask
from recording.simulated import SimulatedRig

SIZE = (240, 320)
TRUE = np.array([[0.8, 0, 12.0], [0, 0.8, -25.0]])
"""Color pixels to those of the drawn stream."""
EYE_PX = 50.0
CENTRE = np.array([80.0, 70.0])
CANONICAL = MEAN_FACE[:, :2] * EYE_PX + CENTRE


def heads(count, rng):
    """Landmarks (count, 68, 2) in color of a face that sways, nears and tilts."""
    return np.array([apply_matrix(motion, CANONICAL) for motion in motions(count, rng)])


def motions(count, rng):
    """Similarities (2, 3) from the canonical picture to the color frame."""
    for _ in range(count):
        angle, size = rng.normal(0, 0.06), rng.normal(1, 0.05)
        turn = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        place = np.array([190, 170]) + rng.normal(0, 12, 2)
        yield np.column_stack([turn, place - turn @ CENTRE])


@cache
def canonical(stream):
    """What a stream shows of the mean face before a wall, float32 (160, 160)."""
    y, x = np.mgrid[:160, :160]
    pixels = np.stack([x.ravel(), y.ravel()], 1).astype(float)
    jaw = np.concatenate([CANONICAL[:17], 2 * CENTRE - CANONICAL[:17] * [1, 0.8] - [0, 24]])
    hull = cv2.convexHull(jaw.astype(np.float32)).astype(np.int32)
    is_face = cv2.fillConvexPoly(np.zeros((160, 160), np.uint8), hull, 1) > 0
    if stream == "thermal":
        warm = np.full(160 * 160, 30700.0)
        for point, excess in ((30, -90), (39, 70), (42, 70), (19, -40), (24, -40)):
            apart = ((pixels - CANONICAL[point]) ** 2).sum(1)
            warm += excess * np.exp(-apart / (0.2 * EYE_PX) ** 2)
        return np.where(is_face, warm.reshape(160, 160), 29500).astype(np.float32)
    relief = RBFInterpolator(CANONICAL, MEAN_FACE[:, 2] * EYE_DISTANCE_MM, smoothing=0.1)
    surface = np.clip(relief(pixels), -40, 80).reshape(160, 160)
    return np.where(is_face, 650 + surface, 1500).astype(np.float32)


def drawn(landmarks, stream):
    """What a stream shows of faces with these landmarks."""
    background = 1500 if stream == "depth" else 29500
    frames = []
    for face in landmarks:
        place = TRUE @ np.vstack([estimate_similarity(CANONICAL, face), [0, 0, 1]])
        picture = canonical(stream)
        flags = cv2.INTER_NEAREST if stream == "depth" else cv2.INTER_LINEAR
        frame = cv2.warpAffine(picture, place, SIZE[::-1], flags=flags, borderValue=background)
        frames.append(np.rint(frame))
    return np.array(frames).astype(np.uint16)


def offset_percent(placement, landmarks):
    """Median distance of placed and true points in % of the outer-eye distance."""
    found = apply_matrix(placement.matrix, landmarks.reshape(-1, 2))
    truth = apply_matrix(TRUE, landmarks.reshape(-1, 2))
    eyes = np.linalg.norm(landmarks[:, 45] - landmarks[:, 36], axis=1).mean()
    return 100 * np.median(np.linalg.norm(found - truth, axis=1)) / TRUE[0, 0] / eyes


@cache
def example(stream):
    """Landmarks, frames that show them, and the placement found."""
    landmarks = heads(8, np.random.default_rng(0))
    frames = drawn(landmarks, stream)
    return landmarks, frames, estimate_placement(landmarks, frames, stream)


@pytest.fixture(scope="module")
def rig():
    return SimulatedRig(1, seconds=20, pace="fast", start_ns=0)


@pytest.mark.parametrize(("stream", "percent"), [("depth", 3), ("thermal", 6)])
def test_the_drawn_face_is_found_where_it_is(stream, percent):
    landmarks, _, placement = example(stream)

    assert offset_percent(placement, landmarks) < percent
    assert placement.matrix[0, 0] == pytest.approx(0.8, rel=0.08)
    assert placement.error_eye_percent < 12
    assert placement.frames_used == 8


def test_frames_without_a_face_in_a_third_of_the_take_do_no_harm():
    rng = np.random.default_rng(1)
    landmarks = heads(12, rng)
    frames = drawn(landmarks, "depth")
    frames[::4] = 1500
    landmarks[2] = np.nan

    placement = estimate_placement(landmarks, frames, "depth")

    assert offset_percent(placement, landmarks[3:]) < 4
    assert placement.frames_used == 11


@pytest.mark.parametrize("stream", ["depth", "thermal"])
def test_the_simulated_rig_is_placed_as_well_as_it_claims(rig, stream):
    """Against the exact calibration, which the estimate never sees."""
    color = rig.truth().streams["color"]
    chosen = np.linspace(40, len(color.true_ns) - 10, 8).astype(int)
    camera = getattr(Calibration.from_document(rig.calibration), stream)
    pictures = [rig.render_truth(stream, camera, int(color.true_ns[index])) for index in chosen]
    frames = np.array(pictures) if stream == "depth" else 100 * (np.array(pictures) + 273.15)

    placement = estimate_placement(
        color.landmarks[chosen], np.rint(frames).astype(np.uint16), stream
    )

    landmarks = color.landmarks[chosen].astype(float)
    found = apply_matrix(placement.matrix, landmarks.reshape(-1, 2))
    truth = camera.project(color.landmarks_mm[chosen].reshape(-1, 3).astype(float))
    error_px = np.linalg.norm(found - truth, axis=1).reshape(len(chosen), 68)[:, 17:]
    eyes = np.linalg.norm(landmarks[:, 45] - landmarks[:, 36], axis=1)
    percent = 100 * np.median(error_px / placement.matrix[0, 0] / eyes[:, None])
    assert percent < 10
    assert percent < 1.3 * placement.error_eye_percent
    assert placement.error_eye_percent < 15


def test_a_wall_is_no_face():
    landmarks = heads(9, np.random.default_rng(2))
    frames = np.full((9, *SIZE), 1500, np.uint16)

    with pytest.raises(NotAligned, match="is not found in it"):
        estimate_placement(landmarks, frames, "depth")


def test_too_few_faces_are_refused():
    landmarks = heads(9, np.random.default_rng(3))
    landmarks[:3] = np.nan

    with pytest.raises(NotAligned, match="6 frames with a face, needs 8"):
        estimate_placement(landmarks, np.zeros((9, *SIZE), np.uint16), "thermal")


def test_frames_and_landmarks_of_different_number_are_refused():
    with pytest.raises(InvalidArray, match=r"needs landmarks \(n, 68, 2\)"):
        estimate_placement(np.zeros((9, 68, 2)), np.zeros((8, *SIZE), np.uint16), "depth")


def test_crops_take_whole_depths_and_say_that_they_are_approximate():
    _, frames, placement = example("depth")
    matrix = np.array([[1.0, 0, -100], [0, 1, -60]])
    holed = frames[0].copy()
    holed[100:104, 150:160] = 0

    crop, mask = placement.crop(holed, matrix, (200, 180))

    assert crop.shape == mask.shape == (200, 180)
    assert crop.dtype == np.uint16
    assert set(np.unique(crop)) <= set(np.unique(holed))
    known = PixelMask.MEASURED | PixelMask.APPROXIMATE
    np.testing.assert_array_equal(mask, np.where(crop > 0, np.uint8(known), np.uint8(0)))
    assert 0 < (crop == 0).mean() < 0.2


def test_temperatures_are_not_mixed_with_missing_pixels():
    _, frames, placement = example("thermal")
    holed = frames[0].copy()
    holed[100:104, 120:130] = 0

    crop, mask = placement.crop(holed, np.eye(2, 3), (300, 380))

    assert crop[crop > 0].min() >= 29_000
    assert (mask[crop == 0] == 0).all()
    # Beyond the thermal picture there is nothing.
    assert (crop[:15] == 0).all()
