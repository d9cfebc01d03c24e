"""The annotator's database: raters, invitations, takes and chunks, written by one thread.

SQLite in WAL mode with synchronous=FULL: once a transaction is committed it is on the disk. The
server hands every change to one thread (`store.writer`); commands write from their own process, a
transaction each. A database of an older version is brought to today's when it is opened.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import DatabaseError

from annotator_web.store.migrate import OLDEST, migrate
from annotator_web.store.tables import (
    APPLICATION_ID,
    VERSION,
    agreed_texts,
    agreements,
    chunks,
    invitations,
    logins,
    metadata,
    notes,
    plans,
    raters,
    steps,
    takes,
    withdrawals,
)
from annotator_web.store.writer import NotStored, Writer, write_alone
from mavfer.errors import CommandError, InvalidFile, WrongVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine

    from mavfer.study.study import Study

    Answer = TypeVar("Answer")
    Change = Callable[[Connection], Answer]

__all__ = [
    "APPLICATION_ID",
    "VERSION",
    "Database",
    "NotStored",
    "agreed_texts",
    "agreements",
    "chunks",
    "database_path",
    "invitations",
    "logins",
    "notes",
    "plans",
    "raters",
    "steps",
    "takes",
    "withdrawals",
]

_LOCK_SECONDS: Final = 30
_READERS: Final = 40
_LONGEST_LOG_PAGES: Final = 4_000
"""16 MiB of log before a commit brings the rest of it into the database, which is little then."""


def database_path(study: Study, database: str | None = None) -> Path:
    """File of the annotator's database: the study's own, or the one that `database` names.

    Args:
        study: The study.
        database: A path, or a URL such as sqlite:////srv/annotator.sqlite; None for the default.

    Raises:
        CommandError: The URL is of another kind of database.
    """
    if database is None:
        return study.root / "annotator" / "annotator.sqlite"
    if "://" not in database:
        return Path(database)
    url = make_url(database)
    if url.get_backend_name() != "sqlite" or not url.database:
        message = f"--database {database}: only sqlite:///FILE is supported"
        raise CommandError(message)
    return Path(url.database)


class Database:
    """The tables, for reading by many threads and writing by one."""

    def __init__(self, path: Path, study: Study | None = None) -> None:
        """Opens the database, and makes it where it is missing.

        Args:
            path: The file.
            study: What is rated, whose scale takes of version 1 were given on.

        Raises:
            InvalidFile: The file is not a database of the annotator.
            WrongVersion: It was written by a later version.
        """
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._engine = _open_engine(path)
        self._writing_engine = self._engine.execution_options(is_writing=True)
        self._writer: Writer | None = None
        try:
            self._prepare(study)
        except BaseException:
            self._engine.dispose()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Hands out a connection that sees one moment of the database."""
        with self._engine.begin() as connection:
            yield connection

    def write(self, change: Change[Answer]) -> Answer:
        """What `change` returns, once all that it changed is on the disk.

        An exception out of `change` undoes its own changes alone.

        Raises:
            NotStored: The disk refused; nothing was changed.
        """
        if self._writer is not None:
            return self._writer.write(change)
        return write_alone(self._writing_engine, change)

    def start_writer(self) -> None:
        """From now on one thread makes all changes, and commits those that wait together."""
        if self._writer is None:
            self._writer = Writer(self._writing_engine)

    def close(self) -> None:
        """Ends the writing thread after what it was given, and closes the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._engine.dispose()

    def _prepare(self, study: Study | None) -> None:
        try:
            found = self.write(_make_tables)
            if found < VERSION:
                migrate(self.path, study)
        except DatabaseError as error:
            message = f"{self.path}: not a database ({error.orig}). Restore it from a backup"
            raise InvalidFile(message) from error
        except WrongVersion as error:
            message = f"{self.path}: {error}"
            raise WrongVersion(message) from None


def _make_tables(connection: Connection) -> int:
    """Makes the tables in a new file; the version that they have now."""
    found = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    if found == 0:
        metadata.create_all(connection)
        connection.exec_driver_sql(f"PRAGMA user_version={VERSION}")
        connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
        return VERSION
    if not OLDEST <= found <= VERSION:
        message = f"tables of version {found}, this mavfer knows version {VERSION}. Update mavfer"
        raise WrongVersion(message)
    return found


def _open_engine(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        pool_size=_READERS,
        connect_args={"timeout": _LOCK_SECONDS, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: Any) -> None:
        # Python's driver would begin transactions on its own, and late; `_begin` does it instead.
        connection.isolation_level = None
        # secure_delete: what a withdrawal deletes must not stay in free pages.
        pragmas = ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON")
        for pragma in (*pragmas, f"wal_autocheckpoint={_LONGEST_LOG_PAGES}"):
            connection.execute(f"PRAGMA {pragma}")
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode=WAL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        is_writing = connection.get_execution_options().get("is_writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")

    return engine
