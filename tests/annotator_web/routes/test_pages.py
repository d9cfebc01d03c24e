import re

import pytest
from annotated_study import make_study, samples
from led_rater import Person

from annotator_web.app import close_app, create_app
from annotator_web.project import open_project
from mavfer.files import write_json


@pytest.fixture
def person(app):
    return Person(app, "R1").reach_the_faces()


@pytest.fixture
def served(tmp_path):
    """Makes the application of a study with this annotation, and its rater."""
    apps = []

    def serve(made=("S01-001",), **annotation):
        study = make_study(tmp_path / f"study{len(apps)}", made, annotation=annotation)
        apps.append(create_app(study))
        return Person(apps[-1], "R1")

    yield serve
    for app in apps:
        close_app(app)


def rate_address(page):
    return re.search(r'href="(/rate/[^"]*)"', page)[1]


def test_the_list_leads_from_the_warm_up_to_the_thanks(person):
    first = person.open("/").text
    person.calibrate(0.4)
    second = person.open("/").text
    for session in ("S01-001", "S02-001"):
        person.rate(session)
    third = person.open("/").text

    assert "Welcome" in first
    assert rate_address(first) == "/rate/calibration"
    assert first.count(">later<") == 2
    assert "1 of 3 done" in second
    assert second.count('href="/rate/') == 1
    assert "All done" in third


def test_next_leads_straight_to_the_next_face_and_then_to_the_end(person):
    person.calibrate(0.4)
    seen = []
    for _ in range(3):
        address = person.open("/next").headers["Location"]
        seen.append(address)
        if address.startswith("/rate/"):
            person.rate(address.removeprefix("/rate/"))

    assert sorted(seen) == ["/end", "/rate/S01-001", "/rate/S02-001"]
    assert seen[-1] == "/end"


def test_faces_come_after_the_warm_up(person):
    answer = person.open("/rate/S01-001")
    person.calibrate(0.4)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/rate/calibration")
    assert person.open("/rate/S01-001").status_code == 200
    assert person.open("/rate/S09-001").status_code == 404


@pytest.mark.parametrize("path", ["/", "/next", "/rate/S01-001", "/device", "/instructions"])
def test_before_consent_every_page_leads_to_it(app, path):
    person = Person(app, "R1").enter()
    address = person.open(path).headers["Location"]

    assert address in {"/consent", "/next"}


def test_an_open_take_is_taken_up_and_a_finished_one_is_not(person):
    person.calibrate(0.4)
    new = person.config("/rate/S01-001")
    take = person.begin()
    person.send(take, 0, samples(10))
    begun = person.config("/rate/S01-001")
    person.finish(take, 1, 10)
    finished = person.config("/rate/S01-001")

    assert new["take"] is None
    assert (begun["take"]["take"], begun["take"]["media_time"]) == (take, 9 / 25)
    assert finished["take"] is None
    assert (new["total"], new["next"], new["home"]) == (2, "/next", "/")


def test_one_dimension_at_a_time_makes_a_take_each(served):
    person = served(mode="one_at_a_time").reach_the_faces()
    page = person.open("/").text
    config = person.config("/rate/S01-001?dimension=valence")

    assert "Face 1 · Arousal" in page
    assert "Face 2 · Valence" in page
    assert [d["name"] for d in config["dimensions"]] == ["valence"]
    assert config["position"] == 2


def test_words_of_the_study_cannot_break_out_of_the_page(tmp_path):
    study = make_study(tmp_path / "study", ["S01-001"], annotation={"contact": "<i>a@b.example"})
    bad = {**study.document, "name": "<script>alert(1)</script>"}
    bad["dimensions"] = [{**d, "low_word": "\"'><b>"} for d in bad["dimensions"]]
    write_json(study.root / "study.json", bad)
    app = create_app(study.root)
    try:
        person = Person(app, "R1").reach_the_faces()
        pages = [person.open(path).text for path in ("/", "/rate/S01-001", "/instructions")]
        config = person.config("/rate/S01-001")
    finally:
        close_app(app)

    assert not any("<script>alert" in page or "<i>a@b" in page for page in pages)
    assert config["dimensions"][0]["low_word"] == "\"'><b>"
    assert 'href="mailto:a@b.example"' in pages[0]


@pytest.mark.parametrize("scope", [["record"], ["record", "rate"]])
def test_who_did_not_agree_to_be_rated_is_not_shown(tmp_path, scope):
    study = make_study(tmp_path / "study", ["S01-001"])
    (tmp_path / "form.pdf").write_bytes(b"signed")
    study.write_consent("S01", tmp_path / "form.pdf", form_version="1", scope=scope)

    assert open_project(study).sessions() == (["S01-001"] if "rate" in scope else [])


def test_a_break_is_offered_before_the_next_face(served):
    sessions = ["S01-001", "S02-001"]
    person = served(sessions, sessions=sessions, break_minutes=0.01).reach_the_faces()
    first = person.open("/next").headers["Location"]
    person.rate(first.removeprefix("/rate/"))
    second = person.open("/next").headers["Location"]
    offered = person.open(second).headers["Location"]
    page = person.open(offered)
    back = person.post_form("/break", on=second)

    assert offered.startswith("/break?on=")
    assert "Time for a break" in page.text
    assert back.headers["Location"] == second
    assert person.open(second).status_code == 200


def test_a_page_speaks_what_the_browser_asks_for_until_the_rater_chooses(app):
    person = Person(app, "R1").enter()
    asked = person.open("/consent", headers={"Accept-Language": "ar-EG"}).text
    answer = person.post_form("/language", language="de", back="/consent")
    chosen = person.open("/consent", headers={"Accept-Language": "ar-EG"}).text

    assert '<html lang="ar" dir="rtl">' in asked
    assert (answer.status_code, answer.headers["Location"]) == (303, "/consent")
    assert '<html lang="de" dir="ltr">' in chosen


@pytest.mark.parametrize(
    "back", ["//evil.example", "https://evil.example", "/\\evil.example", "", "/a\nb"]
)
def test_a_language_form_leads_to_our_own_pages_alone(app, back):
    answer = app.test_client().post("/language", data={"language": "de", "back": back})

    assert answer.headers["Location"] == "/"


def test_who_is_no_rater_may_choose_a_language_too(app):
    client = app.test_client()
    client.post("/language", data={"language": "ar", "back": "/"})

    assert 'dir="rtl"' in client.get("/nowhere", headers={"Accept": "text/html"}).text
    assert client.post("/language", data={"language": "xx"}).status_code == 400


@pytest.mark.parametrize(
    ("path", "status", "title"),
    [
        ("/nowhere", 404, "Hier ist nichts"),
        ("/rate/S09-001", 404, "Hier ist nichts"),
        ("/invitation/aaaaaaaaaaaaaaaaaaaa", 403, "Diese Tür braucht Ihre Einladung"),
    ],
)
def test_errors_are_pages_in_the_raters_language(person, path, status, title):
    person.calibrate(0.4)
    answer = person.open(path, headers={"Accept": "text/html", "Accept-Language": "de"})

    assert answer.status_code == status
    assert title in answer.text
    assert answer.headers["Cache-Control"].endswith("no-store")


def test_too_large_a_form_is_answered_with_a_page(person):
    answer = person.client.post(
        "/consent", data={"text": "x" * 300_000}, headers={"Accept": "text/html"}
    )

    assert answer.status_code == 413
    assert "That was too much" in answer.text
