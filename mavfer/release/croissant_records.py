"""Record sets of croissant.json: the tables that programs can read, and what shards hold.

Croissant 1.0 cannot point into HDF5. So sessions, subjects and ratings are described as tables that
a program can load, and the streams and columns of a shard as short lists within the document.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from mavfer.schema import load_schema
from mavfer.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mavfer.release.contents import ColumnSummary, Contents

    Node = dict[str, Any]

__all__ = ["record_sets"]

_INDEX: Final = "shards/index.jsonl"
_PARTICIPANTS: Final = "participants.csv"
_RATINGS: Final = "all-ratings"
_TYPES: Final = {"string": "sc:Text", "integer": "sc:Integer", "number": "sc:Float"}
_OF_A_SESSION: Final = (
    *("session", "subject", "kind", "file", "size", "sha256", "frames", "valid_frames"),
    *("carried_frames", "seconds", "rate_hz", "alignment"),
)
"""Keys of the index that users of the data ask for."""


def record_sets(contents: Contents) -> list[Node]:
    """All record sets of a release, tables first."""
    paths = {file.path for file in contents.files}
    sets = []
    if _INDEX in paths:
        sets.append(_sessions())
    if _PARTICIPANTS in paths:
        sets.append(_subjects(contents))
    if contents.files_below("ratings"):
        sets.append(_ratings())
    return [*sets, _streams(contents), _shard_columns(contents)]


def _sessions() -> Node:
    known = load_schema("shard-index")["properties"]
    fields = [
        _table_field("sessions", key, _type_of(known[key]), known[key]["description"], _INDEX)
        for key in _OF_A_SESSION
    ]
    return _record_set("sessions", "One record a session.", fields, key="session")


def _subjects(contents: Contents) -> Node:
    named = [("subject", "sc:Text", "Subject code.")]
    named += [(c.name, _summary_type(c), "Column that the lab added.") for c in contents.columns]
    fields = [_table_field("subjects", *column, _PARTICIPANTS) for column in named]
    return _record_set("subjects", "One record a subject.", fields, key="subject")


def _summary_type(column: ColumnSummary) -> str:
    return "sc:Float" if column.values is not None else "sc:Text"


def _ratings() -> Node:
    columns = load_schema("rating-samples")["properties"]
    fields = [
        _table_field("ratings", name, _type_of(rule["items"]), rule["description"], _RATINGS)
        for name, rule in columns.items()
    ]
    path = _field("ratings", "file", "sc:Text", "ratings/<session>/<dimension>.<rater>.<take>.csv")
    path["source"] = {"fileSet": {"@id": _RATINGS}, "extract": {"fileProperty": "fullpath"}}
    return _record_set("ratings", "One record a sample, as raters gave it.", [path, *fields])


def _streams(contents: Contents) -> Node:
    columns = [
        ("stream", "sc:Text", "Name, and dataset of the shard."),
        ("type", "sc:Text", "Type of a sample."),
        ("channels", "sc:Integer", "Samples a pixel."),
        ("unit", "sc:Text", "What the number counts."),
        ("sessions", "sc:Integer", "Sessions that have the stream."),
        ("valid_frames", "sc:Integer", "Frames of these in which the stream shows the face."),
    ]
    records = []
    for name in contents.streams:
        about, lines = STREAMS[name], contents.of_stream(name)
        valid = sum(line["streams"][name]["valid_frames"] for line in lines)
        records.append((name, about.dtype, about.channels, about.unit, len(lines), valid))
    return _inline("streams", "Streams of the shards.", columns, records)


def _shard_columns(contents: Contents) -> Node:
    columns = [
        ("dataset", "sc:Text", "Path in a shard; the first axis counts frames."),
        ("type", "sc:Text", "Type of an element."),
        ("description", "sc:Text", "What it holds."),
    ]
    records = [*_datasets(), *_label_datasets(contents)]
    return _inline("shard-columns", "What a shard holds for each frame.", columns, records)


def _datasets() -> Iterator[tuple[str, ...]]:
    """Path, type and meaning of every column of /frames, as the schema of shards has them."""
    for path, rule in load_schema("shard")["properties"]["members"]["properties"].items():
        if path.startswith("/frames/"):
            dtype = rule["properties"]["dtype"].get("const", "record")
            is_record = isinstance(dtype, dict)
            yield (path, "record" if is_record else str(dtype), rule["description"])


def _label_datasets(contents: Contents) -> Iterator[tuple[str, ...]]:
    """The same of the labels that a release puts inside of its shards."""
    for label in contents.labels:
        for each in contents.study["dimensions"]:
            scale = (
                f"{each['low']:g} ({each['low_word']}) to {each['high']:g} ({each['high_word']})"
            )
            meaning = f"{each['name']} by the label {label.name}, {scale}; NaN where unknown"
            yield (f"/labels/{label.name}/{each['name']}", "float32", f"{meaning}, (T,).")


def _type_of(rule: Node) -> str:
    kind = rule.get("type", "string")
    return _TYPES[kind[0] if isinstance(kind, list) else kind]


def _record_set(name: str, description: str, fields: list[Node], *, key: str = "") -> Node:
    node: Node = {"@type": "cr:RecordSet", "@id": name, "name": name, "description": description}
    if key:
        node["key"] = {"@id": f"{name}/{key}"}
    return {**node, "field": fields}


def _table_field(record_set: str, name: str, data_type: str, description: str, where: str) -> Node:
    """A column of a table: of one file, or of all files of a set, which has no ending."""
    kind = "fileObject" if PurePosixPath(where).suffix else "fileSet"
    source = {kind: {"@id": where}, "extract": {"column": name}}
    return {**_field(record_set, name, data_type, description), "source": source}


def _field(record_set: str, name: str, data_type: str, description: str) -> Node:
    return {
        "@type": "cr:Field",
        "@id": f"{record_set}/{name}",
        "name": name,
        "description": description,
        "dataType": data_type,
    }


def _inline(
    name: str, description: str, columns: list[tuple[str, str, str]], records: list[tuple[Any, ...]]
) -> Node:
    """A record set whose records stand in the document."""
    node = _record_set(name, description, [_field(name, *column) for column in columns])
    keys = [f"{name}/{column}" for column, _, _ in columns]
    return {**node, "data": [dict(zip(keys, record, strict=True)) for record in records]}
