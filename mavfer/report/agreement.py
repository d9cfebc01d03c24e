"""Section "Agreement of the raters": measures by dimension, and a row for every rater."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.labelling.agree import STATISTICS
from mavfer.labelling.printed import needed
from mavfer.report import html

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mavfer.agreement import Estimate
    from mavfer.labelling.agree import AgreementReport, DimensionAgreement

__all__ = ["agreement_section", "measures", "rater_table"]

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
        measures(report.dimensions),
        "<h3>Raters</h3>",
        html.paragraph("CCC and bias: with the mean of the others who are not flagged.", "soft"),
        html.table(_RATER_COLUMNS, raters, words=_WORDS),
        *(html.paragraph(needed(each)) for each in report.dimensions),
    )


def measures(dimensions: Sequence[DimensionAgreement]) -> str:
    """A table: measures in rows; a column a dimension, and one without the flagged raters."""
    columns: dict[str, Mapping[str, Estimate]] = {}
    for each in dimensions:
        columns[f"{each.dimension}, all raters"] = each.overall
        if any(rater.doubt for rater in each.raters):
            columns[f"{each.dimension}, unflagged"] = each.without_flagged
    rows = [
        [heading, *(_told(estimates[name]) for estimates in columns.values())]
        for name, heading in STATISTICS.items()
    ]
    return html.table(["", *columns], rows)


def rater_table(dimensions: Sequence[DimensionAgreement]) -> str:
    """A table with a row for every rater of every dimension."""
    has_repeats = any(rater.repeats for each in dimensions for rater in each.raters)
    header = ["rater", "dimension", "sessions", "lag,\u00a0s", "CCC with the others", "Pearson"]
    header += ["RMSE", "bias", *(["ICC(A,1) on hidden repeats"] if has_repeats else [])]
    rows = []
    for each in dimensions:
        for rater in each.raters:
            row = [rater.rater, each.dimension, str(rater.sessions), _number(rater.lag_seconds)]
            row += [_told(rater.with_others["ccc"]), _number(rater.pearson)]
            row += [_number(rater.rmse), _told(rater.with_others["bias"])]
            if has_repeats:
                row.append(_told(rater.repeats.icc) if rater.repeats else "–")
            rows.append(row)
    return html.table(header, rows, words=(0, 1))


def _told(each: Estimate) -> str:
    interval = f" [{_number(each.low)}, {_number(each.high)}]" if np.isfinite(each.low) else ""
    return f"{_number(each.value)}{interval}"


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


def _number(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}" if np.isfinite(value) else "–"  # + 0.0: no "-0.00"
