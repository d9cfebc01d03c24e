import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the extra preprocess")

import cv2

from mavfer.vision.flow import follow_points

from .filming import film, noisy, place

POINTS = np.array([[120.0, 110.0], [160.0, 112.0], [140.0, 150.0], [128.0, 170.0]])


def square(x=140.0, y=140.0):
    return film(place(x, y, scale=1.6), size=(280, 280), sigma=1)


@pytest.mark.parametrize("shift", [(0, 0), (2.4, -1.3), (14, 9)])
def test_points_move_with_the_picture(shift):
    moved = follow_points(square(), square(140 + shift[0], 140 + shift[1]), POINTS, POINTS)

    np.testing.assert_allclose(moved, POINTS + shift, atol=0.4)


def test_a_good_guess_reaches_far_motion():
    shift = np.array([60.0, -35.0])
    moved = follow_points(square(), square(200, 105), POINTS, POINTS + shift - 3)

    np.testing.assert_allclose(moved, POINTS + shift, atol=0.4)


def test_bands_of_light_are_not_taken_for_motion():
    rows = np.arange(280)[:, None]
    lit = np.clip(square() * (1 + 0.3 * np.sin(rows / 40)), 0, 255).astype(np.uint8)

    np.testing.assert_allclose(follow_points(square(), lit, POINTS, POINTS), POINTS, atol=0.4)


def test_steady_rows_that_move_are_left_alone():
    rows = noisy(np.repeat(np.linspace(40, 220, 280)[:, None], 280, axis=1), 0, 0)
    cv2.circle(rows, (140, 140), 40, 0, 3)
    moved = np.roll(rows, 3, axis=0)
    points = np.array([[112.0, 112.0], [168.0, 112.0]])

    np.testing.assert_allclose(
        follow_points(rows, moved, points, points), points + np.array([0, 3]), atol=1
    )


def test_without_anything_to_follow_points_stay_where_they_are_expected():
    blank = np.full((280, 280), 90, np.uint8)

    np.testing.assert_allclose(follow_points(blank, blank, POINTS, POINTS + 5), POINTS + 5)
