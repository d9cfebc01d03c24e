"""Inviting raters, taking invitations back, and how late each follows what happens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from sqlalchemy import func, insert, select, update

from annotator_web.access.auth import hash_of, new_token
from annotator_web.project import CALIBRATION
from annotator_web.store.database import invitations, notes, raters, takes, withdrawals
from annotator_web.store.samples import names_of
from annotator_web.store.takes import samples_of
from annotator_web.way import calibration
from mavfer.errors import CommandError, NotFound
from mavfer.study.study import utc_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from annotator_web.project import Project
    from annotator_web.store.database import Database

__all__ = [
    "RaterKind",
    "Reaction",
    "base_url",
    "invite",
    "note_url",
    "reaction_of",
    "revoke",
]

RaterKind = Literal["person", "simulated"]

_CODE: Final = re.compile(r"^[A-Za-z0-9_]{1,32}$")
_DEFAULT_URL: Final = "http://127.0.0.1:8420"
_URL_NOTE: Final = "url"


@dataclass(frozen=True)
class Reaction:
    """How late a rater follows what happens, measured with the reaction-time clip."""

    seconds: float | None
    """None where no clip was finished, or it was not followed."""
    take: int | None
    """The take of the clip that it comes from."""


def invite(
    database: Database,
    project: Project,
    rater: str,
    *,
    sessions: Sequence[str] = (),
    kind: RaterKind = "person",
    language: str | None = None,
) -> str:
    """A new token for a rater, who is added where not known yet; the database keeps its hash alone.

    Args:
        database: The annotator's database.
        project: The rating project.
        rater: The rater's code.
        sessions: What the rater may rate; empty for all of the project.
        kind: A person, or a program that rates from truth.
        language: What the pages speak until the rater chooses; None for what the browser asks for.

    Raises:
        CommandError: The code cannot be one, the rater is known as of another kind or withdrew, or
            the language is none of the project's.
        NotFound: A session cannot be rated.
    """
    if not _CODE.match(rater):
        message = f"{rater!r}: not a rater code (1 to 32 letters, digits or _)"
        raise CommandError(message)
    unknown = sorted(set(sessions) - set(project.sessions()))
    if unknown:
        message = (
            f"session {unknown[0]}: cannot be rated; it is unknown, has no media, or may not be "
            f"rated. Run: mavfer preprocess {project.study.root}"
        )
        raise NotFound(message)
    if language is not None and language not in project.languages:
        message = f"--language {language}: choose from {', '.join(project.languages)}"
        raise CommandError(message)
    token = new_token()

    def change(connection: Connection) -> None:
        row = {
            "rater": _rater_row(connection, rater, kind, language),
            "token_sha256": hash_of(token),
            "sessions": list(sessions) or None,
            "created_utc": utc_now(),
        }
        connection.execute(insert(invitations).values(row))

    database.write(change)
    return token


def revoke(database: Database, rater: str) -> int:
    """Takes all invitations of a rater back, at once also for open pages; returns how many.

    Raises:
        NotFound: No rater has this code.
    """

    def change(connection: Connection) -> int | None:
        key = connection.execute(select(raters.c.id).where(raters.c.code == rater)).scalar()
        if key is None:
            return None
        valid = (invitations.c.rater == key) & invitations.c.revoked_utc.is_(None)
        count = connection.execute(select(func.count()).where(valid)).scalar_one()
        connection.execute(update(invitations).where(valid), {"revoked_utc": utc_now()})
        return int(count)

    count = database.write(change)
    if count is None:
        message = f"rater {rater}: not known. See: mavfer annotate status STUDY"
        raise NotFound(message)
    return count


def reaction_of(connection: Connection, project: Project, rater: int) -> Reaction:
    """What the rater's last finished reaction-time clip says."""
    query = (
        select(takes.c.id, takes.c.number, takes.c.dimensions)
        .where(
            takes.c.rater == rater,
            takes.c.session == CALIBRATION,
            takes.c.finished_utc.is_not(None),
        )
        .order_by(takes.c.number.desc())
    )
    row = connection.execute(query).first()
    if row is None:
        return Reaction(None, None)
    known = {dimension.name: dimension for dimension in project.dimensions}
    if not set(row.dimensions) <= set(known):
        return Reaction(None, row.number)
    columns = samples_of(connection, row.id, names_of(row.dimensions))
    dimensions = [known[name] for name in row.dimensions]
    seconds = calibration.reaction_of(columns[0], columns[3:-1], dimensions)
    return Reaction(seconds, row.number)


def note_url(database: Database, url: str) -> None:
    """Remembers where the server is reached, for the links of later invitations."""

    def change(connection: Connection) -> None:
        connection.execute(notes.delete().where(notes.c.name == _URL_NOTE))
        connection.execute(insert(notes).values(name=_URL_NOTE, value=url))

    database.write(change)


def base_url(database: Database) -> str:
    """Where the server was last reached; the default where none has run yet."""
    with database.reading() as connection:
        found = connection.execute(select(notes.c.value).where(notes.c.name == _URL_NOTE)).scalar()
    return found or _DEFAULT_URL


def _rater_row(connection: Connection, code: str, kind: RaterKind, language: str | None) -> int:
    """Key of the rater's row, which is made where it is missing."""
    row = connection.execute(select(raters).where(raters.c.code == code)).first()
    if row is None:
        values = {"code": code, "kind": kind, "created_utc": utc_now(), "language": language}
        made = connection.execute(insert(raters).values(values))
        return int(made.lastrowid)
    if row.kind != kind:
        message = f"rater {code}: is known as {row.kind}. Choose another code"
        raise CommandError(message)
    wish = select(withdrawals.c.wish).where(withdrawals.c.rater == row.id)
    if connection.execute(wish).first() is not None:
        message = f"rater {code}: withdrew. Who takes part again gets another code"
        raise CommandError(message)
    if language is not None:
        connection.execute(
            update(raters).where(raters.c.id == row.id).values({"language": language})
        )
    return int(row.id)
