"""Waitress, tuned for many raters who each send a little every second.

One thread minds all connections and hands requests to workers. Woken for every one of them it would
spend its time asking five hundred connections whether they are ready; where there are many it takes
a short breath between two looks, and then serves all that came. Its own refusals of what is no
proper HTTP speak as the application does, with the same headers.
"""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Final

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher
from waitress.wasyncore import loop

from annotator_web.access.protection import NOT_KEPT, headers_for
from annotator_web.refusals import Refusal

if TYPE_CHECKING:
    import socket
    from wsgiref.types import WSGIApplication

__all__ = ["make_server"]

_THREADS: Final = 32
_MOST_CONNECTIONS: Final = 4_000
"""A browser may open six, and those that wait for nothing are closed after `_QUIET_SECONDS`."""

_OTHER_FILES: Final = 256
"""Files that stay free for the database, videos and everything else."""

_BACKLOG: Final = 2_048
_QUIET_SECONDS: Final = 60
"""A connection that says nothing for so long is closed."""

_LONGEST_BODY_BYTES: Final = 1 << 20
"""More is not even received; the application refuses what is above its own, lower limit."""

_LONGEST_HEADER_BYTES: Final = 32 << 10
_SENT_TOGETHER_BYTES: Final = 4_096
"""Header and body of a small answer leave in one piece, from the thread that minds connections."""

_POLL_SECONDS: Final = 1.0
_MANY_CONNECTIONS: Final = 24
_BREATH_SECONDS: Final = 0.008
_BREATH_SECONDS_EACH: Final = 1e-5
"""A look costs about a microsecond a connection, so that a tenth of the time goes to looking."""


def make_server(app: WSGIApplication, listening: socket.socket) -> TcpWSGIServer:
    """A server of `app` on a socket that is bound already; its `run` serves."""
    adjustments = Adjustments(
        sockets=[listening],
        threads=_THREADS,
        connection_limit=_most_connections(),
        backlog=_BACKLOG,
        channel_timeout=_QUIET_SECONDS,
        max_request_body_size=_LONGEST_BODY_BYTES,
        max_request_header_size=_LONGEST_HEADER_BYTES,
        send_bytes=_SENT_TOGETHER_BYTES,
        ident="mavfer",
        clear_untrusted_proxy_headers=False,  # nobody reads them; see BehindProxy
    )
    # Many requests come with one look, so that a queue is no news.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    dispatcher = ThreadedTaskDispatcher()
    dispatcher.set_thread_count(adjustments.threads)
    address = (listening.family, listening.type, listening.proto, listening.getsockname())
    return _Server(
        app,
        {},
        _sock=listening,
        dispatcher=dispatcher,
        adj=adjustments,
        sockinfo=address,
        bind_socket=False,
    )


class _ErrorTask(ErrorTask):  # type: ignore[misc]  # no types are published
    """What is no proper HTTP, or too long, is refused in our one shape."""

    def execute(self) -> None:
        error = self.request.error
        code = error.reason.lower().replace(" ", "_")
        refusal = Refusal(error.code, code, str(error.body), "See docs/annotate.md, 'HTTP API'")
        body = json.dumps(refusal.to_document()).encode()
        self.status = f"{error.code} {error.reason}"
        headers = {**headers_for("http"), "Cache-Control": NOT_KEPT}
        self.response_headers.extend(headers.items())
        self.response_headers.append(("Content-Type", "application/json"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):  # type: ignore[misc]  # as above
    error_task_class = _ErrorTask


class _Server(TcpWSGIServer):  # type: ignore[misc]  # as above
    channel_class = _Channel

    def handle_accept(self) -> None:
        """Lets all in who wait, not one at each look."""
        before = -1
        while before < len(self._map) < self.adj.connection_limit:
            before = len(self._map)
            super().handle_accept()

    def run(self) -> None:
        """Serves until SystemExit or Ctrl-C."""
        try:
            while self._map:
                loop(_POLL_SECONDS, use_poll=True, map=self._map, count=1)
                count = len(self._map)
                if count > _MANY_CONNECTIONS:
                    time.sleep(_BREATH_SECONDS + count * _BREATH_SECONDS_EACH)
        except (SystemExit, KeyboardInterrupt):
            self.task_dispatcher.shutdown()


def _most_connections() -> int:
    """As many as this process may have files open, which is asked for as far as it is allowed."""
    try:
        import resource
    except ImportError:  # Windows, whose select takes 512
        return _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_CONNECTIONS + _OTHER_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(_MOST_CONNECTIONS, max(_OTHER_FILES, soft - _OTHER_FILES))
