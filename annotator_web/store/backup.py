"""Copies of the database, made and put back while the server runs or not."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from annotator_web.store.database import APPLICATION_ID, VERSION
from mavfer.errors import AlreadyThere, InvalidFile, NotFound, WrongVersion
from mavfer.files import replacing

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["back_up", "restore"]

_LOCK_SECONDS: Final = 30


def back_up(database: Path, copy: Path) -> None:
    """Writes one moment of the database to the new file `copy`.

    Raises:
        NotFound: There is no database yet.
        AlreadyThere: `copy` exists; a backup is never overwritten.
    """
    if not database.is_file():
        message = f"{database}: no database yet. Run: mavfer annotate invite, or serve"
        raise NotFound(message)
    if copy.exists():
        message = f"{copy}: exists. Choose another name for the backup"
        raise AlreadyThere(message)
    with replacing(copy) as part:
        part.unlink(missing_ok=True)
        _copy(database, part)


def restore(copy: Path, database: Path) -> Path | None:
    """Puts the backup `copy` in the place of the database, also under a running server.

    Returns:
        Where what was there before was saved to; None where nothing was.

    Raises:
        NotFound: There is no such backup.
        InvalidFile: It is damaged, or no annotator's database.
    """
    _require_whole(copy)
    saved = None
    if database.is_file():
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
        saved = database.with_name(f"before-restore-{stamp}.sqlite")
        back_up(database, saved)
    database.parent.mkdir(parents=True, exist_ok=True)
    _copy(copy, database)
    return saved


def _copy(source: Path, target: Path) -> None:
    """SQLite's own copy: one moment of `source`, written to `target` in one transaction."""
    with (
        closing(sqlite3.connect(source, timeout=_LOCK_SECONDS)) as reading,
        closing(sqlite3.connect(target, timeout=_LOCK_SECONDS)) as writing,
    ):
        writing.execute("PRAGMA synchronous=FULL")
        reading.backup(writing)


def _require_whole(copy: Path) -> None:
    if not copy.is_file():
        message = f"{copy}: no such backup"
        raise NotFound(message)
    try:
        with closing(sqlite3.connect(f"{copy.resolve().as_uri()}?mode=ro", uri=True)) as reading:
            kind = reading.execute("PRAGMA application_id").fetchone()[0]
            version = reading.execute("PRAGMA user_version").fetchone()[0]
            verdict = reading.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        message = f"{copy}: not readable as a database ({error}). Choose another backup"
        raise InvalidFile(message) from error
    if kind != APPLICATION_ID or verdict != "ok":
        message = f"{copy}: not a whole backup of the annotator ({verdict}). Choose another one"
        raise InvalidFile(message)
    if version != VERSION:
        message = f"{copy}: tables of version {version}, this mavfer knows version {VERSION}"
        raise WrongVersion(message)
