"""Charts over a session's time: what was known of the face, its pose, and the streams' gaps.

Each is drawn twice, for a wide and for a narrow screen; the page shows the one that fits.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.report.quality.findings import TROUBLES
from mavfer.report.svg import Drawing, Scale
from mavfer.vision.validity import MAX_YAW_DEGREES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from mavfer.report.quality.facts import SessionFacts
    from mavfer.streams import StreamName

__all__ = ["NARROW", "WIDE", "both_widths", "draw_gaps", "draw_pose", "draw_states"]

WIDE: Final = 946
NARROW: Final = 332
"""Pixels across a page's section on a desk and on a telephone."""
_LEFT: Final = {WIDE: 76, NARROW: 62}
_ROW: Final = 30
_BAR: Final = 18
_BARE: Final = 12
"""Right of a chart, so that the last number of its axis is not cut off."""
_LETTER: Final = 6.7
_KEY_LINE: Final = 19
_LEAST_BAR: Final = 1.4
"""Pixels of a bar at least: a single frame of a long session is still seen."""


def both_widths(draw: Callable[[int], str]) -> str:
    """A chart for a wide and for a narrow screen."""
    return f'<div class="wide-only">{draw(WIDE)}</div><div class="narrow-only">{draw(NARROW)}</div>'


# What was known, frame by frame.


@dataclass(frozen=True)
class _Row:
    """One line of the chart of states."""

    name: str
    states: Sequence[tuple[str, str, NDArray[np.bool_]]]
    """Style, words for the key, and where (T,)."""


def draw_states(facts: SessionFacts, troubles: Mapping[str, NDArray[np.bool_]], width: int) -> str:
    """The face, the streams and the number of faces over time, colored by what was known."""
    rows = _rows(facts, troubles)
    keys = list({words: kind for row in rows for kind, words, on in row.states if on.any()}.items())
    lines = _key_lines([words for words, _ in keys], width)
    top = 6.0 + _KEY_LINE * len(lines)
    bottom = top + _ROW * len(rows)
    drawing = Drawing(width, bottom + 40, "What was known of face and streams over time")
    scale = _time_scale(facts, width)
    _draw_key(drawing, keys, lines)
    drawing.x_axis(scale, top, bottom, _axis_name(facts), about=8 if width == WIDE else 4)
    for place, row in enumerate(rows):
        y = top + _ROW * place + (_ROW - _BAR) / 2
        drawing.text(_LEFT[width] - 8, y + _BAR - 5, row.name, anchor="end", kind="tick")
        drawing.bar((scale.start, scale.end), (y, y + _BAR), "state-empty")
        for kind, _, on in row.states:
            _draw_runs(drawing, scale, facts, on, (y, kind))
    return str(drawing)


def _rows(facts: SessionFacts, troubles: Mapping[str, NDArray[np.bool_]]) -> list[_Row]:
    """The lines that this session has."""
    is_found = facts.is_valid("color") & ~facts.is_carried
    face = [
        ("state-found", "seen in color", is_found),
        ("state-carried", "carried by depth", troubles["carried"]),
    ]
    rows = [
        _Row("face", face + _states(troubles, ("no_face", "lost", "outside", "doubtful", "turned")))
    ]
    for stream in facts.gaps_ms:
        names = [f"no_{stream}", f"sparse_{stream}", *(["shutter"] * (stream == "thermal"))]
        usable = [("state-usable", "usable", facts.is_valid(stream))]
        rows.append(_Row(stream, usable + _states(troubles, names)))
    if (facts.n_faces > 1).any():
        one = ("state-found", "seen in color", facts.n_faces == 1)
        rows.append(_Row("faces", [one, *_states(troubles, ["several"])]))
    return rows


def _states(
    troubles: Mapping[str, NDArray[np.bool_]], names: Sequence[str]
) -> list[tuple[str, str, NDArray[np.bool_]]]:
    styles = {"no": "state-none", "sparse": "state-sparse", "shutter": "state-shutter"}
    styles |= {"lost": "state-lost", "outside": "state-sparse", "doubtful": "state-doubt"}
    styles |= {"turned": "state-turned"}
    styles |= {"several": "state-several"}
    return [
        (styles.get(name) or styles[name.split("_")[0]], TROUBLES[name].name, troubles[name])
        for name in names
    ]


# Numbers over time.


def draw_pose(facts: SessionFacts, pose: NDArray[np.float32], width: int) -> str:
    """Yaw, pitch and roll (T, 3) in degrees over time."""
    known = np.abs(pose[np.isfinite(pose)])
    most = max(20.0, 10 * np.ceil(float(known.max()) / 10)) if known.size else 20.0
    drawing = Drawing(width, 232, "Yaw, pitch and roll of the head over time")
    x, y = _time_scale(facts, width), Scale(-most, most, 186, 30)
    drawing.key(_LEFT[width], 14, [(f"tone{n}", name) for n, name in enumerate(_POSE)])
    drawing.x_axis(x, 30, 186, _axis_name(facts), about=8 if width == WIDE else 4)
    drawing.y_axis(y, _LEFT[width], width - _BARE, "degrees")
    for limit in (-MAX_YAW_DEGREES, MAX_YAW_DEGREES):
        if most > MAX_YAW_DEGREES:
            drawing.line((x.start, x.end), (y(limit), y(limit)), "bound tone0")
    for number in range(len(_POSE)):
        seconds, middle, _, _ = _binned(facts.seconds, pose[:, number], width)
        _draw_pieces(drawing, x, y, (seconds, middle), f"tone{number}")
    return str(drawing)


_POSE: Final = ("yaw", "pitch", "roll")


def draw_gaps(facts: SessionFacts, limits_ms: Mapping[StreamName, float], width: int) -> str:
    """How far in time the paired depth and thermal frames are from their color frames."""
    most = max([5.0, *limits_ms.values()]) * 1.12
    drawing = Drawing(width, 252, "Gaps of paired frames over time")
    x, y = _time_scale(facts, width), Scale(-most, most, 206, 30)
    tones = {stream: f"tone{number}" for number, stream in enumerate(facts.gaps_ms)}
    drawing.key(_LEFT[width], 14, [(tone, stream) for stream, tone in tones.items()])
    drawing.x_axis(x, 30, 206, _axis_name(facts), about=8 if width == WIDE else 4)
    drawing.y_axis(y, _LEFT[width], width - _BARE, "gap, ms")
    for stream, gap_ms in facts.gaps_ms.items():
        for limit in (-limits_ms[stream], limits_ms[stream]):
            drawing.line((x.start, x.end), (y(limit), y(limit)), f"bound {tones[stream]}")
        _draw_cloud(drawing, x, y, _binned(facts.seconds, gap_ms, width), tones[stream])
    return str(drawing)


def _draw_cloud(
    drawing: Drawing,
    x: Scale,
    y: Scale,
    bins: tuple[NDArray[np.float64], ...],
    tone: str,
) -> None:
    """A mark for each moment, from the least to the most of what it holds."""
    places = []
    for second, _, low, high in zip(*bins, strict=True):
        if np.isfinite(low):
            drawing.line((x(second), x(second)), (y(low), y(high)), f"stem {tone}")
            places += [(x(second) - 1.2, y(end) - 1.2) for end in {low, high}]
    drawing.cells(places, (2.4, 2.4), f"speck {tone}")


def _binned(
    seconds: NDArray[np.float64], values: NDArray[np.floating], width: int
) -> tuple[NDArray[np.float64], ...]:
    """Time, median, least and most of about as many stretches as the chart has pixels for."""
    count = min(len(seconds), width // 2)
    borders = np.linspace(0, len(seconds), count + 1).round().astype(int)
    columns = np.full((4, count), np.nan)
    for place, (first, stop) in enumerate(pairwise(borders)):
        columns[0, place] = seconds[first:stop].mean()
        known = values[first:stop][np.isfinite(values[first:stop])]
        if known.size:
            columns[1:, place] = np.median(known), known.min(), known.max()
    return tuple(columns)


def _draw_pieces(
    drawing: Drawing,
    x: Scale,
    y: Scale,
    points: tuple[NDArray[np.float64], NDArray[np.float64]],
    kind: str,
) -> None:
    """A curve, broken where nothing is known."""
    known = np.isfinite(points[1])
    for piece in np.split(np.arange(len(known)), np.flatnonzero(np.diff(known)) + 1):
        if piece.size and known[piece[0]]:
            drawing.curve([(x(points[0][at]), y(points[1][at])) for at in piece], f"fine {kind}")


# Pieces of all three.


def _time_scale(facts: SessionFacts, width: int) -> Scale:
    begin = float(facts.seconds[0])
    return Scale(begin, begin + facts.length_seconds, _LEFT[width], width - _BARE)


def _axis_name(facts: SessionFacts) -> str:
    return "seconds" if facts.is_timed else "still"


def _draw_runs(
    drawing: Drawing,
    scale: Scale,
    facts: SessionFacts,
    on: NDArray[np.bool_],
    look: tuple[float, str],
) -> None:
    """Bars over the stretches in which `on` is True; `look` is their top and their style."""
    top, kind = look
    edges = np.flatnonzero(np.diff(np.concatenate([[False], on, [False]]).astype(int)))
    ends = np.append(facts.seconds, facts.seconds[-1] + facts.step_seconds)
    for first, stop in edges.reshape(-1, 2):
        left, right = scale(float(ends[first])), scale(float(ends[stop]))
        drawing.bar((left, max(right, left + _LEAST_BAR)), (top, top + _BAR), kind)


def _key_lines(words: Sequence[str], width: int) -> list[list[int]]:
    """Which words of a key stand in which line."""
    lines: list[list[int]] = [[]]
    room = float(width)
    for place, word in enumerate(words):
        needed = 34 + _LETTER * len(word)
        if needed > room and lines[-1]:
            lines.append([])
            room = float(width)
        lines[-1].append(place)
        room -= needed
    return lines


def _draw_key(
    drawing: Drawing, keys: Sequence[tuple[str, str]], lines: Sequence[Sequence[int]]
) -> None:
    for row, line in enumerate(lines):
        x, y = 0.0, 4.0 + _KEY_LINE * row
        for place in line:
            words, kind = keys[place]
            drawing.bar((x, x + 12), (y, y + 12), kind)
            drawing.text(x + 18, y + 10.5, words, kind="tick")
            x += 34 + _LETTER * len(words)
