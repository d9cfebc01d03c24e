"""How late the raters of a study are in all: from the clip, from a person, or from the faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from mavfer.errors import CommandError, NotFound
from mavfer.fusion import MAX_LAG_SECONDS, reaction_from_features
from mavfer.labelling.features import features_at
from mavfer.labelling.panel import LAG_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mavfer.labelling.panel import Panel
    from mavfer.study.study import Study

    Floats = NDArray[np.float64]

__all__ = ["PICTURES", "GivenReaction", "PanelReaction", "reactions", "require_possible"]

PICTURES: Final = "pictures"

GivenReaction = float | Literal["pictures"] | None
"""Seconds; or that the faces are to tell; or nothing."""


@dataclass(frozen=True)
class PanelReaction:
    """How late the fastest rater of a panel is."""

    seconds: float
    """0 where the clip measured the lags themselves."""
    told_by: str
    """"calibration clip", "--reaction" or "the faces"."""


def reactions(
    study: Study, panels: Sequence[Panel], given: GivenReaction
) -> dict[str, PanelReaction]:
    """The reaction of each panel, by dimension.

    Raises:
        CommandError: A panel has no measured lag and nothing is given, or it makes no sense.
        NotFound: The faces are to tell and do not.
    """
    if isinstance(given, int | float):
        require_possible(given)
    without = [panel.dimension for panel in panels if not panel.is_calibrated]
    if without and given is None:
        message = (
            f"{', '.join(without)}: no rater saw the calibration clip, so that nobody knows how "
            f"late they are. Say it: --reaction SECONDS (2 is usual), or let the faces tell: "
            f"--reaction {PICTURES}"
        )
        raise CommandError(message)
    return {panel.dimension: _reaction(study, panel, given) for panel in panels}


def require_possible(seconds: float) -> None:
    """Passes for seconds by which a rater can be late.

    Raises:
        CommandError: Nobody can be so late.
    """
    if not 0 <= seconds <= MAX_LAG_SECONDS:
        message = f"--reaction {seconds:g}: give 0 to {MAX_LAG_SECONDS:g} seconds"
        raise CommandError(message)


def _reaction(study: Study, panel: Panel, given: GivenReaction) -> PanelReaction:
    if panel.is_calibrated or given is None:
        return PanelReaction(0.0, "calibration clip")
    if given == PICTURES:
        return PanelReaction(_from_faces(study, panel), "the faces")
    return PanelReaction(float(given), "--reaction")


def _from_faces(study: Study, panel: Panel) -> float:
    """How late the fastest rater of a panel is behind the faces that were rated, in seconds."""
    relative = panel.relative_lags()
    is_known = np.isfinite(relative)
    ratings, features = [], []
    for session in panel.sessions if is_known.any() else ():
        times = np.arange(0, session.time_seconds[-1], 1 / LAG_RATE_HZ)
        ratings.append(_with_gap(session.raw(times)[is_known]))
        features.append(_with_gap(features_at(study, session.name, times)))
    seconds = np.nan
    if ratings:
        joined = np.concatenate(ratings, axis=1), np.concatenate(features, axis=1)
        seconds = reaction_from_features(*joined, LAG_RATE_HZ, relative[is_known]).seconds
    if np.isnan(seconds):
        message = (
            f"{study.root}, {panel.dimension}: the faces do not tell how late the raters are, no "
            f"delay stands out. Say it: --reaction SECONDS (2 is usual)"
        )
        raise NotFound(message)
    return seconds


def _with_gap(rows: Floats) -> Floats:
    """With as many frames of nothing as a delay can reach over."""
    gap = np.full((len(rows), 2 * int(MAX_LAG_SECONDS * LAG_RATE_HZ) + 1), np.nan)
    return np.concatenate([rows, gap], axis=1)
