import re

import numpy as np
import pytest
from study_parts import FRAMES, SCORED, predictions, write_run

from mavfer import metrics
from mavfer.errors import InvalidFile, NotFound
from mavfer.report.scores import comparisons, result_section


def rows(html):
    """Each row of the tables, as a list of cells without markup."""
    lines = re.findall(r"<tr>(.*?)</tr>", html)
    return [
        [re.sub("<.*?>", "", cell) for cell in re.findall(r"<t[dh].*?</t[dh]>", line)]
        for line in lines
    ]


def test_a_row_holds_the_metrics_of_its_lighting(lit_study, dataset):
    columns = predictions(noise=0.4)
    columns["valence_label"][:20] = [None] * 20
    write_run(lit_study, columns=columns)

    table = rows(result_section(dataset, comparisons(lit_study)))

    bright = {name: np.array(columns[name][:FRAMES], float) for name in list(columns)[3:]}
    expected = [
        measure(bright[name], bright[f"{name}_label"])
        for name in ("arousal", "valence")
        for measure in (metrics.ccc, metrics.pearson, metrics.rmse)
    ]
    assert table[0] == ["", "arousal", "valence"]
    assert table[1] == ["", *("CCC", "PCC", "RMSE") * 2]
    assert table[2] == ["sta, bright", *(f"{value:.2f}" for value in expected)]
    assert [line[0] for line in table[2:]] == ["sta, bright", "sta, dark", "sta, all"]


def test_runs_on_other_labels_stand_in_a_table_of_their_own(lit_study, dataset):
    write_run(lit_study, "sta", stamp="20260101-000000")
    write_run(lit_study, "mran", stamp="20260101-000001")
    write_run(lit_study, "sta", stamp="20260102-000000", label="mean", columns=predictions(seed=3))

    newest, older = comparisons(lit_study)
    page = result_section(dataset, [newest, older])

    assert list(newest.runs) == ["sta"]
    assert list(older.runs) == ["mran", "sta"]
    first, folded = page.split("<details>")
    assert "label &#x27;mean&#x27;" in first
    assert "label &#x27;gold&#x27;" in folded


@pytest.mark.parametrize(
    "changes",
    [
        {"split": {"name": "other", "fold": 0, "sha256": "0" * 64}},
        {"split": {"name": "default", "fold": 1, "sha256": "0" * 64}},
    ],
)
def test_other_splits_and_folds_are_not_compared(lit_study, changes):
    write_run(lit_study, "sta")
    write_run(lit_study, "mran", **changes)

    assert len(comparisons(lit_study)) == 2


def test_a_label_that_was_made_again_is_another_one(lit_study):
    changed = predictions()
    changed["arousal_label"][5] += 0.01
    write_run(lit_study, "sta")
    write_run(lit_study, "mran", columns=changed)

    assert len(comparisons(lit_study)) == 2


def test_the_newest_run_of_a_model_counts(lit_study):
    for day in (2, 3, 1):
        write_run(lit_study, stamp=f"2026010{day}-000000")

    (only,) = comparisons(lit_study)

    assert only.first.run.folder.name == "sta-20260103-000000-1"


def test_one_model_on_other_streams_is_told_apart(lit_study):
    write_run(lit_study, "mran", stamp="20260101-000000", modalities=["color"])
    write_run(lit_study, "mran", stamp="20260101-000001", modalities=["color", "depth"])

    (both,) = comparisons(lit_study)

    assert list(both.runs) == ["mran (color)", "mran (color, depth)"]


def test_a_net_of_the_published_widths_is_not_called_narrow(lit_study, dataset):
    write_run(lit_study, "sta")
    write_run(lit_study, "mran", configuration={"encoder_widths": [32, 64, 128]})

    page = result_section(dataset, comparisons(lit_study))

    assert "sta: color; narrow (16-32-48, 1,234 parameters)." in page
    assert "mran: color; 1,234 parameters." in page


def test_a_part_that_training_watched_is_said_to_be_watched(lit_study, dataset):
    write_run(lit_study, part="val")

    page = result_section(dataset, comparisons(lit_study))

    assert "part &#x27;val&#x27; (validated on it while training)" in page


def test_one_lighting_has_no_rows_by_lighting(lit_study, dataset):
    write_run(lit_study, columns=predictions(sessions=SCORED[:1]))

    table = rows(result_section(dataset, comparisons(lit_study)))

    assert [line[0] for line in table[2:]] == ["sta, all"]


def test_a_lone_run_is_not_called_the_best(lit_study, dataset):
    write_run(lit_study)

    page = result_section(dataset, comparisons(lit_study))

    assert "<b>" not in page
    assert "Bold" not in page


def test_predictions_that_are_gone_or_torn_are_named(lit_study):
    path = write_run(lit_study) / "predictions.csv"
    whole = path.read_text()

    path.write_text(whole.replace("S02-001,3,", "S02-001,three,"))
    with pytest.raises(InvalidFile, match=r"predictions\.csv.*frame"):
        comparisons(lit_study)
    path.unlink()
    with pytest.raises(NotFound, match=r"predictions\.csv"):
        comparisons(lit_study)
