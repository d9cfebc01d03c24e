"""What the server says when it does not do what was asked: one JSON shape, one status, one hint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CODES", "Refusal"]

CODES: Final[Mapping[str, tuple[tuple[int, ...], str]]] = {
    "malformed": ((400,), "Not the JSON or the form that is asked for."),
    "out_of_range": ((400,), "Beyond the clip or the scale."),
    "bad_request": ((400,), "Not a request that HTTP knows."),
    "not_invited": ((401, 403), "No valid token or cookie came along, or it was revoked."),
    "forged": ((403,), "A cookie came without the page's token."),
    "consent_first": ((403,), "A person has not agreed to take part (again) yet."),
    "withdrawn": ((403,), "The rater ended taking part."),
    "not_found": ((404,), "Nothing is there."),
    "no_such_session": ((404,), "Not one of this rater's sessions."),
    "no_such_take": ((404,), "Not one of this rater's takes."),
    "method_not_allowed": ((405,), "The address knows other methods; Allow names them."),
    "chunk_differs": ((409,), "The number is held with other samples."),
    "finished": ((409,), "The take is finished and takes nothing new."),
    "incomplete": ((409,), 'Chunks lack; "missing" names the first thousand.'),
    "counts_differ": ((409,), "Another number of chunks or samples is held."),
    "too_many_takes": ((409,), "The rater began too many takes of the session."),
    "not_prepared": ((409,), "Streams are shown that were not put side by side yet."),
    "media_damaged": ((409,), "The media of the session cannot be read."),
    "request_entity_too_large": ((413,), "The body is too large."),
    "no_such_range": ((416,), "Beyond the end of the video."),
    "too_many_requests": ((429,), "Too much at once by this rater; Retry-After says when to come."),
    "request_header_fields_too_large": ((431,), "The headers are too large."),
    "internal_server_error": ((500,), "A mistake of ours; the server's own output tells more."),
    "not_implemented": ((501,), "Sent in a way that is not understood."),
    "busy": ((503,), "The database is locked; Retry-After says when to come again."),
    "disk_full": ((507,), "The disk took nothing; keep what you have and send it again."),
}
"""Every code that a refusal may have: its statuses, and what it means."""


class Refusal(Exception):
    """An HTTP answer of 400 or above, told to a program and to the person behind it."""

    def __init__(self, status: int, code: str, message: str, hint: str, **more: Any) -> None:
        """Keeps the parts of the answer.

        Args:
            status: HTTP status, 400 or above.
            code: One word with underscores that a program can compare: "chunk_differs".
            message: What is wrong and where.
            hint: What to do next.
            more: Further keys of the answer beside "error".
        """
        super().__init__(message)
        self.status, self.code = status, code
        self.message, self.hint = message, hint
        self.more = more
        self.headers: dict[str, str] = {}

    def to_document(self) -> dict[str, Any]:
        """The answer's JSON."""
        error = {"code": self.code, "message": self.message, "hint": self.hint}
        return {"error": error, **self.more}
