"""The words of the pages: one catalogue a language, and which of them a rater is spoken to in.

A catalogue is a flat JSON object, key to text with {placeholders}. A text that counts has one key
for each form that its language has: `length.minutes.one`, `length.minutes.other`. Numbers in files
are none of this: they have a point whatever the language.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import select, update
from werkzeug.http import parse_accept_header

from annotator_web.store.database import raters
from mavfer.files import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

__all__ = [
    "NAMES",
    "choose",
    "chosen_language",
    "direction",
    "keep_language",
    "number",
    "plural_forms",
    "say",
    "words",
]

NAMES: Final = {"en": "English", "de": "Deutsch", "ar": "العربية"}
"""Languages of the pages, each in its own words."""

_FOLDER: Final = Path(__file__).parent.parent / "catalogue"
_RIGHT_TO_LEFT: Final = ("ar",)
_ARABIC_FORMS: Final = ("zero", "one", "two", "few", "many", "other")
_FORMS: Final = {"en": ("one", "other"), "de": ("one", "other"), "ar": _ARABIC_FORMS}
_FEW: Final = range(3, 11)
_MANY: Final = range(11, 100)
_DECIMAL_COMMA: Final = ("de",)


@lru_cache
def words(language: str) -> Mapping[str, str]:
    """The catalogue of one language, key to text."""
    return MappingProxyType(read_json(_FOLDER / f"{language}.json"))


def say(language: str, key: str, **values: Any) -> str:
    """The text of `key`, filled in; `count` chooses the form where the text counts.

    Raises:
        KeyError: The catalogue has no such key.
    """
    catalogue = words(language)
    if "count" in values and key not in catalogue:
        key = f"{key}.{_form(language, values['count'])}"
    return catalogue[key].format_map(values)


def choose(asked: str | None, accepted: str | None, languages: Sequence[str]) -> str:
    """The language that a rater is spoken to in.

    Args:
        asked: What the rater chose; None for no choice yet.
        accepted: The browser's Accept-Language header.
        languages: Those of the project; its first one serves who understands none of them.

    >>> choose(None, "fr;q=0.9, de-AT;q=0.8", ("en", "de"))
    'de'
    """
    if asked in languages:
        return str(asked)
    # The best first; of "ar-EG" the first part is what counts.
    wanted = (tag.partition("-")[0].lower() for tag in parse_accept_header(accepted).values())
    return next((tag for tag in wanted if tag in languages), languages[0])


def chosen_language(connection: Connection, rater: int) -> str | None:
    """The language that a rater chose; None before."""
    found: str | None = connection.execute(
        select(raters.c.language).where(raters.c.id == rater)
    ).scalar()
    return found


def keep_language(connection: Connection, rater: int, language: str) -> None:
    """Keeps what a rater chose."""
    connection.execute(update(raters).where(raters.c.id == rater), {"language": language})


def direction(language: str) -> Literal["ltr", "rtl"]:
    """Where a line begins."""
    return "rtl" if language in _RIGHT_TO_LEFT else "ltr"


def number(language: str, value: float, digits: int = 0) -> str:
    """A number as people of that language write it; for pages alone.

    >>> number("de", 0.625, 2)
    '0,62'
    """
    text = f"{value:.{digits}f}".replace("-", "\u2212")
    return text.replace(".", ",") if language in _DECIMAL_COMMA else text


def plural_forms(language: str) -> tuple[str, ...]:
    """The forms that a counted text has (Unicode CLDR, plural rules of whole numbers)."""
    return _FORMS[language]


def _form(language: str, count: int) -> str:
    if _FORMS[language] is not _ARABIC_FORMS:
        return "one" if count == 1 else "other"
    if count < len(("zero", "one", "two")):
        return _ARABIC_FORMS[count]
    if count % 100 in _FEW:
        return "few"
    return "many" if count % 100 in _MANY else "other"
