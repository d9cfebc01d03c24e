"""Fixtures of mavfer's own tests."""

import importlib.util
import sys
from pathlib import Path

import pytest

FACTORY = Path(__file__).parent / "shard_factory.py"


@pytest.fixture(scope="session")
def shard_factory():
    """The module that writes small study folders."""
    spec = importlib.util.spec_from_file_location("shard_factory", FACTORY)
    module = importlib.util.module_from_spec(spec)
    sys.modules["shard_factory"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def study(shard_factory, tmp_path):
    """Three sessions of two subjects, 40 frames each; S01-002 has color only."""
    return shard_factory.make_study(tmp_path / "study")
