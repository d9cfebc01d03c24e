"""Many models on one study, each with several seeds; all of them are told, none is chosen.

What ran before with the same configuration and seed, on the same pixels, labels and split, is not
trained again, so a benchmark that was stopped goes on where it was. Imports torch where it trains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from baselines.compare import holm
from baselines.evaluate import compare_runs, evaluate_group
from mavfer.errors import CommandError
from mavfer.study.results import FinishedRun, finished_runs
from mavfer.study.study import Study

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from baselines.config import Config
    from mavfer.streams import StreamName

__all__ = [
    "PAPERS",
    "Data",
    "Row",
    "benchmark",
    "find_run",
    "rows_of",
    "rows_of_paper",
    "train_anew",
    "train_row",
]

PAPERS: Final[dict[str, tuple[tuple[str, tuple[StreamName, ...] | None], ...]]] = {
    # The abstract's comparison: guided by depth and thermal, against color alone and its parts.
    "mran": (
        ("mran", ("color", "depth", "thermal")),
        ("mran", ("color", "depth")),
        ("mran", ("color", "thermal")),
        ("mran", ("color",)),
        ("sta", ("color",)),
        ("cnn", ("color",)),
        ("cnn_lstm", ("color",)),
        ("c3d", ("color",)),
    ),
    # Tables 1 to 3: the ablations without attention, and the recurrent baseline.
    "sta": (
        ("sta", ("color",)),
        ("cnn", ("color",)),
        ("cnn_lstm", ("color",)),
        ("c3d", ("color",)),
    ),
    "two_level": (("two_level", ("color",)), ("alexnet", ("color",)), ("vgg16", ("color",))),
    "deep_emotion": (("deep_emotion", ("color",)), ("cnn", ("color",)), ("vgg16", ("color",))),
}
"""Which of our models stand for the rows of a paper's comparison; their numbers are not quoted."""


@dataclass(frozen=True)
class Row:
    """One line of a table: a model, what it reads, and its configuration."""

    name: str
    model: str
    streams: tuple[StreamName, ...]
    config: Config


@dataclass(frozen=True)
class Data:
    """What all rows of a table are trained and scored on."""

    root: Path
    labels: str
    split: str
    fold: int = 0


def rows_of(
    models: Sequence[str],
    source: str | None,
    streams: Sequence[StreamName] | None,
    settings: Sequence[str] = (),
) -> list[Row]:
    """A row a model.

    Args:
        models: Names in `baselines.models.MODELS`.
        source: A TOML file for all, or the name of one that ships; each model's own otherwise.
        streams: What they read; each model's own choice otherwise.
        settings: As of `read_config`.

    Raises:
        CommandError: There is no such model, or an option is unknown.
        NotFound: There is no such file.
    """
    return [_row(model, source, streams, settings) for model in models]


def rows_of_paper(paper: str, source: str | None, settings: Sequence[str] = ()) -> list[Row]:
    """The rows that stand for a paper's comparison; see `PAPERS`.

    Raises:
        CommandError: There is no comparison of that name.
    """
    if paper not in PAPERS:
        message = f"no paper {paper!r}. There are: {', '.join(PAPERS)}"
        raise CommandError(message)
    return [_row(model, source, streams, settings) for model, streams in PAPERS[paper]]


def benchmark(data: Data, rows: Sequence[Row], *, seeds: int) -> dict[str, Any]:
    """Trains every row with every seed, and compares all with the first.

    Args:
        data: Study, label and split.
        rows: At least one; names differ.
        seeds: How many, from 0 on.

    Returns:
        seeds; rows: by row what `evaluate_group` says, with parameters and narrow; compared: by
        row and dimension what `compare_runs` says of the first row against it, with Holm's
        correction over the whole table in p_holm.

    Raises:
        CommandError, NotFound, InvalidFile: As of `train_model`.
    """
    if len({row.name for row in rows}) < len(rows):
        message = "two rows of one name. Give each model and choice of modalities once"
        raise CommandError(message)
    folders = {row.name: [train_row(data, row, seed) for seed in range(seeds)] for row in rows}
    first, *others = folders
    compared = {name: compare_runs(folders[first], folders[name]) for name in others}
    _correct(compared)
    return {
        "seeds": seeds,
        "rows": {row.name: _told(row, folders[row.name]) for row in rows},
        "compared": compared,
    }


def train_row(data: Data, row: Row, seed: int) -> Path:
    """The folder of a row's run with a seed, trained where it is not there yet."""
    return find_run(data, row, seed) or train_anew(data, row, seed)


def train_anew(data: Data, row: Row, seed: int) -> Path:
    """Trains a row with a seed, whatever is there already, and gives the run's folder."""
    from baselines.train import train_model

    folder, _ = train_model(
        row.model,
        data.root,
        row.config,
        streams=row.streams,
        labels=data.labels,
        split=data.split,
        fold=data.fold,
        seed=seed,
    )
    return folder


def find_run(data: Data, row: Row, seed: int) -> Path | None:
    """The newest finished run of a row and seed on the very same data, or nothing."""
    wanted = {
        "model": row.model,
        "seed": seed,
        "label": data.labels,
        "modalities": list(row.streams),
        **_origin(data, row),
    }
    options = row.config.to_document()
    for run in reversed(finished_runs(Study.open(data.root))):
        chosen = run.document["configuration"]
        is_same = all(run.document[key] == value for key, value in wanted.items())
        if is_same and all(chosen.get(key) == value for key, value in options.items()):
            return run.folder
    return None


def _row(
    model: str,
    source: str | None,
    streams: Sequence[StreamName] | None,
    settings: Sequence[str],
) -> Row:
    from baselines.config import read_config
    from baselines.models import find_model

    read = tuple(streams or find_model(model).default_streams)
    return Row(f"{model} {'+'.join(read)}", model, read, read_config(model, source, settings))


def _origin(data: Data, row: Row) -> dict[str, Any]:
    """Hashes of what a run of the row would rest on."""
    from baselines.parts import load_parts
    from baselines.results import provenance

    parts = load_parts(
        data.root,
        streams=row.streams,
        labels=data.labels,
        split=data.split,
        fold=data.fold,
        task=row.config.task,
    )
    return provenance(data.split, data.fold, parts)


def _told(row: Row, folders: Sequence[Path]) -> dict[str, Any]:
    """What is said of a row."""
    document = FinishedRun.open(folders[0]).document
    return {
        "model": row.model,
        "modalities": list(row.streams),
        "parameters": document["parameters"],
        "narrow": document["narrow"],
        **evaluate_group(folders),
    }


def _correct(compared: dict[str, dict[str, Any]]) -> None:
    """Puts Holm's correction over all comparisons of the table into each."""
    every = [each for row in compared.values() for each in row.values()]
    known = [each for each in every if each["p"] is not None]
    for each, p in zip(known, holm([each["p"] for each in known]), strict=True):
        each["p_holm"] = p
