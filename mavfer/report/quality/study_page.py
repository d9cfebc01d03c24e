"""The page of a study: what failed, which sessions to look at first and why, and all of them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from mavfer import __version__
from mavfer.progress import counted, duration
from mavfer.report import html
from mavfer.report.quality.findings import TROUBLES
from mavfer.study.study import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mavfer.report.quality.ranking import SessionSummary

__all__ = ["SHOWN_FIRST", "study_page"]

SHOWN_FIRST: Final = 10
"""Sessions with pictures; the others stand in the table alone."""
_WORDS_OF_A_SESSION: Final = 4
_LEAST_POINTS: Final = 5.0
"""Fewer are within what any session has: a frame without its pair here and there (ours)."""


def study_page(
    name: str,
    summaries: Sequence[SessionSummary],
    failures: Mapping[str, str],
    head: str,
    picture: Callable[[SessionSummary], bytes | None],
) -> str:
    """The page as HTML.

    Args:
        name: The study's name.
        summaries: Of every session with a shard.
        failures: Why the others have none, or what is wrong with their shard.
        head: More elements of the page's head.
        picture: Some frames of a session as a JPEG; asked for the first few sessions only.
    """
    ranked = sorted(summaries, key=lambda each: (-each.points, each.session))
    return html.page(
        title=f"{name}: what preprocessing did",
        lead=_lead(summaries, failures),
        parts=_parts(ranked, failures, picture),
        footer=f"Made by mavfer {__version__} on {utc_now()} from the shards alone.",
        is_themed=True,
        head=head,
    )


def _lead(summaries: Sequence[SessionSummary], failures: Mapping[str, str]) -> str:
    if not summaries:
        return "No session has a shard."
    wanting = sum(each.points >= _LEAST_POINTS for each in summaries)
    if not wanting and not failures:
        return f"{counted(len(summaries), 'session')}, nothing stands out."
    return f"{wanting} of {counted(len(summaries), 'session')} want a look."


def _parts(
    ranked: Sequence[SessionSummary],
    failures: Mapping[str, str],
    picture: Callable[[SessionSummary], bytes | None],
) -> Iterator[str]:
    if failures:
        lines = [
            f"{session}: {reason.removeprefix(f'session {session}').lstrip(',: ')}"
            for session, reason in sorted(failures.items())
        ]
        words = f"{counted(len(failures), 'session')} failed, without a shard, or with a torn one:"
        yield html.notice(words, lines)
    if not ranked:
        return
    yield _numbers(ranked)
    first = [each for each in ranked[:SHOWN_FIRST] if each.points >= _LEAST_POINTS]
    if first:
        yield _first_section(first, ranked, picture)
    yield _all_section(ranked)
    yield _rule_section()


def _numbers(ranked: Sequence[SessionSummary]) -> str:
    frames = sum(each.frames for each in ranked)
    streams = dict.fromkeys(name for each in ranked for name in each.valid)
    shares = {
        name: _of_frames([(each.valid.get(name), each.frames) for each in ranked])
        for name in streams
    }
    carried = _of_frames([(each.carried, each.frames) for each in ranked])
    return html.tiles(
        {
            "sessions": f"{len(ranked):,}",
            "frames": f"{frames:,}",
            "of media": duration(sum(each.seconds for each in ranked)),
            **{f"{stream} usable": _percent(share) for stream, share in shares.items()},
            "carried by depth": _percent(carried),
        }
    )


def _of_frames(shares: Sequence[tuple[float | None, int]]) -> float:
    """A share over the frames of all sessions that have it, from (share, frames) of each."""
    known = [(share, frames) for share, frames in shares if share is not None]
    every = sum(frames for _, frames in known)
    return sum(share * frames for share, frames in known) / every if every else 0.0


# The first sessions, with pictures.


def _first_section(
    first: Sequence[SessionSummary],
    ranked: Sequence[SessionSummary],
    picture: Callable[[SessionSummary], bytes | None],
) -> str:
    rest = sum(each.points >= _LEAST_POINTS for each in ranked) - len(first)
    more = f" {counted(rest, 'more session')} with points follow in the table." if rest else ""
    articles = "\n".join(_article(each, picture(each)) for each in first)
    return html.section(
        "Look at these first",
        html.paragraph(f"Most points first; the rule stands below.{more}"),
        f'<div class="ranked">\n{articles}\n</div>',
    )


def _article(each: SessionSummary, jpeg: bytes | None) -> str:
    lines = "".join(f"<li>{html.text(line)}</li>" for line in _why(each))
    picture = ""
    if jpeg is not None:
        data = base64.b64encode(jpeg).decode()
        label = html.text(f"frames of {each.session}")
        picture = f'<img alt="{label}" src="data:image/jpeg;base64,{data}">'
    return (
        f"<article><div><h3>{_linked(each.session)} "
        f'<span class="points">{each.points:.0f} points</span></h3><ul>{lines}</ul></div>'
        f"<div>{picture}</div></article>"
    )


def _why(each: SessionSummary) -> list[str]:
    """What the points come from, most first."""
    by_points = sorted(each.troubles.items(), key=lambda item: -item[1] * TROUBLES[item[0]].weight)
    lines = [
        f"{_percent(share)} of the frames: {TROUBLES[name].words}"
        for name, share in by_points[:_WORDS_OF_A_SESSION]
    ]
    if each.longest_without_face_seconds:
        lines.append(f"up to {each.longest_without_face_seconds:.1f} s without a face at a time")
    return lines


def _linked(session: str) -> str:
    address = html.text(f"quality/{session}.html")
    return f'<a href="{address}">{html.text(session)}</a>'


# The table of all.


def _all_section(ranked: Sequence[SessionSummary]) -> str:
    streams = list(dict.fromkeys(name for each in ranked for name in each.valid))
    header = ["session", "points", *(f"{stream} usable" for stream in streams)]
    header += ["carried", "longest without face, s", "farthest pair, ms", "most faces", "stretches"]
    head = "".join(
        f'<th class="text">{html.text(word)}</th>' if place == 0 else f"<th>{html.text(word)}</th>"
        for place, word in enumerate(header)
    )
    rows = "\n".join(_row(each, streams) for each in ranked)
    table = f'<div class="scroll"><table>\n<tr>{head}</tr>\n{rows}\n</table></div>'
    return html.section("All sessions", table)


def _row(each: SessionSummary, streams: Sequence[str]) -> str:
    gaps = [gap for gap in each.worst_gap_ms.values() if gap is not None]
    cells = [
        f"{each.points:.1f}",
        *(_percent(each.valid[name]) if name in each.valid else "–" for name in streams),
        _percent(each.carried),
        f"{each.longest_without_face_seconds:.1f}",
        f"{max(gaps):.1f}" if gaps else "–",
        str(each.most_faces),
        str(each.stretches),
    ]
    inner = "".join(f"<td>{html.text(cell)}</td>" for cell in cells)
    return f'<tr><td class="text">{_linked(each.session)}</td>{inner}</tr>'


def _rule_section() -> str:
    rows = [(each.name, f"{each.weight:g}", each.words) for each in TROUBLES.values()]
    return html.section(
        "How sessions are ranked",
        html.paragraph(
            "Each percent of a session's frames with a trouble gives points; so does each second "
            "of the longest stretch without a face, and of the longest without depth or thermal: "
            f"1. From {_LEAST_POINTS:g} points on a session wants a look. The weights are ours."
        ),
        html.table(("trouble", "points a percent", "what is seen"), rows, words=(0, 2)),
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
