"""Sections about the raters: their traces with the label, and how far they agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer import metrics
from mavfer.labelling.agree import STATISTICS, agree_study
from mavfer.labelling.panel import read_panels
from mavfer.report import html
from mavfer.report.capture import one_of_each
from mavfer.report.curves import Panel, plot_panels
from mavfer.study.labels import label_names, label_path, read_label_traces
from mavfer.study.ratings import find_ratings
from mavfer.study.session import Session
from mavfer.study.truth import latent_at_frames

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from mavfer.agreement import Estimate
    from mavfer.dataset import Dataset, Recording
    from mavfer.labelling.agree import DimensionAgreement
    from mavfer.labelling.panel import Panel as RaterPanel
    from mavfer.study.study import Study

__all__ = ["rating_sections", "true_values"]

_PREFERRED_LABEL: Final = "gold"
_HEADINGS: Final = (
    "CCC",
    "Pearson",
    "ICC(A,1)",
    "ICC(A,k)",
    "ICC(C,1)",
    "ICC(C,k)",
    "Krippendorff's alpha",
)
_FROM_TRUTH: Final = (
    "Simulated raters: they see no picture but rate from the truth of the simulation, each with an "
    "own delay, gain, offset and noise, and the last one badly. They show that the way from a "
    "rating to a label works, not how well people would agree."
)


def rating_sections(dataset: Dataset) -> Iterator[str]:
    """The sections; none where nobody has rated."""
    study = dataset.study
    if not any(find_ratings(study, session) for session in dataset.sessions):
        return
    label = _chosen_label(study)
    if label is not None:
        yield _traces_section(dataset, label)
    yield _agreement_section(study)


def true_values(study: Study, rec: Recording, dimension: str) -> NDArray[np.float64] | None:
    """What was true of a simulated session at its frames (T,), on the study's scale; else None."""
    take = study.session_folder(rec.session)
    if rec.kind != "simulated" or not (take / "truth.h5").is_file():
        return None
    low, high = scale_of(study, dimension)
    return low + (latent_at_frames(Session.open(take), dimension) + 1) / 2 * (high - low)


def scale_of(study: Study, dimension: str) -> tuple[float, float]:
    """Lowest and highest value that can be given."""
    known = {each["name"]: each for each in study.document["dimensions"]}
    return float(known[dimension]["low"]), float(known[dimension]["high"])


def _chosen_label(study: Study) -> str | None:
    names = label_names(study)
    return _PREFERRED_LABEL if _PREFERRED_LABEL in names else next(iter(names), None)


# Traces with the label.


def _traces_section(dataset: Dataset, label: str) -> str:
    study = dataset.study
    rated = [rec for rec in dataset if label_path(study, label, rec.session).is_file()]
    shown = [rec for rec in one_of_each(dataset) if rec in rated] or rated[:1]
    if not shown:
        return ""
    panels = read_panels(study)
    grid = [[_panel(study, raters, rec, label) for rec in shown] for raters in panels]
    document = read_label_traces(study, label, shown[0].session)[1]
    parts = [
        html.paragraph(
            f"Every rater's trace with the rater's delay taken off, and the label {label!r} that "
            f"was fused from them ({document['method']}), with the band in which the mean of more "
            "raters such as these would lie."
        ),
        html.figure(plot_panels(grid)),
        *_near_truth(study, rated, [raters.dimension for raters in panels], label),
    ]
    if _is_simulated(panels):
        parts.insert(0, html.paragraph(_FROM_TRUTH, "notice"))
    return html.section("Ratings and label", *parts)


def _panel(study: Study, raters: RaterPanel, rec: Recording, label: str) -> Panel:
    traces, document = read_label_traces(study, label, rec.session)
    about, trace = document["dimensions"][raters.dimension], traces[raters.dimension]
    lag = dict(zip(about["raters"], about["lags_seconds"], strict=True))
    lags = np.array([np.nan if lag.get(code) is None else lag[code] for code in raters.raters])
    (session,) = [each for each in raters.sessions if each.name == rec.session]
    return Panel(
        title=_title(rec),
        dimension=raters.dimension,
        seconds=session.time_seconds,
        label=trace.value,
        band=(trace.low, trace.high),
        truth=true_values(study, rec, raters.dimension),
        scale=scale_of(study, raters.dimension),
        raters=dict(zip(raters.raters, session.traces(lags), strict=True)),
        flagged=frozenset(about["flagged"]),
    )


def _title(rec: Recording) -> str:
    lighting = rec.info["settings"].get("lighting")
    return f"{rec.session}, {lighting}" if lighting else rec.session


def _near_truth(
    study: Study, rated: Sequence[Recording], dimensions: Sequence[str], label: str
) -> Iterator[str]:
    """How near the label comes to the truth, over all simulated sessions."""
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in dimensions}
    for rec in rated:
        traces = read_label_traces(study, label, rec.session)[0]
        for name in dimensions:
            truth = true_values(study, rec, name)
            if truth is not None and name in traces:
                found[name].append(np.stack([traces[name].value, truth]))
    scores = {
        name: metrics.ccc(*np.concatenate(pairs, axis=1)) for name, pairs in found.items() if pairs
    }
    if scores:
        told = ", ".join(f"{name} {score:.2f}" for name, score in scores.items())
        yield html.paragraph(f"CCC of the label with the truth, over all sessions: {told}.")


def _is_simulated(panels: Sequence[RaterPanel]) -> bool:
    return any(
        rating is not None and rating.document["kind"] == "simulated"
        for panel in panels
        for session in panel.sessions
        for rating in session.ratings
    )


# Agreement.


def _agreement_section(study: Study) -> str:
    report = agree_study(study)
    label = _chosen_label(study)
    raters = [row for each in report.dimensions for row in _rater_rows(study, each, label)]
    header = ("rater", "lag, s", "lag from", "CCC", "bias", "weight", "flagged because")
    return html.section(
        "Agreement of the raters",
        html.paragraph(
            "Mean over the sessions, delays taken off. In brackets, 95 % interval for other "
            "sessions like these (sessions are drawn, not frames, which are not independent)."
        ),
        _agreement_table(report.dimensions),
        "<h3>Raters</h3>",
        html.paragraph("CCC and bias: with the mean of the others who are not flagged.", "soft"),
        html.table(header, raters),
        *(html.paragraph(_needed(each)) for each in report.dimensions),
    )


def _agreement_table(dimensions: Sequence[DimensionAgreement]) -> str:
    """Measures in rows; a column for each dimension, and one without the flagged raters."""
    columns: dict[str, Mapping[str, Estimate]] = {}
    for each in dimensions:
        columns[f"{each.dimension}, all raters"] = each.overall
        if any(rater.doubt for rater in each.raters):
            columns[f"{each.dimension}, unflagged"] = each.without_flagged
    rows = [
        [heading, *(_told(estimates[name]) for estimates in columns.values())]
        for name, heading in zip(STATISTICS, _HEADINGS, strict=True)
    ]
    return html.table(["", *columns], rows)


def _told(each: Estimate) -> str:
    return f"{_number(each.value)} [{_number(each.low)}, {_number(each.high)}]"


def _rater_rows(study: Study, each: DimensionAgreement, label: str | None) -> list[list[str]]:
    weights = _weights(study, label, each.dimension)
    return [
        [
            f"{rater.rater}, {each.dimension}",
            _number(rater.lag_seconds),
            rater.lag_source,
            _number(rater.ccc),
            _number(rater.bias),
            _number(weights.get(rater.rater, np.nan)),
            rater.doubt or "–",
        ]
        for rater in each.raters
    ]


def _weights(study: Study, label: str | None, dimension: str) -> dict[str, float]:
    """Weight of each rater in the label; they are the same in every session."""
    if label is None:
        return {}
    path = next(iter(sorted(label_path(study, label, "any").parent.glob("[!.]*.csv"))), None)
    if path is None:
        return {}
    about: Any = read_label_traces(study, label, path.stem)[1]["dimensions"].get(dimension)
    return dict(zip(about["raters"], about["weights"], strict=True)) if about else {}


def _needed(each: DimensionAgreement) -> str:
    if not np.isfinite(each.raters_needed):
        return f"{each.dimension}: no number of raters like these would reach an ICC(A,k) of 0.8."
    number = f"{each.raters_needed:g}"
    word = "rater" if number == "1" else "raters"
    return f"{each.dimension}: {number} unflagged {word} would reach an ICC(A,k) of 0.8."


def _number(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "–"
