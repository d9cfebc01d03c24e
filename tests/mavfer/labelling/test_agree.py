import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from mavfer import agreement
from mavfer.errors import NotFound
from mavfer.files import read_json
from mavfer.labelling import agree_study, label_study
from mavfer.labelling.agree import STATISTICS, doubts, session_agreement
from mavfer.labelling.panel import read_panels
from mavfer.labelling.printed import hardest_first, needed, printed
from mavfer.labelling.raters import limits_of_agreement
from mavfer.labelling.tables import write_tables


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


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
    assert arousal.unflagged is arousal.everyone


def test_a_mirrored_rater_is_flagged_and_all_is_told_without(rate):
    report = agree_study(rate(changes={"R2": np.negative}))
    arousal = report.dimensions[0]

    assert [bool(rater.doubt) for rater in arousal.raters] == [False, True, False, False]
    assert arousal.overall["ccc"].value < 0.2
    assert arousal.without_flagged["ccc"].value > 0.9
    assert arousal.unflagged.raters == ("R1", "R3", "R4")
    assert [session.raters for session in arousal.unflagged.sessions] == [3] * 4
    assert arousal.raters[0].ccc > 0.95
    assert "all raters" in printed(report)
    assert "without R2" in printed(report)
    assert "flagged: R2, CCC -" in printed(report)


def test_statistics_of_a_session_are_those_of_agreement(rate):
    study = rate(changes={"R4": lambda value: value + 0.3})
    (panel, _), arousal = read_panels(study), agree_study(study).dimensions[0]
    traces = panel.sessions[1].traces(panel.lags()[0])
    found = arousal.everyone.sessions[1]
    forms = agreement.icc(traces)
    upper = np.triu_indices(4, 1)

    assert list(found.estimates) == list(STATISTICS)
    assert found.estimates["icc_c_k"].value == forms["ICC(C,k)"].value
    assert found.by_formula["icc_a_1"] == forms["ICC(A,1)"]
    assert found.estimates["cronbach"].value == pytest.approx(
        agreement.cronbach_alpha(traces).value
    )
    assert found.estimates["krippendorff"].value == agreement.krippendorff_alpha(traces)
    for measure in ("ccc", "pearson", "spearman", "rmse", "sda"):
        mean = agreement.pairwise(traces, measure)[upper].mean()
        assert found.estimates[measure].value == pytest.approx(mean, abs=1e-12)


def test_the_interval_of_blocks_is_wider_than_that_of_the_formula(rate):
    study = rate(changes={"R4": lambda value: value + np.sin(np.arange(len(value)) / 23) / 3})

    for each in agree_study(study).dimensions[0].everyone.sessions:
        wide, narrow = each.estimates["icc_c_1"], each.by_formula["icc_c_1"]
        assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_with_one_session_the_interval_is_over_its_blocks(rate):
    arousal = agree_study(rate(sessions=("S02-001",))).dimensions[0]

    assert arousal.overall == arousal.everyone.sessions[0].estimates
    assert arousal.overall["ccc"].low < arousal.overall["ccc"].high
    assert arousal.raters[0].with_others["ccc"].low < arousal.raters[0].with_others["ccc"].high


def test_a_rater_who_agrees_with_themselves_is_told_so(rate, repeat):
    study = rate()
    repeat(study, "S01-001", "R2", lambda value: value + 0.01)
    repeat(study, "S03-001", "R2", lambda value: value)
    arousal = agree_study(study).dimensions[0]
    repeats = arousal.raters[1].repeats

    assert sorted(repeats.by_session) == ["S01-001", "S03-001"]
    assert repeats.by_session["S03-001"] == {"icc_a_1": 1, "pearson": pytest.approx(1)}
    assert repeats.icc.low <= repeats.icc.value <= repeats.icc.high
    assert repeats.icc.value > 0.99
    assert repeats.by_formula.f > 100
    assert [rater.doubt for rater in arousal.raters] == [""] * 4
    assert arousal.raters[0].repeats is None
    assert "repeats ICC(A,1)" in printed(agree_study(study))


def test_who_contradicts_themselves_is_flagged_and_judges_nobody(rate, repeat):
    study = rate()
    before = agree_study(study).dimensions[0]
    repeat(study, "S01-001", "R3", np.negative)
    after = agree_study(study).dimensions[0]

    assert [bool(rater.doubt) for rater in after.raters] == [False, False, True, False]
    assert after.raters[2].doubt.startswith("ICC(A,1) -")
    assert "with themselves on hidden repeats" in after.raters[2].doubt
    assert after.overall == before.overall
    assert after.unflagged.raters == ("R1", "R2", "R4")
    assert after.to_document()["by_rater"]["R3"]["hidden_repeats"]["sessions"] == 1


def test_a_label_flags_who_contradicts_themselves_and_hashes_the_repeat(rate, repeat):
    study = rate(measured=("R1", "R2", "R3", "R4"))
    repeat(study, "S01-001", "R3", np.negative)
    outcome = label_study(study, method="mean")
    document = read_json(study.labels_folder / "gold" / "S01-001.json")

    assert "hidden repeats" in outcome.dimensions["arousal"]["flagged"]["R3"]
    assert "ratings/S01-001/arousal.R3.002.csv" in document["inputs"]


def test_other_doubts_are_found_beside_those_of_repeats():
    line = np.sin(np.arange(400) / 20)
    panel = np.stack([line, line + 0.01, -line, -line + 0.01, line - 0.02])

    alone = doubts(panel, np.zeros(5))
    told = doubts(panel, np.zeros(5), ("", "", "", "poor", ""))

    assert [bool(reason) for reason in alone] == [False, False, True, True, False]
    assert told[3] == "poor"
    assert told[2].startswith("CCC -")


def test_the_report_is_json_without_nan(rate):
    document = agree_study(rate(raters=("R1",))).to_document()

    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["dimensions"]["arousal"]["overall"]["icc_a_1"]["value"] is None
    assert document["dimensions"]["arousal"]["by_rater"]["R1"]["sessions"] == 4


def test_one_rater_is_told_of_without_a_warning(rate):
    report = agree_study(rate(raters=("R1",)))

    assert "1 rater, 4 sessions" in printed(report)
    assert "nothing is known of how many raters" in needed(report.dimensions[0])


def test_tables_say_what_the_report_says(rate, repeat, tmp_path):
    study = rate(changes={"R2": np.negative}, measured=("R1",))
    repeat(study, "S02-001", "R4", lambda value: value / 2)
    report = agree_study(study)
    tables = {path.stem: rows_of(path) for path in write_tables(report, tmp_path / "agreement")}
    arousal = report.dimensions[0]
    (icc,) = [
        row
        for row in tables["dimensions"]
        if (row["dimension"], row["raters"], row["statistic"])
        == ("arousal", "unflagged", "icc_a_k")
    ]
    (session,) = [
        row
        for row in tables["sessions"]
        if (row["session"], row["dimension"], row["raters"], row["statistic"])
        == ("S03-001", "arousal", "all", "icc_c_1")
    ]
    rater = next(row for row in tables["raters"] if row["rater"] == "R2")

    assert float(icc["value"]) == arousal.without_flagged["icc_a_k"].value
    assert float(icc["low"]) == arousal.without_flagged["icc_a_k"].low
    assert float(icc["joined_f_low"]) == arousal.unflagged.joined["icc_a_k"].low
    assert float(session["f"]) == arousal.everyone.sessions[2].by_formula["icc_c_1"].f
    assert float(session["high"]) == arousal.everyone.sessions[2].estimates["icc_c_1"].high
    assert rater["flagged"] == arousal.raters[1].doubt
    assert rater["lag_source"].startswith("traces")
    assert len(tables["sessions"]) == 2 * 2 * 4 * len(STATISTICS)
    assert len(tables["rater_sessions"]) == 2 * 4 * 4
    assert len(tables["pairs"]) == 2 * 6
    assert [row["session"] for row in tables["repeats"]] == ["S02-001"] * 2
    assert [row["count"] for row in tables["needed"]] == ["4", "3"] * 2


def test_writing_again_touches_nothing_else(rate, tmp_path):
    report = agree_study(rate(raters=("R1", "R2")))
    (tmp_path / "mine.csv").write_text("mine", encoding="utf-8")
    first = {path: path.read_bytes() for path in write_tables(report, tmp_path)}
    second = {path: path.read_bytes() for path in write_tables(report, tmp_path)}

    assert second == first
    assert (tmp_path / "mine.csv").read_text(encoding="utf-8") == "mine"
    assert sorted(tmp_path.glob("*.csv")) == sorted([*first, tmp_path / "mine.csv"])


def test_a_long_study_is_summed_up_in_its_ten_hardest_sessions(rate):
    report = agree_study(rate(changes={"R2": np.negative}))
    few = report.dimensions[0]
    many = [
        replace(s, session=f"S{at}-{s.session[-3:]}")
        for at in range(25)
        for s in few.everyone.sessions
    ]
    long = replace(few, everyone=replace(few.everyone, sessions=tuple(many)))
    long = replace(long, unflagged=replace(few.unflagged, sessions=tuple(many)))
    lines = printed(replace(report, dimensions=(long,))).splitlines()

    assert "  The 10 of 100 sessions, least agreement first, flagged raters left out:" in lines
    assert len(lines) < 50
    assert max(map(len, lines)) <= 100
    assert max(map(len, printed(report).splitlines())) <= 100


def test_a_session_of_which_nothing_is_known_stands_last(rate):
    arousal = agree_study(rate()).dimensions[0]
    unknown = {name: replace(each, value=np.nan) for name, each in arousal.overall.items()}
    sessions = list(arousal.everyone.sessions)
    sessions[0] = replace(sessions[0], estimates=unknown)
    order = hardest_first(
        replace(arousal, unflagged=replace(arousal.everyone, sessions=tuple(sessions)))
    )

    assert order[-1].session == "S01-001"
    assert order[0].estimates["ccc"].value <= order[1].estimates["ccc"].value


def test_limits_of_agreement_hold_95_percent_of_normal_differences():
    differences = np.random.default_rng(0).normal(0.2, 0.1, 20_000)
    differences[::7] = np.nan
    low, high = limits_of_agreement(differences)
    known = differences[~np.isnan(differences)]

    assert (low + high) / 2 == pytest.approx(known.mean())
    assert np.mean((known > low) & (known < high)) == pytest.approx(0.95, abs=0.01)
    assert np.isnan(limits_of_agreement(np.array([1.0, np.nan]))).all()


def test_a_rater_who_missed_a_session_does_not_spoil_it():
    line = np.sin(np.arange(50) / 5)
    missing = np.full(50, np.nan)

    assert session_agreement(np.stack([line, line, missing]))["icc_a_1"] == 1
    assert session_agreement(np.stack([line, line, missing]))["ccc"] == pytest.approx(1)
    assert np.isnan(session_agreement(np.stack([line, missing]))["ccc"])


def test_a_study_without_ratings_or_shards_says_what_to_do(study):
    with pytest.raises(NotFound, match="no ratings yet"):
        agree_study(study)
    for path in study.shards_folder.iterdir():
        path.unlink()
    with pytest.raises(NotFound, match=r"no shards of video. Run mavfer preprocess"):
        agree_study(study)
