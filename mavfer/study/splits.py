"""Splits: which subjects train, validate and test."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from mavfer.errors import AlreadyThere, CommandError, InvalidFile, NotFound
from mavfer.files import read_json, write_json
from mavfer.schema import require_valid
from mavfer.study.study import software_versions, utc_now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mavfer.study.study import Study

__all__ = [
    "Split",
    "fold_subjects",
    "leave_one_subject_out",
    "part_subjects",
    "read_split",
    "require_no_leak",
    "split_names",
    "split_path",
    "write_split",
]

Parts = dict[str, tuple[str, ...]]
Kind = Literal["parts", "folds", "leave_one_subject_out"]

_WITH_VALIDATION: Final = 3
"""With fewer folds nothing would be left to train on."""

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
        there = f"There are: {', '.join(known)}. " if known else ""
        message = f"{path}: no split of this name. {there}Run mavfer split {study.root}"
        raise NotFound(message)
    document: dict[str, Any] = read_json(path)
    require_valid(document, "split", path)
    for number, fold in enumerate(document["folds"]):
        require_no_leak(fold, f"{path}, fold {number}")
    folds = ({part: tuple(codes) for part, codes in fold.items()} for fold in document["folds"])
    return Split(document["name"], tuple(folds))


def part_subjects(
    subjects: Sequence[str], *, test: float = 0.2, val: float = 0.2, seed: int = 0
) -> list[Parts]:
    """One fold of train, val and test; each share is rounded, and at least one subject.

    A share of 0 gives no such part.

    Raises:
        CommandError: A share makes no sense, or nobody would be left to train on.
    """
    if not (test >= 0 and val >= 0 and test + val < 1):
        message = f"--test {test:g} --val {val:g}: give shares from 0 that leave some to train on"
        raise CommandError(message)
    shuffled = _shuffled(subjects, seed)
    tests, vals = (max(1, round(share * len(shuffled))) if share else 0 for share in (test, val))
    if tests + vals >= len(shuffled):
        message = (
            f"{len(shuffled)} subjects: {tests} for test and {vals} for val leave nobody to train "
            f"on. Record more subjects, or pass --val 0"
        )
        raise CommandError(message)
    parts = {
        "train": shuffled[tests + vals :],
        "val": shuffled[tests : tests + vals],
        "test": shuffled[:tests],
    }
    return [{name: tuple(sorted(codes)) for name, codes in parts.items() if codes}]


def fold_subjects(subjects: Sequence[str], folds: int, *, seed: int = 0) -> list[Parts]:
    """Folds in which every subject is tested once; from three folds on the next fold's are val.

    Raises:
        CommandError: Fewer than two folds, or more folds than subjects.
    """
    if not 1 < folds <= len(set(subjects)):
        message = f"--folds {folds}: give 2 to {len(set(subjects))}, one subject a fold at most"
        raise CommandError(message)
    shuffled = _shuffled(subjects, seed)
    return _rotated([shuffled[fold::folds] for fold in range(folds)])


def leave_one_subject_out(subjects: Sequence[str]) -> list[Parts]:
    """A fold a subject, which tests that subject; from three on the next subject is val.

    Raises:
        CommandError: Fewer than two subjects.
    """
    everybody = sorted(set(subjects))
    if len(everybody) < 2:  # noqa: PLR2004 (one to train, one to test)
        message = f"{len(everybody)} subject: leaving one out leaves nobody. Record more subjects"
        raise CommandError(message)
    return _rotated([[subject] for subject in everybody])


def write_split(
    study: Study,
    name: str,
    folds: Sequence[Mapping[str, Sequence[str]]],
    *,
    kind: Kind,
    seed: int = 0,
    replace: bool = False,
) -> bool:
    """Writes the split `name`; True if anything had to be written. The same split stays.

    Raises:
        AlreadyThere: Another split of this name is there, and `replace` is False.
        InvalidFile: A subject stands in two parts.
        CommandError: `name` cannot be a file name, or this is a release.
    """
    study.require_writable()
    path = split_path(study, name)
    made_so = {
        "kind": kind,
        "seed": seed,
        "folds": [{part: list(codes) for part, codes in fold.items()} for fold in folds],
    }
    for number, fold in enumerate(folds):
        require_no_leak(fold, f"{path}, fold {number}")
    if path.is_file() and _is_split_made_so(path, made_so, replace=replace):
        return False
    document = {
        "format": "mavfer.split",
        "version": 1,
        "name": name,
        **made_so,
        "created_utc": utc_now(),
        "versions": software_versions(),
    }
    require_valid(document, "split", path)
    write_json(path, document)
    return True


def _is_split_made_so(path: Path, made_so: Mapping[str, Any], *, replace: bool) -> bool:
    """Whether a split says this; one that does not is refused unless it may be replaced."""
    try:
        there = read_json(path)
    except InvalidFile:
        if replace:
            return False
        raise
    if all(there.get(key) == value for key, value in made_so.items()):
        return True
    if replace:
        return False
    message = f"{path}: another split of this name. Choose another --name, or pass --replace"
    raise AlreadyThere(message)


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
                    f"Make the split again: mavfer split --replace"
                )
                raise InvalidFile(message)
            home[subject] = part


def _shuffled(subjects: Sequence[str], seed: int) -> list[str]:
    """The subjects, each once, in an order that the seed alone decides."""
    everybody = sorted(set(subjects))
    return [everybody[at] for at in np.random.default_rng(seed).permutation(len(everybody))]


def _rotated(groups: Sequence[Sequence[str]]) -> list[Parts]:
    """A fold a group: the group is test, the next one val, all others train."""
    folds = []
    for number, group in enumerate(groups):
        following = groups[(number + 1) % len(groups)] if len(groups) >= _WITH_VALIDATION else ()
        held_out = {*group, *following}
        train = [code for each in groups for code in each if code not in held_out]
        parts = {"train": train, "val": following, "test": group}
        folds.append({name: tuple(sorted(codes)) for name, codes in parts.items() if codes})
    return folds
