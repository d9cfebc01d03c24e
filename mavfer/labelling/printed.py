"""The agreement of a study in words and columns, for a terminal 100 characters wide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.labelling.statistics import STATISTICS
from mavfer.progress import counted

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from mavfer.agreement import Estimate
    from mavfer.labelling.agree import AgreementReport, DimensionAgreement
    from mavfer.labelling.raters import RaterAgreement
    from mavfer.labelling.statistics import SessionAgreement

__all__ = ["hardest_first", "needed", "printed"]

_SHOWN_SESSIONS: Final = 10
_OF_SESSIONS: Final = ("ccc", "pearson", "icc_a_1", "krippendorff")
"""Statistics that are printed of each session; the tables hold all."""


def printed(report: AgreementReport) -> str:
    """What `mavfer agree` says on a terminal."""
    return "\n\n".join(_dimension(each) for each in report.dimensions)


def needed(each: DimensionAgreement) -> str:
    """How many raters would do, as a sentence."""
    if np.isnan(each.raters_needed):
        return f"{each.dimension}: nothing is known of how many raters would do."
    if np.isinf(each.raters_needed):
        return f"{each.dimension}: no number of raters like these would reach an ICC(A,k) of 0.8."
    number = f"{each.raters_needed:g}"
    word = "rater" if number == "1" else "raters"
    sentence = f"{each.dimension}: {number} unflagged {word} would reach an ICC(A,k) of 0.8"
    more = each.raters_needed - len(each.unflagged.raters)
    return f"{sentence}, {more:g} more than there are." if more > 0 else f"{sentence}."


def hardest_first(each: DimensionAgreement) -> list[SessionAgreement]:
    """Sessions as those who are not flagged rated them, least CCC first, unknown last."""
    return sorted(
        each.unflagged.sessions,
        key=lambda session: (np.isnan(ccc := session.estimates["ccc"].value), ccc),
    )


def _dimension(each: DimensionAgreement) -> str:
    sessions = len(each.everyone.sessions)
    parts = [
        f"{each.dimension}: {counted(len(each.raters), 'rater')}, {counted(sessions, 'session')}",
        _table(_statistics(each)),
        "  Mean over the sessions; in brackets the 95 % interval of other sessions like these.",
        _table(_raters(each.raters), words={0, 3}),
        "  CCC, Pearson, RMSE and bias: with the mean of the others who are not flagged.",
        *[f"  flagged: {rater.rater}, {rater.doubt}" for rater in each.raters if rater.doubt],
        _sessions(each),
        f"  {needed(each)}",
    ]
    spaced = {1, 3, len(parts) - 2, len(parts) - 1}
    return "\n".join(f"\n{part}" if at in spaced else part for at, part in enumerate(parts))


def _statistics(each: DimensionAgreement) -> list[list[str]]:
    flagged = [rater.rater for rater in each.raters if rater.doubt]
    groups = {"all raters": each.overall}
    if flagged:
        without = ", ".join(flagged) if len(flagged) < 4 else f"{len(flagged)} flagged"  # noqa: PLR2004 (as many as fit a column)
        groups[f"without {without}"] = each.without_flagged
    rows = [["", *groups]]
    for name, heading in STATISTICS.items():
        rows.append([heading, *(_estimate(group[name]) for group in groups.values())])
    return rows


def _raters(raters: Sequence[RaterAgreement]) -> list[list[str]]:
    has_repeats = any(each.repeats for each in raters)
    rows = [["rater", "sessions", "lag s", "told by", "CCC", "Pearson", "RMSE", "bias"]]
    rows[0] += ["repeats ICC(A,1)"] if has_repeats else []
    for each in raters:
        row = [each.rater, str(each.sessions), _text(each.lag_seconds), _source(each)]
        row += [_estimate(each.with_others["ccc"])]
        row += [_text(number) for number in (each.pearson, each.rmse, each.bias)]
        row += [_estimate(each.repeats.icc) if each.repeats else "-"] if has_repeats else []
        rows.append(row)
    return rows


def _source(each: RaterAgreement) -> str:
    """Where a lag comes from, as short as a column asks for."""
    return each.lag_source.split(",")[0].split()[-1] if np.isfinite(each.lag_seconds) else "nothing"


def _sessions(each: DimensionAgreement) -> str:
    sessions = hardest_first(each)
    shown = sessions[:_SHOWN_SESSIONS]
    rows = [["session", "raters", *(STATISTICS[name] for name in _OF_SESSIONS)]]
    for session in shown:
        numbers = (_estimate(session.estimates[name]) for name in _OF_SESSIONS)
        rows.append([session.session, str(session.raters), *numbers])
    which = f"The {len(shown)} of {len(sessions)}" if len(shown) < len(sessions) else "All"
    flagged = ", flagged raters left out" if each.has_flagged else ""
    return (
        f"  {which} sessions, least agreement first{flagged}:\n{_table(rows)}\n"
        f"  In brackets the 95 % interval of other stretches of the session."
    )


def _estimate(each: Estimate) -> str:
    interval = f" [{_text(each.low)}, {_text(each.high)}]" if np.isfinite(each.low) else ""
    return f"{_text(each.value)}{interval}"


def _text(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}" if np.isfinite(value) else "-"  # + 0.0: no "-0.00"


def _table(rows: list[list[str]], words: Container[int] = (0,)) -> str:
    """Rows of cells, each column as wide as its widest cell; words left, numbers right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if at in words else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines)
