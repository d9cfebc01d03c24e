"""Checks documents against the schemas, and says where and what is wrong.

A JSON file is checked as it is. A CSV file is checked as an object of columns, an HDF5 file as an
object of attributes and datasets (`study.hdf5.describe`), so that one language describes them all.
"""

from __future__ import annotations

import json
import math
import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import InvalidFile, WrongVersion

if TYPE_CHECKING:
    from pathlib import Path

    from jsonschema import Draft202012Validator

__all__ = [
    "columns_from_text",
    "find_problems",
    "format_names",
    "how_to_update",
    "load_schema",
    "require_valid",
]

_SHOWN_PROBLEMS: Final = 3
_LONGEST_VALUE: Final = 60
_LONG_COLUMN: Final = 32
_PLAIN_VERSION: Final = re.compile(r"^[0-9]+(\.[0-9]+)*$")

_CELLS: Final[dict[str, tuple[type, ...]]] = {
    "number": (int, float),
    "integer": (int,),
    "string": (str,),
    "null": (type(None),),
}
"""Python types that are surely of a JSON type."""


@cache
def format_names() -> tuple[str, ...]:
    """Names of all formats, sorted."""
    files = resources.files("mavfer.schemas").iterdir()
    return tuple(sorted(f.name.removesuffix(".json") for f in files if f.name.endswith(".json")))


@cache
def load_schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a format; `x-file` is where such files lie, `x-kind` how they are read."""
    text = resources.files("mavfer.schemas").joinpath(f"{name}.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def require_valid(document: Any, name: str, where: Path | str) -> None:
    """Returns when `document` fits the schema `name`, else says what is wrong in `where`.

    Raises:
        WrongVersion: The document carries another version of the format.
        InvalidFile: The document does not fit.
    """
    _require_version(document, name, where)
    problems = find_problems(document, name)
    if problems:
        shown = "; ".join(problems[:_SHOWN_PROBLEMS])
        rest = len(problems) - _SHOWN_PROBLEMS
        more = f" (and {rest} more)" if rest > 0 else ""
        message = f"{where}: not a valid {name} file: {shown}{more}. See docs/formats.md, '{name}'"
        raise InvalidFile(message)


def find_problems(document: Any, name: str) -> list[str]:
    """Everything that does not fit the schema, as "$.path: what is wrong", in document order."""
    errors = sorted(
        _validator(name).iter_errors(_without_sound_columns(document, load_schema(name))),
        key=lambda error: list(map(str, error.absolute_path)),
    )
    return [f"{error.json_path}: {_shortened(error.message)}" for error in errors]


def columns_from_text(columns: dict[str, list[str]], name: str) -> dict[str, list[Any]]:
    """Columns of a CSV file with numbers where the schema `name` has numbers; empty becomes None.

    Text that is not a number stays text, so that the schema can say where it stands.
    """
    properties = load_schema(name)["properties"]
    return {
        key: _read_column(cells, properties.get(key, {}).get("items", {}))
        for key, cells in columns.items()
    }


@cache
def _validator(name: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(load_schema(name))


def _without_sound_columns(document: Any, schema: dict[str, Any]) -> Any:
    """`document` with its long sound columns emptied, as the validator takes 40 times as long."""
    if not isinstance(document, dict):
        return document
    properties = schema.get("properties", {})
    return {
        key: [] if _is_sound_column(value, properties.get(key, {})) else value
        for key, value in document.items()
    }


def _is_sound_column(value: Any, rule: dict[str, Any]) -> bool:
    """Whether every cell of a long column is surely valid; the validator judges all others."""
    items = rule.get("items", {})
    if (
        not isinstance(value, list)
        or len(value) < _LONG_COLUMN
        or set(rule) - {"type", "items", "description"}
        or set(items) - {"type", "minimum", "maximum", "description"}
    ):
        return False
    types = items.get("type", [])
    names = [types] if isinstance(types, str) else types
    allowed = {kind for name in names for kind in _CELLS.get(name, ())}
    return set(map(type, value)) <= allowed and _is_between(value, items)


def _is_between(value: list[Any], items: dict[str, Any]) -> bool:
    """Whether no number of a column is beyond its bounds; NaN is within all."""
    low, high = items.get("minimum", -math.inf), items.get("maximum", math.inf)
    if (low, high) == (-math.inf, math.inf):
        return True
    if set(map(type, value)) == {int}:
        return bool(low <= min(value) and max(value) <= high)
    return not any(cell < low or cell > high for cell in value if isinstance(cell, int | float))


def _require_version(document: Any, name: str, where: Path | str) -> None:
    """Raises WrongVersion where the document is of this format but of another version."""
    head = document.get("attributes", document) if isinstance(document, dict) else {}
    found = head.get("version") if isinstance(head, dict) else None
    known = _known_version(load_schema(name))
    if isinstance(found, int) and known is not None and found != known:
        way_out = "Make the file again with this mavfer"
        if found > known:
            way_out = how_to_update(_versions_of(document))
        message = f"{where}: {name} version {found}, this mavfer reads version {known}. {way_out}"
        raise WrongVersion(message)


def how_to_update(versions: Any) -> str:
    """What to install for a file of a newer version of its format.

    Args:
        versions: The file's own record of the software that wrote it, where it has one.
    """
    writer = versions.get("mavfer") if isinstance(versions, dict) else None
    is_known = isinstance(writer, str) and _PLAIN_VERSION.match(writer) is not None
    wanted = f"'mavfer>={writer}'" if is_known else "--upgrade mavfer"
    return f"Update mavfer: pip install {wanted}"


def _versions_of(document: dict[str, Any]) -> Any:
    """The record of software in a document, or in a file with that document inside."""
    if "members" in document:
        return document["members"].get("/documents/versions", {}).get("json")
    return document.get("versions")


def _known_version(schema: dict[str, Any]) -> int | None:
    properties = schema["properties"]
    head = properties.get("attributes", schema)["properties"]
    version: int | None = head.get("version", {}).get("const")
    return version


def _shortened(message: str) -> str:
    """The validator's message without the page of data that it may quote."""
    if len(message) <= 2 * _LONGEST_VALUE:
        return message
    return f"{message[:_LONGEST_VALUE]} … {message[-_LONGEST_VALUE:]}"


def _read_column(cells: list[str], items: dict[str, Any]) -> list[Any]:
    """The cells of a column, read by the types that its schema allows."""
    types = items.get("type", "string")
    allowed = {types} if isinstance(types, str) else set(types)
    kind = int if "integer" in allowed else float if "number" in allowed else None
    if kind is None:
        return [cell if cell or "null" not in allowed else None for cell in cells]
    try:
        return list(map(kind, cells))  # a quarter of the time, where every cell is a number
    except ValueError:
        return [_number(cell, kind) for cell in cells]


def _number(cell: str, kind: type[int] | type[float]) -> int | float | str | None:
    if not cell:
        return None
    try:
        return kind(cell)
    except ValueError:
        return cell
