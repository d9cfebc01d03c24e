"""A database of an older version brought to today's, with a copy of it kept beside it.

All of it is one transaction: a process that is killed midway leaves the old version as it was, and
the next one begins again. A new version adds its step to `_STEPS`.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import create_engine, event
from sqlalchemy.pool import NullPool

from annotator_web.store.tables import VERSION, metadata
from mavfer.errors import InvalidFile
from mavfer.files import replacing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from mavfer.study.study import Study

__all__ = ["OLDEST", "copy_database", "migrate"]

OLDEST: Final = 1
"""The oldest version that can be brought to today's."""

_LOCK_SECONDS: Final = 30
_CALIBRATION: Final = "calibration"


def migrate(path: Path, study: Study | None, *, keep_copy: bool = True) -> Path | None:
    """Brings the database to today's version; one that is there already is left alone.

    Args:
        path: The database, of version `OLDEST` or later.
        study: What is rated, on whose scale takes of version 1 were given.
        keep_copy: Whether to write "before-version-2-<stamp>.sqlite" beside it first.

    Returns:
        The copy; None where there was nothing to do, or none was asked for.

    Raises:
        InvalidFile: Rows refer to others that are not there.
    """
    engine = _open_alone(path)
    try:
        with engine.begin() as connection:
            found = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            if not OLDEST <= found < VERSION:
                return None
            copy = _keep(path) if keep_copy else None
            for version in range(found, VERSION):
                _STEPS[version](connection, study)
            _require_sound(connection, path)
            connection.exec_driver_sql(f"PRAGMA user_version={VERSION}")
            return copy
    finally:
        engine.dispose()


def copy_database(source: Path, target: Path) -> None:
    """SQLite's own copy: one moment of `source`, written to `target` in one transaction."""
    with (
        closing(sqlite3.connect(source, timeout=_LOCK_SECONDS)) as reading,
        closing(sqlite3.connect(target, timeout=_LOCK_SECONDS)) as writing,
    ):
        writing.execute("PRAGMA synchronous=FULL")
        reading.backup(writing)


def _keep(path: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    copy = path.with_name(f"before-version-{VERSION}-{stamp}.sqlite")
    with replacing(copy) as part:
        part.unlink(missing_ok=True)
        copy_database(path, part)
    return copy


def _to_version_2(connection: Connection, study: Study | None) -> None:
    """Takes get a purpose and a scale, raters a language, and what leads raters gets its tables."""
    old = ("raters", "takes")
    for name in old:
        connection.exec_driver_sql(f"ALTER TABLE {name} RENAME TO {name}_1")
    metadata.create_all(connection)
    connection.exec_driver_sql(
        "INSERT INTO raters (id, code, kind, created_utc) "
        "SELECT id, code, kind, created_utc FROM raters_1"
    )
    kept = (
        "id, rater, session, number, dimensions, client, video_sha256, contiguous, created_utc, "
        "finished_utc, chunks, samples"
    )
    connection.exec_driver_sql(
        f"INSERT INTO takes ({kept}, purpose, scale) "  # noqa: S608,RUF100 (names of ours)
        f"SELECT {kept}, CASE session WHEN '{_CALIBRATION}' THEN '{_CALIBRATION}' "
        "ELSE 'rating' END, '{}' FROM takes_1"
    )
    for take, dimensions in connection.exec_driver_sql("SELECT id, dimensions FROM takes").all():
        scale = {name: _old_scale(study, name) for name in json.loads(dimensions)}
        connection.exec_driver_sql("UPDATE takes SET scale=? WHERE id=?", (json.dumps(scale), take))
    for name in old:
        connection.exec_driver_sql(f"DROP TABLE {name}_1")


def _old_scale(study: Study | None, name: str) -> dict[str, Any]:
    """Version 1 knew the study's own scale alone, and did not write it down.

    The ends of a dimension that the study has no more stay unknown.
    """
    known = [] if study is None else study.document["dimensions"]
    ends = {d["name"]: (d["low"], d["high"]) for d in known}
    low, high = ends.get(name, (None, None))
    return {"kind": "bounded", "low": low, "high": high}


_STEPS: Final[dict[int, Callable[[Connection, Study | None], None]]] = {1: _to_version_2}


def _require_sound(connection: Connection, path: Path) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        message = (
            f"{path}: {len(broken)} rows of {broken[0][0]} refer to others that are not there. "
            "Restore it from a backup"
        )
        raise InvalidFile(message)


def _open_alone(path: Path) -> Engine:
    """One connection whose renamed tables stay what others refer to, for a transaction at once."""
    engine = create_engine(
        f"sqlite:///{path}", poolclass=NullPool, connect_args={"timeout": _LOCK_SECONDS}
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        pragmas = ("foreign_keys=OFF", "legacy_alter_table=ON", "secure_delete=ON")
        for pragma in (*pragmas, "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
