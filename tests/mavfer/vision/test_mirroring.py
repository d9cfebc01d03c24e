"""Color that is a mirror image, told from depth by how the head turns."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the extra preprocess")

from mavfer.vision.geometry import CameraModel, rotation_from_euler
from mavfer.vision.mean_face import EYE_DISTANCE_MM, MEAN_FACE
from mavfer.vision.mirroring import OUTER_EYES, is_mirrored

WIDTH = 640
CAMERA = CameraModel(
    WIDTH, 480, np.array([[700.0, 0, 319.5], [0, 700, 239.5], [0, 0, 1]]), np.zeros(5), np.eye(4)
)
LEFT, RIGHT = OUTER_EYES


def mirror_order():
    """For each landmark the one that takes its place in a mirror image of the mean face."""
    mirrored = MEAN_FACE[:, :2] * (-1, 1)
    apart = np.hypot(*(MEAN_FACE[None, :, :2] - mirrored[:, None]).transpose(2, 0, 1))
    return apart.argmin(axis=0)


def take(spread_degrees, *, frames=40, noise_mm=2.0, seed=0):
    """Landmarks of a head that turns to and fro, and how much nearer its left eye is."""
    random = np.random.default_rng(seed)
    landmarks, nearer = [], []
    for yaw in random.normal(0, np.radians(spread_degrees), frames):
        head = MEAN_FACE * EYE_DISTANCE_MM @ rotation_from_euler(yaw, 0, 0).T + (10, 0, 600)
        landmarks.append(CAMERA.project(head) + random.normal(0, 0.3, (68, 2)))
        nearer.append(head[RIGHT, 2] - head[LEFT, 2] + random.normal(0, noise_mm))
    return np.array(landmarks), np.array(nearer)


def mirrored(landmarks):
    flipped = landmarks.copy()
    flipped[..., 0] = WIDTH - 1 - flipped[..., 0]
    return flipped[:, mirror_order()]


@pytest.mark.parametrize("seed", range(3))
def test_a_mirror_image_is_told_from_a_picture(seed):
    landmarks, nearer = take(6, seed=seed)

    assert is_mirrored(landmarks, nearer, CAMERA) is False
    assert is_mirrored(mirrored(landmarks), nearer, CAMERA) is True


def test_nothing_is_said_of_a_head_that_keeps_still():
    assert is_mirrored(*take(0.2), CAMERA) is None


def test_nothing_is_said_where_depth_does_not_follow():
    landmarks, nearer = take(6)

    assert is_mirrored(landmarks, np.zeros(len(nearer)), CAMERA) is None
    assert is_mirrored(landmarks, np.full(len(nearer), np.nan), CAMERA) is None
    assert is_mirrored(landmarks, np.random.default_rng(2).normal(0, 9, 40), CAMERA) is None


def test_a_few_frames_are_not_enough():
    landmarks, nearer = take(6, frames=19)

    assert is_mirrored(landmarks, nearer, CAMERA) is None
