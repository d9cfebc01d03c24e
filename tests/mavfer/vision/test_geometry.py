import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mavfer.errors import InvalidArray
from mavfer.vision.geometry import (
    Calibration,
    CameraModel,
    apply_matrix,
    estimate_similarity,
    euler_from_rotation,
    invert_matrix,
    rotation_from_euler,
    rotation_from_vector,
)

angles = st.floats(-1.4, 1.4)
shifts = st.floats(-500, 500)


def make_camera(distortion=(0.08, -0.12, 0.0008, -0.0006, 0.03), pose=None):
    matrix = np.array([[600.0, 0, 322], [0, 605, 236], [0, 0, 1]])
    return CameraModel(640, 480, matrix, np.array(distortion), np.eye(4) if pose is None else pose)


def make_motion(yaw, pitch, roll, shift):
    motion = np.eye(4)
    motion[:3, :3] = rotation_from_euler(yaw, pitch, roll)
    motion[:3, 3] = shift
    return motion


@given(st.floats(0, 639), st.floats(0, 479), st.floats(200, 3000))
def test_rays_undo_projection(x, y, depth):
    camera = make_camera()
    ray = camera.rays(np.array([[x, y]]))[0]

    seen = camera.project_own(np.array([[ray[0] * depth, ray[1] * depth, depth]]))

    np.testing.assert_allclose(seen, [[x, y]], atol=1e-6)


@given(angles, angles, angles, shifts, shifts)
def test_a_camera_sees_what_its_pose_says(yaw, pitch, roll, x, y):
    camera = make_camera(pose=make_motion(yaw, pitch, roll, (x, y, 30)))
    in_color = np.array([[10.0, -20, 800], [50, 60, 900]])

    own = in_color @ camera.camera_from_color[:3, :3].T + camera.camera_from_color[:3, 3]

    np.testing.assert_allclose(camera.project(in_color), camera.project_own(own))


def test_points_behind_the_camera_are_nowhere():
    assert np.isnan(make_camera().project(np.array([[0.0, 0, -100]]))).all()


def test_undistorted_pixels_lie_on_a_pinhole():
    camera, pinhole = make_camera(), make_camera(distortion=np.zeros(5))
    points = np.array([[120.0, -90, 700], [-150, 100, 600]])

    np.testing.assert_allclose(
        camera.undistort(camera.project(points)), pinhole.project(points), atol=1e-6
    )


def test_a_lens_without_distortion_leaves_rays_alone():
    rays = np.array([[0.1, -0.3], [0.0, 0.5]])

    np.testing.assert_array_equal(make_camera(distortion=np.zeros(5)).distort(rays), rays)


@given(st.floats(-3, 3), st.floats(0.1, 10), shifts, shifts, st.integers(2, 30))
def test_similarity_is_found_again(angle, scale, x, y, count):
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.column_stack([linear, [x, y]])
    source = np.random.default_rng(count).normal(size=(count, 2)) * 50

    found = estimate_similarity(source, apply_matrix(matrix, source))

    np.testing.assert_allclose(found, matrix, atol=1e-7 * max(1, scale))


def test_similarity_minimises_the_squared_distance():
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(12, 2)), rng.normal(size=(12, 2))
    best = estimate_similarity(source, target)
    cost = np.sum((apply_matrix(best, source) - target) ** 2)

    for _ in range(50):
        a, b, x, y = rng.normal(size=4) * 1e-3
        other = best + np.array([[a, -b, x], [b, a, y]])
        assert np.sum((apply_matrix(other, source) - target) ** 2) >= cost


def test_weightless_points_do_not_count():
    source = np.array([[0.0, 0], [10, 0], [0, 10], [5, 5]])
    target = source.copy()
    target[3] += 100

    found = estimate_similarity(source, target, np.array([1.0, 1, 1, 0]))

    np.testing.assert_allclose(found, np.eye(2, 3), atol=1e-12)


def test_similarity_needs_two_different_points():
    with pytest.raises(InvalidArray, match="all source points are the same"):
        estimate_similarity(np.ones((3, 2)), np.zeros((3, 2)))


def test_similarity_needs_equal_shapes():
    with pytest.raises(InvalidArray, match="needs two arrays"):
        estimate_similarity(np.ones((3, 2)), np.zeros((4, 2)))


@given(angles, st.floats(0.2, 5), shifts, shifts)
def test_inverse_matrix_brings_points_back(angle, scale, x, y):
    matrix = scale * rotation_from_euler(0, 0, angle)[:2]
    matrix[:, 2] = x, y
    points = np.array([[0.0, 0], [100, 20], [-7, 300]])

    back = apply_matrix(invert_matrix(matrix), apply_matrix(matrix, points))

    np.testing.assert_allclose(back, points, atol=1e-6)


@given(angles, angles, angles)
def test_euler_angles_are_found_again(yaw, pitch, roll):
    found = euler_from_rotation(rotation_from_euler(yaw, pitch, roll))

    np.testing.assert_allclose(found, (yaw, pitch, roll), atol=1e-9)


@pytest.mark.parametrize(
    ("angles", "point", "axis", "sign"),
    [
        ((0.2, 0, 0), (0.0, 0, -1), 0, 1),  # positive yaw: the nose goes to the image's right
        ((0, 0.2, 0), (0.0, 1, 0), 2, 1),  # positive pitch: the chin goes back ...
        ((0, 0.2, 0), (0.0, 0, -1), 1, 1),  # ... and the nose down
        ((0, 0, 0.2), (1.0, 0, 0), 1, 1),  # positive roll: clockwise in the image
    ],
)
def test_angles_turn_the_head_as_documented(angles, point, axis, sign):
    moved = rotation_from_euler(*angles) @ np.array(point)

    assert np.sign(moved[axis]) == sign


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"matrix": np.zeros((3, 3))}, "focal lengths"),
        ({"distortion": np.zeros(4)}, r"distortion: needs finite numbers of shape \(5,\)"),
        ({"camera_from_color": 2 * np.eye(4)}, "not a rigid motion"),
        ({"camera_from_color": np.full((4, 4), np.nan)}, "camera_from_color: needs finite"),
        ({"camera_from_color": np.diag([1.0, 1, -1, 1])}, "not a rigid motion"),
        ({"camera_from_color": np.diag([1.0, 1, 1, 2])}, "not a rigid motion"),
        ({"matrix": np.full((3, 3), np.nan)}, "matrix: needs finite"),
        ({"matrix": np.diag([600.0, -600, 1])}, "focal lengths"),
        ({"matrix": np.diag([600.0, 600, 2])}, "1 as its last number"),
    ],
)
def test_what_cannot_be_a_camera_is_refused(change, message):
    camera = make_camera()
    parts = {
        "matrix": camera.matrix,
        "distortion": camera.distortion,
        "camera_from_color": camera.camera_from_color,
    }

    with pytest.raises(InvalidArray, match=message):
        CameraModel(640, 480, **(parts | change))


def test_a_camera_without_pixels_is_refused():
    camera = make_camera()

    with pytest.raises(InvalidArray, match="camera of 0x480 pixels"):
        CameraModel(0, 480, camera.matrix, camera.distortion, camera.camera_from_color)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("matrix", [[float("nan")] * 3] * 3, "calibration of the thermal camera: matrix"),
        ("matrix", np.zeros((3, 3)).tolist(), "calibration of the thermal camera: camera matrix"),
        ("matrix", [[1.0, 2], [3]], "calibration of the thermal camera"),
        ("camera_from_color", np.zeros((4, 4)).tolist(), "thermal camera: .* not a rigid motion"),
    ],
)
def test_a_calibration_says_which_camera_is_broken(key, value, message):
    camera = make_camera()
    document = Calibration(camera, camera, camera).to_cameras()
    document["thermal"] = document["thermal"] | {key: value}

    with pytest.raises(InvalidArray, match=message):
        Calibration.from_document({"cameras": document})


def test_what_flattens_the_plane_cannot_be_undone():
    with pytest.raises(InvalidArray, match="cannot be undone"):
        invert_matrix(np.array([[1.0, 2, 5], [2, 4, 0]]))


def test_calibration_survives_its_document():
    color, depth = make_camera(), make_camera(pose=make_motion(0.01, 0.02, 0, (15, 0, 1)))
    calibration = Calibration(color, depth, None)

    again = Calibration.from_document({"cameras": calibration.to_cameras()})

    assert again.thermal is None
    np.testing.assert_array_equal(again.depth.camera_from_color, depth.camera_from_color)
    np.testing.assert_array_equal(again.color.matrix, color.matrix)


@given(st.lists(st.floats(-4, 4), min_size=3, max_size=3))
@example([0.0, 0.0, 0.0])
@example([1e-9, 0.0, -1e-9])
def test_a_rotation_by_a_vector_is_that_of_scipy(vector):
    rotation = rotation_from_vector(np.array(vector))

    np.testing.assert_allclose(rotation, Rotation.from_rotvec(vector).as_matrix(), atol=1e-12)


def test_the_lens_bends_rays_as_opencv_does():
    camera = make_camera()
    points = np.random.default_rng(0).uniform([-300, -200, 600], [300, 200, 900], (50, 3))

    theirs, _ = cv2.projectPoints(
        points, np.zeros(3), np.zeros(3), camera.matrix, camera.distortion
    )
    np.testing.assert_allclose(camera.project_own(points), theirs[:, 0], atol=1e-8)
