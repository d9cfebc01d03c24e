"""Copying what a plan names into the folder of a release, every byte of it checked."""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import ChecksumMismatch, InvalidFile
from mavfer.files import sha256_of, write_csv, write_json, write_jsonl
from mavfer.progress import progress
from mavfer.schema import require_valid
from mavfer.streams import STREAMS
from mavfer.study.labels import label_path, label_to_release
from mavfer.study.plain_copy import write_plain_copy
from mavfer.study.ratings import read_rating
from mavfer.study.shard_index import describe_shard
from mavfer.study.shard_labels import write_shard_labels
from mavfer.study.shards import Shard
from mavfer.study.study import Study

if TYPE_CHECKING:
    from pathlib import Path

    from mavfer.release.plan import Plan
    from mavfer.study.shard_labels import ShardLabel

__all__ = ["PLAIN_FOLDER", "bytes_needed", "copy_study"]

PLAIN_FOLDER: Final = "plain"

_BLOCK_BYTES: Final = 1 << 20
_COLUMN_BYTES: Final = 64
"""Of a frame's labels, a name, with room to spare."""
_SMALL_FILES_BYTES: Final = 4 << 20
"""Documents, tables and what folders take."""


def bytes_needed(plan: Plan) -> int:
    """Bytes that the release takes at most; plain copies are counted as if nothing compressed."""
    shards = sum(line["size"] for line in plan.lines)
    frames = sum(line["frames"] for line in plan.lines)
    ratings = sum(path.stat().st_size for path in _with_documents(plan.ratings))
    plain = sum(map(_pixel_bytes, plan.lines)) + shards if plan.options.is_plain else 0
    return int(
        shards + plain + ratings + frames * len(plan.labels) * _COLUMN_BYTES + _SMALL_FILES_BYTES
    )


def copy_study(plan: Plan, folder: Path) -> list[dict[str, Any]]:
    """Copies everything but documents and manifest into `folder`; gives the index of its shards.

    Raises:
        ChecksumMismatch: A shard, label or rating is not what it was when it was made.
        InvalidFile: A file is torn or against its schema.
        DataError: The disk is full or fails.
    """
    copy = Study(folder, plan.study.document)
    shutil.copyfile(plan.study.root / "study.json", folder / "study.json")
    _copy_participants(plan, copy)
    for name, document in plan.splits.items():
        path = copy.splits_folder / f"{name}.json"
        require_valid(document, "split", path)
        write_json(path, document)
    for path in _with_documents(plan.ratings):
        _copy_rating(path, copy.ratings_folder / path.parent.name / path.name)
    lines = []
    with progress("copy shards", len(plan.lines), "shard") as advance:
        for line in plan.lines:
            lines.append(_copy_shard(plan, line, copy))
            advance(1)
    write_jsonl(copy.index_path, lines)
    return lines


def _pixel_bytes(line: dict[str, Any]) -> int:
    """Bytes of all pixels of a session as they are."""
    frame = sum(
        STREAMS[name].frame_bytes(size["height"], size["width"])
        for name, size in line["streams"].items()
    )
    return int(line["frames"] * frame)


def _with_documents(ratings: tuple[Path, ...]) -> list[Path]:
    return [path for samples in ratings for path in (samples, samples.with_suffix(".json"))]


def _copy_participants(plan: Plan, copy: Study) -> None:
    columns = plan.study.participants()
    subjects = set(plan.subjects)
    rows = [row for row, code in enumerate(columns["subject"]) if code in subjects]
    write_csv(
        copy.participants_path, {name: [cells[r] for r in rows] for name, cells in columns.items()}
    )


def _copy_rating(path: Path, target: Path) -> None:
    """Copies one file of a take; its samples must be those that were collected."""
    if path.suffix == ".csv" and sha256_of(path) != read_rating(path).document["samples_sha256"]:
        message = f"{path}: samples changed since they were collected. Restore it from a copy"
        raise ChecksumMismatch(message)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)


def _copy_shard(plan: Plan, line: dict[str, Any], copy: Study) -> dict[str, Any]:
    """Copies one shard, puts its labels inside, reads all of it back; gives its line."""
    source, target = plan.study.shard_path(line["session"]), copy.shard_path(line["session"])
    target.parent.mkdir(exist_ok=True)
    if _copied_sha256(source, target) != line["sha256"]:
        message = (
            f"{source}: its bytes changed since it was listed. Restore it from a copy, or delete "
            f"it and run mavfer preprocess"
        )
        raise ChecksumMismatch(message)
    write_shard_labels(target, _labels(plan, line))
    try:
        Shard(target).verify()
    except InvalidFile:
        Shard(source).verify()  # says the same of the study's own shard where that is damaged
        raise
    if plan.options.is_plain:
        plain = copy.root / PLAIN_FOLDER / target.name
        plain.parent.mkdir(exist_ok=True)
        write_plain_copy(target, plain)
    # The study's own time of change, so that two releases of one study are the same.
    os.utime(target, ns=(line["mtime_ns"], line["mtime_ns"]))
    described = describe_shard(target)
    require_valid(described, "shard-index", copy.index_path)
    return described


def _labels(plan: Plan, line: dict[str, Any]) -> dict[str, ShardLabel]:
    """Every planned label of the session that lies under labels/, by name."""
    study, session = plan.study, line["session"]
    dimensions = [each["name"] for each in study.document["dimensions"]]
    return {
        name: label_to_release(study, name, session, line["frames"], dimensions)
        for name in plan.labels
        if label_path(study, name, session).is_file()
    }


def _copied_sha256(source: Path, target: Path) -> str:
    """Copies a file and gives the SHA-256 of what was read."""
    digest = hashlib.sha256()
    with source.open("rb") as reader, target.open("wb") as writer:
        while block := reader.read(_BLOCK_BYTES):
            digest.update(block)
            writer.write(block)
    return digest.hexdigest()
