from pathlib import Path

import pytest

from mavfer.errors import InvalidFile
from mavfer.release.questions import QUESTIONS, answer_or_gap, open_questions, read_answers


def test_answers_are_read_by_key_and_empty_ones_stay_open(tmp_path):
    path = tmp_path / "datasheet.toml"
    path.write_text('funding = "Grant 7."\nethics = """\nBoard 3.\n"""\nsetting = " "\n')

    assert read_answers(path) == {"funding": "Grant 7.", "ethics": "Board 3."}


def test_without_the_file_there_are_no_answers(tmp_path):
    assert read_answers(tmp_path / "datasheet.toml") == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("funding = ", "not readable as TOML"),
        ('fundign = "Grant 7"', "'fundign' is no question. Questions are purpose, creators"),
        ("funding = 7", "the answer to 'funding' is not text"),
    ],
)
def test_a_file_that_answers_nothing_is_refused(tmp_path, text, problem):
    path = tmp_path / "datasheet.toml"
    path.write_text(text)

    with pytest.raises(InvalidFile, match=problem):
        read_answers(path)


def test_a_file_of_other_letters_is_refused(tmp_path):
    path = tmp_path / "datasheet.toml"
    path.write_bytes(b'funding = "\xff"')

    with pytest.raises(InvalidFile, match="not readable as TOML"):
        read_answers(path)


def test_every_question_is_open_until_it_is_answered(contents, answered):
    assert [question.key for question in open_questions(contents)] == list(QUESTIONS)
    assert open_questions(answered) == []


def test_simulated_subjects_are_not_asked_about_people(simulated_contents):
    keys = {question.key for question in open_questions(simulated_contents)}

    assert not keys & {"recruitment", "ethics", "stimuli", "raters"}
    assert "citation" in keys


def test_a_gap_is_marked_and_an_answer_stands_as_it_was_given(
    contents, simulated_contents, answered
):
    assert answer_or_gap(contents, "ethics").startswith("**TO FILL IN** (`ethics`): which board")
    assert answer_or_gap(answered, "ethics") == "Answer on ethics."
    assert answer_or_gap(simulated_contents, "ethics") == ""


def test_every_question_stands_in_the_docs():
    page = (Path(__file__).parents[3] / "docs" / "release.md").read_text(encoding="utf-8")

    for question in QUESTIONS.values():
        assert f"| `{question.key}` | {question.text} |" in page
