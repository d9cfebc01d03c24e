"""Plots as SVG text, to be set into a page; matplotlib stays behind this door."""

from __future__ import annotations

import io
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import require

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["Band", "drawing", "plot_gaps", "plot_quality", "plot_tracks"]

FOUND: Final = "#2a7f62"
CARRIED: Final = "#e09f3e"
NOTHING: Final = "#d64550"
STREAM_COLORS: Final = {"color": "#3d5a80", "depth": "#6a4c93", "thermal": "#1b7fa8"}
_INK: Final = "#1f2933"
_GRID: Final = "#e4e7eb"
_WIDTH_INCHES: Final = 9.0
_ROW_INCHES: Final = 0.30
_STYLE: Final = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mavfer",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.edgecolor": _GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "legend.frameon": False,
}


@dataclass(frozen=True)
class Band:
    """One session in the plot of tracks."""

    name: str
    seconds: NDArray[np.float64]
    """(T,) time of each frame."""
    state: NDArray[np.int64]
    """(T,) 0 nothing, 1 found in color, 2 carried by depth."""
    streams: Mapping[str, NDArray[np.bool_]]
    """Validity (T,) of depth and thermal, where the session has them."""


def plot_tracks(bands: Sequence[Band]) -> str:
    """How each session's face was known over time, with thin lines where depth or thermal lack."""
    height = 0.9 + _ROW_INCHES * len(bands)
    with _figure(height) as (figure, axes, svg):
        for row, band in enumerate(bands):
            for value, ink in ((1, FOUND), (2, CARRIED), (0, NOTHING)):
                _draw_runs(axes, band.seconds, band.state == value, (row - 0.36, 0.46), ink)
            for line, (stream, valid) in enumerate(band.streams.items()):
                place = (row + 0.16 + 0.12 * line, 0.09)
                _draw_runs(axes, band.seconds, valid, place, STREAM_COLORS[stream])
        axes.set_yticks(range(len(bands)), [band.name for band in bands])
        axes.set_ylim(len(bands) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("seconds")
        _legend_of_states(figure, axes)
    return svg.getvalue()


def plot_gaps(
    gaps: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]], limits: Mapping[str, float]
) -> str:
    """Time of each paired frame minus its color frame's, over the session.

    Args:
        gaps: Stream to seconds (N,) and gaps in milliseconds (N,).
        limits: Stream to the longest gap that was allowed, milliseconds.
    """
    with _figure(2.6) as (figure, axes, svg):
        for stream, (seconds, gap_ms) in gaps.items():
            ink = STREAM_COLORS[stream]
            axes.plot(seconds, gap_ms, ".", markersize=3, color=ink, label=stream)
            for limit in (-limits[stream], limits[stream]):
                axes.axhline(limit, color=ink, linewidth=0.8, linestyle=":")
        axes.set_xlabel("seconds")
        axes.set_ylabel("gap, ms")
        figure.legend(loc="outside upper left", ncols=2, markerscale=3)
    return svg.getvalue()


def plot_quality(
    seconds: NDArray[np.float64], columns: Mapping[str, NDArray[np.float64]], label: str
) -> str:
    """Quality columns (T,) of one session over time, on one axis."""
    inks = ["#6a4c93", "#1b7fa8", "#9aa5b1", "#2a7f62"]
    with _figure(2.2) as (figure, axes, svg):
        for ink, (name, values) in zip(inks, columns.items(), strict=False):
            axes.plot(seconds, values, color=ink, linewidth=1.2, label=name)
        axes.set_xlabel("seconds")
        axes.set_ylabel(label)
        figure.legend(loc="outside upper left", ncols=4)
    return svg.getvalue()


@contextmanager
def drawing(
    height: float, *, rows: int = 1, columns: int = 1
) -> Iterator[tuple[Any, Any, io.StringIO]]:
    """A figure of the page's width with a grid of axes; its SVG is in the buffer at the end.

    Args:
        height: Inches.
        rows: Rows of axes, which share their time; columns share their values.
        columns: Axes in a row.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    require("matplotlib", "demo")
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    svg = io.StringIO()
    with rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH_INCHES, height), layout="constrained")
        yield figure, figure.subplots(rows, columns, squeeze=False, sharex="col"), svg
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None})
    text = drawn.getvalue()
    svg.write(text[text.index("<svg") :])


@contextmanager
def _figure(height: float) -> Iterator[tuple[Any, Any, io.StringIO]]:
    """A figure of one pair of axes."""
    with drawing(height) as (figure, grid, svg):
        yield figure, grid[0][0], svg


def _draw_runs(
    axes: Any,
    seconds: NDArray[np.float64],
    chosen: NDArray[np.bool_],
    place: tuple[float, float],
    ink: str,
) -> None:
    """Bars over the stretches in which `chosen` is True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(int)))
    if not edges.size:
        return
    step = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 1.0
    ends = np.append(seconds, seconds[-1] + step)
    bars = [(ends[a], ends[b] - ends[a]) for a, b in edges.reshape(-1, 2)]
    axes.broken_barh(bars, place, facecolors=ink, linewidth=0)


def _legend_of_states(figure: Any, axes: Any) -> None:
    from matplotlib.patches import Patch

    names = {
        "found in color": FOUND,
        "carried by depth": CARRIED,
        "no face": NOTHING,
        "depth there": STREAM_COLORS["depth"],
        "thermal there": STREAM_COLORS["thermal"],
    }
    patches = [Patch(color=ink, label=name) for name, ink in names.items()]
    figure.legend(handles=patches, loc="outside upper left", ncols=len(patches))
    axes.margins(x=0.01)
