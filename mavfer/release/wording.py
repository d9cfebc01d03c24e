"""Markdown that also reads well as plain text: wrapped paragraphs, aligned tables, told numbers."""

from __future__ import annotations

import math
import re
import textwrap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

__all__ = [
    "bullets",
    "folded",
    "listed",
    "number_text",
    "page",
    "paragraph",
    "plain",
    "rounded_text",
    "share_text",
    "size_text",
    "table",
    "time_text",
]

_COLUMNS: Final = 96
_MARKUP: Final = re.compile(r"([\\`*<\[|])")
_LINE_MARKUP: Final = re.compile(r"^(\d*)([#>+.)-])(?=\s)")
"""What would make a wrapped line a heading, a quotation or an item of a list."""
_SECONDS_A_MINUTE: Final = 60
_SHOWN_AS_SECONDS: Final = 120
_SHOWN_AS_MINUTES: Final = 7200
_DIGITS: Final = 3


def plain(text: object) -> str:
    """Words of the lab as they stand, without any meaning for Markdown or HTML."""
    return _MARKUP.sub(r"\\\1", " ".join(str(text).split()))


def paragraph(text: str) -> str:
    """One paragraph, wrapped."""
    lines = _wrapped(text, _COLUMNS)
    return "\n".join([lines[0], *(_LINE_MARKUP.sub(r"\1\\\2", line) for line in lines[1:])])


def bullets(items: Iterable[str]) -> str:
    """A list, one item a bullet."""
    wrapped = (paragraph(item).replace("\n", "\n  ") for item in items)
    return "\n".join(f"- {item}" for item in wrapped)


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, words: Container[int] = (0,)
) -> str:
    """A table whose columns line up in plain text too.

    Args:
        header: Name of each column.
        rows: Cells, as they are to be shown.
        words: Columns that begin at the left; the others hold numbers and end at the right.
    """
    cells = [list(header), *(list(row) for row in rows)]
    widths = [max(3, *(len(row[at]) for row in cells)) for at in range(len(header))]
    rule = ["-" * w if at in words else "-" * (w - 1) + ":" for at, w in enumerate(widths)]
    return "\n".join(_row(row, widths, words) for row in (cells[0], rule, *cells[1:]))


def folded(summary: str, block: str) -> str:
    """A block that stays closed in a browser until `summary` is clicked."""
    return f"<details>\n<summary>{summary}</summary>\n\n{block}\n\n</details>"


def page(blocks: Iterable[str]) -> str:
    """A whole page: its blocks with an empty line between them; empty ones are left out."""
    return "\n\n".join(block for block in blocks if block) + "\n"


def listed(items: Iterable[str]) -> str:
    """Items in a row of words.

    >>> listed(["color", "depth", "thermal"])
    'color, depth and thermal'
    """
    *first, last = list(items) or ["none"]
    return f"{', '.join(first)} and {last}" if first else last


def number_text(value: float, digits: int = _DIGITS) -> str:
    """A number with so many significant digits; a dash for NaN.

    >>> number_text(0.12345), number_text(1234.5), number_text(float("nan"))
    ('0.123', '1,234', '–')
    """
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def rounded_text(value: float, places: int = 2) -> str:
    """A number with so many places, for columns of like numbers; a dash for NaN.

    >>> rounded_text(0.5), rounded_text(-0.001), rounded_text(float("nan"))
    ('0.50', '0.00', '–')
    """
    return f"{round(value, places) + 0.0:,.{places}f}" if math.isfinite(value) else "–"


def share_text(part: float, whole: float) -> str:
    """A share in percent; a dash where there is no whole.

    >>> share_text(1, 3), share_text(0, 0)
    ('33.3 %', '–')
    """
    return f"{100 * part / whole:.1f} %" if whole else "–"


def size_text(count: int) -> str:
    """Bytes in the unit that suits.

    >>> size_text(812), size_text(5_400_000)
    ('812 bytes', '5.1 MiB')
    """
    if count < 1 << 10:
        return f"{count:,} bytes"
    unit, name = next(
        (1 << power, name)
        for power, name in ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB"))
        if count >= 1 << power
    )
    return f"{count / unit:,.1f} {name}"


def time_text(seconds: float) -> str:
    """A length of time in the units that suit.

    >>> time_text(1.3), time_text(754), time_text(18_720)
    ('1.3 s', '12 min 34 s', '5 h 12 min')
    """
    if seconds < _SHOWN_AS_SECONDS:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _SECONDS_A_MINUTE)
    if seconds < _SHOWN_AS_MINUTES:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(round(seconds / _SECONDS_A_MINUTE), _SECONDS_A_MINUTE)
    return f"{hours:,} h {minutes} min"


def _wrapped(text: str, width: int) -> list[str]:
    words = " ".join(text.split())
    lines = textwrap.wrap(words, width, break_long_words=False, break_on_hyphens=False)
    return lines or [""]


def _row(cells: Sequence[str], widths: Sequence[int], words: Container[int]) -> str:
    padded = [
        cell.ljust(width) if at in words else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"
