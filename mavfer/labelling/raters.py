"""Each rater beside the others: lag, agreement, bias, values, and reliability with themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer import metrics
from mavfer.agreement import Estimate
from mavfer.agreement.blocks import drawn_pair
from mavfer.labelling.statistics import PAIR_MEASURES, mean_of_known, number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mavfer.labelling.repeats import RepeatAgreement

    Floats = NDArray[np.float64]

__all__ = ["RaterAgreement", "describe_rater", "limits_of_agreement"]

_LIMIT_SD: Final = 1.96
"""Standard deviations that hold 95 % of a normal distribution on both sides."""


@dataclass(frozen=True)
class RaterAgreement:
    """One rater of one dimension, over all sessions."""

    rater: str
    sessions: int
    """Sessions that the rater rated."""
    lag_seconds: float
    """NaN where none could be told."""
    lag_source: str
    with_others: dict[str, Estimate]
    """"ccc", "pearson", "spearman", "rmse", "sda" with the mean of the others who are not
    flagged, lags taken out, and "bias", the mean difference from it. Intervals as of
    `drawn_pair`, none for "spearman" and "sda"."""
    limits: tuple[float, float]
    """Limits of agreement with that mean; see `limits_of_agreement`."""
    values: dict[str, float]
    """"mean", "sd", "lowest" and "highest" of what the rater gave."""
    by_session: dict[str, dict[str, float]]
    """The same measures in each session that was rated."""
    repeats: RepeatAgreement | None
    """How far the rater agrees with themselves; None without a hidden repeat."""
    doubt: str
    """Why this rater is flagged; "" where not."""

    @property
    def ccc(self) -> float:
        """With the mean of the others who are not flagged, as are the next three."""
        return float(self.with_others["ccc"].value)

    @property
    def pearson(self) -> float:
        """Linear correlation with that mean."""
        return float(self.with_others["pearson"].value)

    @property
    def rmse(self) -> float:
        """Root of the mean squared difference from that mean."""
        return float(self.with_others["rmse"].value)

    @property
    def bias(self) -> float:
        """Mean difference from that mean."""
        return float(self.with_others["bias"].value)

    def to_document(self) -> dict[str, Any]:
        """As JSON writes it."""
        return {
            "sessions": self.sessions,
            "lag_seconds": number(self.lag_seconds),
            **{name: number(each.value) for name, each in self.with_others.items()},
            "ccc_low": number(self.with_others["ccc"].low),
            "ccc_high": number(self.with_others["ccc"].high),
            "limits_of_agreement": [number(limit) for limit in self.limits],
            "hidden_repeats": self.repeats.to_document() if self.repeats else None,
            "lag_source": self.lag_source,
            "flagged": self.doubt or None,
        }


def describe_rater(
    *,
    rater: str,
    lag: tuple[float, str],
    beside: Mapping[str, NDArray[np.float64]],
    repeats: RepeatAgreement | None,
    doubt: str,
) -> RaterAgreement:
    """One rater beside the others.

    Args:
        rater: The code.
        lag: Seconds, and where they come from.
        beside: Own trace and mean of the others (2, T) by session, of those that were rated.
        repeats: How far the rater agrees with themselves.
        doubt: Why the rater is flagged.
    """
    sessions = list(beside.values())
    joined = np.concatenate(sessions, axis=1) if sessions else np.full((2, 1), np.nan)
    return RaterAgreement(
        rater=rater,
        sessions=len(beside),
        lag_seconds=lag[0],
        lag_source=lag[1],
        with_others=_with_others(joined, sessions),
        limits=limits_of_agreement(joined[0] - joined[1]),
        values=_values(joined[0]),
        by_session={name: _measures(both) for name, both in beside.items()},
        repeats=repeats,
        doubt=doubt,
    )


def limits_of_agreement(differences: NDArray[np.float64]) -> tuple[float, float]:
    """Where 95 % of the differences (T,) of two who rate the same lie, if they are normal.

    Returns:
        NaN with fewer than two differences.

    Source: Bland and Altman 1986, Lancet 327, 307-310: mean -+ 1.96 standard deviations (n - 1).
    """
    known = differences[np.isfinite(differences)]
    if len(known) < 2:  # noqa: PLR2004 (no spread)
        return np.nan, np.nan
    mean, spread = float(known.mean()), _LIMIT_SD * float(known.std(ddof=1))
    return mean - spread, mean + spread


def _with_others(joined: Floats, sessions: list[Floats]) -> dict[str, Estimate]:
    intervals = drawn_pair(sessions)
    return {
        name: Estimate(value, *intervals.get(name, (np.nan, np.nan)))
        for name, value in _measures(joined).items()
    }


def _measures(both: Floats) -> dict[str, float]:
    own, others = both
    return {
        **{name: metrics.MEASURES[name](own, others) for name in PAIR_MEASURES},
        "bias": mean_of_known(own - others),
    }


def _values(trace: Floats) -> dict[str, float]:
    known = trace[np.isfinite(trace)]
    if not len(known):
        return dict.fromkeys(("mean", "sd", "lowest", "highest"), np.nan)
    return {
        "mean": float(known.mean()),
        "sd": float(known.std()),
        "lowest": float(known.min()),
        "highest": float(known.max()),
    }
