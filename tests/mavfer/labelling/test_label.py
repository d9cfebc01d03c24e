import json

import numpy as np
import pytest

import mavfer
from mavfer import metrics
from mavfer.errors import AlreadyThere, CommandError, InvalidFile, NotFound
from mavfer.files import read_csv, read_json
from mavfer.labelling import label_study
from mavfer.schema import columns_from_text, require_valid
from mavfer.study.labels import read_label_traces

FRAMES = 300
SESSIONS = ("S01-001", "S02-001", "S03-001", "S04-001")


def test_the_label_is_the_truth_that_was_rated(rate, truth):
    study = rate(measured=("R1", "R2", "R3", "R4"))
    outcome = label_study(study)

    assert outcome.written == ("S01-001", "S02-001", "S03-001", "S04-001")
    for recording in mavfer.load(study.root):
        for dimension in ("arousal", "valence"):
            expected = truth(recording.time_seconds, recording.session, dimension)
            label = recording.label(dimension)
            known = np.isfinite(label)
            assert known.mean() > 0.9
            np.testing.assert_allclose(label[known], expected[known], atol=0.05)


def test_each_frame_gets_the_label_of_its_own_time(rate, truth, shard_factory):
    study = rate(measured=("R1", "R2", "R3", "R4"))
    irregular = np.sort(np.random.default_rng(3).uniform(0, FRAMES / 30, FRAMES))
    irregular[0] = 0.0
    table = shard_factory.columns(FRAMES)
    table["time_seconds"] = irregular
    for session in SESSIONS:
        study.shard_path(session).unlink()
        pixels = shard_factory.faces(FRAMES, 8, 8)
        shard_factory.write_shard(study.shard_path(session), pixels, table=table)

    label_study(study)

    for session in SESSIONS:
        label, _ = read_label_traces(study, "gold", session)
        expected = truth(irregular, session, "arousal")
        known = np.isfinite(label["arousal"].value)
        assert known.mean() > 0.9
        assert metrics.rmse(label["arousal"].value, expected) < 0.03
        as_if_regular = truth(np.arange(FRAMES) / 30, session, "arousal")
        assert metrics.rmse(label["arousal"].value, as_if_regular) > 0.05


def test_raters_without_a_measured_lag_follow_those_with_one(rate):
    outcome = label_study(rate(measured=("R1", "R2")))
    about = outcome.dimensions["arousal"]

    np.testing.assert_allclose(about["lags_seconds"], [0.4, 1.2, 0.8, 0.6], atol=0.05)
    assert about["lag_sources"] == ["calibration clip"] * 2 + ["traces, measured raters"] * 2


def test_without_any_measured_lag_the_reaction_must_be_given(rate):
    study = rate()
    with pytest.raises(CommandError, match="Say it: --reaction SECONDS"):
        label_study(study)
    with pytest.raises(CommandError, match="give 0 to 6 seconds"):
        label_study(study, reaction=60)
    outcome = label_study(study, reaction=0.4)

    found = outcome.dimensions["valence"]["lags_seconds"]
    np.testing.assert_allclose(found, [0.4, 1.2, 0.8, 0.6], atol=0.05)
    beside = read_json(study.labels_folder / "gold" / "S01-001.json")
    assert beside["settings"]["reaction"] == 0.4


def test_a_given_reaction_that_is_not_needed_is_said_to_be_unused(rate):
    outcome = label_study(rate(measured=("R1",)), reaction=1.0)

    assert any("--reaction is not used" in notice for notice in outcome.notices)


def test_a_bad_rater_gets_no_weight_and_is_named(rate, truth):
    study = rate(measured=("R1", "R2", "R3", "R4"), changes={"R4": np.negative})
    outcome = label_study(study)
    about = outcome.dimensions["arousal"]

    assert about["weights"][3] == 0
    assert list(about["flagged"]) == ["R4"]
    assert about["ccc_without_flagged"] > 0.99
    assert "arousal: rater R4 is doubtful (CCC -" in outcome.notices[0]
    recording = mavfer.load(study.root)["S01-001"]
    known = np.isfinite(recording.arousal)
    expected = truth(recording.time_seconds, "S01-001", "arousal")
    assert metrics.ccc(recording.arousal[known], expected[known]) > 0.95


def test_files_are_valid_and_tell_where_the_label_came_from(rate):
    study = rate(measured=("R1",))
    label_study(study, method="mean", name="plain")
    path = study.labels_folder / "plain" / "S02-001.csv"
    document = read_json(path.with_suffix(".json"))

    columns = columns_from_text(read_csv(path), "label-frames")
    require_valid(columns, "label-frames", path)
    require_valid(document, "label", path)
    assert columns["arousal_raters"][0] == 4
    assert columns["arousal_low"][0] < columns["arousal"][0] < columns["arousal_high"][0]
    assert columns["arousal"][-1] is None
    assert len(document["inputs"]) == 4 * 2 * 2
    assert "ratings/S02-001/arousal.R1.001.csv" in document["inputs"]
    assert document["dimensions"]["arousal"]["takes"] == [1, 1, 1, 1]
    assert document["dimensions"]["arousal"]["agreement"]["ccc"] > 0.8


def test_the_same_label_is_kept_and_another_refused_unless_asked(rate):
    study = rate(measured=("R1",))
    label_study(study)
    path = study.labels_folder / "gold" / "S01-001.csv"
    before = {p: p.read_bytes() for p in path.parent.iterdir()}

    assert label_study(study).kept == ("S01-001", "S02-001", "S03-001", "S04-001")
    assert label_study(study, replace=True).written == ()
    with pytest.raises(AlreadyThere, match="pass --replace"):
        label_study(study, method="median")
    assert {p: p.read_bytes() for p in path.parent.iterdir()} == before
    label_study(study, method="median", replace=True)
    assert path.read_bytes() != before[path]


def test_an_interrupted_label_is_finished(rate):
    study = rate(measured=("R1",))
    label_study(study)
    path = study.labels_folder / "gold" / "S03-001.csv"
    before = path.read_bytes()
    path.unlink()

    assert label_study(study).written == ("S03-001",)
    assert path.read_bytes() == before


def test_a_session_that_lost_its_ratings_loses_its_label_only_when_asked(rate):
    study = rate(measured=("R1",))
    label_study(study)
    for path in (study.ratings_folder / "S04-001").iterdir():
        path.unlink()

    with pytest.raises(AlreadyThere, match="pass --replace"):
        label_study(study)
    label_study(study, replace=True)
    assert not (study.labels_folder / "gold" / "S04-001.csv").exists()


def test_sessions_that_nobody_rated_have_no_label(rate):
    study = rate(measured=("R1",), sessions=("S01-001", "S02-001"))
    label_study(study)

    recordings = mavfer.load(study.root)
    assert recordings["S01-001"].label_valid.any()
    assert not recordings["S03-001"].label_valid.any()


def test_a_single_rater_is_taken_at_their_word(rate, truth):
    study = rate(raters=("R2",), sessions=("S01-001",))
    outcome = label_study(study, reaction=1.2)

    recording = mavfer.load(study.root)["S01-001"]
    known = np.isfinite(recording.arousal)
    expected = truth(recording.time_seconds, "S01-001", "arousal")
    np.testing.assert_allclose(recording.arousal[known], expected[known], atol=0.1)
    assert outcome.dimensions["arousal"]["weights"] == [1]


def test_bad_input_is_told_in_one_line(study, rate, shard_factory):
    with pytest.raises(NotFound, match=r"no ratings yet. Collect them: mavfer annotate collect"):
        label_study(study)
    with pytest.raises(CommandError, match="Choose one of mean"):
        label_study(study, method="average")
    with pytest.raises(CommandError, match="not a label name"):
        label_study(study, name="../gold")
    shard_factory.write_rating(study, "S01-001", "arousal", "R1", [(0.0, 0.5, 0)])
    with pytest.raises(InvalidFile, match="1 samples with a value, a trace needs at least 2"):
        label_study(study)


def test_the_outcome_is_json(rate):
    document = label_study(rate(measured=("R1",))).to_document()

    assert json.loads(json.dumps(document, allow_nan=False)) == document
