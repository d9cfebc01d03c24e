from dataclasses import replace

import numpy as np
import pytest
from quality_parts import FRAMES, SPOILS, troubled_study, troubled_table

from mavfer.report.quality.facts import read_facts
from mavfer.report.quality.findings import (
    TROUBLES,
    clock_time,
    find_stretches,
    longest_seconds,
    troubled_frames,
)
from mavfer.report.quality.frames import typical_frames, worst_frames
from mavfer.report.quality.ranking import SessionSummary, summarize_session


@pytest.fixture(scope="module")
def good_facts(shard_factory, tmp_path_factory):
    study = troubled_study(shard_factory, tmp_path_factory.mktemp("S") / "S", {"S01-001": {}})
    return read_facts(study.shard_path("S01-001"))


@pytest.fixture
def facts_with(shard_factory, good_facts):
    def make(**spans):
        table = troubled_table(shard_factory, **spans)
        columns = {name: table[name] for name in ("valid", "reason", "n_faces", "quality")}
        is_paired = table["thermal_frame"] >= 0
        return replace(
            good_facts,
            **columns,
            gaps_ms={"depth": np.zeros(FRAMES), "thermal": np.where(is_paired, 0.0, np.nan)},
            is_closed=table["thermal_flags"] > 0,
        )

    return make


@pytest.mark.parametrize("trouble", SPOILS)
def test_each_trouble_is_found_where_it_is_and_nowhere_else(facts_with, trouble):
    troubles = troubled_frames(facts_with(**{trouble: (30, 60)}))
    expected = np.zeros(FRAMES, bool)
    expected[30:60] = True

    np.testing.assert_array_equal(troubles[trouble], expected)
    assert [name for name, on in troubles.items() if on.any()] == [trouble]


def test_a_session_without_trouble_has_nothing_to_look_at(facts_with):
    facts = facts_with()

    assert find_stretches(facts) == ([], 0)
    assert summarize_session(facts).points == 0


def test_stretches_stand_in_the_order_of_their_weight_in_time(facts_with):
    facts = facts_with(no_face=(0, 15), carried=(15, 75), no_thermal=(80, 115))
    stretches, short = find_stretches(facts)

    assert [each.trouble for each in stretches] == ["no_thermal", "no_face", "carried"]
    assert short == 0
    assert stretches[1].begin_seconds == 0
    assert stretches[1].end_seconds == pytest.approx(0.5)
    assert (stretches[2].first, stretches[2].last) == (15, 74)


def test_a_single_frame_is_counted_but_not_listed(facts_with):
    facts = facts_with(no_face=(50, 51))

    assert find_stretches(facts) == ([], 1)
    assert longest_seconds(facts, ("no_face",)) == pytest.approx(1 / 30)


def test_stretches_that_nearly_touch_are_one(facts_with):
    facts = facts_with(several=(10, 40))
    facts.n_faces[20:24] = 1
    stretches, _ = find_stretches(facts)

    assert [(each.first, each.last) for each in stretches] == [(10, 39)]


def test_points_are_the_weighted_percents_and_the_longest_seconds(facts_with):
    summary = summarize_session(facts_with(no_face=(0, 12), sparse_depth=(60, 90)))
    percents = 10 * TROUBLES["no_face"].weight + 25 * TROUBLES["sparse_depth"].weight

    assert summary.points == pytest.approx(percents + 0.4, abs=0.051)
    assert summary.longest_without_face_seconds == pytest.approx(0.4)
    assert summary.valid == {"color": 0.9, "depth": 0.65, "thermal": 0.9}


def test_a_summary_survives_its_document(facts_with):
    summary = summarize_session(facts_with(outside=(20, 50)))

    assert SessionSummary.from_document(summary.to_document()) == summary


def test_the_worst_frame_of_a_stretch_is_where_its_measure_is_worst(facts_with):
    facts = facts_with(outside=(20, 50))
    (worst,) = worst_frames(facts, find_stretches(facts)[0])

    assert worst.index == 49
    assert worst.words.endswith("(58% inside)")


def test_typical_frames_have_no_trouble_and_show_carried_ones_too(facts_with):
    facts = facts_with(sparse_depth=(0, 30), carried=(60, 120))
    shown = [frame.index for frame in typical_frames(facts, troubled_frames(facts))]

    assert shown == [30, 44, 59, 60, 89, 119]


def test_a_session_without_a_face_has_no_typical_frames(facts_with):
    facts = facts_with(no_face=(0, FRAMES))

    assert typical_frames(facts, troubled_frames(facts)) == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0:00.0"), (59.97, "1:00.0"), (754.32, "12:34.3"), (3723.4, "1:02:03.4")],
)
def test_times_read_as_players_show_them(seconds, words):
    assert clock_time(seconds) == words
