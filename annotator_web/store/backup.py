"""Copies of the database, made and put back while the server runs or not."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from annotator_web.store.migrate import OLDEST, copy_database, migrate
from annotator_web.store.tables import APPLICATION_ID, VERSION
from mavfer.errors import AlreadyThere, InvalidFile, NotFound, WrongVersion
from mavfer.files import replacing

if TYPE_CHECKING:
    from pathlib import Path

    from mavfer.study.study import Study

__all__ = ["back_up", "restore"]


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
        copy_database(database, part)


def restore(copy: Path, database: Path, study: Study | None = None) -> Path | None:
    """Puts the backup `copy` in the place of the database, also under a running server.

    Args:
        copy: The backup, of this version or an older one.
        database: The database.
        study: What is rated; see `migrate`.

    Returns:
        Where what was there before was saved to; None where nothing was.

    Raises:
        NotFound: There is no such backup.
        InvalidFile: It is damaged, or no annotator's database.
        WrongVersion: A later version wrote it.
    """
    _require_whole(copy)
    saved = None
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    if database.is_file():
        saved = database.with_name(f"before-restore-{stamp}.sqlite")
        back_up(database, saved)
    database.parent.mkdir(parents=True, exist_ok=True)
    # An older backup is brought to today's tables aside, so that no server ever sees it half done.
    ready = database.with_name(f"restoring-{stamp}.sqlite")
    try:
        copy_database(copy, ready)
        migrate(ready, study, keep_copy=False)
        copy_database(ready, database)
    finally:
        ready.unlink(missing_ok=True)
    return saved


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
    if not OLDEST <= version <= VERSION:
        message = (
            f"{copy}: tables of version {version}, this mavfer knows version {VERSION}. "
            "Update mavfer"
        )
        raise WrongVersion(message)
