"""Record sets of croissant.json: the tables that programs can read, and what shards hold.

Croissant 1.0 cannot point into HDF5. So the sessions and the labels are described as tables that a
program can load, and the streams and columns of a shard as short lists that stand in the document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mavfer.schema import load_schema
from mavfer.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mavfer.release.contents import ColumnSummary, Contents, LabelSummary

    Node = dict[str, Any]

__all__ = ["record_sets"]

_INDEX: Final = "shards/index.jsonl"
_PARTICIPANTS: Final = "participants.csv"
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
    for label in contents.labels:
        if any(f"labels/{label.name}/{line['session']}.csv" in paths for line in contents.lines):
            sets.append(_label(contents, label))
    return [*sets, _streams(contents), _shard_columns()]


def _sessions() -> Node:
    known = load_schema("shard-index")["properties"]
    fields = [
        _column_field("sessions", key, _type_of(known[key]), known[key]["description"], _INDEX)
        for key in _OF_A_SESSION
    ]
    return _record_set("sessions", "One record a session.", fields, key="session")


def _subjects(contents: Contents) -> Node:
    named = [("subject", "sc:Text", "Subject code.")]
    named += [(c.name, _summary_type(c), "Column that the lab added.") for c in contents.columns]
    fields = [_column_field("subjects", *column, _PARTICIPANTS) for column in named]
    return _record_set("subjects", "One record a subject.", fields, key="subject")


def _summary_type(column: ColumnSummary) -> str:
    return "sc:Float" if column.values is not None else "sc:Text"


def _label(contents: Contents, label: LabelSummary) -> Node:
    name = f"label-{label.name}"
    columns = [
        ("frame", "sc:Integer", "Row of the shard."),
        ("time_seconds", "sc:Float", "Seconds since the session's first frame."),
    ]
    for each in contents.study["dimensions"]:
        low, high = (
            f"{each['low']:g} ({each['low_word']})",
            f"{each['high']:g} ({each['high_word']})",
        )
        columns.append((each["name"], "sc:Float", f"From {low} to {high}; empty where unknown."))
    fields = [
        _column_field(name, *column, f"labels/{label.name}", is_set=True) for column in columns
    ]
    description = f"The label {label.name}: one record a frame, of all sessions that have it."
    return _record_set(name, description, fields)


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


def _shard_columns() -> Node:
    columns = [
        ("dataset", "sc:Text", "Path in a shard; the first axis counts frames."),
        ("type", "sc:Text", "Type of an element."),
        ("description", "sc:Text", "What it holds."),
    ]
    records = list(_datasets())
    return _inline("shard-columns", "What a shard holds for each frame.", columns, records)


def _datasets() -> Iterator[tuple[str, ...]]:
    """Path, type and meaning of every column of /frames, as the schema of shards has them."""
    for path, rule in load_schema("shard")["properties"]["members"]["properties"].items():
        if path.startswith("/frames/"):
            dtype = rule["properties"]["dtype"].get("const", "record")
            is_record = isinstance(dtype, dict)
            yield (path, "record" if is_record else str(dtype), rule["description"])


def _type_of(rule: Node) -> str:
    kind = rule.get("type", "string")
    return _TYPES[kind[0] if isinstance(kind, list) else kind]


def _record_set(name: str, description: str, fields: list[Node], *, key: str = "") -> Node:
    node: Node = {"@type": "cr:RecordSet", "@id": name, "name": name, "description": description}
    if key:
        node["key"] = {"@id": f"{name}/{key}"}
    return {**node, "field": fields}


def _column_field(
    record_set: str,
    name: str,
    data_type: str,
    description: str,
    where: str,
    *,
    is_set: bool = False,
) -> Node:
    source = {"fileSet" if is_set else "fileObject": {"@id": where}, "extract": {"column": name}}
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
