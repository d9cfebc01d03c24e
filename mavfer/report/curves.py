"""Plots of values over time and of learning, as SVG text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.report.plots import drawing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[Any]

__all__ = ["LearningCurve", "Panel", "plot_learning", "plot_panels"]

# Colors that are told apart by color-blind readers too: Okabe and Ito.
_LABEL: Final = "#1f2933"
_TRUTH: Final = "#8a94a0"
_RATERS: Final = "#56b4e9"
_FLAGGED: Final = "#d55e00"
_MODELS: Final = ("#e69f00", "#0072b2", "#009e73", "#cc79a7", "#d55e00")
_ROW_INCHES: Final = 1.75
_LEGEND_INCHES: Final = 0.75
_MARGIN: Final = 1.08


@dataclass(frozen=True)
class Panel:
    """Values over the time of one session on one dimension."""

    title: str
    dimension: str
    seconds: Floats
    """(T,)."""
    label: Floats | None
    """(T,); None where there is no label yet."""
    scale: tuple[float, float]
    """Lowest and highest value that can be given."""
    truth: Floats | None = None
    """(T,), of simulated sessions."""
    band: tuple[Floats, Floats] | None = None
    """Low and high (T,) of the label."""
    raters: Mapping[str, Floats] = field(default_factory=dict)
    """(T,) by rater."""
    flagged: frozenset[str] = frozenset()
    """Raters that are doubted."""
    models: Mapping[str, Floats] = field(default_factory=dict)
    """Predictions (T,) by model."""


@dataclass(frozen=True)
class LearningCurve:
    """What was logged of one run."""

    model: str
    epochs: Sequence[int]
    loss: Sequence[float]
    ccc: Sequence[float]
    """Mean of the dimensions, of what was predicted while training."""
    validation: Sequence[float]
    """The same on the part "val"; NaN where there is none."""


def plot_panels(rows: Sequence[Sequence[Panel]]) -> str:
    """Panels in rows and columns of one height, with one legend."""
    height = _LEGEND_INCHES + _ROW_INCHES * len(rows)
    with drawing(height, rows=len(rows), columns=len(rows[0])) as (figure, grid, svg):
        for line, panels in enumerate(rows):
            for column, panel in enumerate(panels):
                axes = grid[line][column]
                _draw_panel(axes, panel)
                if line == 0:
                    axes.set_title(panel.title, loc="left", fontsize=10)
                if line == len(rows) - 1:
                    axes.set_xlabel("seconds")
                if column == 0:
                    axes.set_ylabel(panel.dimension)
        _legend(figure, grid)
    return svg.getvalue()


def plot_learning(curves: Sequence[LearningCurve]) -> str:
    """Loss, and CCC of the training frames, over the epochs."""
    with drawing(2.6, rows=1, columns=2) as (figure, grid, svg):
        losses, scores = grid[0]
        for ink, curve in zip(_MODELS, curves, strict=False):
            losses.plot(curve.epochs, curve.loss, "o-", markersize=3, color=ink, label=curve.model)
            scores.plot(curve.epochs, curve.ccc, "o-", markersize=3, color=ink)
            if np.isfinite(curve.validation).any():
                validated = f"{curve.model}, part val"
                scores.plot(curve.epochs, curve.validation, "--", color=ink, label=validated)
        losses.set_ylabel("loss")
        scores.set_ylabel("CCC while training")
        for axes in (losses, scores):
            axes.set_xlabel("epoch")
        _legend(figure, grid)
    return svg.getvalue()


def _draw_panel(axes: Any, panel: Panel) -> None:
    seconds = panel.seconds
    if panel.band is not None:
        axes.fill_between(
            seconds, *panel.band, color=_LABEL, alpha=0.16, linewidth=0, label="band of the label"
        )
    for rater, values in panel.raters.items():
        is_flagged = rater in panel.flagged
        ink, style = (_FLAGGED, (0, (4, 2))) if is_flagged else (_RATERS, "-")
        word = f"flagged: {rater}" if is_flagged else "raters"
        axes.plot(seconds, values, color=ink, linestyle=style, linewidth=0.9, label=word)
    if panel.truth is not None:
        axes.plot(
            seconds,
            panel.truth,
            color=_TRUTH,
            linestyle=(0, (1, 1.2)),
            linewidth=2.2,
            label="truth",
        )
    if panel.label is not None:
        axes.plot(seconds, panel.label, color=_LABEL, linewidth=1.7, label="label")
    for ink, (model, values) in zip(_MODELS, panel.models.items(), strict=False):
        axes.plot(seconds, values, color=ink, linewidth=1.4, label=model)
    axes.set_ylim(*_limits(panel))


def _limits(panel: Panel) -> tuple[float, float]:
    """The scale and a little more, or as far as a model goes beyond it."""
    low, high = panel.scale
    margin = (high - low) / 2 * (_MARGIN - 1)
    said = [values[np.isfinite(values)] for values in panel.models.values()]
    every = np.concatenate([*said, panel.scale])
    return float(every.min()) - margin, float(every.max()) + margin


def _legend(figure: Any, grid: Any) -> None:
    """One legend of everything that is named in any of the axes, each word once."""
    found: dict[str, Any] = {}
    for axes in (each for row in grid for each in row):
        for handle, word in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(word, handle)
    figure.legend(
        list(found.values()), list(found), loc="outside upper left", ncols=min(len(found), 7)
    )
