"""The pages that raters see: the invitation, the list of their sessions, and the rating page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, redirect, render_template, request, url_for

from annotator_web.access.auth import COOKIE, open_login
from annotator_web.project import CALIBRATION
from annotator_web.refusals import Refusal
from annotator_web.routes.rating_config import rating_config
from annotator_web.store import takes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from annotator_web.access.auth import Caller
    from annotator_web.routes.context import Context
    from annotator_web.store.takes import Take

__all__ = ["page_routes"]

_COOKIE_SECONDS: Final = 30 * 24 * 3600
_SEE_OTHER: Final = 303


def page_routes(context: Context) -> Blueprint:
    """Every page that a person opens."""
    routes = Blueprint("pages", __name__)

    @routes.get("/invitation/<token>")
    def invitation(token: str) -> Any:
        cookie = open_login(context.database, token)
        if cookie is None:
            message = "This invitation is not valid, or it was taken back."
            raise Refusal(403, "not_invited", message, "Ask the study for a new link.")
        # The redirect takes the token out of the address bar and of what is shared from there.
        response = redirect(url_for("pages.sessions"), _SEE_OTHER)
        response.set_cookie(
            COOKIE,
            cookie,
            max_age=_COOKIE_SECONDS,
            httponly=True,
            samesite="Lax",
            secure=request.is_secure,
        )
        return response

    @routes.get("/")
    def sessions() -> Any:
        tasks = _tasks(context, context.caller())
        return render_template(
            "sessions.html",
            study=context.study.name,
            tasks=tasks,
            next_task=next((task for task in tasks if not task["is_done"]), None),
            done=sum(task["is_done"] for task in tasks),
            minutes=_minutes(tasks),
        )

    @routes.get("/rate/<session>")
    def rate(session: str) -> Any:
        caller = context.caller()
        is_clip = session == CALIBRATION and context.project.has_calibration
        if not is_clip:
            context.require_session(caller, session)
            if _must_calibrate(context, caller):
                return redirect(url_for("pages.rate", session=CALIBRATION), _SEE_OTHER)
        return render_template("rating.html", **_rating_page(context, caller, session))

    return routes


def _tasks(context: Context, caller: Caller) -> list[dict[str, Any]]:
    """One entry a take that is asked for: the reaction-time clip, then every session."""
    names = [CALIBRATION] if context.project.has_calibration else []
    tasks = []
    with context.database.reading() as connection:
        for session in [*names, *context.sessions_of(caller)]:
            found = takes.find_takes(connection, caller.rater, session)
            groups = [None] if session == CALIBRATION else context.project.groups()
            tasks += [_task(context, session, group, found) for group in groups]
    is_calibrated = not names or tasks[0]["is_done"]
    for number, task in enumerate(tasks[len(names) :], start=1):
        task.update(number=number, is_locked=not is_calibrated)
    return tasks


def _task(
    context: Context, session: str, group: tuple[str, ...] | None, found: Sequence[Take]
) -> dict[str, Any]:
    own = [take for take in found if group is None or set(take.dimensions) == set(group)]
    is_single = group is not None and len(context.project.groups()) > 1
    query: dict[str, Any] = {"dimension": group[0]} if group and is_single else {}
    return {
        "session": session,
        "is_clip": session == CALIBRATION,
        "is_done": any(take.is_finished for take in own),
        "is_begun": bool(own),
        "is_locked": False,
        "dimension": group[0] if group and is_single else None,
        "seconds": context.limits(session, []).seconds,
        "url": url_for("pages.rate", session=session, **query),
    }


def _minutes(tasks: Sequence[dict[str, Any]]) -> int:
    """Minutes of rating that are left, at least one where anything is."""
    left = sum(task["seconds"] for task in tasks if not task["is_done"])
    return -int(-left // 60)


def _must_calibrate(context: Context, caller: Caller) -> bool:
    """Whether the reaction-time clip is still to be done."""
    if not context.project.has_calibration:
        return False
    with context.database.reading() as connection:
        found = takes.find_takes(connection, caller.rater, CALIBRATION)
    return not any(take.is_finished for take in found)


def _rating_page(context: Context, caller: Caller, session: str) -> dict[str, Any]:
    """What the rating page is filled with; its script reads `config`."""
    return {"config": rating_config(context, caller, session), "study": context.study.name}
