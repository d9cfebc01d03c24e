"""Splits: which subjects train, validate and test."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import CommandError, InvalidFile, NotFound
from mavfer.files import read_json
from mavfer.schema import require_valid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mavfer.study.study import Study

__all__ = ["Split", "read_split", "require_no_leak", "split_names", "split_path"]

_NAME: Final = re.compile(r"^[A-Za-z0-9_-]+$")


@dataclass(frozen=True)
class Split:
    """Subjects by part, one such table a fold."""

    name: str
    folds: tuple[dict[str, tuple[str, ...]], ...]

    def subjects(self, part: str, fold: int = 0) -> tuple[str, ...]:
        """Subjects of one part.

        Raises:
            NotFound: There is no such part.
            CommandError: There is no such fold.
        """
        if not 0 <= fold < len(self.folds):
            message = f"split {self.name}: no fold {fold}. It has folds 0 to {len(self.folds) - 1}"
            raise CommandError(message)
        parts = self.folds[fold]
        if part not in parts:
            message = f"split {self.name}: no part {part!r}. It has {', '.join(parts)}"
            raise NotFound(message)
        return parts[part]


def split_path(study: Study, name: str) -> Path:
    """File of one split.

    Raises:
        CommandError: `name` cannot be a file name.
    """
    if not _NAME.match(name):
        message = f"{name!r}: not a split name (letters, digits, _ -)"
        raise CommandError(message)
    return study.splits_folder / f"{name}.json"


def split_names(study: Study) -> list[str]:
    """Names of all splits, sorted."""
    return sorted(path.stem for path in study.splits_folder.glob("[!.]*.json"))


def read_split(study: Study, name: str = "default") -> Split:
    """The split `name`, checked for leaks.

    Raises:
        NotFound: There is no such split.
        InvalidFile: It is against its schema, or a subject stands in two parts of a fold.
    """
    path = split_path(study, name)
    if not path.is_file():
        known = split_names(study)
        there = f"There are: {', '.join(known)}" if known else f"Run mavfer split {study.root}"
        message = f"{path}: no split of this name. {there}"
        raise NotFound(message)
    document: dict[str, Any] = read_json(path)
    require_valid(document, "split", path)
    for number, fold in enumerate(document["folds"]):
        require_no_leak(fold, f"{path}, fold {number}")
    folds = ({part: tuple(codes) for part, codes in fold.items()} for fold in document["folds"])
    return Split(document["name"], tuple(folds))


def require_no_leak(parts: Mapping[str, Sequence[str]], where: str) -> None:
    """Returns when no subject stands in two parts.

    Raises:
        InvalidFile: One does.
    """
    home: dict[str, str] = {}
    for part, subjects in parts.items():
        for subject in subjects:
            if subject in home:
                message = (
                    f"{where}: subject {subject} stands in {home[subject]} and in {part}. "
                    f"Make the split again: mavfer split"
                )
                raise InvalidFile(message)
            home[subject] = part
