"""What a person should look at in a session: stretches with one trouble each, worst first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.vision.validity import MIN_COVERAGE, Reason

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from numpy.typing import NDArray

    from mavfer.report.quality.facts import SessionFacts
    from mavfer.streams import StreamName

__all__ = [
    "TROUBLES",
    "Stretch",
    "Trouble",
    "clock_time",
    "find_stretches",
    "longest_seconds",
    "troubled_frames",
]

_SHORTEST_SECONDS: Final = 0.25
"""Shorter stretches are counted, not listed: the eye does not find them in the media."""
_BRIDGED_SECONDS: Final = 0.2
"""Stretches of one trouble this near to each other are one."""
_SECONDS_A_MINUTE: Final = 60
_SECONDS_AN_HOUR: Final = 3600


@dataclass(frozen=True)
class Trouble:
    """One thing that can be amiss."""

    name: str
    """For tables, a few words."""
    weight: float
    """Points for each percent of a session's frames, and the order of stretches (ours)."""
    words: str
    """What is seen, and what it means."""


TROUBLES: Final[Mapping[str, Trouble]] = {
    "no_face": Trouble("no face", 4.0, "no face in color, and no depth to carry one by"),
    "lost": Trouble("lost", 4.0, "no face in color, and depth lost the head as well"),
    "outside": Trouble("cut off", 3.0, "more than a fifth of the face is beyond the frame's rim"),
    "doubtful": Trouble(
        "doubtful landmarks", 3.0, "landmarks may be off: see whether the crop sits on the face"
    ),
    "turned": Trouble("turned away", 3.0, "the head is turned so far that landmarks are off"),
    "several": Trouble("several faces", 2.0, "several faces: see that the right one was followed"),
    "no_depth": Trouble("no depth", 2.0, "no depth frame near enough in time"),
    "sparse_depth": Trouble("sparse depth", 2.0, "depth covers less than half of the face"),
    "no_thermal": Trouble("no thermal", 2.0, "no thermal frame near enough in time"),
    "sparse_thermal": Trouble(
        "sparse thermal", 2.0, "temperatures cover less than half of the face"
    ),
    "shutter": Trouble("shutter", 0.5, "the thermal camera's shutter was closed, as it must be"),
    "carried": Trouble("carried", 0.05, "too dark for color: depth carried the face's place"),
}
"""Everything that is looked for, in the order of its weight."""


@dataclass(frozen=True)
class Stretch:
    """Some frames in a row with one trouble; bridged gaps count."""

    trouble: str
    """A key of `TROUBLES`."""
    first: int
    last: int
    begin_seconds: float
    end_seconds: float

    @property
    def lasting_seconds(self) -> float:
        """Its length, the last frame included."""
        return self.end_seconds - self.begin_seconds

    @property
    def cost(self) -> float:
        """How much it is worth a look: its length times the weight of its trouble (ours)."""
        return TROUBLES[self.trouble].weight * self.lasting_seconds


def troubled_frames(facts: SessionFacts) -> dict[str, NDArray[np.bool_]]:
    """Where (T,) each trouble is, in the order of `TROUBLES`; troubles can overlap."""
    is_face = ~np.isin(facts.reason, (Reason.NO_FACE, Reason.LOST))
    off = is_face & ~facts.is_valid("color")
    found = {
        "no_face": facts.reason == Reason.NO_FACE,
        "lost": facts.reason == Reason.LOST,
        "outside": off & (facts.reason == Reason.OUTSIDE_IMAGE),
        "doubtful": off & ~np.isin(facts.reason, (Reason.OUTSIDE_IMAGE, Reason.TURNED_AWAY)),
        "turned": off & (facts.reason == Reason.TURNED_AWAY),
        "several": facts.n_faces > 1,
    }
    for stream in facts.gaps_ms:
        found |= _missing(facts, stream, is_face)
    found["carried"] = facts.is_carried
    return {name: found[name] for name in TROUBLES if name in found}


def find_stretches(facts: SessionFacts) -> tuple[list[Stretch], int]:
    """The stretches of all troubles, worst first, and how many more are too short to list."""
    every = [
        stretch
        for name, frames in troubled_frames(facts).items()
        for stretch in _stretches(facts, name, frames)
    ]
    listed = [stretch for stretch in every if stretch.lasting_seconds >= _SHORTEST_SECONDS]
    return sorted(listed, key=lambda each: -each.cost), len(every) - len(listed)


def longest_seconds(facts: SessionFacts, names: Collection[str]) -> float:
    """The longest stretch of any of some troubles, however short; 0 where there is none."""
    troubles = troubled_frames(facts)
    return max(
        (
            stretch.lasting_seconds
            for name in names
            if name in troubles
            for stretch in _stretches(facts, name, troubles[name])
        ),
        default=0.0,
    )


def clock_time(seconds: float) -> str:
    """A time as players of media show it, with tenths: 0:02.5, 12:40.0, 1:02:03.4."""
    tenths = round(10 * seconds)
    whole, rest = divmod(tenths, 10)
    minutes, left = divmod(whole, _SECONDS_A_MINUTE)
    if whole < _SECONDS_AN_HOUR:
        return f"{minutes}:{left:02d}.{rest}"
    hours, minutes = divmod(minutes, _SECONDS_A_MINUTE)
    return f"{hours}:{minutes:02d}:{left:02d}.{rest}"


def _missing(
    facts: SessionFacts, stream: StreamName, is_face: NDArray[np.bool_]
) -> dict[str, NDArray[np.bool_]]:
    """Why a stream cannot be used where there is a face."""
    lacks = is_face & ~facts.is_valid(stream)
    is_paired = np.isfinite(facts.gaps_ms[stream])
    is_closed = facts.is_closed & is_paired if stream == "thermal" else np.zeros_like(lacks)
    is_sparse = is_paired & ~is_closed & ~(facts.measure(f"{stream}_coverage") >= MIN_COVERAGE)
    return {
        f"sparse_{stream}": lacks & is_sparse,
        f"no_{stream}": lacks & ~is_sparse & ~is_closed,
        **({"shutter": lacks & is_closed} if stream == "thermal" else {}),
    }


def _stretches(facts: SessionFacts, name: str, frames: NDArray[np.bool_]) -> Iterator[Stretch]:
    """The runs of True in `frames` (T,), near ones joined."""
    rows = np.flatnonzero(frames)
    if not rows.size:
        return
    is_break = (np.diff(rows) > 1) & (np.diff(facts.seconds[rows]) > _BRIDGED_SECONDS)
    for run in np.split(rows, np.flatnonzero(is_break) + 1):
        first, last = int(run[0]), int(run[-1])
        end = float(facts.seconds[last]) + facts.step_seconds
        yield Stretch(name, first, last, float(facts.seconds[first]), end)
