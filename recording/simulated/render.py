"""Noise-free images of a subject in the room, through any lens at any time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.errors import require
from recording.simulated.photo import prepare_portrait
from recording.simulated.scene import Room, see_room
from recording.simulated.temperature import build_temperature, inner_temperature

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    from mavfer.vision.geometry import CameraModel
    from recording.simulated.motion import Take
    from recording.simulated.subjects import Subject

__all__ = ["Renderer"]

_TOWARD_LIGHT: Final = (np.array([-0.35, -0.5, -0.8]) / 1.0062).astype(np.float32)
_AMBIENT: Final = 0.75
"""The portrait is shaded already; more directed light would shade it twice."""
_LIGHT_STRENGTH: Final = 1.06
_HELD_BACK_MM: Final = np.float32(10_000)
"""Added to the inner layer's depth, in the test of what is nearer only."""


class _Layer:
    """One surface of the person: its mesh, and where it is on the screen."""

    def __init__(
        self,
        points_mm: NDArray[np.float32],
        turn: NDArray[np.float32],
        triangles: NDArray[np.int32],
        texels: NDArray[np.float32],
        texture: NDArray[np.uint8],
    ) -> None:
        self.points_mm, self.turn = points_mm, turn
        self.triangles, self.texels, self.texture = triangles, texels, texture
        self.posed = np.empty_like(points_mm)
        """(V, 3) in the color camera's frame."""
        self.screen = np.empty_like(points_mm)
        """(V, 3) pixel x, pixel y, depth for the test of what is nearer."""


class Renderer:
    """Draws one subject's take for one camera; not to be shared between threads.

    The layer behind lips and lids is drawn first and held to be far away, so that the surface
    always covers it and it never pokes through.
    """

    def __init__(self, subject: Subject, take: Take, camera: CameraModel) -> None:
        self.camera = camera
        self.room: Room = see_room(camera)
        self._subject = subject
        self._take = take
        self._kernels = _load_kernels()
        head = subject.head
        self._skin = build_temperature(head, prepare_portrait(), subject.traits.skin_celsius)
        self._inner_celsius = inner_temperature(head)
        self._outer = _Layer(
            subject.points_mm, head.turn, head.triangles, head.texels, subject.texture
        )
        behind = subject.points_mm[head.inner]
        behind[:, 2] += head.inner_behind_mm
        self._inner = _Layer(
            behind, head.turn[head.inner], head.inner_triangles, head.texels[head.inner],
            subject.inner_texture,
        )  # fmt: skip
        self._light = np.empty(len(subject.points_mm), np.float32)
        self._nearest = np.empty((camera.height, camera.width), np.float32)

    def color(self, seconds: float) -> NDArray[np.uint8]:
        """RGB (H, W, 3) in full light."""
        self._place(seconds)
        head = self._subject.head
        self._kernels.shade(
            self._outer.posed, head.rows, head.columns, _TOWARD_LIGHT, _AMBIENT, _LIGHT_STRENGTH,
            self._light,
        )  # fmt: skip
        image = self.room.color.copy()
        for layer, light in ((self._inner, self._light[head.inner]), (self._outer, self._light)):
            self._kernels.draw_color(
                image, self._nearest, layer.triangles, layer.screen, layer.texels, light,
                layer.texture,
            )  # fmt: skip
        return image

    def depth(self, seconds: float) -> NDArray[np.float32]:
        """Millimetres (H, W) along the camera's axis."""
        self._place(seconds)
        image = self.room.depth_mm.copy()
        inner, outer = self._inner.screen[:, 2] - _HELD_BACK_MM, self._outer.screen[:, 2].copy()
        return self._draw(image, inner, outer)

    def celsius(self, seconds: float) -> NDArray[np.float32]:
        """Degrees Celsius (H, W)."""
        self._place(seconds)
        time = np.array([seconds])
        arousal, valence = self._take.skin_response(time)[0]
        outer = self._skin.at(arousal, valence, float(self._take.breath(time)[0]))
        return self._draw(self.room.celsius.copy(), self._inner_celsius, outer)

    def motion_pixels(self, start_seconds: float, end_seconds: float) -> float:
        """How far the tip of the nose moves on the sensor between two times."""
        poses = self._take.head_pose(np.array([start_seconds, end_seconds]))
        ends = self.camera.project(poses[:, :3, 3])
        return float(np.hypot(*(ends[1] - ends[0])))

    def _draw(
        self,
        image: NDArray[np.float32],
        inner: NDArray[np.float32],
        outer: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """`image` (H, W) with one value a vertex of each layer drawn over it."""
        for layer, values in ((self._inner, inner), (self._outer, outer)):
            self._kernels.draw_scalar(
                image, self._nearest, layer.triangles, layer.screen, layer.texels, values,
                layer.texture,
            )  # fmt: skip
        return image

    def _place(self, seconds: float) -> None:
        """Puts both layers on the screen; the inner one keeps its expression."""
        subject, time = self._subject, np.array([seconds])
        weights = self._take.weights(time)[0].astype(np.float32)
        rotations, shifts = self._take.turn_and_shift(time)
        motion = (
            rotations[0].astype(np.float32), subject.pivot_mm.astype(np.float32),
            shifts[0].astype(np.float32),
        )  # fmt: skip
        for layer, shares in ((self._inner, weights[:0]), (self._outer, weights)):
            self._kernels.pose(
                layer.points_mm, subject.fields_mm, shares, layer.turn, *motion, layer.posed
            )
            self._kernels.project(
                layer.posed, self.camera.camera_from_color, self.camera.matrix,
                self.camera.distortion, layer.screen,
            )  # fmt: skip
        self._inner.screen[:, 2] += _HELD_BACK_MM
        self._nearest.fill(np.inf)


def _load_kernels() -> ModuleType:
    """The compiled inner loops, or how to install what they need."""
    require("numba", "preprocess")
    from recording.simulated import kernels

    return kernels
