"""The sessions that a rater is asked to rate, in the plan's order, and how far the rater is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from annotator_web.store import takes
from annotator_web.way.plan import plan_of, takes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from annotator_web.access.auth import Caller
    from annotator_web.project import Project

__all__ = ["Task", "minutes_left", "task_for", "tasks_of"]

_SECONDS_A_MINUTE = 60


@dataclass(frozen=True)
class Task:
    """One take that is asked for; whether it is a repeat is not told."""

    position: int
    """Place among the rater's tasks, from 1."""
    session: str
    dimensions: tuple[str, ...]
    is_begun: bool
    is_done: bool
    seconds: float
    """Length of the clip."""


def tasks_of(connection: Connection, project: Project, caller: Caller) -> list[Task]:
    """Every take that a rater is asked for, in order."""
    sessions = [name for name in project.sessions() if caller.may_rate(name)]
    entries = plan_of(connection, project, caller.rater, sessions)
    found = {name: takes.find_takes(connection, caller.rater, name) for name in sessions}
    tasks = []
    for entry in entries:
        own = takes_of(entry, found[entry.session])
        tasks.append(
            Task(
                position=entry.position,
                session=entry.session,
                dimensions=entry.dimensions,
                is_begun=bool(own),
                is_done=any(take.is_finished for take in own),
                seconds=project.media_table(entry.session).seconds,
            )
        )
    return tasks


def task_for(tasks: Sequence[Task], session: str, dimension: str | None = None) -> Task | None:
    """The task that a rating page is for: the first of this session that is not done, or the last.

    Args:
        tasks: All of the rater.
        session: Session of the page.
        dimension: One that is rated; None for the first group.
    """
    mine = [task for task in tasks if task.session == session]
    mine = [task for task in mine if dimension is None or dimension in task.dimensions] or mine
    return next((task for task in mine if not task.is_done), mine[-1] if mine else None)


def minutes_left(tasks: Sequence[Task]) -> int:
    """Minutes of rating that are left, at least one where anything is."""
    left = sum(task.seconds for task in tasks if not task.is_done)
    return -int(-left // _SECONDS_A_MINUTE)
