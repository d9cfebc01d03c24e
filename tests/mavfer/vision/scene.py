"""An analytic scene: an ellipsoid head with a nose before a wall, seen by cameras that are known.

Every camera's picture is computed by intersecting its pixels' rays with the surfaces, with nothing
of the code under test but `CameraModel`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mavfer.vision.geometry import CameraModel, rotation_from_euler

WALL_MM = 1600.0
RADII = np.array([78.0, 110.0, 92.0])
NOSE_CENTRE = np.array([0.0, 12.0, -88.0])
NOSE_RADII = np.array([13.0, 24.0, 22.0])
BROW_CENTRE = np.array([-30.0, -38.0, -76.0])
BROW_RADII = np.array([24.0, 9.0, 14.0])


def rigid(shift=(0.0, 0.0, 0.0), yaw=0.0, pitch=0.0, roll=0.0):
    motion = np.eye(4)
    motion[:3, :3] = rotation_from_euler(yaw, pitch, roll)
    motion[:3, 3] = shift
    return motion


def camera(width, height, focal, distortion=(0, 0, 0, 0, 0), pose=None):
    matrix = np.array([[focal, 0, width / 2 - 3.2], [0, focal * 1.01, height / 2 + 2.1], [0, 0, 1]])
    return CameraModel(
        width, height, matrix, np.array(distortion, float), np.eye(4) if pose is None else pose
    )


COLOR = camera(640, 480, 620, (0.06, -0.12, 0.0007, -0.0005, 0.02))
DEPTH = camera(640, 480, 500, (0.02, -0.03, 0.0004, 0.0003, 0), rigid((-15, 1, -2), 0.01, -0.008))
THERMAL = camera(320, 256, 330, (-0.15, 0.05, 0.0005, 0.001, 0), rigid((70, -3, 4), -0.06, 0.01))


@dataclass
class Scene:
    """A head somewhere before the wall, and optionally a bar before the face."""

    head: np.ndarray = field(default_factory=lambda: rigid((5, -8, 700)))
    """(4, 4) head's own frame to the color camera's."""
    bar_mm: float | None = None
    """Distance of a vertical bar of 24 mm width before the face; None: no bar."""

    def hits(self, origin, directions):
        """Distance along each ray to the nearest surface, and True where that is the head."""
        along_wall = (WALL_MM - origin[2]) / directions[:, 2]
        own_from_color = np.linalg.inv(self.head)
        start = own_from_color[:3, :3] @ origin + own_from_color[:3, 3]
        turned = directions @ own_from_color[:3, :3].T
        along_head = np.minimum.reduce(
            [
                _along_ellipsoid(start, turned, np.zeros(3), RADII),
                _along_ellipsoid(start, turned, NOSE_CENTRE, NOSE_RADII),
                _along_ellipsoid(start, turned, BROW_CENTRE, BROW_RADII),
            ]
        )
        along = np.minimum(along_wall, along_head)
        if self.bar_mm is not None:
            along_bar = (self.bar_mm - origin[2]) / directions[:, 2]
            x = origin[0] + along_bar * directions[:, 0]
            along = np.where(np.abs(x + 20) < 12, np.minimum(along, along_bar), along)
        return along, along_head <= along

    def see(self, model):
        """What a camera sees: own depth (H, W) mm, color-frame points (H, W, 3), head (H, W)."""
        return self._see_rays(model, _all_rays(model), (model.height, model.width))

    def see_pixels(self, model, pixels, shape):
        """The same for chosen pixels (N, 2) of a camera."""
        return self._see_rays(model, model.rays(pixels), shape)

    def _see_rays(self, model, rays, shape):
        own = np.column_stack([rays, np.ones(len(rays))])
        color_from_camera = np.linalg.inv(model.camera_from_color)
        origin = color_from_camera[:3, 3]
        directions = own @ color_from_camera[:3, :3].T
        along, is_head = self.hits(origin, directions)
        points = origin + along[:, None] * directions
        return along.reshape(shape), points.reshape(*shape, 3), is_head.reshape(shape)


_RAYS = {}
"""Cameras by identity, each with the rays of all its pixels."""


def _all_rays(model):
    if id(model) not in _RAYS:
        y, x = np.mgrid[: model.height, : model.width]
        _RAYS[id(model)] = model, model.rays(np.stack([x.ravel(), y.ravel()], 1).astype(float))
    return _RAYS[id(model)][1]


def depth_counts(scene, rng=None, sigma_mm=1.5, holes=0.01, camera=DEPTH):
    """Counts of 0.1 mm of the depth camera, with noise growing as the square of the distance."""
    depth, _, _ = scene.see(camera)
    if rng is not None:
        depth = depth + rng.normal(size=depth.shape) * sigma_mm * (depth / 1000) ** 2
        depth = np.where(rng.random(depth.shape) < holes, 0, depth)
    return np.rint(depth * 10).astype(np.uint16)


def temperature(points, head):
    """Centikelvin of points in the color frame: waves painted on the head, a cool wall."""
    own_from_color = np.linalg.inv(head)
    own = points @ own_from_color[:3, :3].T + own_from_color[:3, 3]
    waves = 300 * np.sin(own[..., 0] / 9) + 300 * np.sin(own[..., 1] / 11)
    is_wall = points[..., 2] > WALL_MM - 1
    return np.where(is_wall, 29500, 30700 + waves)


def thermal_frame(scene, camera=THERMAL):
    """What the thermal camera delivers, centikelvin."""
    _, points, _ = scene.see(camera)
    return np.rint(temperature(points, scene.head)).astype(np.uint16)


def crop_of_head(scene, size=224, width_mm=230.0, camera=COLOR):
    """Matrix (2, 3) of a slightly turned crop of the color frame around the head."""
    centre = camera.project(scene.head[:3, 3][None])[0]
    scale = size / (width_mm * camera.matrix[0, 0] / scene.head[2, 3])
    linear = scale * rotation_from_euler(0, 0, 0.12)[:2, :2]
    return np.column_stack([linear, (size - 1) / 2 - linear @ centre])


def crop_truth(scene, matrix, size=224, camera=COLOR):
    """Truth for every crop pixel: depth, points in the color frame, head or not."""
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    y, x = np.mgrid[:size, :size]
    pixels = np.stack([x.ravel(), y.ravel(), np.ones(size * size)], 1) @ inverse[:2].T
    return scene.see_pixels(camera, pixels, (size, size))


def _along_ellipsoid(start, directions, centre, radii):
    """Distance along rays to an ellipsoid; infinite where they miss."""
    p, d = (start - centre) / radii, directions / radii
    a, b, c = (d * d).sum(1), d @ p, p @ p - 1
    inside = b * b - a * c
    along = (-b - np.sqrt(np.maximum(inside, 0))) / a
    return np.where((inside >= 0) & (along > 0), along, np.inf)
