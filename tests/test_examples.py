import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda p: p.stem)
def test_an_example_runs(script, journey):
    finished = subprocess.run(
        [sys.executable, "-W", "error", script, journey.root],
        capture_output=True,
        text=True,
        check=False,
    )

    assert finished.returncode == 0, finished.stderr
    assert finished.stdout


def test_both_loaders_of_the_example_see_the_same_frames(journey):
    script = EXAMPLES[0].with_name("torch_loader.py")

    printed = subprocess.run(
        [sys.executable, script, journey.root], capture_output=True, text=True, check=True
    ).stdout
    _, ours, theirs = printed.splitlines()
    assert ours.partition(":")[2].split() == theirs.partition(":")[2].split()
