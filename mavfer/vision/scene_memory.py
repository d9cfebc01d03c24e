"""What a frame looked like when all of it was last searched for faces.

Nobody new can be where nothing has changed, so a search can wait until something has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import require

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from mavfer.vision.landmarks import Box

__all__ = ["SceneMemory"]

_COLUMNS: Final = 64
"""A face of the detector's smallest size, 80 of 640 pixels, covers 8 by 8 of the cells."""
_CHANGED: Final = 3.0
"""Gray levels of a cell: a sensor's noise moves its mean by less than one (ours)."""
_OWN: Final = 1.2
"""This far around each face that is followed, in box widths, changes are that person's own."""


class SceneMemory:
    """Tells whether anything has changed besides the people who are followed."""

    def __init__(self) -> None:
        self._cells = np.empty((0, 0), np.uint8)

    def remember(self, gray: NDArray[np.uint8]) -> None:
        """Keeps what this frame (H, W) looks like."""
        self._cells = _cells(gray)

    def has_changed(self, gray: NDArray[np.uint8], people: Iterable[Box]) -> bool:
        """True where the frame differs from the one that is remembered, or none is.

        Args:
            gray: uint8 (H, W).
            people: Boxes of the faces that are followed; what is around them does not count.
        """
        cells = _cells(gray)
        if cells.shape != self._cells.shape:
            return True
        is_changed = abs(cells.astype(np.float32) - self._cells) > _CHANGED
        cell = gray.shape[1] / cells.shape[1]
        for box in people:
            reach = _OWN * box.width
            top, bottom = (max(int((box.y + s * reach) / cell), 0) for s in (-1, 1))
            left, right = (max(int((box.x + s * reach) / cell), 0) for s in (-1, 1))
            is_changed[top : bottom + 1, left : right + 1] = False
        return bool(is_changed.any())

    def state(self) -> NDArray[np.uint8]:
        """What is remembered, as an array."""
        return self._cells

    def restore(self, state: NDArray[Any]) -> None:
        """Remembers what `state` gave."""
        self._cells = state


def _cells(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A frame averaged over cells, 64 of them in a row."""
    cv2: Any = require("cv2", "preprocess")
    height, width = gray.shape
    rows = max(round(_COLUMNS * height / width), 1)
    cells: NDArray[np.uint8] = cv2.resize(gray, (_COLUMNS, rows), interpolation=cv2.INTER_AREA)
    return cells
