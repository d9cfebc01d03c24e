"""One line of a selftest's report: what was found, how good that is, and what to do about it.

The limits are ours: "pass" is what the rest of mavfer needs, "fail" what loses data or time, "look"
what a person must judge.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Literal

__all__ = ["LOSS_ADVICE", "Finding", "Result", "graded"]

Result = Literal["pass", "look", "fail"]

LOSS_ADVICE: Final = {
    "device": "the camera made frames that never came: give it a USB port (or controller) of its "
    "own, a shorter cable, a smaller size or rate",
    "link": "the cable or network lost packets: direct cable, jumbo packets (MTU 9000), "
    "larger net.core.rmem_max",
    "queue": 'frames came faster than they were written: color_codec = "jpeg95", a faster disk, '
    "fewer other programs",
    "disk": "the disk was full or failed: make room, or write to another disk",
}
"""What helps against drops, by their cause."""


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    check: str
    where: str
    """A stream, a pair of streams, or "rig"."""
    result: Result
    found: str
    advice: str = ""
    """What to do; empty where nothing is to be done."""
    values: dict[str, float] = field(default_factory=dict)
    """The numbers behind it, each name with its unit."""


def graded(finding: Finding, value: float, *, passes: float, looks: float) -> Finding:
    """The finding with its result: the smaller `value` the better; what is well needs no advice.

    Args:
        finding: Its own result does not count.
        value: What is judged.
        passes: Values up to here are well.
        looks: Values up to here are for a person to judge.
    """
    if value <= passes:
        return replace(finding, result="pass", advice="")
    return replace(finding, result="look" if value <= looks else "fail")
