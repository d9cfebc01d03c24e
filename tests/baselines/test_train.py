"""Training learns, repeats itself, and leaves a whole run behind."""

import json

import numpy as np
import pytest
import torch
from toy_study import FRAMES, NARROW

import mavfer
from baselines.config import read_config
from baselines.data import clip_stride, session_view
from baselines.evaluate import evaluate_run
from baselines.predict import predict_session
from baselines.results import load_model
from baselines.train import train_model
from mavfer.errors import CommandError, InvalidFile, NotFound
from mavfer.files import read_csv, read_json, read_jsonl, sha256_of
from mavfer.metrics import ccc
from mavfer.schema import columns_from_text, require_valid

BOTH = ("arousal", "valence")


def options(model="mran", *settings):
    return read_config(model, "demo", [*NARROW, *settings])


@pytest.fixture(scope="module")
def finished(labelled):
    """A run that had time to learn: its folder and its result."""
    return train_model("mran", labelled.root, options("mran", "epochs=12"), seed=1)


def pooled(result):
    return {name: result["scores"]["test"][name]["pooled"]["ccc"] for name in BOTH}


def test_a_short_training_learns_what_a_held_out_subject_shows(finished):
    assert min(pooled(finished[1]).values()) > 0.7


def test_labels_of_other_sessions_teach_nothing(labelled_copy, finished):
    folder = labelled_copy.labels_folder / "gold"
    for name in ("S01-001.csv", "S02-001.csv", "S03-001.csv"):
        header, *rows = (folder / name).read_text().splitlines()
        numbers = [row.split(",")[:2] for row in rows]
        values = [row.split(",")[2:] for row in rows]
        order = np.random.default_rng(0).permutation(len(values))
        mixed = [",".join(numbers[i] + values[order[i]]) for i in range(len(rows))]
        (folder / name).write_text("\n".join([header, *mixed]) + "\n")

    _, result = train_model("mran", labelled_copy.root, options("mran", "epochs=4"), seed=1)

    assert max(pooled(result).values()) < min(pooled(finished[1]).values()) - 0.3


def test_the_same_seed_gives_the_same_numbers_and_another_does_not(labelled):
    config = options("sta", "epochs=1")

    runs = [train_model("sta", labelled.root, config, seed=seed) for seed in (5, 5, 6)]

    once, again, other = (sha256_of(folder / "predictions.csv") for folder, _ in runs)
    assert once == again != other
    weights = [sha256_of(folder / "weights.safetensors") for folder, _ in runs]
    assert weights[0] == weights[1] != weights[2]
    assert len({folder for folder, _ in runs}) == 3


def test_training_leaves_torchs_random_state_and_threads_alone(labelled):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)

    train_model("sta", labelled.root, options("sta", "epochs=1", "threads=2"))

    assert torch.rand(1) == expected
    assert torch.get_num_threads() == 1


def test_a_run_has_all_its_files_by_their_schemas(finished, labelled):
    folder, result = finished
    document = read_json(folder / "result.json")
    columns = columns_from_text(read_csv(folder / "predictions.csv"), "predictions")

    assert document == result
    require_valid(document, "result", folder)
    require_valid(columns, "predictions", folder)
    assert folder.parent == labelled.root / "results"
    assert document["predictions_sha256"] == sha256_of(folder / "predictions.csv")
    assert document["split"]["sha256"] == sha256_of(labelled.splits_folder / "default.json")
    assert (document["modalities"], document["seed"]) == (["color", "depth", "thermal"], 1)
    assert columns["session"] == ["S05-001"] * FRAMES
    assert columns["frame"] == list(range(FRAMES))
    assert not list(folder.glob("*.part"))


def test_the_log_has_a_line_an_epoch_with_what_a_learning_curve_needs(finished):
    lines = read_jsonl(finished[0] / "log.jsonl")

    assert [line["epoch"] for line in lines] == list(range(1, 13))
    assert lines[-1]["loss"] < lines[0]["loss"] / 2
    assert set(lines[0]["val"]) == set(lines[0]["train"]) == set(BOTH)


def test_the_weights_give_the_predictions_again(finished, labelled):
    folder, _ = finished
    model, config = load_model(folder)
    recording = mavfer.load(labelled.root)["S05-001"]

    view = session_view(recording, config, BOTH)
    stride = clip_stride([recording], config)
    values = predict_session(model, view, config, stride, torch.device("cpu")).values

    written = read_csv(folder / "predictions.csv")
    np.testing.assert_allclose(values[:, 0], np.array(written["arousal"], float), atol=2e-6)
    np.testing.assert_allclose(values[:, 1], np.array(written["valence"], float), atol=2e-6)


def test_attention_is_kept_for_pictures(finished):
    with np.load(finished[0] / "attention.npz") as kept:
        assert kept["session"].tolist() == ["S05-001"] * 6
        assert kept["frame"].tolist() == [4, 12, 20, 28, 36, 44]
        assert kept["color"].shape == (6, 8, 8)
        np.testing.assert_allclose(kept["thermal"].sum((1, 2)), 1, atol=1e-5)
        np.testing.assert_allclose(kept["box"], [0, 0, 48, 48], atol=1e-4)


def test_evaluating_gives_the_scores_of_the_result(finished):
    folder, result = finished

    assert evaluate_run(folder)["scores"] == result["scores"]["test"]


def test_the_best_weights_are_kept_where_asked_for(labelled):
    settings = ("epochs=5", "keep_best=true", "learning_rate=0.02")

    folder, _ = train_model("sta", labelled.root, options("sta", *settings))

    means = [np.mean(list(line["val"].values())) for line in read_jsonl(folder / "log.jsonl")]
    model, config = load_model(folder)
    view = session_view(mavfer.load(labelled.root, modalities=["color"])["S04-001"], config, BOTH)
    values = predict_session(model, view, config, 1, torch.device("cpu")).values
    scores = [ccc(values[:, i], view.labels[:, i]) for i in range(2)]
    assert np.mean(scores) == pytest.approx(max(means), abs=1e-4)


def test_a_dimension_that_nobody_rated_is_left_empty(labelled_copy):
    for path in (labelled_copy.labels_folder / "gold").glob("*.csv"):
        header, *rows = path.read_text().splitlines()
        column = header.split(",").index("valence")
        cells = [row.split(",") for row in rows]
        bare = [",".join([*c[:column], "", *c[column + 1 :]]) for c in cells]
        path.write_text("\n".join([header, *bare]) + "\n")

    folder, result = train_model("sta", labelled_copy.root, options("sta", "epochs=1"))

    assert set(read_csv(folder / "predictions.csv")["valence"]) == {""}
    assert result["configuration"]["dimensions"] == ["arousal"]
    assert result["scores"]["test"]["valence"]["pooled"]["ccc"] is None


def test_a_label_that_is_not_there_is_named(labelled):
    with pytest.raises(
        NotFound, match=r"no label 'silver'. There are: gold.*mavfer label .* silver"
    ):
        train_model("sta", labelled.root, options("sta"), labels="silver")


def test_a_label_that_nobody_gave_is_not_trained_on(labelled):
    with pytest.raises(NotFound, match="no frame of the part 'train' has a label 'rater:R9'"):
        train_model("sta", labelled.root, options("sta"), labels="rater:R9")


def test_a_missing_split_is_answered_with_the_command_that_makes_it(labelled_copy):
    (labelled_copy.splits_folder / "default.json").unlink()

    with pytest.raises(NotFound, match="mavfer split"):
        train_model("sta", labelled_copy.root, options("sta"))


def test_a_subject_in_two_parts_is_refused(labelled_copy):
    path = labelled_copy.splits_folder / "default.json"
    document = json.loads(path.read_text())
    document["folds"][0]["test"].append("S01")
    path.write_text(json.dumps(document))

    with pytest.raises(InvalidFile, match="subject S01 stands in"):
        train_model("sta", labelled_copy.root, options("sta"))


def test_a_part_without_sessions_is_named(labelled_copy):
    path = labelled_copy.splits_folder / "default.json"
    document = json.loads(path.read_text())
    document["folds"][0]["test"] = ["S99"]
    path.write_text(json.dumps(document))

    with pytest.raises(NotFound, match=r"no session of its part 'test'.*mavfer split"):
        train_model("sta", labelled_copy.root, options("sta"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_a_device_that_is_not_there_is_named(labelled):
    with pytest.raises(CommandError, match=r"device is 'cuda'.*--set device=cpu"):
        train_model("sta", labelled.root, options("sta", "device=cuda"))
