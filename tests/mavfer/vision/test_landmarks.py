import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mavfer.vision.geometry import apply_matrix
from mavfer.vision.landmarks import (
    FIVE_POINTS,
    Box,
    box_from_landmarks,
    complete_landmarks,
    is_found,
    known_points,
)
from mavfer.vision.mean_face import MEAN_FACE

FACE = MEAN_FACE[:, :2] * 60 + 200


def only_five(landmarks):
    few = np.full_like(landmarks, np.nan)
    few[..., list(FIVE_POINTS), :] = landmarks[..., list(FIVE_POINTS), :]
    return few


def test_known_points_are_told_for_any_number_of_frames():
    film = np.stack([FACE, only_five(FACE), np.full((68, 2), np.nan)])

    assert known_points(film).sum(axis=1).tolist() == [68, 5, 0]
    assert is_found(film).tolist() == [True, True, False]


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("unknown", [np.nan, np.inf])
def test_a_point_that_lacks_a_coordinate_is_not_known(axis, unknown):
    points = MEAN_FACE.copy()
    points[7, axis] = unknown

    assert np.flatnonzero(~known_points(points)).tolist() == [7]
    assert is_found(points)


@pytest.mark.parametrize("point", FIVE_POINTS)
def test_a_face_without_one_of_the_five_points_is_not_found(point):
    landmarks = FACE.copy()
    landmarks[point, 1] = np.nan

    assert not is_found(landmarks)


@given(st.floats(-0.6, 0.6), st.floats(0.5, 4), st.floats(-500, 500))
def test_five_points_have_the_box_of_all(angle, scale, shift):
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = FACE @ turn.T + shift

    whole, few = box_from_landmarks(moved), box_from_landmarks(only_five(moved))

    assert whole.distance(few) < 1e-6
    assert few.width == pytest.approx(whole.width)


def test_a_box_goes_with_the_face_and_grows_with_it():
    box, moved = box_from_landmarks(FACE), box_from_landmarks(3 * FACE + [10, -20])

    assert (moved.x, moved.y) == pytest.approx((3 * box.x + 10, 3 * box.y - 20))
    assert moved.width == pytest.approx(3 * box.width)
    # From above the brows to the chin.
    top, bottom = FACE[:, 1].min(), FACE[:, 1].max()
    assert box.y == pytest.approx((top + bottom) / 2, abs=0.1 * box.width)
    assert box.width == pytest.approx(bottom - top, rel=0.2)


def test_the_mean_face_stands_for_unknown_points():
    completed = complete_landmarks(only_five(FACE))

    np.testing.assert_allclose(completed, FACE, atol=1e-9)
    np.testing.assert_array_equal(complete_landmarks(FACE), FACE)


def test_a_box_is_brought_to_a_square_behind_a_margin():
    matrix = Box(50, 40, 20).to_square(100, 10)
    corners = np.array([[40.1, 30.1], [59.9, 49.9]])

    np.testing.assert_allclose(apply_matrix(matrix, corners), [[10, 10], [109, 109]], atol=0.01)


def test_distances_are_in_widths_of_the_first_box():
    assert Box(0, 0, 10).distance(Box(3, 4, 99)) == pytest.approx(0.5)
