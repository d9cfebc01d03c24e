"""The mean face: where 68 landmarks lie on a neutral frontal face.

Ours: across and down it is the mean of tracked real faces (a few dozen neutral frames of a man and
a woman), made symmetric; its relief is typed from common head proportions. Lengths are in
distances of the eye centres, of which one is about 63 mm. The origin is midway between the eyes, x
grows to the image's right, y down, z away from the camera.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["EYE_DISTANCE_MM", "INNER_POINTS", "JAW_POINTS", "MEAN_FACE", "STABLE_POINTS"]

EYE_DISTANCE_MM: Final = 63.0
STABLE_POINTS: Final = (36, 39, 42, 45, 27, 28, 29, 30, 33)
"""Eye corners, bridge, tip and base of the nose: what a smile or an open mouth hardly moves."""
JAW_POINTS: Final = tuple(range(17))
"""The contour of the face: it slides over the skin when the head turns."""
INNER_POINTS: Final = tuple(range(17, 68))

_POINTS: Final = (
    # jaw, from the image's left ear over the chin
    (-1.099, 0.036, 1.10),
    (-1.086, 0.331, 1.05),
    (-1.056, 0.623, 0.98),
    (-1.008, 0.913, 0.85),
    (-0.904, 1.186, 0.62),
    (-0.733, 1.421, 0.38),
    (-0.509, 1.620, 0.17),
    (-0.266, 1.783, 0.03),
    (0.000, 1.826, -0.02),
    (0.266, 1.783, 0.03),
    (0.509, 1.620, 0.17),
    (0.733, 1.421, 0.38),
    (0.904, 1.186, 0.62),
    (1.008, 0.913, 0.85),
    (1.056, 0.623, 0.98),
    (1.086, 0.331, 1.05),
    (1.099, 0.036, 1.10),
    # brows
    (-0.912, -0.194, 0.12),
    (-0.786, -0.344, -0.05),
    (-0.592, -0.400, -0.15),
    (-0.398, -0.377, -0.20),
    (-0.210, -0.293, -0.22),
    (0.210, -0.293, -0.22),
    (0.398, -0.377, -0.20),
    (0.592, -0.400, -0.15),
    (0.786, -0.344, -0.05),
    (0.912, -0.194, 0.12),
    # bridge and tip of the nose
    (0.000, -0.022, -0.22),
    (0.000, 0.181, -0.32),
    (0.000, 0.386, -0.42),
    (0.000, 0.590, -0.52),
    # nostrils
    (-0.227, 0.709, -0.18),
    (-0.117, 0.740, -0.28),
    (0.000, 0.778, -0.35),
    (0.117, 0.740, -0.28),
    (0.227, 0.709, -0.18),
    # eyes, the image's left first
    (-0.692, 0.000, 0.12),
    (-0.570, -0.080, -0.02),
    (-0.423, -0.074, -0.05),
    (-0.299, 0.038, -0.06),
    (-0.435, 0.060, -0.04),
    (-0.582, 0.056, 0.00),
    (0.299, 0.038, -0.06),
    (0.423, -0.074, -0.05),
    (0.570, -0.080, -0.02),
    (0.692, 0.000, 0.12),
    (0.582, 0.056, 0.00),
    (0.435, 0.060, -0.04),
    # outer lips
    (-0.445, 1.005, -0.14),
    (-0.275, 0.968, -0.26),
    (-0.115, 0.944, -0.34),
    (0.000, 0.971, -0.35),
    (0.115, 0.944, -0.34),
    (0.275, 0.968, -0.26),
    (0.445, 1.005, -0.14),
    (0.285, 1.179, -0.24),
    (0.124, 1.260, -0.30),
    (0.000, 1.272, -0.32),
    (-0.124, 1.260, -0.30),
    (-0.285, 1.179, -0.24),
    # inner lips
    (-0.383, 1.022, -0.15),
    (-0.116, 1.041, -0.30),
    (0.000, 1.056, -0.31),
    (0.116, 1.041, -0.30),
    (0.383, 1.022, -0.15),
    (0.119, 1.127, -0.28),
    (0.000, 1.147, -0.29),
    (-0.119, 1.127, -0.28),
)

MEAN_FACE: Final[NDArray[np.float64]] = np.array(_POINTS)
"""(68, 3), in eye distances."""
MEAN_FACE.setflags(write=False)
