"""The common look of all figures: sizes in inches, colors, and what every one of them draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mavfer.showing.picture import Picture

__all__ = [
    "CARRIED",
    "DOUBT",
    "GRID",
    "GROUND",
    "INK",
    "NOTHING",
    "SOFT",
    "TONES",
    "VALID",
    "WIDTH_INCHES",
    "draw_bars",
    "draw_key",
    "draw_trace",
    "key_inches",
    "name_axis",
    "new_picture",
    "place_axes",
    "runs",
    "text_inches",
    "write",
]

# The colors of the report (mavfer/report/report.css and plots.py), told apart by the color-blind:
# TONES are Okabe and Ito's, and the states of a frame also differ in lightness and height.
INK: Final = "#1f2933"
SOFT: Final = "#5b6775"
GRID: Final = "#e4e7eb"
GROUND: Final = "#f5f7f9"
NOTHING: Final = "#d5dae0"
VALID: Final = "#2a7f62"
CARRIED: Final = "#e09f3e"
DOUBT: Final = "#c44e00"
TONES: Final = ("#0072b2", "#b0528f", "#009e73", "#d98e04")

WIDTH_INCHES: Final = 9.2
_DOTS_PER_INCH: Final = 144
_POINTS: Final = 9.5
_SWATCH_INCHES: Final = 0.11
_LINE_INCHES: Final = 0.2
_NARROW: Final = frozenset("fijlrt .,")
_NARROW_INCHES, _WIDE_INCHES = 0.048, 0.083
"""A letter of 9.5 points."""
_MANY_SECONDS: Final = 180
_FEW_SECONDS: Final = 4
_MOST_TICKS: Final = 9
_STEPS: Final = (0.1, 0.2, 0.5, *(n * 10**k for k in range(7) for n in (1, 2, 5)))


def new_picture(height: float, width: float = WIDTH_INCHES) -> Picture:
    """An empty figure, sizes in inches.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    require("matplotlib.figure", "plot")
    from mavfer.showing.picture import Picture

    return Picture(width, height, _DOTS_PER_INCH)


def place_axes(figure: Any, left: float, top: float, width: float, height: float) -> Any:
    """Axes without a frame; inches from the figure's top left corner."""
    wide, high = figure.get_size_inches()
    axes = figure.add_axes((left / wide, 1 - (top + height) / high, width / wide, height / high))
    axes.spines[:].set_visible(False)
    axes.patch.set_alpha(0)
    axes.tick_params(
        which="both", length=0, labelsize=_POINTS - 0.5, labelcolor=SOFT, color=GRID, pad=4
    )
    axes.set_axisbelow(True)
    axes.grid(visible=False)
    return axes


def write(figure: Any, left: float, top: float, words: str, **looks: Any) -> None:
    """Text whose baseline begins at a place, in inches from the figure's top left corner."""
    wide, high = figure.get_size_inches()
    chosen = {"fontsize": _POINTS, "color": SOFT, "va": "baseline", "ha": "left", **looks}
    figure.text(left / wide, 1 - top / high, words, **chosen)


def draw_key(figure: Any, left: float, top: float, entries: Sequence[tuple[str, str]]) -> None:
    """What the colors stand for: (color, words) one beside the other, new lines where needed."""
    from matplotlib.patches import Rectangle

    wide, high = figure.get_size_inches()
    for (color, words), (x, line) in zip(entries, _places_of_key(entries, left), strict=True):
        y = top + line * _LINE_INCHES
        size = (_SWATCH_INCHES / wide, _SWATCH_INCHES / high)
        swatch = Rectangle((x / wide, 1 - y / high), *size, color=color, linewidth=0)
        swatch.set_transform(figure.transFigure)
        figure.add_artist(swatch)
        write(figure, x + 0.17, y, words)


def text_inches(words: str) -> float:
    """About how long a text of the usual size is."""
    return sum(_NARROW_INCHES if letter in _NARROW else _WIDE_INCHES for letter in words)


def key_inches(entries: Sequence[tuple[str, str]], left: float) -> float:
    """The height that a key needs."""
    return _LINE_INCHES * (1 + max((line for _, line in _places_of_key(entries, left)), default=0))


def _places_of_key(entries: Sequence[tuple[str, str]], left: float) -> list[tuple[float, int]]:
    """Place from the left, and line, of each entry."""
    places, x, line = [], left, 0
    for _, words in entries:
        length = 0.17 + text_inches(words)
        if x > left and x + length > WIDTH_INCHES - 0.1:
            x, line = left, line + 1
        places.append((x, line))
        x += length + 0.18
    return places


def runs(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """First row and row after the last of each stretch of True (n, 2)."""
    changes = np.diff(np.concatenate([[False], chosen, [False]]).astype(np.int64))
    return np.flatnonzero(changes).reshape(-1, 2)


def draw_bars(
    axes: Any,
    edges: NDArray[np.float64],
    chosen: NDArray[np.bool_],
    place: tuple[float, float],
    color: str,
    *,
    least: float = 0.0,
) -> None:
    """Bars over the stretches where `chosen` (T,) is True.

    Args:
        axes: To draw into.
        edges: (T + 1,), where each frame begins, and where the last one ends.
        chosen: (T,).
        place: Lower end and height.
        color: Of the bars.
        least: Width that also the shortest bar has.
    """
    stretches = runs(chosen)
    if len(stretches):
        bars = [(edges[a], max(edges[b] - edges[a], least)) for a, b in stretches]
        axes.broken_barh(bars, place, facecolors=color, linewidth=0, snap=False)


def draw_trace(
    axes: Any,
    edges: NDArray[np.float64],
    value: NDArray[Any],
    band: Any,
    color: str,
    *,
    is_stills: bool,
    width: float = 1.6,
) -> None:
    """A label over a session with its band; stills are dots on bars, since none follows another.

    Args:
        axes: To draw into.
        edges: (T + 1,), where each frame begins, and where the last one ends.
        value: (T,), places on the y axis.
        band: Lower and higher end (T,) each, or None.
        color: Of everything.
        is_stills: Whether these are stills.
        width: Of the line, in points.
    """
    middles = (edges[:-1] + edges[1:]) / 2
    if is_stills:
        axes.plot(middles, value, "o", color=color, markersize=2 * width)
        if band is not None:
            axes.vlines(middles, *band, color=color, alpha=0.35, linewidth=width)
        return
    if band is not None:
        axes.fill_between(middles, *band, color=color, alpha=0.2, linewidth=0)
    axes.plot(middles, value, "-", color=color, linewidth=width, solid_capstyle="round")


def name_axis(axes: Any, start: float, end: float, *, is_stills: bool) -> None:
    """Round numbers below: of stills, of seconds, or of minutes where there are many."""
    from matplotlib.ticker import MultipleLocator

    unit = 60 if end > _MANY_SECONDS and not is_stills else 1
    least = 1 if is_stills or end > _FEW_SECONDS else 0
    step = next((s for s in _STEPS if s >= least and (end - start) / (s * unit) <= _MOST_TICKS), 1)
    axes.set_xlim(start, end)
    axes.xaxis.set_major_locator(MultipleLocator(step * unit))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value / unit:g}")
    axes.tick_params(axis="x", length=3)
    name = "still" if is_stills else {1: "seconds", 60: "minutes"}[unit]
    axes.set_xlabel(name, fontsize=_POINTS - 0.5, color=SOFT)
