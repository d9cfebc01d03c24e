"""How the tests are run: skips are counted and refused in one process and in two."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from runpy import run_path

import pytest

HERE = Path(__file__).parent
RULES = run_path(str(HERE / "conftest.py"))
FIRST, TOGETHER = RULES["FIRST"], RULES["TOGETHER"]
IN_TWO = ("--numprocesses", "2")
ALLOWED, UNHEARD = "MAVFER_REAL_MEDIA is not set", "no time"
SKIPPING = """
import pytest

def test_that_passes():
    pass

@pytest.mark.parametrize("reason", {reasons!r})
def test_that_is_skipped(reason):
    pytest.skip(reason)
"""
TELLING = """
import os
from pathlib import Path

import pytest

@pytest.mark.parametrize("number", range(6))
def test_that_tells_its_process(number):
    with Path({told!r}).open("a") as file:
        file.write(f"{{Path(__file__).name}} {{os.getpid()}}\\n")
"""


def run_by_house_rules(folder, programs, *options, **environment):
    """What pytest says of the programs, by the names of their files, under our conftest.py."""
    tests = folder / "tests"
    tests.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    for name in ("conftest.py", "allowed_skips.txt"):
        shutil.copy(HERE / name, tests)
    for name, program in programs.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(program, encoding="utf-8")
    inherited = {k: v for k, v in os.environ.items() if k != "CI" and not k.startswith("PYTEST")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--strict-markers", *options, "tests"],
        cwd=folder,
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("options", [(), IN_TWO], ids=["one process", "two"])
def test_ci_refuses_a_skip_that_is_not_on_the_list(tmp_path, options):
    skipping = {"tests/test_a.py": SKIPPING.format(reasons=[ALLOWED, UNHEARD])}

    run = run_by_house_rules(tmp_path, skipping, *options, CI="1")

    assert run.returncode == 1
    assert "1 passed, 2 skipped" in run.stdout
    assert "skips: 2, not on the list: 1\n  tests/test_a.py::test_that_is_skipped[no" in run.stdout


@pytest.mark.parametrize(("reason", "environment"), [(ALLOWED, {"CI": "1"}), (UNHEARD, {})])
def test_other_skips_are_counted_alone(tmp_path, reason, environment):
    skipping = {"tests/test_a.py": SKIPPING.format(reasons=[reason])}

    run = run_by_house_rules(tmp_path, skipping, *IN_TWO, **environment)

    assert run.returncode == 0, run.stdout + run.stderr
    assert f"skips: 1, not on the list: {int(reason == UNHEARD)}\n" in run.stdout


def test_files_that_share_a_costly_fixture_share_a_process(tmp_path):
    told = tmp_path / "told"
    shared = TOGETHER["journey"]
    programs = dict.fromkeys((*shared, "tests/test_other.py"), TELLING.format(told=str(told)))

    run = run_by_house_rules(tmp_path, programs, *IN_TWO)

    assert f"{6 * len(programs)} passed" in run.stdout, run.stdout + run.stderr
    lines = set(told.read_text(encoding="utf-8").splitlines())
    processes = dict(line.split() for line in lines)
    assert len(lines) == len(programs)
    assert len({processes[Path(name).name] for name in shared}) == 1
    assert len(set(processes.values())) == 2


@pytest.mark.parametrize("fixture", TOGETHER)
def test_every_file_that_uses_a_costly_fixture_is_on_the_table(request, fixture):
    using = {
        item.nodeid.partition("::")[0]
        for item in request.session.items
        if fixture in getattr(item, "fixturenames", ())
    }
    strangers = {path for path in using - set(TOGETHER[fixture]) if "annotator_web" not in path}

    assert strangers == set()


def test_every_extra_can_be_tried_in_an_environment_of_its_own():
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    tried = run_path(str(HERE / "extras.py"))

    sets_of_others = {"all", "bench", "dev"}
    told = tried["UNLOCKS"].keys() | tried["COMPILED"].keys()
    assert told - {"base"} == project["optional-dependencies"].keys() - sets_of_others
    everything = project["optional-dependencies"]["all"][0]
    assert {name for name in tried["COMPILED"] if name in everything} == set()


@pytest.mark.parametrize("group", FIRST)
def test_what_is_begun_first_is_there(group):
    assert group in TOGETHER or (HERE.parent / group).is_file()
