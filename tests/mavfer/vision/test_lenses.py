import sys
from pathlib import Path

import numpy as np

from mavfer.vision.lenses import lens_numbers, motion_between, pixel_rays, turned_rays

sys.path.insert(0, str(Path(__file__).parent))
import scene


def grid(camera, rows, columns):
    y, x = np.mgrid[: camera.height, : camera.width]
    pixels = np.stack([x, y], axis=2)[rows, columns]
    return pixels.reshape(-1, 2).astype(float), pixels.shape[:2]


def test_rays_are_those_of_the_camera_model():
    pixels, shape = grid(scene.THERMAL, slice(None), slice(None))

    rays = pixel_rays(scene.THERMAL)

    assert rays.shape == (*shape, 2)
    assert rays.dtype == np.float32
    np.testing.assert_allclose(rays.reshape(-1, 2), scene.THERMAL.rays(pixels), atol=1e-6)


def test_a_window_of_rays_is_that_part_of_all():
    window = (slice(30, 44), slice(100, 117))

    np.testing.assert_array_equal(pixel_rays(scene.DEPTH, *window), pixel_rays(scene.DEPTH)[window])


def test_depth_times_a_turned_ray_and_the_shift_is_the_point():
    window = (slice(200, 204), slice(300, 306))
    pixels, shape = grid(scene.DEPTH, *window)
    motion = motion_between(scene.DEPTH, scene.COLOR)

    turned = turned_rays(scene.DEPTH, scene.COLOR, *window)
    points = 700 * turned.reshape(3, -1).T + motion[:, 3]

    assert turned.shape == (3, *shape)
    np.testing.assert_allclose(scene.DEPTH.project(points), pixels, atol=1e-3)


def test_there_and_back_is_no_motion():
    there = motion_between(scene.COLOR, scene.THERMAL)
    back = np.vstack([motion_between(scene.THERMAL, scene.COLOR), [0, 0, 0, 1]])

    np.testing.assert_allclose(there @ back, np.eye(3, 4), atol=1e-9)


def test_a_lens_is_nine_numbers():
    camera = scene.COLOR

    assert lens_numbers(camera).tolist() == [
        *(camera.matrix[0, 0], camera.matrix[1, 1], camera.matrix[0, 2], camera.matrix[1, 2]),
        *camera.distortion,
    ]
