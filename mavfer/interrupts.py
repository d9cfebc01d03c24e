"""Ctrl-C that is not lost: Python drops an exception that is raised within a finalizer."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

__all__ = ["keep_interrupts"]

_SECONDS_TO_LEAVE: Final = 0.01
"""Time for the finalizer to return; should the signal meet another, it is sent once more."""


def keep_interrupts() -> None:
    """From now on a `KeyboardInterrupt` that Python would drop is raised again shortly after.

    A signal may come while a destructor or the callback of a weak reference runs. What its
    handler raises there goes to `sys.unraisablehook`, which prints it and goes on: the program
    that was told to end would run to its end. Everything else goes to the hook as before.
    """
    before = sys.unraisablehook

    def hook(unraisable: UnraisableHookArgs) -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            before(unraisable)
        elif not sys.is_finalizing():
            _thread.start_new_thread(_interrupt_again, ())

    sys.unraisablehook = hook


def _interrupt_again() -> None:
    """In a bare thread: the code that a finalizer came into may hold the locks of `threading`."""
    time.sleep(_SECONDS_TO_LEAVE)
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
