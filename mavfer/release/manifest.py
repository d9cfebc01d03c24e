"""The manifest of a release: every file with its SHA-256, and whether they are still these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mavfer.files import read_json, sha256_of
from mavfer.progress import progress
from mavfer.release.contents import ReleasedFile
from mavfer.release.folder import visible_files
from mavfer.schema import require_valid
from mavfer.study.study import software_versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from mavfer.release.plan import Plan

__all__ = ["find_differences", "hash_files", "make_manifest", "read_manifest"]

_MANIFEST: Final = "release.json"

_MEDIA_TYPES: Final = {
    ".h5": "application/x-hdf5",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".csv": "text/csv",
    ".md": "text/markdown",
}


def hash_files(folder: Path, known: Iterable[ReleasedFile] = ()) -> list[ReleasedFile]:
    """Every file below a folder but its manifest, sorted by path; `known` ones are not read."""
    there = {file.path: file for file in known}
    return [
        there.get(path) or _released_file(folder, path)
        for path in visible_files(folder)
        if path != _MANIFEST
    ]


def make_manifest(
    plan: Plan, lines: Sequence[dict[str, Any]], files: Sequence[ReleasedFile], created_utc: str
) -> dict[str, Any]:
    """Content of release.json (docs/formats.md, 'release').

    Raises:
        InvalidFile: It would not fit its schema.
    """
    document = {
        "format": "mavfer.release",
        "version": 1,
        "name": plan.study.name,
        "licence": plan.study.document["licence"],
        "release_version": plan.options.version,
        "created_utc": created_utc,
        "counts": {
            "subjects": len(plan.subjects),
            "sessions": len(lines),
            "frames": sum(line["frames"] for line in lines),
            "seconds": float(sum(line["seconds"] for line in lines)),
            "bytes": sum(file.size for file in files),
        },
        "labels": sorted({name for line in lines for name in line.get("labels", ())}),
        "splits": sorted(plan.splits),
        "has_ratings": plan.options.has_ratings,
        "has_plain_copies": plan.options.is_plain,
        "left_out": [
            {"reason": each.reason, "subjects": each.subjects, "sessions": each.sessions}
            for each in plan.left_out()
        ],
        "files": [{"path": f.path, "bytes": f.size, "sha256": f.sha256} for f in files],
        "versions": software_versions(),
    }
    require_valid(document, "release", _MANIFEST)
    return document


def read_manifest(root: Path) -> dict[str, Any]:
    """Content of the release.json of a release.

    Raises:
        NotFound: There is none.
        InvalidFile: It is torn or against its schema.
    """
    document: dict[str, Any] = read_json(root / _MANIFEST)
    require_valid(document, "release", root / _MANIFEST)
    return document


def find_differences(root: Path) -> Iterator[str]:
    """What in a release is not as its manifest says: files that are missing, changed or more.

    Every file is read. Hidden files are not looked at.

    Raises:
        NotFound, InvalidFile: There is no manifest, or it cannot be read.
    """
    listed = {entry["path"]: entry for entry in read_manifest(root)["files"]}
    there = set(visible_files(root)) - {_MANIFEST}
    with progress("compare with the manifest", len(listed), "file") as advance:
        for path, entry in listed.items():
            if path not in there:
                yield f"{root / path}: in the manifest but missing. Restore it from a copy"
            elif not _is_as_listed(root / path, entry):
                yield f"{root / path}: changed since the release was made. Restore it from a copy"
            advance(1)
    for path in sorted(there - set(listed)):
        yield f"{root / path}: not in the manifest. Take it out of the release"


def _is_as_listed(path: Path, entry: dict[str, Any]) -> bool:
    is_long_enough: bool = path.stat().st_size == entry["bytes"]
    return is_long_enough and sha256_of(path) == entry["sha256"]


def _released_file(folder: Path, path: str) -> ReleasedFile:
    file = folder / path
    return ReleasedFile(
        path=path,
        size=file.stat().st_size,
        sha256=sha256_of(file),
        media_type=_MEDIA_TYPES.get(file.suffix, "application/octet-stream"),
    )
