"""The folder of a run: begun when training begins, whole when result.json is there.

Imports torch and safetensors; import it where it is used.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from baselines.config import read_config
from baselines.models import MODELS, build_model
from baselines.scores import EXPRESSION, scores_of
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
    from mavfer.recordings import Recording
    from mavfer.streams import StreamName
    from mavfer.study.study import Study

__all__ = ["Run", "load_model", "provenance"]

_DECIMALS: Final = 6


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

    @classmethod
    def again(cls, folder: Path, identity: Mapping[str, Any]) -> Run:
        """A run that did not end, from what `identity` said of it."""
        config = read_config(identity["model"], str(folder / "config.toml"))
        about = dict(identity) | {"streams": tuple(identity["streams"])}
        return cls(folder, config=config, **about)

    def identity(self) -> dict[str, Any]:
        """All but the folder and the configuration, which lie beside."""
        return {
            "model": self.model,
            "seed": self.seed,
            "streams": list(self.streams),
            "labels": self.labels,
            "split": self.split,
            "fold": self.fold,
        }

    def log(self, line: Mapping[str, Any]) -> None:
        """Adds a line to log.jsonl."""
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(line, allow_nan=False) + "\n")

    def write_weights(self, model: nn.Module) -> None:
        """Writes weights.safetensors."""
        from safetensors.torch import save_file

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
        if parts.classes:
            columns |= _class_columns(views, predictions)
        write_csv(self.folder / "predictions.csv", columns)

    def write_attention(
        self, views: Sequence[SessionView], predictions: Sequence[Prediction], box: Sequence[float]
    ) -> None:
        """Writes attention.npz: some frames of each session, for pictures; nothing without any."""
        if not self.config.attention_frames or not predictions[0].attention:
            return
        chosen = [_spaced(len(view.labels), self.config.attention_frames) for view in views]
        names = [view.recording.session for view in views]
        arrays: dict[str, Any] = {
            "session": np.repeat(names, [len(rows) for rows in chosen]),
            "frame": np.concatenate(chosen),
            "box": np.asarray(box, np.float32),
        }
        for stream in predictions[0].attention:
            maps = [p.attention[stream][rows] for p, rows in zip(predictions, chosen, strict=True)]
            arrays[stream] = np.concatenate(maps)
        with replacing(self.folder / "attention.npz") as part, part.open("wb") as handle:
            np.savez_compressed(handle, **arrays)

    def finish(self, parts: Parts, parameters: int) -> dict[str, Any]:
        """Writes result.json, with scores computed from the predictions as they were written."""
        predictions = self.folder / "predictions.csv"
        answers = {"dimensions": list(parts.dimensions), "classes": list(parts.classes)}
        document = {
            "format": "mavfer.result",
            "version": 1,
            "run": self.folder.name,
            "model": self.model,
            "seed": self.seed,
            "created_utc": utc_now(),
            "study": parts.train.study.name,
            "label": self.labels,
            "modalities": list(self.streams),
            "configuration": self.config.to_document() | answers,
            "parameters": parameters,
            "narrow": self.config.is_narrow,
            **provenance(self.split, self.fold, parts),
            "predictions_sha256": sha256_of(predictions),
            "scores": {parts.evaluated_name: scores_of(read_predictions(predictions))},
            "versions": software_versions("torch", "safetensors", "scikit-learn"),
        }
        require_valid(document, "result", self.folder / "result.json")
        write_json(self.folder / "result.json", document)
        return document


def provenance(split: str, fold: int, parts: Parts) -> dict[str, Any]:
    """Hashes of what a run on these parts of a split rests on: split, shards and labels."""
    recordings = {r.session: r for part in parts for r in part}
    shards = {session: r.info["sha256"] for session, r in recordings.items()}
    labels = {session: _label_sha256(r, parts) for session, r in recordings.items()}
    return {
        "split": {
            "name": split,
            "fold": fold,
            "sha256": sha256_of(split_path(parts.train.study, split)),
        },
        "data_sha256": sha256_of_document(shards),
        "labels_sha256": sha256_of_document(labels),
    }


def load_model(folder: Path) -> tuple[Any, Config]:
    """The trained model of a finished run, a network in evaluation mode, and its options.

    Raises:
        NotFound: There is no finished run.
        InvalidFile: Its result.json is torn or against its schema.
    """
    from safetensors.torch import load_file

    result = FinishedRun.open(folder).document
    config = read_config(result["model"], str(folder / "config.toml"))
    chosen = result["configuration"]
    model: Any = build_model(
        result["model"],
        config,
        result["modalities"],
        chosen["dimensions"],
        chosen.get("classes", ()),
    )
    if MODELS[result["model"]].kind == "classical":
        model.load(folder)
        return model, config
    model.load_state_dict(load_file(folder / "weights.safetensors"))
    return model.eval(), config


def _class_columns(
    views: Sequence[SessionView], predictions: Sequence[Prediction]
) -> dict[str, list[Any]]:
    """Likeliest class, label and the probability of every class, of each frame."""
    answers = np.concatenate([each.classes for each in predictions])
    labels = np.concatenate([view.expression for view in views if view.expression is not None])
    columns: dict[str, list[Any]] = {
        EXPRESSION: _class_cells(answers),
        f"{EXPRESSION}_label": _class_cells(labels),
    }
    chances = np.concatenate([p.probabilities for p in predictions if p.probabilities is not None])
    for number, column in enumerate(chances.T):
        columns[f"probability_{number}"] = _cells(column)
    return columns


def _label_sha256(recording: Recording, parts: Parts) -> str:
    """SHA-256 of the labels that a session has, of what is predicted."""
    digest = hashlib.sha256()
    for name in parts.dimensions:
        digest.update(np.asarray(recording.label(name), "<f4").tobytes())
    if parts.classes:
        digest.update(np.asarray(recording.expression, "<i8").tobytes())
    return digest.hexdigest()


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


def _class_cells(column: np.ndarray[Any, Any]) -> list[int | None]:
    return [int(v) if v >= 0 else None for v in column]


def _spaced(count: int, wanted: int) -> np.ndarray[Any, Any]:
    """At most `wanted` frames, evenly spread over a session."""
    places = (np.arange(wanted) + 0.5) * count / wanted
    return np.unique(places.astype(np.int64))
