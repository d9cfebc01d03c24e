"""Runs of baselines: scores, predictions, learning curves and attention of one trained model."""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import InvalidFile, NotFound
from mavfer.files import read_csv, read_json
from mavfer.schema import columns_from_text, require_valid

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mavfer.study.study import Study

__all__ = ["FinishedRun", "finished_runs", "read_predictions"]

_KINDS: Final[dict[str, type]] = {"session": np.str_, "frame": np.int64}
"""Of the columns of predictions.csv; all others are float64."""
_LOGGED: Final = frozenset({"epoch", "loss", "train"})
"""What every line of log.jsonl says."""
_PLACES: Final = frozenset({"session", "frame", "box"})
"""Arrays of attention.npz that say which frames its maps are of, and where in the crop."""


@dataclass(frozen=True)
class FinishedRun:
    """A folder under results/ whose training ended."""

    folder: Path
    document: dict[str, Any]
    """Content of result.json."""

    @classmethod
    def open(cls, folder: Path) -> FinishedRun:
        """The run in a folder.

        Raises:
            NotFound: No training ended there.
            InvalidFile: Its result.json is torn or against its schema.
        """
        path = folder / "result.json"
        if not path.is_file():
            message = f"{folder}: no finished run here (result.json is missing). Run mavfer train"
            raise NotFound(message)
        document = read_json(path)
        require_valid(document, "result", path)
        return cls(folder, document)

    @property
    def model(self) -> str:
        """Name of the model."""
        return str(self.document["model"])

    @property
    def part(self) -> str:
        """The part of the split that was predicted."""
        return str(next(iter(self.document["scores"]), "unknown"))

    def predictions(self) -> dict[str, NDArray[Any]]:
        """The columns of predictions.csv, as `read_predictions` gives them."""
        return read_predictions(self.folder / "predictions.csv")

    def log(self) -> list[dict[str, Any]]:
        """One line an epoch: epoch, loss, train and val (CCC by dimension), learning rate.

        Raises:
            NotFound: There is no log.jsonl.
            InvalidFile: A line of it is not JSON, or tells of no epoch.
        """
        path = self.folder / "log.jsonl"
        if not path.is_file():
            message = f"{path}: is missing. Restore it, or train again and delete this run"
            raise NotFound(message)
        lines = path.read_text("utf-8").splitlines()
        return [_logged(path, number, line) for number, line in enumerate(lines, 1)]

    def attention(self) -> dict[str, NDArray[Any]]:
        """Maps of some frames, as docs/train.md tells; empty where none were kept.

        Raises:
            InvalidFile: attention.npz is torn, or does not say of which frames it is.
        """
        path = self.folder / "attention.npz"
        if not path.is_file():
            return {}
        try:
            with path.open("rb") as handle, np.load(handle, allow_pickle=False) as arrays:
                maps = {name: arrays[name] for name in arrays.files}
        except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            message = f"{path}: not readable ({error}). Restore it, or train again"
            raise InvalidFile(message) from error
        missing = sorted(_PLACES - maps.keys())
        if missing:
            message = f"{path}: holds no array {missing[0]!r}. Restore it, or train again"
            raise InvalidFile(message)
        return maps


def finished_runs(study: Study) -> list[FinishedRun]:
    """Every run of a study that ended, oldest first.

    Raises:
        InvalidFile: A result.json is torn or against its schema.
    """
    runs = [
        FinishedRun.open(path.parent) for path in (study.root / "results").glob("[!.]*/result.json")
    ]
    return sorted(runs, key=lambda run: (run.document["created_utc"], run.folder.name))


def read_predictions(path: Path) -> dict[str, NDArray[Any]]:
    """The columns of predictions.csv (N,): session, frame, and numbers that are NaN where empty.

    Raises:
        NotFound: There is no such file.
        InvalidFile: It is torn or against its schema.
    """
    columns = columns_from_text(read_csv(path), "predictions")
    require_valid(columns, "predictions", path)
    return {
        name: np.array(cells, _KINDS.get(name, np.float64))  # None becomes NaN
        for name, cells in columns.items()
    }


def _logged(path: Path, number: int, text: str) -> dict[str, Any]:
    """One line of log.jsonl."""
    try:
        line = json.loads(text)
    except ValueError as error:
        message = f"{path}, line {number}: not JSON ({error}). Restore it, or train again"
        raise InvalidFile(message) from error
    if not isinstance(line, dict) or not line.keys() >= _LOGGED:
        message = f"{path}, line {number}: tells of no epoch. Restore it, or train again"
        raise InvalidFile(message)
    return line
