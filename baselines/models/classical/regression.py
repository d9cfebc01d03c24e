"""What classical models share: features of frames, support vector regression, a file of arrays.

What was fitted is kept as arrays and predicted by numpy: the file runs no code when it is read, and
predicting needs no scikit-learn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

import numpy as np
from safetensors.numpy import load_file, save_file

from baselines.data import clip_stride
from baselines.options import Options
from mavfer.errors import CommandError, NotFound
from mavfer.files import replacing
from mavfer.streams import STREAM_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from baselines.config import Config
    from baselines.data import SessionView
    from mavfer.streams import StreamName

    Floats = NDArray[np.float64]

__all__ = ["FrameRegressor", "SvrOptions", "bridged", "refuse_classes"]

_WEIGHTS: Final = "weights.safetensors"
_ROWS_AT_ONCE: Final = 512
_LEAST_DEVIATION: Final = 1e-9


@dataclass(frozen=True)
class SvrOptions(Options):
    """How the regression is fitted; all of it is ours."""

    kernel: Literal["linear", "rbf"] = "linear"
    """Linear: squared epsilon-insensitive loss; rbf: Gaussian kernel, its width from the data."""
    penalty: float = 1.0
    """C of the support vector regression."""
    epsilon: float = 0.05
    """Differences that cost nothing, in units of the label."""
    most_frames: int = 4000
    """Rated frames that are fitted at most, drawn by the seed."""


@dataclass(frozen=True)
class _Fitted:
    """The regression of one dimension, on standardised features."""

    weights: Floats
    """(F,) of a linear one, (S,) of the support vectors of another."""
    intercept: Floats
    """(1,)."""
    support: Floats
    """(S, F); (0, F) of a linear one."""
    gamma: Floats
    """(1,), of the Gaussian kernel."""

    def __call__(self, features: Floats) -> Floats:
        """Values (N,) of features (N, F)."""
        if not len(self.support):
            linear: Floats = features @ self.weights + self.intercept
            return linear
        parts = [self._of_rows(features[n : n + _ROWS_AT_ONCE]) for n in self._starts(features)]
        return np.concatenate([*parts, np.empty(0)])

    def _starts(self, features: Floats) -> range:
        return range(0, len(features), _ROWS_AT_ONCE)

    def _of_rows(self, rows: Floats) -> Floats:
        lengths = (rows**2).sum(1)[:, None] + (self.support**2).sum(1)
        distances = np.maximum(lengths - 2 * rows @ self.support.T, 0)  # (N, S)
        values: Floats = np.exp(-self.gamma * distances) @ self.weights + self.intercept
        return values


class FrameRegressor:
    """Support vector regression of every dimension on features of single frames.

    Subclasses give `Options`, `default_config` and `features`.
    """

    Options: ClassVar = SvrOptions
    default_streams: ClassVar[tuple[StreamName, ...]] = ("color",)
    default_config: ClassVar[str]

    def __init__(
        self,
        config: Config,
        streams: Sequence[StreamName],
        dimensions: Sequence[str],
        classes: Sequence[str] = (),
    ) -> None:
        refuse_classes(type(self).default_config, classes)
        self.config = config
        self.streams = tuple(name for name in STREAM_NAMES if name in streams)
        self.dimensions = tuple(dimensions)
        self.arrays: dict[str, NDArray[Any]] = {}
        """What was fitted; empty before `fit` or `load`."""

    def features(self, session: SessionView) -> Floats:
        """Features (T, F) of every frame; NaN where what they tell of is missing."""
        raise NotImplementedError

    def kinds(self, count: int) -> NDArray[np.int64]:
        """The kind of each of `count` features (F,); those of one kind share one deviation."""
        return np.arange(count)

    def fit(self, sessions: Sequence[SessionView], seed: int = 0) -> None:
        """Fits every dimension on the rated frames of sessions, at the rate of the clips.

        Raises:
            NotFound: No rated frame has features.
        """
        stride = clip_stride([session.recording for session in sessions], self.config)
        features = np.concatenate([self.features(s)[::stride] for s in sessions])
        labels = np.concatenate([s.labels[::stride] for s in sessions]).astype(np.float64)
        is_usable = np.isfinite(features).any(1) & np.isfinite(labels).any(1)
        rows = _drawn(np.flatnonzero(is_usable), self.config.model.most_frames, seed)
        if not len(rows):
            message = (
                f"{type(self).default_config}: no rated frame has features. "
                f"Choose other modalities, or another model"
            )
            raise NotFound(message)
        self.arrays = _scale_of(features[rows], self.kinds(features.shape[1]))
        standardised = self._standardised(features[rows])
        for column, name in enumerate(self.dimensions):
            is_rated = np.isfinite(labels[rows, column])
            fitted = _fit(
                standardised[is_rated], labels[rows, column][is_rated], self.config.model, seed
            )
            self.arrays |= {f"{name}.{key}": array for key, array in vars(fitted).items()}

    def predict(self, session: SessionView) -> Floats:
        """Values (T, D); straight lines where features are missing, NaN where all are."""
        features = self.features(session)
        is_known = np.asarray(np.isfinite(features).any(1))
        values = np.zeros((len(features), len(self.dimensions)))
        for column, name in enumerate(self.dimensions):
            fitted = _Fitted(**{k: self.arrays[f"{name}.{k}"] for k in _Fitted.__annotations__})
            values[is_known, column] = fitted(self._standardised(features[is_known]))
        return bridged(values, is_known)

    def save(self, folder: Path) -> None:
        """Writes weights.safetensors."""
        with replacing(folder / _WEIGHTS) as part:
            save_file({k: np.ascontiguousarray(v) for k, v in self.arrays.items()}, part)

    def load(self, folder: Path) -> None:
        """Reads weights.safetensors, so that this model predicts as the saved one did."""
        self.arrays = load_file(folder / _WEIGHTS)

    @property
    def parameters(self) -> int:
        """Numbers that were fitted."""
        return sum(array.size for array in self.arrays.values())

    def _standardised(self, features: Floats) -> Floats:
        """Features with mean 0 over the training frames, and each kind with deviation 1.

        What is missing is 0.
        """
        scaled = (features - self.arrays["mean"]) / self.arrays["deviation"]
        filled: Floats = np.nan_to_num(scaled, nan=0.0)
        return filled


def refuse_classes(model: str, classes: Sequence[str]) -> None:
    """Raises CommandError where expression classes are asked for, which no classical model tells.

    Args:
        model: Its name.
        classes: Those asked for.
    """
    if classes:
        message = f"{model} tells no classes. Use --set task=dimensions"
        raise CommandError(message)


def bridged(values: NDArray[np.float64], is_known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Values (T, D) with straight lines where nothing is known (T,); NaN where nothing ever is."""
    if not is_known.any():
        return np.full_like(values, np.nan)
    frames = np.arange(len(values))
    filled = values.copy()
    for column in range(values.shape[1]):
        filled[:, column] = np.interp(frames, frames[is_known], values[is_known, column])
    return filled


def _drawn(rows: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    """At most so many rows, by chance, in order."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def _scale_of(features: Floats, kinds: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Mean (F,) of features (N, F) where they are there, and the deviation (F,) of their kinds."""
    is_there = np.isfinite(features)
    counts = np.maximum(is_there.sum(0), 1)
    mean = np.where(is_there, features, 0).sum(0) / counts
    squares = np.where(is_there, (features - mean) ** 2, 0).sum(0) / counts
    deviation = np.sqrt(np.bincount(kinds, squares) / np.maximum(np.bincount(kinds), 1))[kinds]
    return {"mean": mean, "deviation": np.where(deviation > _LEAST_DEVIATION, deviation, 1.0)}


def _fit(features: Floats, labels: Floats, options: SvrOptions, seed: int) -> _Fitted:
    """The regression of labels (N,) on features (N, F)."""
    from sklearn.svm import SVR, LinearSVR

    if options.kernel == "linear":
        # The squared loss is solved in its primal form, which always ends and needs no chance.
        linear = LinearSVR(
            C=options.penalty,
            epsilon=options.epsilon,
            loss="squared_epsilon_insensitive",
            dual=False,
            random_state=seed,
        ).fit(features, labels)
        nothing = np.empty((0, features.shape[1]))
        return _Fitted(linear.coef_.copy(), np.ravel(linear.intercept_), nothing, np.zeros(1))
    gaussian = SVR(C=options.penalty, epsilon=options.epsilon).fit(features, labels)
    gamma = 1 / (features.shape[1] * features.var()) if features.var() else 1.0
    return _Fitted(
        gaussian.dual_coef_[0].copy(),
        gaussian.intercept_.copy(),
        gaussian.support_vectors_.copy(),
        np.array([gamma]),
    )
