"""Rules of the house that no linter knows."""

import subprocess
import sys
from pathlib import Path
from runpy import run_path

import pytest

ROOT = Path(__file__).parent.parent
UNLOCKS = run_path(str(ROOT / "tests" / "extras.py"))["UNLOCKS"]
ROOMS = ("mavfer", "recording", "annotator_web", "baselines")
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
LONGEST_MODULE = 400
OF_EXTRAS = {
    *("cv2", "av", "dlib", "numba", "pyrealsense2", "pylsl", "skimage", "matplotlib"),
    *("flask", "sqlalchemy", "torch", "sklearn", "safetensors"),
}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_is_short_enough_to_read(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


@pytest.mark.parametrize("extra", UNLOCKS)
def test_what_an_extra_promises_is_there(extra):
    promised = subprocess.run(
        [sys.executable, "-c", UNLOCKS[extra]], capture_output=True, text=True, check=False
    )

    assert promised.returncode == 0, promised.stderr


@pytest.mark.parametrize("room", [*ROOMS, "mavfer.cli", "mavfer.dataset", "mavfer.schemas"])
def test_importing_a_room_needs_no_extra(room):
    program = f"import {room}, sys; print(*sys.modules)"

    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert OF_EXTRAS & set(printed.split()) == set()


def test_importing_mavfer_loads_nothing_heavy():
    program = "import mavfer, sys; print(*sys.modules)"

    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert {"numpy", "pandas", "h5py", "jsonschema"} & set(printed.split()) == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_says_what_it_is_for(path):
    first_line = path.read_text(encoding="utf-8").partition("\n")[0]

    assert first_line.startswith(('"""', 'r"""'))
