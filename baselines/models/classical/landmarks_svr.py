"""Landmarks and support vector regression: where the points of the face lie.

Nobody's paper in particular: geometric features are what AVEC's baselines and many others compare
with. Nothing was read about a particular form; all of it is ours.

From color, the 68 points of the shard, moved, turned and scaled so that the eyes' centres lie at
(-0.5, 0) and (0.5, 0); from depth and thermal, what was measured around each point (3x3 pixels of
the view). Beside each number stands how far it is from its median over the session, which takes off
what is a person's own; it sees the whole session, no label. All numbers of one kind are brought to
one scale together, so that a point that hardly moves stays quiet. A Gaussian kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal

import numpy as np

from baselines.data import View
from baselines.models.classical.regression import FrameRegressor, SvrOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from baselines.data import SessionView
    from mavfer.streams import StreamName

    Floats = NDArray[np.float64]

__all__ = ["LandmarksSvr", "LandmarksSvrOptions", "crop_points", "normal_shape"]

_POINTS: Final = 68
_ONE_EYE: Final = slice(36, 42)
_OTHER_EYE: Final = slice(42, 48)
_AROUND: Final = 1
"""Pixels of the view on each side of a point."""


@dataclass(frozen=True)
class LandmarksSvrOptions(SvrOptions):
    """What the points are compared with; all of it is ours."""

    kernel: Literal["linear", "rbf"] = "rbf"
    """Linear: squared epsilon-insensitive loss; rbf: Gaussian kernel, its width from the data."""
    beside_median: bool = True
    """Whether each number also stands as its distance from the session's median."""


class LandmarksSvr(FrameRegressor):
    """The shape of a face and what was measured at its points, and a regression."""

    Options: ClassVar = LandmarksSvrOptions
    default_config: ClassVar[str] = "landmarks_svr"

    def features(self, session: SessionView) -> Floats:
        """(T, F); NaN where there are no landmarks, or a stream cannot be used."""
        points = crop_points(session)
        parts = [
            normal_shape(points) if name == "color" else self._measured(session, name, points)
            for name in self.streams
        ]
        for part, name in zip(parts, self.streams, strict=True):
            part[~session.valid[name]] = np.nan
        features = np.concatenate(parts, axis=1)
        if not self.config.model.beside_median:
            return features
        return np.concatenate([features, features - _medians(features)], axis=1)

    def kinds(self, count: int) -> NDArray[np.int64]:
        """One kind a stream (F,), and one beside it for the distances from the median."""
        sizes = [2 * _POINTS if name == "color" else _POINTS for name in self.streams]
        sizes *= 2 if self.config.model.beside_median else 1
        kinds = np.repeat(np.arange(len(sizes)), sizes)
        return kinds[:count]

    def _measured(self, session: SessionView, stream: StreamName, points: Floats) -> Floats:
        """Means (T, 68) of a stream around each point, as the networks see it."""
        view = View.of(session.recording, self.config)
        scale = np.array([view.pixels / view.width, view.pixels / view.height])
        origin = np.array([view.left, view.top])
        places = np.round(np.nan_to_num((points + 0.5 - origin) * scale - 0.5)).astype(np.int64)
        x, y = np.moveaxis(places, -1, 0)  # (T, 68)
        pictures = session.frames[stream][:, 0]  # (T, S, S)
        frames = np.arange(len(pictures))[:, None]
        total = np.zeros(x.shape)
        steps = range(-_AROUND, _AROUND + 1)
        for down in steps:
            for across in steps:
                rows, columns = (np.clip(p, 0, view.pixels - 1) for p in (y + down, x + across))
                total += pictures[frames, rows, columns]
        total[np.isnan(points).any(-1)] = np.nan
        measured: Floats = total / len(steps) ** 2
        return measured


def crop_points(session: SessionView) -> Floats:
    """The landmarks (T, 68, 2) in pixels of the crop, NaN where there are none."""
    matrix = session.recording.crop_matrix  # (T, 2, 3)
    points = session.recording.landmarks.astype(np.float64)
    moved: Floats = points @ matrix[:, :, :2].swapaxes(1, 2) + matrix[:, None, :, 2]
    return moved


def normal_shape(points: Floats) -> Floats:
    """Points (T, 68, 2) as x and y (T, 136), the eyes at (-0.5, 0) and (0.5, 0)."""
    flat = points[..., 0] + 1j * points[..., 1]  # turning and scaling is a product there
    one, other = (flat[:, eye].mean(1, keepdims=True) for eye in (_ONE_EYE, _OTHER_EYE))
    between = np.where(np.abs(other - one) > 0, other - one, np.nan)
    with np.errstate(invalid="ignore"):  # where there are no landmarks
        shape = (flat - (one + other) / 2) / between  # (T, 68)
    return np.concatenate([shape.real, shape.imag], axis=1)


def _medians(features: Floats) -> Floats:
    """Median of each column (F,) where it is there; 0 where it never is."""
    medians = np.zeros(features.shape[1])
    is_there = np.isfinite(features).any(0)
    if is_there.any():
        medians[is_there] = np.nanmedian(features[:, is_there], axis=0)
    return medians
