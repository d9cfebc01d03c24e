"""The label of one dimension by a published protocol, each session on its own.

A protocol has its own way from samples to traces, its own lags and no band. Its trace is made on
the protocol's own times, then read at the frames of the shard.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from mavfer.fusion import flag_raters, fuse_avec2018, fuse_recola
from mavfer.fusion.recola import (
    SYNCHRONY_SECONDS,
    acceptance_doubts,
    binned_trace,
    clean_samples,
    filled_trace,
    grid_seconds,
)
from mavfer.labelling.agree import number, session_agreement
from mavfer.labelling.fused import PanelLabel
from mavfer.metrics import ccc
from mavfer.study.labels import LabelTrace
from mavfer.study.ratings import PAUSED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from mavfer.fusion import ProtocolTrace
    from mavfer.labelling.panel import Panel, RatedSession
    from mavfer.study.ratings import Rating

    Floats = NDArray[np.float64]

__all__ = ["PROTOCOLS", "Protocol", "protocol_panel"]

Protocol = Literal["recola", "avec2018"]

PROTOCOLS: Final[tuple[Protocol, ...]] = get_args(Protocol)

_FUSE: Final[dict[Protocol, Callable[[Floats], ProtocolTrace]]] = {
    "recola": fuse_recola,
    "avec2018": fuse_avec2018,
}

_EDGE_SECONDS: Final = 1 / 90_000
"""A frame's time may be rounded to this."""


@dataclass(frozen=True)
class _Session:
    """One session, as the protocol sees it."""

    rated: RatedSession
    traces: NDArray[np.float64]
    """(K, T) on the protocol's times; NaN throughout for who did not rate."""
    rejections: dict[int, str]
    """Why RECOLA would have had a rater, by number, rate the session again."""
    fused: ProtocolTrace | None
    """Of those who rated; None where nobody did."""

    @property
    def is_rated_by(self) -> NDArray[np.bool_]:
        """(K,)."""
        return _has_values(self.traces)


def protocol_panel(panel: Panel, protocol: Protocol, reaction_seconds: float) -> PanelLabel:
    """The label by `protocol`.

    Args:
        panel: The raters, whose lags from a calibration clip are not used.
        protocol: "recola": zero-mean and synchronised raters, averaged. "avec2018": the mean of
            the raters, at the level of the reliable ones.
        reaction_seconds: How late the raters are on the whole.
    """
    sessions = [_session(rated, protocol) for rated in panel.sessions]
    moved = np.concatenate([_moved(each) for each in sessions], axis=1)
    reasons = flag_raters(moved, np.zeros(len(panel.raters)), np.inf)
    source = f"{protocol} and --reaction" if reaction_seconds else protocol
    weights = np.stack([_weights(each) for each in sessions])
    lags = np.stack([_lags(each, reaction_seconds) for each in sessions])
    about = {
        "raters": list(panel.raters),
        "weights": _mean_known(weights).tolist(),
        "lags_seconds": [number(lag) for lag in _mean_known(lags, otherwise=np.nan)],
        "lag_sources": [source] * len(panel.raters),
        "flagged": {code: why for code, why in zip(panel.raters, reasons, strict=True) if why},
        "is_fallback": any(each.fused.is_fallback for each in sessions if each.fused),
        "reaction_seconds": reaction_seconds,
        "reaction_from": "--reaction" if reaction_seconds else protocol,
        "ccc_without_flagged": number(_ccc_without(sessions, reasons, protocol)),
    }
    return PanelLabel(
        panel=panel,
        about=about,
        by_session={
            each.rated.name: _about_session(panel, each, reaction_seconds) for each in sessions
        },
        traces={each.rated.name: _at_frames(each, reaction_seconds) for each in sessions},
        notices=tuple(_notices(panel, sessions, about, protocol)),
    )


def _session(rated: RatedSession, protocol: Protocol) -> _Session:
    duration = float(rated.time_seconds[-1])
    rows, rejections = [], {}
    for number_of_rater, rating in enumerate(rated.ratings):
        seconds, values = _samples(rating)
        rows.append(filled_trace(binned_trace(seconds, values, duration)))
        why = acceptance_doubts(seconds, duration) if rating else ()
        if why:
            rejections[number_of_rater] = ", ".join(why)
    traces = np.stack(rows)
    heard = traces[_has_values(traces)]
    return _Session(rated, traces, rejections, _FUSE[protocol](heard) if len(heard) else None)


def _samples(rating: Rating | None) -> tuple[Floats, Floats]:
    """Clean samples, none of them given while paused."""
    if rating is None:
        return np.empty(0), np.empty(0)
    is_used = rating.flags & PAUSED == 0
    return clean_samples(rating.media_time[is_used], rating.value[is_used])


def _has_values(traces: Floats) -> NDArray[np.bool_]:
    """Which raters (K,) have any; a filled trace has all values or none."""
    has: NDArray[np.bool_] = ~np.isnan(traces[:, 0])
    return has


def _of_all(session: _Session, rows: Floats) -> Floats:
    """Rows of those who rated, as rows of all raters: NaN for the others."""
    everybody = np.full((len(session.traces), *rows.shape[1:]), np.nan)
    everybody[session.is_rated_by] = rows
    return everybody


def _moved(session: _Session) -> Floats:
    """The traces that the protocol averaged (K, T), NaN for who did not rate."""
    return _of_all(session, session.fused.raters) if session.fused else session.traces


def _weights(session: _Session) -> Floats:
    """(K,), NaN for who did not rate."""
    return _of_all(session, session.fused.weights if session.fused else np.empty(0))


def _lags(session: _Session, reaction_seconds: float) -> Floats:
    """(K,), by how much each rater was moved earlier in all; NaN for who did not rate."""
    lags = session.fused.lags_seconds + reaction_seconds if session.fused else np.empty(0)
    return _of_all(session, lags)


def _mean_known(rows: Floats, *, otherwise: float = 0.0) -> Floats:
    """Mean over the sessions (S, K) that each rater rated."""
    is_known = ~np.isnan(rows)
    count = is_known.sum(axis=0)
    total = np.sum(rows, axis=0, where=is_known)
    mean: Floats = np.divide(total, count, out=np.full(len(count), otherwise), where=count > 0)
    return mean


def _ccc_without(sessions: Sequence[_Session], reasons: Sequence[str], protocol: Protocol) -> float:
    """How alike the label is to the one without the flagged raters; NaN where none is left."""
    is_trusted = np.array([not reason for reason in reasons])
    pairs = [
        np.stack([each.fused.trace, _FUSE[protocol](each.traces[trusted]).trace])
        for each in sessions
        if each.fused and (trusted := each.is_rated_by & is_trusted).any()
    ]
    return ccc(*np.concatenate(pairs, axis=1)) if pairs else np.nan


def _about_session(panel: Panel, session: _Session, reaction_seconds: float) -> dict[str, Any]:
    """Weights and lags are the session's own."""
    values = session_agreement(_moved(session))
    return {
        "weights": np.nan_to_num(_weights(session), nan=0.0).tolist(),
        "lags_seconds": [number(lag) for lag in _lags(session, reaction_seconds)],
        "is_fallback": bool(session.fused and session.fused.is_fallback),
        "rejected_by_recola": {panel.raters[at]: why for at, why in session.rejections.items()},
        "agreement": {name: number(value) for name, value in values.items()},
    }


def _at_frames(session: _Session, reaction_seconds: float) -> LabelTrace:
    """The trace a reaction later at each frame, on the line between two times of the protocol."""
    asked = session.rated.time_seconds + reaction_seconds
    nowhere = np.full(len(asked), np.nan)
    if session.fused is None:
        return LabelTrace(nowhere, nowhere, nowhere, np.zeros(len(asked), np.int64))
    times = grid_seconds(float(session.rated.time_seconds[-1]))
    is_known = asked <= times[-1] + _EDGE_SECONDS
    value = np.where(is_known, np.interp(asked, times, session.fused.trace), np.nan)
    return LabelTrace(value, nowhere, nowhere, is_known * int(session.is_rated_by.sum()))


def _notices(
    panel: Panel, sessions: Sequence[_Session], about: dict[str, Any], protocol: Protocol
) -> list[str]:
    dimension, notices = panel.dimension, []
    if panel.is_calibrated:
        notices.append(f"{dimension}: {protocol} does not use the lags of the calibration clip")
    for session in sessions:
        where = f"{session.rated.name}, {dimension}"
        for at, why in session.rejections.items():
            notices.append(f"{where}: RECOLA would not accept rater {panel.raters[at]} ({why})")
        notices += [f"{where}: {line}" for line in _session_notices(panel, session, protocol)]
    for code, why in about["flagged"].items():
        notices.append(f"{dimension}: rater {code} is doubtful ({why}); {protocol} keeps everybody")
    return notices


def _session_notices(panel: Panel, session: _Session, protocol: Protocol) -> list[str]:
    """What of a session's own fusion a person should know."""
    notices = []
    if session.fused and session.fused.is_fallback:
        notices.append("no rater has a weight, so that all count alike")
    if protocol == "recola" and session.rated.time_seconds[-1] <= 2 * SYNCHRONY_SECONDS:
        notices.append(f"shorter than {2 * SYNCHRONY_SECONDS:g} s, so that nobody is synchronised")
    for at in np.flatnonzero(_weights(session) < 0):
        notices.append(f"rater {panel.raters[at]} has a negative weight: the level moves away")
    return notices
