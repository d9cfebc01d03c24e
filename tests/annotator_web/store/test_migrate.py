import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from annotated_study import Rater

from annotator_web.app import close_app, create_app
from annotator_web.store.backup import restore
from annotator_web.store.database import VERSION, Database, database_path
from annotator_web.store.migrate import migrate
from mavfer.errors import InvalidFile, WrongVersion

sys.path.insert(0, str(Path(__file__).parent))

from version_1 import TAKES, TOKEN, write_version_1

CHILD = """
import sys
from pathlib import Path
from annotator_web.store.database import Database
print("ready", flush=True)
sys.stdin.readline()
Database(Path(sys.argv[1])).close()
"""


@pytest.fixture
def old(study):
    """A study whose database is of version 1."""
    write_version_1(database_path(study))
    return study


def rows(path, query):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def layout(path):
    tables = rows(path, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return {
        name: (
            rows(path, f"PRAGMA table_info({name})"),
            sorted(row[2:] for row in rows(path, f"PRAGMA foreign_key_list({name})")),
        )
        for (name,) in tables
    }


def copies(path):
    return sorted(path.parent.glob(f"before-version-{VERSION}-*.sqlite"))


def test_a_database_of_version_1_gets_the_tables_of_a_new_one(old, tmp_path):
    path = database_path(old)
    chunks = rows(path, "SELECT * FROM chunks ORDER BY take, seq")
    Database(path, old).close()
    Database(tmp_path / "new.sqlite").close()

    assert layout(path) == layout(tmp_path / "new.sqlite")
    assert rows(path, "PRAGMA user_version") == [(VERSION,)]
    assert rows(path, "SELECT * FROM chunks ORDER BY take, seq") == chunks
    assert rows(path, "PRAGMA foreign_key_check") == []


def test_old_takes_say_what_they_were_for_and_on_which_scale(old):
    path = database_path(old)
    Database(path, old).close()
    found = rows(path, "SELECT id, purpose, scale FROM takes")

    assert {take: purpose for take, purpose, _ in found} == {
        take: "calibration" if session == "calibration" else "rating" for take, session, *_ in TAKES
    }
    assert dict((take, scale) for take, _, scale in found)["open-take-0000001"] == (
        '{"arousal": {"kind": "bounded", "low": -1, "high": 1}}'
    )


def test_without_the_study_the_ends_of_the_scale_stay_unknown(old):
    path = database_path(old)
    Database(path).close()

    assert rows(path, "SELECT scale FROM takes WHERE session = 'S02-001'") == [
        ('{"arousal": {"kind": "bounded", "low": null, "high": null}}',)
    ]


def test_a_copy_is_kept_beside_it_and_made_once(old):
    path = database_path(old)
    for _ in range(2):
        Database(path, old).close()
    (copy,) = copies(path)

    assert rows(copy, "PRAGMA user_version") == [(1,)]
    assert len(rows(copy, "SELECT * FROM takes")) == len(TAKES)
    assert migrate(path, old) is None


def test_raters_of_version_1_go_on_where_they_were(old):
    app = create_app(old)
    client = app.test_client()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    state = client.get("/api/v1/takes/open-take-0000001", headers=headers).json
    body = {
        "samples": {
            "media_time": [0.04],
            "frame": [1],
            "clock_ms": [40],
            "arousal": [0.5],
            "flags": [0],
        }
    }
    answer = client.post("/api/v1/takes/open-take-0000001/chunks/1", json=body, headers=headers)
    begun = Rater(app, "R2").begin()
    close_app(app)

    assert (state["state"], state["contiguous"]) == ("open", 1)
    assert (answer.status_code, answer.json) == (200, {"contiguous": 2})
    assert begun


def test_killed_midway_it_is_as_it_was_or_done(study):
    path = database_path(study)
    write_version_1(path, filler=3_000)
    seen = set()
    for kill_after_ms in (2, 15, 40):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        child.stdout.readline()
        child.stdin.write("go\n")
        child.stdin.flush()
        try:
            child.wait(kill_after_ms / 1000)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
        child.stdin.close()
        child.stdout.close()
        (version,) = rows(path, "PRAGMA user_version")[0]
        seen.add(version)
        tables = {name for (name,) in rows(path, "SELECT name FROM sqlite_master")}
        assert ("plans" in tables) == (version == VERSION)
        assert tables.isdisjoint({"raters_1", "takes_1"})
        assert len(rows(path, "SELECT id FROM takes")) == len(TAKES) + 3_000
    Database(path, study).close()

    assert 1 in seen
    assert rows(path, "PRAGMA user_version") == [(VERSION,)]
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert all(rows(copy, "PRAGMA user_version") == [(1,)] for copy in copies(path))


def test_a_backup_of_version_1_is_put_back_as_todays(study, tmp_path):
    copy = tmp_path / "copy.sqlite"
    write_version_1(copy)
    Database(database_path(study)).close()
    saved = restore(copy, database_path(study), study)

    assert saved.is_file()
    assert rows(database_path(study), "PRAGMA user_version") == [(VERSION,)]
    assert len(rows(database_path(study), "SELECT id FROM takes")) == len(TAKES)
    assert rows(copy, "PRAGMA user_version") == [(1,)]
    assert not list(database_path(study).parent.glob("restoring-*"))


def test_a_backup_of_a_later_version_is_not_put_back(study, tmp_path):
    copy = tmp_path / "copy.sqlite"
    Database(copy).close()
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA user_version=9")

    with pytest.raises(WrongVersion, match="tables of version 9, this mavfer knows version 2"):
        restore(copy, database_path(study))


def test_rows_that_refer_to_nothing_are_told_of_and_nothing_is_changed(old):
    path = database_path(old)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM raters")

    with pytest.raises(InvalidFile, match=r"refer to others that are not there. Restore it"):
        Database(path, old)
    assert rows(path, "PRAGMA user_version") == [(1,)]
