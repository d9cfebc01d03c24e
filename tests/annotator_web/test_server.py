"""The server as a process: killed, backed up, restored, and refused."""

import json
import threading

import pytest
from annotated_study import Server, samples, wait_until

from annotator_web.desk.client import Client
from annotator_web.desk.raters import invite
from annotator_web.project import open_project
from annotator_web.store.backup import back_up, restore
from annotator_web.store.database import Database, database_path
from mavfer.cli import run
from mavfer.errors import AlreadyThere, CommandError, DataError, InvalidFile, NotFound

RATERS, CHUNKS = 6, 60


def tokens_of(study, count):
    database = Database(database_path(study))
    project = open_project(study)
    tokens = [invite(database, project, f"R{number}") for number in range(count)]
    database.close()
    return tokens


def keep_sending(url, token, acknowledged):
    client = Client(url, token)
    take = client.begin("S01-001", ["arousal", "valence"], {})
    for seq in range(CHUNKS):
        client.send(take, seq, samples(arousal=seq / CHUNKS))
        acknowledged.append((take, seq))
    client.close()


def test_killing_the_server_loses_nothing_that_was_acknowledged(study, server):
    acknowledged = []
    senders = [
        threading.Thread(target=keep_sending, args=(server.url, token, acknowledged))
        for token in tokens_of(study, RATERS)
    ]
    for sender in senders:
        sender.start()
    after_kill = []
    for goal in (40, 120, 200):
        wait_until(lambda goal=goal: len(acknowledged) >= goal)
        server.kill()
        known = list(acknowledged)
        after_kill.append(set(known) - stored(study))
        server.start()
    for sender in senders:
        sender.join(timeout=60)

    assert after_kill == [set(), set(), set()]
    assert len(acknowledged) == RATERS * CHUNKS
    assert stored(study) == set(acknowledged)
    assert {answer for answer in finish_all(study, server)} == {"finished"}


def stored(study):
    database = Database(database_path(study))
    with database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT take, seq FROM chunks").all()
    database.close()
    return set(map(tuple, rows))


def finish_all(study, server):
    for token in tokens_of(study, RATERS):
        client = Client(server.url, token)
        for session in client.sessions():
            for take in session["takes"]:
                if client.state(take["take"])["chunks"]:
                    client.finish(take["take"], chunks=CHUNKS, samples=25 * CHUNKS)
                    yield client.state(take["take"])["state"]
        client.close()


def test_it_ends_cleanly_when_asked_to(server):
    assert server.stop() == 0


def test_a_port_in_use_is_one_line(study, server, capsys):
    assert run(["annotate", "serve", str(study.root), "--port", str(server.port)]) == 2

    message = capsys.readouterr().err

    assert message.count("\n") == 1
    assert f"--port {server.port}: in use on 127.0.0.1. Stop what runs there" in message


def test_an_address_of_another_machine_is_one_line(study, capsys):
    assert run(["annotate", "serve", str(study.root), "--host", "192.0.2.1"]) == 2

    assert "cannot listen" in capsys.readouterr().err


def test_a_backup_can_be_taken_and_put_back_while_it_serves(study, server, tmp_path):
    client = Client(server.url, tokens_of(study, 1)[0])
    take = client.begin("S01-001", ["arousal", "valence"], {})
    client.send(take, 0, samples())
    copy = tmp_path / "copy.sqlite"
    back_up(database_path(study), copy)
    client.send(take, 1, samples())
    saved = restore(copy, database_path(study))
    after = client.state(take)["chunks"]
    again = client.send(take, 1, samples())
    client.close()

    assert after == 1
    assert again == 2
    assert saved.is_file()


def test_backups_are_not_overwritten_and_others_are_not_restored(study, tmp_path):
    tokens_of(study, 1)
    copy, other = tmp_path / "copy.sqlite", tmp_path / "other.sqlite"
    back_up(database_path(study), copy)
    other.write_bytes(b"no database" * 1000)

    with pytest.raises(AlreadyThere, match=r"copy\.sqlite: exists"):
        back_up(database_path(study), copy)
    with pytest.raises(InvalidFile, match=r"other\.sqlite: not readable as a database"):
        restore(other, database_path(study))
    with pytest.raises(NotFound, match="no such backup"):
        restore(tmp_path / "none.sqlite", database_path(study))


def test_a_client_whose_server_stays_away_says_so(study):
    client = Client("http://127.0.0.1:9", "x" * 22, patience_seconds=0.2)

    with pytest.raises(DataError, match=r"no answer .*Start: mavfer annotate serve STUDY"):
        client.sessions()


def test_a_client_needs_an_address():
    with pytest.raises(CommandError, match="not an address such as http"):
        Client("localhost", "x")


def test_the_link_leads_to_where_the_server_last_ran(study, server, capsys):
    assert run(["annotate", "invite", str(study.root), "--rater", "R9", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)

    assert printed["url"] == f"{server.url}/invitation/{printed['token']}"
    assert Server(study.root).port == 0
