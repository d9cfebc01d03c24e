"""Which sessions to look at first: points, and the words that explain them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.report.quality.findings import (
    TROUBLES,
    find_stretches,
    longest_seconds,
    troubled_frames,
)
from mavfer.report.quality.frames import worst_frames

if TYPE_CHECKING:
    from mavfer.report.quality.facts import SessionFacts

__all__ = ["SessionSummary", "summarize_session"]

_SHOWN: Final = 2


@dataclass(frozen=True)
class SessionSummary:
    """One session as the page of the study shows it."""

    session: str
    frames: int
    seconds: float
    valid: dict[str, float]
    """Share of the frames by stream that is there."""
    carried: float
    """Share of the frames."""
    longest_without_face_seconds: float
    worst_gap_ms: dict[str, float | None]
    """By stream: how far in time the farthest paired frame was; None where none was paired."""
    most_faces: int
    troubles: dict[str, float]
    """Share of the frames by trouble, those that are there."""
    stretches: int
    """To look at, on the session's page."""
    points: float
    """A percent of the frames with a trouble times the trouble's weight, over all troubles, and 1
    for each second of the longest stretch without a face and of the longest without depth or
    thermal (ours)."""
    shown: tuple[int, ...]
    """Frames to show: the worst, and one from the middle."""

    def to_document(self) -> dict[str, Any]:
        """The summary as JSON."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> SessionSummary:
        """What `to_document` gave."""
        return cls(**{**document, "shown": tuple(document["shown"])})


def summarize_session(facts: SessionFacts) -> SessionSummary:
    """The summary of one session; no pixel is read."""
    troubles = troubled_frames(facts)
    shares = {name: float(on.mean()) for name, on in troubles.items() if on.any()}
    stretches, _ = find_stretches(facts)
    longest_without = longest_seconds(facts, ("no_face", "lost"))
    hole = longest_seconds(facts, ("no_depth", "no_thermal"))
    points = sum(100 * share * TROUBLES[name].weight for name, share in shares.items())
    return SessionSummary(
        session=facts.session,
        frames=facts.frames,
        seconds=facts.length_seconds if facts.is_timed else 0.0,
        valid={name: float(facts.is_valid(name).mean()) for name in facts.shard.streams},
        carried=shares.get("carried", 0.0),
        longest_without_face_seconds=longest_without,
        worst_gap_ms={name: _worst(gap_ms) for name, gap_ms in facts.gaps_ms.items()},
        most_faces=int(facts.n_faces.max(initial=0)),
        troubles=shares,
        stretches=len(stretches),
        points=round(points + longest_without + hole, 1),
        shown=_shown(facts, [f.index for f in worst_frames(facts, stretches)]),
    )


def _worst(gap_ms: Any) -> float | None:
    known = np.abs(gap_ms[np.isfinite(gap_ms)])
    return float(known.max()) if known.size else None


def _shown(facts: SessionFacts, worst: list[int]) -> tuple[int, ...]:
    """The worst frames, filled up with others that have a face."""
    usable = np.flatnonzero(facts.is_usable)
    others = (
        usable[np.linspace(0, len(usable) - 1, _SHOWN).astype(int)].tolist() if len(usable) else []
    )
    return tuple(dict.fromkeys([*worst, *others]))[:_SHOWN]
