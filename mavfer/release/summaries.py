"""How the cells of a column are distributed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.release.contents import ColumnSummary, ValueSummary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["summarize_column", "summarize_values"]

_SHOWN_CATEGORIES: Final = 12
_QUARTERS: Final = (25, 50, 75)


def summarize_column(name: str, cells: Sequence[object]) -> ColumnSummary:
    """A column of participants.csv: numbers, a few categories, or neither."""
    filled = [cell for cell in cells if cell not in (None, "")]
    missing = len(cells) - len(filled)
    numbers = [_number(cell) for cell in filled]
    if filled and None not in numbers:
        values = np.array([*numbers, *[np.nan] * missing], np.float64)
        return ColumnSummary(name, values=summarize_values(values), missing=missing)
    counts = Counter(str(cell) for cell in filled)
    is_shown = len(counts) <= _SHOWN_CATEGORIES and len(counts) < len(filled)
    categories = dict(sorted(counts.items())) if is_shown else {}
    return ColumnSummary(name, categories=categories, missing=missing)


def summarize_values(values: NDArray[Any]) -> ValueSummary:
    """How numbers are distributed; NaN counts as missing."""
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    missing = len(values) - len(known)
    if not len(known):
        nan = float("nan")
        return ValueSummary(0, missing, nan, nan, nan, (nan, nan, nan), nan)
    first, half, third = (float(value) for value in np.percentile(known, _QUARTERS))
    return ValueSummary(
        count=len(known),
        missing=missing,
        mean=float(known.mean()),
        sd=float(known.std()),
        lowest=float(known.min()),
        quartiles=(first, half, third),
        highest=float(known.max()),
    )


def _number(cell: object) -> float | None:
    try:
        value = float(str(cell))
    except ValueError:
        return None
    return value if np.isfinite(value) else None
