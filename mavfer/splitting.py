"""The step that divides the subjects of a study into parts or folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mavfer.errors import NotFound
from mavfer.study.shard_index import read_index
from mavfer.study.splits import (
    fold_subjects,
    leave_one_subject_out,
    part_subjects,
    write_split,
)

if TYPE_CHECKING:
    from mavfer.study.splits import Kind, Parts
    from mavfer.study.study import Study

__all__ = ["SplitOutcome", "split_study"]


@dataclass(frozen=True)
class SplitOutcome:
    """A split, and whether it had to be written."""

    name: str
    kind: Kind
    seed: int
    folds: tuple[Parts, ...]
    is_written: bool

    def to_document(self) -> dict[str, Any]:
        """What `mavfer split --json` prints."""
        return {
            "name": self.name,
            "kind": self.kind,
            "seed": self.seed,
            "folds": [{part: list(codes) for part, codes in fold.items()} for fold in self.folds],
            "written": self.is_written,
        }

    def __str__(self) -> str:
        done = "written" if self.is_written else "was there already, the same"
        lines = [f"split {self.name}: {done}"]
        for number, fold in enumerate(self.folds):
            parts = "; ".join(f"{part} {' '.join(codes)}" for part, codes in fold.items())
            lines.append(f"  fold {number}: {parts}" if len(self.folds) > 1 else f"  {parts}")
        return "\n".join(lines)


def split_study(
    study: Study,
    *,
    name: str = "default",
    test: float = 0.2,
    val: float = 0.2,
    folds: int | None = None,
    is_leave_one_out: bool = False,
    seed: int = 0,
    replace: bool = False,
) -> SplitOutcome:
    """Divides the subjects who have a shard and writes the split `name`.

    Args:
        study: The study.
        name: Name of the split.
        test: Share of the subjects that are tested, where neither of the next two is given.
        val: Share of the subjects for validation.
        folds: So many folds instead, in which every subject is tested once.
        is_leave_one_out: A fold a subject instead.
        seed: Of the shuffle.
        replace: Write over another split of this name.

    Raises:
        NotFound: There are no shards.
        AlreadyThere: Another split of this name is there.
        CommandError: Too few subjects, or a number or name that makes no sense.
    """
    subjects = sorted({line["subject"] for line in read_index(study)})
    if not subjects:
        message = f"{study.shards_folder}: no shards yet. Run mavfer preprocess {study.root}"
        raise NotFound(message)
    kind: Kind
    if is_leave_one_out:
        kind, divided = "leave_one_subject_out", leave_one_subject_out(subjects)
    elif folds is not None:
        kind, divided = "folds", fold_subjects(subjects, folds, seed=seed)
    else:
        kind, divided = "parts", part_subjects(subjects, test=test, val=val, seed=seed)
    is_written = write_split(study, name, divided, kind=kind, seed=seed, replace=replace)
    return SplitOutcome(name, kind, seed, tuple(divided), is_written)
