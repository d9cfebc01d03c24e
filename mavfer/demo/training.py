"""The demo's networks: trained side by side, scored by lighting."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Final

from mavfer.demo.commands import answer, echo, in_worker, workers
from mavfer.files import read_json

if TYPE_CHECKING:
    from pathlib import Path

    from mavfer.demo.commands import Run
    from mavfer.study.study import Study

__all__ = ["MODELS", "score_models", "scores_text", "train_models"]

MODELS: Final = ("sta", "mran")
"""On color, and on all three streams."""

_CONFIGURATION: Final = "demo"
_DIMENSIONS: Final = ("arousal", "valence")
_MEASURES: Final = ("ccc", "pearson", "rmse")


def train_models(study: Study, run: Run, *, label: str, split: str, seed: int) -> dict[str, Path]:
    """Trains what is not trained yet, and gives the folder of each model's run.

    A run is made again where a shard, the label or the split is newer than its result.

    Raises:
        DataError: A training failed.
    """
    _remove_unfinished(study)
    newest = _newest_input(study, label, split)
    missing = [model for model in MODELS if _finished(study, model, seed, newest) is None]
    if missing:
        commands = {model: _command(study, model, label, split, seed) for model in missing}
        for command in commands.values():
            echo(command)
        with workers() as pool:
            runs = [
                pool.submit(in_worker, run, command, is_heard=True) for command in commands.values()
            ]
            for done in runs:
                done.result()
    folders = {model: _finished(study, model, seed, newest) for model in MODELS}
    return {model: folder for model, folder in folders.items() if folder is not None}


def score_models(run: Run, folders: dict[str, Path]) -> list[dict[str, Any]]:
    """One line a model and lighting, as `mavfer demo --json` prints them.

    Scores are pooled over the frames of the held-out subjects, against the label.

    Raises:
        DataError: A run cannot be scored.
    """
    scores = []
    for model, folder in folders.items():
        command = ["evaluate", str(folder), "--by", "lighting"]
        echo(command)
        by_dimension = answer(run, [*command, "--json"])["scores"]
        scores += [
            {
                "model": model,
                "lighting": lighting,
                **{name: by_dimension[name]["groups"][lighting] for name in _DIMENSIONS},
            }
            for lighting in by_dimension[_DIMENSIONS[0]]["groups"]
        ]
    return scores


def scores_text(scores: list[dict[str, Any]]) -> str:
    """The scores as a table for people."""
    head = "".join(f"{name + ' ' + m:>18}" for name in _DIMENSIONS for m in _MEASURES)
    lines = [f"{'held-out subjects':<20}{head}"]
    for line in scores:
        cells = (line[name][measure] for name in _DIMENSIONS for measure in _MEASURES)
        numbers = "".join(f"{'-' if v is None else f'{v:.2f}':>18}" for v in cells)
        lines.append(f"{line['model'] + ', ' + line['lighting']:<20}{numbers}")
    return "\n".join(lines)


def _command(study: Study, model: str, label: str, split: str, seed: int) -> list[str]:
    return [
        *("train", model, str(study.root), "--config", _CONFIGURATION),
        *("--labels", label, "--split", split, "--seed", str(seed)),
    ]


def _newest_input(study: Study, label: str, split: str) -> float:
    """When what a run is made from last changed."""
    made_from = [
        *study.shards_folder.glob("[!.]*.h5"),
        *(study.labels_folder / label).glob("[!.]*"),
        study.splits_folder / f"{split}.json",
    ]
    return max(path.stat().st_mtime for path in made_from)


def _finished(study: Study, model: str, seed: int, newest: float) -> Path | None:
    """The newest finished run of a model that is not older than `newest`."""
    for path in sorted(study.root.glob("results/[!.]*/result.json"), reverse=True):
        result = read_json(path)
        is_this = result["model"] == model and result["seed"] == seed
        if is_this and path.stat().st_mtime >= newest:
            return path.parent
    return None


def _remove_unfinished(study: Study) -> None:
    """Deletes runs that were cut short."""
    for folder in study.root.glob("results/[!.]*"):
        if not (folder / "result.json").exists():
            shutil.rmtree(folder)
