"""Fixtures of the report's tests."""

import sys
from pathlib import Path

import pytest

from mavfer.dataset import load

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def lit_study(shard_factory, tmp_path):
    """Two subjects, each in the light and in the dark; nothing is rated."""
    from study_parts import FRAMES, SESSIONS

    sessions = {
        name: {"settings": {"lighting": lighting}, "kind": "video"}
        for name, lighting in SESSIONS.items()
    }
    return shard_factory.make_study(tmp_path / "study", sessions, frames=FRAMES)


@pytest.fixture
def dataset(lit_study):
    """`lit_study`, opened."""
    return load(lit_study.root, labels=None)
