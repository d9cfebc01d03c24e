"""Chunks as nearly all of them come: checked a column at a time, and stored in three statements.

Nothing here refuses. What is not plainly right is answered with None, nothing is written then, and
the exact way of `store.samples` and `store.takes` says what is wrong with it.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from annotator_web.store.samples import MOST_SAMPLES
from annotator_web.store.takes import Take

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from annotator_web.store.samples import Limits
    from annotator_web.store.takes import Chunk

__all__ = ["Credential", "add_quickly", "columns_quickly", "find_open_take"]

_MOST_EXACT: Final = 2.0**53
"""Up to here every whole number is a float, so that comparing floats is exact."""

_WHOLE: Final = frozenset({int})
_WHOLE_OR_NULL: Final = frozenset({int, type(None)})
_NUMBER: Final = frozenset({int, float})
_NUMBER_OR_NULL: Final = frozenset({int, float, type(None)})
_KINDS: Final = {
    "media_time": _NUMBER,
    "frame": _WHOLE_OR_NULL,
    "clock_ms": _NUMBER,
    "flags": _WHOLE,
}

# An open take, if the secret's hash stands for its rater and nothing was taken back since.
_BY_TOKEN: Final = """
SELECT t.contiguous, t.rater
FROM takes t JOIN invitations i ON i.rater = t.rater
WHERE t.id = ? AND t.finished_utc IS NULL AND i.revoked_utc IS NULL AND i.token_sha256 = ?
AND NOT EXISTS (SELECT 1 FROM withdrawals w WHERE w.rater = t.rater)"""
_BY_COOKIE: Final = """
SELECT t.contiguous, t.rater
FROM takes t JOIN invitations i ON i.rater = t.rater JOIN logins l ON l.invitation = i.id
WHERE t.id = ? AND t.finished_utc IS NULL AND i.revoked_utc IS NULL AND l.cookie_sha256 = ?
AND NOT EXISTS (SELECT 1 FROM withdrawals w WHERE w.rater = t.rater)"""
_TAKE: Final = """
SELECT id, rater, session, number, dimensions, client, purpose, scale, video_sha256, contiguous,
finished_utc, chunks, samples
FROM takes WHERE id = ?"""
_IS_HELD: Final = "SELECT 1 FROM chunks WHERE take = ? AND seq BETWEEN ? AND ?"
_INSERT: Final = (
    "INSERT INTO chunks (take, seq, samples, last_media_time, blob) VALUES (?, ?, ?, ?, ?)"
)
_ADVANCE: Final = "UPDATE takes SET contiguous = ? WHERE id = ?"


@dataclass(frozen=True)
class Credential:
    """What came with a request to say who it is."""

    is_cookie: bool
    sha256: str
    """Hash of the token or cookie."""


@dataclass(frozen=True)
class _Rules:
    """What `Limits` say, in the order of a chunk's rows."""

    kinds: dict[str, frozenset[Any]]
    """Types that each column may have."""
    low: NDArray[np.float64]
    """(columns, 1), as `high`."""
    high: NDArray[np.float64]


def columns_quickly(body: bytes, limits: Limits) -> NDArray[np.float64] | None:
    """The samples of a chunk's JSON as `columns_of` gives them; None where that has to look."""
    try:
        document = _DECODER.decode(body.decode())
    except (ValueError, RecursionError):
        return None
    given = document.get("samples") if isinstance(document, dict) else None
    rules = _rules_of(limits)
    if not isinstance(given, dict) or given.keys() != rules.kinds.keys():
        return None
    cells = [given[name] for name in rules.kinds]
    if not _is_even(cells) or not _is_typed(cells, rules):
        return None
    try:
        columns = np.array(cells, np.float64)
    except OverflowError:
        return None
    # Comparing a missing value gives False.
    return None if ((columns < rules.low) | (columns > rules.high)).any() else columns


def find_open_take(connection: Connection, take: str, credential: Credential) -> Take | None:
    """An open take of the rater behind `credential`, as it is now."""
    raw = _raw(connection)
    if raw.execute(_query(credential), (take, credential.sha256)).fetchone() is None:
        return None
    # By hand, as five hundred raters may begin within the same second.
    found = raw.execute(_TAKE, (take,))
    values = dict(zip((column[0] for column in found.description), found.fetchone(), strict=True))
    values |= {name: json.loads(values[name]) for name in ("client", "scale")}
    return Take(**{**values, "dimensions": tuple(json.loads(values["dimensions"]))})


def add_quickly(
    connection: Connection, take: Take, credential: Credential, chunk: Chunk
) -> int | None:
    """Stores a chunk that is new; returns the number of chunks held without a gap.

    None, with nothing written, where the rater may not (any more), the number is taken, or a gap
    is filled.
    """
    raw = _raw(connection)
    row = raw.execute(_query(credential), (take.id, credential.sha256)).fetchone()
    if row is None or row[1] != take.rater:
        return None
    contiguous = int(row[0])
    is_next = chunk.seq == contiguous
    if raw.execute(_IS_HELD, (take.id, chunk.seq, chunk.seq + is_next)).fetchone() is not None:
        return None
    values = (take.id, chunk.seq, chunk.samples, chunk.last_media_time, chunk.blob)
    raw.execute(_INSERT, values)
    if is_next:
        contiguous += 1
        raw.execute(_ADVANCE, (contiguous, take.id))
    return contiguous


def _query(credential: Credential) -> str:
    return _BY_COOKIE if credential.is_cookie else _BY_TOKEN


def _is_even(cells: list[Any]) -> bool:
    """Whether all columns are lists of one length that a chunk may have."""
    if not all(type(column) is list for column in cells):
        return False
    count = len(cells[0])
    return 1 <= count <= MOST_SAMPLES and all(len(column) == count for column in cells)


def _is_typed(cells: list[list[Any]], rules: _Rules) -> bool:
    allowed = rules.kinds.values()
    return all(
        kinds.issuperset(map(type, column)) for kinds, column in zip(allowed, cells, strict=True)
    )


@lru_cache(maxsize=1_024)
def _rules_of(limits: Limits) -> _Rules:
    kinds: dict[str, frozenset[Any]]
    kinds = {name: _KINDS.get(name, _NUMBER_OR_NULL) for name in limits.names}
    bounds = np.array([limits.range_of(name) for name in kinds]).clip(-_MOST_EXACT, _MOST_EXACT)
    return _Rules(kinds, bounds[:, :1], bounds[:, 1:])


def _raw(connection: Connection) -> sqlite3.Connection:
    """The driver's connection, in the same transaction."""
    raw = connection.connection.driver_connection
    if not isinstance(raw, sqlite3.Connection):
        message = f"not a connection to SQLite: {raw!r}"
        raise TypeError(message)
    return raw


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)
