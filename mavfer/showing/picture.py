"""A matplotlib figure that a notebook shows by itself.

Imports matplotlib, so its neighbour `canvas` alone imports it, where a figure is drawn.
"""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["Picture"]


class Picture(Figure):
    """A figure that belongs to no window and to no list of open figures."""

    def __init__(self, width: float, height: float, dots_per_inch: float) -> None:
        super().__init__(figsize=(width, height), dpi=dots_per_inch, facecolor="white")
        self.set_layout_engine("none")
        FigureCanvasAgg(self)

    def savefig(self, fname: str | PathLike[Any] | IO[Any], **options: Any) -> None:
        """Writes the figure on its own white, whatever style the caller has chosen."""
        super().savefig(fname, **{"facecolor": self.get_facecolor(), **options})

    def _repr_png_(self) -> bytes:
        """What notebooks show."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()
