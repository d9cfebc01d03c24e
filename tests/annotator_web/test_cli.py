import json

import pytest
from annotated_study import make_study, samples

from mavfer.cli import run


def printed(capsys, *command):
    capsys.readouterr()
    assert run(["annotate", *map(str, command)]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def refused(capsys, *command):
    capsys.readouterr()
    status = run(["annotate", *map(str, command)])
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    return status, message


def test_inviting_gives_a_link_with_a_new_token_each_time(study, capsys):
    first = printed(capsys, "invite", study.root, "--rater", "R1", "--json")
    second = printed(
        capsys, "invite", study.root, "--rater", "R1", "--url", "https://rate.example/", "--json"
    )

    assert first["url"] == f"http://127.0.0.1:8420/invitation/{first['token']}"
    assert second["url"] == f"https://rate.example/invitation/{second['token']}"
    assert first["token"] != second["token"]
    assert len(first["token"]) == 22


def test_revoking_and_status_say_what_is_so(study, rater, capsys):
    rater.rate()
    rater.send(rater.begin("S02-001"), 0, samples(5))
    before = printed(capsys, "status", study.root, "--json")
    revoked = printed(capsys, "revoke", study.root, "--rater", "R1", "--json")
    after = printed(capsys, "status", study.root, "--json")

    assert before["samples"] == 30
    assert before["raters"] == [
        {
            "rater": "R1",
            "kind": "person",
            "language": None,
            "is_invited": True,
            "withdrawn": None,
            "agreed_utc": None,
            "planned": 2,
            "done": 1,
            "repeats_planned": 0,
            "repeats_done": 0,
            "finished_sessions": 1,
            "finished_takes": 1,
            "open_takes": 1,
            "practice": None,
            "reaction_seconds": None,
            "breaks": 0,
        }
    ]
    assert revoked == {"rater": "R1", "revoked": 1}
    assert not after["raters"][0]["is_invited"]


def test_collecting_prints_what_it_did(study, rater, capsys):
    rater.rate()

    done = printed(capsys, "collect", study.root, "--json")

    assert done["written"] == ["S01-001/arousal.R1.001", "S01-001/valence.R1.001"]
    assert done["uncalibrated"] == ["R1"]
    assert (done["repeats"], done["erased"]) == (0, [])


@pytest.mark.parametrize(
    ("command", "status", "text"),
    [
        (["invite", "STUDY", "--rater", "R 1"], 2, "not a rater code"),
        (["invite", "STUDY", "--rater", "R1", "--sessions", "S09-001"], 1, "cannot be rated"),
        (["invite", "STUDY", "--rater", "R1", "--language", "fr"], 2, "choose from en, de, ar"),
        (["revoke", "STUDY", "--rater", "R9"], 1, "rater R9: not known"),
        (["status", "STUDY/none"], 1, "no study here"),
        (["simulate", "STUDY", "--url", "http://127.0.0.1:9"], 1, "simulated raters rate from"),
        (["backup", "STUDY", "copy.sqlite"], 1, "no database yet"),
        (["restore", "STUDY", "copy.sqlite"], 1, "no such backup"),
        (["status", "STUDY", "--database", "mysql://x/y"], 2, "only sqlite:///FILE"),
    ],
)
def test_bad_input_is_one_line(study, capsys, command, status, text):
    words = [word.replace("STUDY", str(study.root)) for word in command]

    found, message = refused(capsys, *words)

    assert found == status
    assert text in message


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        ({"dimensions": ["dominance"]}, "no dimension 'dominance' in study.json"),
        ({"mode": "at once"}, "not a valid annotation file"),
        (
            {"practice": {"session": "S09-001", "label": "expert", "pass_ccc": 0.5}},
            "the practice clip S09-001 has no media, or may not be rated",
        ),
    ],
)
def test_a_project_that_cannot_be_served_is_one_line(tmp_path, capsys, annotation, text):
    study = make_study(tmp_path / "study", [], annotation=annotation)

    _, message = refused(capsys, "serve", study.root)

    assert text in message
