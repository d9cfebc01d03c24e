"""Progress of long work: a bar on a terminal, plain lines where nobody watches one; and counts."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["counted", "progress", "say"]

_SECONDS_BETWEEN_LINES: Final = 5.0


@contextmanager
def progress(title: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Hands out `advance(n)`, which says on stderr that `n` more of `total` units are done.

    Args:
        title: What is being done: "preprocess S01-001".
        total: Units in all; 0 where it is not known.
        unit: Name of one unit: "frame", "session".
    """
    if sys.stderr.isatty():
        from tqdm import tqdm

        bar = tqdm(
            total=total or None, desc=title, unit=f" {unit}", leave=False, dynamic_ncols=True
        )
        with bar:
            yield lambda count: _advance_bar(bar, count)
    else:
        lines = _Lines(title, total, unit)
        yield lines.advance
        lines.finish()


def counted(number: int, noun: str) -> str:
    """A number and what it counts.

    >>> counted(1, "session"), counted(2, "session")
    ('1 session', '2 sessions')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def say(text: str) -> None:
    """Prints a message on stderr, above the bar where one is shown."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        tqdm.write(text, file=sys.stderr)
    else:
        print(text, file=sys.stderr, flush=True)


def _advance_bar(bar: object, count: int) -> None:
    bar.update(count)  # type: ignore[attr-defined]


class _Lines:
    """A line at most every few seconds, and one at the end."""

    def __init__(self, title: str, total: int, unit: str) -> None:
        self._title, self._total, self._unit = title, total, unit
        self._done = 0
        self._started = self._printed = time.monotonic()

    def advance(self, count: int) -> None:
        """Counts, and prints if the last line is some time ago."""
        self._done += count
        if time.monotonic() - self._printed >= _SECONDS_BETWEEN_LINES:
            self._printed = time.monotonic()
            share = f" of {self._total}" if self._total else ""
            print(f"{self._title}: {self._done}{share} {self._unit}s", file=sys.stderr, flush=True)

    def finish(self) -> None:
        """Prints the total."""
        seconds = time.monotonic() - self._started
        print(
            f"{self._title}: {counted(self._done, self._unit)} in {seconds:.1f} s",
            file=sys.stderr,
            flush=True,
        )
