"""One frame: its three streams side by side, and what is known about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.showing.canvas import (
    GRID,
    GROUND,
    INK,
    NOTHING,
    SOFT,
    WIDTH_INCHES,
    draw_key,
    new_picture,
    place_axes,
    write,
)
from mavfer.showing.views import WORDS, number, reason_of
from mavfer.streams import STREAM_NAMES, StreamName, celsius_from_centikelvin
from mavfer.vision.validity import Reason

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from mavfer.showing.views import FrameView

__all__ = ["draw_frame", "face_range"]

_MARGIN: Final = 0.22
_GAP: Final = 0.2
_TOP: Final = 1.02
_BELOW: Final = 0.78
_BELOW_COLOR: Final = 0.34
_HIGHEST: Final = 4.5
_COLUMNS: Final = len(STREAM_NAMES)

_PALETTE: Final = {"depth": "viridis_r", "thermal": "inferno"}
_UNIT: Final[dict[StreamName, str]] = {"depth": "mm", "thermal": "°C"}
_STEP: Final = {"depth": 10.0, "thermal": 0.5}
_LEAST_RANGE: Final = {"depth": 80.0, "thermal": 3.0}
_COMMON_PERCENT: Final = (2.0, 98.0)
_ROOM: Final = 0.2
"""Added to the range of the face at either end, as a share of it."""
_DARK_LEVEL: Final = 40.0
"""Mean of a color crop below which its darkness is spoken of."""


def draw_frame(view: FrameView) -> Figure:
    """The streams of one frame side by side, as a matplotlib figure.

    Depth and thermal are in false color over the range of the face; a stream that the session
    lacks, or that is not valid at this frame, is an empty panel that says so.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    rows, columns = _shape(view)
    width = (WIDTH_INCHES - 2 * _MARGIN - (_COLUMNS - 1) * _GAP) / _COLUMNS
    height = min(width * rows / columns, _HIGHEST)
    has_scale = any(not _problem(view, name) for name in _UNIT)
    figure = new_picture(_TOP + height + (_BELOW if has_scale else _BELOW_COLOR))
    write(figure, _MARGIN, 0.32, _headline(view), fontsize=12, color=INK, weight="bold")
    write(figure, _MARGIN, 0.56, _subline(view))
    for turn, name in enumerate(STREAM_NAMES):
        left = _MARGIN + turn * (width + _GAP)
        title = f"{name}, {_UNIT[name]}" if name in _UNIT else name
        write(figure, left, _TOP - 0.08, title, color=INK, weight="bold")
        panel = place_axes(figure, left, _TOP, width, height)
        panel.set(xticks=[], yticks=[])
        problem = _problem(view, name)
        if problem:
            _draw_empty(panel, problem)
            continue
        image = _draw_pixels(panel, name, view.pixels[name])
        if view.landmarks is not None:
            _draw_landmarks(panel, view.landmarks)
        _draw_foot(figure, image, name, view.pixels[name], (left, _TOP + height, width))
    return figure


def face_range(values: NDArray[Any], known: NDArray[np.bool_], step: float, least: float) -> Any:
    """Lowest and highest value to be shown, so that the face uses the colors well.

    The range of what is common in the middle of the crop, where the face is, with some room at
    either end; a hot cup or a distant wall does not change it.

    Args:
        values: (H, W).
        known: (H, W), False where nothing was measured.
        step: The ends are multiples of it.
        least: The range is at least this wide.
    """
    height, width = values.shape
    middle = (slice(height // 4, height - height // 4), slice(width // 4, width - width // 4))
    chosen = values[middle][known[middle]]
    if not chosen.size:
        chosen = values[known]
    low, high = np.percentile(chosen, _COMMON_PERCENT)
    room = max(_ROOM * (high - low), (least - (high - low)) / 2)
    return float(np.floor((low - room) / step) * step), float(np.ceil((high + room) / step) * step)


# Words.


def _headline(view: FrameView) -> str:
    time = f"   {view.seconds:.2f} s" if np.isfinite(view.seconds) else ""
    return f"{view.session}   frame {view.frame} of {view.frames}{time}"


def _subline(view: FrameView) -> str:
    label = view.label or {}
    values = [f"{name} {number(value)}" for name, value in label.items() if np.isfinite(value)]
    values = values or ["no label loaded" if view.label is None else "no label here"]
    return "   ·   ".join([f"subject {view.subject}", *values, _state(view)])


def _state(view: FrameView) -> str:
    """Which streams can be used, and why not all."""
    usable = [name for name in view.pixels if view.valid[name]]
    words = {0: "nothing valid", len(view.pixels): "all streams valid"}
    state = words.get(len(usable), f"valid: {', '.join(usable)}")
    reason = Reason(view.reason)
    notes = [] if reason in {Reason.NONE, Reason.CARRIED} else [WORDS[reason]]
    if view.is_carried:
        notes.append("face carried by depth")
    return "; ".join([state, *notes])


def _problem(view: FrameView, name: StreamName) -> str:
    """Why a panel stays empty; nothing where it does not."""
    if name not in view.pixels:
        return f"this session has no {name}"
    if view.valid[name]:
        return ""
    reason = reason_of(view.reason, name)
    return "not valid at this frame" + (f":\n{WORDS[reason]}" if reason else "")


# Panels.


def _shape(view: FrameView) -> tuple[int, int]:
    """Rows and columns of the crops."""
    rows, columns = next(iter(view.pixels.values())).shape[:2]
    return rows, columns


def _draw_empty(panel: Any, words: str) -> None:
    panel.set_facecolor(GROUND)
    panel.patch.set_alpha(1)
    panel.spines[:].set(visible=True, color=GRID)
    panel.text(
        0.5,
        0.5,
        words.replace(", and ", ",\nand "),
        transform=panel.transAxes,
        ha="center",
        va="center",
        color=SOFT,
        fontsize=10,
        linespacing=1.5,
    )


def _draw_pixels(panel: Any, name: StreamName, pixels: NDArray[Any]) -> Any:
    """One crop; gray shows through where nothing was measured."""
    if name == "color":
        return panel.imshow(pixels, aspect="auto", origin="upper")
    known = pixels > 0
    values: Any = pixels.astype(np.float64)
    if name == "thermal":
        values = celsius_from_centikelvin(values)
    panel.set_facecolor(NOTHING)
    panel.patch.set_alpha(1)
    if not known.any():
        return None
    low, high = face_range(values, known, _STEP[name], _LEAST_RANGE[name])
    shown = np.ma.masked_array(values, ~known)
    looks = {"interpolation": "nearest", "aspect": "auto", "origin": "upper"}
    return panel.imshow(shown, cmap=_PALETTE[name], vmin=low, vmax=high, **looks)


def _draw_landmarks(panel: Any, landmarks: NDArray[np.floating[Any]]) -> None:
    """White dots with a dark rim, to be seen on every color."""
    limits = panel.get_xlim(), panel.get_ylim()
    looks = {"markersize": 3, "markerfacecolor": "white", "markeredgecolor": INK}
    panel.plot(*landmarks.T, "o", markeredgewidth=0.5, **looks)
    panel.set(xlim=limits[0], ylim=limits[1])


def _draw_foot(
    figure: Any,
    image: Any,
    name: StreamName,
    pixels: NDArray[Any],
    place: tuple[float, float, float],
) -> None:
    """Below a panel: its bar, and how much of it was not measured; how dark color is."""
    left, top, width = place
    if name == "color":
        if pixels.mean() < _DARK_LEVEL:
            words = f"dark: mean level {pixels.mean():.0f} of 255"
            write(figure, left, top + 0.2, words)
        return
    if image is not None:
        _draw_scale(figure, image, (left, top + 0.09, width), pixels, name)
    holes = float(np.mean(pixels == 0))
    if holes:
        share = f"{holes:.0%}" if holes >= 0.01 else "<1%"  # noqa: PLR2004 (of a percent, no number)
        draw_key(figure, left, top + 0.6, [(NOTHING, f"nothing measured: {share}")])


def _draw_scale(
    figure: Any,
    image: Any,
    place: tuple[float, float, float],
    pixels: NDArray[Any],
    name: StreamName,
) -> None:
    """A bar of the colors; it is pointed where values lie beyond its ends."""
    from matplotlib.ticker import MaxNLocator

    low, high = image.get_clim()
    known = np.ma.compressed(image.get_array())
    ends = {(True, True): "both", (True, False): "min", (False, True): "max"}
    extend = ends.get((bool(known.min() < low), bool(known.max() > high)), "neither")
    left, top, width = place
    axes = place_axes(figure, left, top, width, 0.1)
    ticks = MaxNLocator(4, steps=[1, 2, 2.5, 5, 10])
    bar = figure.colorbar(
        image, cax=axes, orientation="horizontal", extend=extend, extendfrac=0.03, ticks=ticks
    )
    bar.outline.set_visible(False)
