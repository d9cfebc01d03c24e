"""Progress of long work: a bar on a terminal, plain lines where nobody watches one; and counts."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["counted", "duration", "progress", "say"]

_SECONDS_BETWEEN_LINES: Final = 5.0
_ENOUGH_DONE: Final = 0.02
"""Share of the work after which its speed says how long the rest will take."""


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


def duration(seconds: float) -> str:
    """A length of time in words, in the unit that suits it.

    >>> duration(42), duration(600), duration(9000)
    ('42 s', '10 min', '2 h 30 min')
    """
    minutes = round(seconds / 60)
    if seconds < 100:  # noqa: PLR2004 (up to here seconds say more)
        return f"{seconds:.0f} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


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
            line = f"{self._title}: {self._done}{share} {self._unit}s{self._left()}"
            print(line, file=sys.stderr, flush=True)

    def _left(self) -> str:
        """How long the rest will take if it goes on like this; nothing where that is unknown."""
        elapsed = time.monotonic() - self._started
        is_early = elapsed < _SECONDS_BETWEEN_LINES or self._done < _ENOUGH_DONE * self._total
        if is_early or not 0 < self._done < self._total:
            return ""
        seconds = elapsed * (self._total - self._done) / self._done
        return f", about {duration(seconds)} left"

    def finish(self) -> None:
        """Prints the total."""
        seconds = time.monotonic() - self._started
        print(
            f"{self._title}: {counted(self._done, self._unit)} in {seconds:.1f} s",
            file=sys.stderr,
            flush=True,
        )
