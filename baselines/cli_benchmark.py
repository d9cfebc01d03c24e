"""The verb `mavfer benchmark`: many models on one study, or the proof on synthetic data."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mavfer.errors import require

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["benchmark"]

_ONE_OF: Final = "give STUDY, or --synthetic"
_ONLY_SYNTHETIC: Final = "--rig goes with --synthetic"


@click.command(epilog="Example: mavfer benchmark --synthetic --out synthetic-proof")
@click.argument("study", required=False, type=click.Path(path_type=Path))
@click.option("--synthetic", is_flag=True, help="Studies whose answer is known, instead of STUDY.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("synthetic-proof"),
    show_default=True,
    help="Folder of the synthetic studies; what ran there before is not trained again.",
)
@click.option(
    "--rig",
    is_flag=True,
    help="With --synthetic: also what the simulated rig records, half an hour a core more.",
)
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1),
    help="With --synthetic: runs at a time, a core each; as many as there are cores unless given.",
)
@click.option("--figure", type=click.Path(path_type=Path), help="Draw the proof to an SVG or PNG.")
@click.option("--models", help="Models to compare, for example sta,mran; the first is the measure.")
@click.option("--paper", help="The models that stand for a paper's comparison, for example mran.")
@click.option("--modalities", help="Streams to read, for example color,depth; else each model's.")
@click.option("--config", "source", help="A TOML file, or the name of one that ships: demo.")
@click.option("--labels", default="gold", show_default=True, help="Name of the label.")
@click.option("--split", default="default", show_default=True, help="Name of the split.")
@click.option("--fold", type=click.IntRange(0), default=0, show_default=True)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Runs of each.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="One option of every configuration, for example epochs=3. May be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
def benchmark(study: Path | None, *, synthetic: bool, as_json: bool, **options: Any) -> None:
    """Train several models with several seeds, and tell all of them with their differences.

    Nothing is chosen: every seed is kept, told and part of the mean.
    """
    for package in ("torch", "safetensors"):
        require(package, "train")
    if synthetic == (study is not None):
        raise click.UsageError(_ONE_OF)
    if options["rig"] and not synthetic:
        raise click.UsageError(_ONLY_SYNTHETIC)
    if study is None:
        document, text = _proof(options)
    else:
        document, text = _table(study, options)
    click.echo(json.dumps(document, ensure_ascii=False) if as_json else text)


def _proof(options: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    from baselines.proof import prove, values_text
    from baselines.proof_rows import PROOF_ROWS, RIG_ROWS

    rows = PROOF_ROWS + RIG_ROWS if options["rig"] else PROOF_ROWS
    document = prove(
        options["out"],
        seeds=options["seeds"],
        rows=rows,
        settings=options["settings"],
        jobs=options["jobs"] or os.cpu_count() or 1,
    )
    if options["figure"] is not None:
        require("matplotlib", "plot")
        from baselines.proof_figure import draw_proof

        draw_proof(document, options["figure"])
    return document, values_text(document)


def _table(study: Path, options: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    from baselines.benchmark import Data, rows_of, rows_of_paper
    from baselines.benchmark import benchmark as train_all
    from baselines.parts import read_streams
    from baselines.score_text import table_text

    if (options["models"] is None) == (options["paper"] is None):
        message = "give --models or --paper"
        raise click.UsageError(message)
    source, settings = options["source"], options["settings"]
    if options["paper"] is not None:
        rows = rows_of_paper(options["paper"], source, settings)
    else:
        given = options["modalities"]
        streams = None if given is None else read_streams(given)
        models = [word.strip() for word in options["models"].split(",")]
        rows = rows_of(models, source, streams, settings)
    data = Data(study, options["labels"], options["split"], options["fold"])
    document = train_all(data, rows, seeds=options["seeds"])
    return document, table_text(document)
