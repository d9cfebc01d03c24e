"""The verbs `archive` and `replay`, on sessions and on whole studies."""

from __future__ import annotations

import json

import click
import pytest
from click.testing import CliRunner
from counting_rig import CountingRig

from mavfer.errors import CommandError, NotFound
from mavfer.study.session import Session
from mavfer.study.study import Study
from recording.cli_sessions import archive, replay
from recording.recorder import record_take


@pytest.fixture
def folders(study):
    return [record_take(study, CountingRig(5), subject="S01").folder for _ in range(3)]


def _run(command, *words):
    group = click.Group("mavfer")
    group.add_command(command)
    return CliRunner().invoke(group, [command.name, *(str(word) for word in words)])


def test_a_study_is_archived_and_restored_and_its_sizes_are_told(study, folders):
    result = _run(archive, study.root, "--json")
    said = json.loads(result.stdout.splitlines()[-1])
    archived = [Session.open(folder).is_archived for folder in folders]
    back = _run(archive, *folders, "--restore")

    assert result.exit_code == back.exit_code == 0, result.output
    assert archived == [True] * 3
    assert [entry["state"] for entry in said["sessions"]] == ["archived"] * 3
    assert said["sessions"][0]["bytes_after"] == sum(
        stream["bytes_after"] for stream in said["sessions"][0]["streams"].values()
    )
    assert said["failed"] == {}
    assert "S01-002: archived, all frames compared; 0.1 MB before, 0.1 MB now" in result.stdout
    assert "  thermal: 5 frames, 0.0 MB before, 0.0 MB now" in result.stdout
    assert "archive S01-001: 20 frames in" in result.stderr
    assert "S01-003: restored, all frames compared" in back.stdout
    assert not Session.open(folders[0]).is_archived


def test_one_session_that_fails_does_not_stop_the_others(study, folders):
    (folders[0] / "streams.h5").write_bytes(b"torn")
    result = _run(archive, study.root, "--json")
    said = json.loads(result.stdout.splitlines()[-1])
    again = _run(archive, folders[1])

    assert result.exit_code == 1
    assert list(said["failed"]) == ["S01-001"]
    assert "S01-001: " in result.stderr
    assert [entry["session"] for entry in said["sessions"]] == ["S01-002", "S01-003"]
    assert again.exit_code == 0
    assert again.stdout == "S01-002: archived already\n"


def test_what_is_no_session_is_told(study, tmp_path):
    result = _run(archive, tmp_path)
    empty = _run(archive, study.root)

    assert result.exit_code == 1
    assert "no session here" in result.stderr
    assert isinstance(empty.exception, NotFound)
    assert str(empty.exception).endswith("study: no sessions yet. Record one first: mavfer record")


def test_a_session_is_played_into_nothing_and_its_pace_is_told(folders):
    result = _run(replay, folders[0], "--pace", "4", "--json")
    said = json.loads(result.stdout.splitlines()[-1])

    assert result.exit_code == 0, result.output
    assert said["session"] == "S01-001"
    assert said["take"] is None
    assert [stream["frames"] for stream in said["streams"].values()] == [5, 5, 5]
    assert said["streams"]["color"]["late_ms_most"] >= 0
    assert "color: 5 frames, 0 told lost, " in result.stdout
    assert "ms late (median)" in result.stdout
    assert "replay S01-001: 15 frames in" in result.stderr


def test_a_session_is_played_into_a_take_of_another_study(folders, tmp_path):
    other = Study.create(tmp_path / "other")
    words = ("--into", other.root, "--subject", "X9", "--pace", "fast", "--json")
    result = _run(replay, folders[0], *words)
    said = json.loads(result.stdout.splitlines()[-1])
    session = Session.open(other.session_folder("X9-001"))

    assert result.exit_code == 0, result.output
    assert said["take"]["verdict"] == "ok"
    assert "X9-001: ok" in result.stdout
    assert (session.read("depth", 0, 5) == Session.open(folders[0]).read("depth", 0, 5)).all()


def test_a_pace_that_is_none_is_told(folders):
    result = _run(replay, folders[0], "--pace", "slow")

    assert isinstance(result.exception, CommandError)
    assert str(result.exception) == "--pace slow: give real, fast, or a number, for example 2"
