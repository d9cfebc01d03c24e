import json

import numpy as np
import pytest

from mavfer.errors import NotFound
from mavfer.labelling import agree_study
from mavfer.labelling.agree import session_agreement


def test_raters_of_one_truth_agree_once_their_lags_are_out(rate):
    report = agree_study(rate(measured=("R1",)))
    arousal = report.dimensions[0]

    assert [each.dimension for each in report.dimensions] == ["arousal", "valence"]
    assert sorted(arousal.by_session) == ["S01-001", "S02-001", "S03-001", "S04-001"]
    assert arousal.overall["icc_a_1"].value > 0.95
    assert arousal.overall["ccc"].low <= arousal.overall["ccc"].value
    assert arousal.pairwise_ccc.shape == (4, 4)
    assert arousal.raters_needed == 1
    assert [rater.doubt for rater in arousal.raters] == [""] * 4


def test_a_mirrored_rater_is_flagged_and_the_mean_is_told_without(rate):
    report = agree_study(rate(changes={"R2": np.negative}))
    arousal = report.dimensions[0]

    assert [bool(rater.doubt) for rater in arousal.raters] == [False, True, False, False]
    assert arousal.overall["ccc"].value < 0.2
    assert arousal.without_flagged["ccc"].value > 0.9
    assert arousal.raters[0].ccc > 0.95
    assert "mean of unflagged" in str(report)


def test_the_report_is_json_without_nan(rate):
    document = agree_study(rate(raters=("R1",))).to_document()

    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["dimensions"]["arousal"]["overall"]["icc_a_1"]["value"] is None
    assert document["dimensions"]["arousal"]["by_rater"]["R1"]["sessions"] == 4


def test_a_rater_who_missed_a_session_does_not_spoil_it():
    line = np.sin(np.arange(50) / 5)
    missing = np.full(50, np.nan)

    assert session_agreement(np.stack([line, line, missing]))["icc_a_1"] == 1
    assert np.isnan(session_agreement(np.stack([line, missing]))["ccc"])


def test_a_study_without_ratings_or_shards_says_what_to_do(study):
    with pytest.raises(NotFound, match="no ratings yet"):
        agree_study(study)
    for path in study.shards_folder.iterdir():
        path.unlink()
    with pytest.raises(NotFound, match=r"no shards of video. Run mavfer preprocess"):
        agree_study(study)
