"""Labels inside of a shard, as a release has them: columns under /labels, and how they were made.

Adding them moves no byte of what is there, so the index of the pixels stays as it is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from mavfer.errors import ChecksumMismatch, InvalidFile, NotFound
from mavfer.study.hdf5 import reading_hdf5
from mavfer.study.patient_file import patient_hdf5

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = [
    "ShardLabel",
    "read_shard_label",
    "shard_label_names",
    "verify_shard_labels",
    "write_shard_labels",
]


@dataclass(frozen=True)
class ShardLabel:
    """One label of one session, as it stands in a shard."""

    columns: dict[str, NDArray[np.float32] | NDArray[np.int32]]
    """(T,) by the names that they have in labels/<name>/<session>.csv."""
    document: dict[str, Any]
    """How the label was made (docs/formats.md, 'label')."""


def write_shard_labels(path: Path, labels: Mapping[str, ShardLabel]) -> None:
    """Adds labels by name to a shard; one of the same name is replaced.

    Raises:
        DataError: The disk is full or fails; the shard must not be used then.
    """
    with patient_hdf5(path, is_new=False) as (file, _):
        for name, label in labels.items():
            _write_label(file, name, label)


def read_shard_label(path: Path, name: str) -> ShardLabel:
    """The label `name` inside of a shard.

    Raises:
        NotFound: There is no such shard, or no such label in it.
        ChecksumMismatch: Its bytes changed since they were written.
        InvalidFile: Its document is torn.
    """
    with reading_hdf5(path) as file:
        if name not in shard_label_names(file):
            message = f"{path}: no label {name!r} inside"
            raise NotFound(message)
        columns = {
            column: _read_column(dataset, path)
            for column, dataset in file[f"labels/{name}"].items()
        }
        text = file[f"documents/labels/{name}"][()]
    try:
        return ShardLabel(columns, json.loads(text))
    except ValueError as error:
        message = f"{path}: the document of label {name!r} is torn. Restore the shard from a copy"
        raise InvalidFile(message) from error


def shard_label_names(file: h5py.File) -> list[str]:
    """Names of the labels inside of an open shard, sorted."""
    both = (file.get("labels", {}), file.get("documents/labels", {}))
    return sorted(set(both[0]) & set(both[1]))


def verify_shard_labels(file: h5py.File, path: Path) -> None:
    """Returns when every label inside of an open shard has its rows as they were written.

    Raises:
        InvalidFile: A column has another length than the shard, or no document.
        ChecksumMismatch: Bytes changed since they were written.
    """
    labels = file.get("labels", {})
    bare = sorted(set(labels) - set(shard_label_names(file)))
    if bare:
        message = f"{path}: label {bare[0]!r} has no document. Restore the shard from a copy"
        raise InvalidFile(message)
    frames = int(file.attrs["frames"])
    for name in labels:
        for dataset in labels[name].values():
            if _read_column(dataset, path).shape != (frames,):
                message = f"{path}: {dataset.name} is {dataset.shape}, must be ({frames},)"
                raise InvalidFile(message)


def _write_label(file: h5py.File, name: str, label: ShardLabel) -> None:
    for place in (f"labels/{name}", f"documents/labels/{name}"):
        if place in file:
            del file[place]
    for column, values in label.columns.items():
        file.create_dataset(
            f"labels/{name}/{column}", data=values, chunks=values.shape, fletcher32=True
        )
    text = json.dumps(label.document, ensure_ascii=False, allow_nan=False).encode()
    kind = h5py.string_dtype("utf-8", len(text))
    file.create_dataset(f"documents/labels/{name}", data=np.array(text, dtype=kind))


def _read_column(dataset: h5py.Dataset, path: Path) -> NDArray[Any]:
    try:
        values: NDArray[Any] = dataset[:]
    except OSError as error:
        message = f"{path}: {dataset.name} changed since it was written. Restore it from a copy"
        raise ChecksumMismatch(message) from error
    return values
