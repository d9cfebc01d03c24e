"""How far raters agree with themselves, where they were shown a session again without a word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer import agreement, metrics
from mavfer.agreement import Estimate
from mavfer.agreement.blocks import drawn_pair
from mavfer.labelling.statistics import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mavfer.labelling.panel import Panel

    Floats = NDArray[np.float64]

__all__ = ["RepeatAgreement", "agree_with_themselves", "repeat_doubts"]

_POOR: Final = 0.3
"""Whoever agrees less with themselves is doubted."""


@dataclass(frozen=True)
class RepeatAgreement:
    """One rater's two takes of the same sessions."""

    icc: Estimate
    """ICC(A,1) of all repeated sessions joined, with the interval of other sessions, or of other
    stretches where one session alone was repeated."""
    by_formula: Estimate
    """The same with F, p and the interval that takes frames for independent."""
    pearson: Estimate
    by_session: dict[str, dict[str, float]]
    """"icc_a_1" and "pearson" of each session that was repeated."""

    @property
    def doubt(self) -> str:
        """Why the rater is doubted, "" where not."""
        if self.icc.value < _POOR or self.pearson.value < _POOR:
            return (
                f"ICC(A,1) {self.icc.value:.2f}, Pearson {self.pearson.value:.2f} "
                f"with themselves on hidden repeats"
            )
        return ""

    def to_document(self) -> dict[str, Any]:
        """As JSON writes it."""
        return {
            "sessions": len(self.by_session),
            "icc_a_1": number(self.icc.value),
            "icc_a_1_low": number(self.icc.low),
            "icc_a_1_high": number(self.icc.high),
            "pearson": number(self.pearson.value),
        }


def agree_with_themselves(
    panel: Panel, lags_seconds: NDArray[np.float64]
) -> tuple[RepeatAgreement | None, ...]:
    """Of each rater of a panel; None for those without a hidden repeat."""
    sessions = [each for each in panel.sessions if any(each.repeats)]
    takes = {
        each.name: np.stack([each.traces(lags_seconds), each.repeat_traces(lags_seconds)])
        for each in sessions
    }  # (2, K, T) by session
    return tuple(
        _of_rater({name: both[:, at] for name, both in takes.items()})
        for at in range(len(panel.raters))
    )


def repeat_doubts(repeats: Sequence[RepeatAgreement | None]) -> tuple[str, ...]:
    """Why each rater is doubted for what they gave the second time, "" where not."""
    return tuple(each.doubt if each else "" for each in repeats)


def _of_rater(takes: dict[str, Floats]) -> RepeatAgreement | None:
    """Of (2, T) by session, of which those without both takes are left out."""
    both = {name: each for name, each in takes.items() if (~np.isnan(each)).all(axis=0).any()}
    if not both:
        return None
    first, second = np.concatenate(list(both.values()), axis=1)
    intervals = drawn_pair(list(both.values()))
    by_formula = agreement.intra_rater(first, second)
    return RepeatAgreement(
        icc=Estimate(by_formula.value, *intervals["ICC(A,1)"]),
        by_formula=by_formula,
        pearson=Estimate(metrics.pearson(first, second), *intervals["pearson"]),
        by_session={
            name: {
                "icc_a_1": float(agreement.intra_rater(*each).value),
                "pearson": metrics.pearson(*each),
            }
            for name, each in both.items()
        },
    )
