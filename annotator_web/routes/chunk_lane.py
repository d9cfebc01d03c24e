"""A lane of its own for chunks, the request that comes a thousand times where another comes once.

It answers 200 and nothing else, with the same bytes as the route behind it and a tenth of the work;
whatever is unusual goes on to that route, which says what is wrong. What it remembers of a take
only saves looking it up: that the rater still may is asked in the transaction that stores the
chunk, so an invitation that is taken back, or a database that is put back, counts at once.
"""

from __future__ import annotations

import hmac
import re
import time
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Final

from annotator_web.access import auth
from annotator_web.access.protection import NOT_KEPT, headers_for
from annotator_web.store import quick_chunks
from annotator_web.store.database import NotStored
from annotator_web.store.quick_chunks import Credential
from annotator_web.store.samples import pack
from annotator_web.store.takes import Chunk, Take
from mavfer.errors import MavferError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from sqlalchemy import Connection

    from annotator_web.access.limits import Buckets
    from annotator_web.routes.context import Context
    from annotator_web.store.samples import Limits

__all__ = ["IS_COUNTED", "ChunkLane"]

IS_COUNTED: Final = "mavfer.is_counted"
"""Set in the environment of a request that its rater's bucket has paid for."""

_PATH: Final = re.compile(r"/api/v1/takes/([A-Za-z0-9_-]{1,64})/chunks/(0|[1-9][0-9]{0,4})")
_LENGTH: Final = re.compile(r"[1-9][0-9]{0,5}")
_LONGEST_BODY_BYTES: Final = 256 << 10
_MOST_KNOWN: Final = 4_096
_LIMITS_SECONDS: Final = 5.0
"""How long a video is taken to be as long as it was; looking costs a call of the system."""

_CSRF_KEY: Final = "HTTP_" + auth.CSRF_HEADER.upper().replace("-", "_")


@dataclass(frozen=True)
class _Known:
    """What is remembered of a take."""

    take: Take
    limits: Limits
    until: float
    """When its limits are looked up again, by `time.monotonic`."""


class ChunkLane:
    """The application with the lane before it."""

    def __init__(self, app: WSGIApplication, context: Context, buckets: Buckets) -> None:
        """Puts the lane before `app`."""
        self.app = app
        self._context = context
        self._buckets = buckets
        self._known: dict[tuple[str, Credential], _Known] = {}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a chunk, or lets `app` answer."""
        if environ["REQUEST_METHOD"] == "POST":
            match = _PATH.fullmatch(environ["PATH_INFO"])
            contiguous = self._add(environ, *match.groups()) if match else None
            if contiguous is not None:
                body = b'{"contiguous":%d}\n' % contiguous
                start_response("200 OK", _headers(environ["wsgi.url_scheme"], len(body)))
                return [body]
        return self.app(environ, start_response)

    def _add(self, environ: WSGIEnvironment, take_id: str, seq: str) -> int | None:
        """Chunks held without a gap once this one is on the disk; None where the route decides."""
        credential = _credential(environ)
        length = environ.get("CONTENT_LENGTH") or ""
        if credential is None or not _LENGTH.fullmatch(length):
            return None
        known = self._known_take(take_id, credential)
        if known is None or int(length) > _LONGEST_BODY_BYTES:
            return None
        if self._buckets.wait_for(known.take.rater, "chunk"):
            return None
        environ[IS_COUNTED] = True
        body = environ["wsgi.input"].read(int(length))
        contiguous = self._store(known, credential, int(seq), body)
        if contiguous is None:
            self._known.pop((take_id, credential), None)
            environ["wsgi.input"] = BytesIO(body)
        return contiguous

    def _known_take(self, take_id: str, credential: Credential) -> _Known | None:
        known = self._known.get((take_id, credential))
        if known is not None and known.until > time.monotonic():
            return known
        take = self._find(take_id, credential) if known is None else known.take
        if take is None:
            return None
        try:
            limits = self._context.limits_of(take)
        except (LookupError, MavferError):
            return None  # no media or dimension any more: the route says so
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        known = _Known(take, limits, time.monotonic() + _LIMITS_SECONDS)
        self._known[take_id, credential] = known
        return known

    def _find(self, take_id: str, credential: Credential) -> Take | None:
        with self._context.database.reading() as connection:
            return quick_chunks.find_open_take(connection, take_id, credential)

    def _store(self, known: _Known, credential: Credential, seq: int, body: bytes) -> int | None:
        take = known.take
        try:
            columns = quick_chunks.columns_quickly(body, known.limits)
            if columns is None:
                return None
            chunk = Chunk(seq, columns.shape[1], float(columns[0, -1]), pack(columns))

            def change(connection: Connection) -> int | None:
                return quick_chunks.add_quickly(connection, take, credential, chunk)

            return self._context.database.write(change)
        except NotStored:
            return None  # the route tries again, and says so


def _credential(environ: WSGIEnvironment) -> Credential | None:
    """What says who asks, with forgery ruled out; None where the route has to look."""
    header = environ.get("HTTP_AUTHORIZATION")
    if header:
        token = auth.token_in(header)
        return None if token is None else Credential(False, auth.hash_of(token))
    found = [part.strip() for part in environ.get("HTTP_COOKIE", "").split(";")]
    own = [part[len(auth.COOKIE) + 1 :] for part in found if part.startswith(f"{auth.COOKIE}=")]
    if len(own) != 1 or not auth.is_secret(own[0]):
        return None
    csrf = environ.get(_CSRF_KEY, "").encode("latin-1")
    if not hmac.compare_digest(auth.csrf_token(own[0]).encode(), csrf):
        return None
    return Credential(True, auth.hash_of(own[0]))


def _headers(scheme: str, length: int) -> list[tuple[str, str]]:
    return [
        ("Content-Type", "application/json"),
        ("Content-Length", str(length)),
        *headers_for(scheme).items(),
        ("Cache-Control", NOT_KEPT),
    ]
