import sys
from pathlib import Path

import numpy as np
import pytest

from mavfer.vision.geometry import apply_matrix
from mavfer.vision.landmarks import FIVE_POINTS, known_points
from mavfer.vision.mean_face import EYE_DISTANCE_MM, MEAN_FACE
from mavfer.vision.pose import head_pose, lift_from_crop, lift_landmarks, picture_pose

sys.path.insert(0, str(Path(__file__).parent))
import scene


def place_face(yaw, pitch, roll, shift=(20, -10, 650)):
    head = scene.rigid(shift, *np.radians([yaw, pitch, roll]))
    return MEAN_FACE * EYE_DISTANCE_MM @ head[:3, :3].T + head[:3, 3]


@pytest.mark.parametrize("angles", [(0, 0, 0), (25, -10, 5), (-30, 15, -20)])
def test_pose_is_found_again_from_points_in_space(angles):
    pose = head_pose(place_face(*angles))

    np.testing.assert_allclose((pose.yaw, pose.pitch, pose.roll), angles, atol=1e-6)
    np.testing.assert_allclose(pose.position_mm, (20, -10, 650), atol=1e-6)
    assert pose.source == "depth"


@pytest.mark.parametrize("angles", [(0, 0, 0), (25, -10, 5), (-30, 15, -20)])
def test_pose_is_found_again_from_the_picture(angles):
    pose = picture_pose(scene.COLOR.project(place_face(*angles)), scene.COLOR)

    np.testing.assert_allclose((pose.yaw, pose.pitch, pose.roll), angles, atol=0.2)
    np.testing.assert_allclose(pose.position_mm, (20, -10, 650), atol=2)
    assert pose.source == "picture"


def test_a_head_of_another_size_and_an_open_mouth_do_not_turn_it():
    points = place_face(15, 5, 0)
    points = 1.1 * (points - points.mean(axis=0)) + points.mean(axis=0)
    points[55:60] += [0, 25, 5]
    points[64:68] += [0, 25, 5]

    pose = head_pose(points)

    np.testing.assert_allclose((pose.yaw, pose.pitch, pose.roll), (15, 5, 0), atol=1.5)


def only_five(points):
    few = np.full_like(points, np.nan)
    few[list(FIVE_POINTS)] = points[list(FIVE_POINTS)]
    return few


@pytest.mark.parametrize("angles", [(0, 0, 0), (25, -10, 5), (-30, 15, -20)])
def test_five_points_have_a_pose_too(angles):
    points = only_five(place_face(*angles))

    for pose in (head_pose(points), picture_pose(scene.COLOR.project(points), scene.COLOR)):
        np.testing.assert_allclose((pose.yaw, pose.pitch, pose.roll), angles, atol=0.2)
        np.testing.assert_allclose(pose.position_mm, (20, -10, 650), atol=2)


def test_five_points_are_lifted_and_the_others_stay_unknown():
    subject = scene.Scene()
    pixels, counts = landmarks_on(subject), scene.depth_counts(subject)
    whole = lift_landmarks(pixels, counts, 0.1, scene.DEPTH, scene.COLOR)
    few = lift_landmarks(only_five(pixels), counts, 0.1, scene.DEPTH, scene.COLOR)

    assert np.flatnonzero(known_points(few)).tolist() == sorted(FIVE_POINTS)
    np.testing.assert_allclose(few[list(FIVE_POINTS)], whole[list(FIVE_POINTS)], atol=2)


def test_no_points_have_no_pose():
    assert head_pose(np.full((68, 3), np.nan)) is None
    assert picture_pose(np.full((68, 2), np.nan), scene.COLOR) is None


def landmarks_on(subject):
    """68 pixels of the color frame on the ellipsoid: a face's outline, and points inside it."""
    turn = np.linspace(0, np.pi, 17)
    rim = np.stack([-72 * np.cos(turn), 20 + 75 * np.sin(turn)], axis=1)
    rng = np.random.default_rng(0)
    inner = rng.uniform([-40, -30], [40, 60], (51, 2))
    across = np.concatenate([rim, inner])
    away = -scene.RADII[2] * np.sqrt(1 - (across**2 / scene.RADII[:2] ** 2).sum(axis=1))
    points = np.column_stack([across, away])
    return scene.COLOR.project(points @ subject.head[:3, :3].T + subject.head[:3, 3])


def test_lifted_landmarks_lie_on_the_face():
    subject = scene.Scene()
    pixels = landmarks_on(subject)
    _, truth, _ = scene.Scene(subject.head).see_pixels(scene.COLOR, pixels, (68,))
    rng = np.random.default_rng(1)

    lifted = lift_landmarks(
        pixels.astype(np.float32), scene.depth_counts(subject, rng), 0.1, scene.DEPTH, scene.COLOR
    )

    apart = np.abs(lifted - truth)[17:, 2]
    assert np.median(apart) < 1
    # A median over 5x5 pixels rounds off the nose.
    assert apart.max() < 12
    np.testing.assert_allclose(scene.COLOR.project(lifted), pixels, atol=0.01)


def test_jaw_points_are_not_lifted_onto_the_wall():
    subject = scene.Scene()
    pixels = landmarks_on(subject)
    pixels[:17] += 0.06 * (pixels[:17] - pixels[17:].mean(axis=0))

    lifted = lift_landmarks(pixels, scene.depth_counts(subject), 0.1, scene.DEPTH, scene.COLOR)

    assert lifted[:, 2].max() < 720
    assert lifted[:, 2].min() > 560


def test_a_hole_in_the_depth_is_bridged_by_the_faces_surface():
    subject = scene.Scene()
    pixels = landmarks_on(subject)
    counts = scene.depth_counts(subject)
    whole = lift_landmarks(pixels, counts, 0.1, scene.DEPTH, scene.COLOR)
    x, y = np.rint(scene.DEPTH.project(whole)[20]).astype(int)
    counts[y - 8 : y + 9, x - 8 : x + 9] = 0

    holed = lift_landmarks(pixels, counts, 0.1, scene.DEPTH, scene.COLOR)

    assert np.isfinite(holed).all()
    assert np.abs(holed - whole).max() < 20


def test_without_depth_nothing_is_lifted():
    counts = np.zeros((480, 640), np.uint16)
    pixels = landmarks_on(scene.Scene())

    assert np.isnan(lift_landmarks(pixels, counts, 0.1, scene.DEPTH, scene.COLOR)).all()
    assert np.isnan(
        lift_landmarks(np.full((68, 2), np.nan), counts, 0.1, scene.DEPTH, scene.COLOR)
    ).all()


def test_crop_and_frame_lift_alike():
    subject = scene.Scene()
    pixels = landmarks_on(subject)
    matrix = scene.crop_of_head(subject)
    _, points, is_head = scene.crop_truth(subject, matrix)
    depth = np.where(is_head, np.rint(points[..., 2]), 0).astype(np.uint16)

    lifted = lift_from_crop(pixels, depth, scene.COLOR, matrix)

    whole = lift_landmarks(pixels, scene.depth_counts(subject), 0.1, scene.DEPTH, scene.COLOR)
    assert np.abs(apply_matrix(matrix, pixels)).max() < 224
    assert np.median(np.abs(lifted - whole)) < 1
