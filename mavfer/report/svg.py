"""Charts as SVG text, drawn without any library; their colors come from the page's style."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Drawing", "Scale", "shortened", "signed"]

_TICK: Final = 4
_NICE_STEPS: Final = (1, 2, 2.5, 5, 10)
_LONGEST_CODE: Final = 12
_LEAST_SHARE: Final = 0.72
"""Of its width, to which a chart shrinks on a narrow screen; then it scrolls, so that words stay
legible."""


@dataclass(frozen=True)
class Scale:
    """Where values of an axis stand on the drawing."""

    low: float
    high: float
    start: float
    """Place of `low`, in pixels."""
    end: float
    """Place of `high`."""

    def __call__(self, value: float) -> float:
        """Place of a value, kept inside the axis."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, about: int = 5) -> list[float]:
        """Round numbers, about as many as asked for."""
        raw = (self.high - self.low) / about
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(nice * power for nice in _NICE_STEPS if nice * power >= raw * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(number * step, 10) + 0.0 for number in range(first, last + 1)]


@dataclass
class Drawing:
    """One chart; what is drawn later lies on top."""

    width: float
    height: float
    title: str
    """Read out by screen readers."""
    _parts: list[str] = field(default_factory=list)

    def line(self, x: tuple[float, float], y: tuple[float, float], kind: str) -> None:
        """A straight line."""
        ends = f'x1="{x[0]:.1f}" x2="{x[1]:.1f}" y1="{y[0]:.1f}" y2="{y[1]:.1f}"'
        self._parts.append(f'<line class="{kind}" {ends}/>')

    def bar(
        self, x: tuple[float, float], y: tuple[float, float], kind: str = "", *, fill: str = ""
    ) -> None:
        """A rectangle between two places each way."""
        place = f'x="{min(x):.1f}" y="{min(y):.1f}"'
        size = f'width="{abs(x[1] - x[0]):.1f}" height="{abs(y[1] - y[0]):.1f}"'
        look = f'fill="{fill}"' if fill else f'class="{kind}"'
        self._parts.append(f"<rect {look} {place} {size}/>")

    def dot(self, x: float, y: float, kind: str, *, radius: float = 4.5, told: str = "") -> None:
        """A round mark; `told` is shown while the pointer rests on it."""
        inner = f"<title>{escape(told)}</title>" if told else ""
        place = f'cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"'
        self._parts.append(f'<circle class="{kind}" {place}>{inner}</circle>')

    def diamond(self, x: float, y: float, kind: str, *, told: str = "", size: float = 6.0) -> None:
        """A mark that is told from a round one without its color."""
        inner = f"<title>{escape(told)}</title>" if told else ""
        corners = f"M{x:.1f} {y - size:.1f}l{size} {size}l-{size} {size}l-{size} -{size}z"
        self._parts.append(f'<path class="{kind}" d="{corners}">{inner}</path>')

    def shape(self, points: Iterable[tuple[float, float]], kind: str) -> None:
        """A filled outline."""
        corners = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        self._parts.append(f'<path class="{kind}" d="M{corners}z"/>')

    def curve(self, points: Iterable[tuple[float, float]], kind: str) -> None:
        """A line through points."""
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(f'<polyline class="{kind}" points="{places}"/>')

    def cells(
        self, places: Iterable[tuple[float, float]], size: tuple[float, float], kind: str
    ) -> None:
        """Many rectangles of one size by their corners, as one path."""
        wide, high = (round(length, 1) for length in size)
        corners = "".join(f"M{x:.1f} {y:.1f}h{wide}v{high}h-{wide}z" for x, y in places)
        if corners:
            self._parts.append(f'<path class="{kind}" d="{corners}"/>')

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        anchor: str = "start",
        kind: str = "",
        fill: str = "",
        turn: float = 0,
        told: str = "",
    ) -> None:
        """Words; `anchor` is start, middle or end."""
        looks = (
            f' class="{kind}"' if kind else "",
            f' style="fill:{fill}"' if fill else "",
            f' transform="rotate({turn:g} {x:.1f} {y:.1f})"' if turn else "",
            f' text-anchor="{anchor}"' if anchor != "start" else "",
        )
        inner = f"<title>{escape(told)}</title>" if told else ""
        place = f'x="{x:.1f}" y="{y:.1f}"{"".join(looks)}'
        self._parts.append(f"<text {place}>{escape(words)}{inner}</text>")

    def x_axis(self, scale: Scale, top: float, bottom: float, name: str, about: int = 5) -> None:
        """Numbers below, with lines through the chart, and the name of the axis."""
        for value in scale.ticks(about):
            place = scale(value)
            self.line((place, place), (top, bottom), "zero" if value == 0 else "grid")
            self.text(place, bottom + 15, f"{value:g}", anchor="middle", kind="tick")
        self.text((scale.start + scale.end) / 2, bottom + 32, name, anchor="middle", kind="name")

    def y_axis(self, scale: Scale, left: float, right: float, name: str, about: int = 5) -> None:
        """Numbers at the left, with lines through the chart, and the name of the axis."""
        for value in scale.ticks(about):
            place = scale(value)
            self.line((left, right), (place, place), "zero" if value == 0 else "grid")
            self.text(left - 6, place + _TICK, f"{value:g}", anchor="end", kind="tick")
        middle = (scale.start + scale.end) / 2
        self.text(left - 36, middle, name, anchor="middle", kind="name", turn=-90)

    def key(self, x: float, y: float, words: Sequence[tuple[str, str]]) -> None:
        """What the marks stand for: (kind of a dot, words), one beside the other."""
        for kind, word in words:
            mark = self.diamond if "tone1" in kind else self.dot
            mark(x + 5, y - 4, kind)
            self.text(x + 15, y, word, kind="tick")
            x += 32 + 6.6 * len(word)

    def __str__(self) -> str:
        size = f'width="{self.width:g}" height="{self.height:g}"'
        box = f'viewBox="0 0 {self.width:g} {self.height:g}"'
        least = f'style="min-width:{_LEAST_SHARE * self.width:.0f}px"'
        head = (
            f'<svg class="chart" role="img" aria-label="{escape(self.title)}" {size} {box} {least}>'
        )
        return head + "".join(self._parts) + "</svg>"


def signed(value: float) -> str:
    """A difference with its sign, to two digits; no sign where they are 0."""
    rounded = round(value, 2)
    return f"{rounded:+.2f}" if rounded else "0.00"


def shortened(code: str, longest: int = _LONGEST_CODE) -> str:
    """A code as short as a chart has room for."""
    return code if len(code) <= longest else f"{code[: longest - 1]}…"
