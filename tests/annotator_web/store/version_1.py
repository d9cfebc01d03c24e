"""Databases as version 1 wrote them, with a finished, an open and a warm-up take."""

import sqlite3

import numpy as np

from annotator_web.access.auth import hash_of
from annotator_web.store.database import APPLICATION_ID
from annotator_web.store.samples import pack

TOKEN = "token-of-version-1"

TABLES = """
CREATE TABLE raters (
    id INTEGER NOT NULL, code VARCHAR NOT NULL, kind VARCHAR NOT NULL,
    created_utc VARCHAR NOT NULL, PRIMARY KEY (id), UNIQUE (code));
CREATE TABLE notes (name VARCHAR NOT NULL, value VARCHAR NOT NULL, PRIMARY KEY (name));
CREATE TABLE invitations (
    id INTEGER NOT NULL, rater INTEGER NOT NULL, token_sha256 VARCHAR NOT NULL, sessions JSON,
    created_utc VARCHAR NOT NULL, revoked_utc VARCHAR, PRIMARY KEY (id),
    FOREIGN KEY(rater) REFERENCES raters (id), UNIQUE (token_sha256));
CREATE TABLE takes (
    id VARCHAR NOT NULL, rater INTEGER NOT NULL, session VARCHAR NOT NULL,
    number INTEGER NOT NULL, dimensions JSON NOT NULL, client JSON NOT NULL,
    video_sha256 VARCHAR, contiguous INTEGER NOT NULL, created_utc VARCHAR NOT NULL,
    finished_utc VARCHAR, chunks INTEGER, samples INTEGER, PRIMARY KEY (id),
    UNIQUE (rater, session, number), FOREIGN KEY(rater) REFERENCES raters (id));
CREATE TABLE logins (
    cookie_sha256 VARCHAR NOT NULL, invitation INTEGER NOT NULL, created_utc VARCHAR NOT NULL,
    PRIMARY KEY (cookie_sha256), FOREIGN KEY(invitation) REFERENCES invitations (id));
CREATE TABLE chunks (
    take VARCHAR NOT NULL, seq INTEGER NOT NULL, samples INTEGER NOT NULL,
    last_media_time FLOAT NOT NULL, blob BLOB NOT NULL, PRIMARY KEY (take, seq),
    FOREIGN KEY(take) REFERENCES takes (id));
"""

# Id, session, number, dimensions, finished, chunks held.
TAKES = (
    ("warm-up-take-0001", "calibration", 1, '["arousal", "valence"]', True, 1),
    ("finished-take-001", "S01-001", 1, '["arousal", "valence"]', True, 2),
    ("open-take-0000001", "S02-001", 1, '["arousal"]', False, 1),
)


def write_version_1(path, *, filler=0):
    """A database of version 1 at `path`; `filler` adds takes, so that migrating takes longer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.executescript(TABLES)
    connection.execute("INSERT INTO raters VALUES (1, 'R1', 'person', '2026-01-01T00:00:00Z')")
    values = (hash_of(TOKEN), "2026-01-01T00:00:00Z")
    connection.execute("INSERT INTO invitations VALUES (1, 1, ?, NULL, ?, NULL)", values)
    for take in TAKES:
        _add_take(connection, take)
    for number in range(2, filler + 2):
        _add_take(connection, (f"filler-take-{number:06d}", "S01-001", number, "[]", False, 0))
    connection.execute("PRAGMA user_version=1")
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.commit()
    connection.close()


def _add_take(connection, values):
    take, session, number, dimensions, is_finished, chunks = values
    finished = ("2026-01-02T00:00:00Z", chunks, 3 * chunks) if is_finished else (None, None, None)
    values = (take, 1, session, number, dimensions, '{"device": "pointer"}', None, chunks)
    connection.execute(
        "INSERT INTO takes VALUES (?, ?, ?, ?, ?, ?, ?, ?, '2026-01-01T00:00:00Z', ?, ?, ?)",
        (*values, *finished),
    )
    columns = np.zeros((4 + dimensions.count('"') // 2, 3))
    for seq in range(chunks):
        row = (take, seq, 3, 0.0, pack(columns + seq / 10))
        connection.execute("INSERT INTO chunks VALUES (?, ?, ?, ?, ?)", row)
