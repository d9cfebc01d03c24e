"""Scores come from predictions alone, and every grouping has its name."""

import json
from pathlib import Path

import numpy as np
import pytest
from toy_study import NARROW

from baselines.config import read_config
from baselines.evaluate import compare_runs, evaluate_group, evaluate_run
from baselines.score_text import comparison_text, group_text, scores_text
from baselines.train import train_model
from mavfer.cli import run as type_command
from mavfer.errors import CommandError, InvalidFile, NotFound
from mavfer.files import write_csv

RESULT = Path(__file__).parents[1] / "schemas/examples/result/good/plain.json"
SUBJECTS = tuple(f"S{number:02}-001" for number in range(1, 7))


@pytest.fixture
def made(tmp_path):
    """Writes runs with predictions that are so far off."""
    number = iter(range(100))

    def write(model, seed, error, sessions=SUBJECTS):
        folder = tmp_path / f"{model}-{next(number)}"
        folder.mkdir()
        document = json.loads(RESULT.read_text()) | {"model": model, "seed": seed}
        document |= {"run": folder.name, "scores": {"test": {}}}
        (folder / "result.json").write_text(json.dumps(document))
        write_csv(folder / "predictions.csv", table(error, seed, sessions))
        return folder

    return write


def table(error, seed, sessions):
    frames = np.arange(30)
    random = np.random.default_rng(seed)
    label = np.concatenate([np.sin(frames / 5 + int(name[1:3])) for name in sessions])
    columns = {
        "session": np.repeat(sessions, 30).tolist(),
        "frame": np.tile(frames, len(sessions)).tolist(),
        "time_seconds": np.tile(frames / 30, len(sessions)).tolist(),
    }
    for name in ("arousal", "valence"):
        columns[name] = (label + random.normal(0, error, len(label))).round(6).tolist()
        columns[f"{name}_label"] = label.round(6).tolist()
    return columns


@pytest.fixture(scope="module")
def run(labelled):
    config = read_config("sta", "demo", [*NARROW, "epochs=1"])
    return train_model("sta", labelled.root, config)[0]


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


def test_every_score_has_the_interval_of_its_subjects(made):
    document = evaluate_run(made("sta", 0, 0.5))

    interval = document["intervals"]["arousal"]
    pooled = document["scores"]["arousal"]["pooled"]["ccc"]
    assert interval["values"] == [pooled]
    assert interval["low"] < pooled < interval["high"]
    assert (interval["unit"], interval["blocks"]) == ("subject", 6)
    assert "over 6 subjects, too few to trust its ends" in scores_text(document)


def test_seeds_are_all_told_and_summed_up_over_subjects(made):
    runs = [made("sta", seed, 0.5) for seed in (2, 0, 1)]

    document = evaluate_group(runs, more=("spearman",))

    each = [run["scores"]["valence"]["pooled"]["ccc"] for run in document["runs"]]
    assert sorted(each) == sorted(document["group"]["valence"]["values"])
    assert document["group"]["valence"]["mean"] == pytest.approx(np.mean(each), abs=1e-6)
    assert document["runs"][0]["scores"]["valence"]["pooled"]["spearman"] is not None
    assert "valence: pooled CCC of 3 seeds: " in group_text(document)


def test_folds_of_one_seed_are_put_together(made):
    whole = made("sta", 0, 0.0)
    folds = [made("sta", 0, 0.0, SUBJECTS[:3]), made("sta", 0, 0.0, SUBJECTS[3:])]

    document = compare_runs(folds, [whole])

    assert document["arousal"]["first"]["values"] == [1.0]
    assert document["arousal"]["first"]["blocks"] == 6


def test_two_models_are_compared_over_the_same_subjects(made):
    good = [made("mran", seed, 0.2) for seed in range(2)]
    bad = [made("sta", seed, 2.0) for seed in range(2)]

    document = compare_runs(good, bad)

    for name in ("arousal", "valence"):
        assert document[name]["difference"] > 0.3
        assert document[name]["low"] > 0
        assert document[name]["p"] <= document[name]["p_holm"] < 0.01
    assert comparison_text(document).startswith("arousal: pooled CCC 0.9")


def test_the_command_compares_too(made, capsys):
    good, bad = made("mran", 0, 0.2), made("sta", 0, 2.0)

    assert type_command(["evaluate", str(good), "--with", str(bad), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == compare_runs([good], [bad])
    assert type_command(["evaluate", str(good), str(made("mran", 1, 0.2))]) == 0
    assert "arousal: pooled CCC of 2 seeds" in capsys.readouterr().out


def test_runs_of_two_models_are_no_group(made):
    with pytest.raises(CommandError, match=r"runs of sta on .* and mran on .*--with"):
        evaluate_group([made("sta", 0, 0.2), made("mran", 1, 0.2)])


def test_runs_with_other_options_are_no_group_but_the_machine_may_differ(made):
    runs = [made("sta", seed, 0.2) for seed in range(2)]
    path = runs[1] / "result.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"configuration": {"threads": 2}}))
    assert len(evaluate_group(runs)["runs"]) == 2
    path.write_text(json.dumps(document | {"configuration": {"epochs": 2, "threads": 2}}))

    with pytest.raises(CommandError, match=r"differ in epochs: they are no seeds of one model"):
        evaluate_group(runs)


def test_the_same_run_twice_is_refused(made):
    run = made("sta", 0, 0.2)

    with pytest.raises(CommandError, match="same sessions with the same seed 0"):
        evaluate_group([run, run])


def test_runs_on_other_frames_are_not_compared(made):
    with pytest.raises(CommandError, match="the runs differ in session"):
        compare_runs([made("sta", 0, 0.2)], [made("mran", 0, 0.2, SUBJECTS[:4])])
