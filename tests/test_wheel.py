"""What users install: the wheel holds everything, and works away from the source."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mavfer import __version__
from mavfer.schema import format_names

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel, built from a clean copy of the source and unpacked into an empty folder."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    for name in filter(None, tracked):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", target]
    subprocess.run([*build, source], check=True, capture_output=True)
    (wheel,) = target.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target / "site")
    return target / "site"


def run_installed(installed, *arguments):
    """Runs python with the wheel's packages before all others, away from the source."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=installed.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_wheel_holds_schemas_styles_and_types(installed):
    files = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    needed = {f"mavfer/schemas/{name}.json" for name in format_names()}
    needed |= {f"{room}/py.typed" for room in ("mavfer", "recording", "annotator_web", "baselines")}

    needed |= {
        str(path.relative_to(ROOT))
        for folder in ("templates", "static", "catalogue")
        for path in (ROOT / "annotator_web" / folder).rglob("*")
        if path.is_file()
    }

    assert needed | {"mavfer/report/report.css"} <= files
    assert not [name for name in files if name.startswith(("tests/", "schemas/", "docs/"))]


def test_the_wheel_holds_every_module(installed):
    rooms = ("mavfer", "recording", "annotator_web", "baselines")
    modules = {str(p.relative_to(ROOT)) for room in rooms for p in (ROOT / room).rglob("*.py")}

    assert {name for name in modules if not (installed / name).is_file()} == set()


def test_the_command_works_from_the_wheel(installed, tmp_path):
    assert run_installed(installed, "-m", "mavfer", "--version").split()[-1] == __version__
    made = run_installed(installed, "-m", "mavfer", "init", str(tmp_path / "S"))
    assert "an empty study" in made
    where = run_installed(installed, "-c", "import mavfer.schemas; print(mavfer.schemas.__file__)")
    assert where.startswith(str(installed))


def test_the_version_is_the_same_everywhere():
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text()
    assert f"version: {__version__}" in (ROOT / "CITATION.cff").read_text()
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()
