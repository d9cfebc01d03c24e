"""A thermal camera's shutter: every half minute or so it closes, and the picture stands still."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from recording.simulated.clocks import NS_PER_SECOND

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Shutter", "plan_shutter"]

_CLOSED_SECONDS: Final = (0.3, 0.5)


@dataclass(frozen=True)
class Shutter:
    """When the shutter is closed, by exposure."""

    is_closed: NDArray[np.bool_]
    """(N,)"""
    epochs: NDArray[np.int64]
    """(N,) how often it has closed before and during each exposure."""

    def epoch(self, exposure: int) -> int:
        """How often the shutter has closed before an exposure."""
        return int(self.epochs[exposure])

    def shown_exposure(self, exposure: int) -> int:
        """The exposure whose picture is sent: the last one before the shutter closed."""
        while exposure > 0 and self.is_closed[exposure]:
            exposure -= 1
        return exposure


def plan_shutter(
    rng: np.random.Generator, true_ns: NDArray[np.int64], every_seconds: tuple[float, float]
) -> Shutter:
    """Closings at random intervals of `every_seconds` (least, most), each .3 to .5 s long."""
    seconds = true_ns / NS_PER_SECOND
    is_closed = np.zeros(len(seconds), dtype=bool)
    epochs = np.zeros(len(seconds), dtype=np.int64)
    closes = rng.uniform(*every_seconds)
    while closes < seconds[-1]:
        opens = closes + rng.uniform(*_CLOSED_SECONDS)
        is_closed |= (seconds >= closes) & (seconds < opens)
        epochs += seconds >= closes
        closes = opens + rng.uniform(*every_seconds)
    return Shutter(is_closed, epochs)
