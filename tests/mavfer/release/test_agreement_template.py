from dataclasses import replace

from mavfer.release.agreement_template import agreement_template
from mavfer.release.contents import Consents


def words(page):
    """The page without its line breaks."""
    return " ".join(page.split())


def test_it_says_first_that_it_is_a_template_that_needs_a_lawyer(contents):
    title, _, *warning = agreement_template(contents).splitlines()[:6]

    assert title == "# Data use agreement: lab faces 1.2.0 (TEMPLATE)"
    assert warning[0].startswith("> **This is a template, not legal advice.**")
    assert "a lawyer of your institution has to check it" in warning[1]


def test_known_fields_are_filled_and_others_stay_blank(contents):
    page = words(agreement_template(contents))

    assert "| licence | CC-BY-NC-4.0 |" in page
    assert "| address for notices | data@example.org | [ … ] |" in page
    assert "| responsible person | [ … ] | [ … ] |" in page
    assert "at the latest on 2036-12-31" in page


def test_what_the_lab_answered_is_filled_in(answered):
    page = words(agreement_template(answered))

    assert "| responsible person | Answer on creators. | [ … ] |" in page
    assert "cites them as follows: Answer on citation." in page


def test_what_is_not_known_stays_blank(contents):
    study = {**contents.study, "licence": None, "contact": None, "retention_until": None}
    page = words(agreement_template(replace(contents, study=study)))

    assert "| licence | [ … ] |" in page
    assert "at the latest on [ … ]" in page


def test_every_duty_has_a_section(contents):
    page = words(agreement_template(contents))

    assert "does not try to find out who a subject or a rater is" in page
    assert "does not use the data to identify or verify people by face" in page
    assert "gives the data, or parts of them, to nobody" in page
    assert "Within 30 days of a notice the recipient deletes what it names" in page
    assert "storage that is encrypted" in page
    assert "The agreement holds from the last signature." in page


def test_pictures_of_listed_subjects_alone_may_be_shown(contents):
    page = words(agreement_template(contents))

    assert "Pictures of these subjects alone may be shown" in page
    assert "`S02`, `V01`." in page
    assert "`S01`" not in page


def test_without_any_such_subject_no_picture_may_be_shown(contents):
    people = replace(
        contents, lines=contents.lines[:3], consents=Consents({"share": 2}, {"v3": 2}, 0, ())
    )
    unknown = replace(people, consents=None)

    assert "No picture of any subject is published or shown" in agreement_template(people)
    assert "No picture of any subject is published or shown" in agreement_template(unknown)


def test_simulated_subjects_may_need_no_agreement(contents, simulated_contents):
    assert "may not be needed at all" in words(agreement_template(simulated_contents))
    assert "may not be needed at all" not in words(agreement_template(contents))
