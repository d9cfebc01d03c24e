"""AVEC 2018's protocol: the raters' mean, moved to where the reliable raters are.

Only the level of the trace is weighted; its shape is the plain mean of all raters. As in the
challenge's script for the gold standard of RECOLA (AVEC 2018, sub-challenge GES), whose input are
traces binned and filled as in `fusion.recola`, neither centred nor synchronised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.agreement.estimate import as_ratings
from mavfer.agreement.pairs import pairwise
from mavfer.errors import InvalidArray
from mavfer.fusion.recola import ProtocolTrace

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = ["fuse_avec2018"]

_NOTHING: Final = 1e-9
"""Reliabilities that sum to less are 0 and rounding."""

_CANCELLED: Final = 0.1
"""Reliabilities of either sign whose sum is less, beside their sizes, place the level anywhere."""


def fuse_avec2018(traces: ArrayLike) -> ProtocolTrace:
    """AVEC 2018's gold standard: mean(t) - mean of all + reliability-weighted mean of the means.

    A rater's weight is the mean CCC with each other rater, below 0 too, as the script has it: an
    unlike rater pushes the level away. Where the weights cancel each other to less than a tenth of
    their size, or sum to 0 or less, or a rater is alone, all count alike and `is_fallback` says so
    (ours).

    Args:
        traces: (K, T), NaN = missing.

    Returns:
        With lags of 0. Of identical traces it is the trace.

    Raises:
        InvalidArray: Another shape, an infinite value, or a rater without any value.
    """
    session = as_ratings(traces)
    if session.ndim != 2 or np.isnan(session).all(axis=-1).any():  # noqa: PLR2004 (K, T)
        message = (
            f"traces of shape {session.shape}: give (raters, times), "
            f"and leave out raters without any value"
        )
        raise InvalidArray(message)
    weights, is_fallback = _reliabilities(session)
    offset = float(weights @ np.nanmean(session, axis=1))
    mean = np.full(session.shape[1], np.nan)
    is_there = ~np.isnan(session).all(axis=0)
    mean[is_there] = np.nanmean(session[:, is_there], axis=0)
    return ProtocolTrace(
        trace=mean + (offset - float(np.nanmean(session))),
        raters=session,
        weights=weights,
        lags_seconds=np.zeros(len(session)),
        is_fallback=is_fallback,
    )


def _reliabilities(session: Floats) -> tuple[Floats, bool]:
    """Mean CCC with the others over its sum (K,), and whether there was nothing to weight by."""
    concordance = pairwise(session, "ccc")
    np.fill_diagonal(concordance, np.nan)
    is_known = ~np.isnan(concordance)
    total = np.sum(concordance, axis=1, where=is_known)
    reliability = total / np.maximum(is_known.sum(axis=1), 1)
    if reliability.sum() > max(_NOTHING, _CANCELLED * np.abs(reliability).sum()):
        return reliability / reliability.sum(), False
    return np.full(len(session), 1 / len(session)), True
