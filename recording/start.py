"""When the cameras of a rig begin, on one clock."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

__all__ = ["SharedStart"]


@dataclass
class SharedStart:
    """When a rig began on the host's clock; its cameras share it."""

    start_ns: int | None
    """None until the first camera starts."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> int:
        """The start, which is now where nobody has begun."""
        with self.lock:
            if self.start_ns is None:
                self.start_ns = time.monotonic_ns()
            return self.start_ns
