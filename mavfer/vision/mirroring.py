"""Whether the color camera shows a mirror image, as webcams like to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.vision.pose import picture_pose

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mavfer.vision.geometry import CameraModel

__all__ = ["OUTER_EYES", "is_mirrored"]

OUTER_EYES: Final = (36, 45)
"""The outer corners of the eyes, the picture's left one first."""

_MIN_FRAMES: Final = 20
_MIN_SPREAD_DEGREES: Final = 2.0
_MIN_CORRELATION: Final = 0.5
"""Of natural motion it is above 0.9 in size (simulated subjects); below this nothing is said."""


def is_mirrored(
    landmarks: NDArray[Any], nearer_mm: NDArray[np.floating[Any]], color_camera: CameraModel
) -> bool | None:
    """Whether color is mirrored against depth; None where the head did not turn enough to tell.

    A head that turns to the picture's right brings the picture's left eye nearer to the camera. In
    a mirror image it is the other way round (ours).

    Args:
        landmarks: (n, 68, 2) pixels of the color frame, from all over a session.
        nearer_mm: (n,) by how much depth says that the picture's left outer eye corner is nearer
            to the camera than the right one; NaN where unknown.
        color_camera: The color camera.
    """
    poses = [picture_pose(points, color_camera) for points in landmarks]
    yaw = np.array([np.nan if pose is None else pose.yaw for pose in poses])
    known = np.isfinite(yaw) & np.isfinite(nearer_mm)
    if known.sum() < _MIN_FRAMES or np.std(yaw[known]) < _MIN_SPREAD_DEGREES:
        return None
    if np.std(nearer_mm[known]) == 0:
        return None
    correlation = float(np.corrcoef(yaw[known], nearer_mm[known])[0, 1])
    return None if abs(correlation) < _MIN_CORRELATION else correlation < 0
