"""How far away faces are, for the choice of the subject and to tell mirror images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.vision.mirroring import OUTER_EYES, is_mirrored

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mavfer.preprocess.head_path import DepthSource

__all__ = ["depth_of_faces", "looks_mirrored"]

_SAMPLES: Final = 15
"""Sightings of each track that are looked up; people do not move to and fro that much."""
_POSES: Final = 60
"""Frames that are looked at for mirror images."""
_FIRST_GUESS_MM: Final = 800.0
_ROUNDS: Final = 3
"""The depth camera stands beside the color camera, so where it sees a face depends on how far away
the face is; that settles at once."""
_REACH: Final = 4


def depth_of_faces(sightings: NDArray[Any], depth: DepthSource) -> NDArray[np.float32]:
    """Distance of each sighting's face in mm (N,), NaN where it was not looked up or not seen.

    Args:
        sightings: (N,) of the type `watching.SIGHTING`.
        depth: The session's depth frames.
    """
    found = np.full(len(sightings), np.nan, np.float32)
    for track in np.unique(sightings["track"]):
        rows = np.flatnonzero(sightings["track"] == track)
        chosen = np.unique(np.linspace(0, len(rows) - 1, _SAMPLES).astype(int))
        for row in rows[chosen]:
            counts = depth.frame(int(sightings[row]["frame"]))
            if counts is not None:
                found[row] = _depth_at(counts, sightings[row]["box"][:2], depth)
    return found


def looks_mirrored(
    landmarks: NDArray[np.float32], rows: NDArray[np.int64], depth: DepthSource
) -> bool | None:
    """Whether color is mirrored against depth; None where the head did not turn enough to tell.

    Args:
        landmarks: (T, 68, 2) of the subject in each color frame.
        rows: Frames in which color shows the face.
        depth: The session's depth frames.
    """
    chosen = (
        rows[np.unique(np.linspace(0, len(rows) - 1, _POSES).astype(int))] if len(rows) else rows
    )
    nearer = [_nearer_mm(landmarks[row], int(row), depth) for row in chosen]
    return is_mirrored(landmarks[chosen], np.array(nearer), depth.calibration.color)


def _nearer_mm(landmarks: NDArray[np.float32], frame: int, depth: DepthSource) -> float:
    """How much nearer the picture's left outer eye corner is than the right one."""
    counts = depth.frame(frame)
    if counts is None:
        return np.nan
    left, right = (_depth_at(counts, landmarks[point], depth) for point in OUTER_EYES)
    return right - left


def _depth_at(counts: NDArray[np.uint16], point: NDArray[Any], depth: DepthSource) -> float:
    """Depth in mm at a pixel of the color frame; NaN where none is known."""
    cameras = depth.calibration
    x, y = cameras.color.rays(point[None].astype(np.float64))[0]
    z = _FIRST_GUESS_MM
    for _ in range(_ROUNDS):
        column, row = cameras.depth.project(np.array([[x * z, y * z, z]]))[0]
        z = _median_around(counts, column, row) * depth.mm_per_count
        if not np.isfinite(z):
            break
    return z


def _median_around(counts: NDArray[np.uint16], column: float, row: float) -> float:
    """Median of the counts around a pixel that are not 0; NaN without any."""
    if not (np.isfinite(column) and np.isfinite(row)):
        return np.nan
    top, left = max(round(row) - _REACH, 0), max(round(column) - _REACH, 0)
    around = counts[
        top : max(round(row) + _REACH + 1, 0), left : max(round(column) + _REACH + 1, 0)
    ]
    there = around[around > 0]
    return float(np.median(there)) if there.size else np.nan
