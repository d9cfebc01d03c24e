"""One session over time: its label with the band, and what of it can be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.progress import counted
from mavfer.showing.canvas import (
    CARRIED,
    DOUBT,
    GRID,
    INK,
    SOFT,
    TONES,
    VALID,
    WIDTH_INCHES,
    draw_bars,
    draw_key,
    draw_trace,
    key_inches,
    name_axis,
    new_picture,
    place_axes,
    write,
)
from mavfer.showing.views import WORDS, reason_of
from mavfer.streams import STREAM_NAMES, StreamName
from mavfer.vision.validity import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from mavfer.showing.views import SessionView, Trace

__all__ = ["Bars", "draw_session", "draw_strip", "key_of", "session_length", "stream_bars"]

_MARGIN: Final = 0.22
_LEFT: Final = 0.85
_RIGHT: Final = 0.95
_TOP: Final = 0.95
_TRACE: Final = 1.05
_BETWEEN: Final = 0.42
_ROW: Final = 0.27
_BELOW: Final = 0.58
_HEIGHT_OF_PROBLEM: Final = 0.45
_MANY_SECONDS: Final = 180
_LEAST_SHARE: Final = 0.003
"""Of the axis that also one lost frame takes up, so that it can be seen."""
_COVERAGE: Final = ("covers too little of the face", DOUBT)
_MISSING: Final = ("no frame in time", "#9aa5b1")
_NO_FACE: Final = ("no face found", INK)
_IN_DOUBT: Final = ("landmarks in doubt", "#8f2d56")
_PROBLEMS: Final = {
    None: ("not valid", "#c3cad2"),
    Reason.NO_FACE: _NO_FACE,
    Reason.LOST: _NO_FACE,
    Reason.OUTSIDE_IMAGE: _COVERAGE,
    Reason.LOW_AGREEMENT: _IN_DOUBT,
    Reason.TURNED_AWAY: _IN_DOUBT,
    Reason.NO_DEPTH: _MISSING,
    Reason.SPARSE_DEPTH: _COVERAGE,
    Reason.NO_THERMAL: _MISSING,
    Reason.THERMAL_SHUTTER: ("shutter closed", "#3d5a80"),
    Reason.SPARSE_THERMAL: _COVERAGE,
}
"""Words and color; the row tells which stream is meant. None: the frame's first reason speaks of
another stream."""


@dataclass(frozen=True)
class Bars:
    """Frames of one stream that are in one state."""

    words: str
    color: str
    is_problem: bool
    """Drawn lower, to be told without color."""
    chosen: NDArray[np.bool_]
    """(T,)."""


def draw_session(view: SessionView) -> Figure:
    """Labels over time above a strip that tells what of each stream can be used.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    strip_top = _TOP + len(view.traces) * (_TRACE + _BETWEEN) - 0.04
    strip_height = _ROW * len(STREAM_NAMES)
    key = key_of([view])
    figure = new_picture(strip_top + strip_height + _BELOW + key_inches(key, _LEFT))
    width = WIDTH_INCHES - _LEFT - _RIGHT
    write(figure, _MARGIN, 0.32, view.session, fontsize=12, color=INK, weight="bold")
    write(figure, _MARGIN, 0.56, _subline(view))
    for turn, trace in enumerate(view.traces):
        top = _TOP + turn * (_TRACE + _BETWEEN)
        axes = place_axes(figure, _LEFT, top, width, _TRACE)
        write(figure, _LEFT, top - 0.07, trace.name, color=_tone(turn), weight="bold")
        _draw_label(axes, view, trace, _tone(turn))
    write(figure, _LEFT, strip_top - 0.03, "valid frames", color=INK, weight="bold")
    axes = place_axes(figure, _LEFT, strip_top, width, strip_height)
    _draw_streams(axes, view)
    name_axis(axes, *view.edges[[0, -1]].tolist(), is_stills=view.is_stills)
    draw_key(figure, _LEFT, strip_top + strip_height + 0.66, key)
    return figure


def stream_bars(view: SessionView, name: StreamName) -> list[Bars]:
    """The states that occur in a stream; every frame is in one of them."""
    usable = view.valid[name]
    carried = usable & view.carried if name == "color" else np.zeros(len(view), bool)
    bars = [
        Bars(WORDS[Reason.NONE], VALID, False, usable & ~carried),
        Bars(WORDS[Reason.CARRIED], CARRIED, False, carried),
    ]
    for code in np.unique(view.reason[~usable]):
        chosen = ~usable & (view.reason == code)
        bars.append(Bars(*_PROBLEMS[reason_of(int(code), name)], True, chosen))
    return [each for each in bars if each.chosen.any()]


def key_of(views: Iterable[SessionView]) -> list[tuple[str, str]]:
    """Color and words of every state that occurs."""
    every = [bars for view in views for name in view.valid for bars in stream_bars(view, name)]
    every.sort(key=lambda bars: bars.is_problem)
    return list(dict.fromkeys((bars.color, bars.words) for bars in every))


def draw_strip(
    axes: Any,
    bars: Sequence[Bars],
    edges: NDArray[np.float64],
    place: tuple[float, float],
) -> None:
    """The states of one stream over time.

    Args:
        axes: To draw into; its y axis points down.
        bars: The states.
        edges: (T + 1,), where each frame begins, and where the last one ends.
        place: Top and height.
    """
    top, height = place
    for each in bars:
        thick = height * (_HEIGHT_OF_PROBLEM if each.is_problem else 1.0)
        least = _LEAST_SHARE * float(edges[-1] - edges[0]) if each.is_problem else 0.0
        where = (top + height - thick, thick)
        draw_bars(axes, edges, each.chosen, where, each.color, least=least)


def session_length(view: SessionView) -> str:
    """How long a session is, in words."""
    if view.is_stills:
        return counted(len(view), "still")
    if view.length >= _MANY_SECONDS:
        return f"{view.length / 60:.1f} min"
    return f"{view.length:.1f} s"


def _tone(turn: int) -> str:
    return TONES[turn % len(TONES)]


def _subline(view: SessionView) -> str:
    frames = "" if view.is_stills else f"{counted(len(view), 'frame')} in "
    label = "no labels loaded" if view.label is None else f"label {view.label}"
    return "   ·   ".join([f"subject {view.subject}", f"{frames}{session_length(view)}", label])


def _draw_label(axes: Any, view: SessionView, trace: Trace, color: str) -> None:
    """One dimension on its whole scale; the ends are named at the right."""
    low, high = trace.scale
    room = 0.04 * (high - low)
    axes.set(xlim=view.edges[[0, -1]], ylim=(low - room, high + room), xticks=[])
    axes.set_yticks([low, (low + high) / 2, high])
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "−"))
    axes.grid(axis="y", color=GRID, linewidth=0.8, linestyle="-")
    looks = {"transform": axes.get_yaxis_transform(), "color": SOFT, "fontsize": 9}
    for value, word in zip(trace.scale, trace.words, strict=True):
        axes.text(1.012, value, word, va="center_baseline", **looks)
    if not np.isfinite(trace.value).any():
        words = f"{view.session} has no label {view.label!r} of {trace.name}"
        middle = {"ha": "center", "va": "center_baseline", "backgroundcolor": "white"}
        axes.text(0.5, (low + high) / 2, words, **middle, **looks)
        return
    band = trace.band and tuple(np.clip(edge, low, high) for edge in trace.band)
    draw_trace(axes, view.edges, trace.value, band, color, is_stills=view.is_stills)


def _draw_streams(axes: Any, view: SessionView) -> None:
    """A row a stream."""
    for row, name in enumerate(STREAM_NAMES):
        if name in view.valid:
            draw_strip(axes, stream_bars(view, name), view.edges, (row + 0.16, 0.68))
            _write_share(axes, row, float(view.valid[name].mean()))
        else:
            axes.text(
                view.edges[0],
                row + 0.5,
                "not in this session",
                va="center_baseline",
                color=SOFT,
                fontsize=9,
            )
    axes.set(ylim=(len(STREAM_NAMES), 0))
    axes.set_yticks([row + 0.5 for row in range(len(STREAM_NAMES))], STREAM_NAMES)


def _write_share(axes: Any, row: int, share: float) -> None:
    """The share of valid frames at the right of a row; only all of them are 100%."""
    words = f"{share:.0%}" if share in {0.0, 1.0} else f"{min(max(share, 0.001), 0.999):.1%}"
    looks = {"transform": axes.get_yaxis_transform(), "color": SOFT, "fontsize": 9}
    axes.text(1.012, row + 0.5, words, va="center_baseline", **looks)
