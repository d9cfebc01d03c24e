"""A program that rates: the annotator's HTTP API as functions, sent until they are answered."""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from mavfer.errors import CommandError, DataError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Client"]

_TIMEOUT_SECONDS: Final = 10.0
_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 2.0
_CLIENT_ERROR: Final = 400
_SERVER_ERROR: Final = 500
_RETRIED: Final = (408, 429)


class Client:
    """One rater's connection, kept open; every request is repeated while the server is away.

    Repeating is safe: the numbered chunks are stored once, whatever is sent again. Only a take
    that was begun while the answer got lost stays behind empty, and is never collected.
    """

    def __init__(self, url: str, token: str, *, patience_seconds: float = 60.0) -> None:
        """Connects nothing yet.

        Args:
            url: Where the server is, for example http://127.0.0.1:8420.
            token: The invitation's token.
            patience_seconds: How long a request is repeated while nobody answers.

        Raises:
            CommandError: `url` is not an http or https address.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            message = f"--url {url}: not an address such as http://127.0.0.1:8420"
            raise CommandError(message)
        self.url = url
        self._patience_seconds = patience_seconds
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=_TIMEOUT_SECONDS)
        self._prefix = parts.path.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def sessions(self) -> list[dict[str, Any]]:
        """The reaction-time clip and the sessions to rate, with the takes that are there."""
        found: list[dict[str, Any]] = self._ask("GET", "/api/v1/sessions")["sessions"]
        return found

    def get(self, path: str) -> dict[str, Any]:
        """The JSON at a path such as /api/v1/calibration."""
        return self._ask("GET", path)

    def begin(self, session: str, dimensions: list[str], client: dict[str, Any]) -> str:
        """Begins a take and returns its id."""
        body = {"session": session, "dimensions": dimensions, "client": client}
        return str(self._ask("POST", "/api/v1/takes", body)["take"])

    def state(self, take: str) -> dict[str, Any]:
        """How far a take is."""
        return self._ask("GET", f"/api/v1/takes/{take}")

    def send(self, take: str, seq: int, samples: dict[str, list[Any]]) -> int:
        """Sends a chunk; when this returns, the server has it on its disk."""
        answer = self._ask("POST", f"/api/v1/takes/{take}/chunks/{seq}", {"samples": samples})
        return int(answer["contiguous"])

    def finish(
        self, take: str, *, chunks: int, samples: int, client: dict[str, Any] | None = None
    ) -> None:
        """Finishes a take; when this returns, the server holds all of it.

        Args:
            take: Id of the take.
            chunks: How many were sent.
            samples: How many were in them.
            client: What the program says of itself in the end, beside what it said to begin.
        """
        body: dict[str, Any] = {"chunks": chunks, "samples": samples}
        if client is not None:
            body["client"] = client
        self._ask("POST", f"/api/v1/takes/{take}/finish", body)

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The answer's JSON, asked for again while the server is away.

        Raises:
            DataError: The server refused, or nobody answered for too long.
        """
        data = None if body is None else json.dumps(body).encode()
        status, content = self._repeated(lambda: self._once(method, path, data))
        document: dict[str, Any] = json.loads(content) if content else {}
        if status >= _CLIENT_ERROR:
            error = document.get("error", {})
            message = f"{self.url}{path}: {error.get('message', status)}. {error.get('hint', '')}"
            raise DataError(message.strip())
        return document

    def _repeated(self, request: Callable[[], tuple[int, bytes, float]]) -> tuple[int, bytes]:
        deadline = time.monotonic() + self._patience_seconds
        pause = _FIRST_PAUSE_SECONDS
        while True:
            wait = pause
            try:
                status, content, asked_wait = request()
                if status < _SERVER_ERROR and status not in _RETRIED:
                    return status, content
                wait = max(pause, asked_wait)
                reason = f"status {status}"
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                reason = str(error) or type(error).__name__
            if time.monotonic() + wait > deadline:
                message = f"{self.url}: no answer ({reason}). Start: mavfer annotate serve STUDY"
                raise DataError(message)
            time.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _once(self, method: str, path: str, data: bytes | None) -> tuple[int, bytes, float]:
        """Status, body, and the seconds that the server asks to wait."""
        self._connection.request(method, self._prefix + path, data, self._headers)
        response = self._connection.getresponse()
        wait = response.getheader("Retry-After", "")
        return response.status, response.read(), float(wait) if wait.isdecimal() else 0.0
