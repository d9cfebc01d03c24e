"""Fixtures of the baselines' tests."""

import shutil

import pytest
import torch
from toy_study import make_toy_study

from mavfer.study.study import Study


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def labelled(tmp_path_factory):
    """Five subjects with labels and a split; not to be changed."""
    return make_toy_study(tmp_path_factory.mktemp("baselines") / "study")


@pytest.fixture
def labelled_copy(labelled, tmp_path):
    """A copy of `labelled` to break."""
    return Study.open(shutil.copytree(labelled.root, tmp_path / "study"))
