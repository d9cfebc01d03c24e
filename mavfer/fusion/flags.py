"""Raters to doubt, each with the reason. Nobody is dropped here: that is a person's decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.agreement.pairs import leave_one_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["flag_raters"]

_STILL_SHARE: Final = 0.95
"""A rater who stays at one value for longer did not rate."""

_MAD_TO_SD: Final = 1.4826
"""Of a normal distribution: standard deviation over median absolute deviation."""

_FAR: Final = 3
_FAR_AT_LEAST: Final = 0.3
"""Raters this near to the median are not far from it, however close the others stand (ours)."""


def flag_raters(
    aligned: NDArray[np.float64],
    lags_seconds: NDArray[np.float64],
    max_seconds: float,
) -> tuple[str, ...]:
    """Why each rater is doubted, "" for those who are not.

    Args:
        aligned: (K, T), each rater moved earlier by their lag.
        lags_seconds: (K,), NaN where no lag could be told.
        max_seconds: The largest lag that was looked for.
    """
    reasons = [_own_reason(trace) for trace in aligned]
    for rater, lag in enumerate(lags_seconds):
        if not reasons[rater] and np.isnan(lag):
            reasons[rater] = "no lag found: not like the others at any"
        elif not reasons[rater] and lag >= max_seconds:
            reasons[rater] = f"lag {lag:.1f} s at the limit"
    _flag_strangers(aligned, reasons)
    return tuple(reasons)


def _own_reason(trace: Floats) -> str:
    values = trace[~np.isnan(trace)]
    if not len(values):
        return "no values"
    _, counts = np.unique(values, return_counts=True)
    share = counts.max() / len(values)
    if len(values) > 1 and share > _STILL_SHARE:
        return f"constant for {share:.0%} of the time"
    return ""


def _flag_strangers(aligned: Floats, reasons: list[str]) -> None:
    """Doubts the rater furthest from the others, then looks again without that one.

    One bad rater drags the mean of the others away from every good one; so the worst goes first.
    """
    while True:
        trusted = np.array([rater for rater, reason in enumerate(reasons) if not reason], int)
        if len(trusted) < 2:  # noqa: PLR2004 (nobody to compare with)
            return
        likeness = leave_one_out(aligned[trusted])
        if np.isnan(likeness).all():
            return
        lowest = np.nanmin(likeness)
        reason = _stranger_reason(lowest, likeness)
        if not reason:
            return
        for rater in trusted[np.isclose(likeness, lowest, rtol=0, atol=1e-12)]:
            reasons[rater] = reason


def _stranger_reason(lowest: float, likeness: Floats) -> str:
    if lowest < 0:
        return f"CCC {lowest:.2f} with the mean of the others"
    median = np.nanmedian(likeness)
    spread = _MAD_TO_SD * np.nanmedian(np.abs(likeness - median))
    if lowest < median - max(_FAR * spread, _FAR_AT_LEAST):
        return f"CCC {lowest:.2f} with the mean of the others, {median:.2f} is usual"
    return ""
