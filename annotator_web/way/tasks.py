"""The sessions that a rater is asked to rate, in the plan's order, and how far the rater is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from annotator_web.store import takes

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from annotator_web.access.auth import Caller
    from annotator_web.project import Project
    from annotator_web.store.takes import Take

__all__ = ["Task", "minutes_left", "tasks_of"]


@dataclass(frozen=True)
class Task:
    """One take that is asked for."""

    position: int
    """Place among the rater's tasks, from 1."""
    session: str
    dimensions: tuple[str, ...]
    is_repeat: bool
    """Whether the session is shown for the second time; raters are never told."""
    is_begun: bool
    is_done: bool
    seconds: float
    """Length of the clip."""


def tasks_of(connection: Connection, project: Project, caller: Caller) -> list[Task]:
    """Every take that a rater is asked for, in order."""
    entries = [
        (session, dimensions, False)
        for session in project.sessions()
        if caller.may_rate(session)
        for dimensions in project.groups()
    ]
    tasks = []
    for position, (session, dimensions, is_repeat) in enumerate(entries, start=1):
        found = takes.find_takes(connection, caller.rater, session)
        own = [take for take in found if _is_of(take, dimensions, is_repeat=is_repeat)]
        tasks.append(
            Task(
                position=position,
                session=session,
                dimensions=dimensions,
                is_repeat=is_repeat,
                is_begun=bool(own),
                is_done=any(take.is_finished for take in own),
                seconds=project.media_table(session).seconds,
            )
        )
    return tasks


def minutes_left(tasks: list[Task]) -> int:
    """Minutes of rating that are left, at least one where anything is."""
    left = sum(task.seconds for task in tasks if not task.is_done)
    return -int(-left // 60)


def _is_of(take: Take, dimensions: tuple[str, ...], *, is_repeat: bool) -> bool:
    is_asked = set(take.dimensions) == set(dimensions)
    return is_asked and take.purpose == ("repeat" if is_repeat else "rating")
