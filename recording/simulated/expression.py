"""How arousal and valence move a face: six fields of displacement and their weights.

The fields and the formula are ours; they were tuned so that a small network can read both latents
from the pixels, arousal being the harder one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.interpolate import RBFInterpolator

from recording.simulated.head import MM_PER_PIXEL
from recording.simulated.photo import LANDMARKS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FIELDS", "displacement_fields", "expression_weights"]

FIELDS: Final = ("smile", "open", "brow", "furrow", "lid", "round")

# What a field moves at weight 1: landmarks -> (outwards, down, away from the viewer), the first two
# in pixels of the photograph, the third in millimetres. Outwards is away from the middle line.
_Move = tuple[float, float, float]
_Moves = dict[tuple[int, ...], _Move]

_SMILE: Final[_Moves] = {
    (48, 54, 60, 64): (2.6, -5.5, 2.0),
    (49, 53, 55, 59): (1.56, -3.3, 1.2),
    (50, 52, 56, 58): (0.65, -1.4, 0.5),
    (61, 63, 65, 67): (0.65, -1.4, 0.5),
}
_OPEN: Final[_Moves] = {
    (56, 57, 58, 65, 66, 67): (0.0, 9.5, 3.5),
    (55, 59): (0.0, 6.8, 3.0),
    (48, 54, 60, 64): (-0.6, 1.8, 1.0),
    (7, 8, 9): (0.0, 8.8, 5.0),
    (6, 10): (0.0, 7.6, 4.5),
    (5, 11): (0.0, 5.4, 3.5),
    (4, 12): (0.0, 3.2, 2.0),
    (3, 13): (0.0, 1.2, 1.0),
    (50, 51, 52, 61, 62, 63): (0.0, -1.3, 0.0),
    (49, 53): (0.0, -0.6, 0.0),
}
_BROW: Final[_Moves] = {
    (18, 19, 20, 21, 22, 23, 24, 25): (0.0, -4.6, 0.0),
    (17, 26): (0.0, -3.8, 0.0),
}
_FURROW: Final[_Moves] = {
    (21, 22): (-2.0, 2.6, -2.0),
    (20, 23): (-1.4, 1.4, -1.0),
    (19, 24): (-0.6, 0.3, 0.0),
    (17, 26): (0.0, -0.8, 0.0),
}
_ROUND: Final[_Moves] = {
    (48, 54, 60, 64): (-3.0, 0.0, -2.0),
    (49, 53, 55, 59): (-1.8, 0.0, -3.0),
    (50, 51, 52, 56, 57, 58, 61, 62, 63, 65, 66, 67): (-0.6, 0.0, -3.0),
}
_LIP_SIDES: Final = ((60, 61), (63, 64), (64, 65), (67, 60))
"""Between these landmarks the lips get a control point more, so that they close at the corners."""
_LIP_SIDE_MOVES: Final[dict[str, tuple[_Move, _Move]]] = {
    "smile": ((1.5, -3.2, 1.2), (1.5, -3.2, 1.2)),
    "open": ((0.0, -0.4, 0.0), (0.0, 6.2, 2.6)),
    "round": ((-1.8, 0.0, -2.8), (-1.8, 0.0, -2.8)),
}
_UPPER_LIDS: Final = {37: 41, 38: 40, 43: 47, 44: 46}
"""Landmark of an upper lid -> landmark below it on the lower lid."""
_UPPER_LID_SHARE: Final = 0.95
_LOWER_LID_SHARE: Final = 0.12

_CHEEKS: Final = np.array([(198.0, 124.0), (252.0, 126.0)])
_CHEEK_SMILE: Final = np.array([(0.0, -2.2, -3.5), (0.0, -2.2, -3.5)])
_STILL_EYES: Final = np.array([(190.0, 100.5), (204.0, 93.5), (247.0, 95.5), (260.0, 103.0)])
_FACE_CENTRE: Final = np.array([225.0, 128.0])
_RING_RADII: Final = (62.0, 76.0)
_WINDOW: Final = ((52.0, 62.0), (64.0, 78.0))
"""Half axes of the ellipses inside which fields count fully, and outside which not at all."""
_FIELD_SMOOTHING: Final = 0.5


def expression_weights(
    arousal: NDArray[np.float64], valence: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weights (T, 6) of the fields, in the order of `FIELDS`, relative to the photographed smile.

    Args:
        arousal: (T,), in [-1, 1] times the subject's expressiveness.
        valence: (T,), likewise.
    """
    return np.stack(
        [
            valence - 0.7,
            1.55 * np.clip((arousal + 0.75) / 1.75, 0, 1.2) ** 1.25 - 0.80,
            np.clip(0.2 + arousal, -0.7, 1.3),
            np.clip(0.1 - 0.8 * valence, -0.35, 0.95),
            np.clip(0.2 - 0.5 * arousal, -0.32, 0.68),
            np.clip(0.25 * arousal - 0.45 * valence, 0, 0.6),
        ],
        axis=1,
    )


def displacement_fields(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Millimetres (6, N, 3) by which each field moves the photo positions (N, 2) at weight 1."""
    flat = _interpolate(_splines(), positions) * _window(positions)[:, None]  # (N, 18)
    return np.ascontiguousarray(flat.reshape(-1, len(FIELDS), 3).transpose(1, 0, 2))


def _interpolate(spline: RBFInterpolator, positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """The spline's values (N, 18); it is only asked where the window is open."""
    values = np.zeros((len(positions), 3 * len(FIELDS)))
    inside = _window(positions) > 0
    values[inside] = spline(positions[inside])
    return values


@lru_cache(maxsize=1)
def _splines() -> RBFInterpolator:
    """All six fields as one thin-plate spline with 18 components."""
    angles = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    ring = _FACE_CENTRE + np.stack([np.cos(angles), np.sin(angles)], axis=1) * _RING_RADII
    lips = np.array([LANDMARKS[[one, other]].mean(axis=0) for one, other in _LIP_SIDES])
    places = np.concatenate([LANDMARKS, _CHEEKS, lips, _STILL_EYES, ring])
    moves = np.zeros((len(FIELDS), len(places), 3))  # (6, N, 3)
    for name, table in (("smile", _SMILE), ("open", _OPEN), ("brow", _BROW)):
        moves[FIELDS.index(name), :68] = _from_table(table)
    moves[FIELDS.index("smile"), 68:70] = _CHEEK_SMILE * (MM_PER_PIXEL, MM_PER_PIXEL, 1)
    moves[FIELDS.index("furrow"), :68] = _from_table(_FURROW)
    moves[FIELDS.index("round"), :68] = _from_table(_ROUND)
    moves[FIELDS.index("lid"), :68] = _lid_moves()
    for field, (upper, lower) in _LIP_SIDE_MOVES.items():
        moves[FIELDS.index(field), 70:74] = _lip_sides(upper, lower)
    values = moves.transpose(1, 0, 2).reshape(len(places), -1)  # (N, 18)
    return RBFInterpolator(places, values, smoothing=_FIELD_SMOOTHING)


def _from_table(table: _Moves) -> NDArray[np.float64]:
    """Millimetres (68, 3) of a table of moves."""
    moves = np.zeros((68, 3))
    for landmarks, (out, down, away) in table.items():
        for landmark in landmarks:
            side = np.sign(LANDMARKS[landmark, 0] - LANDMARKS[30, 0])
            moves[landmark] = side * out * MM_PER_PIXEL, down * MM_PER_PIXEL, away
    return moves


def _lip_sides(upper: _Move, lower: _Move) -> NDArray[np.float64]:
    """Millimetres (4, 3) of the points of `_LIP_SIDES`."""
    sides = np.array([-1.0, 1.0, 1.0, -1.0])  # right, left, left, right
    moves = np.array([upper, upper, lower, lower]) * (MM_PER_PIXEL, MM_PER_PIXEL, 1)
    moves[:, 0] *= sides
    return moves


def _lid_moves() -> NDArray[np.float64]:
    """Millimetres (68, 3) that close the eyes at weight 1."""
    moves = np.zeros((68, 3))
    for upper, lower in _UPPER_LIDS.items():
        height = (LANDMARKS[lower, 1] - LANDMARKS[upper, 1]) * MM_PER_PIXEL
        moves[upper, 1] = _UPPER_LID_SHARE * height
        moves[lower, 1] = -_LOWER_LID_SHARE * height
    return moves


def _window(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 on the face, 0 outside, smooth between (N,)."""
    inner, outer = (np.hypot(*((positions - _FACE_CENTRE) / axes).T) for axes in _WINDOW)
    share = np.clip((1 - outer) / np.maximum(inner - outer, 1e-9), 0, 1)
    return np.where(inner <= 1, 1.0, share * share * (3 - 2 * share))
