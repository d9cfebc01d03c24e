import json
import os
import signal
import subprocess
import sys
import time

import pytest

from mavfer.cli import run
from mavfer.demo import journey, run_demo
from mavfer.errors import AlreadyThere, Busy, DataError
from mavfer.files import locked
from mavfer.study.study import Study

TINY = {"subjects": 2, "held_out": 1, "seconds": 3, "rate_hz": 8, "raters": 3}
MEASURES = {"ccc", "pearson", "rmse", "mae", "sagr", "frames"}


@pytest.fixture
def tiny(monkeypatch):
    """A demo of two subjects and short takes; the journey is the same."""
    monkeypatch.setattr(journey, "_QUICK", journey._Plan(**TINY))


@pytest.fixture
def script(tmp_path):
    """Runs the same demo in a process of its own, which can be killed."""
    path = tmp_path / "run_demo.py"
    path.write_text(
        "from pathlib import Path\nfrom mavfer.demo import journey, run_demo\n"
        "from mavfer.cli import run\n"
        f"journey._QUICK = journey._Plan(**{TINY!r})\n"
        f"if __name__ == '__main__': run_demo(Path({str(tmp_path / 'out')!r}), run)\n"
    )
    return path


def test_a_demo_that_was_killed_twice_ends_with_scores_a_report_and_a_valid_study(
    tiny, script, tmp_path, capsys
):
    out = tmp_path / "out"
    told = "".join(_kill_when(script, out, moment) for moment in ("shards/P02-001.h5", "results/*"))

    assert run(["demo", "--out", str(out), "--json"]) == 0
    printed = capsys.readouterr()
    told += printed.err
    document = json.loads(printed.out.splitlines()[-1])
    assert set(document) == {"study", "report", "seconds", "scores"}
    assert (out / "reports" / "report.html").samefile(document["report"])
    assert [(line["model"], line["lighting"]) for line in document["scores"]] == [
        ("sta", "bright"),
        ("sta", "dark"),
        ("mran", "bright"),
        ("mran", "dark"),
    ]
    assert all(set(line["arousal"]) == MEASURES for line in document["scores"])
    assert all(line["valence"]["frames"] > 10 for line in document["scores"])
    assert told.count(f"$ mavfer record {out} --subject P01 --rig simulated") == 2
    assert "3 simulated raters: 15 takes" in told
    assert "valid: 4 sessions, 4 shards" in printed.err
    page = (out / "reports" / "report.html").read_text(encoding="utf-8")
    assert "CCC of the label with the truth, over all sessions: arousal" in page
    assert "on whom nothing was trained" in page
    _require_whole(out)

    labels = {path: path.read_bytes() for path in (out / "labels" / "gold").iterdir()}
    assert run(["demo", "--out", str(out), "--json"]) == 0
    again = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert again["scores"] == document["scores"]
    assert all(path.read_bytes() == content for path, content in labels.items())
    assert len(list((out / "results").iterdir())) == 2


@pytest.mark.soak
def test_a_demo_that_is_killed_at_any_step_goes_on_where_it_was(tiny, script, tmp_path, capsys):
    out = tmp_path / "out"
    for moment in ("sessions/P01-002", "shards/P02-001.h5", "annotator/*.sqlite", "results/*"):
        _kill_when(script, out, moment)

    assert run(["demo", "--out", str(out)]) == 0
    assert "valid: 4 sessions, 4 shards" in capsys.readouterr().err
    _require_whole(out)


def _require_whole(out):
    assert sorted(Study.open(out).sessions()) == [
        f"P0{subject}-00{take}" for subject in (1, 2) for take in (1, 2)
    ]
    assert all((folder / "result.json").exists() for folder in (out / "results").iterdir())


def _kill_when(script, out, pattern):
    """Runs the demo and kills it, and it alone, when something is there; gives what it said."""
    log = script.parent / "demo.log"
    with log.open("w") as handle:
        child = subprocess.Popen([sys.executable, script], stdout=handle, stderr=handle)
    deadline = time.monotonic() + 600
    while not list(out.glob(pattern)) and time.monotonic() < deadline:
        assert child.poll() is None, log.read_text()
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert list(out.glob(pattern)), log.read_text()
    return log.read_text()


def test_a_command_that_fails_in_a_demo_is_one_line(tiny, tmp_path):
    out = tmp_path / "out"
    Study.create(out, name="mavfer demo")
    (out / "participants.csv").write_text("name\nsomebody\n")

    with pytest.raises(DataError, match=r"^mavfer record .*participants.csv"):
        run_demo(out, run)


def test_a_demo_does_not_touch_a_study_of_somebody(tmp_path):
    Study.create(tmp_path / "mine")

    with pytest.raises(AlreadyThere, match="holds the study 'mine', not a demo's"):
        run_demo(tmp_path / "mine", run)


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
        run_demo(out, run)
