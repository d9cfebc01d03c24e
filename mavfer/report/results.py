"""Sections about trained models: scores, learning curves, predictions, attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer import metrics
from mavfer.progress import counted
from mavfer.report import html
from mavfer.report.curves import LearningCurve, Panel, plot_learning, plot_panels
from mavfer.report.ratings import scale_of, true_values
from mavfer.study.results import FinishedRun, finished_runs
from mavfer.vision.pictures import (
    attention_picture,
    brightened,
    contact_sheet,
    depth_picture,
    encode_picture,
    thermal_picture,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from mavfer.dataset import Dataset, Recording
    from mavfer.study.study import Study

__all__ = ["Scored", "newest_runs", "result_section", "training_sections"]

_MEASURES: Final = {"CCC": metrics.ccc, "PCC": metrics.pearson, "RMSE": metrics.rmse}
_SMALLER_IS_BETTER: Final = "RMSE"
_LABEL: Final = "_label"
_PUBLISHED_WIDTHS: Final = (32, 64, 128)
"""Of STA's encoder (ICASSP 2018); a run with fewer channels is called narrow."""
_ALL: Final = "all"
_TILE: Final = 150
_TILES_A_SESSION: Final = 4
_DARK_LEVEL: Final = 40.0


@dataclass(frozen=True)
class Scored:
    """A run with its predictions in memory."""

    run: FinishedRun
    session: NDArray[Any]
    """(N,), session of each row."""
    seconds: NDArray[np.float64]
    """(N,)."""
    predicted: dict[str, NDArray[np.float64]]
    """(N,) by dimension."""
    label: dict[str, NDArray[np.float64]]
    """(N,) by dimension."""

    @classmethod
    def of(cls, run: FinishedRun) -> Scored:
        """Reads the predictions of a run."""
        columns = run.predictions()
        names = [name for name in columns if f"{name}{_LABEL}" in columns]
        return cls(
            run,
            np.array(columns["session"], object),
            _numbers(columns["time_seconds"]),
            {name: _numbers(columns[name]) for name in names},
            {name: _numbers(columns[f"{name}{_LABEL}"]) for name in names},
        )

    @property
    def part(self) -> str:
        """The part of the split that was predicted."""
        return str(next(iter(self.run.document["scores"])))

    def scores(self, rows: NDArray[np.bool_]) -> list[float]:
        """Every measure of every dimension over some rows, in the order of the table."""
        return [
            float(measure(self.predicted[name][rows], self.label[name][rows]))
            for name in self.label
            for measure in _MEASURES.values()
        ]


def newest_runs(study: Study) -> list[Scored]:
    """The newest finished run of each model, those on fewer streams first."""
    newest = {run.model: run for run in finished_runs(study)}
    runs = sorted(newest.values(), key=lambda run: (len(run.document["modalities"]), run.model))
    return [Scored.of(run) for run in runs]


def result_section(dataset: Dataset, runs: Sequence[Scored]) -> str:
    """The table of scores by model and lighting."""
    lightings = _lightings(dataset, runs)
    first = runs[0]
    groups = [*lightings, _ALL] if lightings else [_ALL]
    lines = [(group, scored) for group in groups for scored in runs]
    numbers = [
        scored.scores(_in_group(scored, lightings.get(group, set(scored.session))))
        for group, scored in lines
    ]
    ccc, *others = _MEASURES
    header = ["", *(word for name in first.label for word in (f"{name} {ccc}", *others))]
    rows = [
        [f"{scored.run.model}, {group}", *map(_number, line)]
        for (group, scored), line in zip(lines, numbers, strict=True)
    ]
    return html.section(
        "Result",
        html.paragraph(_held_out(dataset, first)),
        html.table(header, rows, strong=_best(numbers, len(runs))),
        html.paragraph(
            "Pooled over the frames, against the label; CCC with 1/n, PCC is Pearson's "
            f"correlation. Bold: the best of each lighting. {' '.join(map(_network, runs))}",
            "soft",
        ),
    )


def training_sections(dataset: Dataset, runs: Sequence[Scored]) -> Iterator[str]:
    """Learning curves and predictions, then attention."""
    shown = _shown(dataset, runs)
    dimensions = list(runs[0].label)
    grid = [[_panel(dataset.study, rec, name, runs) for rec in shown] for name in dimensions]
    yield html.section(
        "Training and predictions",
        html.figure(plot_learning([_curve(scored.run) for scored in runs])),
        html.paragraph("A held-out subject: what the label says, and what each network says."),
        html.figure(plot_panels(grid)),
    )
    sheets = [sheet for scored in runs for sheet in _attention_sheets(scored, shown)]
    if sheets:
        yield html.section(
            "Attention",
            html.paragraph(
                "Where each network looks in a held-out subject. Magenta: up to three times an "
                "even share; dark: less than an even share; plain: attention is spread evenly. "
                "Pale: outside of what the network sees. Dark color is shown brightened."
            ),
            *sheets,
        )


# The table.


def _lightings(dataset: Dataset, runs: Sequence[Scored]) -> dict[str, set[str]]:
    """Evaluated sessions by their lighting; empty where only one is known."""
    evaluated = {session for scored in runs for session in scored.session}
    found: dict[str, set[str]] = {}
    for rec in dataset:
        lighting = rec.info["settings"].get("lighting")
        if rec.session in evaluated and lighting is not None:
            found.setdefault(str(lighting), set()).add(rec.session)
    return found if len(found) > 1 else {}


def _in_group(scored: Scored, sessions: set[str]) -> NDArray[np.bool_]:
    return np.isin(scored.session.astype(str), sorted(sessions))


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


def _held_out(dataset: Dataset, scored: Scored) -> str:
    document = scored.run.document
    sessions = set(scored.session)
    subjects = sorted({rec.subject for rec in dataset if rec.session in sessions})
    return (
        f"Scored on {counted(len(subjects), 'subject')} on whom nothing was trained "
        f"({', '.join(subjects)}; part {scored.part!r} of the split "
        f"{document['split']['name']!r}), {counted(len(scored.session), 'frame')}, "
        f"label {document['label']!r}."
    )


def _network(scored: Scored) -> str:
    document = scored.run.document
    widths = tuple(document["configuration"].get("encoder_widths", _PUBLISHED_WIDTHS))
    size = f"{document['parameters']:,} parameters"
    if sum(widths) < sum(_PUBLISHED_WIDTHS):
        size += f", narrow ({'-'.join(map(str, widths))})"
    return f"{scored.run.model}: {', '.join(document['modalities'])}; {size}."


# Training and predictions.


def _curve(run: FinishedRun) -> LearningCurve:
    lines = run.log()
    return LearningCurve(
        run.model,
        [line["epoch"] for line in lines],
        [line["loss"] for line in lines],
        [_mean(line["train"]) for line in lines],
        [_mean(line.get("val", {})) for line in lines],
    )


def _shown(dataset: Dataset, runs: Sequence[Scored]) -> list[Recording]:
    """One evaluated session of each lighting, of the same subject where that is possible."""
    sessions = set(runs[0].session)
    evaluated = [rec for rec in dataset if rec.session in sessions]
    by_lighting: dict[str, Recording] = {}
    for rec in evaluated:
        by_lighting.setdefault(str(rec.info["settings"].get("lighting")), rec)
    return list(by_lighting.values())


def _panel(study: Study, rec: Recording, dimension: str, runs: Sequence[Scored]) -> Panel:
    rows = _in_group(runs[0], {rec.session})
    lighting = rec.info["settings"].get("lighting")
    return Panel(
        title=f"{rec.session}, {lighting}" if lighting else rec.session,
        dimension=dimension,
        seconds=runs[0].seconds[rows],
        label=runs[0].label[dimension][rows],
        scale=scale_of(study, dimension),
        truth=true_values(study, rec, dimension),
        models={
            scored.run.model: scored.predicted[dimension][_in_group(scored, {rec.session})]
            for scored in runs
        },
    )


# Attention.


def _attention_sheets(scored: Scored, shown: Sequence[Recording]) -> Iterator[str]:
    arrays = scored.run.attention()
    if not arrays:
        return
    rows = {
        f"{stream}, {rec.info['settings'].get('lighting', rec.session)}": _overlays(
            rec, stream, arrays
        )
        for stream in scored.run.document["modalities"]
        for rec in shown
        if (arrays["session"] == rec.session).any()
    }
    if rows:
        pictures = {
            name: encode_picture(contact_sheet([tiles], tile=_TILE)) for name, tiles in rows.items()
        }
        yield f"<h3>{html.text(scored.run.model)}</h3>\n{html.sheet(pictures)}"


def _overlays(
    rec: Recording, stream: str, arrays: dict[str, NDArray[Any]]
) -> list[NDArray[np.uint8]]:
    """Crops of some frames with the attention over them."""
    places = np.flatnonzero(arrays["session"] == rec.session)
    places = places[np.linspace(0, len(places) - 1, _TILES_A_SESSION).round().astype(int)]
    return [
        attention_picture(
            _crop(rec, stream, int(arrays["frame"][at])), arrays[stream][at], arrays["box"]
        )
        for at in places
    ]


def _crop(rec: Recording, stream: str, frame: int) -> NDArray[np.uint8]:
    if stream == "depth":
        return depth_picture(rec.depth[frame])
    if stream == "thermal":
        return thermal_picture(rec.thermal[frame])
    color = rec.color[frame]
    return brightened(color) if color.mean() < _DARK_LEVEL else color


def _mean(scores: dict[str, float | None]) -> float:
    known = [score for score in scores.values() if score is not None]
    return float(np.mean(known)) if known else float("nan")


def _numbers(cells: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if cell is None else cell for cell in cells], np.float64)


def _number(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "–"
