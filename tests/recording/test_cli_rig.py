"""The verbs of `mavfer rig`, and `mavfer record --rig` with a rig's file."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from mavfer.errors import AlreadyThere, CommandError, DeviceError
from mavfer.study.session import Session
from recording import cli_rig
from recording.cli import register
from recording.rig.description import read_rig
from recording.rig.probing import DriverReport, FoundCamera, Mode

RIG = """format = "mavfer.rig"
version = 1
name = "lab"
calibration = "factory"
is_paced = {is_paced}
[cameras]
color = {{ driver = "simulated", size = [80, 60] }}
depth = {{ driver = "simulated", size = [80, 60] }}
thermal = {{ driver = "simulated", size = [40, 32] }}
[simulated]
drop_share = 0.0
[storage]
color_codec = "jpeg95"
"""
WEBCAM = FoundCamera(
    driver="webcam",
    name="HD Pro",
    serial="A1",
    place="/dev/video0",
    streams=("color",),
    modes=(Mode("color", 1280, 720, (30.0,), "MJPG"),),
)


@pytest.fixture(scope="module")
def commands():
    group = click.Group("mavfer")
    register(group)
    return group


@pytest.fixture
def rig_file(tmp_path):
    def write(is_paced):
        path = tmp_path / "lab.toml"
        path.write_text(RIG.format(is_paced=str(is_paced).lower()))
        return path

    return write


@pytest.fixture
def connected(monkeypatch):
    """Sets what drivers say; to ask them is the business of test_probing."""

    def say(*cameras):
        reports = [
            DriverReport("realsense", "missing", "pyrealsense2 is not installed"),
            DriverReport("gige", "ok"),
            DriverReport("v4l2", "ok", cameras=cameras),
        ]
        monkeypatch.setattr(cli_rig, "probe_cameras", lambda: reports)

    return say


def _run(commands, *words):
    return CliRunner().invoke(commands, [str(word) for word in words])


def test_a_rigs_file_is_recorded_with(commands, study, rig_file):
    result = _run(commands, "record", study.root, "--subject", "S01", "--rig", rig_file(False),
                  "--seconds", "1", "--json")  # fmt: skip
    session = Session.open(study.session_folder("S01-001"))

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout.splitlines()[-1])["verdict"] == "ok"
    assert session.document["settings"]["rig"] == "lab"
    assert session.document["settings"]["rig_file"]["sha256"] == read_rig(rig_file(False)).sha256
    assert session.document["streams"]["color"]["codec"] == "jpeg95"
    assert len(session.times("color")) == 30


@pytest.mark.parametrize("option", [("--seed", "3"), ("--lighting", "dark"), ("--pace", "fast"),
                                    ("--rate", "color=9"), ("--size", "color=8x8")])  # fmt: skip
def test_a_rigs_file_takes_no_options_of_the_simulated_rig(commands, study, rig_file, option):
    result = _run(commands, "record", study.root, "--subject", "S01", "--rig", rig_file(True),
                  "--seconds", "1", *option)  # fmt: skip

    assert isinstance(result.exception, CommandError)
    assert str(result.exception).endswith(f"has no option {option[0]}. Set it in the file")
    assert study.sessions() == []


def test_a_selftest_prints_a_table_and_ends_with_json(commands, rig_file):
    result = _run(commands, "rig", "selftest", rig_file(True), "--seconds", "1", "--json")
    report = json.loads(result.stdout.splitlines()[-1])
    rows = [line.split()[:3] for line in result.stdout.splitlines() if line[:4] in
            {"pass", "LOOK", "FAIL"}]  # fmt: skip

    assert len(rows) == len(report["findings"])
    assert ["pass", "camera", "color"] in rows
    assert report["simulated"] == ["color", "depth", "thermal"]
    assert result.exit_code == (1 if report["result"] == "fail" else 0)
    assert "lab: " in result.stdout
    assert "simulated. Nothing was shown of USB bandwidth" in result.stdout


def test_a_failed_selftest_ends_with_status_1(commands, study, monkeypatch, tmp_path):
    path = tmp_path / "lab.toml"
    path.write_text(RIG.format(is_paced="true").replace("drop_share = 0.0", "drop_share = 0.2"))
    result = _run(commands, "rig", "selftest", path, "--seconds", "1")

    assert result.exit_code == 1
    assert "FAIL  drops" in result.stdout
    assert "lab: fail after " in result.stdout


def test_a_probe_lists_and_writes_what_can_be_read_back(commands, connected, tmp_path):
    connected(WEBCAM)
    path = tmp_path / "lab.toml"
    result = _run(commands, "rig", "probe", "--write", path, "--json")
    found = json.loads(result.stdout.splitlines()[-1])

    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[:3] == [
        "gige: no camera",
        "webcam: HD Pro, serial A1, /dev/video0: color",
        "color: from HD Pro",
    ]
    assert "realsense: missing: pyrealsense2 is not installed" in result.stderr
    assert "mavfer rig selftest" in result.stderr
    assert found["streams"] == {"color": "A1"}
    assert found["written"] == str(path)
    assert read_rig(path).cameras["color"]["device"] == "A1"


def test_a_probe_writes_nothing_where_there_is_no_color_or_a_file(commands, connected, tmp_path):
    connected()
    path = tmp_path / "lab.toml"
    without = _run(commands, "rig", "probe", "--write", path)

    assert isinstance(without.exception, DeviceError)
    assert not path.exists()

    path.write_text("mine")
    result = _run(commands, "rig", "probe", "--write", path)

    assert isinstance(result.exception, AlreadyThere)
    assert path.read_text() == "mine"


def test_drivers_that_are_not_installed_are_told_and_the_rest_is_listed(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Blocked:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('pyrealsense2', 'gi'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Blocked())\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mavfer", "rig", "probe", "--json"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    found = json.loads(done.stdout.splitlines()[-1])
    states = {report["driver"]: report["state"] for report in found["drivers"]}

    assert done.returncode == 0
    assert states["realsense"] == "missing"
    assert states["v4l2"] == "ok"
    assert "realsense: missing: pyrealsense2 is not installed. Run: pip install" in done.stderr
