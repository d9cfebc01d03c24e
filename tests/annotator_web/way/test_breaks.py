from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, update

from annotator_web.store.database import steps, takes
from annotator_web.way.breaks import end_break, is_break_due, minutes_watched
from annotator_web.way.steps import find_steps

NOON = datetime.fromisoformat("2026-01-31T12:00:00Z")


def at(seconds):
    return (NOON + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def watch(rater):
    """Makes a finished take of one second from a moment to another, in seconds after noon."""

    def take(begin, end):
        made = rater.rate()
        times = {"created_utc": at(begin), "finished_utc": at(end)}
        change = update(takes).where(takes.c.id == made).values(times)
        rater.context.database.write(lambda connection: connection.execute(change))

    return take


@pytest.fixture
def is_due(rater):
    def look(seconds, break_minutes=1.9 / 60):
        project = replace(rater.context.project, break_minutes=break_minutes)
        moment = NOON + timedelta(seconds=seconds)
        with rater.context.database.reading() as connection:
            return is_break_due(connection, project, 1, moment)

    return look


def test_a_break_is_due_after_so_much_watching(watch, is_due):
    watch(0, 5)
    before = is_due(6)
    watch(6, 10)

    assert not before
    assert is_due(11)
    assert not is_due(11, break_minutes=0)


def test_three_minutes_of_nothing_are_a_break(watch, is_due):
    watch(0, 5)
    watch(200, 205)
    watch(206, 210)

    assert is_due(211)
    assert not is_due(211, break_minutes=2.9 / 60)
    assert not is_due(391)


def test_a_skipped_break_comes_back_after_half_the_time(watch, is_due, rater):
    watch(0, 5)
    watch(6, 10)
    row = {"rater": 1, "name": "break", "done_utc": at(11), "details": {"skipped": True}}
    rater.context.database.write(lambda connection: connection.execute(insert(steps), row))
    before = is_due(12)
    watch(12, 15)

    assert not before
    assert is_due(16)


def test_it_is_kept_whether_a_break_was_skipped(rater):
    rater.rate()
    rater.context.database.write(lambda connection: end_break(connection, 1))
    with rater.context.database.reading() as connection:
        (found,) = find_steps(connection, 1, "break")
        minutes = minutes_watched(connection, rater.context.project, 1)

    assert found["details"]["skipped"] is True
    assert found["details"]["seconds"] < 60
    assert minutes == 0
