"""The one thread that changes the database of a server: what waits together is committed together.

A sync of the disk costs the same for one chunk as for a hundred, so the raters share it. Nobody is
answered before the disk has it; where the disk refuses, all of the group are told, and the thread
goes on with the next.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy.exc import DBAPIError

from mavfer.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine

    Answer = TypeVar("Answer")
    Change = Callable[[Connection], Answer]
    _Waiting = tuple[Change[Any], Future[Any]]
    _Outcome = tuple[Any, Exception | None]

__all__ = ["NotStored", "Writer", "write_alone"]

_LARGEST_GROUP: Final = 256
_PRIMARY_CODE: Final = 0xFF
_TIDY_SECONDS: Final = 0.5
"""How often what was committed is moved from the log into the database."""


class NotStored(DataError):
    """The disk took nothing of a change: it is full, or failed, or the database was locked."""

    def __init__(self, message: str, *, is_passing: bool) -> None:
        """Keeps the message; `is_passing` where the same change may succeed in a moment."""
        super().__init__(message)
        self.is_passing = is_passing


class Writer:
    """The thread that makes all changes of a server."""

    def __init__(self, engine: Engine) -> None:
        """Starts it; `engine` begins its transactions as a writer."""
        self._engine = engine
        # Always the same connection, as each has a cache of its own.
        self._connection: Connection | None = None
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._tidier = Tidier(engine)
        self._thread = threading.Thread(target=self._run, name="annotator-writer", daemon=True)
        self._thread.start()

    def write(self, change: Change[Answer]) -> Answer:
        """Waits until `change` is committed.

        Raises:
            NotStored: The disk refused it.
        """
        answer: Future[Answer] = Future()
        self._waiting.put((change, answer))
        return answer.result()

    def close(self) -> None:
        """Returns when everything that waits is committed."""
        self._waiting.put(None)
        self._thread.join()
        self._tidier.close()

    def _run(self) -> None:
        first = self._waiting.get()
        while first is not None:
            group, is_open = self._group_from(first)
            self._commit(group)
            first = self._waiting.get() if is_open else None
        self._let_go()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        if self._connection is None:
            self._connection = self._engine.connect()
        try:
            with self._connection.begin():
                yield self._connection
        except BaseException:
            self._let_go()
            raise

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(DBAPIError, sqlite3.Error):
                connection.close()

    def _group_from(self, first: _Waiting) -> tuple[list[_Waiting], bool]:
        """All that waits now, `first` among it; and whether more may come."""
        group = [first]
        while len(group) < _LARGEST_GROUP and not self._waiting.empty():
            item = self._waiting.get()
            if item is None:
                return group, False
            group.append(item)
        return group, True

    def _commit(self, group: list[_Waiting]) -> None:
        """One transaction for all; where one fails, the others are done again without it."""
        try:
            outcomes = self._together(group)
        except Exception:  # noqa: BLE001,RUF100 (whatever it is, each is told its own outcome)
            outcomes = self._apart(group)
        self._tidier.note()
        for (_, answer), (value, error) in zip(group, outcomes, strict=True):
            if error is None:
                answer.set_result(value)
            else:
                answer.set_exception(error)

    def _together(self, group: list[_Waiting]) -> list[_Outcome]:
        with self._transaction() as connection:
            return [(change(connection), None) for change, _ in group]

    def _apart(self, group: list[_Waiting]) -> list[_Outcome]:
        """Still one transaction, so one sync, but a savepoint for each change."""
        try:
            with self._transaction() as connection:
                return [_outcome(connection, change) for change, _ in group]
        except Exception as error:  # noqa: BLE001,RUF100 (nothing of the group is on the disk)
            told = _not_stored(error) or error
            return [(None, told)] * len(group)


class Tidier:
    """The thread that moves what was committed from the log into the database, beside the writer.

    It holds nobody up, and what is left for the commit that finds the log long is little: sixteen
    MiB at once held five hundred raters up for half a second.
    """

    def __init__(self, engine: Engine) -> None:
        """Starts it."""
        self._engine = engine
        self._connection: Connection | None = None
        self._is_dirty = threading.Event()
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="annotator-tidier", daemon=True)
        self._thread.start()

    def note(self) -> None:
        """Says that something was committed."""
        self._is_dirty.set()

    def tidy(self) -> None:
        """Moves what can be moved without waiting for anybody."""
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            raw = self._connection.connection.driver_connection
            if isinstance(raw, sqlite3.Connection):
                raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except (DBAPIError, sqlite3.Error):
            self._let_go()  # the log goes on growing, and the next time tries again

    def close(self) -> None:
        """Ends the thread."""
        self._is_closed.set()
        self._thread.join()
        self._let_go()

    def _run(self) -> None:
        while not self._is_closed.wait(_TIDY_SECONDS):
            if self._is_dirty.is_set():
                self._is_dirty.clear()
                self.tidy()

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(DBAPIError, sqlite3.Error):
                connection.close()


def write_alone(engine: Engine, change: Change[Answer]) -> Answer:
    """What `change` returns, committed in a transaction of its own.

    Raises:
        NotStored: The disk refused it.
    """
    try:
        with engine.begin() as connection:
            return change(connection)
    except DBAPIError as error:
        told = _not_stored(error)
        if told is None:
            raise
        raise told from error


def _outcome(connection: Connection, change: Change[Any]) -> _Outcome:
    """What one change returned, or why it was undone.

    Raises:
        DBAPIError: The disk refused; SQLite may have undone the whole transaction by then.
    """
    try:
        with connection.begin_nested():
            return change(connection), None
    except Exception as error:
        if _not_stored(error) is not None:
            raise
        return None, error


def _not_stored(error: Exception) -> NotStored | None:
    """What is told where the disk refused; None for every other error."""
    reason = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(reason, sqlite3.Error):
        return None
    code = getattr(reason, "sqlite_errorcode", 0) & _PRIMARY_CODE
    if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}:
        message = f"the database's disk is full or fails ({reason}). Make room, then send it again"
        return NotStored(message, is_passing=False)
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        message = "the database is locked by another process. Try again when that has ended"
        return NotStored(message, is_passing=True)
    return None
