"""What raters see of several streams: the face in color, depth and warmth, side by side.

The scales of color run from dark to light without red against green (cividis and inferno in five
steps), so that near and far, cold and warm can be told apart by everybody and on a grey screen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.views import compute_view, nose_places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mavfer.recordings import Recording
    from mavfer.streams import StreamName

    Picture = NDArray[np.uint8]

__all__ = ["SideBySide"]

_LEVELS: Final = 256
_NOTHING: Final = (24, 24, 28)
"""Where nothing was measured."""

# Five of the 256 colors of each scale of matplotlib (CC0), from low to high.
_CIVIDIS: Final = ((0, 34, 78), (66, 78, 108), (125, 124, 120), (188, 175, 111), (254, 232, 56))
_INFERNO: Final = ((0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164))

_NEAREST_MM: Final = -30.0
_FARTHEST_MM: Final = 170.0
"""Behind the nose: a head, and a little of what is behind it."""

_REACH: Final = 8
"""Pixels over which a slope is taken; depth is noisy from one to the next."""

_LIGHT: Final = 0.02
"""Share of light that a millimetre of slope costs."""

_SHADES: Final = (0.55, 1.3)

_WARMTH_SHARES: Final = (5, 99.5)
_LEAST_KELVIN: Final = 6.0
"""Below, noise would look like a face."""

_LOOKED_AT: Final = 32
"""Frames by which a session's range of warmth is found; one range, so that nothing flickers."""


class SideBySide:
    """The pictures of one session."""

    def __init__(self, recording: Recording, streams: Sequence[StreamName]) -> None:
        """Finds the ranges of the session.

        Args:
            recording: The session.
            streams: From left to right; one that the session lacks stays empty.
        """
        self._recording = recording
        self._streams = tuple(streams)
        self._noses = nose_places(recording.landmarks, recording.crop_matrix)
        self._warmth = _range_of_warmth(recording) if "thermal" in streams else (0.0, 1.0)
        height, width = recording.crop_size
        self.size = width * len(self._streams), height
        """Width and height of a picture."""

    def pictures(self, rows: range) -> NDArray[np.uint8]:
        """RGB (rows, H, W, 3) of some frames."""
        return np.concatenate([self._panel(name, rows) for name in self._streams], axis=2)

    def _panel(self, name: StreamName, rows: range) -> NDArray[np.uint8]:
        stream = self._recording.stream(name)
        if not stream.is_there:
            return _empty((len(rows), *self._recording.crop_size))
        pixels: NDArray[Any] = stream.read(rows)
        if name == "color":
            return pixels
        if name == "thermal":
            celsius = compute_view("thermal_celsius", pixels)
            return _painted(celsius, *self._warmth, _INFERNO)
        noses = self._noses[rows.start : rows.stop]
        behind = compute_view("depth_relative", pixels, noses)
        return _lit(_painted(behind, _FARTHEST_MM, _NEAREST_MM, _CIVIDIS), behind)


def _painted(
    values: NDArray[np.float32], low: float, high: float, scale: Sequence[tuple[int, int, int]]
) -> NDArray[np.uint8]:
    """Values (n, H, W) as RGB (n, H, W, 3), `low` dark and `high` light; NaN as nothing."""
    is_known = np.isfinite(values)
    share = np.clip((np.where(is_known, values, low) - low) / (high - low), 0, 1)
    painted = _table(scale)[(share * (_LEVELS - 1)).astype(np.uint8)]
    painted[~is_known] = _NOTHING
    return painted


def _lit(painted: NDArray[np.uint8], behind: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A relief as if lit from above left: slopes that face the light are lighter."""
    away = behind[:, _REACH:, _REACH:] - behind[:, :-_REACH, :-_REACH]
    slope = np.nan_to_num(away, nan=0.0)
    shade = np.ones(behind.shape, np.float32)
    half = _REACH // 2
    inner = np.clip(1 - _LIGHT * slope, *_SHADES)
    shade[:, half : half + inner.shape[1], half : half + inner.shape[2]] = inner
    lit: NDArray[np.uint8] = np.clip(painted * shade[..., None], 0, 255).astype(np.uint8)
    return lit


def _table(scale: Sequence[tuple[int, int, int]]) -> Picture:
    """The 256 colors (256, 3) of a scale."""
    at = np.linspace(0, 1, _LEVELS)
    steps = np.linspace(0, 1, len(scale))
    channels = [np.interp(at, steps, [color[c] for color in scale]) for c in range(3)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)


def _empty(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    return np.broadcast_to(np.array(_NOTHING, np.uint8), (*shape, 3)).copy()


def _middle(frame: NDArray[np.float32]) -> NDArray[np.float32]:
    """The middle of a crop, which is face."""
    height, width = frame.shape
    return frame[height // 4 : -height // 4, width // 4 : -width // 4]


def _range_of_warmth(recording: Recording) -> tuple[float, float]:
    """Degrees Celsius that are dark and light throughout a session."""
    if not recording.stream("thermal").is_there:
        return 0.0, 1.0
    rows = np.unique(np.linspace(0, len(recording) - 1, _LOOKED_AT).astype(int))
    frames = [recording.thermal_celsius.read(range(row, row + 1)) for row in rows]
    middle = [_middle(frame[0]) for frame in frames]
    known = np.concatenate([part[np.isfinite(part)] for part in middle])
    if not len(known):
        return 0.0, 1.0
    low, high = np.percentile(known, _WARMTH_SHARES)
    return float(min(low, high - _LEAST_KELVIN)), float(high)
