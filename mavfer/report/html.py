"""The few pieces of HTML that a page is put together from; all text is escaped here."""

from __future__ import annotations

import base64
import re
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

__all__ = [
    "charts",
    "details",
    "figure",
    "notice",
    "page",
    "paragraph",
    "section",
    "sheet",
    "table",
    "text",
    "tiles",
]

_SECTION: Final = re.compile(r'<section id="([^"]+)">\n<h2>(.*?)</h2>')
_NO_NETWORK: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Told to the browser, so that a page cannot load anything even by mistake."""


def page(
    title: str,
    lead: str,
    parts: Iterable[str],
    footer: str,
    *,
    is_themed: bool = False,
    head: str = "",
) -> str:
    """A whole page: one file, no scripts, nothing loaded from anywhere.

    Args:
        title: Heading, and name of the tab.
        lead: A sentence below.
        parts: Sections.
        footer: How the page was made.
        is_themed: Whether it turns dark where the reader likes that; its plots must allow it.
        head: More elements of the head, such as a style of its own.
    """
    style = resources.files("mavfer.report").joinpath("report.css").read_text(encoding="utf-8")
    body = "\n".join(parts)
    links = (f'<a href="#{place}">{words}</a>' for place, words in _SECTION.findall(body))
    contents = f"<nav>{' '.join(links)}</nav>"
    start = '<body class="themed">' if is_themed else "<body>"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_NO_NETWORK}">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n{head}</head>\n"
        f"{start}\n<main>\n"
        f'<h1>{escape(title)}</h1>\n<p class="lead">{escape(lead)}</p>\n'
        f"{contents}\n{body}\n"
        f"<footer>{escape(footer)}</footer>\n</main>\n</body>\n</html>\n"
    )


def text(words: str) -> str:
    """Words that stand as they are, whatever characters they hold."""
    return escape(words)


def section(title: str, *parts: str) -> str:
    """A part of the page with a heading."""
    place = re.sub(r"\W+", "-", title.lower())
    head = f'<section id="{place}">\n<h2>{escape(title)}</h2>\n'
    return head + "\n".join(parts) + "\n</section>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph; kind "soft" is set in gray, "notice" in a box that is not overlooked."""
    if kind == "notice":
        return f'<div class="notice"><p>{escape(text)}</p></div>'
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def notice(text: str, lines: Sequence[str]) -> str:
    """A box that is not overlooked, with a list."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<div class="notice"><p>{escape(text)}</p><ul>{items}</ul></div>'


def tiles(numbers: Mapping[str, str]) -> str:
    """Large numbers with a word below each."""
    boxes = (
        f'<div class="tile"><b>{escape(number)}</b><span>{escape(word)}</span></div>'
        for word, number in numbers.items()
    )
    return '<div class="tiles">\n' + "\n".join(boxes) + "\n</div>"


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    over: Sequence[tuple[str, int]] = (),
    strong: Container[tuple[int, int]] = (),
    words: Container[int] = (0,),
) -> str:
    """A table that scrolls sideways on a narrow screen.

    Args:
        header: Words above the columns.
        rows: Cells.
        over: A line above the header: words, and how many columns they stand over.
        strong: Row and column of the cells that are set in bold.
        words: Columns of text, set from the left; all others are numbers, set from the right.
    """
    tops = "".join(f'<th class="over" colspan="{span}">{escape(word)}</th>' for word, span in over)
    lines = [f"<tr>{tops}</tr>"] if over else []
    heads = (_cell("th", cell, is_text=at in words) for at, cell in enumerate(header))
    lines.append(f"<tr>{''.join(heads)}</tr>")
    for row, cells in enumerate(rows):
        line = (
            _cell("td", cell, is_text=at in words, is_strong=(row, at) in strong)
            for at, cell in enumerate(cells)
        )
        lines.append(f"<tr>{''.join(line)}</tr>")
    body = "\n".join(lines)
    return f'<div class="scroll"><table>\n{body}\n</table></div>'


def charts(drawings: Iterable[tuple[str, str]]) -> str:
    """Charts (heading, SVG) side by side where there is room, else one below the other."""
    boxes = (
        f"<figure>{f'<figcaption>{escape(head)}</figcaption>' if head else ''}{svg}</figure>"
        for head, svg in drawings
    )
    return '<div class="charts">\n' + "\n".join(boxes) + "\n</div>"


def figure(svg: str) -> str:
    """A plot, with room to scroll sideways on a narrow screen."""
    return f'<div class="scroll"><div class="plot">{svg}</div></div>'


def sheet(rows: Mapping[str, bytes]) -> str:
    """Rows of pictures (JPEG files as bytes), each with its name beside it."""
    cells = []
    for name, jpeg in rows.items():
        data = base64.b64encode(jpeg).decode()
        picture = f'<img alt="{escape(name)}" src="data:image/jpeg;base64,{data}">'
        cells.append(f"<span>{escape(name)}</span>{picture}")
    return '<div class="sheet">\n' + "\n".join(cells) + "\n</div>"


def details(title: str, *parts: str) -> str:
    """Parts that are folded away until they are asked for."""
    inner = "\n".join(parts)
    return f"<details>\n<summary>{escape(title)}</summary>\n{inner}\n</details>"


def _cell(tag: str, words: str, *, is_text: bool, is_strong: bool = False) -> str:
    kind = ' class="text"' if is_text else ""
    inner = f"<b>{escape(words)}</b>" if is_strong else escape(words)
    return f"<{tag}{kind}>{inner}</{tag}>"
