"""Section "Ratings and label": every rater's trace, the label with its band, and the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer import metrics
from mavfer.labelling.agree import agree_study
from mavfer.labelling.panel import read_panels
from mavfer.report import html
from mavfer.report.agreement import agreement_section
from mavfer.report.capture import lighting_of, one_of_each
from mavfer.report.curves import Panel, plot_panels
from mavfer.study.labels import LabelTrace, label_names, label_path, read_label_traces
from mavfer.study.ratings import find_ratings
from mavfer.study.session import Session
from mavfer.study.truth import latent_at_frames

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from mavfer.dataset import Dataset, Recording
    from mavfer.labelling.agree import AgreementReport
    from mavfer.labelling.panel import Panel as RaterPanel
    from mavfer.study.study import Study

    Floats = NDArray[np.float64]

__all__ = ["panel_title", "rating_sections", "scale_of", "true_values"]

_PREFERRED_LABEL: Final = "gold"


@dataclass(frozen=True)
class _Label:
    """The label of a study that is shown."""

    name: str
    traces: dict[str, dict[str, LabelTrace]]
    """By session and dimension."""
    documents: dict[str, dict[str, Any]]
    """What the JSON beside each table says, by session."""

    def about(self, session: str, dimension: str) -> dict[str, Any]:
        """How one dimension of one session was fused; empty where the label does not say."""
        told: dict[str, Any] = self.documents.get(session, {}).get("dimensions", {})
        return dict(told.get(dimension, {}))

    def weights(self, dimension: str) -> dict[str, float]:
        """Weight of each rater, which is the same in all sessions."""
        known = (self.about(session, dimension) for session in self.documents)
        about = next((each for each in known if "weights" in each), {"raters": (), "weights": ()})
        return dict(zip(about["raters"], about["weights"], strict=True))


def rating_sections(dataset: Dataset) -> Iterator[str]:
    """Traces, then agreement; nothing where nobody has rated."""
    study = dataset.study
    timed = [rec.session for rec in dataset if rec.kind != "stills"]
    if not any(find_ratings(study, session) for session in timed):
        return
    panels, report, label = read_panels(study), agree_study(study), _read_label(dataset)
    yield _traces_section(dataset, panels, report, label)
    yield agreement_section(
        report, {each.dimension: label.weights(each.dimension) if label else {} for each in panels}
    )


def true_values(study: Study, rec: Recording, dimension: str) -> Floats | None:
    """What was true of a simulated session at its frames (T,), on the study's scale; else None."""
    take = study.session_folder(rec.session)
    if rec.kind != "simulated" or not (take / "truth.h5").is_file():
        return None
    latent = latent_at_frames(Session.open(take), dimension)
    low, high = scale_of(study, dimension)
    return low + (latent + 1) / 2 * (high - low) if len(latent) == len(rec) else None


def scale_of(study: Study, dimension: str) -> tuple[float, float]:
    """Lowest and highest value that can be given."""
    known = {each["name"]: each for each in study.document["dimensions"]}
    return float(known[dimension]["low"]), float(known[dimension]["high"])


def panel_title(rec: Recording) -> str:
    """A session, and its lighting where it is known."""
    lighting = lighting_of(rec)
    return f"{rec.session}, {lighting}" if lighting else rec.session


def _read_label(dataset: Dataset) -> _Label | None:
    """The label "gold", else the first there is, of the sessions that have it."""
    study, names = dataset.study, label_names(dataset.study)
    if not names:
        return None
    name = _PREFERRED_LABEL if _PREFERRED_LABEL in names else names[0]
    tables = {
        rec.session: read_label_traces(study, name, rec.session)
        for rec in dataset
        if label_path(study, name, rec.session).is_file()
    }
    traces = {session: table for session, (table, _) in tables.items()}
    documents = {session: document for session, (_, document) in tables.items()}
    return _Label(name, traces, documents) if tables else None


# Traces.


def _traces_section(
    dataset: Dataset, panels: Sequence[RaterPanel], report: AgreementReport, label: _Label | None
) -> str:
    rated = {session.name for panel in panels for session in panel.sessions}
    shown = one_of_each([rec for rec in dataset if rec.session in rated])
    doubted = {
        each.dimension: frozenset(rater.rater for rater in each.raters if rater.doubt)
        for each in report.dimensions
    }
    grid = [
        [_panel(dataset.study, raters, rec, label, doubted[raters.dimension]) for rec in shown]
        for raters in panels
    ]
    simulated = _simulated_raters(panels)
    parts = [
        *([html.paragraph(_from_truth(simulated), "notice")] if simulated else []),
        html.paragraph(_explained(label)),
        html.figure(plot_panels(grid)),
        *map(html.paragraph, _doubts(report)),
    ]
    if label is not None:
        parts += _near_truth(dataset, label, [raters.dimension for raters in panels])
    return html.section("Ratings and label" if label else "Ratings", *parts)


def _from_truth(raters: Sequence[str]) -> str:
    return (
        f"Simulated raters ({', '.join(raters)}): they see no picture but rate from the truth of "
        "the simulation (truth.h5), late and noisy, each with an own gain and offset, and one of "
        "three or more badly. They show that the way from a rating to a label works, not how well "
        "people would agree."
    )


def _explained(label: _Label | None) -> str:
    if label is None:
        return (
            "Every rater's trace, moved earlier by the rater's delay, which the calibration clip "
            "or the traces tell. There is no label yet."
        )
    methods = {document["method"] for document in label.documents.values()}
    return (
        f"Every rater's trace, moved earlier by the delay that the label's JSON records, and the "
        f"label {label.name!r} made from them ({', '.join(sorted(methods))}), with the band in "
        "which the mean of more raters such as these would lie."
    )


def _doubts(report: AgreementReport) -> Iterator[str]:
    told = [
        f"{rater.rater} in {each.dimension} ({rater.doubt})"
        for each in report.dimensions
        for rater in each.raters
        if rater.doubt
    ]
    if told:
        yield f"Dashed, because doubted: {'; '.join(told)}."


def _panel(
    study: Study,
    raters: RaterPanel,
    rec: Recording,
    label: _Label | None,
    doubted: frozenset[str],
) -> Panel:
    """One session on one dimension, with whatever is known of it."""
    dimension = raters.dimension
    rated = next((each for each in raters.sessions if each.name == rec.session), None)
    about = label.about(rec.session, dimension) if label else {}
    trace = label.traces.get(rec.session, {}).get(dimension) if label else None
    lags = _lags(raters, about)
    return Panel(
        title=panel_title(rec),
        dimension=dimension,
        seconds=rec.time_seconds,
        label=trace.value if trace else None,
        band=(trace.low, trace.high) if trace else None,
        truth=true_values(study, rec, dimension),
        scale=scale_of(study, dimension),
        raters=dict(zip(raters.raters, rated.traces(lags), strict=True)) if rated else {},
        flagged=doubted,
    )


def _lags(raters: RaterPanel, about: dict[str, Any]) -> Floats:
    """Delay of each rater (K,): as the label took it off, else as the ratings tell it."""
    if "lags_seconds" not in about:
        return raters.lags()[0]
    known = dict(zip(about["raters"], about["lags_seconds"], strict=True))
    return np.array([known.get(code) for code in raters.raters], np.float64)  # None becomes NaN


def _near_truth(dataset: Dataset, label: _Label, dimensions: Sequence[str]) -> Iterator[str]:
    """How near the label comes to the truth, over all simulated sessions."""
    scores = {}
    for name in dimensions:
        pairs = [
            np.stack([label.traces[rec.session][name].value, truth])
            for rec in dataset
            if name in label.traces.get(rec.session, {})
            and (truth := true_values(dataset.study, rec, name)) is not None
        ]
        if pairs:
            scores[name] = metrics.ccc(*np.concatenate(pairs, axis=1))
    if scores:
        told = ", ".join(f"{name} {score:.3f}" for name, score in scores.items())
        yield html.paragraph(f"CCC of the label with the truth, over all sessions: {told}.")


def _simulated_raters(panels: Sequence[RaterPanel]) -> list[str]:
    return sorted(
        {
            rating.rater
            for panel in panels
            for session in panel.sessions
            for rating in session.ratings
            if rating is not None and rating.document["kind"] == "simulated"
        }
    )
