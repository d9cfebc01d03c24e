"""`mavfer train` and `mavfer evaluate`, as they are typed."""

import json
import sys

import pytest
from toy_study import NARROW

from mavfer.cli import run

SETTINGS = [word for setting in (*NARROW, "epochs=1") for word in ("--set", setting)]


def train(study, *words, model="sta"):
    return run(["train", model, str(study.root), "--config", "demo", *SETTINGS, *words])


def test_training_and_evaluating_say_the_same_scores(labelled, capsys):
    assert train(labelled, "--seed", "2", "--json") == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])

    assert run(["evaluate", told["folder"], "--by", "lighting", "--json"]) == 0
    document = json.loads(capsys.readouterr().out.splitlines()[-1])

    assert (told["model"], told["seed"], told["label"]) == ("sta", 2, "gold")
    scores = document["scores"]["arousal"]
    assert scores.pop("groups")
    assert scores == told["scores"]["test"]["arousal"]


def test_people_read_the_pooled_scores_and_the_folder(labelled, capsys):
    assert train(labelled, "--modalities", "thermal,color", model="mran") == 0
    lines = capsys.readouterr().out.splitlines()

    assert lines[1].split()[:2] == ["arousal", "pooled"]
    assert lines[-1].startswith(str(labelled.root / "results" / "mran-"))
    assert run(["evaluate", lines[-1]]) == 0
    assert capsys.readouterr().out.splitlines() == lines[:-2]
    assert lines[-2].endswith(" parameters, narrow")


def test_the_study_is_valid_after_training(labelled, capsys):
    assert train(labelled) == 0
    run(["check", str(labelled.root), "--json"])

    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [f for f in report["findings"] if "results" in str(f)] == []


@pytest.mark.parametrize(
    ("model", "words", "code", "message"),
    [
        ("vgg", [], 2, "no model 'vgg'. There are: sta, mran"),
        ("sta", ["--labels", "silver"], 1, "no label 'silver'"),
        ("sta", ["--split", "other"], 1, "Run mavfer split"),
        ("sta", ["--fold", "3"], 2, "no fold 3"),
        ("sta", ["--set", "epoch=1"], 2, "no option 'epoch'"),
        ("sta", ["--modalities", "color,smell"], 2, "no modality 'smell'"),
        ("sta", ["--modalities", "color,depth"], 2, "sta reads one stream"),
        (
            "mran",
            ["--modalities", "depth", "--set", "emotion_input=color"],
            2,
            "color is not among",
        ),
        ("sta", ["--set", "frames=4000"], 1, "no clip of 4000 frames"),
    ],
)
def test_bad_input_is_one_line(labelled, capsys, model, words, code, message):  # noqa: PLR0917 (a table's columns)
    before = sorted(labelled.root.glob("results/*"))

    assert train(labelled, *words, model=model) == code

    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("mavfer: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert sorted(labelled.root.glob("results/*")) == before


def test_a_run_is_explained_in_its_own_folder(labelled, capsys):
    assert train(labelled) == 0
    folder = capsys.readouterr().out.splitlines()[-1]
    squares = ["--frames", "1", "--square", "16", "--step", "16", "--hide", "color"]

    assert run(["explain", folder, *squares, "--session", "S05-001", "--json"]) == 0
    document = json.loads(capsys.readouterr().out.splitlines()[-1])

    assert (document["model"], document["side"], document["frames"]) == ("sta", 16, 1)
    assert run(["explain", folder, *squares]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{folder}/{n}" for n in ("occlusion.npz", "occlusion.jpg", "attention.jpg")]
    assert run(["explain", folder, "--hide", "depth"]) == 2
    assert "the run does not read depth" in capsys.readouterr().err
    run(["check", str(labelled.root), "--json"])
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [f for f in report["findings"] if "results" in str(f)] == []


def test_without_torch_the_line_that_installs_it_is_printed(labelled, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)

    assert train(labelled) == 2

    assert "torch is not installed. Run: pip install 'mavfer[train]'" in capsys.readouterr().err


def test_several_seeds_are_all_told(labelled, capsys):
    assert train(labelled, "--seed", "3", "--seeds", "2", "--json") == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])

    assert [each["seed"] for each in told["runs"]] == [3, 4]
    assert len(told["folders"]) == len(told["group"]["arousal"]["values"]) == 2
    assert run(["evaluate", *told["folders"]]) == 0
    text = capsys.readouterr().out
    assert "arousal: pooled CCC of 2 seeds" in text
