import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mavfer.vision.geometry import CameraModel, apply_matrix, euler_from_rotation
from mavfer.vision.landmarks import FIVE_POINTS, known_points
from mavfer.vision.mean_face import EYE_DISTANCE_MM, INNER_POINTS, MEAN_FACE
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


def lens(rng):
    """A color camera with a skewed sensor and a lens of its own."""
    matrix = scene.COLOR.matrix.copy()
    matrix[0, 1] = rng.normal(0, 5)
    return CameraModel(640, 480, matrix, rng.normal(0, [0.1, 0.1, 1e-3, 1e-3, 0.05]), np.eye(4))


def patchy_depth(rng):
    """A crop of a face before a wall, with holes and nearer things."""
    y, x = np.mgrid[:224, :224] - 112
    depth = 650 + 0.003 * (x * x + y * y) + rng.normal(0, 2, x.shape)
    depth[np.hypot(x, y) > rng.uniform(60, 120)] = 1500
    for _ in range(rng.integers(0, 6)):
        left, top, side = rng.integers(0, 224, 3)
        depth[top : top + side, left : left + side] = rng.choice([0, 0, 500])
    depth[rng.random(depth.shape) < rng.choice([0, 0.7])] = 0
    return depth.astype(np.uint16)


def face_of(rng, camera):
    """Landmarks of a head somewhere: all, or no more than a few besides the five."""
    points = place_face(*rng.normal(0, 20, 3), shift=rng.normal([0, 0, 650], 50))
    pixels = camera.project(points + rng.normal(0, rng.choice([0, 3]), points.shape))
    is_known = rng.random(68) < rng.choice([0, 0.3, 1])
    is_known[list(FIVE_POINTS)] = True
    return np.where(is_known[:, None], pixels, np.nan)


def plain_depth(depth_crop, points):
    """The median of what is measured in 5x5 pixels around each point, one by one."""
    padded = np.pad(depth_crop.astype(float), 400)
    padded[padded == 0] = np.nan
    x, y = (np.clip(np.rint(points), -390, 224 + 390) + 400).astype(int).T
    patches = (padded[b - 2 : b + 3, a - 2 : a + 3] for a, b in zip(x, y, strict=True))
    return np.array([np.nanmedian(p) if np.isfinite(p).sum() > 5 else np.nan for p in patches])


def plain_surface(depth, points):
    """Depth with its gaps filled by `numpy.linalg.lstsq`."""
    is_deep = np.isfinite(depth)
    x, y = ((points - points.mean(axis=0)) / points.std(axis=0)).T
    terms = np.stack([x**0, x, y, x * x, x * y, y * y], axis=1)
    terms = terms if is_deep.sum() > 12 else terms[:, :3]
    surface = terms @ np.linalg.lstsq(terms[is_deep], depth[is_deep])[0]
    return np.where(is_deep, depth, surface.clip(np.nanmin(depth), np.nanmax(depth)))


def plain_lift(landmarks, depth_crop, camera, matrix):
    """`lift_from_crop` in plain numpy."""
    lifted = np.full((68, 3), np.nan)
    known = np.flatnonzero(known_points(landmarks))
    points = apply_matrix(matrix, landmarks[known])
    nose, is_jaw = points[(known >= 27) & (known < 36)].mean(axis=0), (known < 17)[:, None]
    depth = plain_depth(depth_crop, np.where(is_jaw, points + 0.1 * (nose - points), points))
    inner = depth[known >= 17]
    if np.isnan(inner).all():
        return lifted
    apart = depth - np.nanmedian(inner)
    depth[(apart > 110) | (apart < -60)] = np.nan
    if np.isfinite(depth).sum() >= max(3, 0.3 * len(known)):
        depth = plain_surface(depth, points)[:, None]
        lifted[known] = np.hstack([camera.rays(landmarks[known]) * depth, depth])
    return lifted


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_landmarks_are_lifted_as_plain_numpy_lifts_them(seed):
    rng = np.random.default_rng(seed)
    camera, depth = lens(rng), patchy_depth(rng)
    landmarks = face_of(rng, camera)
    low, high = np.nanmin(landmarks, axis=0), np.nanmax(landmarks, axis=0)
    scale = rng.uniform(0.5, 1.2) * 200 / (high - low).max()
    matrix = np.column_stack([scale * np.eye(2), 112 - scale * (low + high) / 2])

    lifted = lift_from_crop(landmarks, depth, camera, matrix)

    expected = plain_lift(landmarks, depth, camera, matrix)
    np.testing.assert_allclose(lifted, expected, rtol=0, atol=1e-6)


def plain_fit(source, target):
    """Umeyama's rotation, scale and shift by `numpy.linalg.svd`."""
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    u, strengths, v = np.linalg.svd(b.T @ a)
    signs = np.array([1, 1, np.linalg.det(u @ v)])
    rotation = (u * signs) @ v
    scale = (strengths * signs).sum() / (a * a).sum()
    return rotation, scale, target.mean(axis=0) - scale * rotation @ source.mean(axis=0)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 6, 200]))
def test_a_pose_is_that_of_plain_numpy(seed, noise_mm):
    rng = np.random.default_rng(seed)
    points = place_face(*rng.normal(0, 40, 3)) + rng.normal(0, noise_mm, (68, 3))
    points = only_five(points) if seed % 2 else points
    used = np.intersect1d(np.flatnonzero(known_points(points)), INNER_POINTS)
    source, target = MEAN_FACE[used] * EYE_DISTANCE_MM, points[used]

    pose = head_pose(points)

    rotation, scale, shift = plain_fit(source, target)
    apart = np.linalg.norm(scale * source @ rotation.T + shift - target, axis=1)
    is_close = apart < max(8, 2 * np.median(apart))
    if is_close.sum() >= 4:
        rotation, _, shift = plain_fit(source[is_close], target[is_close])
    expected = np.degrees(euler_from_rotation(rotation))
    np.testing.assert_allclose((pose.yaw, pose.pitch, pose.roll), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(pose.position_mm, shift, rtol=0, atol=1e-6)


def test_a_crop_that_shows_none_of_the_face_lifts_nothing():
    pixels = landmarks_on(scene.Scene())
    depth = np.full((224, 224), 700, np.uint16)

    for shift in (1e3, -1e3, 1e300, np.nan):
        matrix = np.array([[1, 0, shift], [0, 1, 0]])
        assert np.isnan(lift_from_crop(pixels, depth, scene.COLOR, matrix)).all()


def test_landmarks_on_one_line_are_lifted():
    pixels = landmarks_on(scene.Scene())
    pixels[:, 1] = 240
    depth = np.full((480, 640), 700, np.uint16)
    depth[:, 300:310] = 0

    lifted = lift_from_crop(pixels, depth, scene.COLOR, np.eye(2, 3))

    np.testing.assert_allclose(lifted[:, 2], 700)
