"""The reaction-time clip: a drawn face whose expression jumps, and how late a rater follows it.

The clip is no video: the page draws it, frame by frame, from the steps below; a program that rates
over HTTP gets the same steps. A take of it is a take like any other, of the session "calibration".
The lag between the drawn target and what the rater gave is the rater's reaction time, with the
device's delay in it: what has to be taken off that rater's ratings (ours; the lag of continuous
ratings: Mariooryad and Busso 2015, IEEE TAC 6(2), 97-108).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from annotator_web.project import CALIBRATION
from mavfer.fusion import estimate_lags
from mavfer.metrics import pearson

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from annotator_web.project import Dimension, Project

__all__ = [
    "FRAMES",
    "MOST_DIMENSIONS",
    "RATE_HZ",
    "SECONDS",
    "clip_document",
    "dimensions_of",
    "reaction_of",
    "target_at",
]

SECONDS: Final = 18.0
"""Length of the clip."""

RATE_HZ: Final = 60
"""Frames a second that the clip is drawn at."""

FRAMES: Final = int(SECONDS * RATE_HZ)

MOST_DIMENSIONS: Final = 2
"""Dimensions that the face can show at once."""

_TRANSITION_SECONDS: Final = 0.2

# Start in seconds, then the place on the plane as shares of the scale, -1 to 1: first dimension,
# second dimension. The pauses differ, so that no lag but the true one fits.
_STEPS: Final = np.array(
    [
        (0.0, 0.0, 0.0),
        (1.6, 0.6, 0.7),
        (3.8, -0.5, 0.5),
        (5.3, 0.2, -0.8),
        (7.7, 0.8, -0.3),
        (9.2, -0.7, -0.6),
        (11.7, 0.5, 0.4),
        (13.5, -0.3, 0.8),
        (15.6, -0.8, -0.2),
    ]
)

_LONGEST_REACTION_SECONDS: Final = 3.0
_LAG_RATE_HZ: Final = 100
_LEAST_CORRELATION: Final = 0.5
"""Below, the rater did not follow, and no reaction time can be told."""

_LEAST_SECONDS: Final = SECONDS / 2


def dimensions_of(project: Project) -> tuple[Dimension, ...]:
    """What the clip moves: the dimensions rated at once, so that the hand does the same."""
    at_once = 1 if project.mode == "one_at_a_time" else MOST_DIMENSIONS
    return project.dimensions[:at_once]


def clip_document(dimensions: Sequence[Dimension]) -> dict[str, Any]:
    """What the page and programs get: the steps, in units of the scale."""
    places = _places(dimensions)
    return {
        "session": CALIBRATION,
        "seconds": SECONDS,
        "rate_hz": RATE_HZ,
        "frames": FRAMES,
        "transition_seconds": _TRANSITION_SECONDS,
        "steps": [
            {
                "start_seconds": float(start),
                **{d.name: float(v) for d, v in zip(dimensions, row, strict=True)},
            }
            for start, row in zip(_STEPS[:, 0], places, strict=True)
        ],
    }


def target_at(
    times_seconds: NDArray[np.float64], dimensions: Sequence[Dimension]
) -> NDArray[np.float64]:
    """Where the drawn face is, (dimensions, T), in units of the scale.

    From step to step it moves within 0.2 s along half a cosine.
    """
    places = _places(dimensions)
    step = np.clip(np.searchsorted(_STEPS[:, 0], times_seconds, side="right") - 1, 0, None)
    since = (times_seconds - _STEPS[step, 0]) / _TRANSITION_SECONDS
    share = 0.5 - 0.5 * np.cos(np.pi * np.clip(since, 0, 1))
    before = places[np.maximum(step - 1, 0)]
    target: NDArray[np.float64] = (before + share[:, None] * (places[step] - before)).T
    return target


def reaction_of(
    media_time: NDArray[np.float64],
    values: NDArray[np.float64],
    dimensions: Sequence[Dimension],
) -> float | None:
    """Seconds by which a rater followed the clip; None where the rater did not follow it.

    Args:
        media_time: (N,), seconds of the clip.
        values: (dimensions, N), what was given; NaN where nothing was.
        dimensions: The dimensions of `values`.
    """
    is_known = np.isfinite(values).all(axis=0)
    times, given = media_time[is_known], values[:, is_known]
    order = np.unique(times, return_index=True)[1]
    times, given = times[order], given[:, order]
    if not len(times) or times[-1] - times[0] < _LEAST_SECONDS:
        return None
    moments = np.arange(0, SECONDS, 1 / _LAG_RATE_HZ)
    rated = [np.interp(moments, times, row, np.nan, np.nan) for row in given]
    target = target_at(moments, dimensions)
    return _lag(_joined(map(_levelled, rated)), _joined(map(_levelled, target)))


def _levelled(row: NDArray[np.float64]) -> NDArray[np.float64]:
    """The row about 0 with spread 1, so that each dimension counts alike, whatever its scale.

    On a scale without ends raters use any stretch of it; a row that never moves stays 0.
    """
    level, spread = np.nanmean(row), np.nanstd(row)
    levelled: NDArray[np.float64] = (row - level) / spread if spread > 0 else row - level
    return levelled


def _joined(rows: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    """One row of all, with so much nothing between them that no lag brings two of them together."""
    gap = np.full(int(_LONGEST_REACTION_SECONDS * _LAG_RATE_HZ), np.nan)
    return np.concatenate([part for row in rows for part in (row, gap)])


def _lag(rated: NDArray[np.float64], target: NDArray[np.float64]) -> float | None:
    """Seconds that `rated` is behind `target`; None where it does not follow it."""
    lag = estimate_lags(rated[None], _LAG_RATE_HZ, _LONGEST_REACTION_SECONDS, reference=target)[0]
    if np.isnan(lag):
        return None
    frames = round(lag * _LAG_RATE_HZ)
    follows = pearson(rated[frames:], target[: len(target) - frames]) >= _LEAST_CORRELATION
    return round(float(lag), 3) if follows else None


def _places(dimensions: Sequence[Dimension]) -> NDArray[np.float64]:
    """The steps' places (steps, dimensions), from shares to units of the scale."""
    low = np.array([dimension.low for dimension in dimensions])
    high = np.array([dimension.high for dimension in dimensions])
    shares = _STEPS[:, 1 : 1 + len(dimensions)]
    places: NDArray[np.float64] = low + (shares + 1) / 2 * (high - low)
    return places
