"""The tracks of a tracker as plain arrays, and back, without losing a bit."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from mavfer.vision.tracking import FaceTrack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["arrays_from_tracks", "tracks_from_arrays"]


def arrays_from_tracks(tracks: Sequence[FaceTrack]) -> dict[str, NDArray[Any]]:
    """One array a field, with a row a track; all empty without tracks."""
    return {
        field.name: np.array([getattr(track, field.name) for track in tracks])
        for field in fields(FaceTrack)
    }


def tracks_from_arrays(arrays: dict[str, NDArray[Any]]) -> list[FaceTrack]:
    """The tracks that such arrays were made from."""
    names = [field.name for field in fields(FaceTrack)]
    rows = zip(*(arrays[name] for name in names), strict=True)
    return [
        FaceTrack(**{name: _plain(value) for name, value in zip(names, row, strict=True)})
        for row in rows
    ]


def _plain(value: Any) -> Any:
    """A number or a text of Python's own from a scalar of numpy's; arrays as they are."""
    return value.item() if isinstance(value, np.generic) else value
