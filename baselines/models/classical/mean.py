"""The mean: every frame of every session is what the training sessions were on average.

Nobody's paper: what any model must beat. Its CCC and its Pearson correlation are 0 by definition;
its RMSE is the spread of the labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from safetensors.numpy import load_file, save_file

from baselines.models.classical.regression import bridged, refuse_classes
from baselines.options import Options
from mavfer.errors import NotFound
from mavfer.files import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from baselines.config import Config
    from baselines.data import SessionView
    from mavfer.streams import StreamName

__all__ = ["Mean", "MeanOptions"]

_WEIGHTS: Final = "weights.safetensors"


@dataclass(frozen=True)
class MeanOptions(Options):
    """There is nothing to choose."""


class Mean:
    """One number a dimension."""

    Options: ClassVar = MeanOptions
    default_streams: ClassVar[tuple[StreamName, ...]] = ("color",)
    default_config: ClassVar[str] = "mean"

    def __init__(
        self,
        config: Config,
        streams: Sequence[StreamName],
        dimensions: Sequence[str],
        classes: Sequence[str] = (),
    ) -> None:
        refuse_classes(self.default_config, classes)
        self.config, self.streams, self.dimensions = config, tuple(streams), tuple(dimensions)
        self.arrays: dict[str, NDArray[Any]] = {}

    def fit(self, sessions: Sequence[SessionView], seed: int = 0) -> None:
        """Takes the mean label of all rated frames; `seed` changes nothing.

        Raises:
            NotFound: No frame is rated.
        """
        del seed
        labels = np.concatenate([s.labels for s in sessions]).astype(np.float64)
        counts = np.isfinite(labels).sum(0)
        if not counts.all():
            message = "mean: a dimension has no rated frame. Rate the sessions, or leave it out"
            raise NotFound(message)
        self.arrays = {"mean": np.nansum(labels, axis=0) / counts}

    def predict(self, session: SessionView) -> NDArray[np.float64]:
        """Values (T, D), all rows alike; NaN in a session that never shows the face."""
        values = np.tile(self.arrays["mean"], (len(session.labels), 1))
        return bridged(values, session.is_seen)

    def save(self, folder: Path) -> None:
        """Writes weights.safetensors."""
        with replacing(folder / _WEIGHTS) as part:
            save_file(self.arrays, part)

    def load(self, folder: Path) -> None:
        """Reads weights.safetensors."""
        self.arrays = load_file(folder / _WEIGHTS)

    @property
    def parameters(self) -> int:
        """Numbers that were fitted."""
        return sum(array.size for array in self.arrays.values())
