"""What of a face can be seen moving: its shape, from the landmarks of the shard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.study.shards import Shard
from mavfer.vision.validity import Valid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mavfer.study.study import Study

    Floats = NDArray[np.float64]

__all__ = ["face_features", "features_at"]

_EYES: Final = (36, 45)
"""Outer corners; their distance is the unit."""

_DISTANCES: Final = (
    ((48, 54),),  # width of the mouth
    ((51, 57),),  # height of the mouth
    ((62, 66),),  # opening of the lips
    ((37, 41), (38, 40), (43, 47), (44, 46)),  # opening of the eyes
    ((19, 37), (24, 44)),  # brows above the eyes
    ((21, 22),),  # brows from each other
    ((31, 35),),  # width of the nose
)
"""Pairs of the 68 landmarks, from 0; the distances of a line are added."""

_CHIN, _NOSE, _LIP, _CORNERS = 8, 27, 62, (48, 54)


def face_features(landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shape of the face (8, T) from landmarks (T, 68, 2), in distances of the outer eye corners.

    Width and height of the mouth, opening of lips and eyes, height and distance of the brows,
    width of the nose, and how far the corners of the mouth are above the lips. NaN where there are
    no landmarks.
    """

    def apart(pair: tuple[int, int]) -> Floats:
        distance: Floats = np.linalg.norm(landmarks[:, pair[0]] - landmarks[:, pair[1]], axis=1)
        return distance

    down = landmarks[:, _CHIN] - landmarks[:, _NOSE]
    down = down / np.linalg.norm(down, axis=1, keepdims=True)
    corners = landmarks[:, _CORNERS].mean(axis=1) - landmarks[:, _LIP]
    rows = [sum(apart(pair) for pair in pairs) for pairs in _DISTANCES]
    rows.append(-np.sum(corners * down, axis=1))
    features: Floats = np.stack(rows) / apart(_EYES)
    return features


def features_at(study: Study, session: str, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Features (8, N) at times (N,) of the media, about the session's own mean.

    NaN where no face was seen in color.
    """
    shard = Shard(study.shard_path(session))
    landmarks = np.asarray(shard.column("landmarks"), np.float64)
    landmarks[(shard.valid & Valid.CARRIED) > 0] = np.nan
    features = face_features(landmarks)
    known = np.asarray(shard.time_seconds, np.float64)
    is_there = np.isfinite(features).all(axis=0)
    if not is_there.any():
        return np.full((len(features), len(seconds)), np.nan)
    own = features - features[:, is_there].mean(axis=1, keepdims=True)
    return np.stack([np.interp(seconds, known, row, left=np.nan, right=np.nan) for row in own])
