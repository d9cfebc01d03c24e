"""Thermal counts of a session as centikelvin, by the formula that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import DataError
from mavfer.vision.radiometry import formula_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["centikelvin_of_counts"]

_CENTIKELVIN: Final = 100.0


def centikelvin_of_counts(
    radiometry: dict[str, Any] | None, session: str
) -> NDArray[np.uint16] | None:
    """Centikelvin of every count there can be (65536,), by the formula stored with the stream.

    Count 0 is 0, as is every count without a temperature: nothing was measured. None where counts
    are centikelvin already, or there is no thermal stream.

    Args:
        radiometry: What session.json says of the stream; None where it has none.
        session: The session's id, for messages.

    Raises:
        DataError: The counts mean no temperature, or the formula or a constant is unknown.
    """
    if radiometry is None:
        return None
    counts = np.arange(np.iinfo(np.uint16).max + 1)
    try:
        kelvin = formula_of(radiometry).kelvin(counts)
    except DataError as error:
        message = f"session {session}: {error}"
        raise DataError(message) from error
    centikelvin = np.nan_to_num(np.rint(_CENTIKELVIN * kelvin), nan=0)
    table = np.clip(centikelvin, 0, counts[-1]).astype(np.uint16)
    table[0] = 0
    return None if np.array_equal(table, counts) else np.asarray(table)
