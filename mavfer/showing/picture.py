"""A matplotlib figure that a notebook shows by itself.

Imports matplotlib, so its neighbour `canvas` alone imports it, where a figure is drawn.
"""

from __future__ import annotations

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

__all__ = ["Picture"]


class Picture(Figure):
    """A figure that belongs to no window and to no list of open figures."""

    def __init__(self, width: float, height: float, dots_per_inch: float) -> None:
        super().__init__(figsize=(width, height), dpi=dots_per_inch, facecolor="white")
        FigureCanvasAgg(self)

    def _repr_png_(self) -> bytes:
        """What notebooks show."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()
