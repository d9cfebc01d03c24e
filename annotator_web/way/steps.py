"""The rater's way, step by step: what is done once, and what comes next.

Consent, instructions, device check, practice, the reaction-time clip, the sessions, the end. Each
is one row of the table `steps` when it is done; consent has its own table, clips and sessions are
takes. A rater who withdrew goes nowhere any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from sqlalchemy import insert, select

from annotator_web.project import CALIBRATION
from annotator_web.store import takes
from annotator_web.store.database import steps, withdrawals
from annotator_web.way.consent import has_agreed
from annotator_web.way.tasks import tasks_of
from mavfer.study.study import utc_now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from annotator_web.access.auth import Caller
    from annotator_web.project import Project

__all__ = [
    "Step",
    "StepName",
    "Wish",
    "done_step",
    "find_steps",
    "has_withdrawn",
    "next_step",
    "steps_before",
    "withdraw",
]

StepName = Literal[
    "consent",
    "instructions",
    "device",
    "practice",
    "calibration",
    "sessions",
    "end",
    "withdrawn",
]

Wish = Literal["stop", "erase"]
"""What happens to what a withdrawn rater gave: it is kept, or erased by the study's manager."""


_ORDER: Final = get_args(StepName)


@dataclass(frozen=True)
class Step:
    """One step of the way."""

    name: StepName

    def has_reached(self, name: StepName) -> bool:
        """Whether all that comes before the step `name` is done."""
        return _ORDER.index(self.name) >= _ORDER.index(name)


def next_step(connection: Connection, project: Project, caller: Caller) -> Step:
    """What comes next for a rater.

    A program with a bearer token is held up by none of the first steps.
    """
    if has_withdrawn(connection, caller.rater):
        return Step("withdrawn")
    first = _first_step(connection, project, caller.rater) if caller.has_cookie else None
    if first is not None:
        return Step(first)
    is_done = all(task.is_done for task in tasks_of(connection, project, caller))
    return Step("end" if is_done else "sessions")


def done_step(connection: Connection, rater: int, name: str, details: Mapping[str, Any]) -> None:
    """Keeps that a rater did a step."""
    row = {"rater": rater, "name": name, "done_utc": utc_now(), "details": dict(details)}
    connection.execute(insert(steps).values(row))


def find_steps(connection: Connection, rater: int, name: str) -> list[dict[str, Any]]:
    """Each time that a rater did a step, oldest first: {"done_utc", "details"}."""
    query = (
        select(steps.c.done_utc, steps.c.details)
        .where(steps.c.rater == rater, steps.c.name == name)
        .order_by(steps.c.id)
    )
    return [dict(row._mapping) for row in connection.execute(query)]


def has_withdrawn(connection: Connection, rater: int) -> bool:
    """Whether a rater wants to go no further."""
    query = select(withdrawals.c.rater).where(withdrawals.c.rater == rater)
    return connection.execute(query).first() is not None


def withdraw(connection: Connection, rater: int, wish: Wish) -> None:
    """Keeps a rater's wish; erasing is the manager's, by `mavfer withdraw`."""
    if not has_withdrawn(connection, rater):
        row = {"rater": rater, "wish": wish, "asked_utc": utc_now()}
        connection.execute(insert(withdrawals).values(row))


def steps_before(project: Project) -> tuple[StepName, ...]:
    """What comes before the sessions."""
    clip_of_practice = None if project.practice is None else project.practice.session
    has_practice = clip_of_practice is not None and project.can_be_rated(clip_of_practice)
    practice: tuple[StepName, ...] = ("practice",) if has_practice else ()
    clip: tuple[StepName, ...] = ("calibration",) if project.has_calibration else ()
    return ("consent", "instructions", "device", *practice, *clip)


def _first_step(connection: Connection, project: Project, rater: int) -> StepName | None:
    """The first of the steps before the sessions that is not done."""
    for name in steps_before(project):
        if name == "consent":
            is_done = has_agreed(connection, project, rater)
        elif name == "calibration":
            is_done = _is_calibrated(connection, rater)
        else:
            is_done = bool(find_steps(connection, rater, name))
        if not is_done:
            return name
    return None


def _is_calibrated(connection: Connection, rater: int) -> bool:
    found = takes.find_takes(connection, rater, CALIBRATION)
    return any(take.is_finished for take in found)
