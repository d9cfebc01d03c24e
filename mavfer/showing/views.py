"""What is drawn, as arrays and plain values, and what validity is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.streams import STREAM_NAMES, StreamName
from mavfer.vision.validity import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["WORDS", "FrameView", "SessionView", "Trace", "number", "reason_of"]

WORDS: Final = {
    Reason.NONE: "valid",
    Reason.NO_FACE: "no face found",
    Reason.LOST: "no face found, and depth lost the head",
    Reason.OUTSIDE_IMAGE: "face beyond the frame's rim",
    Reason.LOW_AGREEMENT: "landmarks in doubt",
    Reason.TURNED_AWAY: "head turned away, landmarks in doubt",
    Reason.NO_DEPTH: "no depth frame in time",
    Reason.SPARSE_DEPTH: "depth covers too little of the face",
    Reason.NO_THERMAL: "no thermal frame in time",
    Reason.THERMAL_SHUTTER: "thermal shutter closed",
    Reason.SPARSE_THERMAL: "thermal covers too little of the face",
    Reason.CARRIED: "carried by depth",
}
"""Every reason in few words."""

_CONCERNED: Final[dict[Reason, tuple[StreamName, ...]]] = {
    Reason.NO_FACE: STREAM_NAMES,
    Reason.LOST: STREAM_NAMES,
    Reason.OUTSIDE_IMAGE: ("color",),
    Reason.LOW_AGREEMENT: ("color",),
    Reason.TURNED_AWAY: ("color",),
    Reason.NO_DEPTH: ("depth",),
    Reason.SPARSE_DEPTH: ("depth",),
    Reason.NO_THERMAL: ("thermal",),
    Reason.THERMAL_SHUTTER: ("thermal",),
    Reason.SPARSE_THERMAL: ("thermal",),
}
"""Streams that each reason speaks of."""


@dataclass(frozen=True)
class FrameView:
    """One frame of a session."""

    session: str
    subject: str
    frame: int
    """Its number, from 0."""
    frames: int
    """Frames of the session."""
    seconds: float
    """Since the first frame; NaN in a session of stills."""
    label: Mapping[str, float] | None
    """Value by dimension, NaN where nobody rated; None where no labels were loaded."""
    pixels: Mapping[StreamName, NDArray[Any]]
    """Crops of the streams that the session has: RGB (H, W, 3), millimetres, centikelvin (H, W)."""
    valid: Mapping[StreamName, bool]
    """Whether each stream can be used at this frame."""
    is_carried: bool
    """The head was carried by depth."""
    reason: int
    """Code of docs/preprocess.md."""
    landmarks: NDArray[np.floating[Any]] | None = None
    """(68, 2), x and y in crop pixels, NaN where none; None where they are not to be drawn."""


@dataclass(frozen=True)
class Trace:
    """The label of one dimension over a session."""

    name: str
    value: NDArray[np.floating[Any]]
    """(T,), NaN where nobody rated."""
    band: tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]] | None
    """Lower and higher end (T,) each; None where the label has none."""
    scale: tuple[float, float]
    """Lowest and highest value that can be given."""
    words: tuple[str, str] = ("", "")
    """What the ends of the scale mean."""


@dataclass(frozen=True)
class SessionView:
    """One session over time."""

    session: str
    subject: str
    seconds: NDArray[np.float64] | None
    """(T,) since the first frame; None in a session of stills."""
    label: str | None
    """Name of the label; None where no labels were loaded."""
    traces: tuple[Trace, ...]
    valid: Mapping[StreamName, NDArray[np.bool_]]
    """(T,), of the streams that the session has."""
    carried: NDArray[np.bool_]
    """(T,), where the head was carried by depth."""
    reason: NDArray[np.uint8]
    """(T,), codes of docs/preprocess.md."""

    def __len__(self) -> int:
        return len(self.reason)

    @property
    def is_stills(self) -> bool:
        """Whether frames follow each other without a time."""
        return self.seconds is None

    @property
    def places(self) -> NDArray[np.float64]:
        """Where each frame begins on the axis (T,): seconds; a still is around its number."""
        stills = np.arange(len(self), dtype=np.float64) - 0.5
        return stills if self.seconds is None else self.seconds

    @property
    def step(self) -> float:
        """What a frame takes up on the axis."""
        return float(np.median(np.diff(self.places))) if len(self) > 1 else 1.0

    @property
    def edges(self) -> NDArray[np.float64]:
        """Where each frame begins on the axis, and where the last one ends (T + 1,)."""
        return np.append(self.places, self.places[-1] + self.step)

    @property
    def length(self) -> float:
        """From the first frame to the last, on the axis."""
        return float(self.places[-1] - self.places[0])


def reason_of(code: int, stream: StreamName) -> Reason | None:
    """Why `stream` is not valid; None where the frame's first reason speaks of another stream."""
    reason = Reason(code)
    return reason if stream in _CONCERNED.get(reason, ()) else None


def number(value: float) -> str:
    """A value to two digits with a proper minus; a dash where there is none.

    >>> number(-0.5), number(-0.001), number(float("nan"))
    ('−0.50', '0.00', '–')
    """
    if not np.isfinite(value):
        return "–"
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")
