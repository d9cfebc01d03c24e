"""The folder of a run: begun when training begins, whole when result.json is there.

Imports torch and safetensors; import it where it is used.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.torch import load_file, save_file

from baselines.config import read_config
from baselines.models import build_model
from baselines.scores import scores_of
from mavfer.files import replacing, sha256_of, sha256_of_document, write_csv, write_json
from mavfer.schema import require_valid
from mavfer.study.results import FinishedRun, read_predictions
from mavfer.study.splits import split_path
from mavfer.study.study import software_versions, utc_now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import nn

    from baselines.config import Config
    from baselines.data import SessionView
    from baselines.parts import Parts
    from baselines.predict import Prediction
    from mavfer.streams import StreamName
    from mavfer.study.study import Study

__all__ = ["Run", "load_model"]

_DECIMALS = 6


@dataclass(frozen=True)
class Run:
    """What a run is, before its results are known."""

    folder: Path
    model: str
    seed: int
    streams: tuple[StreamName, ...]
    labels: str
    split: str
    fold: int
    config: Config

    @classmethod
    def begin(cls, study: Study, *, model: str, seed: int, **about: Any) -> Run:
        """Makes the run's folder and writes config.toml."""
        folder = _new_folder(study.root / "results", model, seed)
        run = cls(folder, model, seed, **about)
        with replacing(folder / "config.toml") as part:
            part.write_text(run.config.to_toml(), encoding="utf-8")
        return run

    def log(self, line: Mapping[str, Any]) -> None:
        """Adds a line to log.jsonl."""
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(line, allow_nan=False) + "\n")

    def write_weights(self, model: nn.Module) -> None:
        """Writes weights.safetensors."""
        state = {name: tensor.contiguous().cpu() for name, tensor in model.state_dict().items()}
        with replacing(self.folder / "weights.safetensors") as part:
            # More than one key would be written in an order of chance, and files differ.
            save_file(state, part, {"format": "pt"})

    def write_predictions(
        self, views: Sequence[SessionView], predictions: Sequence[Prediction], parts: Parts
    ) -> None:
        """Writes predictions.csv; dimensions that were not trained are empty."""
        columns: dict[str, list[Any]] = {"session": [], "frame": [], "time_seconds": []}
        for view in views:
            count = len(view.labels)
            columns["session"] += [view.recording.session] * count
            columns["frame"] += range(count)
            columns["time_seconds"] += np.nan_to_num(view.recording.time_seconds).tolist()
        rows = len(columns["session"])
        predicted = np.concatenate([prediction.values for prediction in predictions])
        label = np.concatenate([view.labels for view in views])
        for values, ending in ((predicted, ""), (label, "_label")):
            for name in parts.train.dimensions:
                is_trained = name in parts.dimensions
                column = values[:, parts.dimensions.index(name)] if is_trained else None
                columns[f"{name}{ending}"] = [None] * rows if column is None else _cells(column)
        write_csv(self.folder / "predictions.csv", columns)

    def write_attention(
        self, views: Sequence[SessionView], predictions: Sequence[Prediction], box: Sequence[float]
    ) -> None:
        """Writes attention.npz: some frames of each session, for pictures."""
        if not self.config.attention_frames:
            return
        chosen = [_spaced(len(view.labels), self.config.attention_frames) for view in views]
        names = [view.recording.session for view in views]
        arrays: dict[str, Any] = {
            "session": np.repeat(names, [len(rows) for rows in chosen]),
            "frame": np.concatenate(chosen),
            "box": np.asarray(box, np.float32),
        }
        for stream in self.streams:
            maps = [p.attention[stream][rows] for p, rows in zip(predictions, chosen, strict=True)]
            arrays[stream] = np.concatenate(maps)
        with replacing(self.folder / "attention.npz") as part, part.open("wb") as handle:
            np.savez_compressed(handle, **arrays)

    def finish(self, study: Study, parts: Parts, parameters: int) -> dict[str, Any]:
        """Writes result.json, with scores computed from the predictions as they were written."""
        predictions = self.folder / "predictions.csv"
        shards = {r.session: r.info["sha256"] for part in parts for r in part}
        document = {
            "format": "mavfer.result",
            "version": 1,
            "run": self.folder.name,
            "model": self.model,
            "seed": self.seed,
            "created_utc": utc_now(),
            "study": study.name,
            "label": self.labels,
            "split": {
                "name": self.split,
                "fold": self.fold,
                "sha256": sha256_of(split_path(study, self.split)),
            },
            "modalities": list(self.streams),
            "configuration": self.config.to_document() | {"dimensions": list(parts.dimensions)},
            "parameters": parameters,
            "data_sha256": sha256_of_document(shards),
            "predictions_sha256": sha256_of(predictions),
            "scores": {parts.evaluated_name: scores_of(read_predictions(predictions))},
            "versions": software_versions("torch", "safetensors"),
        }
        require_valid(document, "result", self.folder / "result.json")
        write_json(self.folder / "result.json", document)
        return document


def load_model(folder: Path) -> tuple[nn.Module, Config]:
    """The trained model of a finished run, in evaluation mode, and its options.

    Raises:
        NotFound: There is no finished run.
        InvalidFile: Its result.json is torn or against its schema.
    """
    result = FinishedRun.open(folder).document
    config = read_config(result["model"], str(folder / "config.toml"))
    dimensions = result["configuration"]["dimensions"]
    model = build_model(result["model"], config, result["modalities"], dimensions)
    model.load_state_dict(load_file(folder / "weights.safetensors"))
    return model.eval(), config


def _new_folder(results: Path, model: str, seed: int) -> Path:
    """A folder that nobody has: two runs begun in one second must not share one."""
    while True:
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        folder = results / f"{model}-{stamp}-{seed}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            time.sleep(0.1)
            continue
        return folder


def _cells(column: np.ndarray[Any, Any]) -> list[float | None]:
    return [round(float(v), _DECIMALS) if np.isfinite(v) else None for v in column]


def _spaced(count: int, wanted: int) -> np.ndarray[Any, Any]:
    """At most `wanted` frames, evenly spread over a session."""
    places = (np.arange(wanted) + 0.5) * count / wanted
    return np.unique(places.astype(np.int64))
