import json

import numpy as np
import pytest
from annotated_study import make_study
from led_rater import CHECKED, Person, write_expert
from sqlalchemy import select

from annotator_web.access.auth import COOKIE
from annotator_web.app import close_app, create_app
from annotator_web.store.database import agreements, steps, withdrawals

TIMES = np.arange(120) / 10
EXPERT = {"arousal": 0.5 * np.sin(TIMES), "valence": 0.6 * np.cos(1.7 * TIMES)}


@pytest.fixture
def person(app):
    return Person(app, "R1").enter()


def rows(person, table):
    with person.context.database.reading() as connection:
        return connection.execute(select(table)).all()


def test_consent_needs_the_tick_and_the_words_that_were_shown(person):
    unticked = person.agree(agree="")
    other = person.agree(text="0" * 64)
    before = rows(person, agreements)
    agreed = person.agree()

    assert unticked.status_code == 400
    assert "Please tick the box" in unticked.text
    assert other.status_code == 200
    assert before == []
    assert (agreed.status_code, agreed.headers["Location"]) == (303, "/next")
    assert len(rows(person, agreements)) == 1


@pytest.mark.parametrize(
    "path", ["/consent", "/instructions", "/device", "/practice", "/break", "/withdraw"]
)
def test_a_form_without_the_pages_token_changes_nothing(person, path):
    answer = person.client.post(path, data={"agree": "yes", "wish": "erase", "sure": "yes"})

    assert answer.status_code == 403
    assert rows(person, agreements) == rows(person, steps) == rows(person, withdrawals) == []


def test_the_way_goes_on_step_by_step(person):
    places = [person.open("/next").headers["Location"]]
    person.agree()
    places.append(person.open("/next").headers["Location"])
    early = person.open("/device").headers["Location"]
    person.post_form("/instructions")
    places.append(person.open("/next").headers["Location"])
    person.post_form("/device", results=json.dumps(CHECKED))
    places.append(person.open("/next").headers["Location"])

    assert places == ["/consent", "/instructions", "/device", "/rate/calibration"]
    assert early == "/instructions"
    assert [row.name for row in rows(person, steps)] == ["instructions", "device"]


def test_a_step_that_is_not_reached_cannot_be_posted(person):
    person.agree()
    person.post_form("/device", results=json.dumps(CHECKED))

    assert rows(person, steps) == []


def test_a_check_that_failed_is_asked_for_again(person):
    person.agree()
    person.post_form("/instructions")
    answer = person.post_form("/device", results=json.dumps({**CHECKED, "storage": "bad"}))

    assert answer.status_code == 400
    assert "Please try it once more" in answer.text


def test_instructions_tell_of_what_the_study_asks_for(tmp_path):
    own = {"scale": "rate", "input": ["keyboard"], "instructions": {"de": "Unsere Worte."}}
    app = create_app(make_study(tmp_path / "study", ["S01-001"], annotation=own))
    try:
        person = Person(app, "R1").enter()
        person.agree()
        page = person.open("/instructions").text
    finally:
        close_app(app)

    assert "Unsere Worte." in page
    assert "hold the arrow keys" in page
    assert "just move it" not in page
    assert "how fast the value moves" in page


@pytest.fixture
def practising(tmp_path):
    study = make_study(
        tmp_path / "study",
        ["S01-001", "P01-001"],
        host_ns=np.rint(TIMES * 1e9).astype(np.int64),
        annotation={"practice": {"session": "P01-001", "label": "expert", "pass_ccc": 0.8}},
    )
    write_expert(study, "P01-001", TIMES, EXPERT)
    app = create_app(study)
    yield Person(app, "R1").reach_the_faces()
    close_app(app)


def test_practice_is_shown_marked_and_passed(practising):
    first = practising.open("/practice").text
    held_up = practising.open("/rate/S01-001").headers["Location"]
    practising.give("P01-001", TIMES, EXPERT)
    after = practising.open("/practice").text
    practising.post_form("/practice")

    assert 'href="/rate/P01-001"' in first
    assert held_up == "/practice"
    assert after.count("<svg") == 2
    assert "Well done" in after
    assert practising.open("/rate/S01-001").status_code == 200
    details = next(row.details for row in rows(practising, steps) if row.name == "practice")
    assert (details["passed"], details["tries"]) == (True, 1)


def test_practice_that_fails_is_tried_three_times_at_most(practising):
    seen = []
    for _ in range(3):
        practising.give("P01-001", TIMES, {name: -trace for name, trace in EXPERT.items()})
        seen.append(practising.open("/practice").text)
        practising.post_form("/practice")

    assert ["Nearly there" in page for page in seen] == [True, True, False]
    assert "That is enough practice" in seen[2]
    details = next(row.details for row in rows(practising, steps) if row.name == "practice")
    assert (details["passed"], details["tries"]) == (False, 3)


def test_a_study_without_practice_has_no_such_page(person):
    person.agree()

    assert person.open("/practice").status_code in {303, 404}


def test_the_end_comes_after_everything(person):
    person.reach_the_faces()
    early = person.open("/end").headers["Location"]
    person.calibrate(0.4)
    for session in ("S01-001", "S02-001"):
        person.rate(session)
    page = person.open("/end").text

    assert early == "/"
    assert "has arrived" in page


@pytest.mark.parametrize("wish", ["stop", "erase"])
def test_withdrawal_takes_a_choice_and_a_confirmation_and_ends_the_cookie(person, wish):
    person.reach_the_faces()
    unsure = person.post_form("/withdraw", wish=wish)
    nothing = person.post_form("/withdraw", sure="yes")
    before = rows(person, withdrawals)
    answer = person.post_form("/withdraw", wish=wish, sure="yes")
    page = person.open(answer.headers["Location"]).text
    again = person.open(f"/invitation/{person.token}")
    back = person.open("/", headers={"Accept": "text/html"})

    assert (unsure.status_code, nothing.status_code, before) == (400, 400, [])
    assert [row.wish for row in rows(person, withdrawals)] == [wish]
    assert f"{COOKIE}=;" in answer.headers["Set-Cookie"]
    assert ("will erase" in page) == (wish == "erase")
    assert again.status_code in {303, 403}
    assert back.status_code == 403
    assert "You have stopped" in back.text


def test_every_page_tells_whom_to_ask_and_how_to_stop(person):
    pages = [person.open("/consent").text]
    person.reach_the_faces()
    person.calibrate(0.4)
    paths = ["/", "/instructions", "/device", "/break", "/withdraw", "/nowhere", "/rate/S01-001"]
    pages += [person.open(path, headers={"Accept": "text/html"}).text for path in paths]

    for page in pages:
        assert 'href="/withdraw"' in page
        assert "Questions?" in page
        assert 'action="/language"' in page
