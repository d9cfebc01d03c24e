"""Threads that go before those of busy processes, where the system lets them.

Linux lets root, and users with a limit for niceness; elsewhere nothing changes. On desktops it
shares the processor among sessions first (autogroup: each terminal is one), and niceness counts
within a session only. So the session's own niceness is set too, and put back in the end.

Source: sched(7), "The autogroup feature".
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["precedence"]

_NICENESS: Final = -10
"""About nine times the share of an ordinary process."""
_AUTOGROUP: Final = Path("/proc/self/autogroup")

_lock = threading.Lock()
_threads_before_others = 0
_session_niceness = "0"
"""What the session had before the first thread asked."""


@contextmanager
def precedence() -> Iterator[None]:
    """Puts this thread before others as long as the block runs, and its session with it."""
    if sys.platform != "linux":
        yield
        return
    thread = threading.get_native_id()
    before = os.getpriority(os.PRIO_PROCESS, thread)
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, thread, min(before, _NICENESS))
    _enter_session()
    try:
        yield
    finally:
        _leave_session()
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, before)


def _enter_session() -> None:
    global _threads_before_others, _session_niceness  # noqa: PLW0603 (a property of the process)
    with _lock:
        _threads_before_others += 1
        if _threads_before_others == 1:
            with suppress(OSError, IndexError):  # no such file without the feature
                _session_niceness = _AUTOGROUP.read_text().split()[-1]
                _AUTOGROUP.write_text(str(_NICENESS))


def _leave_session() -> None:
    global _threads_before_others  # noqa: PLW0603 (a property of the process)
    with _lock:
        _threads_before_others -= 1
        if _threads_before_others == 0:
            with suppress(OSError):
                _AUTOGROUP.write_text(_session_niceness)
