"""Makes `counting_rig` importable, and gives what tests of several modules need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mavfer.errors import MissingExtra
from mavfer.study.study import Study
from recording.gige.aravis import load_aravis

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def study(tmp_path):
    return Study.create(tmp_path / "study")


@pytest.fixture(scope="session")
def gige_address():
    """For whoever serves a GigE camera; there is one address, so these tests share a process."""
    try:
        load_aravis()
    except MissingExtra as error:
        pytest.skip(f"Aravis is not installed: {error}")


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder]
    if subprocess.run(command, check=False).returncode:
        pytest.skip("a small disk can be mounted by root only")
    yield folder
    subprocess.run(["umount", folder], check=True)
