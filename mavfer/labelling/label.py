"""Labels from ratings: what the raters of a study say together, with its provenance."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import AlreadyThere, CommandError
from mavfer.files import sha256_of_document
from mavfer.fusion import MAX_LAG_SECONDS, METHODS
from mavfer.fusion.recola import BIN_RATE_HZ, SYNCHRONY_SECONDS
from mavfer.labelling.fused import fuse_panel
from mavfer.labelling.panel import LAG_RATE_HZ, read_panels
from mavfer.labelling.protocol import PROTOCOLS, protocol_panel
from mavfer.labelling.reaction import PICTURES, reactions, require_possible
from mavfer.study.labels import is_label_made_so, label_path, write_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mavfer.fusion import Method
    from mavfer.labelling.fused import PanelLabel
    from mavfer.labelling.panel import Panel, RatedSession
    from mavfer.labelling.protocol import Protocol
    from mavfer.labelling.reaction import GivenReaction
    from mavfer.study.study import Study

__all__ = ["DEFAULT_METHOD", "LabelOutcome", "label_study"]

DEFAULT_METHOD: Final[Method] = "model"
"""The method that comes nearest to a known truth (docs/agreement.md)."""


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


def label_study(
    study: Study,
    *,
    method: Method | None = None,
    protocol: Protocol | None = None,
    name: str = "gold",
    reaction: GivenReaction = None,
    replace: bool = False,
) -> LabelOutcome:
    """Fuses the ratings of a study and writes the label `name`, one table a session.

    With a method lags and weights are properties of a rater: they come from all sessions together,
    per dimension. With a protocol each session stands for itself. Nothing is written where a label
    of this name was made otherwise.

    Args:
        study: The study.
        method: Of `fusion.fuse`; DEFAULT_METHOD where neither this nor a protocol is given.
        protocol: A published protocol (`labelling.protocol`) instead of a method.
        name: Name of the label.
        reaction: How late the fastest rater is in seconds, or "pictures" to let the faces tell;
            needed where no rater was calibrated. With a protocol seconds alone, how late the raters
            are on the whole; 0 where not given, as in the protocols.
        replace: Write over a label that was made from other ratings or with other options.

    Raises:
        NotFound: There are no shards, or no ratings, or the faces are to tell and do not.
        AlreadyThere: A label of this name was made otherwise.
        CommandError: The lag is unknown and not given; or the name or method makes no sense.
        InvalidFile: A rating is torn, or has fewer than two samples.
    """
    way = _way(method, protocol)
    label_path(study, name, "any")  # a name that cannot be is told before anything is read
    panels = read_panels(study)
    if protocol is None:
        settings, labels = _by_method(study, panels, method or DEFAULT_METHOD, reaction)
    else:
        settings, labels = _by_protocol(panels, protocol, reaction)
    documents = _documents(name, way, settings, labels)
    kept = [each for each in documents if is_label_made_so(study, each, replace=replace)]
    _clear(study, name, documents, replace=replace)
    written = [document for document in documents if document not in kept]
    for document in written:
        _write(study, document, labels, replace=replace)
    return LabelOutcome(
        name=name,
        method=way,
        written=tuple(document["session"] for document in written),
        kept=tuple(document["session"] for document in kept),
        dimensions={label.panel.dimension: label.about for label in labels},
        notices=tuple(_notices(labels, is_unused=protocol is None and reaction is not None)),
    )


def _way(method: Method | None, protocol: Protocol | None) -> str:
    """What the label's JSON calls the method.

    Raises:
        CommandError: There is no such method or protocol, or both are given.
    """
    if protocol is None:
        if method is not None and method not in METHODS:
            message = f"method is {method!r}. Choose one of {', '.join(METHODS)}"
            raise CommandError(message)
        return method or DEFAULT_METHOD
    if protocol not in PROTOCOLS:
        message = f"protocol is {protocol!r}. Choose one of {', '.join(PROTOCOLS)}"
        raise CommandError(message)
    if method is not None:
        message = f"--protocol {protocol} says how raters are fused. Leave --method {method} out"
        raise CommandError(message)
    return protocol


def _by_method(
    study: Study, panels: Sequence[Panel], method: Method, reaction: GivenReaction
) -> tuple[dict[str, Any], list[PanelLabel]]:
    """Settings for the JSON, and a label for each panel."""
    late = reactions(study, panels, reaction)
    settings = {
        "reaction": None if all(panel.is_calibrated for panel in panels) else reaction,
        "max_lag_seconds": MAX_LAG_SECONDS,
        "lag_rate_hz": LAG_RATE_HZ,
    }
    return settings, [fuse_panel(panel, method, late[panel.dimension]) for panel in panels]


def _by_protocol(
    panels: Sequence[Panel], protocol: Protocol, reaction: GivenReaction
) -> tuple[dict[str, Any], list[PanelLabel]]:
    """Settings for the JSON, and a label for each panel."""
    if reaction == PICTURES:
        message = f"--reaction {PICTURES}: with --protocol give SECONDS, or nothing for 0"
        raise CommandError(message)
    seconds = float(reaction or 0.0)
    require_possible(seconds)
    settings = {
        "protocol": protocol,
        "reaction": seconds,
        "max_lag_seconds": SYNCHRONY_SECONDS if protocol == "recola" else 0.0,
        "lag_rate_hz": BIN_RATE_HZ,
    }
    return settings, [protocol_panel(panel, protocol, seconds) for panel in panels]


def _documents(
    name: str, way: str, settings: dict[str, Any], labels: Sequence[PanelLabel]
) -> list[dict[str, Any]]:
    """What the JSON of each session's label will hold, in order of the sessions."""
    panels = [label.panel for label in labels]
    rated = {session.name: session for panel in panels for session in panel.sessions}
    all_inputs = [session.inputs for panel in panels for session in panel.sessions]
    settings = settings | {"all_inputs_sha256": sha256_of_document(all_inputs)}
    return [
        {
            "session": session,
            "name": name,
            "method": way,
            "settings": settings | {"frame_times_sha256": _times_sha256(rated[session])},
            **_of_session(session, labels),
        }
        for session in sorted(rated)
    ]


def _of_session(session: str, labels: Sequence[PanelLabel]) -> dict[str, Any]:
    """Inputs of one session, and what is said of each dimension."""
    inputs: dict[str, str] = {}
    dimensions = {}
    for label in labels:
        for rated in label.panel.sessions:
            if rated.name == session:
                inputs |= rated.inputs
                takes = [rating.take if rating else None for rating in rated.ratings]
                own = {"takes": takes} | label.by_session[session]
                dimensions[label.panel.dimension] = label.about | own
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
    study: Study, document: dict[str, Any], labels: Sequence[PanelLabel], *, replace: bool
) -> None:
    session = document["session"]
    traces = {
        label.panel.dimension: label.traces[session] for label in labels if session in label.traces
    }
    times = next(
        rated.time_seconds
        for label in labels
        for rated in label.panel.sessions
        if rated.name == session
    )
    write_label(study, document, times, traces, replace=replace)


def _notices(labels: Sequence[PanelLabel], *, is_unused: bool) -> list[str]:
    notices = []
    if is_unused and all(label.panel.is_calibrated for label in labels):
        notices.append("--reaction is not used: lags were measured with the calibration clip")
    return notices + [notice for label in labels for notice in label.notices]
