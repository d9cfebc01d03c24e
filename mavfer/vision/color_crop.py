"""Color crops straight from a video's planes: only the crop's pixels are turned into RGB."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import InvalidArray, require
from mavfer.vision.alignment import supersampling
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
_FRAME_FROM_CHROMA: Final = np.array([[2.0, 0, 0.5], [0, 2, 0.5], [0, 0, 1]])
"""A chroma sample stands for the middle of four pixels, as FFmpeg's converter makes and reads it
where a file does not say otherwise."""
_HALF_PIXEL: Final = np.array([[0, 0, 0.5], [0, 0, 0.5]])


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
    colors = np.empty((3, *shape), np.uint8)
    _loops().convert(
        _warped(y, matrix, shape, _BLACK[is_full_range]),
        _warped_chroma(u, matrix, shape),
        _warped_chroma(v, matrix, shape),
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


def _warped_chroma(
    plane: NDArray[np.uint8], matrix: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """The crop of a plane of half the frame's size.

    Where the crop does not shrink the frame, the plane has no more pixels than a crop of half the
    size: that is made, and doubled.
    """
    of_chroma = (np.concatenate([matrix, [[0.0, 0, 1]]]) @ _FRAME_FROM_CHROMA)[:2]
    if supersampling(matrix) > 1:
        return _warped(plane, of_chroma, shape, _GRAY)
    height, width = (-(-length // 2) for length in shape)
    halved = _warped(plane, (of_chroma - _HALF_PIXEL) / 2, (height, width), _GRAY)
    cv2: Any = require("cv2", "preprocess")
    doubled: NDArray[np.uint8] = cv2.resize(
        halved, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR
    )
    return doubled[: shape[0], : shape[1]]


def _warped(
    plane: NDArray[np.uint8], matrix: NDArray[np.float64], shape: tuple[int, int], border: int
) -> NDArray[np.uint8]:
    """The crop of a plane; where it shrinks the plane, made at a multiple and averaged down."""
    times = supersampling(matrix)
    fine = times * matrix
    fine[:, 2] += (times - 1) / 2
    crop = np.empty((times * shape[0], times * shape[1]), np.uint8)
    _loops().warp_plane(plane, invert_matrix(fine), border, crop)
    if times > 1:
        cv2: Any = require("cv2", "preprocess")
        crop = cv2.resize(crop, shape[::-1], interpolation=cv2.INTER_AREA)
    return crop


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
