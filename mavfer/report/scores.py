"""Section "Result": scores of trained models by lighting, one table for what can be compared."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer import metrics
from mavfer.progress import counted
from mavfer.report import html
from mavfer.report.capture import lighting_of
from mavfer.study.results import FinishedRun, finished_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mavfer.dataset import Dataset
    from mavfer.study.study import Study

    Floats = NDArray[np.float64]

__all__ = ["Comparison", "Scored", "comparisons", "result_section"]

_MEASURES: Final = {"CCC": metrics.ccc, "PCC": metrics.pearson, "RMSE": metrics.rmse}
_SMALLER_IS_BETTER: Final = "RMSE"
_LABEL: Final = "_label"
_PUBLISHED_WIDTHS: Final = (32, 64, 128)
"""Of STA's encoder (ICASSP 2018); a run with fewer channels is called narrow."""
_ALL: Final = "all"


@dataclass(frozen=True)
class Scored:
    """A run with its predictions in memory."""

    run: FinishedRun
    session: NDArray[np.str_]
    """(N,), session of each row."""
    frame: NDArray[np.int64]
    """(N,)."""
    seconds: Floats
    """(N,)."""
    predicted: dict[str, Floats]
    """(N,) by dimension."""
    label: dict[str, Floats]
    """(N,) by dimension."""

    @classmethod
    def of(cls, run: FinishedRun) -> Scored:
        """Reads the predictions of a run."""
        columns = run.predictions()
        names = [name for name in columns if f"{name}{_LABEL}" in columns]
        return cls(
            run,
            columns["session"],
            columns["frame"],
            columns["time_seconds"],
            {name: columns[name] for name in names},
            {name: columns[f"{name}{_LABEL}"] for name in names},
        )

    @property
    def ground(self) -> tuple[Any, ...]:
        """What two runs must share to be compared: label, split, frames and the label's values."""
        document = self.run.document
        digest = hashlib.sha256()
        for column in (self.session, self.frame, *self.label.values()):
            digest.update(column.tobytes())
        split = document["split"]
        return (
            document["label"],
            split["name"],
            split["fold"],
            tuple(self.label),
            digest.hexdigest(),
        )

    def of_sessions(self, sessions: set[str]) -> NDArray[np.bool_]:
        """(N,), which rows belong to some sessions."""
        return np.isin(self.session, sorted(sessions))

    def scores(self, rows: NDArray[np.bool_]) -> list[float]:
        """Every measure of every dimension over some rows, in the order of the table."""
        return [
            float(measure(self.predicted[name][rows], self.label[name][rows]))
            for name in self.label
            for measure in _MEASURES.values()
        ]


@dataclass(frozen=True)
class Comparison:
    """Runs that were scored on the same frames against the same values of a label."""

    runs: dict[str, Scored]
    """By the name that tells them apart, those on fewer streams first."""

    @property
    def first(self) -> Scored:
        """Any of the runs, to ask what all of them share."""
        return next(iter(self.runs.values()))

    @property
    def dimensions(self) -> list[str]:
        """The dimensions that were scored."""
        return list(self.first.label)

    @property
    def sessions(self) -> set[str]:
        """The sessions that were scored."""
        return set(self.first.session.tolist())


def comparisons(study: Study) -> list[Comparison]:
    """The newest run of each model and choice of streams, by what can be compared; newest first.

    Raises:
        NotFound: A file of a finished run is missing.
        InvalidFile: A file of a finished run is torn or against its schema.
    """
    found: dict[tuple[Any, ...], dict[tuple[str, ...], Scored]] = {}
    for run in finished_runs(study):  # oldest first, so that the newest stays
        scored = Scored.of(run)
        group = found.pop(scored.ground, {})
        group[run.model, *run.document["modalities"]] = scored
        found[scored.ground] = group
    return [Comparison(_named(list(group.values()))) for group in reversed(found.values())]


def result_section(dataset: Dataset, compared: Sequence[Comparison]) -> str:
    """The table of scores by model and lighting; older labels, splits and data folded away."""
    newest, *older = compared
    parts = _table_of(dataset, newest)
    if older:
        folded = [part for each in older for part in _table_of(dataset, each)]
        parts.append(html.details("Scores on another label, split or state of the data", *folded))
    return html.section("Result", *parts)


def _named(runs: list[Scored]) -> dict[str, Scored]:
    """Runs by their model; with their streams where a model is there more than once."""
    runs.sort(key=lambda scored: (len(scored.run.document["modalities"]), scored.run.model))
    models = [scored.run.model for scored in runs]
    return {
        (
            f"{model} ({', '.join(scored.run.document['modalities'])})"
            if models.count(model) > 1
            else model
        ): scored
        for model, scored in zip(models, runs, strict=True)
    }


def _table_of(dataset: Dataset, compared: Comparison) -> list[str]:
    lightings = _lightings(dataset, compared)
    groups = {**lightings, _ALL: compared.sessions}
    lines = [
        (f"{name}, {group}", scored.scores(scored.of_sessions(sessions)))
        for group, sessions in groups.items()
        for name, scored in compared.runs.items()
    ]
    numbers = [line for _, line in lines]
    names = compared.dimensions
    about = [f"{_network(name, scored)}." for name, scored in compared.runs.items()]
    best = _best(numbers, len(compared.runs))
    return [
        html.paragraph(_held_out(dataset, compared)),
        html.table(
            ["", *(measure for _ in names for measure in _MEASURES)],
            [[name, *map(_number, line)] for name, line in lines],
            over=[("", 1), *((name, len(_MEASURES)) for name in names)],
            strong=best,
        ),
        html.paragraph(
            "Pooled over the frames, against the label. CCC: concordance; PCC: Pearson's "
            "correlation; all with 1/n (ddof 0)."
            f"{' Bold: the best of each lighting.' if best else ''}",
            "soft",
        ),
        html.paragraph(" ".join(about), "soft"),
    ]


def _lightings(dataset: Dataset, compared: Comparison) -> dict[str, set[str]]:
    """Scored sessions by their lighting; empty where only one is known."""
    found: dict[str, set[str]] = {}
    for rec in dataset:
        lighting = lighting_of(rec)
        if lighting and rec.session in compared.sessions:
            found.setdefault(lighting, set()).add(rec.session)
    return found if len(found) > 1 else {}


def _best(numbers: Sequence[Sequence[float]], runs: int) -> set[tuple[int, int]]:
    """Row and column of the best number of each lighting, where there is something to compare."""
    best = set()
    for first in range(0, len(numbers), runs):
        block = np.array(numbers[first : first + runs])
        for column in range(block.shape[1]):
            is_error = list(_MEASURES)[column % len(_MEASURES)] == _SMALLER_IS_BETTER
            values = -block[:, column] if is_error else block[:, column]
            if runs > 1 and np.isfinite(values).any():
                best.add((first + int(np.nanargmax(values)), column + 1))
    return best


def _held_out(dataset: Dataset, compared: Comparison) -> str:
    document = compared.first.run.document
    subjects = sorted({rec.subject for rec in dataset if rec.session in compared.sessions})
    part = compared.first.run.part
    watched = " (validated on it while training)" if part == "val" else ""
    return (
        f"Scored on {counted(len(subjects), 'subject')} on whom nothing was trained "
        f"({', '.join(subjects)}; part {part!r}{watched} of the split "
        f"{document['split']['name']!r}), {counted(len(compared.first.session), 'frame')}, "
        f"label {document['label']!r}."
    )


def _network(name: str, scored: Scored) -> str:
    document = scored.run.document
    widths = tuple(document["configuration"].get("encoder_widths", _PUBLISHED_WIDTHS))
    size = f"{document['parameters']:,} parameters"
    is_thin = sum(widths) < sum(_PUBLISHED_WIDTHS)
    if is_thin or document.get("narrow", False):
        told = f"{'-'.join(map(str, widths))}, " if is_thin else ""
        size = f"narrow ({told}{size})"
    return f"{name}: {', '.join(document['modalities'])}; {size}"


def _number(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "–"
