"""How the measures of a session are spread, with the limits of validity drawn in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.report.svg import Drawing, Scale
from mavfer.vision.validity import MAX_AGREEMENT, MIN_COVERAGE, MIN_INSIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mavfer.report.quality.facts import SessionFacts

__all__ = ["draw_heaps"]

_WIDTH, _HEIGHT = 300, 158
_LEFT, _TOP, _BOTTOM = 34, 26, 116
_BINS: Final = 24
_EDGE: Final = 4


@dataclass(frozen=True)
class _Measure:
    """One column of the quality and how it is told."""

    column: str
    title: str
    low: float | None = None
    """Left end of the axis; the least value where None."""
    high: float | None = None
    least: float | None = None
    """Limit of validity: less is not valid."""
    most: float | None = None
    """Limit of validity: more is not valid."""


_MEASURES: Final = (
    _Measure("agreement", "agreement, % of eye distance", low=0, most=MAX_AGREEMENT),
    _Measure("inside", "share of the face in the frame", low=0, high=1, least=MIN_INSIDE),
    _Measure("depth_coverage", "share covered by depth", low=0, high=1, least=MIN_COVERAGE),
    _Measure("thermal_coverage", "share covered by thermal", low=0, high=1, least=MIN_COVERAGE),
    _Measure("score", "score of the detector"),
    _Measure("blur", "sharpness (Laplacian)", low=0),
    _Measure("brightness", "brightness, 0 to 255", low=0),
    _Measure("carry_residual_mm", "carried: residual, mm", low=0),
    _Measure("carry_uncertainty_mm", "carried: uncertainty, mm", low=0),
)


def draw_heaps(facts: SessionFacts) -> str:
    """A histogram of each measure that the session has."""
    drawings = []
    for measure in _MEASURES:
        values = facts.measure(measure.column)
        known = values[np.isfinite(values)]
        if known.size:
            drawings.append(f"<figure>{_draw_heap(measure, known)}</figure>")
    return '<div class="small-charts">\n' + "\n".join(drawings) + "\n</div>"


def _draw_heap(measure: _Measure, values: NDArray[np.float64]) -> str:
    x = Scale(*_ends(measure, values), _LEFT, _WIDTH - 14)
    counts, borders = np.histogram(np.clip(values, x.low, x.high), _BINS, (x.low, x.high))
    y = Scale(0, float(counts.max()) * 1.05, _BOTTOM, _TOP)
    drawing = Drawing(_WIDTH, _HEIGHT, f"Frames by {measure.title}")
    drawing.text(_LEFT, 14, measure.title, kind="head")
    drawing.line((x.start, x.end), (_BOTTOM, _BOTTOM), "zero")
    for count, left, right in zip(counts, borders[:-1], borders[1:], strict=True):
        if count:
            kind = "heap-off" if _is_off(measure, (left + right) / 2) else "heap"
            top = min(y(float(count)), _BOTTOM - 1.5)
            drawing.bar((x(left) + 0.5, x(right) - 0.5), (top, _BOTTOM), kind)
    _draw_limits(drawing, measure, x)
    for value in x.ticks(4):
        drawing.text(x(value), _BOTTOM + 15, f"{value:g}", anchor="middle", kind="tick")
    drawing.text(_LEFT, _BOTTOM + 33, _told(values), kind="tick")
    return str(drawing)


def _draw_limits(drawing: Drawing, measure: _Measure, x: Scale) -> None:
    for limit, words in ((measure.least, "least"), (measure.most, "most")):
        if limit is not None and x.low <= limit <= x.high:
            is_left = x(limit) < (x.start + x.end) / 2
            drawing.line((x(limit), x(limit)), (_TOP - 4, _BOTTOM), "rim")
            place = x(limit) + (_EDGE if is_left else -_EDGE)
            anchor = "start" if is_left else "end"
            drawing.text(place, _TOP + 8, f"{words} {limit:g}", anchor=anchor, kind="tick")


def _ends(measure: _Measure, values: NDArray[np.float64]) -> tuple[float, float]:
    """The axis: what the measure can be, or where its values are, limits included."""
    low = measure.low if measure.low is not None else float(values.min())
    high = measure.high if measure.high is not None else float(values.max())
    if measure.most is not None:
        high = max(high, 1.3 * measure.most)
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _is_off(measure: _Measure, value: float) -> bool:
    is_less = measure.least is not None and value < measure.least
    return is_less or (measure.most is not None and value > measure.most)


def _told(values: NDArray[np.float64]) -> str:
    low, middle, high = np.percentile(values, (5, 50, 95))
    return f"median {middle:.3g}; 5 to 95 %: {low:.3g} to {high:.3g}"
