import hashlib
from dataclasses import replace

import pytest
from sqlalchemy import select

from annotator_web.project import Consent
from annotator_web.store.database import agreed_texts, agreements
from annotator_web.way.consent import (
    OUR_VERSION,
    agree,
    consent_form,
    has_agreed,
    has_agreed_before,
)

OWN = Consent("2", {"de": "Erstens.\n\nZweitens.", "en": "First.\n\nSecond."})


@pytest.fixture
def project(rater):
    return rater.context.project


def agreed(rater, project, language="en"):
    form = consent_form(project, language)
    rater.context.database.write(lambda connection: agree(connection, 1, form))
    return form


def holds(rater, project):
    with rater.context.database.reading() as connection:
        return has_agreed(connection, project, 1), has_agreed_before(connection, 1)


def test_nobody_has_agreed_before_agreeing(rater, project):
    before = holds(rater, project)
    agreed(rater, project)

    assert before == (False, False)
    assert holds(rater, project) == (True, True)


def test_what_was_agreed_to_is_kept_word_for_word_and_once(rater, project):
    form = agreed(rater, project)
    agreed(rater, project)
    with rater.context.database.reading() as connection:
        (text,) = connection.execute(select(agreed_texts)).all()
        rows = connection.execute(select(agreements)).all()

    assert text.text == form.text
    assert text.text_sha256 == hashlib.sha256(form.text.encode()).hexdigest()
    assert [(row.version, row.language) for row in rows] == [(OUR_VERSION, "en")] * 2
    assert all(row.agreed_utc for row in rows)


def test_another_language_needs_no_other_agreement_and_other_words_do(rater, project):
    own = replace(project, consent=OWN)
    agreed(rater, own, "de")
    changed = replace(own, consent=Consent("2", {**OWN.text, "de": "Anders."}))
    renamed = replace(own, consent=Consent("3", OWN.text))

    assert holds(rater, own) == (True, True)
    assert holds(rater, project) == (False, True)
    assert holds(rater, changed) == (False, True)
    assert holds(rater, renamed) == (False, True)


def test_a_language_that_the_study_does_not_speak_gets_its_first(project):
    form = consent_form(replace(project, consent=OWN), "ar")

    assert (form.language, form.version) == ("de", "2")
    assert form.paragraphs == ["Erstens.", "Zweitens."]


def test_our_own_words_say_what_a_rater_must_know(project):
    form = consent_form(project, "en")

    for word in ("faces", "store", "voluntary", "stop", "erased", "device"):
        assert word in form.text
