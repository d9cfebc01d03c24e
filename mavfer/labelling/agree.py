"""How far the raters of a study agree: per session, dimension and rater."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer import agreement, metrics
from mavfer.agreement import Estimate
from mavfer.agreement.pairs import others_mean
from mavfer.fusion import MAX_LAG_SECONDS, flag_raters
from mavfer.labelling.panel import LAG_RATE_HZ, read_panels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mavfer.agreement.intraclass import IccForm
    from mavfer.labelling.panel import Panel
    from mavfer.study.study import Study

    Floats = NDArray[np.float64]

__all__ = [
    "AgreementReport",
    "DimensionAgreement",
    "RaterAgreement",
    "agree_study",
    "doubts",
    "number",
    "session_agreement",
]

_ICC: Final[dict[str, IccForm]] = {
    "icc_a_1": "ICC(A,1)",
    "icc_a_k": "ICC(A,k)",
    "icc_c_1": "ICC(C,1)",
    "icc_c_k": "ICC(C,k)",
}

STATISTICS: Final = ("ccc", "pearson", *_ICC, "krippendorff")

_HEADINGS: Final = ("CCC", "Pearson", "ICC(A,1)", "ICC(A,k)", "ICC(C,1)", "ICC(C,k)", "alpha")


@dataclass(frozen=True)
class RaterAgreement:
    """One rater of one dimension, over all sessions."""

    rater: str
    sessions: int
    """Sessions that the rater rated."""
    lag_seconds: float
    """NaN where none could be told."""
    lag_source: str
    ccc: float
    """With the mean of the others who are not flagged, lags taken out."""
    pearson: float
    rmse: float
    bias: float
    """Mean difference from that mean."""
    doubt: str
    """Why this rater is flagged; "" where not."""

    def to_document(self) -> dict[str, Any]:
        """As JSON writes it."""
        numbers = ("lag_seconds", "ccc", "pearson", "rmse", "bias")
        return {
            "sessions": self.sessions,
            **{name: number(getattr(self, name)) for name in numbers},
            "lag_source": self.lag_source,
            "flagged": self.doubt or None,
        }


@dataclass(frozen=True)
class DimensionAgreement:
    """All raters of one dimension."""

    dimension: str
    overall: dict[str, Estimate]
    """STATISTICS: mean over the sessions, with the interval of other sessions like these."""
    without_flagged: dict[str, Estimate]
    """The same without the raters that are flagged."""
    by_session: dict[str, dict[str, float]]
    """STATISTICS by session."""
    raters: tuple[RaterAgreement, ...]
    pairwise_ccc: Floats
    """(K, K), over all sessions."""

    @property
    def raters_needed(self) -> float:
        """Unflagged raters whose mean would reach an ICC(A,k) of 0.8; infinite if none would."""
        return agreement.raters_needed(self.without_flagged["icc_a_1"].value)

    def to_document(self) -> dict[str, Any]:
        """As JSON writes it."""
        return {
            "overall": _estimates_document(self.overall),
            "without_flagged": _estimates_document(self.without_flagged),
            "raters_needed": number(self.raters_needed),
            "by_session": {
                session: {name: number(value) for name, value in values.items()}
                for session, values in self.by_session.items()
            },
            "by_rater": {each.rater: each.to_document() for each in self.raters},
            "pairwise_ccc": [[number(value) for value in row] for row in self.pairwise_ccc],
        }

    def __str__(self) -> str:
        needed = f"{self.raters_needed:g}" if np.isfinite(self.raters_needed) else "no number of"
        return (
            f"{self.dimension}: {len(self.raters)} raters, {len(self.by_session)} sessions\n"
            f"{_table(self._session_rows())}\n\n{_table(self._rater_rows())}\n"
            f"  {needed} unflagged raters would reach an ICC(A,k) of 0.8"
        )

    def _session_rows(self) -> list[list[str]]:
        rows = [["session", *_HEADINGS]]
        for session, values in self.by_session.items():
            rows.append([session, *(_text(values[name]) for name in STATISTICS)])
        for word, end in (("mean", "value"), ("95 % low", "low"), ("95 % high", "high")):
            ends = (getattr(self.overall[name], end) for name in STATISTICS)
            rows.append([word, *map(_text, ends)])
        if any(each.doubt for each in self.raters):
            means = (self.without_flagged[name].value for name in STATISTICS)
            rows.append(["mean of unflagged", *map(_text, means)])
        return rows

    def _rater_rows(self) -> list[list[str]]:
        rows = [["rater", "sessions", "lag s", "CCC", "Pearson", "RMSE", "bias", "flagged"]]
        for each in self.raters:
            numbers = (each.lag_seconds, each.ccc, each.pearson, each.rmse, each.bias)
            rows.append([each.rater, str(each.sessions), *map(_text, numbers), each.doubt or "-"])
        return rows


@dataclass(frozen=True)
class AgreementReport:
    """Agreement of all dimensions of a study."""

    study: str
    dimensions: tuple[DimensionAgreement, ...]

    def to_document(self) -> dict[str, Any]:
        """What `mavfer agree --json` prints."""
        return {
            "study": self.study,
            "dimensions": {each.dimension: each.to_document() for each in self.dimensions},
        }

    def __str__(self) -> str:
        return "\n\n".join(str(each) for each in self.dimensions)


def agree_study(study: Study) -> AgreementReport:
    """How far the raters of `study` agree, once their lags are taken out.

    Raises:
        NotFound: There are no shards, or no ratings.
        InvalidFile: A rating is torn, or has fewer than two samples.
    """
    panels = read_panels(study)
    return AgreementReport(study.name, tuple(_dimension_agreement(panel) for panel in panels))


def session_agreement(traces: NDArray[np.float64]) -> dict[str, float]:
    """STATISTICS of the raters (K, T) who rated a session; NaN with fewer than two of them."""
    rated = traces[(~np.isnan(traces)).any(axis=1)]
    if len(rated) < 2:  # noqa: PLR2004 (nobody to agree with)
        return dict.fromkeys(STATISTICS, np.nan)
    pairs = np.triu_indices(len(rated), 1)
    correlations = agreement.icc(rated)
    return {
        "ccc": _mean(agreement.pairwise(rated)[pairs]),
        "pearson": _mean(agreement.pairwise(rated, "pearson")[pairs]),
        **{name: float(correlations[form].value) for name, form in _ICC.items()},
        "krippendorff": float(agreement.krippendorff_alpha(rated)),
    }


def doubts(joined: NDArray[np.float64], lags_seconds: NDArray[np.float64]) -> tuple[str, ...]:
    """Why each rater of a panel is doubted, "" where not; `joined` as of `Panel.joined`."""
    return flag_raters(joined, lags_seconds, MAX_LAG_SECONDS - 0.5 / LAG_RATE_HZ)


def number(value: float) -> float | None:
    """`value` as JSON can hold it: None for NaN and infinity."""
    return float(value) if np.isfinite(value) else None


def _dimension_agreement(panel: Panel) -> DimensionAgreement:
    lags, sources = panel.lags()
    joined = panel.joined(lags)
    reasons = doubts(joined, lags)
    is_trusted = np.array([not reason for reason in reasons])
    traces = {session.name: session.traces(lags) for session in panel.sessions}
    by_session = {name: session_agreement(each) for name, each in traces.items()}
    overall = _over_sessions(list(by_session.values()))
    trusted = [session_agreement(each[is_trusted]) for each in traces.values()]
    return DimensionAgreement(
        dimension=panel.dimension,
        overall=overall,
        without_flagged=overall if is_trusted.all() else _over_sessions(trusted),
        by_session=by_session,
        raters=tuple(_rater_agreements(panel, joined, lags, sources, reasons)),
        pairwise_ccc=agreement.pairwise(joined),
    )


def _rater_agreements(
    panel: Panel,
    joined: Floats,
    lags: Floats,
    sources: tuple[str, ...],
    reasons: tuple[str, ...],
) -> list[RaterAgreement]:
    is_trusted = np.array([not reason for reason in reasons])
    others = others_mean(np.where(is_trusted[:, None], joined, np.nan))
    return [
        RaterAgreement(
            rater=code,
            sessions=sum(session.ratings[at] is not None for session in panel.sessions),
            lag_seconds=float(lags[at]),
            lag_source=sources[at],
            ccc=metrics.ccc(joined[at], others[at]),
            pearson=metrics.pearson(joined[at], others[at]),
            rmse=metrics.rmse(joined[at], others[at]),
            bias=_mean(joined[at] - others[at]),
            doubt=reasons[at],
        )
        for at, code in enumerate(panel.raters)
    ]


def _over_sessions(sessions: list[dict[str, float]]) -> dict[str, Estimate]:
    """Of each of STATISTICS the mean over the sessions that have it, and its interval."""
    return {name: _drawn_mean([values[name] for values in sessions]) for name in STATISTICS}


def _drawn_mean(values: list[float]) -> Estimate:
    known = [np.array([[value]]) for value in values if np.isfinite(value)]
    if not known:
        return Estimate(np.nan)
    return agreement.bootstrap(known, lambda drawn: sum(each.item() for each in drawn) / len(drawn))


def _estimates_document(estimates: dict[str, Estimate]) -> dict[str, Any]:
    return {
        name: {"value": number(each.value), "low": number(each.low), "high": number(each.high)}
        for name, each in estimates.items()
    }


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan


def _text(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "-"


def _table(rows: list[list[str]]) -> str:
    """Rows of cells, each column as wide as its widest cell; words left, numbers right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    last = len(widths) - 1 if rows[0][-1] == "flagged" else 0
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if at in {0, last} else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines)
