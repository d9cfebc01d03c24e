"""Labels: one value a frame and dimension, by name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.errors import CommandError, InvalidFile, NotFound
from mavfer.files import read_csv

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from mavfer.study.study import Study

__all__ = ["LabelTable", "empty_label", "label_names", "label_path", "read_label"]

_NAME: Final = re.compile(r"^[A-Za-z0-9_-]+$")


@dataclass(frozen=True)
class LabelTable:
    """The label of one session, one row a frame."""

    values: dict[str, NDArray[np.float32]]
    """(T,) by dimension, NaN where nobody rated."""
    expression: NDArray[np.int64]
    """(T,), index into the study's expression classes, -1 where there is none."""


def label_path(study: Study, name: str, session: str) -> Path:
    """Table of the label `name` of one session.

    Raises:
        CommandError: `name` cannot be the name of a label.
    """
    if not _NAME.match(name):
        message = f"{name!r}: not a label name (letters, digits, _ -)"
        raise CommandError(message)
    return study.labels_folder / name / f"{session}.csv"


def label_names(study: Study) -> list[str]:
    """Names of all labels, sorted."""
    if not study.labels_folder.is_dir():
        return []
    return sorted(f.name for f in study.labels_folder.glob("[!.]*") if f.is_dir())


def empty_label(frames: int, dimensions: Sequence[str]) -> LabelTable:
    """The label of a session that nobody rated."""
    values = {name: np.full(frames, np.nan, np.float32) for name in dimensions}
    return LabelTable(values, np.full(frames, -1, np.int64))


def read_label(
    study: Study, name: str, session: str, frames: int, dimensions: Sequence[str]
) -> LabelTable:
    """The label `name` of one session; dimensions without a column are NaN.

    Args:
        study: The study.
        name: Name of the label.
        session: Session id.
        frames: Rows that the shard has.
        dimensions: Dimensions to read.

    Raises:
        NotFound: There is no such label.
        InvalidFile: The rows are not the shard's frames, or a value is not a number.
    """
    path = label_path(study, name, session)
    if not path.is_file():
        message = f"{path}: no such label. Make it: mavfer label {study.root} --name {name}"
        raise NotFound(message)
    columns = read_csv(path)
    _require_frames(columns.get("frame", []), frames, path)
    label = empty_label(frames, dimensions)
    for dimension in dimensions:
        if dimension in columns:
            label.values[dimension][:] = _numbers(columns[dimension], dimension, path)
    if "expression" in columns:
        classes = _numbers(columns["expression"], "expression", path)
        label.expression[:] = np.where(np.isnan(classes), -1, classes)
    return label


def _require_frames(cells: list[str], frames: int, path: Path) -> None:
    """Raises where the rows are not frames 0, 1, 2, … of the shard."""
    if len(cells) != frames:
        message = (
            f"{path}: {len(cells)} rows, the shard has {frames} frames. "
            f"The session was preprocessed again; make the label again: mavfer label"
        )
        raise InvalidFile(message)
    if cells != [str(frame) for frame in range(frames)]:
        message = f"{path}: the column frame must count 0, 1, 2, … Make the label again"
        raise InvalidFile(message)


def _numbers(cells: list[str], column: str, path: Path) -> NDArray[np.float64]:
    try:
        return np.array([float(cell) if cell else np.nan for cell in cells])
    except ValueError as error:
        message = f"{path}, column {column}: {error}. Write numbers, or nothing"
        raise InvalidFile(message) from error
