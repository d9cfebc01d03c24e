"""The page of one session: what to look at first, then everything that was measured."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer import __version__
from mavfer.progress import counted
from mavfer.report import html
from mavfer.report.clocks import CLOCK_COLUMNS, CLOCK_WORDS, clock_numbers
from mavfer.report.quality.findings import (
    TROUBLES,
    clock_time,
    find_stretches,
    troubled_frames,
)
from mavfer.report.quality.frames import picture_of, typical_frames, worst_frames
from mavfer.report.quality.heaps import draw_heaps
from mavfer.report.quality.strips import both_widths, draw_gaps, draw_pose, draw_states
from mavfer.vision.pairing import pair_limit_ns
from mavfer.vision.validity import MAX_YAW_DEGREES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mavfer.report.quality.facts import SessionFacts
    from mavfer.report.quality.findings import Stretch
    from mavfer.report.quality.frames import ShownFrame

__all__ = ["session_page"]

_LISTED: Final = 12
_TILE: Final = 128
_NS_A_MILLISECOND: Final = 1e6
_MOST_TRACKS: Final = 200


def session_page(facts: SessionFacts, media: Path | None, head: str) -> str:
    """The page of one session as HTML.

    Args:
        facts: What its shard holds.
        media: What raters see, relative to the page; None where there is none to link to.
        head: More elements of the page's head.
    """
    documents = facts.shard.documents()
    return html.page(
        title=f"{facts.session}: what preprocessing did",
        lead=_lead(facts, documents),
        parts=_Page(facts, media, documents).parts(),
        footer=f"Made by mavfer {__version__} from the shard alone. "
        "docs/quality.md says what the words and limits mean.",
        is_themed=True,
        head=head,
    )


class _Page:
    """The sections, which share what was found."""

    def __init__(self, facts: SessionFacts, media: Path | None, documents: dict[str, Any]) -> None:
        self.facts, self.documents = facts, documents
        self._media = media
        self._troubles = troubled_frames(facts)
        self._stretches, self._short = find_stretches(facts)

    def parts(self) -> Iterator[str]:
        yield '<p class="back"><a href="../quality.html">All sessions</a></p>'
        yield self._first()
        yield self._numbers()
        yield self._frames()
        yield self._over_time()
        if self.facts.gaps_ms:
            yield self._synchronisation()
        yield self._measures()
        yield self._tracks()
        yield self._origin()

    def _first(self) -> str:
        """What a person should look at, before anything else."""
        if not self._stretches:
            words = "Nothing stands out: look at the typical frames, and that is all."
            return html.section("Look at this first", html.paragraph(words), *self._rest())
        shown = self._stretches[:_LISTED]
        head = f"{_stretches(len(self._stretches))} to look at, worst first."
        if self._media is not None:
            head += " A time opens the media there."
        items = "\n".join(self._item(stretch) for stretch in shown)
        listed = f'<ol class="findings">\n{items}\n</ol>'
        return html.section("Look at this first", html.paragraph(head), listed, *self._rest())

    def _rest(self) -> Iterator[str]:
        hidden = len(self._stretches) - _LISTED
        words = []
        if hidden > 0:
            words.append(f"{_stretches(hidden)} of less weight")
        if self._short:
            words.append(f"{_stretches(self._short)} shorter than a quarter of a second")
        if words:
            yield html.paragraph(f"Not listed: {' and '.join(words)}; the chart below shows them.")

    def _item(self, stretch: Stretch) -> str:
        if self.facts.is_timed:
            when = self._link(stretch.begin_seconds, _span(stretch))
            length = f"{stretch.lasting_seconds:.1f} s"
        else:
            when = f"still {stretch.first}" if stretch.first == stretch.last else _stills(stretch)
            length = counted(stretch.last - stretch.first + 1, "still")
        words = html.text(f"{_capital(TROUBLES[stretch.trouble].words)}.")
        return (
            f'<li><span class="when">{when}</span><span>{words} '
            f'<span class="long">{length}, from frame {stretch.first}</span></span></li>'
        )

    def _link(self, seconds: float, words: str) -> str:
        if self._media is None:
            return html.text(words)
        address = html.text(f"{self._media.as_posix()}#t={seconds:.2f}")
        return f'<a href="{address}">{html.text(words)}</a>'

    def _numbers(self) -> str:
        facts = self.facts
        without = (self._troubles["no_face"] | self._troubles["lost"]).mean()
        gaps = {
            f"farthest {stream} pair": f"{np.nanmax(np.abs(gap_ms)):.0f} ms"
            for stream, gap_ms in facts.gaps_ms.items()
            if np.isfinite(gap_ms).any()
        }
        streams = {
            f"{name} usable": _percent(facts.is_valid(name).mean()) for name in facts.shard.streams
        }
        carried = {"carried by depth": _percent(facts.is_carried.mean())} if facts.gaps_ms else {}
        return html.tiles({**streams, **carried, "without a face": _percent(without), **gaps})

    def _frames(self) -> str:
        worst = worst_frames(self.facts, self._stretches)
        typical = typical_frames(self.facts, self._troubles)
        streams = ", ".join(self.facts.shard.streams)
        note = f"Each picture: {streams} of one frame. Dark color is shown brightened; "
        note += "light gray is where nothing was measured."
        parts = [html.paragraph(note, "soft")]
        if worst:
            parts += ["<h3>The worst</h3>", self._cards(worst)]
        if typical:
            parts += ["<h3>Typical ones</h3>", self._cards(typical)]
        if not worst and not typical:
            parts.append(html.paragraph("No frame of this session has a crop to show."))
        return html.section("Frames", *parts)

    def _cards(self, frames: Sequence[ShownFrame]) -> str:
        return f'<div class="cards">\n{"".join(map(self._card, frames))}</div>'

    def _card(self, frame: ShownFrame) -> str:
        data = base64.b64encode(picture_of(self.facts.shard, [frame.index], _TILE)).decode()
        seconds = float(self.facts.seconds[frame.index])
        when = self._link(seconds, clock_time(seconds)) if self.facts.is_timed else ""
        words = html.text(_capital(frame.words))
        return (
            f'<figure class="card"><img alt="frame {frame.index}" '
            f'src="data:image/jpeg;base64,{data}"><figcaption><b>{when or "still"}</b> '
            f"frame {frame.index}<br>{words}</figcaption></figure>\n"
        )

    def _over_time(self) -> str:
        pose = self.facts.shard.column("pose")
        parts = [
            html.paragraph("Each bar is a stretch in time; gray is where nothing is known."),
            both_widths(lambda width: draw_states(self.facts, self._troubles, width)),
        ]
        if np.isfinite(pose).any():
            parts.append("<h3>Pose of the head</h3>")
            parts.append(html.paragraph(_YAW, "soft"))
            parts.append(both_widths(lambda width: draw_pose(self.facts, pose, width)))
        return html.section("Over time", *parts)

    def _synchronisation(self) -> str:
        reports = self.documents["synchronisation"]
        limits = {
            stream: pair_limit_ns(1e9 / _rate_hz(reports, stream)) / _NS_A_MILLISECOND
            for stream in self.facts.gaps_ms
        }
        rows = [_clock_row(stream, report) for stream, report in reports.items()]
        return html.section(
            "Synchronisation",
            html.paragraph(
                "Time of the paired depth or thermal frame minus that of its color frame. Beyond "
                "the dotted lines (half that stream's period and 5 ms) nothing is paired."
            ),
            both_widths(lambda width: draw_gaps(self.facts, limits, width)),
            html.table(_CLOCK_HEADER, rows),
            html.paragraph(CLOCK_WORDS, "soft"),
        )

    def _measures(self) -> str:
        return html.section(
            "Measures",
            html.paragraph(
                "Frames by each measure. Dashed: the limit of validity; red: beyond it. Sharpness, "
                "brightness and score have no limit of their own."
            ),
            draw_heaps(self.facts),
        )

    def _tracks(self) -> str:
        tracks = self.documents["tracks"]
        if not tracks:
            return html.section("Tracks", html.paragraph("No face was followed anywhere."))
        rows = [self._track_row(track) for track in tracks[:_MOST_TRACKS]]
        parts = [html.table(_TRACK_HEADER, rows, words=(0, 1, 5))]
        if len(tracks) > _MOST_TRACKS:
            parts.append(html.paragraph(f"{len(tracks) - _MOST_TRACKS} more are in the shard."))
        words = "Stretches in which a face was followed without a break."
        return html.section("Tracks", html.paragraph(words), *parts)

    def _track_row(self, track: dict[str, Any]) -> list[str]:
        first, last = track["first"], track["last"]
        facts = self.facts
        begin, end = facts.seconds[first], facts.seconds[last] + facts.step_seconds
        is_subject = track.get("is_subject", True)
        return [
            "subject" if is_subject else "somebody else",
            "carried by depth" if track["source"] == "depth" else "seen in color",
            clock_time(float(begin)) if facts.is_timed else str(first),
            f"{end - begin:.1f}" if facts.is_timed else "–",
            f"{last - first + 1}",
            str(track.get("why") or "–"),
        ]

    def _origin(self) -> str:
        attributes = self.facts.shard.attributes
        facts = {
            **{key: str(value) for key, value in self.documents["configuration"].items()},
            "made": str(attributes["created_utc"]),
            "landmark model": f"SHA-256 {str(attributes['landmark_model_sha256'])[:16]}…",
            "calibration": (self.documents["calibration"] or {}).get("name", "none"),
            **self.documents["versions"],
        }
        table = html.table(["what", "value"], list(facts.items()), words=(0, 1))
        return html.section("How it was made", html.details("Options and versions", table))


_YAW: Final = (
    f"Beyond the dotted lines, {MAX_YAW_DEGREES:.0f} degrees aside, a face seen in color is not "
    "valid; they are left out where the head was never turned that far."
)
_TRACK_HEADER: Final = ("who", "how", "begins", "seconds", "frames", "chosen because")
_CLOCK_HEADER: Final = (
    *("stream", "frames", *CLOCK_COLUMNS, "without pair", "used twice"),
    *("gap median, ms", "gap p95, ms", "longest hole, ms"),
)


def _clock_row(stream: str, report: dict[str, Any]) -> list[str]:
    pairing = report.get("pairing", {})
    numbers = clock_numbers(report["fit"])
    numbers += [pairing.get(key) for key in ("missing", "duplicates")]
    numbers += [pairing.get(key) for key in ("gap_median_ms", "gap_p95_ms", "longest_hole_ms")]
    return [stream, str(report["frames"]), *map(_number, numbers)]


def _rate_hz(reports: dict[str, Any], stream: str) -> float:
    """Frames a second that the stream was set to; a shard made otherwise may not say."""
    rate: float = reports.get(stream, {}).get("rate_hz") or 30.0
    return rate


def _lead(facts: SessionFacts, documents: dict[str, Any]) -> str:
    lighting = documents["settings"].get("lighting")
    length = f" in {clock_time(facts.length_seconds)}" if facts.is_timed else ""
    words = [f"{counted(facts.frames, 'frame')}{length}", ", ".join(facts.shard.streams)]
    return " · ".join([*words, *([str(lighting)] if lighting else [])])


def _stretches(number: int) -> str:
    return f"{number:,} stretch" if number == 1 else f"{number:,} stretches"


def _span(stretch: Stretch) -> str:
    return f"{clock_time(stretch.begin_seconds)} – {clock_time(stretch.end_seconds)}"


def _stills(stretch: Stretch) -> str:
    return f"stills {stretch.first} – {stretch.last}"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _percent(share: Any) -> str:
    return f"{100 * float(share):.1f} %"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.{1 if abs(value) >= 10 else 2}f}"  # noqa: PLR2004 (three digits in all)
