"""What the server says when it does not do what was asked: one JSON shape, one status, one hint."""

from __future__ import annotations

from typing import Any

__all__ = ["Refusal"]


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
