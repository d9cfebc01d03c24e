"""What only the lab can say of its data, asked in our own words.

The lab answers in `datasheet.toml`, a file of its own beside study.json with a line
`key = "answer"` for each. What has no answer stands in the documents as a line to fill in.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from mavfer.errors import InvalidFile
from mavfer.release.wording import paragraph

if TYPE_CHECKING:
    from pathlib import Path

    from mavfer.release.contents import Contents

__all__ = [
    "ANSWERS_FILE",
    "QUESTIONS",
    "Question",
    "answer_or_gap",
    "open_questions",
    "read_answers",
]

ANSWERS_FILE: Final = "datasheet.toml"

Whom = Literal["all", "people", "person raters"]


@dataclass(frozen=True)
class Question:
    """One thing that no file of the study says."""

    key: str
    """Key in `datasheet.toml`."""
    text: str
    """The question."""
    concerns: Whom = "all"
    """Asked of every release, of those with real subjects, or of those rated by people."""


_ASKED: Final = (
    Question("purpose", "which question the data were made for, and what was missing before"),
    Question("creators", "who made the data, and for which institution"),
    Question("funding", "who paid, with grant numbers"),
    Question(
        "population",
        "whom the subjects stand for, who is missing among them, and how they were described",
        "people",
    ),
    Question(
        "recruitment", "how subjects were found, who could take part, what they were paid", "people"
    ),
    Question("setting", "room, light, distance to the cameras, what subjects were told", "people"),
    Question(
        "stimuli",
        "what subjects watched, heard or did, and who holds the rights in that material",
        "people",
    ),
    Question("ethics", "which board approved the study, when, under which number", "people"),
    Question(
        "information",
        "what subjects were told of risks, and how they can take back consent",
        "people",
    ),
    Question(
        "sensitive", "what in the data may harm, embarrass or upset a subject or a viewer", "people"
    ),
    Question(
        "raters",
        "who the raters are, how they were chosen, instructed, trained and paid",
        "person raters",
    ),
    Question("raw_data", "whether the raw recordings are kept, where, and who may see them"),
    Question("past_uses", "what the data were used for so far, with references"),
    Question("unwanted_uses", "uses beyond those named here that should not happen, and why"),
    Question("address", "web address at which the data are offered"),
    Question("access", "how to ask for the data, and who decides"),
    Question("citation", "how to cite the data"),
    Question("upkeep", "who answers questions and mends errors, until when, and who is told"),
)

QUESTIONS: Final[dict[str, Question]] = {question.key: question for question in _ASKED}
"""By key, in the order of the datasheet."""


def read_answers(path: Path) -> dict[str, str]:
    """The lab's answers by key; none where the file is missing.

    Raises:
        InvalidFile: The file is not TOML, asks what nobody asked, or an answer is not text.
    """
    if not path.is_file():
        return {}
    try:
        answers = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f'{path}: not readable as TOML ({error}). Write lines such as funding = "…"'
        raise InvalidFile(message) from error
    for key, answer in answers.items():
        if key not in QUESTIONS:
            message = f"{path}: {key!r} is no question. Questions are {', '.join(QUESTIONS)}"
            raise InvalidFile(message)
        if not isinstance(answer, str):
            message = f"{path}: the answer to {key!r} is not text. Put it in quotation marks"
            raise InvalidFile(message)
    return {key: answer.strip() for key, answer in answers.items() if answer.strip()}


def open_questions(contents: Contents) -> list[Question]:
    """Questions that concern this release and have no answer, in order."""
    return [
        question
        for key, question in QUESTIONS.items()
        if key not in contents.answers and _is_asked(question, contents)
    ]


def answer_or_gap(contents: Contents, key: str) -> str:
    """The lab's answer, else the marked line; empty where the question does not concern it."""
    question = QUESTIONS[key]
    if key in contents.answers:
        return contents.answers[key]
    if not _is_asked(question, contents):
        return ""
    return paragraph(f"**TO FILL IN** (`{key}`): {question.text}.")


def _is_asked(question: Question, contents: Contents) -> bool:
    if question.concerns == "people":
        return set(contents.subjects) != set(contents.simulated_subjects)
    if question.concerns == "person raters":
        ratings = contents.ratings
        return ratings is not None and set(ratings.kinds) != {"simulated"}
    return True
