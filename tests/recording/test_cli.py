"""The verbs `record` and `audit`, with the simulated rig."""

from __future__ import annotations

import json
from contextlib import contextmanager

import click
import numpy as np
import pytest
from click.testing import CliRunner
from counting_rig import CountingRig

from mavfer.errors import CommandError, NotFound
from mavfer.study.session import Session
from mavfer.study.truth import read_truth
from recording.cli import register

SMALL = [
    *("--rig", "simulated", "--seconds", "1", "--pace", "fast"),
    *("--size", "color=160x120", "--size", "depth=160x120", "--size", "thermal=80x64"),
]


@pytest.fixture(scope="module")
def commands():
    group = click.Group("mavfer")
    register(group)
    return group


def _run(commands, *words):
    return CliRunner().invoke(commands, [str(word) for word in words])


def test_a_simulated_take_is_recorded_with_its_truth(commands, study):
    result = _run(commands, "record", study.root, "--subject", "S01", *SMALL, "--json")
    report = json.loads(result.stdout.splitlines()[-1])
    folder = study.session_folder("S01-001")
    session = Session.open(folder)
    truth = read_truth(session.truth_path)

    assert result.exit_code == 0, result.output
    assert report["verdict"] == "ok"
    assert session.document["kind"] == "simulated"
    assert session.document["settings"]["rig"] == "simulated"
    for stream in session.streams:
        arrived = session.times(stream)["frame_number"]
        lost = np.flatnonzero(truth.members[f"/{stream}/dropped"])
        drops = session.drops["frame_number"][session.drops["stream"] == ("color", "depth",
                                              "thermal").index(stream)]  # fmt: skip
        inner = [n for n in lost if arrived[0] < n < arrived[-1]]

        assert (
            report["streams"][stream] | {"frames": len(arrived), "drops": len(inner)}
            == (report["streams"][stream])
        )
        assert drops.tolist() == inner
    assert study.calibration_path(session.calibration).is_file()

    again = _run(commands, "audit", folder, "--json")

    assert again.exit_code == 0
    assert json.loads(again.stdout.splitlines()[-1])["verdict"] == "ok"


def test_a_damaged_take_ends_an_audit_with_status_1(commands, study):
    _run(commands, "record", study.root, "--subject", "S01", *SMALL)
    folder = study.session_folder("S01-001")
    (folder / "streams.h5").unlink()
    result = _run(commands, "audit", folder, "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout.splitlines()[-1])["verdict"] == "damaged"
    assert "streams.h5: no such file" in result.stdout


def test_an_unknown_rig_is_refused_in_one_line(commands, study):
    result = _run(commands, "record", study.root, "--subject", "S01", "--rig", "webcam",
                  "--seconds", "1")  # fmt: skip

    assert isinstance(result.exception, CommandError)
    assert str(result.exception) == (
        "unknown rig 'webcam'; known: simulated, realsense, served, or a rig's file (.toml)"
    )
    assert study.sessions() == []


@pytest.mark.parametrize(
    "option", [("--rate", "thermal=fast"), ("--size", "color=big"), ("--size", "sound=1x1")]
)
def test_a_rate_or_size_that_cannot_be_is_told(commands, study, option):
    result = _run(commands, "record", study.root, "--subject", "S01", *SMALL, *option)

    assert isinstance(result.exception, CommandError)
    assert result.exception.exit_code == 2


def test_a_take_tells_what_it_records_and_ends_with_hashes(commands, study):
    result = _run(commands, "record", study.root, "--subject", "S01", *SMALL)

    assert result.exit_code == 0, result.output
    assert result.stderr.startswith("S01-001: recording 0:01 with rig simulated\n")
    assert "  color   simulated simulated-color-0, 160x120 at 30" in result.stderr
    assert result.stdout.startswith("S01-001: ok")
    assert "files   3 of 3 as recorded" in result.stdout
    assert set(Session.open(study.session_folder("S01-001")).document["files"]) == {
        "color.mkv",
        "streams.h5",
        "truth.h5",
    }


def test_a_camera_that_ended_early_is_told_with_the_way_to_go_on(commands, study, monkeypatch):
    rig = CountingRig(None, paced=True, depth={"fails_at": 15})
    monkeypatch.setattr("recording.cli.open_rig", lambda *_, **__: rig)
    words = ("--subject", "S01", "--rig", "lab.toml", "--seconds", "1.5")
    result = _run(commands, "record", study.root, *words)

    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines()[-2:] == [
        "depth: ended early: the cable was pulled",
        f"once it is mended: mavfer record {study.root} --subject S01 --rig lab.toml "
        f"--seconds 1.5 --continue S01-001",
    ]


def test_a_second_interruption_leaves_the_hashes_to_an_audit(commands, study, monkeypatch):
    @contextmanager
    def impatient(*_):
        def interrupt(_):
            raise KeyboardInterrupt

        yield interrupt

    with monkeypatch.context() as patch:
        patch.setattr("recording.cli.hashing_bar", impatient)
        recorded = _run(commands, "record", study.root, "--subject", "S01", *SMALL)
    folder = study.session_folder("S01-001")
    left_out = Session.open(folder).document["files"]
    audited = _run(commands, "audit", folder)

    assert recorded.exit_code == 0, recorded.output
    assert f"whole, its files are not hashed. Later: mavfer audit {folder}" in recorded.stderr
    assert left_out == {}
    assert "files   3 of 3 as recorded" in audited.stdout
    assert set(Session.open(folder).document["files"]) == {"color.mkv", "streams.h5", "truth.h5"}


def test_auditing_what_is_no_session_is_told(commands, tmp_path):
    result = _run(commands, "audit", tmp_path)

    assert isinstance(result.exception, NotFound)
