"""Labels: one value a frame and dimension, by name.

Those of a study lie under labels/, those of a release inside its shards.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import AlreadyThere, ChecksumMismatch, CommandError, InvalidFile, NotFound
from mavfer.files import read_csv, read_json, replacing, sha256_of, write_csv, write_json
from mavfer.schema import columns_from_text, require_valid
from mavfer.study.shard_index import labels_inside
from mavfer.study.shard_labels import ShardLabel, read_shard_label
from mavfer.study.study import software_versions, utc_now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from mavfer.study.study import Study

__all__ = [
    "LabelTable",
    "LabelTrace",
    "empty_label",
    "is_label_made_so",
    "label_names",
    "label_path",
    "label_to_release",
    "read_label",
    "read_label_traces",
    "write_label",
]

_NAME: Final = re.compile(r"^[A-Za-z0-9_-]+$")


@dataclass(frozen=True)
class LabelTable:
    """The label of one session, one row a frame."""

    values: dict[str, NDArray[np.float32]]
    """(T,) by dimension, NaN where nobody rated."""
    expression: NDArray[np.int64]
    """(T,), index into the study's expression classes, -1 where there is none."""


@dataclass(frozen=True)
class LabelTrace:
    """The label of one session on one dimension, to be written."""

    value: NDArray[np.float64]
    """(T,), NaN where nobody rated."""
    low: NDArray[np.float64]
    """(T,), lower end of the band."""
    high: NDArray[np.float64]
    """(T,), upper end of the band."""
    raters: NDArray[np.int64]
    """(T,), raters behind the value."""


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
    folders = {f.name for f in study.labels_folder.glob("[!.]*") if f.is_dir()}
    return sorted(folders | labels_inside(study))


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
        return _label_inside(study, name, session, frames, dimensions)
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


def read_label_traces(
    study: Study, name: str, session: str
) -> tuple[dict[str, LabelTrace], dict[str, Any]]:
    """The label of one session with its band, by dimension, and the JSON beside it.

    Raises:
        NotFound: There is no such label.
        InvalidFile: It is torn or against its schema.
    """
    path = label_path(study, name, session)
    beside = path.with_suffix(".json")
    if not path.is_file():
        inside = _inside(study, name, session)
        return _traces(inside.columns), inside.document
    columns = columns_from_text(read_csv(path), "label-frames")
    require_valid(columns, "label-frames", path)
    document: dict[str, Any] = read_json(beside)
    require_valid(document, "label", beside)
    return _traces(columns), document


def label_to_release(
    study: Study, name: str, session: str, frames: int, dimensions: Sequence[str]
) -> ShardLabel:
    """The label `name` of one session as it goes into a shard: see `read_label`.

    Raises:
        NotFound: There is no such label, or no JSON beside it.
        ChecksumMismatch: It changed since it was made.
        InvalidFile: It is against its schema, or its rows are not the shard's frames.
    """
    path = label_path(study, name, session)
    if not path.is_file():
        return _inside(study, name, session)
    document: dict[str, Any] = read_json(path.with_suffix(".json"))
    require_valid(document, "label", path.with_suffix(".json"))
    if sha256_of(path) != document["frames_sha256"]:
        message = f"{path}: changed since the label was made. Restore it, or make it again"
        raise ChecksumMismatch(message)
    cells = columns_from_text(read_csv(path), "label-frames")
    require_valid(cells, "label-frames", path)
    label = read_label(study, name, session, frames, dimensions)
    columns: dict[str, Any] = {
        key: _array(cells[key]).astype(np.float32)
        for dimension in dimensions
        for key in (dimension, f"{dimension}_low", f"{dimension}_high")
        if key in cells
    }
    for key in (f"{dimension}_raters" for dimension in dimensions):
        if key in cells:
            columns[key] = np.array(cells[key], np.int32)
    if "expression" in cells:
        columns["expression"] = label.expression.astype(np.int32)
    return ShardLabel(columns, document)


def write_label(
    study: Study,
    document: Mapping[str, Any],
    time_seconds: NDArray[np.float64],
    traces: Mapping[str, LabelTrace],
    *,
    replace: bool = False,
) -> Path:
    """Writes the label of one session, and the JSON that tells how it was made; gives the CSV.

    Args:
        study: The study.
        document: Content of the JSON (docs/formats.md, 'label'): session, name, method,
            dimensions, settings, inputs. The rest is filled in.
        time_seconds: (T,), as in the shard.
        traces: By dimension.
        replace: Write over a label that is there.

    Raises:
        AlreadyThere: There is one, and `replace` is False.
        CommandError: The name cannot be the name of a label, or this is a release.
        InvalidFile: Values or document are against their schema.
    """
    study.require_writable()
    path = label_path(study, document["name"], document["session"])
    if path.exists() and not replace:
        raise AlreadyThere(_otherwise(path))
    columns = _label_columns(time_seconds, traces)
    require_valid(columns, "label-frames", path)
    with replacing(path) as part:
        write_csv(part, columns)
        whole = {
            "format": "mavfer.label",
            "version": 1,
            "created_utc": utc_now(),
            "versions": software_versions("scipy"),
            **document,
            "frames": len(time_seconds),
            "frames_sha256": sha256_of(part),
        }
        require_valid(whole, "label", path.with_suffix(".json"))
        write_json(path.with_suffix(".json"), whole)
    return path


def is_label_made_so(study: Study, document: Mapping[str, Any], *, replace: bool = False) -> bool:
    """Whether the label of this session is there, whole, and made like this; False if not there.

    Args:
        study: The study.
        document: As for `write_label`; method, settings and inputs are compared.
        replace: Answer False, too, where it was made otherwise or its values changed.

    Raises:
        AlreadyThere: A label of this name is there and was made otherwise, or its values changed,
            and `replace` is False.
    """
    path = label_path(study, document["name"], document["session"])
    beside = path.with_suffix(".json")
    if not path.exists():
        return False
    there = read_json(beside) if beside.is_file() else {}
    is_same = all(there.get(key) == document[key] for key in ("method", "settings", "inputs"))
    if is_same and there.get("frames_sha256") == sha256_of(path):
        return True
    if replace:
        return False
    raise AlreadyThere(_otherwise(path))


def _inside(study: Study, name: str, session: str) -> ShardLabel:
    """The label inside of the session's shard, as in a release.

    Raises:
        NotFound: There is none.
        InvalidFile: It is torn.
    """
    try:
        return read_shard_label(study.shard_path(session), name)
    except NotFound as error:
        path = label_path(study, name, session)
        message = f"{path}: no such label. Make it: mavfer label {study.root} --name {name}"
        raise NotFound(message) from error


def _label_inside(
    study: Study, name: str, session: str, frames: int, dimensions: Sequence[str]
) -> LabelTable:
    columns = _inside(study, name, session).columns
    label = empty_label(frames, dimensions)
    targets: dict[str, NDArray[Any]] = {**label.values, "expression": label.expression}
    for column, target in targets.items():
        if column in columns:
            if len(columns[column]) != frames:
                path = study.shard_path(session)
                message = f"{path}: label {name!r} has {len(columns[column])} rows, not {frames}"
                raise InvalidFile(message)
            target[:] = columns[column]
    return label


def _traces(columns: Mapping[str, Any]) -> dict[str, LabelTrace]:
    """The columns of a label by dimension."""
    traces = {}
    for dimension in (key.removesuffix("_low") for key in columns if key.endswith("_low")):
        value, low, high = (
            _array(columns[key]) for key in (dimension, f"{dimension}_low", f"{dimension}_high")
        )
        raters = np.array(columns[f"{dimension}_raters"], np.int64)
        traces[dimension] = LabelTrace(value, low, high, raters)
    return traces


def _array(cells: Sequence[float | None]) -> NDArray[np.float64]:
    """A column of numbers; NaN where a cell is empty."""
    return np.array([np.nan if cell is None else cell for cell in cells], np.float64)


def _otherwise(path: Path) -> str:
    return (
        f"{path}: made from other ratings or with other options. "
        f"Choose another --name, or pass --replace"
    )


def _label_columns(
    time_seconds: NDArray[np.float64], traces: Mapping[str, LabelTrace]
) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {
        "frame": list(range(len(time_seconds))),
        "time_seconds": time_seconds.tolist(),
    }
    for dimension, trace in traces.items():
        columns[dimension] = _cells(trace.value)
        columns[f"{dimension}_low"] = _cells(trace.low)
        columns[f"{dimension}_high"] = _cells(trace.high)
        columns[f"{dimension}_raters"] = trace.raters.tolist()
    return columns


def _cells(values: NDArray[np.float64]) -> list[float | None]:
    """Numbers that read back equal; None where there is none."""
    return [None if np.isnan(value) else value for value in values.tolist()]


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
