"""Writes the tables of docs/formats.md and schemas/README.md from the schemas.

    python docs/generate_formats.py            rewrite what has changed
    python docs/generate_formats.py --check    exit 1 where something would change

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; the prose around it is free.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mavfer.schema import format_names, load_schema

DOCS = Path(__file__).resolve().parent
PAGES = (DOCS / "formats.md", DOCS.parent / "schemas" / "README.md")
BLOCK = re.compile(r"(<!-- table: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> int:
    """Rewrites the pages, or says that they are stale."""
    stale = [page for page in PAGES if rewritten(page) != page.read_text(encoding="utf-8")]
    for page in stale:
        if "--check" in sys.argv:
            print(f"{page}: stale. Run: python docs/generate_formats.py")
        else:
            page.write_text(rewritten(page), encoding="utf-8")
    return 1 if stale and "--check" in sys.argv else 0


def rewritten(page: Path) -> str:
    """The page's text with every table made anew."""

    def block(match: re.Match[str]) -> str:
        name = match[2]
        table = table_of_formats() if name == "all" else table_of_fields(name)
        return f"{match[1]}{table}{match[3]}"

    return BLOCK.sub(block, page.read_text(encoding="utf-8"))


def table_of_formats() -> str:
    """One row a format."""
    rows = ["| format | file | what it is |", "| --- | --- | --- |"]
    for name in format_names():
        schema = load_schema(name)
        rows.append(f"| [{name}]({name}.json) | `{schema['x-file']}` | {schema['description']} |")
    return "\n".join(rows) + "\n"


def table_of_fields(name: str) -> str:
    """One row a field, nested fields with their path."""
    schema = load_schema(name)
    heading = {"hdf5": "attribute or dataset", "csv": "column"}.get(schema["x-kind"], "key")
    rows = [f"File `{schema['x-file']}`. {schema['description']}", ""]
    rows += [f"| {heading} | type | meaning |", "| --- | --- | --- |"]
    rows += [f"| `{path}` | {kind} | {text} |" for path, kind, text in fields(schema, "")]
    return "\n".join(rows) + "\n"


def fields(schema: dict[str, Any], prefix: str) -> list[tuple[str, str, str]]:
    """Path, type and meaning of every field below `schema`."""
    required = set(schema.get("required", []))
    found: list[tuple[str, str, str]] = []
    families = schema.get("patternProperties", {}).values()
    named = {part["x-path"]: part for part in families if "x-path" in part}
    for key, part in (schema.get("properties", {}) | named).items():
        if prefix == "" and key in {"attributes", "members"}:
            found += fields(part, "@" if key == "attributes" else "")
            continue
        path = f"{prefix}{key}"
        text = part.get("description", "")
        optional = "" if key in required else " Optional."
        cells = part["items"] if schema.get("x-kind") == "csv" and "items" in part else part
        found.append((path, type_of(cells), f"{text}{optional}"))
        if key.startswith("/"):
            continue
        found += fields(part, f"{path}.")
        if "properties" in part.get("items", {}):
            found += fields(part["items"], f"{path}[].")
    return found


def names_of(dtype: str | dict[str, str]) -> str:
    """The name of a pixel's type, or the names and types of a table's columns."""
    if isinstance(dtype, str):
        return dtype
    return ", ".join(f"{key} {kind}" for key, kind in dtype.items())


def type_of(part: dict[str, Any]) -> str:
    """A short word for what a field holds."""
    if "const" in part:
        return f"`{part['const']}`"
    if "dtype" in part.get("properties", {}):
        rank = part["properties"]["shape"]["minItems"]
        kinds = part["properties"]["dtype"]
        choices = kinds.get("enum") or [kinds["const"]]
        names = " or ".join(names_of(choice) for choice in choices)
        return f"{names}; {rank}-D"
    if "enum" in part:
        return " or ".join("null" if value is None else f"`{value}`" for value in part["enum"])
    kinds = part.get("type", "any")
    if kinds == "array":
        return f"list of {type_of(part['items'])}" if "items" in part else "list"
    return kinds if isinstance(kinds, str) else " or ".join(kinds)


if __name__ == "__main__":
    sys.exit(main())
