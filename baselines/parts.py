"""What a run is trained and evaluated on: parts of a split, read through their views."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

import mavfer
from baselines.data import SessionView, session_view
from mavfer.errors import CommandError, InvalidFile, NotFound
from mavfer.progress import progress
from mavfer.recordings import RATER_PREFIX
from mavfer.streams import STREAM_NAMES
from mavfer.study.labels import label_names
from mavfer.study.splits import read_split
from mavfer.study.study import Study

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from baselines.config import Config, Task
    from mavfer.dataset import Dataset
    from mavfer.streams import StreamName

__all__ = ["Parts", "load_parts", "read_streams", "read_views"]

_TRAIN: Final = "train"
_VALIDATE: Final = "val"
_TEST: Final = "test"


@dataclass(frozen=True)
class Parts:
    """Sessions by what they are for."""

    train: Dataset
    validate: Dataset | None
    """None where the split has no part "val"."""
    evaluated: Dataset
    evaluated_name: str
    """"test", or "val" where there is no "test"."""
    dimensions: tuple[str, ...]
    """Those that somebody rated in `train`; none where only classes are asked for."""
    classes: tuple[str, ...] = ()
    """Expression classes; none where they are not asked for."""

    def __iter__(self) -> Iterator[Dataset]:
        """Every part once."""
        seen = {id(part): part for part in (self.train, self.validate, self.evaluated) if part}
        return iter(seen.values())


def read_streams(text: str) -> tuple[StreamName, ...]:
    """The streams in a text such as "color,depth", in their usual order.

    Raises:
        CommandError: One of them does not exist.
    """
    given = [word.strip() for word in text.split(",")]
    unknown = [word for word in given if word not in STREAM_NAMES]
    if unknown:
        message = f"no modality {unknown[0]!r}. There are: {', '.join(STREAM_NAMES)}"
        raise CommandError(message)
    return tuple(name for name in STREAM_NAMES if name in given)


def load_parts(
    root: Path,
    *,
    streams: Sequence[StreamName],
    labels: str,
    split: str,
    fold: int,
    task: Task = "dimensions",
) -> Parts:
    """The parts of a split, with labels.

    Raises:
        NotFound: No study, shards, split or label of that name, an empty part, no rated frame, or
            no expression classes where they are asked for.
        CommandError: No such fold.
        InvalidFile: A subject stands in two parts.
    """
    study = Study.open(root)
    _require_label(study, labels)
    names = read_split(study, split).folds[0]
    dataset = mavfer.load(root, modalities=streams, labels=labels)
    evaluated_name = _TEST if _TEST in names else _VALIDATE
    train, evaluated = (_part(dataset, part, split, fold) for part in (_TRAIN, evaluated_name))
    validate = evaluated if evaluated_name == _VALIDATE else None
    if validate is None and _VALIDATE in names:
        validate = dataset.split(_VALIDATE, split, fold)
    dimensions = tuple(name for name in dataset.dimensions if _is_rated(train, name))
    if task == "classes":
        dimensions = ()
    elif not dimensions:
        message = (
            f"{root}: no frame of the part {_TRAIN!r} has a label {labels!r}. "
            f"Rate its sessions, then run mavfer label {root} --name {labels}"
        )
        raise NotFound(message)
    classes = () if task == "dimensions" else _classes(study, train, labels)
    return Parts(train, validate or None, evaluated, evaluated_name, dimensions, classes)


def read_views(parts: Parts, config: Config) -> dict[str, SessionView]:
    """Every session of every part through its view, by session id."""
    recordings = [recording for part in parts for recording in part]
    views = {}
    with progress("read sessions", len(recordings), "session") as advance:
        for recording in recordings:
            views[recording.session] = session_view(recording, config, parts.dimensions)
            advance(1)
    return views


def _require_label(study: Study, name: str) -> None:
    known = label_names(study)
    if name.startswith(RATER_PREFIX) or name in known:
        return
    there = f"There are: {', '.join(known)}" if known else "There is none yet"
    message = (
        f"{study.root}: no label {name!r}. {there}. "
        f"Make it: mavfer label {study.root} --name {name}"
    )
    raise NotFound(message)


def _part(dataset: Dataset, part: str, split: str, fold: int) -> Dataset:
    chosen = dataset.split(part, split, fold)
    if not len(chosen):
        message = (
            f"split {split}: no session of its part {part!r} is here. "
            f"Make the split again: mavfer split {dataset.study.root} --replace"
        )
        raise NotFound(message)
    return chosen


def _classes(study: Study, train: Dataset, labels: str) -> tuple[str, ...]:
    """Names of the expression classes."""
    names: tuple[str, ...] = tuple(study.document["expression_classes"])
    if not names:
        message = f"{study.root}: study.json names no expression_classes. Write them there"
        raise NotFound(message)
    largest = max((int(r.expression.max(initial=-1)) for r in train), default=-1)
    if largest < 0:
        message = (
            f"{study.root}: no frame of the part {_TRAIN!r} has an expression in the label "
            f"{labels!r}. Add the column, or train with --set task=dimensions"
        )
        raise NotFound(message)
    if largest >= len(names):
        message = (
            f"{study.root}: label {labels!r} has an expression {largest}, and study.json names "
            f"{len(names)} expression_classes. Correct one of them"
        )
        raise InvalidFile(message)
    return names


def _is_rated(dataset: Dataset, dimension: str) -> bool:
    return any(bool(np.isfinite(r.label(dimension)).any()) for r in dataset)
