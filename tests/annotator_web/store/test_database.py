import sqlite3
import threading

import pytest
from sqlalchemy import func, insert, select

from annotator_web.store.database import Database, database_path, notes
from mavfer.errors import CommandError, InvalidFile, WrongVersion


@pytest.fixture
def database(tmp_path):
    opened = Database(tmp_path / "annotator" / "annotator.sqlite")
    yield opened
    opened.close()


def add_note(name):
    return lambda connection: connection.execute(insert(notes), {"name": name, "value": "x"}) and 1


def count(database):
    with database.reading() as connection:
        return connection.execute(select(func.count()).select_from(notes)).scalar_one()


def test_all_that_many_threads_write_is_there_once(database):
    database.start_writer()
    threads = [
        threading.Thread(
            target=lambda t=t: [database.write(add_note(f"{t}-{n}")) for n in range(30)]
        )
        for t in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert count(database) == 360


def test_a_change_that_fails_undoes_itself_alone(database):
    database.start_writer()
    outcomes = []

    def fail(connection):
        add_note("half")(connection)
        message = "no"
        raise ValueError(message)

    def write(change):
        try:
            outcomes.append(database.write(change))
        except ValueError:
            outcomes.append("failed")

    changes = [add_note("a"), fail, add_note("b"), fail, add_note("c")] * 1
    threads = [threading.Thread(target=write, args=(change,)) for change in changes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(map(str, outcomes)) == ["1", "1", "1", "failed", "failed"]
    assert count(database) == 3


def test_it_is_on_the_disk_when_it_is_written(database):
    mode = {}
    with database.reading() as connection:
        for name in ("synchronous", "journal_mode", "foreign_keys", "secure_delete"):
            mode[name] = connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()

    assert mode == {"synchronous": 2, "journal_mode": "wal", "foreign_keys": 1, "secure_delete": 1}


def test_a_file_that_is_no_database_is_told_of(tmp_path):
    path = tmp_path / "annotator.sqlite"
    path.write_bytes(b"this is not a database, not at all" * 200)

    with pytest.raises(InvalidFile, match=r"annotator\.sqlite: not a database .*Restore it"):
        Database(path)


def test_a_newer_database_is_told_of(tmp_path, database):
    database.close()
    with sqlite3.connect(database.path) as connection:
        connection.execute("PRAGMA user_version=9")
    connection.close()

    with pytest.raises(WrongVersion, match="tables of version 9, this mavfer knows version 2"):
        Database(database.path)


def test_paths_and_sqlite_urls_name_the_database(made_study, tmp_path):
    own = database_path(made_study)
    named = [database_path(made_study, f"{prefix}{tmp_path}/a.db") for prefix in ("", "sqlite:///")]

    assert own == made_study.root / "annotator" / "annotator.sqlite"
    assert named == [tmp_path / "a.db"] * 2


def test_other_databases_are_refused(made_study):
    with pytest.raises(CommandError, match="only sqlite:///FILE is supported"):
        database_path(made_study, "postgresql://localhost/x")
