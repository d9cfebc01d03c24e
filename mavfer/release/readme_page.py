"""README.md of a release: what it is, how to load it, what lies where, how to cite and verify."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from mavfer.release.questions import answer_or_gap
from mavfer.release.wording import listed, page, paragraph, plain, size_text, table, time_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mavfer.release.contents import Contents

__all__ = ["readme_page"]

_DAY: Final = len("2026-07-30")

_KNOWN: Final = {
    "study.json": "name, licence, contact, what was rated on which scale",
    "participants.csv": "one row a subject",
    "shards": "one HDF5 file a session: pixels, times, landmarks, measures, labels",
    "plain": "the same with pixels as they are, for any HDF5 reader",
    "ratings": "every rater's trace as it came, under codes",
    "splits": "which subjects train, validate and test",
}
_DOCUMENTS: Final = {
    "README.md": "this page",
    "DATASHEET.md": "what the data are, how they came about, and their limits",
    "DATA_USE_AGREEMENT.md": "template of an agreement with those who get the data",
    "croissant.json": "the same for programs (Croissant 1.0)",
    "release.json": "every file with its SHA-256",
}

_LOAD: Final = """\
```python
import mavfer

data = mavfer.load("path/to/this/folder")
print(data)
recording = data[0]
print(recording.color[0:16].shape, {reading})
```"""

_VERIFY: Final = """\
```python
import hashlib, json, pathlib

for file in json.loads(pathlib.Path("release.json").read_text())["files"]:
    with open(file["path"], "rb") as handle:
        found = hashlib.file_digest(handle, "sha256").hexdigest()
    assert found == file["sha256"], file["path"]
```"""


def readme_page(contents: Contents) -> str:
    """The whole page."""
    return page(
        [
            *_head(contents),
            *_loading(contents),
            "## What lies where",
            table(("path", "files", "size", "what"), _tree(contents), words=(0, 3)),
            *_rules(contents),
            *_verifying(),
        ]
    )


def _head(contents: Contents) -> Iterator[str]:
    yield f"# {plain(contents.name)} {plain(contents.version)}"
    yield contents.study["description"].strip()
    names = listed(f"`{label.name}`" for label in contents.labels)
    labels = f" with labels ({names})" if contents.labels else ""
    yield paragraph(
        f"{len(contents.lines):,} sessions of {len(contents.subjects):,} subjects, "
        f"{contents.frames:,} frames ({time_text(contents.seconds)}) of "
        f"{listed(contents.streams)}{labels}; {size_text(contents.size)}. Released on "
        f"{contents.created_utc[:_DAY]}."
    )
    if contents.simulated_subjects:
        whose = "All" if contents.simulated_subjects == contents.subjects else "Some"
        yield paragraph(
            f"**{whose} subjects are simulated**: one photograph on a head that moves. "
            "DATASHEET.md says what that means."
        )
    yield "Read DATASHEET.md before you use the data: it says what they are, and what they are not."


def _loading(contents: Contents) -> Iterator[str]:
    yield "## How to load it"
    reading = ", ".join(
        f"recording.{each['name']}[:16]" for each in contents.study["dimensions"][:2]
    )
    yield "With `pip install mavfer`:"
    yield _LOAD.format(reading=reading)
    yield paragraph(
        "Without mavfer: shards are HDF5 with a registered filter (Blosc, in the package "
        "`hdf5plugin`), and pixels are stored as differences. Ten lines of numpy read them; they "
        "stand in mavfer's documentation, docs/shard_format.md. Labels lie in each shard at "
        "`/labels/<name>/<dimension>`, one value a frame."
    )
    if contents.is_plain:
        yield paragraph(
            "`plain/` has a copy of every shard for any HDF5 reader: the pixels stand as they are "
            "in `/color`, `/depth` and `/thermal`, one row a frame."
        )


def _tree(contents: Contents) -> Iterator[tuple[str, ...]]:
    for name, what in _DOCUMENTS.items():
        yield (f"`{name}`", "1", "", what)
    tops = {PurePosixPath(file.path).parts[0] for file in contents.files}
    for top in [name for name in _KNOWN if name in tops] + sorted(tops - _KNOWN.keys()):
        below = contents.files_below(top)
        alone = [file for file in contents.files if file.path == top]
        size = sum(file.size for file in [*below, *alone])
        name = f"`{top}/`" if below else f"`{top}`"
        yield (name, f"{len(below) or 1:,}", size_text(size), _KNOWN.get(top, ""))


def _rules(contents: Contents) -> Iterator[str]:
    yield "## Licence and conduct"
    licence = contents.study["licence"]
    yield f"Licence: {plain(licence)}." if licence else "Licence: not decided; ask before any use."
    contact = contents.study["contact"]
    if contact:
        yield f"Contact: {plain(contact)}."
    if contents.simulated_subjects != contents.subjects:
        yield paragraph(
            "Do not try to find out who a subject is, do not pass the data on, and show pictures "
            "only of the subjects that DATASHEET.md names. When a withdrawal notice reaches you, "
            "delete what it names."
        )
    until = contents.study["retention_until"]
    if until:
        yield f"Delete all copies after {until}."
    yield "## How to cite"
    yield answer_or_gap(contents, "citation")
    yield paragraph(f"Name the version, {plain(contents.version)}, with every result.")


def _verifying() -> Iterator[str]:
    yield "## How to verify"
    yield paragraph(
        "`mavfer check path/to/this/folder` reads every file and compares it with `release.json`. "
        "Without mavfer, in this folder:"
    )
    yield _VERIFY
