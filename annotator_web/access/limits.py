"""How much one rater may ask at once, so that a script gone wild does not slow all the others.

Counted by rater and never by address: a laboratory, or a whole university, may share one address.
Each rater has a bucket of tokens for every kind of request, filled at a steady pace.
"""

from __future__ import annotations

import math
import re
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from annotator_web.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["PACES", "Buckets", "Kind", "Pace", "kind_of"]

Kind = Literal["chunk", "change", "read"]

_CHUNK: Final = re.compile(r"^/api/v1/takes/[^/]+/chunks/[^/]+$")
_READING: Final = ("GET", "HEAD", "OPTIONS")
_TOO_MANY: Final = 429


@dataclass(frozen=True)
class Pace:
    """How fast a bucket fills, and how much it holds."""

    a_second: float
    at_once: float


PACES: Final[Mapping[Kind, Pace]] = {
    # One a second is usual; a browser that was offline for two minutes sends 120 in one go.
    "chunk": Pace(20, 120),
    "change": Pace(5, 60),
    "read": Pace(50, 300),
}


class Buckets:
    """The buckets of all raters."""

    def __init__(
        self,
        paces: Mapping[Kind, Pace] = PACES,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """All buckets are full; `clock` tells seconds."""
        self._paces, self._clock = paces, clock
        self._lock = threading.Lock()
        self._buckets: dict[tuple[int, Kind], tuple[float, float]] = {}

    def wait_for(self, rater: int, kind: Kind) -> float:
        """Takes one token; 0.0, or the seconds until there is one."""
        pace, now = self._paces[kind], self._clock()
        with self._lock:
            left, then = self._buckets.get((rater, kind), (pace.at_once, now))
            left = min(pace.at_once, left + (now - then) * pace.a_second)
            is_allowed = left >= 1
            self._buckets[rater, kind] = (left - is_allowed, now)
        return 0.0 if is_allowed else (1 - left) / pace.a_second

    def require(self, rater: int, kind: Kind) -> None:
        """Takes one token.

        Raises:
            Refusal: 429 with Retry-After in whole seconds where there is none.
        """
        wait = self.wait_for(rater, kind)
        if wait:
            seconds = max(1, math.ceil(wait))
            pace = self._paces[kind]
            message = (
                f"too many requests at once: {pace.at_once:g}, then {pace.a_second:g} a second, "
                "are served"
            )
            hint = f"Go on in {seconds} s; nothing is lost"
            refusal = Refusal(_TOO_MANY, "too_many_requests", message, hint)
            refusal.headers["Retry-After"] = str(seconds)
            raise refusal


def kind_of(method: str, path: str) -> Kind:
    """Which bucket a request is counted in."""
    if method in _READING:
        return "read"
    return "chunk" if method == "POST" and _CHUNK.match(path) else "change"
