"""Expression classes are learned, predicted and scored beside the dimensions, or alone."""

import csv
import json

import numpy as np
import pytest
from toy_study import FRAMES, NARROW

from baselines.config import read_config
from baselines.evaluate import evaluate_run
from baselines.results import load_model
from baselines.score_text import scores_text
from baselines.train import train_model
from mavfer.errors import InvalidFile, NotFound
from mavfer.files import read_csv, read_jsonl
from mavfer.schema import columns_from_text, require_valid
from mavfer.study.study import Study

NAMES = ["low", "high"]


def with_classes(study, names=NAMES, column=lambda arousal: (arousal > 0).astype(int).tolist()):
    """The study with a class for each frame: whether arousal is above 0."""
    document = json.loads((study.root / "study.json").read_text())
    (study.root / "study.json").write_text(json.dumps(document | {"expression_classes": names}))
    for path in (study.labels_folder / "gold").glob("*.csv"):
        with path.open(newline="") as handle:
            header, *rows = csv.reader(handle)
        arousal = np.array([float(row[header.index("arousal")]) for row in rows])
        with path.open("w", newline="") as handle:
            cells = zip(rows, column(arousal), strict=True)
            csv.writer(handle).writerows(
                [[*header, "expression"], *([*row, each] for row, each in cells)]
            )
    return Study.open(study.root)


def options(task, *settings, model="mran"):
    return read_config(model, "demo", [*NARROW, f"task={task}", *settings])


def test_both_are_learned_together(labelled_copy):
    study = with_classes(labelled_copy)

    folder, result = train_model("mran", study.root, options("both", "epochs=8"), seed=1)

    scores = result["scores"]["test"]
    assert scores["expression"]["pooled"]["accuracy"] > 0.75
    assert scores["arousal"]["pooled"]["ccc"] > 0.5
    assert scores["expression"]["pooled"]["frames"] == FRAMES
    assert result["configuration"]["classes"] == NAMES
    assert evaluate_run(folder)["scores"] == scores
    assert "expression pooled            accuracy" in scores_text(evaluate_run(folder))
    lines = read_jsonl(folder / "log.jsonl")
    assert set(lines[-1]["val_expression"]) == {"accuracy", "f1_macro"}


@pytest.fixture(scope="module")
def alone(labelled, tmp_path_factory):
    """A run on classes alone: its folder and its result."""
    import shutil

    root = shutil.copytree(labelled.root, tmp_path_factory.mktemp("classes") / "study")
    study = with_classes(Study.open(root))
    return train_model("sta", root, options("classes", "epochs=1", model="sta"))[0], study


def test_classes_alone_leave_the_dimensions_empty(alone):
    folder, _ = alone

    columns = columns_from_text(read_csv(folder / "predictions.csv"), "predictions")
    require_valid(columns, "predictions", folder)
    assert set(columns["arousal"]) == {None}
    assert set(columns["expression"]) <= {0, 1}
    chances = np.array([columns[f"probability_{k}"] for k in range(2)], float)
    np.testing.assert_allclose(chances.sum(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(chances.argmax(axis=0), columns["expression"])


def test_the_weights_of_classes_come_back(alone):
    model, config = load_model(alone[0])

    assert config.task == "classes"
    assert model.head.classes.out_features == 2


def test_a_study_without_class_names_is_told_where_to_write_them(labelled):
    with pytest.raises(NotFound, match=r"study.json names no expression_classes"):
        train_model("sta", labelled.root, options("classes", model="sta"))


def test_a_label_without_classes_is_named(labelled_copy):
    study = with_classes(labelled_copy, column=lambda arousal: [""] * len(arousal))

    with pytest.raises(NotFound, match=r"no frame of the part 'train' has an expression"):
        train_model("sta", study.root, options("both", model="sta"))


def test_a_class_without_a_name_is_found_before_training(labelled_copy):
    study = with_classes(labelled_copy, names=["low"])

    with pytest.raises(InvalidFile, match=r"expression 1, and study.json names 1"):
        train_model("sta", study.root, options("both", model="sta"))
