"""The server behind `mavfer annotate serve`: waitress, local unless told otherwise."""

from __future__ import annotations

import errno
import gc
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from annotator_web.access.protection import BehindProxy
from annotator_web.app import close_app, create_app
from annotator_web.desk.raters import note_url
from annotator_web.store.database import Database, database_path
from mavfer.errors import CommandError, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask import Flask

    from mavfer.study.study import Study

__all__ = ["serve"]

_OPEN_TO_ALL: Final = ("0.0.0.0", "::")  # noqa: S104,RUF100 (named to tell them apart)


def serve(
    study: Study,
    *,
    host: str,
    port: int,
    database: str | None,
    ready: Callable[[str], None],
    trusted_proxy: str | None = None,
) -> None:
    """Serves until SIGTERM or Ctrl-C.

    Args:
        study: The study.
        host: Address to listen on.
        port: Port; 0 for any free one.
        database: As in `create_app`.
        ready: Told the URL once connections are taken.
        trusted_proxy: Address of the proxy that may say in X-Forwarded-Proto that raters came
            over HTTPS; None for one on this machine.

    Raises:
        CommandError: The port is in use, or the address is not one of this machine.
    """
    require("waitress", "annotate")
    from annotator_web.serving import make_server

    with _listen(host, port) as listening, _app(study, database) as app:
        url = _url(host, listening.getsockname()[1])
        _note(study, database, url)
        proxied = BehindProxy(app, trusted_proxy or _loopback(listening))
        server = make_server(proxied, listening)
        gc.freeze()  # what is there from the start need not be looked through while raters wait
        with _ending_on_sigterm():
            ready(url)
            server.run()


@contextmanager
def _app(study: Study, database: str | None) -> Iterator[Flask]:
    """Hands out the application, and closes its database at the end."""
    app = create_app(study, database)
    try:
        yield app
    finally:
        close_app(app)


def _listen(host: str, port: int) -> socket.socket:
    """The socket, taken before anything else, so that a port in use is told at once."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        message = f"--host {host}: not an address of this machine ({error.strerror or error})"
        raise CommandError(message) from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            message = f"--port {port}: in use on {host}. Stop what runs there, or give another port"
        else:
            message = f"--host {host} --port {port}: cannot listen ({error.strerror})"
        raise CommandError(message) from error
    return listening


def _url(host: str, port: int) -> str:
    name = "127.0.0.1" if host in _OPEN_TO_ALL else host
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def _loopback(listening: socket.socket) -> str:
    return "::1" if listening.family == socket.AF_INET6 else "127.0.0.1"


def _note(study: Study, database: str | None, url: str) -> None:
    store = Database(database_path(study, database), study)
    try:
        note_url(store, url)
    finally:
        store.close()


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Inside, SIGTERM ends the server as Ctrl-C does: after what it was given."""

    def end(_signal: int, _frame: Any) -> None:
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
