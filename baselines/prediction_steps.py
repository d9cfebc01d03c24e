"""Steps of post-processing: what one of them does to the predictions of a recording.

NaN is missing: it stays, and counts for nothing. `baselines.postprocessing` chooses among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import median_filter

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Centre",
    "Gain",
    "Median",
    "Offset",
    "Scale",
    "Shift",
    "Step",
    "deviation_known",
    "mean_known",
]


@dataclass(frozen=True)
class Median:
    """Each sample becomes the median of those around it; the ends are mirrored."""

    samples: int

    def __call__(self, recording: NDArray[np.float64]) -> NDArray[np.float64]:
        """(T,); missing samples stay missing, the others close up (ours)."""
        is_there = ~np.isnan(recording)
        out = recording.copy()
        if is_there.any():
            out[is_there] = median_filter(recording[is_there], self.samples, mode="reflect")
        return out

    def __str__(self) -> str:
        return f"median of {self.samples} samples"


@dataclass(frozen=True)
class Centre:
    """Each recording gets this mean."""

    mean: float

    def __call__(self, recording: NDArray[np.float64]) -> NDArray[np.float64]:
        """(T,)."""
        return recording + (self.mean - mean_known(recording))

    def __str__(self) -> str:
        return f"each recording's mean set to {self.mean:.4g}"


@dataclass(frozen=True)
class Scale:
    """Each recording gets this standard deviation (1/n), by a factor on its values.

    Its mean is multiplied too: so the public programs have it.
    """

    deviation: float

    def __call__(self, recording: NDArray[np.float64]) -> NDArray[np.float64]:
        """(T,); a constant recording stays as it is (ours)."""
        own = deviation_known(recording)
        return recording * (self.deviation / own) if own > 0 else recording.copy()

    def __str__(self) -> str:
        return f"each recording's deviation set to {self.deviation:.4g}"


@dataclass(frozen=True)
class Shift:
    """Each recording moves later, or earlier where below 0; the value at the end is repeated."""

    samples: int

    def __call__(self, recording: NDArray[np.float64]) -> NDArray[np.float64]:
        """(T,)."""
        places = np.arange(len(recording)) - self.samples
        return recording[np.clip(places, 0, max(len(recording) - 1, 0))]

    def __str__(self) -> str:
        return f"{abs(self.samples)} samples {'later' if self.samples > 0 else 'earlier'}"


@dataclass(frozen=True)
class Offset:
    """The same is added to all recordings."""

    amount: float

    def __call__(self, recording: NDArray[np.float64]) -> NDArray[np.float64]:
        """(T,)."""
        return recording + self.amount

    def __str__(self) -> str:
        return f"{self.amount:+.4g}"


@dataclass(frozen=True)
class Gain:
    """All recordings are multiplied by the same."""

    factor: float

    def __call__(self, recording: NDArray[np.float64]) -> NDArray[np.float64]:
        """(T,)."""
        return recording * self.factor

    def __str__(self) -> str:
        return f"times {self.factor:.4g}"


Step = Median | Centre | Scale | Shift | Offset | Gain


def mean_known(values: NDArray[np.float64]) -> float:
    """Of those that are not NaN; NaN where there is none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan


def deviation_known(values: NDArray[np.float64]) -> float:
    """Standard deviation (1/n) of those that are not NaN; 0 where there is none."""
    known = values[~np.isnan(values)]
    return float(known.std()) if len(known) else 0.0
