"""Scores of finished runs, from their predictions alone."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from baselines.compare import ccc_interval, compare_ccc, holm
from baselines.scores import dimensions_of, scores_of, session_moments
from mavfer.errors import CommandError
from mavfer.study.results import FinishedRun
from mavfer.study.shard_index import read_index
from mavfer.study.study import Study

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from baselines.compare import Interval
    from baselines.moments import Moments

__all__ = ["compare_runs", "evaluate_group", "evaluate_run"]

Columns = dict[str, "NDArray[Any]"]

_OF_THE_MACHINE: Final = {"device", "threads", "checkpoint_every", "attention_frames"}
"""Options in which seeds of one model may differ."""


def evaluate_run(run: Path, *, by: str | None = None, more: Sequence[str] = ()) -> dict[str, Any]:
    """The run's scores, recomputed from predictions.csv.

    Args:
        run: A folder under results/.
        by: A setting of the sessions, such as "lighting"; its values are scored apart too.
        more: Names in `mavfer.metrics.MEASURES` to add.

    Returns:
        run, model, seed, part, by dimension what `scores_of` says, and by dimension the CCC's
        interval over subjects.

    Raises:
        NotFound: There is no finished run.
        InvalidFile: A file of it is torn or against its schema.
        CommandError: The sessions have no such setting, or there is no such measure.
    """
    finished = FinishedRun.open(run)
    result, columns = finished.document, finished.predictions()
    groups = None if by is None else _settings_of(run, columns["session"], by)
    return {
        "run": result["run"],
        "model": result["model"],
        "seed": result["seed"],
        "part": finished.part,
        "scores": scores_of(columns, groups, more),
        "intervals": {
            name: _interval(ccc_interval([session_moments(columns, name)]))
            for name in _scored_dimensions([columns])
        },
    }


def evaluate_group(
    runs: Sequence[Path], *, by: str | None = None, more: Sequence[str] = ()
) -> dict[str, Any]:
    """Scores of several runs of one model: every one of them, and over all seeds.

    Args:
        runs: Folders under results/; those of one seed that scored other sessions (the folds of a
            split) are put together.
        by: As for `evaluate_run`.
        more: As for `evaluate_run`.

    Returns:
        runs (what `evaluate_run` says of each), and group: by dimension the pooled CCC of every
        seed, mean, deviation, and the interval over subjects.

    Raises:
        NotFound: There is no finished run.
        InvalidFile: A file of one is torn or against its schema.
        CommandError: The runs are of several models, or were scored on different frames.
    """
    seeds = _by_seed(runs)
    _require_same_labels(seeds)
    return {
        "runs": [evaluate_run(run, by=by, more=more) for run in runs],
        "group": {
            name: _interval(ccc_interval([session_moments(each, name) for each in seeds]))
            for name in _scored_dimensions(seeds)
        },
    }


def compare_runs(first: Sequence[Path], second: Sequence[Path]) -> dict[str, Any]:
    """Whether two models differ: paired over subjects, each by the mean over its seeds.

    Args:
        first: Runs of one model, one for each seed.
        second: Runs of the other; scored on the same frames with the same labels.

    Returns:
        By dimension: first, second, difference, low, high, p, and p_holm for all dimensions.

    Raises:
        NotFound: There is no finished run.
        InvalidFile: A file of one is torn or against its schema.
        CommandError: They were scored on different frames or labels.
    """
    one, two = _by_seed(first), _by_seed(second)
    _require_same_labels([*one, *two])
    names = _scored_dimensions([*one, *two])
    compared = {name: compare_ccc(_sums(one, name), _sums(two, name)) for name in names}
    adjusted = holm([each.p for each in compared.values()])
    return {
        name: {
            "first": _interval(each.first),
            "second": _interval(each.second),
            **_known({k: getattr(each, k) for k in ("difference", "low", "high", "p")}),
            **_known({"p_holm": p}),
        }
        for (name, each), p in zip(compared.items(), adjusted, strict=True)
    }


def _sums(seeds: Sequence[Columns], name: str) -> list[dict[str, Moments]]:
    return [session_moments(each, name) for each in seeds]


def _by_seed(runs: Sequence[Path]) -> list[Columns]:
    """The predictions of each seed, its folds joined, rows by session and frame."""
    finished = [FinishedRun.open(run) for run in runs]
    kinds = dict.fromkeys((run.model, str(run.document["modalities"])) for run in finished)
    if len(kinds) > 1:
        told = " and ".join(f"{model} on {streams}" for model, streams in kinds)
        message = f"runs of {told} are no seeds of one model. Compare them: RUN… --with RUN…"
        raise CommandError(message)
    _require_same_options(finished)
    seeds: dict[int, list[FinishedRun]] = {}
    for run in finished:
        seeds.setdefault(run.document["seed"], []).append(run)
    return [_joined(seed, folds) for seed, folds in sorted(seeds.items())]


def _require_same_options(runs: Sequence[FinishedRun]) -> None:
    first = runs[0].document["configuration"]
    for run in runs[1:]:
        other = run.document["configuration"]
        differ = [k for k in sorted(first | other) if first.get(k) != other.get(k)]
        differ = [key for key in differ if key not in _OF_THE_MACHINE]
        if differ:
            message = (
                f"{runs[0].folder.name} and {run.folder.name} differ in {', '.join(differ)}: they "
                f"are no seeds of one model. Compare them: RUN… --with RUN…"
            )
            raise CommandError(message)


def _joined(seed: int, folds: Sequence[FinishedRun]) -> Columns:
    tables = [run.predictions() for run in folds]
    held = [session for table in tables for session in dict.fromkeys(table["session"].tolist())]
    if len(held) > len(set(held)):
        names = ", ".join(run.folder.name for run in folds)
        message = f"{names}: the same sessions with the same seed {seed}. Leave one of them out"
        raise CommandError(message)
    whole = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    order = np.lexsort((whole["frame"], whole["session"]))
    return {name: column[order] for name, column in whole.items()}


def _require_same_labels(seeds: Sequence[Columns]) -> None:
    first = seeds[0]
    keys = ["session", "frame", *(f"{name}_label" for name in dimensions_of(first))]
    for other in seeds[1:]:
        for key in keys:
            if key not in other or not _is_same(first[key], other[key]):
                message = (
                    f"the runs differ in {key}: they were not scored on the same frames. "
                    f"Give runs of one split, part and label"
                )
                raise CommandError(message)


def _is_same(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return len(a) == len(b) and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def _scored_dimensions(seeds: Sequence[Columns]) -> list[str]:
    """Dimensions that every seed predicted and that somebody rated."""
    return [
        name
        for name in dimensions_of(seeds[0])
        if all(np.isfinite(each[name] + each[f"{name}_label"]).any() for each in seeds)
    ]


def _interval(interval: Interval) -> dict[str, Any]:
    document = _known(asdict(interval))
    return document | {"values": [_number(v) for v in interval.values]}


def _known(numbers: dict[str, Any]) -> dict[str, Any]:
    """Numbers as JSON takes them: rounded, None where unknown."""
    return {k: _number(v) if isinstance(v, float) else v for k, v in numbers.items()}


def _number(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


def _settings_of(run: Path, sessions: Iterable[str], setting: str) -> list[str]:
    """The value of a setting for each row's session, from the study that holds the run."""
    sessions = list(sessions)
    study = Study.open(run.resolve().parent.parent)
    lines = {line["session"]: line["settings"] for line in read_index(study, is_checked=False)}
    known = sorted({key for name in set(sessions) & lines.keys() for key in lines[name]})
    if setting not in known:
        message = f"--by {setting}: the sessions have no such setting. There are: {known}"
        raise CommandError(message)
    return [str(lines.get(name, {}).get(setting)) for name in sessions]
