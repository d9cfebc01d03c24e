"""The verbs `mavfer train` and `mavfer evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mavfer.errors import require

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["register"]


def register(group: click.Group) -> None:
    """Adds this tool's verbs to the command line."""
    group.add_command(train)
    group.add_command(evaluate)


@click.command(epilog="Example: mavfer train mran my-study --config demo --seed 1")
@click.argument("model")
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--config", "source", help="A TOML file, or the name of one that ships: demo.")
@click.option("--modalities", help="Streams to read, for example color,depth; else the model's.")
@click.option("--labels", default="gold", show_default=True, help="Name of the label.")
@click.option("--split", default="default", show_default=True, help="Name of the split.")
@click.option("--fold", type=click.IntRange(0), default=0, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="One option of the configuration, for example epochs=3. May be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
def train(
    model: str,
    study: Path,
    *,
    source: str | None,
    modalities: str | None,
    settings: tuple[str, ...],
    as_json: bool,
    **about: Any,
) -> None:
    """Train MODEL on STUDY and score it on the held-out subjects.

    Predictions, weights, log and scores go to a new folder under the study's results.
    """
    for package in ("torch", "safetensors"):
        require(package, "train")
    from baselines.config import read_config
    from baselines.evaluate import evaluate_run
    from baselines.models import find_model
    from baselines.parts import read_streams
    from baselines.score_text import scores_text
    from baselines.train import train_model

    find_model(model)
    config = read_config(model, source, settings)
    streams = None if modalities is None else read_streams(modalities)
    folder, result = train_model(model, study, config, streams=streams, **about)
    text = scores_text(evaluate_run(folder))
    size = f"{result['parameters']:,} parameters{', narrow' if config.is_narrow else ''}"
    _print({**result, "folder": str(folder)}, as_json, f"{text}\n  {size}\n{folder}")


@click.command(epilog="Example: mavfer evaluate my-study/results/mran-20260131-120000-0")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--with",
    "others",
    multiple=True,
    metavar="RUN",
    type=click.Path(path_type=Path),
    help="A run of another model to compare with, paired over subjects. May be repeated.",
)
@click.option("--by", help="Score sessions apart by one of their settings, for example lighting.")
@click.option(
    "--measure",
    "more",
    multiple=True,
    metavar="NAME",
    help="One more measure, for example spearman. May be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
def evaluate(
    runs: tuple[Path, ...],
    *,
    others: tuple[Path, ...],
    by: str | None,
    more: tuple[str, ...],
    as_json: bool,
) -> None:
    """Recompute the scores of finished runs from their predictions alone.

    RUN is a folder under a study's results. Several are the seeds (or folds) of one model.
    """
    from baselines.evaluate import compare_runs, evaluate_group, evaluate_run
    from baselines.score_text import comparison_text, group_text, scores_text

    if others:
        document = compare_runs(runs, others)
        _print(document, as_json, comparison_text(document))
    elif len(runs) > 1:
        document = evaluate_group(runs, by=by, more=more)
        _print(document, as_json, group_text(document))
    else:
        document = evaluate_run(runs[0], by=by, more=more)
        _print(document, as_json, scores_text(document))


def _print(document: Mapping[str, Any], as_json: bool, text: str) -> None:
    """Prints `text`, or the document as one line of JSON."""
    click.echo(json.dumps(document, ensure_ascii=False) if as_json else text)
