"""The pages that raters see: the invitation, the list of their faces, and the rating page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, redirect, render_template, request, url_for

from annotator_web.access.auth import COOKIE, find_caller, open_login, require_no_forgery
from annotator_web.project import CALIBRATION
from annotator_web.refusals import Refusal
from annotator_web.routes.rating_config import rating_config
from annotator_web.routes.spoken import LANGUAGE_COOKIE, language_of, way_back, words_of_pages
from annotator_web.routes.way_pages import add_way_pages, go_to, page_of, rate_url
from annotator_web.way.breaks import is_break_due
from annotator_web.way.calibration import SECONDS
from annotator_web.way.language import keep_language, words
from annotator_web.way.practice import practice_state
from annotator_web.way.steps import find_steps, next_step, steps_before
from annotator_web.way.tasks import minutes_left, task_for, tasks_of

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from werkzeug.wrappers import Response

    from annotator_web.access.auth import Caller
    from annotator_web.project import Practice
    from annotator_web.routes.context import Context
    from annotator_web.way.steps import Step, StepName
    from annotator_web.way.tasks import Task

__all__ = ["page_routes"]

_COOKIE_SECONDS: Final = 30 * 24 * 3600
_SEE_OTHER: Final = 303


def page_routes(context: Context) -> Blueprint:
    """Every page that a person opens."""
    routes = Blueprint("pages", __name__)
    routes.app_context_processor(lambda: words_of_pages(context))
    _add_doors(routes, context)
    add_way_pages(routes, context)

    @routes.get("/")
    def sessions() -> Any:
        caller = context.caller()
        with context.database.reading() as connection:
            step = next_step(connection, context.project, caller)
            if step.name == "consent":
                return redirect(page_of(step), _SEE_OTHER)
            return render_template("sessions.html", **_list(context, connection, caller, step))

    @routes.get("/next")
    def onward() -> Any:
        caller = context.caller()
        with context.database.reading() as connection:
            return go_to(context, connection, caller)

    @routes.get("/rate/<session>")
    def rate(session: str) -> Any:
        caller = context.caller()
        with context.database.reading() as connection:
            held_up = _held_up(context, connection, caller, session)
            if held_up is not None:
                return redirect(held_up, _SEE_OTHER)
            return render_template("rating.html", **_rating(context, connection, caller, session))

    return routes


def _add_doors(routes: Blueprint, context: Context) -> None:
    """The way in, and the language."""

    @routes.get("/invitation/<token>")
    def invitation(token: str) -> Any:
        cookie = open_login(context.database, token)
        if cookie is None:
            message = "This invitation is not valid, or it was taken back."
            raise Refusal(403, "not_invited", message, "Ask the study for a new link.")
        # The redirect takes the token out of the address bar and of what is shared from there.
        response = redirect(url_for("pages.sessions"), _SEE_OTHER)
        _set_cookie(response, COOKIE, cookie)
        return response

    @routes.post("/language")
    def language() -> Any:
        asked = _asked_language(context)
        caller = find_caller(context.database, request)
        if caller is not None:
            require_no_forgery(caller, request)
            rater = caller.rater
            context.database.write(lambda connection: keep_language(connection, rater, asked))
        response = redirect(way_back(request.form.get("back")), _SEE_OTHER)
        _set_cookie(response, LANGUAGE_COOKIE, asked)
        return response


def _asked_language(context: Context) -> str:
    asked = request.form.get("language")
    if asked not in context.project.languages:
        choices = ", ".join(context.project.languages)
        raise Refusal(400, "malformed", "no such language here", f"Choose from {choices}")
    return asked


def _set_cookie(response: Response, name: str, value: str) -> None:
    response.set_cookie(
        name,
        value,
        max_age=_COOKIE_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure,
    )


def _held_up(context: Context, connection: Connection, caller: Caller, session: str) -> str | None:
    """Where a person has to go before rating `session`; None where it can be rated now."""
    name: StepName = "sessions"
    if session == CALIBRATION and context.project.has_calibration:
        name = "calibration"
    elif context.project.is_practice(session):
        name = "practice"
    if caller.has_cookie:
        step = next_step(connection, context.project, caller)
        if not step.has_reached(name):
            return page_of(step)
    if name != "calibration":
        context.require_session(caller, session)
    if name == "sessions" and caller.has_cookie:
        return _break_before(context, connection, caller, session)
    return None


def _break_before(
    context: Context, connection: Connection, caller: Caller, session: str
) -> str | None:
    """The break that is due; what was begun is finished first."""
    task = task_for(tasks_of(connection, context.project, caller), session, _asked_dimension())
    is_begun = task is not None and task.is_begun and not task.is_done
    if is_begun or not is_break_due(connection, context.project, caller.rater):
        return None
    return url_for("pages.rest", on=request.full_path.rstrip("?"))


def _asked_dimension() -> str | None:
    return request.args.get("dimension")


def _rating(
    context: Context, connection: Connection, caller: Caller, session: str
) -> dict[str, Any]:
    """What the rating page is filled with; its script reads `config`."""
    tasks = tasks_of(connection, context.project, caller)
    task = task_for(tasks, session, _asked_dimension())
    language = language_of(context)
    config = rating_config(
        context,
        caller,
        session,
        position=None if task is None else task.position,
        total=None if task is None else len(tasks),
        next_url=url_for("pages.onward"),
        words=words(language),
        language=language,
    )
    return {"config": config}


def _list(context: Context, connection: Connection, caller: Caller, step: Step) -> dict[str, Any]:
    """What the list shows: what comes before the faces, then every face."""
    tasks = tasks_of(connection, context.project, caller)
    before = _before(context, connection, caller, step)
    following = next((task for task in tasks if not task.is_done), None)
    cards = [*before, *(_card(context, task, step, following) for task in tasks)]
    return {
        "cards": cards,
        "following": next((card for card in cards if card["state"] == "next"), None),
        "tasks": tasks,
        "done": sum(card["state"] == "done" for card in cards),
        "minutes": minutes_left(tasks),
    }


def _before(
    context: Context, connection: Connection, caller: Caller, step: Step
) -> list[dict[str, Any]]:
    """The practice clip and the reaction-time clip, where the study has them."""
    cards = []
    for name in steps_before(context.project):
        card: dict[str, Any]
        if name == "practice" and context.project.practice is not None:
            card = _practice_card(context, connection, context.project.practice, caller)
        elif name == "calibration":
            url = url_for("pages.rate", session=CALIBRATION)
            is_done = not caller.has_cookie or step.has_reached("sessions")
            card = {"url": url, "seconds": SECONDS, "is_begun": False, "is_done": is_done}
        else:
            continue
        state = "next" if step.name == name else "done" if card["is_done"] else "locked"
        cards.append({**card, "kind": name, "state": state})
    return cards


def _practice_card(
    context: Context, connection: Connection, practice: Practice, caller: Caller
) -> dict[str, Any]:
    state = practice_state(connection, context.project, practice, caller.rater)
    return {
        "url": url_for("pages.practice"),
        "seconds": context.project.media_table(practice.session).seconds,
        "is_begun": bool(state.tries or state.is_begun),
        "is_done": bool(find_steps(connection, caller.rater, "practice")),
    }


def _card(context: Context, task: Task, step: Step, following: Task | None) -> dict[str, Any]:
    is_single = len(context.project.groups()) > 1
    is_next = task is following and step.name == "sessions"
    is_open = task.is_begun and step.has_reached("sessions")
    state = "done" if task.is_done else "next" if is_next else "open" if is_open else "locked"
    return {
        "kind": "face",
        "number": task.position,
        "dimension": task.dimensions[0] if is_single else None,
        "seconds": task.seconds,
        "is_begun": task.is_begun,
        "state": state,
        "url": rate_url(context, task.session, task.dimensions),
    }
