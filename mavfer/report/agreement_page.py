"""The page and the tables of `mavfer agree`: how far raters agree, at a glance and in full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer import __version__
from mavfer.files import replacing
from mavfer.labelling.agree import AgreementReport, agree_study
from mavfer.labelling.printed import needed, printed
from mavfer.labelling.tables import write_tables
from mavfer.progress import counted
from mavfer.report import html
from mavfer.report.agreement import measures, rater_table
from mavfer.report.agreement_plots import (
    SHOWN_SESSIONS,
    plot_lags,
    plot_matrix,
    plot_needed,
    plot_sessions,
)
from mavfer.report.agreement_raters import plot_bland_altman, plot_values, span_of
from mavfer.report.ratings import scale_of
from mavfer.study.study import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mavfer.labelling.agree import DimensionAgreement
    from mavfer.study.study import Study

    _Scales = dict[str, tuple[float, float]]

__all__ = ["WrittenAgreement", "write_agreement"]

_LEVELS: Final = ((0.5, "poor"), (0.75, "moderate"), (0.9, "good"), (np.inf, "excellent"))
"""Upper ends and words of Koo and Li 2016, J. Chiropr. Med. 15(2), 155-163."""

_TABLES: Final = {
    "dimensions": "every statistic by dimension; all sessions joined, with F and p",
    "sessions": "every statistic by session and dimension, with both intervals, F and p",
    "raters": "each rater: lag, measures, limits of agreement, values, hidden repeats, flag",
    "rater_sessions": "each rater with the mean of the others, by session",
    "pairs": "every two raters",
    "repeats": "each rater with themselves, by session that was shown twice",
    "needed": "raters whose mean would reach an ICC(A,k) of 0.8",
}


@dataclass(frozen=True)
class WrittenAgreement:
    """What `mavfer agree` found and wrote."""

    report: AgreementReport
    page: Path
    tables: tuple[Path, ...]

    def to_document(self) -> dict[str, Any]:
        """What `mavfer agree --json` prints."""
        files = {"page": str(self.page), "tables": [str(path) for path in self.tables]}
        return self.report.to_document() | files

    def __str__(self) -> str:
        names = ", ".join(path.stem for path in self.tables)
        return (
            f"{printed(self.report)}\n\n"
            f"page    {self.page}\n"
            f"tables  {self.tables[0].parent} (CSV: {names})"
        )


def write_agreement(study: Study) -> WrittenAgreement:
    """Says how far raters agree, and writes reports/agreement.html and reports/agreement/*.csv.

    Raises:
        NotFound: There are no shards, or no ratings.
        InvalidFile: A rating is torn, or has fewer than two samples.
        CommandError: The study is a release.
    """
    study.require_writable()
    report = agree_study(study)
    tables = write_tables(report, study.reports_folder / "agreement")
    scales = {each.dimension: scale_of(study, each.dimension) for each in report.dimensions}
    page = study.reports_folder / "agreement.html"
    with replacing(page) as part:
        part.write_text(_page(report, scales), encoding="utf-8")
    return WrittenAgreement(report, page, tuple(tables))


def _page(report: AgreementReport, scales: _Scales) -> str:
    raters = {rater.rater for each in report.dimensions for rater in each.raters}
    sessions = {s.session for each in report.dimensions for s in each.everyone.sessions}
    return html.page(
        title=f"Agreement of the raters of {report.study}",
        lead=f"{counted(len(raters), 'rater')}, {counted(len(sessions), 'session')}, "
        f"{' and '.join(each.dimension for each in report.dimensions)}.",
        parts=_parts(report, scales),
        footer=f"Made by mavfer {__version__} on {utc_now()} from the ratings of the study.",
        is_themed=True,
    )


def _parts(report: AgreementReport, scales: _Scales) -> Iterator[str]:
    yield html.tiles(dict(_tiles(report)))
    yield _flags_section(report)
    yield html.section("In short", *(html.paragraph(_in_short(each)) for each in report.dimensions))
    yield _measures_section(report)
    yield _pairs_section(report)
    yield _raters_section(report, scales)
    yield _differences_section(report)
    yield _sessions_section(report)
    yield _reading_section()


def _tiles(report: AgreementReport) -> Iterator[tuple[str, str]]:
    for each in report.dimensions:
        for name, word in (("ccc", "mean CCC"), ("icc_a_k", "ICC(A,k)")):
            value = each.without_flagged[name].value
            yield f"{each.dimension}: {word}", _number(value)
    flagged = {rater.rater for each in report.dimensions for rater in each.raters if rater.doubt}
    yield "flagged", str(len(flagged))


def _flags_section(report: AgreementReport) -> str:
    told = [
        f"{rater.rater} in {each.dimension}: {rater.doubt}."
        for each in report.dimensions
        for rater in each.raters
        if rater.doubt
    ]
    if not told:
        return html.paragraph("No rater is flagged.", "notice")
    lead = "Flagged, and left out of what is said of unflagged raters. Look before you leave "
    return html.notice(f"{lead}anyone out of a label:", told)


def _in_short(each: DimensionAgreement) -> str:
    mean, single = each.without_flagged["icc_a_k"], each.without_flagged["icc_a_1"]
    group = "unflagged raters" if each.has_flagged else "raters"
    if not np.isfinite(mean.value):
        return f"{each.dimension}: nobody to compare with."
    return (
        f"{each.dimension}: the mean of {len(each.unflagged.raters)} {group} has an ICC(A,k) of "
        f"{_told(mean.value, mean.low, mean.high)}, which is {_level(mean.low, mean.high)}; one "
        f"rater alone has {_told(single.value, single.low, single.high)}. "
        f"{needed(each).partition(': ')[2]}"
    )


def _level(low: float, high: float) -> str:
    words = [next(word for end, word in _LEVELS if value < end) for value in (low, high)]
    return words[0] if words[0] == words[1] else f"{words[0]} to {words[1]}"


def _measures_section(report: AgreementReport) -> str:
    return html.section(
        "How far they agree",
        html.paragraph(
            "Mean over the sessions, lags taken out. In brackets, 95 % interval for other sessions "
            "like these (sessions are drawn, not frames, which are not independent)."
        ),
        measures(report.dimensions),
        "<h3>How many raters are enough</h3>",
        html.paragraph(
            "ICC(A,k) of the mean of k raters like the unflagged ones, with the band of its 95 % "
            "interval (Spearman and Brown's formula). The mark is where the study is.",
            "soft",
        ),
        html.charts([("", plot_needed(report.dimensions))]),
    )


def _pairs_section(report: AgreementReport) -> str:
    return html.section(
        "Raters two by two",
        html.paragraph(
            "CCC of every two raters over all sessions joined: blue agree, white are unrelated, "
            "orange contradict each other. * marks who is flagged."
        ),
        html.charts([(each.dimension, plot_matrix(each)) for each in report.dimensions]),
    )


def _raters_section(report: AgreementReport, scales: _Scales) -> str:
    values = [
        ("", plot_values(each, _covering(scales[each.dimension], span_of(each))))
        for each in report.dimensions
    ]
    return html.section(
        "Each rater",
        rater_table(report.dimensions),
        "<h3>Lags</h3>",
        html.paragraph(
            "How much later than the event a rater moves. Filled: measured with the calibration "
            "clip. Open: told by the traces, which know lags only beside each other's.",
            "soft",
        ),
        html.charts([("", plot_lags(report.dimensions))]),
        "<h3>Values</h3>",
        html.paragraph(
            "How often each value was given (thickness, as its root), the middle half (bar) and "
            "the median (dot).",
            "soft",
        ),
        html.charts(values),
    )


def _covering(scale: tuple[float, float], given: tuple[float, float]) -> tuple[float, float]:
    """The study's scale, and beyond it where raters went beyond."""
    return min(scale[0], given[0]), max(scale[1], given[1])


def _differences_section(report: AgreementReport) -> str:
    parts = []
    for each in report.dimensions:
        pictures = plot_bland_altman(each)
        parts.append(f"<h3>{html.text(each.dimension)}</h3>")
        if len(pictures) < len(each.raters):
            told = f"The {len(pictures)} of {len(each.raters)} raters least like the others."
            parts.append(html.paragraph(told, "soft"))
        parts.append(html.charts(("", picture) for picture in pictures))
    return html.section(
        "Each rater against the others",
        html.paragraph(
            "Difference from the mean of the others who are not flagged, over the mean of both, as "
            "Bland and Altman draw it (Lancet 1986); darker where more frames are. Solid: bias. "
            "Dashed: 95 % limits of agreement, which describe these frames; intervals of the bias "
            "that hold for other sessions are in the table above. All unflagged raters share one "
            "scale; flagged ones (*) have their own."
        ),
        *parts,
    )


def _sessions_section(report: AgreementReport) -> str:
    count = max(len(each.everyone.sessions) for each in report.dimensions)
    which = f"The {SHOWN_SESSIONS} of {count} that are" if count > SHOWN_SESSIONS else "Those"
    charts = [(each.dimension, plot_sessions(each)) for each in report.dimensions]
    return html.section(
        "Which sessions are hard",
        html.paragraph(
            f"{which} hardest to agree on stand first. Bars: 95 % interval for other stretches of "
            "the same session (blocks of frames are drawn; a short session has few of them). All "
            "sessions and statistics are in sessions.csv."
        ),
        html.charts(charts),
    )


def _reading_section() -> str:
    return html.section(
        "How to read this, and where the numbers are",
        html.paragraph(
            "CCC (Lin 1989) asks for the same values at the same time; Pearson and Spearman for "
            "the same shape; SDA for the same direction of change; RMSE is the usual difference. "
            "ICC(A,1) is about one rater, ICC(A,k) about the mean of all; C forgives differences "
            "in level; 1 takes raters as drawn anew each time. Krippendorff's alpha is the one of "
            "interval data. Poor, moderate, good and excellent are below and above 0.5, 0.75 and "
            "0.9 (Koo and Li 2016). Intervals by formula take frames for independent and are far "
            "too narrow; they stand in the tables beside the others, for comparison."
        ),
        html.table(
            ["table in reports/agreement", "holds"],
            [[f"{name}.csv", words] for name, words in _TABLES.items()],
            words=(0, 1),
        ),
    )


def _told(value: float, low: float, high: float) -> str:
    interval = f" [{_number(low)}, {_number(high)}]" if np.isfinite(low) else ""
    return f"{_number(value)}{interval}"


def _number(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}" if np.isfinite(value) else "–"
