"""The tables that `mavfer agree` writes: tidy CSV, a line for each thing that is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.files import write_csv
from mavfer.labelling.statistics import PAIR_MEASURES, STATISTICS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mavfer.agreement import Estimate
    from mavfer.labelling.agree import AgreementReport, DimensionAgreement
    from mavfer.labelling.raters import RaterAgreement
    from mavfer.labelling.statistics import GroupAgreement

    Row = dict[str, Any]

__all__ = ["write_tables"]

_FORMULA: Final = ("f", "df1", "df2", "p")
_OF_RATER: Final = (*PAIR_MEASURES, "bias")
_WITH_INTERVAL: Final = ("ccc", "pearson", "rmse", "bias")
_VALUES: Final = ("mean", "sd", "lowest", "highest")

_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "dimensions": (
        *("dimension", "raters", "statistic", "value", "low", "high"),
        *("joined", "joined_f_low", "joined_f_high", *_FORMULA),
    ),
    "sessions": (
        *("session", "dimension", "raters", "rated_by", "statistic", "value", "low", "high"),
        *("f_low", "f_high", *_FORMULA),
    ),
    "raters": (
        *("rater", "dimension", "sessions", "lag_seconds", "lag_source"),
        *(f"{name}{end}" for name in _WITH_INTERVAL for end in ("", "_low", "_high")),
        *("spearman", "sda", "limit_low", "limit_high", *_VALUES),
        *("repeated_sessions", "repeat_icc_a_1", "repeat_icc_a_1_low", "repeat_icc_a_1_high"),
        *("repeat_icc_a_1_f_low", "repeat_icc_a_1_f_high", "repeat_pearson", "flagged"),
    ),
    "rater_sessions": ("rater", "session", "dimension", *_OF_RATER),
    "pairs": ("dimension", "rater", "other_rater", *PAIR_MEASURES),
    "repeats": ("rater", "session", "dimension", "icc_a_1", "pearson"),
    "needed": ("dimension", "raters", "count", "icc_a_1", "raters_needed"),
}
"""Columns by table; a table is written also where there is nothing to say."""


def write_tables(report: AgreementReport, folder: Path) -> list[Path]:
    """Writes every table of a report into `folder`, each whole or not at all; gives their files.

    "low" and "high" are the interval to report (sessions or blocks drawn again); "f_low" and
    "f_high" are by formula, which takes frames for independent, and are far too narrow. "raters"
    is "all", or "unflagged" where anyone is flagged.
    """
    rows = {
        "dimensions": _dimension_rows,
        "sessions": _session_rows,
        "raters": _rater_rows,
        "rater_sessions": _rater_session_rows,
        "pairs": _pair_rows,
        "repeats": _repeat_rows,
        "needed": _needed_rows,
    }
    paths = []
    for name, columns in _COLUMNS.items():
        found = [row for each in report.dimensions for row in rows[name](each)]
        cells = {column: [_cell(row.get(column)) for row in found] for column in columns}
        paths.append(folder / f"{name}.csv")
        write_csv(paths[-1], cells)
    return paths


def _groups(each: DimensionAgreement) -> Iterator[tuple[str, GroupAgreement]]:
    yield "all", each.everyone
    if each.has_flagged:
        yield "unflagged", each.unflagged


def _dimension_rows(each: DimensionAgreement) -> Iterator[Row]:
    for name, group in _groups(each):
        for statistic in STATISTICS:
            joined = group.joined.get(statistic)
            yield {
                "dimension": each.dimension,
                "raters": name,
                "statistic": statistic,
                **_interval(group.overall[statistic]),
                **({"joined": joined.value, **_formula(joined, "joined_")} if joined else {}),
            }


def _session_rows(each: DimensionAgreement) -> Iterator[Row]:
    for name, group in _groups(each):
        for session in group.sessions:
            for statistic, estimate in session.estimates.items():
                formula = session.by_formula.get(statistic)
                yield {
                    "session": session.session,
                    "dimension": each.dimension,
                    "raters": name,
                    "rated_by": session.raters,
                    "statistic": statistic,
                    **_interval(estimate),
                    **(_formula(formula) if formula else {}),
                }


def _rater_rows(each: DimensionAgreement) -> Iterator[Row]:
    for rater in each.raters:
        row: Row = {
            "rater": rater.rater,
            "dimension": each.dimension,
            "sessions": rater.sessions,
            "lag_seconds": rater.lag_seconds,
            "lag_source": rater.lag_source,
            "limit_low": rater.limits[0],
            "limit_high": rater.limits[1],
            "flagged": rater.doubt,
            **rater.values,
            **_repeat_cells(rater),
        }
        for name, estimate in rater.with_others.items():
            row |= {
                name: estimate.value,
                f"{name}_low": estimate.low,
                f"{name}_high": estimate.high,
            }
        yield row


def _repeat_cells(rater: RaterAgreement) -> Row:
    repeats = rater.repeats
    if repeats is None:
        return {"repeated_sessions": 0}
    return {
        "repeated_sessions": len(repeats.by_session),
        "repeat_icc_a_1": repeats.icc.value,
        "repeat_icc_a_1_low": repeats.icc.low,
        "repeat_icc_a_1_high": repeats.icc.high,
        "repeat_icc_a_1_f_low": repeats.by_formula.low,
        "repeat_icc_a_1_f_high": repeats.by_formula.high,
        "repeat_pearson": repeats.pearson.value,
    }


def _rater_session_rows(each: DimensionAgreement) -> Iterator[Row]:
    for rater in each.raters:
        for session, numbers in rater.by_session.items():
            about = {"rater": rater.rater, "session": session, "dimension": each.dimension}
            yield about | numbers


def _pair_rows(each: DimensionAgreement) -> Iterator[Row]:
    codes = [rater.rater for rater in each.raters]
    for i, j in zip(*np.triu_indices(len(codes), 1), strict=True):
        about = {"dimension": each.dimension, "rater": codes[i], "other_rater": codes[j]}
        yield about | {name: matrix[i, j] for name, matrix in each.pairwise.items()}


def _repeat_rows(each: DimensionAgreement) -> Iterator[Row]:
    for rater in each.raters:
        repeated = rater.repeats.by_session if rater.repeats else {}
        for session, numbers in repeated.items():
            about = {"rater": rater.rater, "session": session, "dimension": each.dimension}
            yield about | numbers


def _needed_rows(each: DimensionAgreement) -> Iterator[Row]:
    for name, group in _groups(each):
        yield {
            "dimension": each.dimension,
            "raters": name,
            "count": len(group.raters),
            "icc_a_1": group.overall["icc_a_1"].value,
            "raters_needed": group.raters_needed,
        }


def _interval(each: Estimate) -> Row:
    return {"value": each.value, "low": each.low, "high": each.high}


def _formula(each: Estimate, before: str = "") -> Row:
    """What the F ratio says."""
    ends = {f"{before}f_low": each.low, f"{before}f_high": each.high}
    return ends | {name: getattr(each, name) for name in _FORMULA}


def _cell(value: Any) -> Any:
    """Numbers as plain Python, so that they read back equal; NaN and None are empty cells."""
    if value is None or isinstance(value, str):
        return value
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and np.isnan(plain) else plain
