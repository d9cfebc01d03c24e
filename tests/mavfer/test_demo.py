import json
import os
import signal
import subprocess
import sys
import time

import pytest

from mavfer import demo
from mavfer.cli import run
from mavfer.errors import AlreadyThere, Busy
from mavfer.files import locked
from mavfer.study.study import Study

TINY = demo._Plan(subjects=1, seconds=2, rate_hz=8)


@pytest.fixture
def tiny(monkeypatch):
    """A demo of one subject and two short takes; the journey is the same."""
    monkeypatch.setattr(demo, "_QUICK", TINY)


def test_the_demo_ends_with_a_report_and_a_valid_study(tiny, tmp_path, capsys):
    out = tmp_path / "out"

    assert run(["demo", "--out", str(out), "--json"]) == 0
    printed = capsys.readouterr()
    document = json.loads(printed.out.splitlines()[-1])
    assert set(document) == {"study", "report", "seconds", "scores"}
    assert (out / "reports" / "report.html").samefile(document["report"])
    assert f"$ mavfer record {out} --subject P01 --rig simulated" in printed.err
    assert "valid: 2 sessions, 2 shards" in printed.err
    assert Study.open(out).sessions() == ["P01-001", "P01-002"]


def test_a_demo_that_was_killed_goes_on_where_it_was(tiny, tmp_path, capsys):
    out = tmp_path / "out"
    program = (
        "from pathlib import Path\nfrom mavfer import demo\nfrom mavfer.cli import run\n"
        "demo._QUICK = demo._Plan(subjects=1, seconds=2, rate_hz=8)\n"
        f"if __name__ == '__main__': demo.run_demo(Path({str(out)!r}), run)\n"
    )
    script = tmp_path / "run_demo.py"
    script.write_text(program)
    child = subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (out / "sessions" / "P01-002").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert (out / "sessions" / "P01-002").exists()

    assert run(["demo", "--out", str(out)]) == 0
    assert "valid: 2 sessions, 2 shards" in capsys.readouterr().err
    assert Study.open(out).sessions() == ["P01-001", "P01-002"]


def test_a_demo_does_not_touch_a_study_of_somebody(tmp_path):
    Study.create(tmp_path / "mine")

    with pytest.raises(AlreadyThere, match="holds the study 'mine', not a demo's"):
        demo.run_demo(tmp_path / "mine", run)


def test_a_demo_does_not_write_among_other_files(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")

    assert run(["demo", "--out", str(tmp_path)]) == 1
    assert "is not an empty folder" in capsys.readouterr().err


def test_two_demos_at_once_are_refused(tmp_path):
    out = tmp_path / "out"

    with (
        locked(out / ".demo.lock", "the test holds it"),
        pytest.raises(Busy, match="a demo is run by another process"),
    ):
        demo.run_demo(out, run)
