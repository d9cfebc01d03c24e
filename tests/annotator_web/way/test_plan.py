from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from annotated_study import Rater
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, insert

from annotator_web.project import open_project
from annotator_web.store.database import Database, plans, raters
from annotator_web.store.takes import Take
from annotator_web.way.plan import (
    make_plan,
    plan_of,
    purpose_of,
    takes_of,
    williams_row,
    with_repeats,
)

NAMES = [f"S{number:02d}-001" for number in range(1, 13)]


@pytest.fixture
def database(tmp_path):
    opened = Database(tmp_path / "annotator.sqlite")
    rows = [{"code": f"R{n}", "kind": "person", "created_utc": "-"} for n in range(1, 26)]
    opened.write(lambda connection: connection.execute(insert(raters), rows) and None)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def project(made_study):
    return open_project(made_study)


def planned(database, project, sessions, rater=1):
    database.write(lambda connection: make_plan(connection, project, rater, sessions))
    with database.reading() as connection:
        return plan_of(connection, project, rater, sessions)


def shown(entries):
    return [(entry.session, entry.is_repeat) for entry in entries]


@pytest.mark.parametrize("count", range(1, 14))
def test_every_session_stands_at_every_place_and_after_every_other_equally_often(count):
    rows = [williams_row(count, number) for number in range(count * (1 + count % 2))]

    places = Counter((place, thing) for row in rows for place, thing in enumerate(row))
    neighbours = Counter(pair for row in rows for pair in pairwise(row))

    assert len(places) == count**2
    assert len(set(places.values())) == 1
    assert len(neighbours) == count * (count - 1)
    assert len(set(neighbours.values())) <= 1


@given(st.integers(2, 40), st.floats(0, 1), st.integers(-100, 100))
def test_repeats_come_late_and_never_next_to_the_first_showing(count, share, number):
    order = [f"S{at}" for at in range(count)]
    repeats = round(share * count)

    result = with_repeats(order, repeats, number)
    firsts = {name: at for at, (name, is_repeat) in enumerate(result) if not is_repeat}
    seconds = {name: at for at, (name, is_repeat) in enumerate(result) if is_repeat}

    assert [name for name, is_repeat in result if not is_repeat] == order
    assert len(seconds) == repeats
    assert len(result) == count + repeats
    assert all(at >= len(result) // 2 for at in seconds.values())
    assert all(at - firsts[name] >= 2 for name, at in seconds.items())


def test_every_session_is_planned_once_plus_its_share_of_repeats(database, project):
    entries = planned(database, replace(project, hidden_repeats=0.25), NAMES)

    assert sorted(e.session for e in entries if not e.is_repeat) == NAMES
    assert sum(e.is_repeat for e in entries) == 3
    assert [e.position for e in entries] == list(range(1, 16))


def test_over_the_raters_all_sessions_are_repeated_equally_often(database, project):
    repeating = replace(project, hidden_repeats=0.25)

    plans = [planned(database, repeating, NAMES, rater) for rater in range(1, 25)]
    repeats = Counter(e.session for plan in plans for e in plan if e.is_repeat)

    assert len(set(map(tuple, map(shown, plans)))) == 12
    assert set(repeats.values()) == {6}


def test_the_order_of_the_study_is_kept_where_it_is_asked_for(database, project):
    entries = planned(database, replace(project, order="study"), NAMES, rater=5)

    assert [entry.session for entry in entries] == NAMES


def test_the_dimension_that_comes_first_changes_from_rater_to_rater(database, project):
    alternating = replace(project, mode="one_at_a_time", hidden_repeats=0.5)

    one, two = (planned(database, alternating, NAMES[:2], rater) for rater in (1, 2))

    assert [e.dimensions for e in one] == [("arousal",), ("valence",)] * 3
    assert [e.dimensions for e in two] == [("valence",), ("arousal",)] * 3
    assert [e.is_repeat for e in one] == [False] * 4 + [True] * 2


@settings(max_examples=40)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=5), st.floats(0, 1), st.integers(1, 25))
def test_what_was_planned_never_moves_and_new_sessions_stand_at_the_end(
    made_study, stages, share, rater
):
    project = replace(open_project(made_study), hidden_repeats=share)
    before = []
    with create_engine("sqlite://").begin() as connection:
        plans.metadata.create_all(connection, [raters, plans])
        for count in sorted(stages):
            made = []
            for _ in range(2):
                make_plan(connection, project, rater, NAMES[:count])
                made.append(plan_of(connection, project, rater, NAMES[:count]))
            entries, again = made

            assert entries == again
            assert entries[: len(before)] == before
            assert sorted(e.session for e in entries if not e.is_repeat) == NAMES[:count]
            assert all(one.session != two.session for one, two in pairwise(entries))
            before = entries


def test_a_single_session_is_not_shown_twice_in_a_row(database, project):
    repeating = replace(project, hidden_repeats=1)

    alone = planned(database, repeating, NAMES[:1])
    two = planned(database, repeating, NAMES[:2])

    assert shown(alone) == [("S01-001", False)]
    assert shown(two) == [
        *[("S01-001", False), ("S02-001", False)],
        *[("S01-001", True), ("S02-001", True)],
    ]


def test_sessions_that_left_the_study_are_passed_over(database, project):
    before = planned(database, project, NAMES[:4])
    entries = planned(database, project, NAMES[1:4])

    assert [e.session for e in entries] == [e.session for e in before if e.session != NAMES[0]]
    assert [e.position for e in entries] == [1, 2, 3]


def test_a_change_from_together_to_one_at_a_time_asks_for_the_new_takes(database, project):
    planned(database, project, NAMES[:2])

    entries = planned(database, replace(project, mode="one_at_a_time"), NAMES[:2])

    assert sorted((e.session, *e.dimensions) for e in entries) == [
        *[("S01-001", "arousal"), ("S01-001", "valence")],
        *[("S02-001", "arousal"), ("S02-001", "valence")],
    ]


def take(session, purpose="rating", *, at=None, dimensions=("arousal", "valence")):
    return Take("-", 1, session, 1, dimensions, {}, purpose, {}, None, 0, at, None, None)


def test_a_second_take_is_the_repeat_once_another_session_came_between(database, project):
    entries = planned(database, replace(project, hidden_repeats=0.5), NAMES[:2])
    repeated = next(entry.session for entry in entries if entry.is_repeat)
    other = next(name for name in NAMES[:2] if name != repeated)
    first, second = take(repeated, at="T10:00"), take(other, at="T10:01")
    done = take(repeated, "repeat", at="T10:02")
    asked = (repeated, ["valence", "arousal"])

    assert purpose_of(entries, [], *asked) == "rating"
    assert purpose_of(entries, [take(repeated)], *asked) == "rating"
    assert purpose_of(entries, [first], *asked) == "rating"
    assert purpose_of(entries, [first, second], *asked) == "repeat"
    assert purpose_of(entries, [first, second], other, asked[1]) == "rating"
    assert purpose_of(entries, [first, second], repeated, ["arousal"]) == "rating"
    assert purpose_of(entries, [first, second, done], *asked) == "rating"


def test_the_repeat_that_alone_is_left_needs_nothing_between(database, project):
    entries = planned(database, replace(project, hidden_repeats=0.5), NAMES[:2])
    repeated = next(entry.session for entry in entries if entry.is_repeat)
    other = next(name for name in NAMES[:2] if name != repeated)
    found = [take(other, at="T10:00"), take(repeated, at="T10:01")]

    assert purpose_of(entries, found, repeated, ["arousal", "valence"]) == "repeat"
    assert takes_of(entries[0], found) == [t for t in found if t.session == entries[0].session]


def test_an_invitation_to_some_sessions_plans_those_alone(app):
    rater = Rater(app, "R3", sessions=["S02-001"])

    listed = rater.get("/api/v1/sessions").json["sessions"]

    assert [entry["session"] for entry in listed] == ["calibration", "S02-001"]
