"""How pages tell of a clock fit: the same columns and the same words on all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CLOCK_COLUMNS", "CLOCK_WORDS", "clock_numbers"]

CLOCK_COLUMNS: Final = (
    "drift, ppm",
    "jumps",
    "uncertain, ms",
    "at worst, ms",
    "misfit, ms",
    "delay, ms",
)
CLOCK_WORDS: Final = (
    "Jumps: how often a clock was set, its counter rolled over or its camera came back. "
    "Uncertain: by how much the time of a frame may be off, in the middle and at worst, apart from "
    "a delay that all frames share, which cannot be seen in stamps. Misfit: how far the earliest "
    "arrivals of a part of the take lie from the fit; below 1 ms is good, and it is no "
    "uncertainty. Delay: how much later than the fastest frames the middle one arrived."
)


def clock_numbers(fit: Mapping[str, Any]) -> list[float | None]:
    """What stands in the columns, from the `fit` of a synchronisation report; None where unknown.

    Shards of earlier versions know neither jumps nor uncertainty.
    """
    pieces = fit.get("pieces")
    return [
        fit["drift_ppm"],
        None if pieces is None else len(pieces) - 1,
        fit.get("uncertainty_median_ms"),
        fit.get("uncertainty_max_ms"),
        fit["bound_ms"],
        fit["residual_median_ms"],
    ]
