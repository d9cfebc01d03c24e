"""Labels from ratings: what the raters of a study say together, with its provenance."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mavfer.errors import AlreadyThere, CommandError
from mavfer.files import sha256_of_document
from mavfer.fusion import MAX_LAG_SECONDS, METHODS, fuse
from mavfer.labelling.agree import doubts, number, session_agreement
from mavfer.labelling.panel import LAG_RATE_HZ, read_panels
from mavfer.labelling.reaction import reactions
from mavfer.metrics import ccc
from mavfer.study.labels import LabelTrace, is_label_made_so, label_path, write_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mavfer.fusion import Fused, Method
    from mavfer.labelling.panel import Panel, RatedSession
    from mavfer.labelling.reaction import GivenReaction, PanelReaction
    from mavfer.study.study import Study

    Floats = NDArray[np.float64]

__all__ = ["LabelOutcome", "label_study"]


@dataclass(frozen=True)
class LabelOutcome:
    """What making a label did."""

    name: str
    method: str
    written: tuple[str, ...]
    """Sessions whose label was written."""
    kept: tuple[str, ...]
    """Sessions whose label was there, made in the same way."""
    dimensions: dict[str, dict[str, Any]]
    """Raters, weights, lags and flags by dimension."""
    notices: tuple[str, ...]
    """What a person should know, a line each."""

    def to_document(self) -> dict[str, Any]:
        """What `mavfer label --json` prints."""
        return {
            "name": self.name,
            "method": self.method,
            "sessions": sorted(self.written + self.kept),
            "written": len(self.written),
            "kept": len(self.kept),
            "dimensions": self.dimensions,
        }

    def __str__(self) -> str:
        lines = [f"label {self.name}: {len(self.written)} sessions written, {len(self.kept)} kept"]
        for dimension, about in self.dimensions.items():
            lines.append(f"  {dimension}, {self.method}:")
            columns = (about[key] for key in ("raters", "weights", "lags_seconds", "lag_sources"))
            for rater, weight, lag, source in zip(*columns, strict=True):
                late = "lag unknown" if lag is None else f"lag {lag:.2f} s ({source})"
                lines.append(f"    {rater}  weight {weight:.2f}  {late}")
        return "\n".join(lines)


@dataclass(frozen=True)
class _Fusion:
    """One dimension, fused over all sessions together."""

    panel: Panel
    lags: Floats
    fused: Fused
    about: dict[str, Any]
    """What the label's JSON says of the dimension, the same for all sessions."""
    traces: dict[str, LabelTrace]
    """By session."""


def label_study(
    study: Study,
    *,
    method: Method = "model",
    name: str = "gold",
    reaction: GivenReaction = None,
    replace: bool = False,
) -> LabelOutcome:
    """Fuses the ratings of a study and writes the label `name`, one table a session.

    Lags and weights are properties of a rater: they come from all sessions together, per
    dimension. Nothing is written where a label of this name was made otherwise.

    Args:
        study: The study.
        method: Of `fusion.fuse`.
        name: Name of the label.
        reaction: How late the fastest rater is in seconds, or "pictures" to let the faces tell;
            needed where no rater was calibrated.
        replace: Write over a label that was made from other ratings or with other options.

    Raises:
        NotFound: There are no shards, or no ratings, or the faces are to tell and do not.
        AlreadyThere: A label of this name was made otherwise.
        CommandError: The lag is unknown and not given; or the name or method makes no sense.
        InvalidFile: A rating is torn, or has fewer than two samples.
    """
    if method not in METHODS:
        message = f"method is {method!r}. Choose one of {', '.join(METHODS)}"
        raise CommandError(message)
    label_path(study, name, "any")  # a name that cannot be is told before anything is read
    panels = read_panels(study)
    late = reactions(study, panels, reaction)
    fusions = [_fuse_panel(panel, method, late[panel.dimension]) for panel in panels]
    documents = _documents(name, method, reaction, fusions)
    kept = [each for each in documents if is_label_made_so(study, each, replace=replace)]
    _clear(study, name, documents, replace=replace)
    written = [document for document in documents if document not in kept]
    for document in written:
        _write(study, document, fusions, replace=replace)
    return LabelOutcome(
        name=name,
        method=method,
        written=tuple(document["session"] for document in written),
        kept=tuple(document["session"] for document in kept),
        dimensions={fusion.panel.dimension: fusion.about for fusion in fusions},
        notices=tuple(_notices(fusions, is_reaction_given=reaction is not None)),
    )


def _fuse_panel(panel: Panel, method: Method, reaction: PanelReaction) -> _Fusion:
    lags, sources = panel.lags(reaction.seconds, reaction.told_by)
    joined = panel.joined(lags)
    at_rest = np.zeros(len(lags))  # the traces are sampled a lag later already
    fused = fuse(joined, method, panel.rate_hz, lags=at_rest)
    reasons = doubts(joined, lags)
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
    return _Fusion(panel, lags, fused, about, _traces(panel, joined, fused))


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


def _documents(
    name: str, method: Method, reaction: GivenReaction, fusions: Sequence[_Fusion]
) -> list[dict[str, Any]]:
    """What the JSON of each session's label will hold, in order of the sessions."""
    panels = [fusion.panel for fusion in fusions]
    rated = {session.name: session for panel in panels for session in panel.sessions}
    settings = {
        "reaction": None if all(panel.is_calibrated for panel in panels) else reaction,
        "max_lag_seconds": MAX_LAG_SECONDS,
        "lag_rate_hz": LAG_RATE_HZ,
        "all_inputs_sha256": sha256_of_document(
            [session.inputs for panel in panels for session in panel.sessions]
        ),
    }
    return [
        {
            "session": session,
            "name": name,
            "method": method,
            "settings": settings | {"frame_times_sha256": _times_sha256(rated[session])},
            **_of_session(session, fusions),
        }
        for session in sorted(rated)
    ]


def _of_session(session: str, fusions: Sequence[_Fusion]) -> dict[str, Any]:
    """Inputs of one session, and what is said of each dimension."""
    inputs: dict[str, str] = {}
    dimensions = {}
    for fusion in fusions:
        for rated in fusion.panel.sessions:
            if rated.name == session:
                inputs |= rated.inputs
                values = session_agreement(rated.traces(fusion.lags))
                dimensions[fusion.panel.dimension] = fusion.about | {
                    "takes": [rating.take if rating else None for rating in rated.ratings],
                    "agreement": {key: number(value) for key, value in values.items()},
                }
    return {"inputs": inputs, "dimensions": dimensions}


def _times_sha256(session: RatedSession) -> str:
    return hashlib.sha256(session.time_seconds.tobytes()).hexdigest()


def _clear(study: Study, name: str, documents: Sequence[dict[str, Any]], *, replace: bool) -> None:
    """Takes away the tables of sessions that have no ratings any more.

    Raises:
        AlreadyThere: There are some, and `replace` is False.
    """
    sessions = {document["session"] for document in documents}
    folder = label_path(study, name, "any").parent
    stale = sorted(path for path in folder.glob("*.csv") if path.stem not in sessions)
    if stale and not replace:
        message = (
            f"{stale[0]}: a label of a session without ratings. "
            f"Choose another --name, or pass --replace, which deletes it"
        )
        raise AlreadyThere(message)
    for path in stale:
        path.unlink()
        path.with_suffix(".json").unlink(missing_ok=True)


def _write(
    study: Study, document: dict[str, Any], fusions: Sequence[_Fusion], *, replace: bool
) -> None:
    session = document["session"]
    traces = {f.panel.dimension: f.traces[session] for f in fusions if session in f.traces}
    times = next(
        rated.time_seconds
        for fusion in fusions
        for rated in fusion.panel.sessions
        if rated.name == session
    )
    write_label(study, document, times, traces, replace=replace)


def _notices(fusions: Sequence[_Fusion], *, is_reaction_given: bool) -> list[str]:
    notices = []
    if is_reaction_given and all(fusion.panel.is_calibrated for fusion in fusions):
        notices.append("--reaction is not used: lags were measured with the calibration clip")
    for fusion in fusions:
        dimension = fusion.panel.dimension
        if fusion.fused.is_fallback:
            notices.append(f"{dimension}: no rater has a weight, so that all count alike")
        for code, why in fusion.about["flagged"].items():
            weight = fusion.fused.weights[fusion.panel.raters.index(code)]
            notices.append(f"{dimension}: rater {code} is doubtful ({why}); weight {weight:.2f}")
    return notices
