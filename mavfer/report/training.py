"""Sections about trained models: learning curves, predictions over time, attention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.report import html
from mavfer.report.capture import lighting_of, one_of_each
from mavfer.report.curves import LearningCurve, Panel, plot_learning, plot_panels
from mavfer.report.ratings import panel_title, scale_of, true_values
from mavfer.report.sheets import stream_picture
from mavfer.vision.pictures import attention_picture, contact_sheet, encode_picture

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from mavfer.dataset import Dataset, Recording
    from mavfer.report.scores import Comparison, Scored
    from mavfer.study.results import FinishedRun
    from mavfer.study.study import Study

__all__ = ["training_sections"]

_TILE: Final = 150
_TILES_A_SESSION: Final = 4


def training_sections(dataset: Dataset, compared: Comparison) -> Iterator[str]:
    """Learning curves and predictions, then attention."""
    shown = _shown(dataset, compared)
    parts = [html.figure(plot_learning([_curve(n, s.run) for n, s in compared.runs.items()]))]
    if shown:
        grid = [
            [_panel(dataset.study, rec, name, compared) for rec in shown]
            for name in compared.dimensions
        ]
        words = "Held out from training: what the label says, and what each network says."
        parts += [html.paragraph(words), html.figure(plot_panels(grid))]
    yield html.section("Training and predictions", *parts)
    sheets = [
        sheet
        for name, scored in compared.runs.items()
        for sheet in _attention_sheets(name, scored, shown)
    ]
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


def _shown(dataset: Dataset, compared: Comparison) -> list[Recording]:
    """One scored session of each lighting; none that was preprocessed to other frames since."""
    scored = [rec for rec in dataset if rec.session in compared.sessions]
    return one_of_each(
        [rec for rec in scored if compared.first.of_sessions({rec.session}).sum() == len(rec)]
    )


# Curves.


def _curve(name: str, run: FinishedRun) -> LearningCurve:
    lines = run.log()
    return LearningCurve(
        name,
        [line["epoch"] for line in lines],
        [line["loss"] for line in lines],
        [_mean(line["train"]) for line in lines],
        [_mean(line.get("val", {})) for line in lines],
    )


def _mean(scores: dict[str, float | None]) -> float:
    known = [score for score in scores.values() if score is not None]
    return float(np.mean(known)) if known else float("nan")


def _panel(study: Study, rec: Recording, dimension: str, compared: Comparison) -> Panel:
    rows = compared.first.of_sessions({rec.session})
    return Panel(
        title=panel_title(rec),
        dimension=dimension,
        seconds=compared.first.seconds[rows],
        label=compared.first.label[dimension][rows],
        scale=scale_of(study, dimension),
        truth=true_values(study, rec, dimension),
        models={name: scored.predicted[dimension][rows] for name, scored in compared.runs.items()},
    )


# Attention.


def _attention_sheets(name: str, scored: Scored, shown: Sequence[Recording]) -> Iterator[str]:
    arrays = scored.run.attention()
    rows = {
        f"{stream}, {lighting_of(rec) or rec.session}": _overlays(rec, stream, arrays)
        for stream in scored.run.document["modalities"]
        for rec in shown
        if stream in arrays and (arrays["session"] == rec.session).any()
    }
    if rows:
        pictures = {
            word: encode_picture(contact_sheet([tiles], tile=_TILE)) for word, tiles in rows.items()
        }
        yield f"<h3>{html.text(name)}</h3>\n{html.sheet(pictures)}"


def _overlays(
    rec: Recording, stream: str, arrays: dict[str, NDArray[Any]]
) -> list[NDArray[np.uint8]]:
    """Crops of some frames with the attention over them."""
    places = np.flatnonzero(arrays["session"] == rec.session)
    places = places[np.linspace(0, len(places) - 1, _TILES_A_SESSION).round().astype(int)]
    return [
        attention_picture(
            stream_picture(rec, stream, int(arrays["frame"][at])), arrays[stream][at], arrays["box"]
        )
        for at in places
    ]
