"""Points that move along with the picture, from one square around a face to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import require

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["follow_points"]

_WINDOW: Final = (17, 17)
_LEVELS: Final = 2
_BAND_ROWS: Final = 29
"""A tenth of the square: narrower than a lamp's bands, wider than a mouth."""
_STEADY_LIGHT: Final = 0.015
"""In steady light rows change less than this."""
_BAND_SHARE: Final = 0.7
"""Bands of light are at least the rest of what has changed."""


def follow_points(
    before: NDArray[np.uint8],
    now: NDArray[np.uint8],
    points: NDArray[np.float64],
    expected: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Where points (N, 2) of one picture are in the next one.

    Args:
        before: uint8 (S, S).
        now: uint8 (S, S), cut and resampled alike.
        points: (N, 2) in `before`.
        expected: (N, 2) in `now`, where they are if nothing has moved since.

    Points that are lost keep company with the median motion of the others.

    Source: Lucas and Kanade 1981, IJCAI, on three pyramid levels (Bouguet 2001, Intel report).
    """
    cv2: Any = require("cv2", "preprocess")
    start = points.astype(np.float32)
    guess = expected.astype(np.float32)
    enough = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 10, 0.03)
    end, status, _ = cv2.calcOpticalFlowPyrLK(
        before, _relit(before, now), start[:, None], guess[:, None].copy(),
        winSize=_WINDOW, maxLevel=_LEVELS, criteria=enough, flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )  # fmt: skip
    motion = end[:, 0].astype(np.float64) - guess
    is_followed = status[:, 0] == 1
    if not is_followed.any():
        return expected.copy()
    motion[~is_followed] = np.median(motion[is_followed], axis=0)
    moved: NDArray[np.float64] = expected + motion
    return moved


def _relit(before: NDArray[np.uint8], now: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture of now with the rows as bright as before, where that is what has changed.

    Flow takes all change for motion. Lamps that flicker light a rolling shutter in bands of rows,
    which would drag the landmarks along. Rows also change by motion, but then bringing their light
    back leaves most of the difference.
    """
    cv2: Any = require("cv2", "preprocess")
    rows = [cv2.reduce(image, 1, cv2.REDUCE_AVG, dtype=cv2.CV_32F) for image in (before, now)]
    smooth = [cv2.blur(row, (1, _BAND_ROWS)) + 1 for row in rows]
    gain = smooth[0] / smooth[1]
    if float(np.abs(gain - 1).mean()) < _STEADY_LIGHT:
        return now
    relit: NDArray[np.uint8] = np.clip(now * gain, 0, 255).astype(np.uint8)
    left, there = (float(cv2.norm(before, image, cv2.NORM_L1)) for image in (relit, now))
    return relit if left < _BAND_SHARE * there else now
