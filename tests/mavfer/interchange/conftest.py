"""Makes `make_videos` importable, and gives an empty study."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mavfer.study.study import Study

sys.path.insert(0, str(Path(__file__).parent.parent / "study"))


@pytest.fixture
def study(tmp_path):
    return Study.create(tmp_path / "study")
