import re

import numpy as np
import pytest
from study_parts import SESSIONS, curve, rate, rate_all

from mavfer.dataset import load
from mavfer.errors import NotFound
from mavfer.labelling import agree_study, label_study
from mavfer.report.ratings import rating_sections

GAINS = {"R1": 1.0, "R2": 0.8, "R3": 0.9}


def headings(sections):
    return [re.search("<h2>(.*?)</h2>", each).group(1) for each in sections]


def test_where_nobody_rated_there_is_no_section(dataset):
    assert list(rating_sections(dataset)) == []


def test_ratings_without_a_label_are_shown_as_such(lit_study, dataset):
    rate_all(lit_study, GAINS)

    traces, agreement = rating_sections(dataset)

    assert headings([traces, agreement]) == ["Ratings", "Agreement of the raters"]
    assert "There is no label yet" in traces
    assert ">raters<" in traces
    assert ">label<" not in traces
    assert "S01-001, bright" in traces
    assert "S01-002, dark" in traces
    assert re.search(r"R1, arousal</td>.*<td>–</td><td class=\"text\">–</td>", agreement)


def test_a_flagged_rater_who_comes_first_leaves_the_others_in_the_legend(lit_study, dataset):
    rate_all(lit_study, {"BAD": -1.0, **GAINS})
    label_study(lit_study, name="gold")

    traces = next(rating_sections(dataset))

    assert ">flagged: BAD<" in traces
    assert ">raters<" in traces
    assert "Dashed, because doubted: BAD in arousal (CCC -" in traces


def test_a_rater_can_be_flagged_before_there_is_a_label(lit_study, dataset):
    rate_all(lit_study, {"BAD": -1.0, **GAINS})

    traces = next(rating_sections(dataset))

    assert "There is no label yet" in traces
    assert ">flagged: BAD<" in traces
    assert "Dashed, because doubted: BAD in arousal (CCC -" in traces


def test_a_session_rated_on_one_dimension_leaves_the_other_empty(lit_study, dataset):
    rate_all(lit_study, GAINS)
    for path in (lit_study.ratings_folder / "S01-002").glob("valence.*"):
        path.unlink()
    label_study(lit_study, name="gold")

    sections = list(rating_sections(dataset))

    assert headings(sections) == ["Ratings and label", "Agreement of the raters"]


def test_a_label_from_elsewhere_stands_beside_the_ratings(lit_study, dataset, shard_factory):
    rate_all(lit_study, GAINS)
    for session in SESSIONS:
        shard_factory.write_label(lit_study, session, 90)

    traces, agreement = rating_sections(dataset)

    assert "(test)" in traces
    assert ">raters<" in traces
    assert ">label<" in traces
    assert "R1, valence" in agreement


def test_only_raters_from_truth_get_the_notice(lit_study, dataset):
    rate_all(lit_study, GAINS)
    assert "truth.h5" not in next(rating_sections(dataset))

    for session in SESSIONS:
        for dimension in ("arousal", "valence"):
            rate(lit_study, session, dimension, "SIM", curve(session, dimension), kind="simulated")
    assert "Simulated raters (SIM): they see no picture" in next(rating_sections(dataset))


def test_a_lighting_is_shown_even_where_its_first_session_was_not_rated(lit_study, dataset):
    for session in ("S02-001", "S02-002"):
        for rater, gain in GAINS.items():
            rate(lit_study, session, "arousal", rater, gain * curve(session, "arousal"))

    traces = next(rating_sections(dataset))

    assert "S02-001, bright" in traces
    assert "S02-002, dark" in traces
    assert ">valence<" not in traces


def test_the_table_of_raters_holds_lag_weight_and_agreement(lit_study, dataset):
    rate_all(lit_study, {"BAD": -1.0, **GAINS})
    outcome = label_study(lit_study, name="gold")
    about = outcome.dimensions["valence"]
    (report,) = [e for e in agree_study(lit_study).dimensions if e.dimension == "valence"]

    agreement = list(rating_sections(dataset))[1]

    for each, weight in zip(report.raters, about["weights"], strict=True):
        (line,) = re.findall(rf"<td class=\"text\">{each.rater}, valence</td>(.*?)</tr>", agreement)
        cells = re.findall(r"<td[^>]*>(.*?)</td>", line)
        numbers = [cells[0], *cells[2:5]]
        expected = (each.lag_seconds, each.ccc, each.bias, weight)
        assert numbers == [f"{number:.2f}" for number in expected]
        assert cells[1] == "calibration clip"
        assert cells[5] == (each.doubt or "–")
    column = ["valence, all raters", "valence, unflagged"]
    assert all(f">{word}</th>" in agreement for word in column)
    alpha = report.without_flagged["krippendorff"]
    assert f"{alpha.value:.2f} [{alpha.low:.2f}, {alpha.high:.2f}]" in agreement


def test_stills_that_were_rated_need_no_section(shard_factory, tmp_path):
    study = shard_factory.make_study(tmp_path / "S", {"S01-001": {"kind": "stills"}})
    rate(study, "S01-001", "arousal", "R1", np.linspace(-1, 1, 40))

    assert list(rating_sections(load(study.root, labels=None))) == []


def test_a_session_whose_label_is_gone_keeps_its_raters(lit_study, dataset):
    rate_all(lit_study, GAINS)
    label_study(lit_study, name="gold")
    (lit_study.labels_folder / "gold" / "S01-001.csv").unlink()

    assert headings(rating_sections(dataset))[0] == "Ratings and label"


def test_a_label_without_its_document_is_named(lit_study, dataset):
    rate_all(lit_study, GAINS)
    label_study(lit_study, name="gold")
    (lit_study.labels_folder / "gold" / "S01-001.json").unlink()

    with pytest.raises(NotFound, match=r"gold/S01-001\.json"):
        list(rating_sections(dataset))
