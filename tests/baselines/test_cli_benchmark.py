"""`mavfer benchmark` as its user types it."""

import json
from dataclasses import replace

import pytest

from baselines import proof_rows
from baselines.synthetic import DESIGNS, SPLIT, TRUTH, make_study
from mavfer.cli import run

SMALL = replace(DESIGNS["split"], training_subjects=3, test_subjects=3, frames=16)
DATA = ("--labels", TRUTH, "--split", SPLIT)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("benchmark") / "study", SMALL)


def test_all_models_and_seeds_are_told_and_compared_with_the_first(study, capsys):
    asked = ["benchmark", str(study.root), "--models", "mean,landmarks_svr", "--seeds", "2", *DATA]
    assert run([*asked, "--json"]) == 0

    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert document["seeds"] == 2
    assert list(document["rows"]) == ["mean color", "landmarks_svr color"]
    assert list(document["compared"]) == ["landmarks_svr color"]
    assert set(document["compared"]["landmarks_svr color"]) == {"arousal", "valence"}
    assert len(list((study.root / "results").glob("*/result.json"))) == 4

    assert run(asked) == 0
    assert "landmarks_svr color" in capsys.readouterr().out
    assert len(list((study.root / "results").glob("*/result.json"))) == 4


def test_the_proof_is_run_told_and_drawn(tmp_path, capsys, monkeypatch):
    rows = [
        row
        for row in proof_rows.PROOF_ROWS
        if row.name in {"mean", "color"} and row.design == "split"
    ]
    monkeypatch.setattr(proof_rows, "PROOF_ROWS", tuple(rows))
    monkeypatch.setitem(proof_rows.ALL_DESIGNS, "split", SMALL)
    asked = ["--out", str(tmp_path / "proof"), "--seeds", "1", "--jobs", "1", "--set", "epochs=1"]

    assert run(["benchmark", "--synthetic", *asked, "--figure", str(tmp_path / "p.svg")]) == 0

    told = capsys.readouterr().out
    assert "color_bright_arousal" in told
    assert "color minus mean, valence" in told
    assert (tmp_path / "proof" / "split" / "splits" / f"{SPLIT}.json").exists()
    assert (tmp_path / "p.svg").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give STUDY, or --synthetic"),
        (["somewhere", "--synthetic"], "give STUDY, or --synthetic"),
        (["somewhere", "--rig", "--models", "mean"], "--rig goes with --synthetic"),
        (["somewhere"], "give --models or --paper"),
        (["somewhere", "--models", "mean", "--paper", "mran"], "give --models or --paper"),
    ],
    ids=["nothing", "both", "rig", "no models", "models and paper"],
)
def test_what_cannot_be_meant_is_a_usage_error(words, said, capsys):
    assert run(["benchmark", *words]) == 2

    assert said in capsys.readouterr().err
