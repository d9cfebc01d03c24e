"""What goes into a release, what stays out, and why; nothing is written here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import CommandError, DataError, InvalidFile, NotFound
from mavfer.files import read_json
from mavfer.release.contents import LeftOut
from mavfer.schema import require_valid
from mavfer.study.labels import label_names, label_path
from mavfer.study.ratings import find_ratings
from mavfer.study.shard_index import read_index
from mavfer.study.splits import read_split, split_names, split_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mavfer.study.study import Study

__all__ = ["KeptBack", "Options", "Plan", "plan_release"]

Line = dict[str, Any]

NO_RECORD: Final = "no consent record"
NO_SHARING: Final = "no consent to share"
NO_SHARD: Final = "not preprocessed"

_VERSION: Final = re.compile(r"^[0-9A-Za-z][0-9A-Za-z.+-]{0,31}$")


@dataclass(frozen=True)
class Options:
    """What the user may choose."""

    labels: tuple[str, ...] = ()
    """Names of labels; all that the study has where none is given."""
    has_ratings: bool = False
    """Whether the raters' own traces go in."""
    is_plain: bool = False
    """Whether plain copies of the shards go in, for readers without mavfer."""
    version: str = "1.0"
    """Version of the release."""


@dataclass(frozen=True)
class KeptBack:
    """One session that stays out."""

    session: str
    subject: str
    reason: str
    """As "no consent to share"."""


@dataclass(frozen=True)
class Plan:
    """What goes into a release."""

    study: Study
    options: Options
    lines: tuple[Line, ...]
    """The index of the shards that go in, sorted by session."""
    kept_back: tuple[KeptBack, ...]
    """Sessions that stay out, sorted."""
    labels: tuple[str, ...]
    """Names of labels that a released session has, sorted."""
    splits: dict[str, dict[str, Any]]
    """Splits by name, released subjects alone."""
    ratings: tuple[Path, ...]
    """Samples of the takes that go in, sorted; their JSON lies beside them."""
    notices: tuple[str, ...]
    """What the user should know; for the terminal, as subject codes stand in them."""

    @property
    def subjects(self) -> list[str]:
        """Subjects that go in, sorted."""
        return sorted({line["subject"] for line in self.lines})

    def left_out(self) -> tuple[LeftOut, ...]:
        """What stays out in numbers, sorted by reason."""
        return tuple(
            LeftOut(
                reason,
                subjects=len({each.subject for each in self.kept_back if each.reason == reason}),
                sessions=sum(each.reason == reason for each in self.kept_back),
            )
            for reason in sorted({each.reason for each in self.kept_back})
        )


def plan_release(study: Study, options: Options) -> Plan:
    """What goes into a release of a study.

    Raises:
        CommandError: A version or the name of a label makes no sense.
        NotFound: A label has no such name, a listed shard is missing, or there are no shards.
        InvalidFile: A file is torn or against its schema, a subject stands in two parts of a fold,
            or a split or shard names a subject that is not in participants.csv.
        DataError: The study has no licence, its retention has ended, or nobody agreed to share.
    """
    _require_options(options)
    _require_releasable(study)
    lines = read_index(study)
    if not lines:
        message = f"{study.shards_folder}: no shards yet. Run mavfer preprocess {study.root}"
        raise NotFound(message)
    reasons = {line["session"]: _reason(study, line) for line in lines}
    released = tuple(line for line in lines if reasons[line["session"]] is None)
    kept_back = [
        KeptBack(line["session"], line["subject"], reason)
        for line in lines
        if (reason := reasons[line["session"]]) is not None
    ]
    bare = [name for name in study.sessions() if name not in reasons]
    kept_back += [KeptBack(name, name.rpartition("-")[0], NO_SHARD) for name in bare]
    _require_some(study, released)
    splits = {name: _restricted_split(study, name, released) for name in split_names(study)}
    labels = _labels(study, options, released)
    return Plan(
        study=study,
        options=options,
        lines=released,
        kept_back=tuple(sorted(kept_back, key=lambda each: each.session)),
        labels=tuple(name for name, count in labels.items() if count),
        splits=splits,
        ratings=_ratings(study, released) if options.has_ratings else (),
        notices=(
            *_told_kept_back(kept_back),
            *_told_labels(labels, len(released)),
            *_told_columns(study),
            *_told_parts(splits),
        ),
    )


def _require_options(options: Options) -> None:
    if not _VERSION.match(options.version):
        message = f"--release-version {options.version!r}: give letters, digits, . + - as in 1.0"
        raise CommandError(message)


def _require_releasable(study: Study) -> None:
    """Raises where the study as a whole may not be given away."""
    if study.is_release:
        message = f"{study.root}: is a release itself. Copy the folder as it is to give it away"
        raise CommandError(message)
    path = study.root / "study.json"
    if not (study.document["licence"] or "").strip():
        message = (
            f"{path}: no licence, so nobody would be allowed to use a release. Write one in, for "
            f'example "licence": "CC-BY-NC-4.0"'
        )
        raise DataError(message)
    last_day = study.document["retention_until"]
    if last_day is not None and date.today().isoformat() > last_day:
        message = f"{path}: the data were to be deleted after {last_day}, they cannot be released"
        raise DataError(message)


def _reason(study: Study, line: Line) -> str | None:
    """Why a session stays out; None where it goes in.

    Raises:
        InvalidFile: The consent record is torn, against its schema, or another subject's.
    """
    if line["kind"] == "simulated":
        return None  # nobody was recorded
    path = study.consent_path(line["subject"])
    if not path.is_file():
        return NO_RECORD
    document = read_json(path)
    require_valid(document, "consent", path)
    if document["subject"] != line["subject"]:
        message = f"{path}: is the consent of subject {document['subject']}. Rename it"
        raise InvalidFile(message)
    return None if "share" in document["scope"] else NO_SHARING


def _require_some(study: Study, released: Sequence[Line]) -> None:
    if not released:
        message = (
            f"{study.root}: nobody's consent record covers sharing, nothing can be released. "
            f"Ask, then: mavfer consent {study.root} --subject CODE --form FILE --scope share …"
        )
        raise DataError(message)
    known = set(study.participants()["subject"])
    for line in released:
        if line["subject"] not in known:
            message = (
                f"{study.participants_path}: subject {line['subject']} of session "
                f"{line['session']} is missing. Add the row"
            )
            raise InvalidFile(message)


def _restricted_split(study: Study, name: str, released: Sequence[Line]) -> dict[str, Any]:
    """The document of a split with the released subjects alone; folds keep their numbers.

    Raises:
        InvalidFile: A subject stands in two parts of a fold, or is not in participants.csv.
    """
    split = read_split(study, name)
    named = {code for fold in split.folds for codes in fold.values() for code in codes}
    unknown = sorted(named - set(study.participants()["subject"]))
    if unknown:
        message = (
            f"{split_path(study, name)}: subjects that are not in participants.csv: "
            f"{', '.join(unknown)}. Make the split again: mavfer split --name {name} --replace"
        )
        raise InvalidFile(message)
    subjects = {line["subject"] for line in released}
    folds = [
        {part: [code for code in codes if code in subjects] for part, codes in fold.items()}
        for fold in split.folds
    ]
    document: dict[str, Any] = read_json(split_path(study, name))
    return document | {"folds": folds}


def _labels(study: Study, options: Options, released: Sequence[Line]) -> dict[str, int]:
    """Released sessions that have it, by name of each label asked for.

    Raises:
        NotFound: There is no such label.
    """
    known = label_names(study)
    for name in options.labels:
        if name not in known:
            there = f"There are: {', '.join(known)}" if known else "There is none yet"
            message = f"{study.labels_folder}: no label {name!r}. {there}"
            raise NotFound(message)
    return {
        name: sum(_has_label(study, name, line) for line in released)
        for name in sorted(set(options.labels or known))
    }


def _has_label(study: Study, name: str, line: Line) -> bool:
    is_inside = name in line.get("labels", ())
    return is_inside or label_path(study, name, line["session"]).is_file()


def _ratings(study: Study, released: Sequence[Line]) -> tuple[Path, ...]:
    found = [path for line in released for *_, path in find_ratings(study, line["session"])]
    return tuple(sorted(found))


def _told_kept_back(kept_back: Sequence[KeptBack]) -> list[str]:
    told = []
    for subject, reason in sorted({(each.subject, each.reason) for each in kept_back}):
        names = [e.session for e in kept_back if (e.subject, e.reason) == (subject, reason)]
        told.append(f"{subject} stays out ({reason}): {', '.join(sorted(names))}")
    return told


def _told_labels(labels: dict[str, int], sessions: int) -> list[str]:
    return [
        f"label {name}: {count} of {sessions} released sessions have it"
        for name, count in labels.items()
        if count < sessions
    ]


def _told_columns(study: Study) -> list[str]:
    columns = [name for name in study.participants() if name != "subject"]
    if not columns:
        return []
    return [f"participants.csv goes in with {', '.join(columns)}: see that nobody is named there"]


def _told_parts(splits: dict[str, dict[str, Any]]) -> list[str]:
    return [
        f"split {name}, fold {number}: nobody is left in {part}"
        for name, document in splits.items()
        for number, fold in enumerate(document["folds"])
        for part, codes in fold.items()
        if not codes
    ]
