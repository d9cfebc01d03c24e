"""What is said of the raters of one session, and of a group of raters over all sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer import agreement
from mavfer.agreement import Estimate
from mavfer.agreement.blocks import drawn_mean, session_intervals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mavfer.agreement.intraclass import IccForm
    from mavfer.metrics import Measure

    Floats = NDArray[np.float64]
    Matrices = Mapping[Measure, Floats]

__all__ = [
    "PAIR_MEASURES",
    "STATISTICS",
    "GroupAgreement",
    "SessionAgreement",
    "describe_group",
    "describe_session",
    "mean_of_known",
    "number",
    "session_agreement",
]

PAIR_MEASURES: Final[tuple[Measure, ...]] = ("ccc", "pearson", "spearman", "rmse", "sda")
"""Measures of two raters; of several their mean over all pairs."""

_ICC: Final[dict[str, IccForm]] = {
    "icc_1_1": "ICC(1,1)",
    "icc_a_1": "ICC(A,1)",
    "icc_c_1": "ICC(C,1)",
    "icc_1_k": "ICC(1,k)",
    "icc_a_k": "ICC(A,k)",
    "icc_c_k": "ICC(C,k)",
}

STATISTICS: Final[dict[str, str]] = {
    "ccc": "CCC",
    "pearson": "Pearson",
    "spearman": "Spearman",
    "rmse": "RMSE",
    "sda": "SDA",
    **_ICC,
    "cronbach": "Cronbach's alpha",
    "krippendorff": "Krippendorff's alpha",
}
"""Every statistic of several raters, and what it is called in tables."""


@dataclass(frozen=True)
class SessionAgreement:
    """How far raters agree in one session."""

    session: str
    raters: int
    """Who rated it."""
    estimates: dict[str, Estimate]
    """STATISTICS, with the interval of other stretches like these (blocks drawn again)."""
    by_formula: dict[str, Estimate]
    """ICC and Cronbach's alpha with F, p and the interval that takes frames for independent."""


@dataclass(frozen=True)
class GroupAgreement:
    """How far some raters of a dimension agree: all of them, or those who are not flagged."""

    raters: tuple[str, ...]
    overall: dict[str, Estimate]
    """STATISTICS: mean over the sessions, with the interval of other sessions like these; where
    there is one session alone, of other stretches of it."""
    joined: dict[str, Estimate]
    """ICC and Cronbach's alpha of all sessions joined to one, by formula, with F."""
    sessions: tuple[SessionAgreement, ...]

    @property
    def raters_needed(self) -> float:
        """Raters like these whose mean would reach an ICC(A,k) of 0.8; infinite if none would."""
        return agreement.raters_needed(self.overall["icc_a_1"].value)


def session_agreement(traces: NDArray[np.float64]) -> dict[str, float]:
    """STATISTICS of the raters (K, T) who rated a session; NaN with fewer than two of them."""
    return _values(traces, _matrices(traces), _by_formula(_rated(traces)))


def describe_session(
    name: str, traces: NDArray[np.float64], groups: Sequence[NDArray[np.bool_]]
) -> list[SessionAgreement]:
    """How far each group (K,) of the raters (K, T) agrees in one session."""
    matrices = _matrices(traces)
    described = []
    for group in groups:
        pairs = {measure: each[np.ix_(group, group)] for measure, each in matrices.items()}
        described.append(_described(name, traces[group], pairs))
    return described


def describe_group(
    raters: tuple[str, ...], joined: NDArray[np.float64], sessions: Sequence[SessionAgreement]
) -> GroupAgreement:
    """How far raters agree over all sessions; `joined` (K, N) holds their traces alone."""
    return GroupAgreement(
        raters=raters,
        overall={name: _over_sessions(name, sessions) for name in STATISTICS},
        joined=_by_formula(joined),
        sessions=tuple(sessions),
    )


def mean_of_known(values: NDArray[np.float64]) -> float:
    """Mean of what is not NaN; NaN where nothing is known."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan


def number(value: float) -> float | None:
    """`value` as JSON can hold it: None for NaN and infinity."""
    return float(value) if np.isfinite(value) else None


def _matrices(traces: Floats) -> Matrices:
    return {measure: agreement.pairwise(traces, measure) for measure in PAIR_MEASURES}


def _values(
    traces: Floats, pairs: Matrices, by_formula: Mapping[str, Estimate]
) -> dict[str, float]:
    rated = _rated(traces)
    if len(rated) < 2:  # noqa: PLR2004 (nobody to agree with)
        return dict.fromkeys(STATISTICS, np.nan)
    upper = np.triu_indices(len(traces), 1)
    return {
        **{measure: mean_of_known(matrix[upper]) for measure, matrix in pairs.items()},
        **{name: float(each.value) for name, each in by_formula.items()},
        "krippendorff": float(agreement.krippendorff_alpha(rated)),
    }


def _described(name: str, traces: Floats, pairs: Matrices) -> SessionAgreement:
    rated = _rated(traces)
    by_formula = _by_formula(rated)
    values = _values(traces, pairs, by_formula)
    if len(rated) < 2:  # noqa: PLR2004 (nobody to agree with)
        unknown = {statistic: Estimate(np.nan) for statistic in STATISTICS}
        return SessionAgreement(name, len(rated), unknown, by_formula)
    intervals = session_intervals(rated)
    estimates = {
        statistic: Estimate(value, *intervals[_ICC.get(statistic, statistic)])
        for statistic, value in values.items()
    }
    return SessionAgreement(name, len(rated), estimates, by_formula)


def _rated(traces: Floats) -> Floats:
    """Rows of those who rated."""
    return traces[(~np.isnan(traces)).any(axis=1)]


def _by_formula(traces: Floats) -> dict[str, Estimate]:
    if not len(traces):
        return dict.fromkeys((*_ICC, "cronbach"), Estimate(np.nan))
    correlations = agreement.icc(traces)
    return {
        **{name: correlations[form] for name, form in _ICC.items()},
        "cronbach": correlations["ICC(C,k)"],
    }


def _over_sessions(name: str, sessions: Sequence[SessionAgreement]) -> Estimate:
    estimates = [each.estimates[name] for each in sessions]
    known = [each for each in estimates if np.isfinite(each.value)]
    if len(known) == 1:
        return known[0]
    return drawn_mean(np.array([each.value for each in known], np.float64))
