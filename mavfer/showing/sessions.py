"""Many sessions at a glance: one row each, by subject."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.showing.canvas import (
    GRID,
    INK,
    SOFT,
    TONES,
    WIDTH_INCHES,
    draw_key,
    draw_trace,
    key_inches,
    name_axis,
    new_picture,
    place_axes,
    text_inches,
    write,
)
from mavfer.showing.session import draw_strip, key_of, session_length, stream_bars
from mavfer.streams import STREAM_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from mavfer.showing.views import SessionView, Trace

__all__ = ["draw_sessions"]

_MARGIN: Final = 0.22
_RIGHT: Final = 0.95
_TOP: Final = 1.0
_ROW: Final = 0.62
_BELOW: Final = 0.6
_BOLDER: Final = 1.12
"""What bold letters are wider by."""
_LONGEST_NAME: Final = 22
_CURVES: Final = (0.05, 0.60)
"""Top and bottom of the curves, as shares of a row."""
_STRIPS: Final = (0.66, 0.92)


def draw_sessions(views: Sequence[SessionView], *, title: str, note: str = "") -> Figure:
    """A row a session: its labels above what can be used, all on one axis of time.

    Args:
        views: At least one, in the order in which they are drawn.
        title: Headline.
        note: What else has to be said.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    names = [text_inches(_short(view.session)) for view in views]
    left = _MARGIN + max(names) + 0.12
    height = _ROW * len(views)
    key = key_of(views)
    figure = new_picture(_TOP + height + _BELOW + key_inches(key, left))
    axes = place_axes(figure, left, _TOP, WIDTH_INCHES - left - _RIGHT, height)
    stills = all(view.is_stills for view in views)
    limits = _limits(views)
    for row, view in enumerate(views):
        is_stretched = view.is_stills and not stills
        edges = np.linspace(*limits, len(view) + 1) if is_stretched else view.edges
        _draw_curves(axes, view, row, edges, limits)
        _draw_streams(axes, view, row, edges)
        _name_row(axes, view, row)
    axes.set(ylim=(len(views), 0), yticks=[])
    name_axis(axes, *limits, is_stills=stills)
    write(figure, _MARGIN, 0.32, title, fontsize=12, color=INK, weight="bold")
    write(figure, _MARGIN, 0.56, note)
    _write_dimensions(figure, views, left)
    draw_key(figure, left, _TOP + height + 0.68, key)
    return figure


def _limits(views: Sequence[SessionView]) -> tuple[float, float]:
    """Ends of the axis: those of the longest video, or of the most stills."""
    videos = [view for view in views if not view.is_stills]
    longest = max(videos or views, key=lambda view: view.edges[-1])
    return min(0.0, float(longest.edges[0])), float(longest.edges[-1])


def _short(name: str) -> str:
    """A name whose middle gives way, since sessions differ at the end."""
    if len(name) <= _LONGEST_NAME:
        return name
    tail = _LONGEST_NAME // 2
    return f"{name[: _LONGEST_NAME - tail - 1]}…{name[-tail:]}"


def _draw_curves(
    axes: Any,
    view: SessionView,
    row: int,
    edges: NDArray[np.float64],
    limits: tuple[float, float],
) -> None:
    """All dimensions in one row, each on its own scale."""
    top, bottom = (row + share for share in _CURVES)
    middle = (top + bottom) / 2
    axes.hlines([top, middle, bottom], *limits, color=GRID, linewidth=0.7)
    if not any(np.isfinite(trace.value).any() for trace in view.traces):
        words = "no label" if view.label else "no labels loaded"
        looks = {"ha": "center", "va": "center_baseline", "fontsize": 9, "color": SOFT}
        axes.text(sum(limits) / 2, middle, words, backgroundcolor="white", **looks)
        return
    for turn, trace in enumerate(view.traces):
        value = _lowered(trace.value, trace, top, bottom)
        band = trace.band and tuple(_lowered(edge, trace, top, bottom) for edge in trace.band)
        tone = TONES[turn % len(TONES)]
        draw_trace(axes, edges, value, band, tone, is_stills=view.is_stills, width=1.3)


def _lowered(values: Any, trace: Trace, top: float, bottom: float) -> Any:
    """Values of a scale as places in a row; the axis points down."""
    low, high = trace.scale
    return bottom - (np.clip(values, low, high) - low) / (high - low) * (bottom - top)


def _draw_streams(axes: Any, view: SessionView, row: int, edges: NDArray[np.float64]) -> None:
    """A thin line a stream."""
    top, bottom = _STRIPS
    pitch = (bottom - top) / len(STREAM_NAMES)
    for line, name in enumerate(STREAM_NAMES):
        if name in view.valid:
            place = (row + top + line * pitch, 0.7 * pitch)
            draw_strip(axes, stream_bars(view, name), edges, place)


def _name_row(axes: Any, view: SessionView, row: int) -> None:
    """The session at the left, its length and streams at the right."""
    looks = {"transform": axes.get_yaxis_transform(), "va": "center_baseline"}
    axes.text(
        -0.012, row + 0.33, _short(view.session), ha="right", fontsize=9.5, color=INK, **looks
    )
    axes.text(1.012, row + 0.33, session_length(view), fontsize=9, color=SOFT, **looks)
    absent = [name for name in STREAM_NAMES if name not in view.valid]
    if absent:
        is_alone = len(absent) == len(STREAM_NAMES) - 1
        words = f"{next(iter(view.valid))} only" if is_alone else f"no {absent[0]}"
        axes.text(1.012, row + 0.78, words, fontsize=8, color=SOFT, **looks)


def _write_dimensions(figure: Any, views: Sequence[SessionView], left: float) -> None:
    """The names of the dimensions in their colors, and what the strips are."""
    x = left
    for turn, trace in enumerate(views[0].traces):
        words = {"color": TONES[turn % len(TONES)], "weight": "bold"}
        write(figure, x, _TOP - 0.1, trace.name, **words)
        x += text_inches(trace.name) * _BOLDER + 0.14
    write(figure, x, _TOP - 0.1, f"above {', '.join(STREAM_NAMES)}")
