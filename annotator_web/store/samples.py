"""Chunks of samples: from JSON to one small block of bytes and back, every number as it came."""

from __future__ import annotations

import math
import sys
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from annotator_web.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from annotator_web.project import Dimension

__all__ = ["MOST_SAMPLES", "Limits", "columns_of", "names_of", "pack", "schema_of", "unpack"]

MOST_SAMPLES: Final = 2_000
"""Samples a chunk may hold: half a minute at 60 a second."""

_ANY_FINITE: Final = (-sys.float_info.max, sys.float_info.max)
_MOST_FLAGS: Final = 65_535
_MOST_CLOCK_MS: Final = 1e12
_LATE_SECONDS: Final = 1.0
"""How far beyond the last frame a player's clock may run."""

_BEFORE: Final = ("media_time", "frame", "clock_ms")
_AFTER: Final = ("flags",)
_FRAME: Final = "frame"
_WHOLE: Final = (_FRAME, "flags")


@dataclass(frozen=True)
class Limits:
    """What samples of one take may say."""

    seconds: float
    """Length of the clip."""
    frames: int
    """Number of frames of the clip."""
    dimensions: tuple[Dimension, ...]
    """The dimensions of the take, in its order."""
    is_bounded: bool = True
    """False where values may be any finite number."""

    @property
    def names(self) -> list[str]:
        """Columns of a chunk, in the order of the block's rows."""
        return names_of([dimension.name for dimension in self.dimensions])

    def range_of(self, name: str) -> tuple[float, float]:
        """Lowest and highest number of a column."""
        for dimension in self.dimensions:
            if dimension.name == name:
                bounds = dimension.low, dimension.high
                return bounds if self.is_bounded else _ANY_FINITE
        highest = {
            "media_time": self.seconds + _LATE_SECONDS,
            "frame": self.frames - 1,
            "clock_ms": _MOST_CLOCK_MS,
            "flags": _MOST_FLAGS,
        }
        return 0, highest[name]


def names_of(dimensions: Sequence[str]) -> list[str]:
    """Columns of a chunk of these dimensions, in the order of the block's rows."""
    return [*_BEFORE, *dimensions, *_AFTER]


def columns_of(document: Any, limits: Limits) -> NDArray[np.float64]:
    """The samples of a chunk's JSON, (columns, N) in the order of `limits.names`; null becomes NaN.

    Raises:
        Refusal: 400 where something is malformed, out of the scale or beyond the clip.
    """
    given = document.get("samples") if isinstance(document, dict) else None
    if not isinstance(given, dict) or set(given) != set(limits.names):
        message = (
            f'the body must be {{"samples": {{…}}}} with the columns {", ".join(limits.names)}'
        )
        raise _malformed(message)
    count = len(given["media_time"]) if isinstance(given["media_time"], list) else 0
    if not 1 <= count <= MOST_SAMPLES:
        message = f"a chunk holds 1 to {MOST_SAMPLES} samples in lists, this one {count}"
        raise _malformed(message)
    return np.array([_column(given, name, count, limits) for name in limits.names], np.float64)


def schema_of(limits: Limits) -> dict[str, Any]:
    """The JSON Schema of what `columns_of` takes, but that all columns have one length."""
    return {
        "type": "object",
        "properties": {name: _column_schema(name, limits) for name in limits.names},
        "required": limits.names,
        "additionalProperties": False,
    }


def pack(columns: NDArray[np.float64]) -> bytes:
    """A block of bytes that `unpack` reads back equal."""
    return zlib.compress(columns.astype("<f8").tobytes(), level=1)


def unpack(block: bytes, names: Sequence[str]) -> NDArray[np.float64]:
    """The (columns, N) array that `pack` was given; `names` has one name a column."""
    flat = np.frombuffer(zlib.decompress(block), "<f8").astype(np.float64)
    return flat.reshape(len(names), -1)


def _column(given: Mapping[str, Any], name: str, count: int, limits: Limits) -> NDArray[np.float64]:
    cells = given[name]
    if not isinstance(cells, list) or len(cells) != count:
        message = f"{name}: must be a list of {count} numbers, as media_time is"
        raise _malformed(message)
    return np.array([_number(cell, name, limits) for cell in cells], np.float64)


def _column_schema(name: str, limits: Limits) -> dict[str, Any]:
    low, high = limits.range_of(name)
    kind = "integer" if name in _WHOLE else "number"
    cell = {
        "type": [kind, "null"] if _may_be_missing(name) else kind,
        "minimum": low,
        "maximum": high,
    }
    return {"type": "array", "minItems": 1, "maxItems": MOST_SAMPLES, "items": cell}


def _may_be_missing(name: str) -> bool:
    return name == _FRAME or name not in (*_BEFORE, *_AFTER)


def _number(cell: Any, name: str, limits: Limits) -> float:
    is_whole = name in _WHOLE
    if cell is None and _may_be_missing(name):
        return math.nan
    if type(cell) is not int and (is_whole or type(cell) is not float):
        kind = "a whole number" if is_whole else "a number"
        message = f"{name}: {str(cell)[:40]!r} is not {kind}"
        raise _malformed(message)
    low, high = limits.range_of(name)
    if not low <= cell <= high:
        message = f"{name}: {str(cell)[:40]} is outside {low:g} to {high:g}"
        raise Refusal(400, "out_of_range", message, "Send values of the clip and of the scale")
    return float(cell)


def _malformed(message: str) -> Refusal:
    return Refusal(400, "malformed", message, "See docs/annotate.md, 'HTTP API'")
