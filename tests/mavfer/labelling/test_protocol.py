import json

import numpy as np
import pytest

import mavfer
from mavfer.errors import CommandError
from mavfer.files import read_csv, read_json
from mavfer.fusion import fuse_recola
from mavfer.fusion.recola import binned_trace, clean_samples, filled_trace, grid_seconds
from mavfer.labelling import label_study
from mavfer.labelling.protocol import PROTOCOLS
from mavfer.schema import columns_from_text, require_valid
from mavfer.study.labels import read_label_traces
from mavfer.study.ratings import PAUSED

SECONDS = 8.0
FRAMES = int(SECONDS * 30) + 1
BINS = np.arange(0, SECONDS + 0.01, 0.04)


@pytest.fixture
def make_study(shard_factory, tmp_path):
    """A study whose raters gave `traces` (K, T) of arousal, a sample a bin; `late` moves times."""

    def make(traces, *, sessions=("S01-001",), late=0.0, flags=0):
        study = shard_factory.make_study(
            tmp_path / "rated", {name: {} for name in sessions}, frames=FRAMES, height=8, width=8
        )
        for session in sessions:
            for number, trace in enumerate(traces):
                samples = [(t + late, v, flags) for t, v in zip(BINS, trace, strict=True)]
                shard_factory.write_rating(study, session, "arousal", f"R{number + 1}", samples)
        return study

    return make


def slow(seed=0):
    random = np.random.default_rng(seed)
    speeds, phases = random.uniform(0.8, 3, 4), random.uniform(0, 6, 4)
    return np.sin(np.outer(BINS, speeds) + phases).mean(axis=1)


def label_of(study, session="S01-001", name="gold"):
    traces, document = read_label_traces(study, name, session)
    return traces["arousal"], document


def at_frames(values):
    return np.interp(np.arange(FRAMES) / 30, BINS, values)


def test_recola_of_one_opinion_is_the_opinion_less_its_mean(make_study):
    study = make_study([slow(), slow() + 0.4, slow() - 0.7])
    outcome = label_study(study, protocol="recola")
    label, document = label_of(study)

    np.testing.assert_allclose(label.value, at_frames(slow() - slow().mean()), atol=1e-6)
    assert np.isnan(label.low).all()
    assert np.isnan(label.high).all()
    assert label.raters.tolist() == [3] * FRAMES
    assert document["method"] == outcome.method == "recola"
    about = document["dimensions"]["arousal"]
    assert about["lag_sources"] == ["recola"] * 3
    assert about["lags_seconds"] == [0, 0, 0]
    assert about["weights"] == pytest.approx([1 / 3] * 3)
    assert about["agreement"]["pearson"] == pytest.approx(1)


def test_avec2018_of_one_opinion_is_the_opinion(make_study):
    study = make_study([slow()] * 3)
    label_study(study, protocol="avec2018")
    label, document = label_of(study)

    np.testing.assert_allclose(label.value, at_frames(slow()), atol=1e-6)
    assert document["dimensions"]["arousal"]["lag_sources"] == ["avec2018"] * 3


def test_avec2018_takes_the_level_of_those_who_agree(make_study):
    random = np.random.default_rng(0)
    levels = np.array([[0.0], [0.0], [0.0], [3.0]])
    traces = slow() + levels + random.normal(0, 0.05, (4, len(BINS)))
    study = make_study(traces)
    label_study(study, protocol="avec2018")
    label, document = label_of(study)

    weights = document["dimensions"]["arousal"]["weights"]
    assert weights[3] < 0.1 * weights[0]
    assert abs(label.value.mean() - slow().mean()) < 0.15
    plain = at_frames(traces.mean(axis=0))
    assert np.ptp(label.value - plain) < 1e-6


def test_recola_brings_late_raters_together(rate, truth):
    study = rate()
    label_study(study, protocol="recola")
    recording = mavfer.load(study.root)["S02-001"]
    about = read_json(study.labels_folder / "gold" / "S02-001.json")["dimensions"]["arousal"]

    # Late by 0.4, 1.2, 0.8 and 0.6 s; as the protocol has it, four thirds of the way to the mean.
    expected = (np.array([0.4, 1.2, 0.8, 0.6]) - 0.75) * 4 / 3
    np.testing.assert_allclose(about["lags_seconds"], expected, atol=0.09)
    felt = truth(recording.time_seconds - 0.75, "S02-001", "arousal")
    middle = slice(30, -60)
    assert np.corrcoef(recording.arousal[middle], felt[middle])[0, 1] > 0.98


def test_a_given_reaction_moves_the_label_earlier(make_study):
    study = make_study([slow()] * 2)
    label_study(study, protocol="recola", reaction=1.0, name="moved")
    label, document = label_of(study, name="moved")
    about = document["dimensions"]["arousal"]

    expected = at_frames(slow() - slow().mean())
    np.testing.assert_allclose(label.value[:-30], expected[30:], atol=1e-6)
    assert np.isnan(label.value[-29:]).all()
    assert label.raters[-29:].tolist() == [0] * 29
    assert about["lags_seconds"] == [1, 1]
    assert about["lag_sources"] == ["recola and --reaction"] * 2
    assert document["settings"]["reaction"] == 1.0
    assert document["settings"]["protocol"] == "recola"


def test_lags_of_the_calibration_clip_are_not_used_and_that_is_said(rate):
    outcome = label_study(rate(measured=("R1", "R2")), protocol="avec2018")

    assert outcome.dimensions["arousal"]["lags_seconds"] == [0, 0, 0, 0]
    assert "arousal: avec2018 does not use the lags of the calibration clip" in outcome.notices


def test_the_label_is_the_arithmetic_of_fusion_on_what_was_given(rate, truth):
    study = rate(raters=("R1", "R3"), sessions=("S01-001",))
    label_study(study, protocol="recola")
    recording = mavfer.load(study.root)["S01-001"]
    duration = recording.time_seconds[-1]

    traces = []
    for rater in ("R1", "R3"):
        columns = read_csv(study.ratings_folder / "S01-001" / f"valence.{rater}.001.csv")
        numbers = [np.array(columns[key], float) for key in ("media_time", "value")]
        traces.append(filled_trace(binned_trace(*clean_samples(*numbers), duration)))
    expected = np.interp(recording.time_seconds, grid_seconds(duration), fuse_recola(traces).trace)
    np.testing.assert_allclose(recording.valence, expected, atol=1e-6)


def test_a_rater_who_missed_a_session_is_not_in_it(make_study):
    study = make_study([slow(), slow(), -slow()], sessions=("S01-001", "S02-001"))
    for path in (study.ratings_folder / "S02-001").glob("arousal.R3.*"):
        path.unlink()
    outcome = label_study(study, protocol="recola")
    label, document = label_of(study, "S02-001")

    about = document["dimensions"]["arousal"]
    assert about["weights"] == [0.5, 0.5, 0]
    assert about["lags_seconds"][2] is None
    assert about["takes"] == [1, 1, None]
    np.testing.assert_allclose(label.value, at_frames(slow() - slow().mean()), atol=1e-6)
    assert label.raters.tolist() == [2] * FRAMES
    assert outcome.dimensions["arousal"]["weights"] == pytest.approx([5 / 12, 5 / 12, 1 / 3])


def test_a_doubtful_rater_is_named_and_kept(make_study):
    trace = slow() - slow().mean()
    outcome = label_study(make_study([trace] * 5 + [-trace]), protocol="avec2018")
    about = outcome.dimensions["arousal"]

    # Each of five agrees with four and not with one; the sixth with nobody.
    assert about["weights"] == pytest.approx([0.3] * 5 + [-0.5], abs=1e-3)
    assert list(about["flagged"]) == ["R6"]
    # One mirrored of six leaves two thirds of the amplitude.
    assert about["ccc_without_flagged"] == pytest.approx(2 * (2 / 3) / (1 + 4 / 9), abs=1e-3)
    assert any("R6 is doubtful (CCC -" in notice for notice in outcome.notices)
    negative = "S01-001, arousal: rater R6 has a negative weight: the level moves away"
    assert negative in outcome.notices


def test_what_recola_would_not_accept_is_a_notice_and_kept(make_study):
    study = make_study([slow(), slow()], late=6.0)
    outcome = label_study(study, protocol="recola")
    label, document = label_of(study)

    assert "S01-001, arousal: RECOLA would not accept rater R1 (starts at 6.0 s)" in outcome.notices
    rejected = document["dimensions"]["arousal"]["rejected_by_recola"]
    assert rejected == {"R1": "starts at 6.0 s", "R2": "starts at 6.0 s"}
    assert np.isfinite(label.value).all()
    # What leads is 0 before the mean is taken away, as in the protocol.
    assert np.ptp(label.value[: int(5.9 * 30)]) == 0


def test_samples_given_while_paused_make_no_label(make_study):
    study = make_study([slow(), slow()], flags=PAUSED)
    outcome = label_study(study, protocol="avec2018")
    label, document = label_of(study)

    assert np.isnan(label.value).all()
    assert not label.raters.any()
    assert "RECOLA would not accept rater R1 (no samples)" in outcome.notices[0]
    assert document["dimensions"]["arousal"]["agreement"]["ccc"] is None


def test_a_session_too_short_to_be_synchronised_says_so(shard_factory, tmp_path):
    study = shard_factory.make_study(tmp_path / "short", {"S01-001": {}}, frames=60)
    for rater in ("R1", "R2"):
        samples = [(t, v, 0) for t, v in zip(BINS[:50], slow()[:50], strict=True)]
        shard_factory.write_rating(study, "S01-001", "valence", rater, samples)

    notices = label_study(study, protocol="recola").notices
    assert notices == ("S01-001, valence: shorter than 4 s, so that nobody is synchronised",)
    assert label_study(study, protocol="avec2018", name="other").notices == ()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_files_are_valid_and_made_once(make_study, protocol):
    study = make_study([slow(), slow(1), slow(2)])
    outcome = label_study(study, protocol=protocol)
    path = study.labels_folder / "gold" / "S01-001.csv"

    require_valid(columns_from_text(read_csv(path), "label-frames"), "label-frames", path)
    require_valid(read_json(path.with_suffix(".json")), "label", path)
    assert label_study(study, protocol=protocol).kept == ("S01-001",)
    document = outcome.to_document()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert f"arousal, {protocol}:" in str(outcome)


def test_bad_input_is_told_in_one_line(study):
    with pytest.raises(CommandError, match="Leave --method ewe out"):
        label_study(study, method="ewe", protocol="recola")
    with pytest.raises(CommandError, match="Choose one of recola, avec2018"):
        label_study(study, protocol="semaine")


def test_a_reaction_must_be_seconds_that_can_be(make_study):
    study = make_study([slow(), slow()])

    with pytest.raises(CommandError, match="give 0 to 6 seconds"):
        label_study(study, protocol="recola", reaction=9.0)
    with pytest.raises(CommandError, match="give SECONDS, or nothing for 0"):
        label_study(study, protocol="recola", reaction="pictures")
