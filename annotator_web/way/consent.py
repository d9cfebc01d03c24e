"""What a rater agrees to before a face is seen: the study's own words, or ours.

The text that was on the screen is kept once, under its hash; each agreement names that hash, the
version, the language and the time. Where the words change, raters are asked again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import insert, select

from annotator_web.store.database import agreed_texts, agreements
from annotator_web.way.language import words
from mavfer.study.study import utc_now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from annotator_web.project import Project

__all__ = [
    "OUR_VERSION",
    "Form",
    "agree",
    "consent_form",
    "has_agreed",
    "has_agreed_before",
    "in_language",
]

OUR_VERSION: Final = "mavfer-1"
"""Version of our own words, for studies that give none."""

_OUR_PARAGRAPHS: Final = ("task", "faces", "recorded", "voluntary", "withdraw", "kept")


@dataclass(frozen=True)
class Form:
    """What is agreed to, in one language."""

    version: str
    language: str
    """Language of the text; another than the page's where the study gives none in that."""
    text: str
    """An empty line parts paragraphs."""

    @property
    def sha256(self) -> str:
        """What tells this text from every other."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def paragraphs(self) -> list[str]:
        """The text, to be shown."""
        parts = self.text.replace("\r\n", "\n").split("\n\n")
        return [part.strip() for part in parts if part.strip()]


def consent_form(project: Project, language: str) -> Form:
    """What a rater who reads `language` is asked to agree to."""
    if project.consent is None:
        catalogue = words(language)
        paragraphs = [catalogue[f"consent.own.{name}"] for name in _OUR_PARAGRAPHS]
        return Form(OUR_VERSION, language, "\n\n".join(paragraphs))
    spoken, text = in_language(project.consent.text, language)
    return Form(project.consent.version, spoken, text)


def has_agreed(connection: Connection, project: Project, rater: int) -> bool:
    """Whether the last that a rater agreed to is what is asked today, in any language."""
    query = (
        select(agreements.c.version, agreements.c.text_sha256)
        .where(agreements.c.rater == rater)
        .order_by(agreements.c.id.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    forms = (consent_form(project, language) for language in _asked_languages(project))
    return row is not None and tuple(row) in {(form.version, form.sha256) for form in forms}


def has_agreed_before(connection: Connection, rater: int) -> bool:
    """Whether a rater agreed to any text, today's or an earlier one."""
    query = select(agreements.c.id).where(agreements.c.rater == rater).limit(1)
    return connection.execute(query).first() is not None


def agree(connection: Connection, rater: int, form: Form) -> None:
    """Keeps that a rater agreed to a form."""
    known = select(agreed_texts.c.text_sha256).where(agreed_texts.c.text_sha256 == form.sha256)
    if connection.execute(known).first() is None:
        row = {"text_sha256": form.sha256, "text": form.text}
        connection.execute(insert(agreed_texts).values(row))
    connection.execute(
        insert(agreements).values(
            rater=rater,
            text_sha256=form.sha256,
            version=form.version,
            language=form.language,
            agreed_utc=utc_now(),
        )
    )


def in_language(texts: Mapping[str, str], language: str) -> tuple[str, str]:
    """The study's own words in a language, or in the first that it gives; and which that is."""
    spoken = language if language in texts else next(iter(texts))
    return spoken, texts[spoken]


def _asked_languages(project: Project) -> tuple[str, ...]:
    """Languages in which a form of today can have been agreed to."""
    return project.languages if project.consent is None else tuple(project.consent.text)
