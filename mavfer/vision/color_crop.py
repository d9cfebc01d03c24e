"""Color crops straight from a video's planes: only the crop's pixels are turned into RGB."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import InvalidArray, require
from mavfer.vision.alignment import average_down, supersampling
from mavfer.vision.geometry import invert_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["crop_yuv420"]

_BLACK: Final = {True: 0, False: 16}
"""Level of black in full and in limited range."""
_LUMA_LEVELS: Final = {True: 255, False: 219}
_CHROMA_LEVELS: Final = {True: 255, False: 224}
_GRAY: Final = 128
_RED_BLUE: Final = {True: (0.2126, 0.0722), False: (0.299, 0.114)}
"""What red and blue count in the luma of BT.709 and of BT.601."""
_CHROMA_SHIFT: Final = np.array([[0, 0, 0.5], [0, 0, 0.5]])
"""A chroma sample stands for the middle of four pixels, as FFmpeg's converter makes and reads it
where a file does not say otherwise."""


def crop_yuv420(
    y: NDArray[np.uint8],
    u: NDArray[np.uint8],
    v: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    shape: tuple[int, int],
    *,
    is_full_range: bool,
    is_bt709: bool,
) -> NDArray[np.uint8]:
    """The crop of a frame as RGB (height, width, 3); black where the frame ends.

    As `alignment.warp_color` of the converted frame, to rounding, but the planes are warped and
    only the crop's pixels are converted.

    Args:
        y: uint8 (H, W) luma; rows may be padded.
        u: uint8 (ceil(H / 2), ceil(W / 2)) blue less luma.
        v: uint8, red less luma, the same shape.
        matrix: (2, 3) from the frame's pixels to the crop's.
        shape: Height and width of the crop.
        is_full_range: True where black is 0 and white 255; False where they are 16 and 235.
        is_bt709: True for the colors of BT.709; False for BT.601.

    Raises:
        InvalidArray: The planes' shapes do not belong together.

    Source: ITU-R BT.601-7, section 2.5, and BT.709-6, section 3, for the weights of the colors.
    """
    _require_planes(y, u, v)
    cv2: Any = require("cv2", "preprocess")
    loops = _loops()
    frame_from_crop = invert_matrix(matrix)
    chroma_from_crop = 0.5 * (frame_from_crop - _CHROMA_SHIFT)
    times = supersampling(matrix, shape)
    # Where the crop does not shrink the frame, chroma has no more pixels than half a crop.
    spacing = 2.0 if times == 1 else 1 / supersampling(2 * matrix, shape)
    colors = np.empty((3, *shape), np.uint8)
    loops.convert(
        _warped(y, frame_from_crop, shape, 1 / times, _BLACK[is_full_range]),
        _warped(u, chroma_from_crop, shape, spacing, _GRAY),
        _warped(v, chroma_from_crop, shape, spacing, _GRAY),
        np.float32(_BLACK[is_full_range]),
        _gains(is_full_range, is_bt709),
        colors,
    )
    rgb: NDArray[np.uint8] = cv2.merge(colors)
    return rgb


def _loops() -> Any:
    """The compiled inner loops, or the line that installs numba."""
    require("numba", "preprocess")
    from mavfer.vision import color_kernels

    return color_kernels


def _warped(
    plane: NDArray[np.uint8],
    plane_from_crop: NDArray[np.float64],
    shape: tuple[int, int],
    spacing: float,
    border: int,
) -> NDArray[np.uint8]:
    """The crop of a plane, from samples that are `spacing` pixels of the crop apart.

    Below 1 they are averaged to the crop's size, at 2 the crop is doubled from them.
    """
    loops = _loops()
    linear = spacing * plane_from_crop[:, :2]
    first = plane_from_crop[:, 2] + (spacing - 1) / 2 * plane_from_crop[:, :2].sum(axis=1)
    height, width = (math.ceil(round(length / spacing, 6)) for length in shape)
    samples = np.empty((height, width), np.uint8)
    loops.warp_plane(plane, np.column_stack([linear, first]), border, samples)
    if spacing < 1:
        samples = average_down(samples, shape)
    elif spacing > 1:
        doubled = np.empty((2 * height, 2 * width), np.uint8)
        loops.double_plane(samples, np.empty(width, np.uint16), doubled)
        samples = doubled
    return samples[: shape[0], : shape[1]]


@lru_cache(maxsize=4)
def _gains(is_full_range: bool, is_bt709: bool) -> NDArray[np.float32]:
    """What a level of luma, then of v in red, u and v in green, u in blue counts in RGB."""
    red, blue = _RED_BLUE[is_bt709]
    green = 1 - red - blue
    chroma = 255 / _CHROMA_LEVELS[is_full_range]
    of_red, of_blue = 2 * (1 - red) * chroma, 2 * (1 - blue) * chroma
    gains = (
        255 / _LUMA_LEVELS[is_full_range],
        of_red,
        -of_blue * blue / green,
        -of_red * red / green,
        of_blue,
    )
    return np.array(gains, np.float32)


def _require_planes(y: NDArray[Any], u: NDArray[Any], v: NDArray[Any]) -> None:
    """Raises InvalidArray unless three planes are those of one frame."""
    halved = tuple(-(-length // 2) for length in y.shape)
    if u.shape != halved or v.shape != halved or y.dtype != np.uint8:
        message = (
            f"color planes: for luma {y.shape} chroma must be uint8 {halved}, got {u.shape} and "
            f"{v.shape}. Convert the frame to RGB and use warp_color"
        )
        raise InvalidArray(message)
