"""How far the raters of a study agree: per session, dimension and rater."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mavfer import agreement
from mavfer.agreement.pairs import others_mean
from mavfer.fusion import MAX_LAG_SECONDS, flag_raters
from mavfer.labelling.panel import LAG_RATE_HZ, read_panels
from mavfer.labelling.raters import RaterAgreement, describe_rater
from mavfer.labelling.repeats import agree_with_themselves, repeat_doubts
from mavfer.labelling.statistics import (
    PAIR_MEASURES,
    STATISTICS,
    GroupAgreement,
    describe_group,
    describe_session,
    number,
    session_agreement,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mavfer.agreement import Estimate
    from mavfer.labelling.panel import Panel
    from mavfer.labelling.repeats import RepeatAgreement
    from mavfer.metrics import Measure
    from mavfer.study.study import Study

    Floats = NDArray[np.float64]

__all__ = [
    "STATISTICS",
    "AgreementReport",
    "DimensionAgreement",
    "agree_study",
    "doubts",
    "number",
    "session_agreement",
]


@dataclass(frozen=True)
class DimensionAgreement:
    """All raters of one dimension."""

    dimension: str
    everyone: GroupAgreement
    unflagged: GroupAgreement
    """The same without the raters that are flagged."""
    raters: tuple[RaterAgreement, ...]
    pairwise: dict[Measure, Floats]
    """(K, K) by measure, over all sessions joined."""
    traces: Floats = field(repr=False)
    """(K, N), all sessions joined, lags taken out."""
    others: Floats = field(repr=False)
    """(K, N), of each rater the mean of the others who are not flagged."""

    @property
    def has_flagged(self) -> bool:
        """Whether any rater is flagged."""
        return any(each.doubt for each in self.raters)

    @property
    def overall(self) -> dict[str, Estimate]:
        """STATISTICS of all raters: mean over the sessions, with its interval."""
        return self.everyone.overall

    @property
    def without_flagged(self) -> dict[str, Estimate]:
        """The same without the raters that are flagged."""
        return self.unflagged.overall

    @property
    def by_session(self) -> dict[str, dict[str, float]]:
        """STATISTICS by session, of all raters."""
        return {
            each.session: {name: estimate.value for name, estimate in each.estimates.items()}
            for each in self.everyone.sessions
        }

    @property
    def pairwise_ccc(self) -> NDArray[np.float64]:
        """(K, K), over all sessions joined."""
        return self.pairwise["ccc"]

    @property
    def raters_needed(self) -> float:
        """Unflagged raters whose mean would reach an ICC(A,k) of 0.8; infinite if none would."""
        return self.unflagged.raters_needed

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


@dataclass(frozen=True)
class AgreementReport:
    """Agreement of all dimensions of a study."""

    study: str
    dimensions: tuple[DimensionAgreement, ...]

    def to_document(self) -> dict[str, Any]:
        """What `mavfer agree --json` prints, but for the files."""
        return {
            "study": self.study,
            "dimensions": {each.dimension: each.to_document() for each in self.dimensions},
        }


def agree_study(study: Study) -> AgreementReport:
    """How far the raters of `study` agree, once their lags are taken out.

    Raises:
        NotFound: There are no shards, or no ratings.
        InvalidFile: A rating is torn, or has fewer than two samples.
    """
    panels = read_panels(study)
    return AgreementReport(study.name, tuple(_dimension_agreement(panel) for panel in panels))


def doubts(
    joined: NDArray[np.float64],
    lags_seconds: NDArray[np.float64],
    repeated: Sequence[str] = (),
) -> tuple[str, ...]:
    """Why each rater of a panel is doubted, "" where not.

    Args:
        joined: (K, N), as of `Panel.joined`.
        lags_seconds: (K,).
        repeated: As of `repeat_doubts`; with whoever is doubted there nobody is compared.
    """
    known = np.array([bool(reason) for reason in repeated] or [False] * len(joined))
    compared = np.where(known[:, None], np.nan, joined)
    found = flag_raters(compared, lags_seconds, MAX_LAG_SECONDS - 0.5 / LAG_RATE_HZ)
    own = repeated or ("",) * len(joined)
    return tuple(reason or other for reason, other in zip(own, found, strict=True))


def _dimension_agreement(panel: Panel) -> DimensionAgreement:
    lags, sources = panel.lags()
    joined = panel.joined(lags)
    repeats = agree_with_themselves(panel, lags)
    reasons = doubts(joined, lags, repeat_doubts(repeats))
    is_trusted = np.array([not reason for reason in reasons])
    others = others_mean(np.where(is_trusted[:, None], joined, np.nan))
    everyone, unflagged = _groups(panel, joined, is_trusted)
    return DimensionAgreement(
        dimension=panel.dimension,
        everyone=everyone,
        unflagged=unflagged,
        raters=_raters(panel, np.stack([joined, others]), (lags, sources), repeats, reasons),
        pairwise={measure: agreement.pairwise(joined, measure) for measure in PAIR_MEASURES},
        traces=joined,
        others=others,
    )


def _groups(
    panel: Panel, joined: Floats, is_trusted: NDArray[np.bool_]
) -> tuple[GroupAgreement, GroupAgreement]:
    """Everyone, and those who are not flagged: the same where nobody is."""
    masks = [np.ones(len(panel.raters), bool)]
    if not is_trusted.all():
        masks.append(is_trusted)
    described = [
        describe_session(session.name, traces, masks)
        for session, traces in zip(panel.sessions, _apart(panel, joined), strict=True)
    ]
    groups = [
        describe_group(
            tuple(np.array(panel.raters)[mask].tolist()),
            joined[mask],
            [each[at] for each in described],
        )
        for at, mask in enumerate(masks)
    ]
    return groups[0], groups[-1]


def _apart(panel: Panel, joined: Floats) -> list[Floats]:
    """What `Panel.joined` joined (..., N), session by session."""
    lengths = [len(session.time_seconds) + 1 for session in panel.sessions]
    parts = np.split(joined, np.cumsum(lengths)[:-1], axis=-1)
    return [part[..., : len(s.time_seconds)] for part, s in zip(parts, panel.sessions, strict=True)]


def _raters(
    panel: Panel,
    both: Floats,
    lags: tuple[Floats, tuple[str, ...]],
    repeats: Sequence[RepeatAgreement | None],
    reasons: Sequence[str],
) -> tuple[RaterAgreement, ...]:
    """Each rater beside the others; `both` (2, K, N) are the own traces and the others' means."""
    parts = _apart(panel, both)
    return tuple(
        describe_rater(
            rater=code,
            lag=(float(lags[0][at]), lags[1][at]),
            beside={
                session.name: part[:, at]
                for session, part in zip(panel.sessions, parts, strict=True)
                if session.ratings[at] is not None
            },
            repeats=repeats[at],
            doubt=reasons[at],
        )
        for at, code in enumerate(panel.raters)
    )


def _estimates_document(estimates: dict[str, Estimate]) -> dict[str, Any]:
    return {
        name: {"value": number(each.value), "low": number(each.low), "high": number(each.high)}
        for name, each in estimates.items()
    }
