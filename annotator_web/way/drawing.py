"""Lines of the practice page as paths of an SVG picture, drawn without a script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from annotator_web.project import Dimension
    from annotator_web.way.practice import Outcome

__all__ = ["HEIGHT", "WIDTH", "Plot", "path_of", "plots_of"]

WIDTH: Final = 600
HEIGHT: Final = 160
_MOST_POINTS: Final = 240


@dataclass(frozen=True)
class Plot:
    """One dimension of a try, drawn."""

    dimension: Dimension
    own: str
    """Path of the rater's line."""
    expert: str
    """Path of the expert's line."""
    mark: float | None
    is_reached: bool


def plots_of(outcome: Outcome, dimensions: Sequence[Dimension]) -> list[Plot]:
    """The two lines of each dimension over the clip, the scale from the bottom to the top."""
    known = {dimension.name: dimension for dimension in dimensions}
    plots = []
    for line in outcome.lines:
        dimension = known[line.dimension]
        ends = dimension.low, dimension.high
        is_reached = line.mark is not None and line.mark >= outcome.pass_ccc
        drawn = (path_of(line.own, *ends), path_of(line.expert, *ends))
        plots.append(Plot(dimension, *drawn, line.mark, is_reached))
    return plots


def path_of(values: NDArray[np.float64], low: float, high: float) -> str:
    """A line through `values` (T,), with a gap where they are NaN; empty where there is none."""
    at = np.unique(np.linspace(0, len(values) - 1, min(len(values), _MOST_POINTS)).astype(int))
    shares = np.clip((values[at] - low) / (high - low), 0, 1)
    across = WIDTH * at / max(1, len(values) - 1)
    pieces, is_down = [], False
    for x, share in zip(across, shares, strict=True):
        if np.isnan(share):
            is_down = False
            continue
        pieces.append(f"{'L' if is_down else 'M'}{x:.1f} {HEIGHT * (1 - share):.1f}")
        is_down = True
    return "".join(pieces)
