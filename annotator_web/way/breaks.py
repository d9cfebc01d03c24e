"""When a rater has watched for long enough to be offered a break, and what came of it.

Counted are the lengths of the clips that were finished since the rater last did nothing for three
minutes. A break that was skipped is offered again after half the time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from annotator_web.project import CALIBRATION
from annotator_web.store.database import takes
from annotator_web.way import calibration
from annotator_web.way.steps import done_step, find_steps
from mavfer.errors import NotFound

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from annotator_web.project import Project

__all__ = ["BREAK_SECONDS", "end_break", "is_break_due", "minutes_watched"]

BREAK_SECONDS: Final = 180
"""A rest that counts as one."""

_SECONDS_A_MINUTE: Final = 60
_STEP: Final = "break"


def is_break_due(
    connection: Connection, project: Project, rater: int, now: datetime | None = None
) -> bool:
    """Whether it is time to offer a rater a break."""
    if not project.break_minutes:
        return False
    moment = now or datetime.now(UTC)
    watched = _watched_since_a_rest(connection, project, rater, moment)
    offers = find_steps(connection, rater, _STEP)
    offered = _moment(offers[-1]["done_utc"]) if offers else None
    since_offer = [s for finished, s in watched if offered is None or finished > offered]
    limit = project.break_minutes * _SECONDS_A_MINUTE
    has_enough = sum(seconds for _, seconds in watched) >= limit
    return has_enough and (offered is None or sum(since_offer) >= limit / 2)


def minutes_watched(connection: Connection, project: Project, rater: int) -> int:
    """Minutes of clips since the last rest."""
    watched = _watched_since_a_rest(connection, project, rater, datetime.now(UTC))
    return round(sum(seconds for _, seconds in watched) / _SECONDS_A_MINUTE)


def end_break(connection: Connection, rater: int) -> None:
    """Keeps how long a rater rested, counted from the last finished take."""
    last = connection.execute(
        select(takes.c.finished_utc)
        .where(takes.c.rater == rater, takes.c.finished_utc.is_not(None))
        .order_by(takes.c.finished_utc.desc())
        .limit(1)
    ).scalar()
    rested = 0.0 if last is None else (datetime.now(UTC) - _moment(last)).total_seconds()
    details = {"seconds": round(rested), "skipped": rested < BREAK_SECONDS}
    done_step(connection, rater, _STEP, details)


def _watched_since_a_rest(
    connection: Connection, project: Project, rater: int, now: datetime
) -> list[tuple[datetime, float]]:
    """When each clip since the last rest was finished, and its length in seconds."""
    query = (
        select(takes.c.session, takes.c.created_utc, takes.c.finished_utc)
        .where(takes.c.rater == rater, takes.c.finished_utc.is_not(None))
        .order_by(takes.c.finished_utc)
    )
    rows = connection.execute(query).all()
    if not rows or _seconds_between(rows[-1].finished_utc, now) >= BREAK_SECONDS:
        return []
    first = 0
    for at, (before, after) in enumerate(pairwise(rows), start=1):
        if _seconds_between(before.finished_utc, _moment(after.created_utc)) >= BREAK_SECONDS:
            first = at
    return [(_moment(row.finished_utc), _seconds_of(project, row)) for row in rows[first:]]


def _seconds_of(project: Project, row: Any) -> float:
    if row.session == CALIBRATION:
        return calibration.SECONDS
    try:
        return project.media_table(row.session).seconds
    except NotFound:  # the session left the study since
        return _seconds_between(row.created_utc, _moment(row.finished_utc))


def _seconds_between(earlier: str, later: datetime) -> float:
    return (later - _moment(earlier)).total_seconds()


def _moment(utc: str) -> datetime:
    return datetime.fromisoformat(utc)
