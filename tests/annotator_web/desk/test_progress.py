import pytest
from annotated_study import Rater
from sqlalchemy import insert

from annotator_web.desk.progress import status, table_of
from annotator_web.desk.raters import invite
from annotator_web.store.database import agreed_texts, agreements
from annotator_web.way.steps import done_step, withdraw
from mavfer.errors import CommandError


def told(rater):
    return status(rater.context.database, rater.context.project)


def test_it_says_what_became_of_each_rater(app):
    rater, other = Rater(app, "R1", language="de"), Rater(app, "R2", sessions=["S02-001"])
    rater.calibrate(0.5)
    rater.rate()

    def change(connection):
        connection.execute(insert(agreed_texts), {"text_sha256": "0", "text": "words"})
        row = {"rater": 1, "text_sha256": "0", "version": "1", "language": "de"}
        connection.execute(insert(agreements), {**row, "agreed_utc": "2026-01-31T12:00:00Z"})
        done_step(connection, 1, "practice", {"tries": 2, "ccc": {"arousal": 0.7}, "passed": True})
        done_step(connection, 1, "break", {"seconds": 200, "skipped": False})
        withdraw(connection, 2, "erase")

    rater.context.database.write(change)
    one, two = told(other)["raters"]

    assert (one["planned"], one["done"], one["breaks"]) == (2, 1, 1)
    assert (one["language"], one["agreed_utc"]) == ("de", "2026-01-31T12:00:00Z")
    assert one["practice"]["passed"]
    assert one["reaction_seconds"] == pytest.approx(0.5, abs=0.02)
    assert (two["planned"], two["withdrawn"]) == (1, "erase")


def test_the_table_fits_80_columns(app):
    rater = Rater(app, "a_rater_with_a_code_of_32_letter")
    Rater(app, "R2")
    rater.context.database.write(lambda connection: withdraw(connection, 1, "erase"))

    head, columns, *lines = table_of(told(rater)).splitlines()

    assert head == "2 sessions, 0 samples held"
    assert columns.split()[:3] == ["rater", "done", "open"]
    assert [line.split()[0] for line in lines] == ["R2", "a_rater_with_"]
    assert lines[1].endswith("to be erased")
    assert max(map(len, (columns, *lines))) <= 80


def test_who_withdrew_is_not_invited_again(app):
    rater = Rater(app, "R1")
    rater.context.database.write(lambda connection: withdraw(connection, 1, "stop"))

    with pytest.raises(
        CommandError, match=r"R1: withdrew\. Who takes part again gets another code"
    ):
        invite(rater.context.database, rater.context.project, "R1")
