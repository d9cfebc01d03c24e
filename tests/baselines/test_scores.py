"""Every score carries the name of its grouping, and comes from the columns alone."""

import numpy as np
import pytest

from baselines.scores import dimensions_of, scores_of
from mavfer import metrics
from mavfer.errors import CommandError


def columns(sessions=("S01-001", "S02-001"), frames=20):
    random = np.random.default_rng(0)
    made = {"session": np.repeat(sessions, frames).tolist()}
    for name in ("arousal", "valence"):
        label = random.normal(0, 1, len(made["session"]))
        made[name] = (label + random.normal(0.2, 0.5, len(label))).tolist()
        made[f"{name}_label"] = label.tolist()
    return made


def with_classes():
    table = columns()
    table["expression"] = [0] * 10 + [1] * 10 + [2] * 20
    table["expression_label"] = [0] * 20 + [2] * 10 + [None] * 10
    return table | {f"probability_{number}": [0.5] * 40 for number in range(4)}


def test_pooled_and_per_session_scores_are_those_of_the_metrics():
    table = columns()
    predicted, label = (np.array(table[key]) for key in ("arousal", "arousal_label"))

    scores = scores_of(table)["arousal"]

    names = ("ccc", "pearson", "rmse", "mae", "sagr")
    expected = {name: round(getattr(metrics, name)(predicted, label), 6) for name in names}
    assert scores["pooled"] == expected | {"frames": 40}
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

    nothing = dict.fromkeys(("ccc", "pearson", "rmse", "mae", "sagr"))
    assert scores["sessions"]["S02-001"] == nothing | {"frames": 0}
    assert scores["mean_of_sessions"]["ccc"] == scores["sessions"]["S01-001"]["ccc"]


def test_a_group_pools_its_sessions():
    table = columns(("S01-001", "S02-001", "S03-001"))

    scores = scores_of(table, ["dark"] * 20 + ["bright"] * 20 + ["dark"] * 20)["arousal"]

    rows = np.r_[0:20, 40:60]
    a, b = (np.array(table[key])[rows] for key in ("arousal", "arousal_label"))
    assert scores["groups"]["dark"]["ccc"] == round(metrics.ccc(a, b), 6)
    assert scores["groups"]["bright"] == scores["sessions"]["S02-001"]


def test_other_measures_are_added_and_no_step_leads_from_session_to_session():
    table = columns()
    a, b = (np.array(table[key]) for key in ("arousal", "arousal_label"))

    scores = scores_of(table, more=("spearman", "sda"))["arousal"]

    agreed = [metrics.sda(a[span], b[span]) for span in (slice(20), slice(20, 40))]
    assert scores["pooled"]["spearman"] == round(metrics.spearman(a, b), 6)
    assert scores["pooled"]["sda"] == round(np.mean(agreed), 6)
    assert scores["mean_of_sessions"]["sda"] == pytest.approx(np.mean(agreed), abs=2e-6)


def test_a_measure_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(CommandError, match=r"no measure 'kappa'. There are: ccc, pearson"):
        scores_of(columns(), more=("kappa",))


def test_classes_are_scored_from_one_table_of_counts():
    table = with_classes()

    scores = scores_of(table, ["one"] * 20 + ["two"] * 20)["expression"]

    assert scores["confusion"] == [[10, 10, 0, 0], [0] * 4, [0, 0, 10, 0], [0] * 4]
    assert scores["pooled"] == {"accuracy": 0.666667, "f1_macro": 0.555556, "frames": 30}
    assert scores["f1_by_class"] == [0.666667, 0.0, 1.0, None]
    assert scores["sessions"]["S02-001"]["accuracy"] == 1
    assert scores["groups"]["two"]["frames"] == 10
    assert scores["mean_of_sessions"] == {"accuracy": 0.75, "f1_macro": 0.666667}
    assert dimensions_of(table) == ["arousal", "valence"]
