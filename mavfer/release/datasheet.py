"""DATASHEET.md: what the data are, how they came about, and what they may be used for.

The groups of questions are those of T. Gebru et al., Datasheets for Datasets, Communications of
the ACM 64(12), 2021; order, headings and words are ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mavfer.release.datasheet_composition import composition
from mavfer.release.datasheet_making import collection, processing
from mavfer.release.questions import ANSWERS_FILE, answer_or_gap, open_questions
from mavfer.release.wording import (
    bullets,
    listed,
    page,
    paragraph,
    plain,
    size_text,
    table,
    time_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mavfer.release.contents import Contents

__all__ = ["datasheet", "study_gaps"]

_STUDY_QUESTIONS: Final = {
    "description": "a few sentences on what the study is",
    "licence": "the licence of the data",
    "contact": "whom subjects and users may write to",
}
_DAY: Final = len("2026-07-30")


def datasheet(contents: Contents) -> str:
    """The whole page."""
    return page(
        [
            *_head(contents),
            *_motivation(contents),
            *composition(contents),
            *collection(contents),
            *processing(contents),
            *_uses(contents),
            *_distribution(contents),
            *_maintenance(contents),
        ]
    )


def study_gaps(contents: Contents) -> dict[str, str]:
    """What study.json leaves open, by its key."""
    return {key: text for key, text in _STUDY_QUESTIONS.items() if not contents.study[key]}


def _head(contents: Contents) -> Iterator[str]:
    yield f"# Datasheet: {plain(contents.name)} {plain(contents.version)}"
    yield paragraph(
        f"Written on {contents.created_utc[:_DAY]} from the study's own files. The groups of "
        "questions are those of Gebru et al., Datasheets for Datasets (Communications of the ACM, "
        "2021); the words are not."
    )
    yield from _open_points(contents)
    yield "## At a glance"
    study = contents.study
    yield table(
        ("", "this release"),
        [
            ("subjects", f"{len(contents.subjects):,}"),
            ("sessions", f"{len(contents.lines):,}"),
            ("frames", f"{contents.frames:,}"),
            ("time", time_text(contents.seconds)),
            ("streams", listed(contents.streams)),
            ("labels", listed(label.name for label in contents.labels)),
            ("size", size_text(contents.size)),
            ("licence", plain(study["licence"] or "not decided")),
            ("contact", plain(study["contact"] or "not decided")),
            ("to be deleted after", study["retention_until"] or "no date"),
        ],
        words=(0, 1),
    )


def _open_points(contents: Contents) -> Iterator[str]:
    gaps = study_gaps(contents)
    questions = open_questions(contents)
    if not gaps and not questions:
        return
    yield "## Still open"
    yield paragraph(
        f"{len(gaps) + len(questions)} points can only be filled in by those who made the data. "
        f'They answer in the study, in `{ANSWERS_FILE}` (a line `key = "answer"`) or in '
        "`study.json`, and release again: the files of a release never change."
    )
    yield bullets(
        [
            *(f"`{key}` in `study.json`: {text}" for key, text in gaps.items()),
            *(f"`{question.key}`: {question.text}" for question in questions),
        ]
    )


def _motivation(contents: Contents) -> Iterator[str]:
    yield "## Why it was made (motivation)"
    yield contents.study["description"].strip() or _study_gap("description")
    yield from (answer_or_gap(contents, key) for key in ("purpose", "creators", "funding"))


def _uses(contents: Contents) -> Iterator[str]:
    yield "## What it may be used for (uses)"
    rated = listed(each["name"] for each in contents.study["dimensions"])
    yield paragraph(
        f"The data suit research on how {rated} show in a face over time, in "
        f"{listed(contents.streams)}: training models, comparing them over subjects that they "
        "have not seen, and studying how raters see faces. Report scores over the splits given "
        "here, or over others that divide by subject."
    )
    yield answer_or_gap(contents, "past_uses")
    yield "They must not be used"
    yield bullets(
        [
            "to find out who a subject is, or to recognise people by face;",
            "to decide on a single person: in hiring, teaching, policing, insurance or medicine;",
            "to claim that a face tells what somebody feels, thinks or intends: labels are what "
            "raters saw.",
        ]
    )
    yield paragraph(
        "Some uses are forbidden by law in some places. In the European Union inferring emotions "
        "of people at work and in education is one of them (Regulation (EU) 2024/1689, Article 5)."
    )
    yield answer_or_gap(contents, "unwanted_uses")
    yield "### Pictures of subjects"
    yield from _pictures(contents)


def _pictures(contents: Contents) -> Iterator[str]:
    """Whose faces may be printed."""
    simulated = contents.simulated_subjects
    if simulated:
        yield paragraph(
            f"Pictures of the simulated subjects ({_codes(simulated)}) may be shown anywhere; say "
            "that they are simulated."
        )
    if simulated == contents.subjects:
        return
    allowed = contents.consents.publishable if contents.consents is not None else ()
    if allowed:
        yield paragraph(
            f"{len(allowed)} of {len(contents.subjects)} subjects agreed that their pictures are "
            f"shown in papers, talks and pages: {_codes(allowed)}. Nobody else's picture may be "
            "shown, in any stream, not even blurred."
        )
    else:
        yield "No picture of a real subject may be shown, in any stream, not even blurred."


def _distribution(contents: Contents) -> Iterator[str]:
    yield "## How it is given away (distribution)"
    licence = contents.study["licence"]
    yield f"Licence: {plain(licence)}." if licence else _study_gap("licence")
    yield paragraph(
        f"This is version {plain(contents.version)}. `release.json` lists every file with its "
        "SHA-256, `croissant.json` describes them for programs, and `DATA_USE_AGREEMENT.md` is "
        "the template of an agreement with those who get the data."
    )
    yield from (answer_or_gap(contents, key) for key in ("address", "access", "citation"))


def _maintenance(contents: Contents) -> Iterator[str]:
    yield "## How it is kept up (maintenance)"
    contact = contents.study["contact"]
    yield f"Contact: {plain(contact)}." if contact else _study_gap("contact")
    yield answer_or_gap(contents, "upkeep")
    yield paragraph(
        "A release never changes. What is corrected or withdrawn makes a new version; whoever has "
        "an older one gets a notice and deletes what it names."
    )
    until = contents.study["retention_until"]
    if until:
        yield f"The data must be deleted, in all copies, after {until}."


def _study_gap(key: str) -> str:
    return f"**TO FILL IN** (`{key}` in `study.json`): {_STUDY_QUESTIONS[key]}."


def _codes(subjects: tuple[str, ...]) -> str:
    return ", ".join(f"`{code}`" for code in subjects)
