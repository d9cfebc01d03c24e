"""Scores of a finished run, from its predictions alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer import metrics
from mavfer.errors import CommandError
from mavfer.study.results import FinishedRun
from mavfer.study.shard_index import read_index
from mavfer.study.study import Study

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["evaluate_run", "scores_of", "scores_text"]

_MEASURES: Final = {"ccc": metrics.ccc, "pearson": metrics.pearson, "rmse": metrics.rmse}
_LABEL: Final = "_label"

Score = dict[str, float | int | None]


def evaluate_run(run: Path, *, by: str | None = None) -> dict[str, Any]:
    """The run's scores, recomputed from predictions.csv.

    Args:
        run: A folder under results/.
        by: A setting of the sessions, such as "lighting"; its values are scored apart too.

    Returns:
        run, model, part and, by dimension, what `scores_of` says.

    Raises:
        NotFound: There is no finished run.
        InvalidFile: A file of it is torn or against its schema.
        CommandError: The sessions have no such setting.
    """
    finished = FinishedRun.open(run)
    result, columns = finished.document, finished.predictions()
    groups = None if by is None else _settings_of(run, columns["session"], by)
    return {
        "run": result["run"],
        "model": result["model"],
        "part": finished.part,
        "scores": scores_of(columns, groups),
    }


def scores_of(
    columns: Mapping[str, Sequence[Any] | NDArray[Any]], groups: Sequence[str] | None = None
) -> dict[str, Any]:
    """CCC, Pearson and RMSE of predictions against labels, by dimension.

    Every score carries its grouping's name, for they are different quantities: `pooled` takes all
    frames together, `sessions` one session at a time, `mean_of_sessions` averages those that are
    defined, and `groups` pools the frames of sessions that share a setting.

    Args:
        columns: As predictions.csv has them; None and NaN are empty.
        groups: (N,), the group of each row.
    """
    sessions = np.array(columns["session"], object)
    dimensions = [name for name in columns if f"{name}{_LABEL}" in columns]
    scores = {}
    for name in dimensions:
        predicted, label = (np.array(columns[key], np.float64) for key in (name, f"{name}{_LABEL}"))
        each = _grouped(predicted, label, sessions)
        scores[name] = {
            "pooled": _score(predicted, label),
            "mean_of_sessions": {m: _mean([s[m] for s in each.values()]) for m in _MEASURES},
            "sessions": each,
        }
        if groups is not None:
            scores[name]["groups"] = _grouped(predicted, label, np.array(groups, object))
    return scores


def scores_text(document: Mapping[str, Any]) -> str:
    """The pooled scores of `evaluate_run` as lines for people."""
    lines = [f"{document['run']}, part {document['part']}"]
    for dimension, scores in document["scores"].items():
        rows = {"pooled": scores["pooled"], "mean of sessions": scores["mean_of_sessions"]}
        rows |= scores.get("groups", {})
        for grouping, score in rows.items():
            told = "  ".join(f"{measure} {_told(score[measure])}" for measure in _MEASURES)
            lines.append(f"  {dimension:<9}{grouping:<18}{told}")
    return "\n".join(lines)


def _settings_of(run: Path, sessions: Sequence[str] | NDArray[Any], setting: str) -> list[str]:
    """The value of a setting for each row's session, from the study that holds the run."""
    study = Study.open(run.resolve().parent.parent)
    lines = {line["session"]: line["settings"] for line in read_index(study, is_checked=False)}
    known = sorted({key for name in set(sessions) & lines.keys() for key in lines[name]})
    if setting not in known:
        message = f"--by {setting}: the sessions have no such setting. There are: {known}"
        raise CommandError(message)
    return [str(lines.get(name, {}).get(setting)) for name in sessions]


def _grouped(
    predicted: NDArray[np.float64], label: NDArray[np.float64], groups: NDArray[np.object_]
) -> dict[str, Score]:
    return {
        str(group): _score(predicted[groups == group], label[groups == group])
        for group in dict.fromkeys(groups)
    }


def _score(predicted: NDArray[np.float64], label: NDArray[np.float64]) -> Score:
    """One number a measure, None where it is not defined, and the frames behind them."""
    score: Score = {}
    for name, measure in _MEASURES.items():
        value = measure(predicted, label)
        score[name] = round(float(value), 6) if np.isfinite(value) else None
    score["frames"] = int(np.isfinite(predicted + label).sum())
    return score


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return round(float(np.mean(there)), 6) if there else None


def _told(value: float | None) -> str:
    return "   -  " if value is None else f"{value:6.3f}"
