"""The verbs `mavfer train`, `mavfer evaluate` and `mavfer explain`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from baselines.cli_benchmark import benchmark
from mavfer.errors import require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["register"]

_NEEDS_BOTH: Final = "give MODEL and STUDY, or --resume RUN"


def register(group: click.Group) -> None:
    """Adds this tool's verbs to the command line."""
    group.add_command(train)
    group.add_command(evaluate)
    group.add_command(explain)
    group.add_command(benchmark)


@click.command(epilog="Example: mavfer train mran my-study --config demo --seeds 3")
@click.argument("model", required=False)
@click.argument("study", required=False, type=click.Path(path_type=Path))
@click.option("--config", "source", help="A TOML file, or the name of one that ships: demo.")
@click.option("--modalities", help="Streams to read, for example color,depth; else the model's.")
@click.option("--labels", default="gold", show_default=True, help="Name of the label.")
@click.option("--split", default="default", show_default=True, help="Name of the split.")
@click.option("--fold", type=click.IntRange(0), default=0, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Train as often, with seeds from --seed on; all are kept and told.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="One option of the configuration, for example epochs=3. May be repeated.",
)
@click.option(
    "--resume",
    "run",
    metavar="RUN",
    type=click.Path(path_type=Path),
    help="Go on with a run that was killed, instead of MODEL and STUDY.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
def train(
    model: str | None,
    study: Path | None,
    *,
    source: str | None,
    modalities: str | None,
    settings: tuple[str, ...],
    run: Path | None,
    as_json: bool,
    **about: Any,
) -> None:
    """Train MODEL on STUDY and score it on the held-out subjects.

    Predictions, weights, log and scores go to a new folder under the study's results.
    """
    for package in ("torch", "safetensors"):
        require(package, "train")
    if run is not None:
        _require_nothing_else(model, source, modalities, settings)
        from baselines.train import resume_training

        _print_run(*resume_training(run), as_json)
        return
    if model is None or study is None:
        raise click.UsageError(_NEEDS_BOTH)
    from baselines.config import read_config
    from baselines.parts import read_streams
    from baselines.train import train_seeds

    config = read_config(model, source, settings)
    streams = None if modalities is None else read_streams(modalities)
    trained = train_seeds(model, study, config, streams=streams, **about)
    if len(trained) == 1:
        _print_run(*trained[0], as_json)
    else:
        _print_group([folder for folder, _ in trained], as_json)


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


@click.command(epilog="Example: mavfer explain my-study/results/mran-20260131-120000-0")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--session", "sessions", multiple=True, help="Of the evaluated ones; else all.")
@click.option(
    "--frames", type=click.IntRange(1), default=4, show_default=True, help="Of each session."
)
@click.option(
    "--square",
    "side",
    type=click.IntRange(0),
    default=0,
    help="Pixels of the input that are hidden at once, in each direction; else a quarter of it.",
)
@click.option(
    "--step", type=click.IntRange(0), default=0, help="Pixels between squares; else half of one."
)
@click.option("--hide", "streams", help="Streams that are hidden, for example thermal; else all.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
def explain(run: Path, *, as_json: bool, **about: Any) -> None:
    """Show what a network looked at: its attention, and what hiding parts of the face changes.

    RUN is a folder under a study's results; maps and pictures are written into it.
    """
    for package, extra in (("torch", "train"), ("safetensors", "train"), ("cv2", "preprocess")):
        require(package, extra)
    from baselines.explain import explain_run

    document = explain_run(run, **about)
    _print(document, as_json, "\n".join(document["files"].values()))


def _require_nothing_else(*given: object) -> None:
    if any(given):
        message = "--resume takes a run and nothing else: its configuration is the run's own"
        raise click.UsageError(message)


def _print_run(folder: Path, result: Mapping[str, Any], as_json: bool) -> None:
    from baselines.evaluate import evaluate_run
    from baselines.score_text import scores_text

    size = f"{result['parameters']:,} parameters{', narrow' if result['narrow'] else ''}"
    text = f"{scores_text(evaluate_run(folder))}\n  {size}\n{folder}"
    _print({**result, "folder": str(folder)}, as_json, text)


def _print_group(folders: Sequence[Path], as_json: bool) -> None:
    from baselines.evaluate import evaluate_group
    from baselines.score_text import group_text

    document = evaluate_group(folders)
    named = {**document, "folders": [str(folder) for folder in folders]}
    _print(named, as_json, "\n".join([group_text(document), *named["folders"]]))


def _print(document: Mapping[str, Any], as_json: bool, text: str) -> None:
    """Prints `text`, or the document as one line of JSON."""
    click.echo(json.dumps(document, ensure_ascii=False) if as_json else text)
