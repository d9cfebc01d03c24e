"""The index of a study's shards: one line a shard, so that opening a study reads one file.

It is a copy of what the shards say, trusted while their size and time of change are those it
lists, and mended where they are not. Unfinished shards (`.part`) are never listed.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import Busy, InvalidFile, NotFound
from mavfer.files import locked, read_jsonl, sha256_of, write_jsonl
from mavfer.schema import load_schema, require_valid
from mavfer.streams import STREAM_NAMES
from mavfer.study.hdf5 import reading_hdf5, require_valid_hdf5
from mavfer.study.shard_labels import shard_label_names
from mavfer.study.shards import CARRIED, VALID_BITS, usable_rows

if TYPE_CHECKING:
    from pathlib import Path

    from mavfer.study.study import Study

__all__ = ["describe_shard", "labels_inside", "read_index", "rebuild_index"]

_SHARD: Final = re.compile(r"^[A-Za-z0-9_]{1,32}-[0-9]{3}\.h5$")

Line = dict[str, Any]


def read_index(study: Study, *, is_checked: bool = True) -> list[Line]:
    """One description a shard (docs/formats.md, 'shard-index'), sorted by session.

    Shards that are new or changed are described anew, and the index on disk is mended where the
    folder may be written; a read-only study is described in memory. So is a release, whose shards
    count as unchanged while they have their size: copies of it seldom keep the time of change.

    Args:
        study: The study.
        is_checked: Look at every shard's size and time of change. False believes the index.

    Raises:
        NotFound: A shard is listed but missing.
        InvalidFile: A changed shard is no valid shard.
    """
    lines = _read_lines(study)
    if lines and not is_checked:
        return _sorted(lines)
    found = _find_shards(study)
    gone = sorted(set(lines) - set(found))
    if gone:
        message = (
            f"{study.shards_folder / gone[0]}: listed in {study.index_path.name} but missing. "
            f"Restore it, or run mavfer preprocess {study.root}"
        )
        raise NotFound(message)
    has_times = not study.is_release
    if all(
        name in lines and _is_fresh(lines[name], status, has_times=has_times)
        for name, status in found.items()
    ):
        return _sorted(lines)
    return rebuild_index(study)


def rebuild_index(study: Study) -> list[Line]:
    """The index after mending it: changed shards described anew, missing ones no longer listed.

    Raises:
        InvalidFile: A changed shard is no valid shard.
    """
    if study.is_release:  # nobody writes into it, and what changed `mavfer check` tells
        return _sorted(_mended(study, _read_lines(study)))
    try:
        with locked(study.shards_folder / "index.lock", "the index of shards is being rebuilt"):
            lines = _mended(study, _read_lines(study))
            write_jsonl(study.index_path, _sorted(lines))
    except (Busy, OSError):  # another process mends it, or the folder may not be written
        lines = _mended(study, _read_lines(study))
    return _sorted(lines)


def describe_shard(path: Path, known: Line | None = None) -> Line:
    """The line of one shard, read from the shard itself.

    Args:
        path: The shard.
        known: An earlier line of it. Where only the time of change differs, the file was copied,
            and its hash is taken over: hashing a copied study would take hours.

    Raises:
        InvalidFile: It is not a valid shard.
    """
    status = path.stat()
    with reading_hdf5(path) as file:
        document = require_valid_hdf5(file, "shard", path)
        valid = file["frames/valid"][:]
        times = file["frames/time_seconds"][:]
        labels = shard_label_names(file)
    attributes, members = document["attributes"], document["members"]
    is_timed = attributes["kind"] != "stills" and len(times) > 1
    streams = {
        name: {
            "height": members[f"/{name}"]["shape"][1],
            "width": members[f"/{name}"]["shape"][2],
            "valid_frames": int(np.count_nonzero(valid & VALID_BITS[name])),
        }
        for name in STREAM_NAMES
        if f"/{name}" in members
    }
    line = {
        "format": "mavfer.shard-index",
        "version": 1,
        "session": attributes["session"],
        "subject": attributes["subject"],
        "kind": attributes["kind"],
        "file": path.name,
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "sha256": "",
        "inputs_sha256": attributes["inputs_sha256"],
        "created_utc": attributes["created_utc"],
        "frames": attributes["frames"],
        "group_size": attributes["group_size"],
        "valid_frames": int(np.count_nonzero(usable_rows(valid))),
        "carried_frames": int(np.count_nonzero(valid & CARRIED)),
        "seconds": float(times[-1] - times[0]) if is_timed else 0.0,
        "rate_hz": round(float(1 / np.median(np.diff(times))), 6) if is_timed else None,
        "streams": streams,
        "alignment": attributes["alignment"],
        "settings": members["/documents/settings"]["json"],
    } | ({"labels": labels} if labels else {})
    is_copy = known is not None and all(
        value == known.get(key) for key, value in line.items() if key not in ("mtime_ns", "sha256")
    )
    line["sha256"] = known["sha256"] if known is not None and is_copy else sha256_of(path)
    return line


def labels_inside(study: Study) -> set[str]:
    """Names of the labels that the index lists inside of shards, as those of a release have."""
    return {name for line in _read_lines(study).values() for name in line.get("labels", ())}


def _read_lines(study: Study) -> dict[str, Line]:
    """The lines on disk by file name; none where the index is missing or torn."""
    try:
        documents = read_jsonl(study.index_path)
    except (NotFound, InvalidFile, OSError):
        return {}
    required = set(load_schema("shard-index")["required"])
    return {
        line["file"]: line
        for line in documents
        if isinstance(line, dict) and required <= line.keys() and line["version"] == 1
    }


def _find_shards(study: Study) -> dict[str, os.stat_result]:
    """Size and times of every finished shard by file name."""
    if not study.shards_folder.is_dir():
        return {}
    with os.scandir(study.shards_folder) as entries:
        return {e.name: e.stat() for e in entries if _SHARD.match(e.name)}


def _is_fresh(line: Line, status: os.stat_result, *, has_times: bool = True) -> bool:
    is_same_time = not has_times or line["mtime_ns"] == status.st_mtime_ns
    return is_same_time and bool(line["size"] == status.st_size)


def _mended(study: Study, lines: dict[str, Line]) -> dict[str, Line]:
    mended: dict[str, Line] = {}
    for name, status in _find_shards(study).items():
        known = lines.get(name)
        if known is not None and _is_fresh(known, status):
            mended[name] = known
        else:
            mended[name] = _described(study, name, known)
    return mended


def _described(study: Study, name: str, known: Line | None) -> Line:
    path = study.shards_folder / name
    line = describe_shard(path, known)
    if f"{line['session']}.h5" != name:
        message = f"{path}: holds session {line['session']}. Give the file that session's name"
        raise InvalidFile(message)
    require_valid(line, "shard-index", path)
    return line


def _sorted(lines: dict[str, Line]) -> list[Line]:
    return [lines[name] for name in sorted(lines)]
