import json
import re
from html import unescape

import pytest
from annotated_study import Rater, make_study, samples

from annotator_web.app import close_app, create_app
from annotator_web.project import open_project
from mavfer.files import write_json


def opened(rater):
    """The rater's browser, let in."""
    client = rater.client
    assert client.get(f"/invitation/{rater.token}").status_code == 303
    return client


def config_of(page):
    return json.loads(unescape(re.search(r'data-config="([^"]*)"', page.text)[1]))


def test_the_list_leads_from_the_warm_up_to_the_thanks(rater):
    client = opened(rater)
    first = client.get("/").text
    rater.calibrate(0.4)
    second = client.get("/").text
    for session in ("S01-001", "S02-001"):
        rater.rate(session)
    third = client.get("/").text

    assert "Welcome" in first
    assert first.count("after the warm-up") == 2
    assert 'href="/rate/S01-001"' in second
    assert "1 of 3 done" in second
    assert "All done" in third


def test_sessions_lead_to_the_warm_up_until_that_is_done(rater):
    client = opened(rater)
    answer = client.get("/rate/S01-001")
    rater.calibrate(0.4)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/rate/calibration")
    assert client.get("/rate/S01-001").status_code == 200
    assert client.get("/rate/S09-001").status_code == 404


def test_an_open_take_is_taken_up_and_a_finished_one_is_not(rater):
    client = opened(rater)
    rater.calibrate(0.4)
    new = config_of(client.get("/rate/S01-001"))
    take = rater.begin()
    rater.send(take, 0, samples(10))
    begun = config_of(client.get("/rate/S01-001"))
    rater.finish(take, 1, 10)
    finished = config_of(client.get("/rate/S01-001"))

    assert new["take"] is None
    assert (begun["take"]["take"], begun["take"]["media_time"]) == (take, 9 / 25)
    assert finished["take"] is None


def test_one_dimension_at_a_time_makes_a_take_each(tmp_path):
    study = make_study(tmp_path / "study", ["S01-001"], annotation={"mode": "one_at_a_time"})
    app = create_app(study)
    try:
        rater = Rater(app, "R1")
        client = opened(rater)
        page = client.get("/").text
        config = config_of(client.get("/rate/S01-001?dimension=valence"))
    finally:
        close_app(app)

    assert "Face 1 · arousal" in page
    assert "Face 2 · valence" in page
    assert [d["name"] for d in config["dimensions"]] == ["valence"]


def test_words_of_the_study_cannot_break_out_of_the_page(tmp_path):
    study = make_study(tmp_path / "study", ["S01-001"], annotation={})
    bad = {**study.document, "name": "<script>alert(1)</script>"}
    bad["dimensions"] = [{**d, "low_word": "\"'><b>"} for d in bad["dimensions"]]
    write_json(study.root / "study.json", bad)
    app = create_app(study.root)
    try:
        page = opened(Rater(app, "R1")).get("/rate/S01-001")
    finally:
        close_app(app)

    assert "<script>alert" not in page.text
    assert config_of(page)["dimensions"][0]["low_word"] == "\"'><b>"


@pytest.mark.parametrize("scope", [["record"], ["record", "rate"]])
def test_who_did_not_agree_to_be_rated_is_not_shown(tmp_path, scope):
    study = make_study(tmp_path / "study", ["S01-001"])
    (tmp_path / "form.pdf").write_bytes(b"signed")
    study.write_consent("S01", tmp_path / "form.pdf", form_version="1", scope=scope)

    assert open_project(study).sessions() == (["S01-001"] if "rate" in scope else [])
