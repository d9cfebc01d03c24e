"""A server of ratings as they are mostly written: a route, a connection and a commit a request.

Flask behind waitress, as ours, with as many threads; SQLite as it comes (a commit waits for the
disk), or with WAL and synchronous=NORMAL (a commit does not). It speaks the same paths and bodies.

    python -m peers.rating_load FILE [--normal]
"""

from __future__ import annotations

import argparse
import json
import logging
import socket
import sqlite3
from contextlib import closing

from flask import Flask, jsonify, request
from waitress import create_server

__all__ = ["make_app"]

THREADS = 32
CONNECTIONS = 1_000
LOCK_SECONDS = 30

TABLES = """
CREATE TABLE raters (token TEXT PRIMARY KEY, code TEXT);
CREATE TABLE takes (id TEXT PRIMARY KEY, rater TEXT, session TEXT);
CREATE TABLE chunks (take TEXT, seq INTEGER, samples TEXT, PRIMARY KEY (take, seq));
"""


def make_app(path: str, *, is_normal: bool) -> Flask:
    """The application; raters are let in by any token, and remembered."""
    app = Flask(__name__)

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=LOCK_SECONDS)
        if is_normal:
            connection.execute("PRAGMA synchronous=NORMAL")
        return connection

    with closing(connect()) as connection:
        connection.executescript(TABLES)
        if is_normal:
            connection.execute("PRAGMA journal_mode=WAL")

    def rater(connection: sqlite3.Connection) -> str:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        query = "SELECT code FROM raters WHERE token = ?"
        return connection.execute(query, (token,)).fetchone()[0]

    @app.post("/api/v1/takes")
    def begin():
        token = request.headers["Authorization"].removeprefix("Bearer ")
        with closing(connect()) as connection, connection:
            connection.execute("INSERT INTO raters VALUES (?, ?)", (token, token))
            values = (token, token, request.get_json()["session"])
            connection.execute("INSERT INTO takes VALUES (?, ?, ?)", values)
        return jsonify({"take": token, "contiguous": 0}), 201

    @app.post("/api/v1/takes/<take>/chunks/<int:seq>")
    def chunk(take: str, seq: int):
        samples = request.get_json()["samples"]
        with closing(connect()) as connection, connection:
            query = "SELECT rater FROM takes WHERE id = ?"
            assert connection.execute(query, (take,)).fetchone()[0] == rater(connection)
            values = (take, seq, json.dumps(samples))
            connection.execute("INSERT OR IGNORE INTO chunks VALUES (?, ?, ?)", values)
        return jsonify({"contiguous": seq + 1})

    return app


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--normal", action="store_true", help="WAL and synchronous=NORMAL")
    options = parser.parse_args()
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    app = make_app(options.file, is_normal=options.normal)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = create_server(
            app, sockets=[listening], threads=THREADS, connection_limit=CONNECTIONS, ident=None
        )
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        print(json.dumps({"url": url}), flush=True)
        server.run()


if __name__ == "__main__":
    main()
