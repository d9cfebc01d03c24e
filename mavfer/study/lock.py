"""The moment in which one process alone writes what all sessions of a study share."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from mavfer.errors import Busy
from mavfer.files import locked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mavfer.study.study import Study

__all__ = ["LOCK_NAME", "study_lock"]

LOCK_NAME: Final = ".lock"
"""Of the file in sessions/ that `study_lock` holds, and of the one in a session's folder that its
recorder holds as long as the take goes on."""

_PATIENCE_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.02


@contextmanager
def study_lock(study: Study) -> Iterator[None]:
    """Holds the study while session numbers are given out and participants are added; be quick.

    Raises:
        Busy: Another process has held it for ten seconds.
        CommandError: It is a release, which nobody writes into.
    """
    study.require_writable()
    path = study.sessions_folder / LOCK_NAME
    give_up = time.monotonic() + _PATIENCE_SECONDS
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(locked(path, "the study's list of sessions is being changed"))
                break
            except Busy:
                if time.monotonic() > give_up:
                    raise
                time.sleep(_LOOK_SECONDS)
        yield
