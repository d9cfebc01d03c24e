"""Charts of single raters: what values they give, and Bland and Altman's picture of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.report.svg import Drawing, Scale, shortened, signed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mavfer.labelling.agree import DimensionAgreement
    from mavfer.labelling.raters import RaterAgreement

    Floats = NDArray[np.float64]

__all__ = ["SHOWN_RATERS", "plot_bland_altman", "plot_values"]

SHOWN_RATERS: Final = 12
"""Raters with a picture of their own: the flagged first, then those least like the others."""

_BINS: Final = (44, 30)
"""Cells of a picture, across and up."""
_SHOWN_SHARE: Final = 0.995
_SHADES: Final = (0.0, 0.05, 0.2, 0.5)
"""Share of the fullest cell from which on a cell is darker."""
_VALUE_BINS: Final = 61
_ROW: Final = 38
_WIDTH: Final = 462
_SIZE: Final = (304, 246)
_TOP: Final = 40


def plot_values(each: DimensionAgreement, limits: tuple[float, float]) -> str:
    """How often each rater gave each value: an outline, the middle half, and the median."""
    left, bottom = 88.0, 26.0 + _ROW * len(each.raters)
    drawing = Drawing(_WIDTH, bottom + 44, f"Values of each rater, {each.dimension}")
    scale = Scale(*limits, left, _WIDTH - 12)
    drawing.x_axis(scale, 12, bottom, each.dimension, about=5)
    edges = np.linspace(*limits, _VALUE_BINS + 1)
    for row, (rater, trace) in enumerate(zip(each.raters, each.traces, strict=True)):
        y = 14.0 + _ROW * (row + 0.5)
        name = shortened(rater.rater) + (" *" if rater.doubt else "")
        drawing.text(left - 10, y + 4, name, anchor="end", kind="tick", told=rater.rater)
        known = trace[np.isfinite(trace)]
        if len(known):
            kind = "flagged" if rater.doubt else "tone0"
            counts, _ = np.histogram(known, edges)
            middles = [scale(value) for value in (edges[1:] + edges[:-1]) / 2]
            _draw_outline(drawing, y, middles, counts / max(1, counts.max()), kind)
            first, median, third = np.quantile(known, (0.25, 0.5, 0.75)).tolist()
            drawing.line((scale(first), scale(third)), (y, y), f"span {kind}")
            drawing.dot(scale(median), y, kind, told=f"median {median:.2f}")
    return str(drawing)


def plot_bland_altman(each: DimensionAgreement) -> list[str]:
    """Difference of each rater from the mean of the others, over the mean of both.

    The flagged come first, then those least like the others, SHOWN_RATERS at most. All unflagged
    raters share a scale, and each flagged one has an own.

    Source: Bland and Altman 1986, Lancet 327, 307-310.
    """
    places = range(len(each.raters))
    usual = [at for at in places if not each.raters[at].doubt]
    order = sorted(places, key=lambda at: (at in usual, np.nan_to_num(each.raters[at].ccc, nan=1)))
    common = _reach(each, usual)
    return [
        _plot_differences(each, at, common if at in usual else _reach(each, [at]))
        for at in order[:SHOWN_RATERS]
    ]


def span_of(each: DimensionAgreement) -> tuple[float, float]:
    """Lowest and highest value that any rater gave; never the same."""
    known = each.traces[np.isfinite(each.traces)]
    if not len(known):
        return -1.0, 1.0
    low, high = float(known.min()), float(known.max())
    return (low, high) if high > low else (low - 1, high + 1)


def _reach(each: DimensionAgreement, rows: list[int]) -> float:
    """Largest difference of some raters to be shown: their limits, and 99.5 % of the frames."""
    differences = np.abs(each.traces[rows] - each.others[rows])
    known = differences[np.isfinite(differences)]
    limits = [abs(limit) for at in rows for limit in each.raters[at].limits if np.isfinite(limit)]
    far = float(np.quantile(known, _SHOWN_SHARE)) if len(known) else 0.0
    return max([far, *limits, 1e-9]) * 1.08


def _plot_differences(each: DimensionAgreement, at: int, reach: float) -> str:
    rater = each.raters[at]
    mean = (each.traces[at] + each.others[at]) / 2
    difference = each.traces[at] - each.others[at]
    known = np.isfinite(difference)
    drawing = Drawing(*_SIZE, f"Bland-Altman, {rater.rater}, {each.dimension}")
    head = shortened(rater.rater) + (" *" if rater.doubt else "")
    drawing.text(46, 14, head, kind="head", told=rater.rater)
    drawing.text(46, 30, _limits_told(rater), kind="tick")
    low, high = span_of(each)
    x, y = Scale(low, high, 46, _SIZE[0] - 8), Scale(-reach, reach, _SIZE[1] - 40, _TOP)
    drawing.x_axis(x, _TOP, _SIZE[1] - 40, "mean of the rater and the others")
    drawing.y_axis(y, 46, _SIZE[0] - 8, "difference")
    _draw_density(drawing, (x, y), mean[known], difference[known], bool(rater.doubt))
    _draw_limits(drawing, y, rater)
    return str(drawing)


def _draw_outline(
    drawing: Drawing, y: float, places: list[float], shares: Floats, kind: str
) -> None:
    """As thick as the root of a share, so that rare values can be seen."""
    thick = np.sqrt(shares) * (_ROW / 2 - 3)
    upper = [(x, y - t) for x, t in zip(places, thick, strict=True)]
    lower = [(x, y + t) for x, t in zip(places, thick, strict=True)]
    drawing.shape([*upper, *reversed(lower)], f"band {kind}")


def _draw_density(
    drawing: Drawing,
    scales: tuple[Scale, Scale],
    mean: Floats,
    difference: Floats,
    is_flagged: bool,
) -> None:
    """Cells, darker the more frames are in them: frames are too many for points."""
    x, y = scales
    kind = "flagged" if is_flagged else "tone0"
    box: Any = [[x.low, x.high], [y.low, y.high]]
    counts, xs, ys = np.histogram2d(mean, np.clip(difference, y.low, y.high), _BINS, box)
    fullest = counts.max()
    size = (abs(x.end - x.start) / _BINS[0], abs(y.end - y.start) / _BINS[1])
    for shade, (share, above) in enumerate(zip(_SHADES, (*_SHADES[1:], 2.0), strict=True)):
        chosen = (counts > share * fullest) & (counts <= above * fullest)
        places = ((x(xs[i]), y(ys[j]) - size[1]) for i, j in np.argwhere(chosen))
        drawing.cells(places, size, f"shade{shade} {kind}")


def _draw_limits(drawing: Drawing, y: Scale, rater: RaterAgreement) -> None:
    for value, kind in ((rater.bias, "bias"), *((limit, "limit") for limit in rater.limits)):
        if np.isfinite(value) and y.low <= value <= y.high:
            drawing.line((46, _SIZE[0] - 8), (y(value), y(value)), kind)


def _limits_told(rater: RaterAgreement) -> str:
    if not np.isfinite(rater.limits[0]):
        return "nothing to compare"
    low, high = rater.limits
    return f"bias {signed(rater.bias)}, limits {signed(low)} to {signed(high)}"
