"""The head as a surface over the photograph: relief, mesh, and what belongs to the neck.

The head's frame has its origin at the tip of the nose, x to the image's right, y down and z away
from the viewer, in millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.interpolate import RBFInterpolator

from recording.simulated.photo import (
    INNER_LIPS,
    LANDMARKS,
    LEFT_EYE,
    PHOTO_HEIGHT,
    PHOTO_WIDTH,
    RIGHT_EYE,
    TEXTURE_SCALE,
    prepare_portrait,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MM_PER_PIXEL", "PIVOT_MM", "Head", "build_head", "head_positions", "turn_weight"]

MM_PER_PIXEL: Final = 1.464
"""Makes the photograph's 43 pixels between the eye centres the usual 63 mm."""
PIVOT_MM: Final = np.array([0.0, 85.0, 95.0])
"""About where a head turns: below and behind the tip of the nose."""
_NOSE_TIP: Final = LANDMARKS[30]
_RELIEF_SMOOTHING: Final = 3.0
_EYEBALL_BEHIND_MM: Final = 3.0
_TEETH_BEHIND_MM: Final = 9.0

# Grid lines: where a stretch begins and how far apart its lines are, in pixels of the photograph.
_COLUMNS: Final = ((0.0, 6.0), (168.0, 2.0), (190.0, 1.5), (262.0, 2.0), (284.0, 6.0))
_ROWS: Final = (
    (0.0, 6.0), (74.0, 2.0), (93.0, 1.4), (110.0, 2.0), (134.0, 1.5), (166.0, 2.0), (190.0, 6.0),
)  # fmt: skip

_JAW_MM: Final = [98, 96, 92, 86, 74, 58, 42, 29, 24, 29, 42, 58, 74, 86, 92, 96, 98]
_BROW_MM: Final = [52, 38, 30, 26, 24, 24, 26, 30, 38, 52]
_NOSE_MM: Final = [26, 17, 8, 0, 17, 12, 10, 12, 17]
_EYES_MM: Final = [48, 38, 36, 38, 38, 40, 38, 36, 38, 48, 40, 38]
_LIPS_MM: Final = [32, 26, 20, 16, 20, 26, 32, 24, 19, 18, 19, 24, 31, 20, 17, 20, 31, 21, 19, 21]
_LANDMARK_MM: Final = np.array(_JAW_MM + _BROW_MM + _NOSE_MM + _EYES_MM + _LIPS_MM, np.float64)

# x, y in the photograph, millimetres behind the tip of the nose.
_ANCHORS: Final = np.array(
    [
        # cheeks and forehead
        (201, 122, 27), (249, 124, 27), (192, 128, 44), (258, 130, 44),
        (205, 78, 27), (225, 78, 24), (245, 79, 27), (190, 80, 40), (262, 84, 44),
        # hair: front, middle, top, sides, in front of the ears, behind the outline
        (225, 62, 34), (203, 62, 38), (247, 62, 40), (183, 66, 56), (270, 70, 58),
        (225, 42, 45), (195, 44, 56), (255, 44, 58), (170, 62, 80), (286, 68, 84),
        (225, 20, 85), (203, 22, 88), (247, 24, 88), (225, 8, 104),
        (155, 82, 102), (160, 60, 100), (165, 106, 104), (174, 38, 98), (188, 24, 96),
        (300, 86, 102), (297, 66, 100), (291, 108, 104), (286, 46, 98), (266, 26, 96),
        (172, 94, 92), (281, 98, 94), (177, 128, 102), (277, 124, 102),
        # neck
        (222, 187, 66), (200, 187, 78), (246, 186, 78), (184, 174, 95), (261, 170, 95),
        # collar, ring, shoulders, chest
        (222, 215, 70), (190, 215, 78), (258, 212, 78), (225, 250, 62),
        (225, 290, 26), (262, 284, 28), (180, 275, 42), (302, 240, 62), (140, 215, 74),
        (120, 190, 90), (150, 158, 112), (288, 195, 96),
        (225, 330, 30), (120, 300, 46), (60, 300, 76), (30, 340, 96), (330, 300, 62),
        (360, 340, 84), (120, 250, 64), (70, 250, 84), (300, 330, 42), (225, 400, 40),
        (0, 0, 112), (420, 0, 112), (0, 200, 112), (420, 200, 112), (0, 400, 112), (420, 400, 106),
    ],
    np.float64,
)  # fmt: skip


@dataclass(frozen=True)
class Head:
    """The mesh that all subjects share; vertices lie on a grid of `rows` x `columns` lines."""

    rows: int
    columns: int
    positions: NDArray[np.float64]
    """(V, 2) of each vertex in the photograph."""
    points_mm: NDArray[np.float64]
    """(V, 3) of each vertex in the head's frame."""
    texels: NDArray[np.float32]
    """(V, 2) of each vertex in the texture."""
    turn: NDArray[np.float32]
    """(V,) how far a vertex follows the head's turning: 1 head, 0 shoulders."""
    triangles: NDArray[np.int32]
    """(T, 3) of the person's surface."""
    inner: NDArray[np.int64]
    """(U,) vertices whose copies make up the layer behind lips and lids."""
    inner_triangles: NDArray[np.int32]
    """(I, 3) of that layer, as places in `inner`."""
    inner_behind_mm: NDArray[np.float32]
    """(U,) how far behind the undeformed surface that layer lies."""
    is_mouth: NDArray[np.bool_]
    """(U,) what belongs to the mouth; the others are eyeballs."""
    landmarks_mm: NDArray[np.float64]
    """(68, 3) dlib's landmarks in the head's frame."""


def head_positions(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (N, 3) of the head's surface at photo positions (N, 2)."""
    flat = (positions - _NOSE_TIP) * MM_PER_PIXEL
    return np.concatenate([flat, _relief()(positions)[:, None]], axis=1)


@lru_cache(maxsize=1)
def build_head() -> Head:
    """The mesh over the portrait; computed once a process."""
    columns, rows = _lines(_COLUMNS, PHOTO_WIDTH - 1), _lines(_ROWS, PHOTO_HEIGHT - 1)
    positions = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)  # (V, 2)
    texels = positions * TEXTURE_SCALE + (TEXTURE_SCALE - 1) / 2
    quads = _quads(len(rows), len(columns))
    mouth = _near(positions, LANDMARKS[INNER_LIPS], reach=(5, 18))
    eyes = _near(positions, LANDMARKS[RIGHT_EYE], reach=(4, 4))
    eyes |= _near(positions, LANDMARKS[LEFT_EYE], reach=(4, 4))
    inner, corners = np.unique(quads[(mouth | eyes)[quads].all(axis=1)], return_inverse=True)
    return Head(
        rows=len(rows),
        columns=len(columns),
        positions=positions,
        points_mm=head_positions(positions),
        texels=texels.astype(np.float32),
        turn=turn_weight(positions).astype(np.float32),
        triangles=_triangles(quads[_is_seen(quads, texels)]),
        inner=inner.astype(np.int64),
        inner_triangles=_triangles(corners.reshape(-1, 4).astype(np.int32)),
        inner_behind_mm=np.where(mouth[inner], _TEETH_BEHIND_MM, _EYEBALL_BEHIND_MM).astype(
            np.float32
        ),
        is_mouth=mouth[inner],
        landmarks_mm=head_positions(LANDMARKS),
    )


def turn_weight(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far photo positions (N, 2) follow the head's turning: 1 above the chin, 0 on the suit."""
    share = np.clip((positions[:, 1] - 172) / 28, 0, 1)
    return 1 - share * share * (3 - 2 * share)


@lru_cache(maxsize=1)
def _relief() -> RBFInterpolator:
    """Millimetres behind the tip of the nose, as a thin-plate spline over the photograph."""
    places = np.concatenate([LANDMARKS, _ANCHORS[:, :2]])
    heights = np.concatenate([_LANDMARK_MM, _ANCHORS[:, 2]])
    return RBFInterpolator(places, heights, smoothing=_RELIEF_SMOOTHING)


def _lines(stretches: tuple[tuple[float, float], ...], end: float) -> NDArray[np.float64]:
    """Grid lines up to `end`; a stretch has its beginning and about the distance of its lines."""
    starts = [start for start, _ in stretches]
    parts = [
        np.linspace(start, stop, round((stop - start) / step), endpoint=False)
        for (start, step), stop in zip(stretches, [*starts[1:], end], strict=True)
    ]
    return np.concatenate([*parts, [end]])


def _quads(rows: int, columns: int) -> NDArray[np.int32]:
    """Corner indices (Q, 4) of the grid's cells, around each cell."""
    index = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    corners = [index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]]
    return np.stack([corner.ravel() for corner in corners], axis=1)


def _triangles(quads: NDArray[np.int32]) -> NDArray[np.int32]:
    """Two triangles (2Q, 3) for each cell (Q, 4)."""
    return np.ascontiguousarray(quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3))


def _is_seen(quads: NDArray[np.int32], texels: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Cells (Q,) that hold any part of the person."""
    opacity = prepare_portrait().opacity > 0
    counts = np.pad(opacity.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    x0, y0 = np.floor(texels[quads[:, 0]]).astype(int).T
    x1, y1 = (np.ceil(texels[quads[:, 2]]).astype(int) + 1).T
    x1, y1 = np.minimum(x1, opacity.shape[1]), np.minimum(y1, opacity.shape[0])
    total = counts[y1, x1] - counts[y0, x1] - counts[y1, x0] + counts[y0, x0]
    return np.asarray(total > 0)


def _near(
    positions: NDArray[np.float64], contour: NDArray[np.float64], reach: tuple[float, float]
) -> NDArray[np.bool_]:
    """Which positions (N, 2) lie in the box around a contour, widened at the sides and below."""
    sides, below = reach
    low = contour.min(axis=0) - sides
    high = contour.max(axis=0) + np.array([sides, below])
    return np.asarray(((positions >= low) & (positions <= high)).all(axis=1))
