import json
import tomllib
from pathlib import Path

import pytest

from mavfer.errors import InvalidFile, WrongVersion
from mavfer.files import read_csv
from mavfer.schema import (
    columns_from_text,
    find_problems,
    format_names,
    load_schema,
    require_valid,
)

EXAMPLES = Path(__file__).parent.parent / "schemas" / "examples"


def examples(kind):
    return sorted(EXAMPLES.glob(f"*/{kind}/*"))


def document_of(path):
    name = path.parent.parent.name
    if path.suffix == ".csv":
        return columns_from_text(read_csv(path), name)
    if path.suffix == ".toml":
        return tomllib.loads(path.read_text())
    return json.loads(path.read_text())


@pytest.mark.parametrize("path", examples("good"), ids=lambda p: f"{p.parent.parent.name}-{p.stem}")
def test_a_good_example_fits_its_schema(path):
    problems = find_problems(document_of(path), path.parent.parent.name)

    assert problems == []


@pytest.mark.parametrize("path", examples("bad"), ids=lambda p: f"{p.parent.parent.name}-{p.stem}")
def test_a_bad_example_is_refused_at_the_right_place(path):
    says = json.loads((path.parent.parent / "bad.json").read_text())[path.stem]

    problems = find_problems(document_of(path), path.parent.parent.name)

    assert any(says in problem for problem in problems), problems


@pytest.mark.parametrize("name", format_names())
def test_every_format_has_good_and_bad_examples(name):
    assert list((EXAMPLES / name / "good").iterdir())
    assert list((EXAMPLES / name / "bad").iterdir())


@pytest.mark.parametrize("name", format_names())
def test_every_field_of_a_format_is_described(name):
    undescribed = [path for path, part in walk(load_schema(name)) if "description" not in part]

    assert undescribed == []


def walk(schema, path="$"):
    for key, part in schema.get("properties", {}).items():
        if key in {"dtype", "shape", "attributes", "members"}:
            yield from walk(part, f"{path}.{key}")
            continue
        yield f"{path}.{key}", part
        yield from walk(part, f"{path}.{key}")
        yield from walk(part.get("items", {}), f"{path}.{key}[]")


def test_a_newer_version_says_to_update():
    document = json.loads((EXAMPLES / "study" / "good" / "plain.json").read_text())
    document["version"] = 2

    with pytest.raises(WrongVersion, match=r"s.json: study version 2, .* reads version 1. Update"):
        require_valid(document, "study", "s.json")


def test_many_problems_are_counted_and_the_first_are_shown():
    with pytest.raises(InvalidFile, match=r"s.json: not a valid study file: .*\(and \d+ more\)"):
        require_valid({"format": "mavfer.study", "version": 1}, "study", "s.json")


def test_a_long_value_is_not_printed_whole():
    document = json.loads((EXAMPLES / "study" / "good" / "plain.json").read_text())
    document["name"] = ["x" * 10_000]

    problems = find_problems(document, "study")

    assert len(problems) == 1
    assert len(problems[0]) < 300


@pytest.mark.parametrize(
    ("column", "cell", "problem"),
    [
        ("flags", -1, "$.flags[70]: -1 is less than the minimum of 0"),
        ("flags", 65536, "$.flags[70]: 65536 is greater than the maximum of 65535"),
        ("flags", 0.5, "$.flags[70]: 0.5 is not of type 'integer'"),
        ("flags", True, "$.flags[70]: True is not of type 'integer'"),
        ("value", "high", "$.value[70]: 'high' is not of type 'number', 'null'"),
        ("media_time", None, "$.media_time[70]: None is not of type 'number'"),
    ],
)
def test_a_wrong_cell_of_a_long_column_is_found(column, cell, problem):
    names = ("media_time", "frame", "clock_ms", "value", "flags")
    columns = {name: [0] * 100 for name in names}
    assert find_problems(columns, "rating-samples") == []
    columns[column][70] = cell

    assert find_problems(columns, "rating-samples") == [problem]
