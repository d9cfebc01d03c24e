"""How far every rater is: what `mavfer annotate status` says, as JSON and as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select

from annotator_web.desk.raters import reaction_of
from annotator_web.store.database import agreements, chunks, invitations, raters, withdrawals
from annotator_web.store.takes import find_takes
from annotator_web.way.plan import is_done, plan_of
from annotator_web.way.steps import find_steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from annotator_web.project import Project
    from annotator_web.store.database import Database
    from annotator_web.store.takes import Take

__all__ = ["status", "table_of"]

_COLUMNS: Final = (
    ("rater", 14),
    ("done", 9),
    ("open", 5),
    ("agreed", 11),
    ("practice", 9),
    ("reaction", 9),
    ("breaks", 7),
    ("", 14),
)
_NOTHING: Final = "-"
_DATE_LENGTH: Final = len("2026-01-31")
_WISHES: Final[dict[str, str]] = {"stop": "withdrew", "erase": "to be erased"}


def status(database: Database, project: Project) -> dict[str, Any]:
    """Every rater's progress, and what is held in all."""
    sessions = project.sessions()
    with database.reading() as connection:
        totals = connection.execute(
            select(func.count(), func.coalesce(func.sum(chunks.c.samples), 0))
        ).one()
        rows = connection.execute(select(raters).order_by(raters.c.code)).all()
        return {
            "sessions": len(sessions),
            "chunks": totals[0],
            "samples": totals[1],
            "raters": [_rater_status(connection, project, row, sessions) for row in rows],
        }


def table_of(document: dict[str, Any]) -> str:
    """The same as a table of at most 80 columns."""
    lines = [f"{document['sessions']} sessions, {document['samples']} samples held"]
    if document["raters"]:
        lines.append(_line([name for name, _ in _COLUMNS]))
    return "\n".join([*lines, *(_line(_cells(each)) for each in document["raters"])])


def _rater_status(
    connection: Connection, project: Project, row: Any, sessions: Sequence[str]
) -> dict[str, Any]:
    found = find_takes(connection, row.id)
    given = [take for take in found if take.purpose in {"rating", "repeat"}]
    finished = {take.session for take in given if take.is_finished}
    invited = _invited_to(connection, row.id, sessions)
    entries = plan_of(connection, project, row.id, invited)
    done = [entry for entry in entries if is_done(entry, found)]
    return {
        "rater": row.code,
        "kind": row.kind,
        "language": row.language,
        "is_invited": _is_invited(connection, row.id),
        "withdrawn": connection.execute(
            select(withdrawals.c.wish).where(withdrawals.c.rater == row.id)
        ).scalar(),
        "agreed_utc": connection.execute(
            select(func.max(agreements.c.agreed_utc)).where(agreements.c.rater == row.id)
        ).scalar(),
        "planned": len(entries),
        "done": len(done),
        "repeats_planned": sum(entry.is_repeat for entry in entries),
        "repeats_done": sum(entry.is_repeat for entry in done),
        "finished_sessions": len(finished & set(sessions)),
        "finished_takes": sum(take.is_finished for take in given),
        "open_takes": sum(not take.is_finished for take in given),
        "practice": _practice(connection, row.id, found),
        "reaction_seconds": reaction_of(connection, project, row.id).seconds,
        "breaks": len(find_steps(connection, row.id, "break")),
    }


def _is_invited(connection: Connection, rater: int) -> bool:
    valid = (invitations.c.rater == rater) & invitations.c.revoked_utc.is_(None)
    return bool(connection.execute(select(func.count()).where(valid)).scalar_one())


def _invited_to(connection: Connection, rater: int, sessions: Sequence[str]) -> list[str]:
    """Sessions that any invitation of a rater names, also one that was taken back."""
    query = select(invitations.c.sessions).where(invitations.c.rater == rater)
    named = [names for (names,) in connection.execute(query)]
    if None in named:
        return list(sessions)
    return [session for session in sessions if any(session in names for names in named)]


def _practice(connection: Connection, rater: int, found: Sequence[Take]) -> dict[str, Any] | None:
    """What came of the practice clip; None where it was not tried."""
    noted = find_steps(connection, rater, "practice")
    if noted:
        details: dict[str, Any] = noted[-1]["details"]
        return details
    tries = sum(take.is_finished for take in found if take.purpose == "practice")
    return {"tries": tries, "passed": False} if tries else None


def _cells(rater: dict[str, Any]) -> list[str]:
    reaction, agreed = rater["reaction_seconds"], rater["agreed_utc"]
    return [
        rater["rater"],
        f"{rater['done']} of {rater['planned']}",
        str(rater["open_takes"]),
        _NOTHING if agreed is None else agreed[:_DATE_LENGTH],
        _practice_cell(rater["practice"]),
        _NOTHING if reaction is None else f"{reaction:.2f} s",
        str(rater["breaks"]),
        _state(rater),
    ]


def _practice_cell(practice: dict[str, Any] | None) -> str:
    if practice is None:
        return _NOTHING
    if practice.get("passed"):
        return "passed"
    return f"{practice['tries']} tried"


def _state(rater: dict[str, Any]) -> str:
    if rater["withdrawn"] is not None:
        return _WISHES[rater["withdrawn"]]
    if not rater["is_invited"]:
        return "revoked"
    return "simulated" if rater["kind"] == "simulated" else ""


def _line(cells: Sequence[str]) -> str:
    """One line; what is wider than its column is cut, and keeps a blank after it."""
    parts = [
        cell[: width - 1].ljust(width) for cell, (_, width) in zip(cells, _COLUMNS, strict=True)
    ]
    return "".join(parts).rstrip()
