"""What every page is spoken in: the rater's language, and the words that all templates share."""

from __future__ import annotations

import re
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from flask import g, request
from sqlalchemy.exc import SQLAlchemyError

from annotator_web.access.auth import COOKIE, csrf_token, find_caller, storage_key
from annotator_web.way import language as spoken
from annotator_web.way.language import say

if TYPE_CHECKING:
    from annotator_web.access.auth import Caller
    from annotator_web.refusals import Refusal
    from annotator_web.routes.context import Context

__all__ = ["LANGUAGE_COOKIE", "language_of", "way_back", "words_of_pages"]

LANGUAGE_COOKIE: Final = "mavfer_language"
"""What somebody chose who is no rater (yet)."""

_ADDRESS: Final = re.compile(r"(https?://[^\s<>]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+)")
_SECONDS_SHOWN: Final = 90
"""Clips below are told in seconds, others in minutes."""

_ERRORS: Final = {
    HTTPStatus.UNAUTHORIZED: "not_invited",
    HTTPStatus.FORBIDDEN: "not_invited",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "not_found",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_large",
    HTTPStatus.TOO_MANY_REQUESTS: "too_many",
}
_OWN_WORDS: Final = ("not_invited", "withdrawn", "forged")


def language_of(context: Context) -> str:
    """The language of this request's rater."""
    if "language" not in g:
        asked = _chosen(context) or request.cookies.get(LANGUAGE_COOKIE)
        accepted = request.headers.get("Accept-Language")
        g.language = spoken.choose(asked, accepted, context.project.languages)
    language: str = g.language
    return language


def words_of_pages(context: Context) -> dict[str, Any]:
    """What every template may use, the pages of errors too."""
    language = language_of(context)
    caller = _caller(context)
    has_cookie = caller is not None and caller.has_cookie
    return {
        "t": partial(say, language),
        "number": partial(spoken.number, language),
        "length": partial(_length, language),
        "word": partial(_translated, language, "word"),
        "dimension_name": partial(_translated, language, "dimension"),
        "language": language,
        "direction": spoken.direction(language),
        "languages": {code: spoken.NAMES[code] for code in context.project.languages},
        "contact": _linked(context.project.contact),
        "csrf": csrf_token(request.cookies[COOKIE]) if has_cookie else "",
        "may_withdraw": has_cookie and caller is not None and not caller.has_withdrawn,
        "storage_key": _storage_key(context, caller) if has_cookie else "",
        "study": context.study.name,
        "here": request.full_path if request.query_string else request.path,
        "told": _error_words,
    }


def way_back(asked: str | None) -> str:
    """A path of ours that a form may lead back to; the list for anything else."""
    path = asked or ""
    is_ours = path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path if is_ours and path.isprintable() else "/"


def _caller(context: Context) -> Caller | None:
    """The rater, as far as the database can tell; pages of errors are shown without it too."""
    try:
        return find_caller(context.database, request)
    except SQLAlchemyError:
        return None


def _chosen(context: Context) -> str | None:
    caller = _caller(context)
    if caller is None:
        return None
    try:
        with context.database.reading() as connection:
            return spoken.chosen_language(connection, caller.rater)
    except SQLAlchemyError:
        return None


def _storage_key(context: Context, caller: Caller | None) -> str:
    """Under what the browser keeps this rater's samples."""
    code = "" if caller is None else caller.code
    return storage_key(context.study.name, code)


def _length(language: str, seconds: float) -> str:
    """A clip's length, in words."""
    if seconds < _SECONDS_SHOWN:
        return say(language, "length.seconds", count=max(1, round(seconds)))
    return say(language, "length.minutes", count=round(seconds / 60))


def _translated(language: str, kind: str, given: str) -> str:
    """A word of the study: translated where we know it, else as it is."""
    return spoken.words(language).get(f"{kind}.{given}", given)


def _linked(text: str | None) -> list[tuple[str, str | None]]:
    """The contact in pieces, each with what it links to."""
    pieces = _ADDRESS.split(text or "")
    return [(piece, _link(piece)) for piece in pieces if piece]


def _link(piece: str) -> str | None:
    if not _ADDRESS.fullmatch(piece):
        return None
    return piece if piece.startswith("http") else f"mailto:{piece}"


def _error_words(refusal: Refusal) -> str:
    """Which words of the catalogue tell people of a refusal."""
    if refusal.code in _OWN_WORDS:
        return refusal.code
    if refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "server"
    return _ERRORS.get(HTTPStatus(refusal.status), "other")
