"""What docs/annotate.md says of options, codes and addresses is what the annotator knows."""

import json
import re
from pathlib import Path

import pytest

from annotator_web.refusals import CODES
from annotator_web.routes.openapi import OPERATIONS
from mavfer.schema import require_valid

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "annotate.md").read_text(encoding="utf-8")
SCHEMA = json.loads((ROOT / "schemas" / "annotation.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("code", CODES)
def test_every_code_of_a_refusal_stands_there_with_its_status(code):
    statuses = ", ".join(map(str, CODES[code][0]))

    assert re.search(rf"^\| [^|]*`{code}`[^|]* \| {statuses} \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("key", sorted({*SCHEMA["properties"]} - {"format", "version"}))
def test_every_option_stands_there(key):
    assert re.search(rf"^\| [^|]*`{key}`[^|]* \| ", PAGE, re.MULTILINE)


def test_the_example_is_valid():
    example = json.loads(re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)[1])

    require_valid(example, "annotation", "docs/annotate.md")

    assert set(SCHEMA["required"]) <= set(example)


def test_every_address_for_programs_stands_there():
    rows = re.findall(r"^\| `(?:GET|POST) (/(?:api|media)\S*)`", PAGE, re.MULTILINE)

    assert len(rows) == len(OPERATIONS)
