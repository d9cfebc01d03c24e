"""Section "Agreement of the raters": measures by dimension, and a row for every rater."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.labelling.agree import STATISTICS
from mavfer.report import html

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mavfer.agreement import Estimate
    from mavfer.labelling.agree import AgreementReport, DimensionAgreement

__all__ = ["agreement_section"]

_HEADINGS: Final = (
    "CCC",
    "Pearson",
    "ICC(A,1)",
    "ICC(A,k)",
    "ICC(C,1)",
    "ICC(C,k)",
    "Krippendorff's alpha",
)
_RATER_COLUMNS: Final = (
    "rater",
    "lag,\u00a0s",
    "lag from",
    "CCC",
    "bias",
    "weight",
    "flagged because",
)
_WORDS: Final = (0, 2, 6)


def agreement_section(report: AgreementReport, weights: Mapping[str, Mapping[str, float]]) -> str:
    """The section.

    Args:
        report: What `mavfer agree` says.
        weights: Of each rater in the label, by dimension; empty where there is none.
    """
    raters = [
        row for each in report.dimensions for row in _rater_rows(each, weights[each.dimension])
    ]
    return html.section(
        "Agreement of the raters",
        html.paragraph(
            "Mean over the sessions, delays taken off. In brackets, 95 % interval for other "
            "sessions like these (sessions are drawn, not frames, which are not independent)."
        ),
        _measures(report.dimensions),
        "<h3>Raters</h3>",
        html.paragraph("CCC and bias: with the mean of the others who are not flagged.", "soft"),
        html.table(_RATER_COLUMNS, raters, words=_WORDS),
        *(html.paragraph(_needed(each)) for each in report.dimensions),
    )


def _measures(dimensions: Sequence[DimensionAgreement]) -> str:
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


def _rater_rows(each: DimensionAgreement, weights: Mapping[str, float]) -> list[list[str]]:
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


def _needed(each: DimensionAgreement) -> str:
    if not np.isfinite(each.raters_needed):
        return f"{each.dimension}: no number of raters like these would reach an ICC(A,k) of 0.8."
    number = f"{each.raters_needed:g}"
    word = "rater" if number == "1" else "raters"
    return f"{each.dimension}: {number} unflagged {word} would reach an ICC(A,k) of 0.8."


def _number(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "–"
