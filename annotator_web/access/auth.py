"""Who asks: invitations, cookies, and the token against forged requests.

A token has 128 random bits and is stored as its SHA-256 alone. A person opens the invitation's
link once and gets a cookie in exchange; a program sends the token itself with every request.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import exists, insert, select

from annotator_web.refusals import Refusal
from annotator_web.store.database import invitations, logins, raters, withdrawals
from mavfer.study.study import utc_now

if TYPE_CHECKING:
    from flask import Request
    from sqlalchemy import Connection, Select

    from annotator_web.store.database import Database

__all__ = [
    "COOKIE",
    "CSRF_FIELD",
    "CSRF_HEADER",
    "Caller",
    "csrf_token",
    "find_caller",
    "hash_of",
    "is_secret",
    "new_token",
    "open_login",
    "require_caller",
    "require_no_forgery",
    "storage_key",
    "token_in",
]

COOKIE: Final = "mavfer_rater"
CSRF_HEADER: Final = "X-CSRF-Token"
CSRF_FIELD: Final = "csrf"
"""The hidden field of a page's form, in place of the header."""

_TOKEN_BYTES: Final = 16
_STORAGE_KEY_LENGTH: Final = 12
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")
_BEARER: Final = "Bearer "
_FOUND: Final = "mavfer.caller"
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(frozen=True)
class Caller:
    """The rater behind a request."""

    rater: int
    """Key of the rater's row."""
    code: str
    kind: str
    """person or simulated."""
    sessions: tuple[str, ...] | None
    """Sessions of the invitation; None for all of the project."""
    has_cookie: bool
    """True where the browser's cookie says who it is, so that forgery has to be ruled out."""
    has_withdrawn: bool = False
    """Whether the rater ended taking part."""

    def may_rate(self, session: str) -> bool:
        """Whether the invitation covers a session of the project."""
        return self.sessions is None or session in self.sessions


def new_token() -> str:
    """A new secret of 128 bits, as it stands in links and headers."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def hash_of(secret: str) -> str:
    """What is stored of a secret; 128 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_secret(text: str) -> bool:
    """Whether `text` can be a token or a cookie of ours."""
    return _TOKEN.fullmatch(text) is not None


def token_in(authorization: str) -> str | None:
    """The token in the header Authorization; None where there can be none."""
    token = authorization.removeprefix(_BEARER)
    return token if authorization.startswith(_BEARER) and is_secret(token) else None


def storage_key(study: str, rater: str) -> str:
    """Under what a browser keeps the samples of a rater, apart from those of others."""
    return hash_of(f"{study}/{rater}")[:_STORAGE_KEY_LENGTH]


def csrf_token(cookie: str) -> str:
    """What a page sends back with every change, so that other sites cannot make one."""
    return hmac.new(cookie.encode(), b"mavfer-csrf", hashlib.sha256).hexdigest()


def open_login(database: Database, token: str) -> str | None:
    """The cookie for the rater whom `token` invites; None where it invites nobody (any more)."""
    if not is_secret(token):
        return None
    cookie = new_token()

    def change(connection: Connection) -> bool:
        query = select(invitations.c.id).where(
            invitations.c.token_sha256 == hash_of(token), invitations.c.revoked_utc.is_(None)
        )
        invitation = connection.execute(query).scalar()
        if invitation is None:
            return False
        row = {
            "cookie_sha256": hash_of(cookie),
            "invitation": invitation,
            "created_utc": utc_now(),
        }
        connection.execute(insert(logins).values(row))
        return True

    return cookie if database.write(change) else None


def find_caller(database: Database, request: Request) -> Caller | None:
    """The rater behind a request; None where neither token nor cookie stands for one.

    A request is looked up once, however often this is asked while it is answered.
    """
    if _FOUND not in request.environ:
        request.environ[_FOUND] = _look_up(database, request)
    caller: Caller | None = request.environ[_FOUND]
    return caller


def _look_up(database: Database, request: Request) -> Caller | None:
    header = request.headers.get("Authorization", "")
    if header:
        token = token_in(header)
        if token is None:
            return None
        query = _callers.where(invitations.c.token_sha256 == hash_of(token))
    else:
        cookie = request.cookies.get(COOKIE, "")
        if not is_secret(cookie):
            return None
        joined = logins.c.invitation == invitations.c.id
        query = _callers.join(logins, joined).where(logins.c.cookie_sha256 == hash_of(cookie))
    with database.reading() as connection:
        row = connection.execute(query).first()
    return None if row is None else _caller(row, has_cookie=not header)


def require_caller(database: Database, request: Request) -> Caller:
    """The rater behind a request.

    Raises:
        Refusal: 401 where there is none, or the invitation was revoked.
    """
    caller = find_caller(database, request)
    if caller is None:
        message = "no valid invitation came with this request, or it was revoked"
        hint = "Open your invitation link again, or ask the study for a new one"
        raise Refusal(401, "not_invited", message, hint)
    return caller


def require_no_forgery(caller: Caller, request: Request) -> None:
    """Returns where a change was asked for by our own page or with a token.

    Raises:
        Refusal: 403 where the cookie came without the page's token.
    """
    if not caller.has_cookie:
        return
    wanted = csrf_token(request.cookies[COOKIE]).encode()
    if not hmac.compare_digest(wanted, _given_csrf(request).encode()):
        message = f"neither the header {CSRF_HEADER} nor the form belongs to this cookie"
        raise Refusal(403, "forged", message, "Reload the page")


def _given_csrf(request: Request) -> str:
    """What came against forgery: our scripts send a header, our forms a hidden field."""
    header = request.headers.get(CSRF_HEADER)
    if header is None and request.mimetype in _FORMS:
        return request.form.get(CSRF_FIELD, "")
    return header or ""


def _caller(row: Any, *, has_cookie: bool) -> Caller:
    sessions = None if row.sessions is None else tuple(row.sessions)
    return Caller(row.rater, row.code, row.kind, sessions, has_cookie, bool(row.has_withdrawn))


_callers: Final[Select[Any]] = (
    select(
        raters.c.id.label("rater"),
        raters.c.code,
        raters.c.kind,
        invitations.c.sessions,
        exists().where(withdrawals.c.rater == raters.c.id).label("has_withdrawn"),
    )
    .join_from(invitations, raters)
    .where(invitations.c.revoked_utc.is_(None))
)
