"""The pages before, between and after the faces: consent to the last thanks, and withdrawal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import abort, make_response, redirect, render_template, request, url_for

from annotator_web.access.auth import COOKIE
from annotator_web.project import CALIBRATION
from annotator_web.refusals import Refusal
from annotator_web.routes.spoken import LANGUAGE_COOKIE, language_of, way_back
from annotator_web.way.breaks import BREAK_SECONDS, end_break, minutes_watched
from annotator_web.way.consent import agree, consent_form, has_agreed_before, in_language
from annotator_web.way.device import device_details, has_sound
from annotator_web.way.drawing import plots_of
from annotator_web.way.practice import MOST_TRIES, State, practice_state
from annotator_web.way.steps import (
    done_step,
    find_steps,
    next_step,
    steps_before,
    withdraw,
)
from annotator_web.way.tasks import tasks_of

if TYPE_CHECKING:
    from flask import Blueprint
    from sqlalchemy import Connection

    from annotator_web.access.auth import Caller
    from annotator_web.routes.context import Context
    from annotator_web.way.steps import Step, StepName, Wish

__all__ = ["add_way_pages", "go_to", "page_of", "rate_url"]

_SEE_OTHER: Final = 303
_PAGES: Final[dict[StepName, str]] = {
    "consent": "pages.consent",
    "instructions": "pages.instructions",
    "device": "pages.device",
    "practice": "pages.practice",
    "sessions": "pages.sessions",
    "end": "pages.end",
}


def page_of(step: Step) -> str:
    """The address of a step's page."""
    if step.name == "calibration":
        return url_for("pages.rate", session=CALIBRATION)
    return url_for(_PAGES[step.name])


def go_to(context: Context, connection: Connection, caller: Caller) -> Any:
    """Leads a rater to what comes next: a step's page, or straight to the next face."""
    step = next_step(connection, context.project, caller)
    if step.name != "sessions":
        return redirect(page_of(step), _SEE_OTHER)
    tasks = tasks_of(connection, context.project, caller)
    following = next(task for task in tasks if not task.is_done)
    return redirect(rate_url(context, following.session, following.dimensions), _SEE_OTHER)


def rate_url(context: Context, session: str, dimensions: tuple[str, ...]) -> str:
    """The address of a rating page; it names the dimension where one is rated at a time."""
    is_single = len(context.project.groups()) > 1
    dimension = dimensions[0] if is_single else None
    return url_for("pages.rate", session=session, dimension=dimension)


def add_way_pages(routes: Blueprint, context: Context) -> None:
    """Adds every page that is none of a face."""
    _add_consent(routes, context)
    _add_instructions(routes, context)
    _add_device(routes, context)
    _add_practice(routes, context)
    _add_rest(routes, context)
    _add_end(routes, context)
    _add_withdrawal(routes, context)


def _add_consent(routes: Blueprint, context: Context) -> None:
    @routes.get("/consent")
    def consent() -> Any:
        return _consent_page(context, context.caller(), is_missing=False)

    @routes.post("/consent")
    def agreed() -> Any:
        caller = context.changing_caller()
        form = consent_form(context.project, language_of(context))
        # What is agreed to is what was on the screen: a text that changed meanwhile is shown again.
        has_read = request.form.get("text") == form.sha256
        if request.form.get("agree") != "yes" or not has_read:
            return _consent_page(context, caller, is_missing=has_read)
        context.database.write(lambda connection: agree(connection, caller.rater, form))
        return redirect(url_for("pages.onward"), _SEE_OTHER)


def _consent_page(context: Context, caller: Caller, *, is_missing: bool) -> Any:
    form = consent_form(context.project, language_of(context))
    with context.database.reading() as connection:
        is_again = has_agreed_before(connection, caller.rater)
    page = render_template(
        "consent.html",
        form=form,
        is_missing=is_missing,
        is_again=is_again,
        **_place(context, "consent"),
    )
    return page, 400 if is_missing else 200


def _add_instructions(routes: Blueprint, context: Context) -> None:
    @routes.get("/instructions")
    def instructions() -> Any:
        caller = _who_reached(context, "instructions")
        own = context.project.instructions
        own_words = None if own is None else in_language(own, language_of(context))
        return render_template(
            "instructions.html",
            own=own_words,
            project=context.project,
            has_sound=has_sound(context.project, context.sessions_of(caller)),
            **_place(context, "instructions"),
        )

    @routes.post("/instructions")
    def understood() -> Any:
        return _done(context, "instructions", {"language": language_of(context)})


def _add_device(routes: Blueprint, context: Context) -> None:
    def page(caller: Caller, *, is_missing: bool) -> Any:
        return render_template(
            "device.html",
            has_sound=has_sound(context.project, context.sessions_of(caller)),
            has_gamepad=bool({"gamepad", "joystick"} & set(context.project.input)),
            is_missing=is_missing,
            **_place(context, "device"),
        )

    @routes.get("/device")
    def device() -> Any:
        return page(_who_reached(context, "device"), is_missing=False)

    @routes.post("/device")
    def checked() -> Any:
        caller = context.changing_caller()
        details = device_details(request.form.get("results", ""))
        if details is None:
            return page(caller, is_missing=True), 400
        return _done(context, "device", details)


def _add_practice(routes: Blueprint, context: Context) -> None:
    @routes.get("/practice")
    def practice() -> Any:
        caller = _who_reached(context, "practice")
        state = _practice_of(context, caller)
        plots = [] if state.outcome is None else plots_of(state.outcome, context.project.dimensions)
        return render_template(
            "practice.html",
            state=state,
            plots=plots,
            most=MOST_TRIES,
            seconds=context.project.media_table(state.session).seconds,
            rate_url=rate_url(context, state.session, state.next_dimensions),
            **_place(context, "practice"),
        )

    @routes.post("/practice")
    def go_on() -> Any:
        caller = context.changing_caller()
        state = _practice_of(context, caller)
        if not state.may_go_on:
            return redirect(url_for("pages.practice"), _SEE_OTHER)
        return _done(context, "practice", state.details())


def _practice_of(context: Context, caller: Caller) -> State:
    practice = context.project.practice
    if practice is None or "practice" not in steps_before(context.project):
        raise Refusal(404, "not_found", "this study has no practice clip", "Go to the list")
    with context.database.reading() as connection:
        return practice_state(connection, context.project, practice, caller.rater)


def _add_rest(routes: Blueprint, context: Context) -> None:
    @routes.get("/break")
    def rest() -> Any:
        caller = _who_reached(context, "sessions")
        with context.database.reading() as connection:
            minutes = minutes_watched(connection, context.project, caller.rater)
        return render_template(
            "break.html",
            watched=60 * max(1, minutes),
            seconds=BREAK_SECONDS,
            on=way_back(request.args.get("on")),
        )

    @routes.post("/break")
    def rested() -> Any:
        caller = context.changing_caller()
        context.database.write(lambda connection: end_break(connection, caller.rater))
        return redirect(way_back(request.form.get("on")), _SEE_OTHER)


def _add_end(routes: Blueprint, context: Context) -> None:
    @routes.get("/end")
    def end() -> Any:
        caller = context.caller()
        with context.database.reading() as connection:
            step = next_step(connection, context.project, caller)
            if step.name != "end":
                return redirect(url_for("pages.sessions"), _SEE_OTHER)
            tasks = tasks_of(connection, context.project, caller)
        minutes = max(1, round(sum(task.seconds for task in tasks) / 60))
        return render_template("end.html", faces=len(tasks), minutes=minutes)


def _add_withdrawal(routes: Blueprint, context: Context) -> None:
    @routes.get("/withdraw")
    def withdrawal() -> Any:
        context.caller()
        return render_template("withdraw.html", is_missing=False, wish=None)

    @routes.post("/withdraw")
    def withdrawn() -> Any:
        caller = context.changing_caller()
        wish: Wish | None = _WISHES.get(request.form.get("wish", ""))
        if wish is None or request.form.get("sure") != "yes":
            return render_template("withdraw.html", is_missing=True, wish=wish), 400
        language = language_of(context)
        context.database.write(lambda connection: withdraw(connection, caller.rater, wish))
        response = make_response(redirect(url_for("pages.withdrawn_page", wish=wish), _SEE_OTHER))
        response.delete_cookie(COOKIE)
        response.set_cookie(LANGUAGE_COOKIE, language, httponly=True, samesite="Lax")
        return response

    @routes.get("/withdrawn")
    def withdrawn_page() -> Any:
        return render_template("withdrawn.html", wish=request.args.get("wish"))


_WISHES: Final[dict[str, Wish]] = {"stop": "stop", "erase": "erase"}


def _who_reached(context: Context, name: StepName) -> Caller:
    """The rater, who has been led as far as this step; others are sent where they are."""
    caller = context.caller()
    with context.database.reading() as connection:
        step = next_step(connection, context.project, caller)
    if caller.has_cookie and not step.has_reached(name):
        abort(redirect(page_of(step), _SEE_OTHER))
    return caller


def _done(context: Context, name: StepName, details: dict[str, Any]) -> Any:
    """Keeps a step, once, and leads on."""
    caller = context.changing_caller()

    def change(connection: Connection) -> None:
        step = next_step(connection, context.project, caller)
        if step.has_reached(name) and not find_steps(connection, caller.rater, name):
            done_step(connection, caller.rater, name, details)

    context.database.write(change)
    return redirect(url_for("pages.onward"), _SEE_OTHER)


def _place(context: Context, name: StepName) -> dict[str, int]:
    """Which of the steps before the faces a page is."""
    steps = steps_before(context.project)
    return {"step": steps.index(name) + 1, "steps": len(steps)} if name in steps else {}
