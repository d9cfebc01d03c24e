"""The label of one dimension by a method of `mavfer.fusion`: what its raters say together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mavfer.fusion import fuse
from mavfer.labelling.agree import doubts, number, session_agreement
from mavfer.labelling.repeats import agree_with_themselves, repeat_doubts
from mavfer.metrics import ccc
from mavfer.study.labels import LabelTrace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mavfer.fusion import Fused, Method
    from mavfer.labelling.panel import Panel
    from mavfer.labelling.reaction import PanelReaction

    Floats = NDArray[np.float64]

__all__ = ["PanelLabel", "fuse_panel"]


@dataclass(frozen=True)
class PanelLabel:
    """The label of one dimension, over all sessions of a study."""

    panel: Panel
    about: dict[str, Any]
    """What is said of the raters over all sessions."""
    by_session: dict[str, dict[str, Any]]
    """What is said of a session; where it says the same thing as `about`, it holds there."""
    traces: dict[str, LabelTrace]
    """By session."""
    notices: tuple[str, ...]
    """What a person should know, a line each."""


def fuse_panel(panel: Panel, method: Method, reaction: PanelReaction) -> PanelLabel:
    """The label by `method`: lags and weights belong to a rater and come from all sessions."""
    lags, sources = panel.lags(reaction.seconds, reaction.told_by)
    joined = panel.joined(lags)
    # The traces are sampled a lag later already; one whose lag is unknown is to be doubted.
    at_rest = np.where(np.isfinite(lags), 0.0, np.nan)
    fused = fuse(joined, method, panel.rate_hz, lags=at_rest)
    reasons = doubts(joined, lags, repeat_doubts(agree_with_themselves(panel, lags)))
    about = {
        "raters": list(panel.raters),
        "weights": fused.weights.tolist(),
        "lags_seconds": [number(lag) for lag in lags],
        "lag_sources": list(sources),
        "flagged": {code: why for code, why in zip(panel.raters, reasons, strict=True) if why},
        "is_fallback": fused.is_fallback,
        "reaction_seconds": None if panel.is_calibrated else reaction.seconds,
        "reaction_from": reaction.told_by,
        "ccc_without_flagged": number(_ccc_without(panel, joined, reasons, fused, method)),
    }
    by_session = {}
    for session in panel.sessions:
        values = session_agreement(session.traces(lags))
        agreement = {name: number(value) for name, value in values.items()}
        by_session[session.name] = {"agreement": agreement}
    notices = _notices(panel.dimension, about)
    return PanelLabel(panel, about, by_session, _traces(panel, joined, fused), notices)


def _ccc_without(
    panel: Panel, joined: Floats, reasons: Sequence[str], fused: Fused, method: Method
) -> float:
    """How alike the trace is to the one without the flagged raters; NaN where none is left."""
    trusted = joined[[not reason for reason in reasons]]
    if not len(trusted):
        return np.nan
    at_rest = np.zeros(len(trusted))
    return ccc(fused.trace, fuse(trusted, method, panel.rate_hz, lags=at_rest).trace)


def _traces(panel: Panel, joined: Floats, fused: Fused) -> dict[str, LabelTrace]:
    """The fused trace cut into the sessions it was joined from."""
    behind = (~np.isnan(joined) & (fused.weights[:, None] > 0)).sum(axis=0)
    traces, start = {}, 0
    for session in panel.sessions:
        rows = slice(start, start + len(session.time_seconds))
        traces[session.name] = LabelTrace(
            fused.trace[rows], fused.low[rows], fused.high[rows], behind[rows]
        )
        start = rows.stop + 1  # a column without values stands between sessions
    return traces


def _notices(dimension: str, about: dict[str, Any]) -> tuple[str, ...]:
    notices = []
    if about["is_fallback"]:
        notices.append(f"{dimension}: no rater has a weight, so that all count alike")
    weights = dict(zip(about["raters"], about["weights"], strict=True))
    for code, why in about["flagged"].items():
        notices.append(f"{dimension}: rater {code} is doubtful ({why}); weight {weights[code]:.2f}")
    return tuple(notices)
