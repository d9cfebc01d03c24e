"""Heads of other people, hidden in color, depth and thermal pictures.

Color and temperature become the means of 12 x 12 cells, depth becomes nothing. Cells lie in the
grid of the face, not in that of the frame. In a frame's grid a face that moves puts other parts of
itself into the same cells, and from enough frames a finer picture of it can be computed
(multi-frame super-resolution, for example Park et al. 2003, IEEE Signal Processing Magazine 20(3)).
In the face's own grid each frame says the same again. Measured on a photograph that moves: 120
frames of cells in the frame's grid, averaged and sharpened, are a face that dlib finds again; in
the face's grid they are cells. Rounding the means to coarse levels changed nothing, so that is left
out.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import require
from mavfer.vision.head_covers import HeadOutline, covered_pixels, head_outline, head_outlines
from mavfer.vision.registration import PixelMask

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["hide_in_depth", "hide_in_thermal", "pixelate"]

_CELLS: Final = 12
"""Cells across a head, and down it: 16 mm wide and 22 mm high."""
_FEWEST_CELLS: Final = 3
_LEAST_CELL_PIXELS: Final = 6
"""Cells smaller than this would hide nothing of a small face."""


class _Cells:
    """The cells over one head: which of them hide something."""

    def __init__(self, outline: HeadOutline, subject: HeadOutline | None) -> None:
        self._outline = outline
        room = int(2 * outline.reach().min() / _LEAST_CELL_PIXELS)
        self.count = min(max(room, _FEWEST_CELLS), _CELLS)
        """Across and down."""
        is_upright = not (outline.axes[0, 1] or outline.axes[1, 0])
        touched = _touched_upright(self.count) if is_upright else _touched(outline, self.count)
        self.hidden = touched
        """(count, count): 1 where a cell touches the head and is not the subject's."""
        if subject is not None:
            middles = (2 * np.arange(self.count)[:, None] + 1) / self.count - 1
            x, y = (outline.centre + middles * outline.reach()).T
            self.hidden = touched & outline.claims(subject, x, y).view(np.uint8)

    def over(self, shape: tuple[int, ...]) -> _Window:
        """Their pixels in a picture of this shape."""
        outline = self._outline
        steps = np.linspace(-1, 1, self.count + 1)
        (x, y), (right, down), (height, width) = outline.centre, outline.reach(), shape[:2]
        rows, columns = _edges(y + down * steps, height), _edges(x + right * steps, width)
        return _Window(rows, columns, self.hidden)


class _Window:
    """The rectangle of a picture in which cells lie; it may be empty."""

    def __init__(
        self, rows: NDArray[np.intp], columns: NDArray[np.intp], hidden: NDArray[np.uint8]
    ) -> None:
        self.place = slice(rows[0], rows[-1]), slice(columns[0], columns[-1])
        self.is_empty = rows[0] == rows[-1] or columns[0] == columns[-1]
        self._edges = rows - rows[0], columns - columns[0]
        heights, widths = rows[1:] - rows[:-1], columns[1:] - columns[:-1]
        cells = np.arange(len(heights))
        self._row_of, self._column_of = cells.repeat(heights), cells.repeat(widths)
        self._pixels = np.maximum(heights[:, None] * widths, 1)
        self.hidden = self.enlarged(hidden)
        """(h, w): 1 where the picture is to be hidden."""

    def means(self, seen: NDArray[Any]) -> NDArray[np.float64]:
        """Means of the cells in what is seen in the window (h, w) or (h, w, channels)."""
        cv2: Any = require("cv2", "preprocess")
        rows, columns = self._edges
        corners = cv2.integral(seen)[rows[:, None], columns]
        bands = corners[1:] - corners[:-1]
        sums = bands[:, 1:] - bands[:, :-1]
        pixels = self._pixels if sums.ndim == 2 else self._pixels[:, :, None]  # noqa: PLR2004 (gray)
        means: NDArray[np.float64] = sums / pixels
        return means

    def enlarged(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values of the cells on all their pixels."""
        return np.take(np.take(values, self._column_of, axis=1), self._row_of, axis=0)


def pixelate(
    picture: NDArray[np.uint8],
    boxes: NDArray[np.floating[Any]],
    *,
    matrix: NDArray[np.float64] | None = None,
    spared: NDArray[np.floating[Any]] | None = None,
) -> None:
    """Hides heads in a picture, in place, under the means of 12 x 12 cells.

    Args:
        picture: uint8 (H, W) or (H, W, 3), changed.
        boxes: (n, 3) as of `cover_track`, in pixels of the frame; rows of NaN are nobody.
        matrix: (2, 3) from the frame's pixels to the picture's, where it is a crop of it.
        spared: (3,), the subject's box: that face, and what is nearer to that head, is left alone.

    Raises:
        InvalidArray: `boxes` has another shape.
    """
    subject = head_outline(spared, matrix)
    for outline in head_outlines(boxes, matrix):
        _write_means(picture, _Cells(outline, subject).over(picture.shape))


def hide_in_depth(
    depth: NDArray[np.uint16],
    boxes: NDArray[np.floating[Any]],
    *,
    mask: NDArray[np.uint8] | None = None,
    matrix: NDArray[np.float64] | None = None,
    spared: NDArray[np.floating[Any]] | None = None,
) -> None:
    """Takes heads out of a depth picture, in place: 0, as where nothing was measured.

    A head's relief is as much its owner's as a photograph is, and coarse means of it would be a
    surface where there is none.

    Args:
        depth: uint16 (H, W), changed.
        boxes: (n, 3) as of `cover_track`, in pixels of the frame; rows of NaN are nobody.
        mask: uint8 (H, W) of `PixelMask`, changed: OCCLUDED on the heads.
        matrix: (2, 3) from the frame's pixels to the picture's, where it is a crop of it.
        spared: (3,), the subject's box: that face, and what is nearer to that head, is left alone.

    Raises:
        InvalidArray: `boxes` has another shape.
    """
    height, width = depth.shape
    covered = covered_pixels(boxes, (height, width), matrix=matrix, spared=spared)
    depth[covered] = 0
    if mask is not None:
        mask[covered] = PixelMask.OCCLUDED


def hide_in_thermal(
    thermal: NDArray[np.uint16],
    boxes: NDArray[np.floating[Any]],
    *,
    mask: NDArray[np.uint8] | None = None,
    matrix: NDArray[np.float64] | None = None,
    spared: NDArray[np.floating[Any]] | None = None,
) -> None:
    """Leaves of heads in a thermal picture, in place, the mean temperatures of coarse cells.

    Args:
        thermal: uint16 (H, W), 0 = none, changed; pixels without a temperature stay 0.
        boxes: (n, 3) as of `cover_track`, in pixels of the frame; rows of NaN are nobody.
        mask: uint8 (H, W) of `PixelMask`, changed: INTERPOLATED where a mean was written.
        matrix: (2, 3) from the frame's pixels to the picture's, where it is a crop of it.
        spared: (3,), the subject's box: that face, and what is nearer to that head, is left alone.

    Raises:
        InvalidArray: `boxes` has another shape.
    """
    subject = head_outline(spared, matrix)
    for outline in head_outlines(boxes, matrix):
        window = _Cells(outline, subject).over(thermal.shape)
        if window.is_empty:
            continue
        seen = thermal[window.place]
        is_measured = seen > 0
        share = window.means(is_measured.astype(np.uint8))
        means = window.means(seen.astype(np.float32)) / np.where(share > 0, share, 1)
        chosen = is_measured & (window.hidden > 0)
        np.copyto(seen, window.enlarged(np.rint(means).astype(np.uint16)), where=chosen)
        if mask is not None:
            mask[window.place][chosen] = PixelMask.INTERPOLATED


def _write_means(picture: NDArray[np.uint8], window: _Window) -> None:
    """Hides what is to be hidden in a window of 8-bit pixels under the means of its cells."""
    if window.is_empty:
        return
    cv2: Any = require("cv2", "preprocess")
    seen = picture[window.place]
    shown = window.enlarged(np.rint(window.means(seen)).astype(np.uint8))
    seen[...] = cv2.copyTo(shown, window.hidden, seen)


@cache
def _touched_upright(count: int) -> NDArray[np.uint8]:
    """As `_touched`, for heads that stand upright: then neither size nor place matter."""
    return _touched(HeadOutline(np.zeros(2), np.eye(2)), count)


def _touched(outline: HeadOutline, count: int) -> NDArray[np.uint8]:
    """(count, count): 1 where cells touch a head, at corners, middles of edges, or their own."""
    halves = np.linspace(-1, 1, 2 * count + 1)[:, None]
    x, y = (outline.centre + halves * outline.reach()).T
    is_inside = outline.distance(x, y) <= 1
    rows = is_inside[:-1:2] | is_inside[1::2] | is_inside[2::2]
    return (rows[:, :-1:2] | rows[:, 1::2] | rows[:, 2::2]).view(np.uint8)


def _edges(places: NDArray[np.float64], length: int) -> NDArray[np.intp]:
    """The first pixels of cells that begin at some places; pixel 0 is from -0.5 to 0.5."""
    nearest = np.rint(places + 0.5).astype(np.intp)
    return np.minimum(np.maximum(nearest, 0), length)
