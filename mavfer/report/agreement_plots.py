"""Charts of agreement: raters two by two, lags, sessions, and how many raters are enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.labelling.printed import hardest_first
from mavfer.report.svg import Drawing, Scale, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mavfer.agreement import Estimate
    from mavfer.labelling.agree import DimensionAgreement
    from mavfer.labelling.raters import RaterAgreement

__all__ = ["SHOWN_SESSIONS", "plot_lags", "plot_matrix", "plot_needed", "plot_sessions"]

SHOWN_SESSIONS: Final = 30
"""Sessions with a line of their own, least agreement first."""

_ORANGE, _WHITE, _BLUE = (179, 88, 6), (247, 247, 247), (8, 69, 148)
"""-1, 0 and 1: told apart by every color-blind reader, and by lightness from 0."""

_LIGHT_INK, _DARK_INK = "#ffffff", "#000000"
"""With any softer black some color between would allow neither."""

_MATRIX_PIXELS: Final = 390
_CELL_PIXELS: Final = (22, 68)
_ROW: Final = 24
_WIDE, _HALF = 620, 462
"""Pixels across a chart that stands alone, and of one of two side by side."""
_MANY: Final = 14
"""Raters from which on cells are too small for a leading zero."""


def plot_matrix(each: DimensionAgreement) -> str:
    """CCC of every two raters, as a heat map with the numbers in its cells."""
    codes = [rater.rater for rater in each.raters]
    cell = min(max(_MATRIX_PIXELS / len(codes), _CELL_PIXELS[0]), _CELL_PIXELS[1])
    left = 16 + 7.2 * max(len(_marked(rater)) for rater in each.raters)
    top, end = left * 0.72 + 8, cell * len(codes)
    drawing = Drawing(left + end + 8, top + end + 52, f"CCC of every two raters, {each.dimension}")
    for i, rater in enumerate(each.raters):
        middle = (i + 0.5) * cell
        word = _marked(rater)
        drawing.text(left - 8, top + middle + 4, word, anchor="end", kind="tick", told=rater.rater)
        drawing.text(left + middle + 2, top - 8, word, kind="tick", turn=-45, told=rater.rater)
        for j in range(len(codes)):
            place = (left + j * cell, top + i * cell)
            _draw_cell(drawing, place, cell, each.pairwise_ccc[i, j] if i != j else None)
    _draw_colors(drawing, left, top + end + 16, min(end, 240))
    return str(drawing)


def plot_lags(dimensions: Sequence[DimensionAgreement]) -> str:
    """How late each rater is in each dimension; filled where a calibration clip told it."""
    raters = sorted({rater.rater for each in dimensions for rater in each.raters})
    lags = [rater.lag_seconds for each in dimensions for rater in each.raters]
    known = [lag for lag in lags if np.isfinite(lag)]
    left, bottom = 112.0, 34.0 + _ROW * len(raters)
    drawing = Drawing(_WIDE, bottom + 44, "Lag of each rater in seconds")
    scale = Scale(0, max([1.0, *known]) * 1.06, left, _WIDE - 12)
    drawing.key(left, 14, _keys(dimensions))
    drawing.x_axis(scale, 24, bottom, "lag, seconds after what was seen", about=8)
    for row, code in enumerate(raters):
        y = 36.0 + _ROW * row
        drawing.text(left - 10, y + 4, shortened(code), anchor="end", kind="tick", told=code)
        for tone, each in enumerate(dimensions):
            for rater in each.raters:
                if rater.rater == code:
                    offset = (tone - (len(dimensions) - 1) / 2) * 7
                    _draw_lag(drawing, scale, y + offset, rater, (tone, each.dimension))
    return str(drawing)


def plot_sessions(each: DimensionAgreement) -> str:
    """CCC of each session with its interval, least agreement first; hollow with the flagged."""
    sessions = hardest_first(each)[:SHOWN_SESSIONS]
    everyone = {
        session.session: session.estimates["ccc"].value for session in each.everyone.sessions
    }
    left, bottom = 88.0, 34.0 + _ROW * len(sessions)
    drawing = Drawing(_HALF, bottom + 44, f"CCC by session, {each.dimension}")
    ends = [session.estimates["ccc"] for session in sessions]
    lows = [x for e in ends for x in (e.value, e.low) if np.isfinite(x)] + list(everyone.values())
    scale = Scale(min([0.0, *(x for x in lows if np.isfinite(x))]), 1, left, _HALF - 10)
    words = [("tone0", "unflagged raters" if each.has_flagged else "all raters")]
    drawing.key(left, 14, [*words, *([("hollow", "all raters")] if each.has_flagged else [])])
    drawing.x_axis(scale, 24, bottom, "mean CCC of the pairs of raters", about=6)
    for row, session in enumerate(sessions):
        y = 36.0 + _ROW * row
        name = session.session
        drawing.text(left - 10, y + 4, shortened(name), anchor="end", kind="tick", told=name)
        if each.has_flagged and np.isfinite(everyone[name]):
            drawing.dot(scale(everyone[name]), y, "hollow", radius=3.5)
        _draw_estimate(drawing, scale, y, session.estimates["ccc"])
    return str(drawing)


def plot_needed(dimensions: Sequence[DimensionAgreement]) -> str:
    """ICC(A,k) that the mean of k raters would have, with the band of the interval."""
    most = max([12, *(len(each.raters) + 2 for each in dimensions)])
    drawing = Drawing(_WIDE, 300, "ICC(A,k) by the number of raters")
    x, y = Scale(1, most, 60, _WIDE - 12), Scale(0, 1, 246, 30)
    drawing.key(60, 14, [*_keys(dimensions, is_measured=False)])
    drawing.x_axis(x, 30, 246, "raters", about=most)
    drawing.y_axis(y, 60, _WIDE - 12, "ICC(A,k)")
    drawing.line((60, _WIDE - 12), (y(0.8), y(0.8)), "aim")
    drawing.text(_WIDE - 14, y(0.8) + 14, "aim 0.8", anchor="end", kind="tick")
    for tone, each in enumerate(dimensions):
        single = each.without_flagged["icc_a_1"]
        raters = range(1, most + 1)
        if np.isfinite(single.low) and np.isfinite(single.high):
            edges = [
                [(x(k), y(_of_mean(end, k))) for k in raters] for end in (single.low, single.high)
            ]
            drawing.shape([*edges[0], *reversed(edges[1])], f"band tone{tone % 4}")
        if np.isfinite(single.value):
            drawing.curve([(x(k), y(_of_mean(single.value, k))) for k in raters], f"tone{tone % 4}")
            now = len(each.unflagged.raters)
            told = f"{each.dimension}: {now} unflagged raters"
            mark = drawing.diamond if tone == 1 else drawing.dot
            mark(x(now), y(_of_mean(single.value, now)), f"tone{tone % 4}", told=told)
    return str(drawing)


def _of_mean(single: float, raters: float) -> float:
    """Spearman and Brown's step from one rater to the mean of several, at least 0."""
    return max(0.0, raters * single / (1 + (raters - 1) * single)) if single > 0 else 0.0


def _marked(rater: RaterAgreement) -> str:
    return f"{shortened(rater.rater)}{' *' if rater.doubt else ''}"


def _draw_cell(
    drawing: Drawing, place: tuple[float, float], cell: float, value: float | None
) -> None:
    (x, y), inner = place, cell - 1.5
    if value is None or not np.isfinite(value):
        drawing.bar((x, x + inner), (y, y + inner), "empty")
        return
    color = _color(value)
    drawing.bar((x, x + inner), (y, y + inner), fill="#{:02x}{:02x}{:02x}".format(*color))
    words = f"{value:.2f}" if cell > _MATRIX_PIXELS / _MANY else f"{value:.2f}".replace("0.", ".")
    size = "cell" if cell > _MATRIX_PIXELS / _MANY else "cell small"
    middle = (x + inner / 2, y + inner / 2 + 4)
    drawing.text(*middle, words, anchor="middle", kind=size, fill=_ink_on(color))


def _color(value: float) -> tuple[int, int, int]:
    end = _BLUE if value >= 0 else _ORANGE
    share = min(abs(value), 1.0)
    red, green, blue = (round(w + share * (e - w)) for w, e in zip(_WHITE, end, strict=True))
    return red, green, blue


def _ink_on(color: tuple[int, int, int]) -> str:
    """Light or dark, whichever stands out more; contrast as WCAG 2.1 counts it."""
    parts = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in color]  # noqa: PLR2004 (WCAG's linear part)
    light = 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    return _LIGHT_INK if 1.05 / (light + 0.05) > (light + 0.05) / 0.05 else _DARK_INK


def _draw_colors(drawing: Drawing, left: float, top: float, width: float) -> None:
    """What the colors stand for."""
    steps = 41
    for step in range(steps):
        value = 2 * step / (steps - 1) - 1
        at = left + step * width / steps
        fill = "#{:02x}{:02x}{:02x}".format(*_color(value))
        drawing.bar((at, at + width / steps + 0.3), (top, top + 9), fill=fill)
    for share, words in ((0, "-1"), (0.5, "0"), (1, "1")):
        drawing.text(left + share * width, top + 24, words, anchor="middle", kind="tick")


def _draw_lag(
    drawing: Drawing, scale: Scale, y: float, rater: RaterAgreement, about: tuple[int, str]
) -> None:
    tone, dimension = about
    if not np.isfinite(rater.lag_seconds):
        drawing.text(scale.start + 6, y + 4, f"{dimension}: none found", kind="tick")
        return
    hollow = "" if rater.lag_source == "calibration clip" else " open"
    told = f"{rater.rater}, {dimension}: {rater.lag_seconds:.2f} s, told by {rater.lag_source}"
    mark = drawing.diamond if tone == 1 else drawing.dot
    drawing.line((scale.start, scale(rater.lag_seconds)), (y, y), f"stem tone{tone % 4}")
    mark(scale(rater.lag_seconds), y, f"tone{tone % 4}{hollow}", told=told)


def _draw_estimate(drawing: Drawing, scale: Scale, y: float, each: Estimate) -> None:
    if not np.isfinite(each.value):
        drawing.text(scale.start + 6, y + 4, "not known", kind="tick")
        return
    if np.isfinite(each.low):
        drawing.line((scale(each.low), scale(each.high)), (y, y), "span tone0")
    told = f"{each.value:.2f} [{each.low:.2f}, {each.high:.2f}]"
    drawing.dot(scale(each.value), y, "tone0", told=told)


def _keys(
    dimensions: Sequence[DimensionAgreement], *, is_measured: bool = True
) -> list[tuple[str, str]]:
    words = [(f"tone{tone % 4}", each.dimension) for tone, each in enumerate(dimensions)]
    if not is_measured:
        return words
    return [*words, ("plain", "from the calibration clip"), ("plain open", "from the traces")]
