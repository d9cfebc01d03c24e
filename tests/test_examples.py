import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


@pytest.fixture(scope="module")
def finished(journey):
    """Runs an example, once however often one asks."""

    @cache
    def run_example(script):
        return subprocess.run(
            [sys.executable, "-W", "error", script, journey.root],
            capture_output=True,
            text=True,
            check=False,
        )

    return run_example


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda p: p.stem)
def test_an_example_runs(script, finished):
    example = finished(script)

    assert example.returncode == 0, example.stderr
    assert example.stdout


def test_both_loaders_of_the_example_see_the_same_frames(finished):
    script = EXAMPLES[0].with_name("torch_loader.py")

    _, ours, theirs = finished(script).stdout.splitlines()
    assert ours.partition(":")[2].split() == theirs.partition(":")[2].split()
