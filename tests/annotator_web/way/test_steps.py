from dataclasses import replace

import pytest

from annotator_web.access.auth import Caller
from annotator_web.project import Practice
from annotator_web.way.consent import agree, consent_form
from annotator_web.way.steps import (
    Step,
    done_step,
    find_steps,
    has_withdrawn,
    next_step,
    steps_before,
    withdraw,
)

PERSON = Caller(rater=1, code="R1", kind="person", sessions=None, has_cookie=True)


@pytest.fixture
def write(rater):
    return rater.context.database.write


@pytest.fixture
def step(rater):
    def look(caller=PERSON, **options):
        with rater.context.database.reading() as connection:
            return next_step(connection, replace(rater.context.project, **options), caller).name

    return look


def test_a_rater_goes_from_consent_to_the_end(rater, write, step):
    practice = Practice("S02-001", "expert", 0.5)
    seen = [step(practice=practice)]
    write(lambda c: agree(c, 1, consent_form(rater.context.project, "en")))
    for name in ("instructions", "device", "practice"):
        seen.append(step(practice=practice))
        write(lambda c, name=name: done_step(c, 1, name, {}))
    seen.append(step())
    rater.calibrate(0.4)
    seen.append(step())
    for session in ("S01-001", "S02-001"):
        rater.rate(session)
    seen.append(step())

    assert seen == [
        "consent",
        "instructions",
        "device",
        "practice",
        "calibration",
        "sessions",
        "end",
    ]


def test_a_program_is_held_up_by_nothing_but_withdrawal(rater, write, step):
    program = replace(PERSON, has_cookie=False)
    first = step(program)
    write(lambda c: withdraw(c, 1, "erase"))

    assert first == "sessions"
    assert step(program) == step() == "withdrawn"


def test_what_a_study_leaves_out_is_no_step(rater):
    project = replace(rater.context.project, has_calibration=False)
    without_media = replace(project, practice=Practice("S09-001", "expert", 0.5))

    assert steps_before(project) == ("consent", "instructions", "device")
    assert steps_before(without_media) == steps_before(project)


def test_a_step_says_what_it_comes_after():
    assert Step("device").has_reached("consent")
    assert Step("device").has_reached("device")
    assert not Step("device").has_reached("practice")


def test_a_step_keeps_its_details_and_when(write, rater):
    write(lambda c: done_step(c, 1, "device", {"video": "good"}))
    with rater.context.database.reading() as connection:
        (found,) = find_steps(connection, 1, "device")

    assert found["details"] == {"video": "good"}
    assert found["done_utc"].endswith("Z")


def test_the_first_wish_of_withdrawal_stands(write, rater):
    write(lambda c: withdraw(c, 1, "stop"))
    write(lambda c: withdraw(c, 1, "erase"))
    with rater.context.database.reading() as connection:
        assert has_withdrawn(connection, 1)
