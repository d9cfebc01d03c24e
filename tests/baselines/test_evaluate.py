"""Scores come from predictions alone, and every grouping has its name."""

import numpy as np
import pytest
from toy_study import NARROW

from baselines.config import read_config
from baselines.evaluate import evaluate_run, scores_of, scores_text
from baselines.train import train_model
from mavfer import metrics
from mavfer.errors import CommandError, InvalidFile, NotFound


def columns(sessions=("S01-001", "S02-001"), frames=20):
    random = np.random.default_rng(0)
    made = {"session": np.repeat(sessions, frames).tolist()}
    for name in ("arousal", "valence"):
        label = random.normal(0, 1, len(made["session"]))
        made[name] = (label + random.normal(0.2, 0.5, len(label))).tolist()
        made[f"{name}_label"] = label.tolist()
    return made


@pytest.fixture(scope="module")
def run(labelled):
    config = read_config("sta", "demo", [*NARROW, "epochs=1"])
    return train_model("sta", labelled.root, config)[0]


def test_pooled_and_per_session_scores_are_those_of_the_metrics():
    table = columns()
    predicted, label = (np.array(table[key]) for key in ("arousal", "arousal_label"))

    scores = scores_of(table)["arousal"]

    assert scores["pooled"] == {
        "ccc": round(metrics.ccc(predicted, label), 6),
        "pearson": round(metrics.pearson(predicted, label), 6),
        "rmse": round(metrics.rmse(predicted, label), 6),
        "frames": 40,
    }
    first = scores["sessions"]["S01-001"]
    assert first["ccc"] == round(metrics.ccc(predicted[:20], label[:20]), 6)
    assert scores["mean_of_sessions"]["ccc"] == pytest.approx(
        np.mean([session["ccc"] for session in scores["sessions"].values()]), abs=2e-6
    )


def test_frames_without_a_label_are_left_out():
    table = columns()
    short = {key: cells[:30] for key, cells in table.items()}
    table["arousal_label"][30:] = [None] * 10

    assert scores_of(table)["arousal"]["pooled"] == scores_of(short)["arousal"]["pooled"]


def test_what_is_not_defined_is_none_and_leaves_the_mean():
    table = columns()
    table["arousal_label"][20:] = [None] * 20

    scores = scores_of(table)["arousal"]

    assert scores["sessions"]["S02-001"] == {
        "ccc": None,
        "pearson": None,
        "rmse": None,
        "frames": 0,
    }
    assert scores["mean_of_sessions"]["ccc"] == scores["sessions"]["S01-001"]["ccc"]


def test_sessions_are_scored_apart_by_a_setting(run):
    document = evaluate_run(run, by="lighting")

    scores = document["scores"]["arousal"]
    assert scores["groups"] == {"bright": scores["pooled"]}
    assert "bright" in scores_text(document)
    assert "pooled" in scores_text(document)


def test_an_unknown_setting_is_answered_with_those_there_are(run):
    with pytest.raises(CommandError, match=r"--by weather.*lighting"):
        evaluate_run(run, by="weather")


def test_a_folder_without_a_result_is_named(tmp_path):
    with pytest.raises(NotFound, match=r"no finished run here.*mavfer train"):
        evaluate_run(tmp_path)


def test_predictions_that_are_not_numbers_are_named(run, tmp_path):
    for name in ("result.json", "predictions.csv"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    path = tmp_path / "predictions.csv"
    path.write_text(path.read_text().replace("S05-001,3,", "S05-001,three,"))

    with pytest.raises(InvalidFile, match=r"predictions.csv.*frame"):
        evaluate_run(tmp_path)
