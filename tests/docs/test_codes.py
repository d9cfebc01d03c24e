"""The tables of codes in the documents are those of the code."""

from pathlib import Path

import pytest

from mavfer.vision.alignment import PRESETS
from mavfer.vision.validity import Reason, Valid

PAGE = (Path(__file__).parent.parent.parent / "docs" / "preprocess.md").read_text()


@pytest.mark.parametrize("code", [*Valid, *Reason], ids=str)
def test_every_code_stands_in_the_docs_with_its_number(code):
    assert f"| {int(code)} | `{code.name}` |" in PAGE


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_stands_in_the_docs(name):
    assert f"`{name}`" in PAGE
