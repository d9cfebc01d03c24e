"""Scores of predictions against labels, by dimension and by grouping.

Every score carries its grouping's name, for they are different quantities: `pooled` takes all
frames together, `sessions` one session at a time, `mean_of_sessions` averages those that are
defined, and `groups` pools the frames of sessions that share a setting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from baselines.confusion import accuracy, class_f1, confusion, f1_macro
from baselines.moments import Moments, total_of
from mavfer.errors import CommandError
from mavfer.metrics import MEASURES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    Columns = Mapping[str, Sequence[Any] | NDArray[Any]]

__all__ = ["CLASS_SCORES", "EXPRESSION", "SCORES", "dimensions_of", "scores_of", "session_moments"]

SCORES: Final = ("ccc", "pearson", "rmse", "mae", "sagr")
"""Of every dimension, from sums alone."""
CLASS_SCORES: Final = ("accuracy", "f1_macro")
"""Of expression classes."""
EXPRESSION: Final = "expression"

_LABEL: Final = "_label"
_PROBABILITY: Final = "probability_"
_DECIMALS: Final = 6

Score = dict[str, Any]


def scores_of(
    columns: Columns, groups: Sequence[str] | None = None, more: Sequence[str] = ()
) -> dict[str, Any]:
    """Scores by dimension, and those of expression classes where they were predicted.

    Args:
        columns: As predictions.csv has them; None and NaN are empty.
        groups: (N,), the group of each row.
        more: Names in `mavfer.metrics.MEASURES` to add to `SCORES`.

    Raises:
        CommandError: There is no such measure.
    """
    unknown = [name for name in more if name not in MEASURES]
    if unknown:
        message = f"no measure {unknown[0]!r}. There are: {', '.join(MEASURES)}"
        raise CommandError(message)
    scores = {name: _of_dimension(columns, name, groups, more) for name in dimensions_of(columns)}
    if f"{EXPRESSION}{_LABEL}" in columns:
        scores[EXPRESSION] = _of_classes(columns, groups)
    return scores


def dimensions_of(columns: Iterable[str]) -> list[str]:
    """Dimensions that predictions.csv has columns of."""
    names = list(columns)
    return [name for name in names if f"{name}{_LABEL}" in names and name != EXPRESSION]


def session_moments(columns: Columns, dimension: str) -> dict[str, Moments]:
    """The sums of each session, in the order of the rows."""
    predicted, label = _pair(columns, dimension)
    return {
        session: Moments.of(predicted[rows], label[rows])
        for session, rows in _rows_by(columns["session"]).items()
    }


def _of_dimension(
    columns: Columns, name: str, groups: Sequence[str] | None, more: Sequence[str]
) -> dict[str, Any]:
    sums = session_moments(columns, name)
    pair, rows = _pair(columns, name), _rows_by(columns["session"])
    each = {key: _score(part, _others(pair, [rows[key]], more)) for key, part in sums.items()}
    whole = _score(total_of(sums.values()), _others(pair, list(rows.values()), more))
    scores = {
        "pooled": whole,
        "mean_of_sessions": _means(each.values(), (*SCORES, *more)),
        "sessions": each,
    }
    if groups is not None:
        scores["groups"] = {
            group: _score(
                total_of(sums[key] for key in keys), _others(pair, [rows[k] for k in keys], more)
            )
            for group, keys in _sessions_by(columns["session"], groups).items()
        }
    return scores


def _of_classes(columns: Columns, groups: Sequence[str] | None) -> dict[str, Any]:
    predicted, label = _pair(columns, EXPRESSION)
    classes = sum(name.startswith(_PROBABILITY) for name in columns)
    counts = {
        session: confusion(predicted[rows], label[rows], classes)
        for session, rows in _rows_by(columns["session"]).items()
    }
    whole = np.sum(list(counts.values()), axis=0)
    each = {session: _class_score(part) for session, part in counts.items()}
    scores = {
        "pooled": _class_score(whole),
        "mean_of_sessions": _means(each.values(), CLASS_SCORES),
        "sessions": each,
        "f1_by_class": [_rounded(value) for value in class_f1(whole)],
        "confusion": whole.tolist(),
    }
    if groups is not None:
        scores["groups"] = {
            group: _class_score(np.sum([counts[key] for key in keys], axis=0))
            for group, keys in _sessions_by(columns["session"], groups).items()
        }
    return scores


def _score(moments: Moments, others: Mapping[str, float]) -> Score:
    """One number a measure, None where it is not defined, and the frames behind them."""
    of_sums: dict[str, Callable[[], float]] = {name: getattr(moments, name) for name in SCORES}
    score: Score = {name: _rounded(measure()) for name, measure in of_sums.items()}
    return score | {k: _rounded(v) for k, v in others.items()} | {"frames": moments.frames}


def _class_score(counts: NDArray[np.int64]) -> Score:
    return {
        "accuracy": _rounded(accuracy(counts)),
        "f1_macro": _rounded(f1_macro(counts)),
        "frames": int(counts.sum()),
    }


def _others(
    pair: tuple[NDArray[np.float64], NDArray[np.float64]],
    sessions: Sequence[NDArray[np.int64]],
    more: Sequence[str],
) -> dict[str, float]:
    """Measures that sums do not say; sessions are kept apart, so that no step leads across."""
    if not more:
        return {}
    gap = np.array([np.nan])
    joined = [
        np.concatenate([part for rows in sessions for part in (values[rows], gap)])
        for values in pair
    ]
    return {name: MEASURES[name](*joined) for name in more}  # type: ignore[index]


def _pair(columns: Columns, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Predictions and labels (N,), NaN where empty."""
    return (
        np.array(columns[name], np.float64),
        np.array(columns[f"{name}{_LABEL}"], np.float64),
    )


def _rows_by(keys: Sequence[Any] | NDArray[Any]) -> dict[str, NDArray[np.int64]]:
    """Rows of each key, keys in the order in which they come."""
    array = np.array(keys, object)
    return {str(key): np.flatnonzero(array == key) for key in dict.fromkeys(array)}


def _sessions_by(
    sessions: Sequence[Any] | NDArray[Any], groups: Sequence[str]
) -> dict[str, list[str]]:
    """Sessions of each group; a session has one group."""
    group_of = dict(zip(map(str, sessions), groups, strict=True))
    return {
        group: [key for key, own in group_of.items() if own == group]
        for group in dict.fromkeys(groups)
    }


def _means(scores: Iterable[Score], names: Sequence[str]) -> Score:
    held = list(scores)
    return {name: _mean([score[name] for score in held]) for name in names}


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return round(float(np.mean(there)), _DECIMALS) if there else None


def _rounded(value: float) -> float | None:
    return round(float(value), _DECIMALS) if np.isfinite(value) else None
