"""What waitress itself answers, and how the server takes what comes."""

import json
import resource
import shutil
import socket
from contextlib import ExitStack

import pytest
from annotated_study import Server, samples, wait_until

from annotator_web.desk.client import Client
from annotator_web.desk.raters import invite
from annotator_web.project import open_project
from annotator_web.refusals import CODES
from annotator_web.store.database import Database, database_path
from mavfer.errors import DataError
from mavfer.study.study import Study

CONNECTIONS = 200


@pytest.fixture(scope="module")
def token_and_server(made_study, tmp_path_factory):
    root = tmp_path_factory.mktemp("serving") / "study"
    study = Study.open(shutil.copytree(made_study.root, root))
    database = Database(database_path(study))
    token = invite(database, open_project(study), "R1")
    database.close()
    running = Server(root).start()
    yield token, running
    running.stop()


def ask(server, request):
    """Status, headers in lower case and body of the answer to raw bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(request)
        received = b""
        while part := connection.recv(1 << 16):
            received += part
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(first.split()[1]), headers, body


BAD_HTTP = {
    "no HTTP": (b"how are you?\r\n\r\n", 400),
    "a header without a colon": (b"GET / HTTP/1.1\r\nHost x\r\n\r\n", 400),
    "headers without end": ((b"GET / HTTP/1.1\r\nX: ").ljust(32 << 10, b"x"), 431),
    "a length that is none": (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
    "a body that is too long": (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
    "an unknown encoding": (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
}


@pytest.mark.parametrize(("request_bytes", "status"), BAD_HTTP.values(), ids=BAD_HTTP.keys())
def test_what_is_no_proper_http_is_refused_in_one_shape(token_and_server, request_bytes, status):
    found, headers, body = ask(token_and_server[1], request_bytes)

    assert found == status
    assert set(json.loads(body)["error"]) == {"code", "message", "hint"}
    assert status in CODES[json.loads(body)["error"]["code"]][0]
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "private, no-store"
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize("is_forwarded", [True, False])
def test_a_proxy_on_this_machine_may_say_that_raters_came_over_https(
    token_and_server, is_forwarded
):
    token, server = token_and_server
    forwarded = b"X-Forwarded-Proto: https\r\n" if is_forwarded else b""
    request = b"GET /invitation/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n"
    status, headers, _ = ask(server, request % (token.encode(), forwarded))

    assert status == 303
    assert ("secure" in headers["set-cookie"]) == is_forwarded
    assert ("strict-transport-security" in headers) == is_forwarded
    assert headers["location"] == "/"


def test_many_connections_are_let_in_and_served_at_once(token_and_server):
    token, server = token_and_server
    request = (
        b"GET /api/v1/calibration HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n"
        % token.encode()
    )
    with ExitStack() as stack:
        found = [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=60))
            for _ in range(CONNECTIONS)
        ]
        for connection in found:
            connection.sendall(request)
        statuses = {connection.recv(1 << 16).split(b" ", 2)[1] for connection in found}

    assert statuses == {b"200"}


def test_on_a_full_disk_raters_are_told_and_go_on_when_there_is_room(token_and_server):
    token, server = token_and_server
    client = Client(server.url, token, patience_seconds=0.2)
    take = client.begin("S01-001", ["arousal", "valence"], {})
    client.send(take, 0, samples())
    before = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (4096, -1))
    with pytest.raises(DataError, match=r"no answer \(status 507"):
        client.send(take, 1, samples())
    state = client.state(take)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, before)
    wait_until(lambda: client.send(take, 1, samples()) == 2)
    client.close()

    assert state["chunks"] == 1
