"""What docs/train.md says is so."""

import re
import sys
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest
from toy_study import NARROW

from baselines.config import Config, read_config
from baselines.evaluate import evaluate_run
from baselines.models import MODELS, ModelEntry
from baselines.train import train_model

PAGE = (Path(__file__).parents[2] / "docs" / "train.md").read_text("utf-8")
SHARED = [each for each in NARROW if not each.split("=")[0].endswith(("widths", "strides"))]


@pytest.mark.parametrize("name", [each.name for each in fields(Config) if each.name != "model"])
def test_every_shared_option_is_told(name):
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_told(name):
    assert f"`{name}`" in PAGE


@pytest.fixture
def brightness(monkeypatch):
    """The page's example as if it stood in its file and its line."""
    (source,) = (
        block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "Answers" in block
    )
    module = ModuleType("baselines.models.brightness")
    exec(compile(source, "brightness.py", "exec"), module.__dict__)  # what the page shows
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(MODELS, "brightness", ModelEntry("brightness:Brightness"))


def test_the_example_of_another_model_trains_and_is_scored(brightness, labelled):
    config = read_config("brightness", None, [*SHARED, "epochs=1", "hidden=4"])

    folder, result = train_model("brightness", labelled.root, config)

    assert result["model"] == "brightness"
    assert result["narrow"] is False
    assert evaluate_run(folder)["scores"] == result["scores"]["test"]
