import sys
from pathlib import Path

import numpy as np
import pytest

from mavfer.errors import NotAligned
from mavfer.vision.carrying import HeadCarrier, HeadModel, carry_landmarks, head_region

sys.path.insert(0, str(Path(__file__).parent))
import scene

EYE_DISTANCE_MM = 63.0
RATE_HZ = 15


def head_at(seconds):
    """Natural motion: turning by 9, nodding by 5, tilting by 3.5 degrees, swaying by 20 mm."""
    shift = (20 * np.sin(0.8 * seconds), 7 * np.sin(1.1 * seconds), 700 + 25 * np.sin(seconds))
    yaw, pitch, roll = np.radians([9, 5, 3.5]) * np.sin(np.array([0.9, 0.7, 0.5]) * seconds)
    return scene.rigid(shift, yaw, pitch, roll)


def depth_mm(head, rng):
    return (scene.depth_counts(scene.Scene(head), rng) * 0.1).astype(np.float32)


def make_model(head, rng):
    _, _, is_head = scene.Scene(head).see(scene.DEPTH)
    return HeadModel.from_depth(depth_mm(head, rng), scene.DEPTH, is_head)


def test_a_moving_head_is_carried_within_a_few_percent_of_the_eye_distance():
    rng = np.random.default_rng(0)
    carrier = HeadCarrier(make_model(head_at(0), rng), scene.DEPTH)
    start = np.linalg.inv(head_at(0))
    centre = np.array([0, 0, -60, 1.0])
    errors, turns = [], []

    for frame in range(1, 13):
        head = head_at(frame / RATE_HZ)
        pose = carrier.update(depth_mm(head, rng))
        assert pose.ok
        errors.append(np.linalg.norm((pose.motion @ head_at(0) @ centre - head @ centre)[:3]))
        turn = pose.motion[:3, :3].T @ (head @ start)[:3, :3]
        turns.append(np.degrees(np.arccos(min(1.0, (np.trace(turn) - 1) / 2))))

    assert np.median(errors) < 0.01 * EYE_DISTANCE_MM
    assert max(errors) < 0.03 * EYE_DISTANCE_MM
    assert np.median(turns) < 0.5


def test_carried_landmarks_land_where_the_head_is():
    rng = np.random.default_rng(1)
    before, after = head_at(0), head_at(0.2)
    carrier = HeadCarrier(make_model(before, rng), scene.DEPTH)
    on_head = np.random.default_rng(2).normal(size=(68, 3))
    on_head = scene.RADII * on_head / np.linalg.norm(on_head, axis=1, keepdims=True)
    points = on_head @ before[:3, :3].T + before[:3, 3]

    pose = carrier.update(depth_mm(after, rng))
    found = carry_landmarks(points, pose.motion, scene.COLOR)

    truth = scene.COLOR.project(on_head @ after[:3, :3].T + after[:3, 3])
    nothing = scene.COLOR.project(points)
    assert np.abs(found - truth).max() < 1
    assert np.abs(nothing - truth).max() > 5


def test_an_empty_frame_loses_the_head_and_the_next_finds_it_again():
    rng = np.random.default_rng(3)
    carrier = HeadCarrier(make_model(head_at(0), rng), scene.DEPTH)
    good = carrier.update(depth_mm(head_at(0.1), rng))

    lost = carrier.update(np.zeros((480, 640), np.float32))
    again = carrier.update(depth_mm(head_at(0.15), rng))

    assert not lost.ok
    assert np.isnan(lost.residual_mm)
    np.testing.assert_array_equal(lost.motion, good.motion)
    assert again.ok


def test_a_wall_without_a_head_is_not_taken_for_one():
    rng = np.random.default_rng(4)
    carrier = HeadCarrier(make_model(head_at(0), rng), scene.DEPTH)

    assert not carrier.update(np.full((480, 640), 1600, np.float32)).ok


@pytest.mark.parametrize(
    ("radii", "distance_mm"), [((90, 130, 70), 690), ((150, 180, 60), 690), ((300, 300, 60), 660)]
)
def test_a_headrest_where_the_head_was_is_told_as_lost(monkeypatch, radii, distance_mm):
    rng = np.random.default_rng(6)
    carrier = HeadCarrier(make_model(head_at(0), rng), scene.DEPTH)
    good = carrier.update(depth_mm(head_at(0.05), rng))
    monkeypatch.setattr(scene, "RADII", np.array(radii, float))
    monkeypatch.setattr(scene, "NOSE_RADII", np.full(3, 1e-3))
    monkeypatch.setattr(scene, "BROW_RADII", np.full(3, 1e-3))
    chair = depth_mm(scene.rigid((0, 20, distance_mm)), rng)

    lost = [carrier.update(chair) for _ in range(3)]

    assert good.ok
    assert not any(pose.ok for pose in lost)
    assert all(np.isnan(pose.uncertainty_mm) for pose in lost)
    assert max(pose.close_share for pose in lost) < 0.55
    assert good.close_share > 0.9


def test_a_head_that_leaves_and_comes_back_is_lost_and_found():
    rng = np.random.default_rng(7)
    carrier = HeadCarrier(make_model(head_at(0), rng), scene.DEPTH)
    wall = np.full((480, 640), 1600, np.float32)

    seen = [carrier.update(depth_mm(head_at(time), rng)).ok for time in (0.05, 0.1)]
    gone = [carrier.update(wall).ok for _ in range(4)]
    back = [carrier.update(depth_mm(head_at(0.15), rng)).ok for _ in range(2)]

    assert seen == [True, True]
    assert gone == [False] * 4
    assert back == [True, True]


def test_the_uncertainty_covers_the_error_and_grows_where_depth_is_worse():
    rng = np.random.default_rng(8)
    carrier = HeadCarrier(make_model(head_at(0), rng), scene.DEPTH)
    noisy = HeadCarrier(make_model(head_at(0), rng), scene.DEPTH)
    centre = np.array([0, 0, -60, 1.0])
    calm, wild = [], []

    for frame in range(1, 8):
        head = head_at(frame / RATE_HZ)
        pose = carrier.update(depth_mm(head, rng))
        error = np.linalg.norm((pose.motion @ head_at(0) @ centre - head @ centre)[:3])
        calm.append((error, pose.uncertainty_mm))
        counts = scene.depth_counts(scene.Scene(head), rng, sigma_mm=4.0)
        wild.append(noisy.update(counts, mm_per_count=0.1).uncertainty_mm)

    errors, uncertainties = np.array(calm).T
    assert (errors <= 2 * uncertainties).all()
    assert np.median(wild) > 1.2 * np.median(uncertainties)


def test_a_restored_carrier_goes_on_bit_for_bit():
    rng = np.random.default_rng(9)
    frames = [depth_mm(head_at(frame / RATE_HZ), rng) for frame in range(5)]
    carrier = HeadCarrier(make_model(head_at(0), rng), scene.DEPTH)
    for frame in frames[:2]:
        carrier.update(frame)

    again = HeadCarrier.restore(carrier.state(), scene.DEPTH)

    for frame in frames[2:]:
        expected, found = carrier.update(frame), again.update(frame)
        np.testing.assert_array_equal(found.motion, expected.motion)
        assert found.residual_mm == expected.residual_mm
        assert found.uncertainty_mm == expected.uncertainty_mm


def test_counts_and_millimetres_carry_alike():
    rng = np.random.default_rng(10)
    model, head = make_model(head_at(0), rng), head_at(0.1)
    counts = scene.depth_counts(scene.Scene(head), rng)

    by_counts = HeadCarrier(model, scene.DEPTH).update(counts, mm_per_count=0.1)
    by_mm = HeadCarrier(model, scene.DEPTH).update((counts * 0.1).astype(np.float32))

    np.testing.assert_allclose(by_counts.motion, by_mm.motion, atol=1e-3)


def test_a_hand_before_part_of_the_face_is_borne():
    rng = np.random.default_rng(5)
    carrier = HeadCarrier(make_model(head_at(0), rng), scene.DEPTH)
    head = head_at(0.1)
    depth = depth_mm(head, rng)
    depth[270:330, 290:330] = 520

    pose = carrier.update(depth)

    centre = np.array([0, 0, -60, 1.0])
    assert pose.ok
    assert pose.inlier_share < 0.98
    assert np.linalg.norm((pose.motion @ head_at(0) @ centre - head @ centre)[:3]) < 1.5


def test_model_points_lie_on_the_head_with_normals_towards_the_camera():
    model = make_model(head_at(0), None)
    own = np.linalg.inv(scene.DEPTH.camera_from_color @ head_at(0))
    on_head = model.points @ own[:3, :3].T + own[:3, 3]
    is_smooth = np.linalg.norm((on_head - scene.NOSE_CENTRE)[:, :2], axis=1) > 50
    is_smooth &= np.linalg.norm((on_head - scene.BROW_CENTRE)[:, :2], axis=1) > 50
    gradient = on_head / scene.RADII**2
    gradient /= np.linalg.norm(gradient, axis=1, keepdims=True)
    angle = (model.normals @ own[:3, :3].T * gradient).sum(axis=1)

    np.testing.assert_allclose(np.linalg.norm(model.normals, axis=1), 1)
    assert ((model.normals * model.points).sum(axis=1) < 0).all()
    assert is_smooth.sum() > 100
    assert angle[is_smooth].min() > 0.98


def test_too_little_depth_makes_no_model():
    region = np.zeros((480, 640), bool)
    region[100:110, 100:110] = True

    with pytest.raises(NotAligned, match="depth points on the face"):
        HeadModel.from_depth(np.full((480, 640), 700, np.float32), scene.DEPTH, region)


def test_head_region_reaches_from_hair_to_chin_and_turns_with_the_head():
    from mavfer.vision.mean_face import MEAN_FACE

    upright = MEAN_FACE[:, :2] * 60 + [320, 220]
    region = head_region(upright, (480, 640))
    y, x = np.nonzero(region)
    brows, chin = upright[17:27, 1].mean(), upright[8, 1]
    lying = (upright - [320, 220]) @ np.array([[0.0, 1], [-1, 0]]) + [320, 220]

    assert y.max() == pytest.approx(chin, abs=2)
    assert y.min() == pytest.approx(brows - 0.75 * (chin - brows), abs=2)
    assert x.max() - x.min() == pytest.approx(upright[16, 0] - upright[0, 0], abs=3)
    assert head_region(lying, (480, 640)).sum() == pytest.approx(region.sum(), rel=0.01)
