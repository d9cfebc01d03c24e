"""Which streams of a frame can be used, and why not: the codes that stand in every shard.

The numbers are part of the shard's format: new ones may follow, none changes its meaning.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final, Literal

import numpy as np

__all__ = [
    "MAX_AGREEMENT",
    "MAX_YAW_DEGREES",
    "MIN_COVERAGE",
    "MIN_INSIDE",
    "FrameFacts",
    "Reason",
    "Valid",
    "judge_frame",
]

MIN_INSIDE: Final = 0.8
"""Least share of the face inside the color frame."""
MIN_COVERAGE: Final = 0.5
"""Least share of the face that depth or thermal covers."""
MAX_AGREEMENT: Final = 5.0
"""Most distance of tracker and landmarks in % of the eye distance."""
MAX_YAW_DEGREES: Final = 32.0
"""Most that a head seen in color is turned aside. Measured yaw lags behind: heads turned by 40
degrees and more read 28 to 43, and their landmarks are off."""


class Valid(IntFlag):
    """What of a frame can be used; a stream's bit is set where its crop shows the face."""

    COLOR = 1
    """The color crop shows where the face is, lit or dark."""
    DEPTH = 2
    """The depth crop covers at least half of the face."""
    THERMAL = 4
    """The thermal crop covers at least half of the face."""
    CARRIED = 8
    """The face was not seen in color: depth carried its landmarks from the last lit frame."""
    APPROXIMATE = 16
    """Streams were brought together without a calibration: a few pixels off."""


class Reason(IntEnum):
    """Why a frame is not fully valid; of several reasons the first of this list.

    The list is in the order of what is looked at, the numbers in the order in which they came.
    """

    NONE = 0
    """Nothing is missing."""
    NO_FACE = 1
    """No face in color, and no depth to carry one by."""
    LOST = 2
    """No face in color, and depth lost the head as well."""
    OUTSIDE_IMAGE = 3
    """More than a fifth of the face is beyond the color frame's rim."""
    LOW_AGREEMENT = 4
    """Landmarks and the picture's motion disagree: the landmarks may be off."""
    TURNED_AWAY = 11
    """The head is turned so far aside that landmarks of the far side cannot be trusted."""
    NO_DEPTH = 5
    """No usable depth frame near enough in time."""
    SPARSE_DEPTH = 6
    """Depth covers less than half of the face: too near, too far, or something before it."""
    NO_THERMAL = 7
    """No thermal frame near enough in time."""
    THERMAL_SHUTTER = 8
    """The thermal camera's shutter was closed for its own calibration."""
    SPARSE_THERMAL = 9
    """Temperatures cover less than half of the face: outside the thermal picture or hidden."""
    CARRIED = 10
    """All streams are there; the face's place comes from depth, because color was too dark."""


@dataclass(frozen=True)
class FrameFacts:
    """What decides about a frame; streams that the session lacks are "absent"."""

    source: Literal["color", "depth", "none"]
    """What found the face."""
    is_head_lost: bool
    """True where depth tried to carry the head and failed."""
    inside: float
    """Share of the face inside the color frame."""
    agreement: float
    """Distance of tracker and landmarks in % of the eye distance; NaN where unknown."""
    depth: Literal["absent", "missing", "there"]
    depth_coverage: float
    """Share of the face with depth."""
    thermal: Literal["absent", "missing", "shutter", "there"]
    thermal_coverage: float
    """Share of the face with temperatures."""
    is_approximate: bool = False
    yaw_degrees: float = math.nan
    """How far the head is turned aside, either sign; NaN where unknown."""

    @property
    def is_turned_away(self) -> bool:
        """True where landmarks seen in color cannot be trusted; carried ones follow the head."""
        return self.source == "color" and abs(self.yaw_degrees) > MAX_YAW_DEGREES


def judge_frame(facts: FrameFacts) -> tuple[Valid, Reason]:
    """What of a frame can be used, and the first reason why something cannot.

    The limits (four fifths of the face inside the frame, half of it covered, 5 % of the eye
    distance, 32 degrees) are ours; docs/quality.md has the measurements behind them.
    """
    if facts.source == "none":
        return Valid(0), Reason.LOST if facts.is_head_lost else Reason.NO_FACE
    valid = Valid(0)
    is_on_face = not (facts.agreement > MAX_AGREEMENT or facts.is_turned_away)
    if facts.inside >= MIN_INSIDE and is_on_face:
        valid |= Valid.COLOR
    if facts.depth == "there" and facts.depth_coverage >= MIN_COVERAGE:
        valid |= Valid.DEPTH
    if facts.thermal == "there" and facts.thermal_coverage >= MIN_COVERAGE:
        valid |= Valid.THERMAL
    if facts.source == "depth":
        valid |= Valid.CARRIED
    if facts.is_approximate:
        valid |= Valid.APPROXIMATE
    return valid, _first_reason(facts)


def _first_reason(facts: FrameFacts) -> Reason:
    """The first of the reasons that holds for a frame with a face."""
    holds = {
        Reason.OUTSIDE_IMAGE: not facts.inside >= MIN_INSIDE,
        Reason.LOW_AGREEMENT: bool(np.greater(facts.agreement, MAX_AGREEMENT)),
        Reason.TURNED_AWAY: facts.is_turned_away,
        Reason.NO_DEPTH: facts.depth == "missing",
        Reason.SPARSE_DEPTH: facts.depth == "there" and not facts.depth_coverage >= MIN_COVERAGE,
        Reason.NO_THERMAL: facts.thermal == "missing",
        Reason.THERMAL_SHUTTER: facts.thermal == "shutter",
        Reason.SPARSE_THERMAL: (
            facts.thermal == "there" and not facts.thermal_coverage >= MIN_COVERAGE
        ),
        Reason.CARRIED: facts.source == "depth",
    }
    return next((reason for reason, is_true in holds.items() if is_true), Reason.NONE)
