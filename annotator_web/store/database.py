"""The annotator's database: raters, invitations, takes and chunks, written by one thread.

SQLite in WAL mode with synchronous=FULL: once a transaction is committed it is on the disk. The
server hands every change to one thread, which commits all that waits in one go; so many raters
share the cost of one sync. Commands write from their own process, a transaction each.
"""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import DatabaseError

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

VERSION: Final = 2
"""Layout of the tables, kept in SQLite's user_version."""

APPLICATION_ID: Final = 0x6D617666
"""The letters "mavf", kept in SQLite's application_id."""

_LARGEST_GROUP: Final = 256
_LOCK_SECONDS: Final = 30
_READERS: Final = 40

_metadata = MetaData()

raters = Table(
    "raters",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("code", String, nullable=False, unique=True),
    Column("kind", String, nullable=False),
    Column("created_utc", String, nullable=False),
    Column("language", String),
)
invitations = Table(
    "invitations",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("rater", ForeignKey("raters.id"), nullable=False),
    Column("token_sha256", String, nullable=False, unique=True),
    Column("sessions", JSON(none_as_null=True)),
    Column("created_utc", String, nullable=False),
    Column("revoked_utc", String),
)
logins = Table(
    "logins",
    _metadata,
    Column("cookie_sha256", String, primary_key=True),
    Column("invitation", ForeignKey("invitations.id"), nullable=False),
    Column("created_utc", String, nullable=False),
)
takes = Table(
    "takes",
    _metadata,
    Column("id", String, primary_key=True),
    Column("rater", ForeignKey("raters.id"), nullable=False),
    Column("session", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("dimensions", JSON, nullable=False),
    Column("client", JSON, nullable=False),
    # rating, repeat (a session shown again without a word), practice or calibration.
    Column("purpose", String, nullable=False),
    # {"kind", "low", "high"} of each dimension, as it was when the take began.
    Column("scale", JSON, nullable=False),
    Column("video_sha256", String),
    Column("contiguous", Integer, nullable=False),
    Column("created_utc", String, nullable=False),
    Column("finished_utc", String),
    Column("chunks", Integer),
    Column("samples", Integer),
    UniqueConstraint("rater", "session", "number"),
)
chunks = Table(
    "chunks",
    _metadata,
    Column("take", ForeignKey("takes.id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("samples", Integer, nullable=False),
    Column("last_media_time", Float, nullable=False),
    Column("blob", LargeBinary, nullable=False),
)
agreements = Table(
    "agreements",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("rater", ForeignKey("raters.id"), nullable=False),
    Column("text_sha256", ForeignKey("agreed_texts.text_sha256"), nullable=False),
    Column("version", String, nullable=False),
    Column("language", String, nullable=False),
    Column("agreed_utc", String, nullable=False),
)
agreed_texts = Table(
    "agreed_texts",
    _metadata,
    Column("text_sha256", String, primary_key=True),
    Column("text", String, nullable=False),
)
steps = Table(
    "steps",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("rater", ForeignKey("raters.id"), nullable=False),
    # instructions, device, practice, break
    Column("name", String, nullable=False),
    Column("done_utc", String, nullable=False),
    Column("details", JSON, nullable=False),
)
plans = Table(
    "plans",
    _metadata,
    Column("rater", ForeignKey("raters.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("session", String, nullable=False),
    Column("dimensions", JSON, nullable=False),
    Column("is_repeat", Boolean, nullable=False),
)
withdrawals = Table(
    "withdrawals",
    _metadata,
    Column("rater", ForeignKey("raters.id"), primary_key=True),
    # stop (what was given is kept) or erase
    Column("wish", String, nullable=False),
    Column("asked_utc", String, nullable=False),
)
notes = Table(
    "notes",
    _metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)


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

    def __init__(self, path: Path) -> None:
        """Opens the database, and makes it where it is missing.

        Raises:
            InvalidFile: The file is not a database of the annotator.
            WrongVersion: It was written by another version.
        """
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._engine = _open_engine(path)
        self._writing_engine = self._engine.execution_options(is_writing=True)
        self._writer: _Writer | None = None
        try:
            self._prepare()
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

        `change` must refuse before it writes: an exception out of it undoes its own changes alone.
        """
        if self._writer is not None:
            return self._writer.write(change)
        return _write_alone(self._writing_engine, change)

    def start_writer(self) -> None:
        """From now on one thread makes all changes, and commits those that wait together."""
        if self._writer is None:
            self._writer = _Writer(self._writing_engine)

    def close(self) -> None:
        """Ends the writing thread after what it was given, and closes the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._engine.dispose()

    def _prepare(self) -> None:
        try:
            self.write(_make_tables)
        except DatabaseError as error:
            message = f"{self.path}: not a database ({error.orig}). Restore it from a backup"
            raise InvalidFile(message) from error
        except WrongVersion as error:
            message = f"{self.path}: {error}"
            raise WrongVersion(message) from None


class _Writer:
    """The thread that makes all changes of a server."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: queue.SimpleQueue[tuple[Change[Any], Future[Any]] | None]
        self._waiting = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="annotator-writer", daemon=True)
        self._thread.start()

    def write(self, change: Change[Answer]) -> Answer:
        """Waits until `change` is committed."""
        answer: Future[Answer] = Future()
        self._waiting.put((change, answer))
        return answer.result()

    def close(self) -> None:
        """Returns when everything that waits is committed."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_open = True
        while is_open:
            group, is_open = self._next_group()
            if group:
                self._commit(group)

    def _next_group(self) -> tuple[list[tuple[Change[Any], Future[Any]]], bool]:
        """All that waits now, at least one; and whether more may come."""
        group: list[tuple[Change[Any], Future[Any]]] = []
        item = self._waiting.get()
        while item is not None:
            group.append(item)
            if len(group) == _LARGEST_GROUP or self._waiting.empty():
                return group, True
            item = self._waiting.get()
        return group, False

    def _commit(self, group: list[tuple[Change[Any], Future[Any]]]) -> None:
        """One transaction for all; where one of them fails, one for each."""
        try:
            with self._engine.begin() as connection:
                answers = [change(connection) for change, _ in group]
        except Exception:  # noqa: BLE001,RUF100 (whatever it is, each is told its own outcome)
            self._commit_each(group)
            return
        for (_, answer), value in zip(group, answers, strict=True):
            answer.set_result(value)

    def _commit_each(self, group: list[tuple[Change[Any], Future[Any]]]) -> None:
        for change, answer in group:
            try:
                value = _write_alone(self._engine, change)
            except Exception as error:  # noqa: BLE001,RUF100 (raised again where it is waited for)
                answer.set_exception(error)
            else:
                answer.set_result(value)


def _write_alone(engine: Engine, change: Change[Answer]) -> Answer:
    with engine.begin() as connection:
        return change(connection)


def _make_tables(connection: Connection) -> None:
    """Makes what is missing in a new file; refuses a file of another kind."""
    found = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    if found == 0:
        _metadata.create_all(connection)
        connection.exec_driver_sql(f"PRAGMA user_version={VERSION}")
        connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
    elif found != VERSION:
        message = f"tables of version {found}, this mavfer knows version {VERSION}. Update mavfer"
        raise WrongVersion(message)


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
        for pragma in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode=WAL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        is_writing = connection.get_execution_options().get("is_writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")

    return engine
