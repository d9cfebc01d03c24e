"""What the rating page is filled with: everything that its script reads, as one document."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from flask import request, url_for

from annotator_web.access.auth import COOKIE, csrf_token, storage_key
from annotator_web.project import CALIBRATION
from annotator_web.store import takes
from annotator_web.way.language import words as catalogue
from mavfer.files import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from annotator_web.access.auth import Caller
    from annotator_web.project import Dimension
    from annotator_web.routes.context import Context

__all__ = ["asked_dimensions", "rating_config"]

_PASSED_ON: Final = ("room.", "dimension.")


def rating_config(
    context: Context,
    caller: Caller,
    session: str,
    *,
    position: int | None = None,
    total: int | None = None,
    next_url: str | None = None,
    words: Mapping[str, str] | None = None,
    language: str = "en",
) -> dict[str, Any]:
    """What the script of the rating page is told, of a session or of the reaction-time clip.

    Args:
        context: The study.
        caller: Who rates.
        session: A session that this rater may rate, or "calibration".
        position: Place among the rater's tasks, from 1; None where it has none.
        total: Number of tasks.
        next_url: Where "Next" leads; None for the list.
        words: The catalogue of the page's language; None for that of `language`.
        language: Code of that language.
    """
    home = url_for("pages.sessions")
    words = catalogue(language) if words is None else words
    return {
        "session": session,
        "position": position,
        "total": total,
        **_media(context, session),
        **_scale(context, session, words),
        "input": list(context.project.input),
        "feedback": context.project.feedback,
        "may_rewind": context.project.may_rewind and session != CALIBRATION,
        "take": _open_take(context, caller, session),
        "rater": storage_key(context.study.name, caller.code),
        "csrf": csrf_token(request.cookies[COOKIE]) if caller.has_cookie else "",
        "home": home,
        "next": next_url or home,
        "words": _words_of_the_room(words),
        "language": language,
        "purpose": _purpose(context, session),
    }


def asked_dimensions(context: Context, session: str) -> tuple[str, ...]:
    """The dimensions of this page's take: one of the project's groups, by `?dimension=`."""
    if session == CALIBRATION:
        return tuple(dimension.name for dimension in context.calibration_dimensions())
    groups = context.project.groups()
    asked = request.args.get("dimension")
    return next((group for group in groups if asked in group), groups[0])


def _media(context: Context, session: str) -> dict[str, Any]:
    """What is watched: the drawn clip, or a video with the times of its frames."""
    if session == CALIBRATION:
        clip = url_for("api.calibration_clip")
        return {"clip": clip, "video": None, "frames": None, "streams": [], "sound": False}
    return {
        "clip": None,
        "video": url_for("media.video", session=session),
        "frames": url_for("media.frames", session=session),
        "streams": list(context.project.streams_shown),
        "sound": bool(read_json(context.study.media_table_path(session))["has_audio"]),
    }


def _scale(context: Context, session: str, words: Mapping[str, str]) -> dict[str, Any]:
    names = asked_dimensions(context, session)
    return {
        "dimensions": [_dimension(d, words) for d in context.dimensions_named(names)],
        "scale": "bounded" if session == CALIBRATION else context.project.scale,
        "rate_seconds": context.project.rate_seconds,
    }


def _dimension(dimension: Dimension, words: Mapping[str, str]) -> dict[str, Any]:
    """The dimension, its ends in the page's language where the catalogue knows their words."""
    ends = {end: getattr(dimension, end) for end in ("low_word", "high_word")}
    return {**asdict(dimension), **{k: words.get(f"word.{v}", v) for k, v in ends.items()}}


def _open_take(context: Context, caller: Caller, session: str) -> dict[str, Any] | None:
    """The state of the take that was begun and not finished, if there is one."""
    names = asked_dimensions(context, session)
    with context.database.reading() as connection:
        found = takes.find_takes(connection, caller.rater, session)
        mine = [take for take in found if set(take.dimensions) == set(names)]
        is_open = bool(mine) and not mine[-1].is_finished
        return takes.state_of(connection, mine[-1]) if is_open else None


def _words_of_the_room(words: Mapping[str, str]) -> dict[str, str]:
    return {key: text for key, text in words.items() if key.startswith(_PASSED_ON)}


def _purpose(context: Context, session: str) -> str:
    """Why it is rated, as far as raters may know: a repeat is like any other to them."""
    if session == CALIBRATION:
        return "calibration"
    return "practice" if context.project.is_practice(session) else "rating"
