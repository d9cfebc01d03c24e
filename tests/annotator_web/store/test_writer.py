import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest
from sqlalchemy import func, insert, select

from annotator_web.store.database import Database, NotStored, notes

LIMIT_BYTES = 1 << 20

# Runs where files may not grow beyond LIMIT_BYTES, as on a full disk, and then may again.
FULL_DISK = f"""
import json, resource, sys, threading
from pathlib import Path
from sqlalchemy import insert
from annotator_web.store.database import Database, NotStored, notes
database = Database(Path(sys.argv[1]))
database.start_writer()
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, ({LIMIT_BYTES}, hard))
told, stored = [], []

def write(name, size):
    row = {{"name": name, "value": "x" * size}}
    try:
        database.write(lambda connection: connection.execute(insert(notes), row) and None)
    except NotStored as error:
        told.append(str(error))
        return
    stored.append(name)

def write_many(first):
    for number in range(first, 400, 4):
        write(f"many-{{number}}", 9_000)

threads = [threading.Thread(target=write_many, args=(first,)) for first in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
write("after", 9_000)
database.close()
print(json.dumps({{"told": told, "stored": stored}}))
"""


@pytest.fixture
def database(tmp_path):
    opened = Database(tmp_path / "annotator.sqlite")
    opened.start_writer()
    yield opened
    opened.close()


def add(name):
    return lambda connection: connection.execute(insert(notes), {"name": name, "value": "x"}) and 1


def names(path):
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {name for (name,) in connection.execute("SELECT name FROM notes")}


def test_on_a_full_disk_nothing_is_acknowledged_and_the_writer_lives_on(tmp_path):
    path = tmp_path / "annotator.sqlite"
    child = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=120,
    )
    found = json.loads(child.stdout)

    assert names(path) == set(found["stored"])
    assert len(found["stored"]) + len(found["told"]) == 401
    assert found["stored"][-1] == "after"
    assert len(found["stored"]) > 1
    assert all("disk is full or fails" in message for message in found["told"])


class Held:
    """Changes that come while the writer is busy, and so are one group."""

    def __init__(self, database):
        self.database = database
        self.outcomes = []
        self.began, self.go_on = threading.Event(), threading.Event()
        self.threads = []

    def hold(self, _connection):
        self.began.set()
        self.go_on.wait(30)

    def write(self, change):
        try:
            self.outcomes.append(self.database.write(change))
        except ValueError:
            self.outcomes.append("failed")

    def start(self, change):
        self.threads.append(threading.Thread(target=self.write, args=(change,)))
        self.threads[-1].start()

    def run(self, changes):
        self.start(self.hold)
        assert self.began.wait(30)
        for change in changes:
            self.start(change)
        while self.database._writer._waiting.qsize() < len(changes):
            time.sleep(0.001)
        self.go_on.set()
        for thread in self.threads:
            thread.join()
        return self.outcomes


def test_a_failure_in_a_group_costs_one_more_try_and_no_commit_for_each(database):
    tries = []

    def fail(connection):
        add("half")(connection)
        tries.append("fail")
        message = "no"
        raise ValueError(message)

    outcomes = Held(database).run([add("a"), fail, add("b"), fail, add("c")])

    assert sorted(map(str, outcomes)) == ["1", "1", "1", "None", "failed", "failed"]
    assert names(database.path) == {"a", "b", "c"}
    # The first of them ended the first try; in the second both were undone alone.
    assert len(tries) == 3


def test_a_database_that_is_locked_is_told_of_and_works_again(tmp_path):
    database = Database(tmp_path / "annotator.sqlite")
    database.start_writer()
    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        _be_impatient(database)
        with pytest.raises(NotStored, match="locked by another process") as refused:
            database.write(add("a"))
        other.execute("ROLLBACK")
    database.write(add("b"))
    database.close()

    assert refused.value.is_passing
    assert names(database.path) == {"b"}


def _be_impatient(database):
    def change(connection):
        connection.connection.driver_connection.execute("PRAGMA busy_timeout=20")

    with database.reading() as connection:
        change(connection)


def test_a_quiet_moment_brings_the_log_into_the_database(database):
    for number in range(40):
        database.write(add(f"n{number}"))
    log = database.path.with_name(database.path.name + "-wal")
    with database.reading() as connection:
        before = connection.execute(select(func.count()).select_from(notes)).scalar_one()
    database._writer._tidier.tidy()
    with closing(sqlite3.connect(database.path)) as connection:
        busy, in_log, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    assert before == 40
    assert log.exists()
    assert (busy, in_log - moved) == (0, 0)


def test_limits_of_files_do_not_end_a_process():
    # What the test of a full disk relies on: Python ignores the signal, so that writing fails.
    assert signal.getsignal(signal.SIGXFSZ) == signal.SIG_IGN
    assert resource.getrlimit(resource.RLIMIT_FSIZE)
