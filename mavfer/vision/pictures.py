"""Crops as pictures that people can read: false colors, contact sheets, JPEG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from mavfer.errors import InvalidArray, require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "attention_picture",
    "brightened",
    "contact_sheet",
    "depth_picture",
    "encode_picture",
    "fitted",
    "text_picture",
    "thermal_picture",
]

_NEARER_MM: Final = 60.0
_FARTHER_MM: Final = 140.0
"""Shown around the face's depth: from the tip of the nose to behind the ears."""
_COLDEST_CELSIUS: Final = 24.0
_WARMEST_CELSIUS: Final = 37.0
_CENTIKELVIN_AT_ZERO: Final = 27315
_NOTHING: Final = (236, 238, 241)
"""Light gray where nothing was measured, so that holes do not pass for data."""
_ATTENDED: Final = (255, 60, 220)
"""Magenta, which neither skin nor the palettes of depth and thermal have."""
_GREATEST_SHARE: Final = 3.0
"""Times an even share of attention; more is shown like this."""
_MOST_COVERED: Final = 0.8
_DARKEST: Final = 0.3
_PALE: Final = 0.35
_GAP_PIXELS: Final = 4
_FINER: Final = 4
"""Times that letters are drawn larger and then reduced, which makes them smooth."""
_LETTER_SHARE: Final = 0.021
"""OpenCV's scale of letters, a pixel of the line's height."""
_BRIGHTEST: Final = 235.0


def depth_picture(depth_mm: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """A depth crop (H, W) as RGB (H, W, 3): near is bright, around the depth of the face."""
    known = depth_mm > 0
    if not known.any():
        return _filled(depth_mm.shape)
    middle = np.median(_centre(depth_mm)[_centre(known)]) if _centre(known).any() else 0.0
    nearness = (middle + _FARTHER_MM - depth_mm) / (_NEARER_MM + _FARTHER_MM)
    return _colored(nearness, known, "COLORMAP_VIRIDIS")


def thermal_picture(thermal_centikelvin: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """A thermal crop (H, W) as RGB (H, W, 3): 24 °C is dark, 37 °C is bright, the same for all."""
    celsius = (thermal_centikelvin.astype(np.float64) - _CENTIKELVIN_AT_ZERO) / 100
    warmth = (celsius - _COLDEST_CELSIUS) / (_WARMEST_CELSIUS - _COLDEST_CELSIUS)
    return _colored(warmth, thermal_centikelvin > 0, "COLORMAP_INFERNO")


def brightened(color: NDArray[np.uint8], gain: float | None = None) -> NDArray[np.uint8]:
    """A dark color crop (H, W, 3) made visible, by `gain` or until its brightest part is white."""
    top = float(np.percentile(color, 99.5))
    factor = (_BRIGHTEST / max(top, 1.0)) if gain is None else gain
    brighter: NDArray[np.uint8] = np.clip(color * max(factor, 1.0), 0, 255).astype(np.uint8)
    return brighter


def attention_picture(
    picture: NDArray[np.uint8], attention: NDArray[np.floating[Any]], box: NDArray[Any]
) -> NDArray[np.uint8]:
    """A crop with attention over it: magenta is more than an even share, dark is less.

    Args:
        picture: (H, W, 3), RGB.
        attention: (h, w), not negative; an even share is its mean.
        box: Left, top, width, height of the map in pixels of the picture; pale outside.
    """
    cv2: Any = require("cv2", "preprocess")
    left, top, width, height = (float(edge) for edge in box)
    rows, columns = attention.shape
    # From pixels of the picture to those of the map, centres at integers.
    to_map = np.array(
        [
            [columns / width, 0, (0.5 - left) * columns / width - 0.5],
            [0, rows / height, (0.5 - top) * rows / height - 0.5],
        ]
    )
    share = (attention / max(float(attention.mean()), 1e-12)).astype(np.float32)
    size, inwards = picture.shape[1::-1], cv2.WARP_INVERSE_MAP
    smooth = inwards | cv2.INTER_LINEAR
    seen = cv2.warpAffine(share, to_map, size, flags=smooth, borderMode=cv2.BORDER_REPLICATE)
    is_inside = cv2.warpAffine(np.ones_like(share), to_map, size, flags=inwards)[:, :, None]
    cover = np.clip((seen - 1) / (_GREATEST_SHARE - 1), 0, 1)[:, :, None] * _MOST_COVERED
    shade = _DARKEST + (1 - _DARKEST) * np.clip(seen, 0, 1)[:, :, None]
    attended = picture * shade * (1 - cover) + np.array(_ATTENDED) * cover
    outside = picture * _PALE + (1 - _PALE) * np.array(_NOTHING)
    shown: NDArray[np.float64] = np.where(is_inside > 0, attended, outside)
    return np.clip(shown, 0, 255).astype(np.uint8)


def contact_sheet(rows: Sequence[Sequence[NDArray[np.uint8]]], *, tile: int) -> NDArray[np.uint8]:
    """Pictures (H, W, 3) set in rows and columns as one, each scaled to `tile` pixels square.

    Raises:
        InvalidArray: There is no picture.
    """
    cv2: Any = require("cv2", "preprocess")
    if not rows or not rows[0]:
        message = "contact sheet: there is no picture to show"
        raise InvalidArray(message)
    columns = max(len(row) for row in rows)
    step = tile + _GAP_PIXELS
    sheet = np.full(
        (len(rows) * step - _GAP_PIXELS, columns * step - _GAP_PIXELS, 3), 255, np.uint8
    )
    for top, row in enumerate(rows):
        for left, picture in enumerate(row):
            scaled = cv2.resize(picture, (tile, tile), interpolation=cv2.INTER_AREA)
            y, x = top * step, left * step
            sheet[y : y + tile, x : x + tile] = scaled
    return sheet


def fitted(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """A picture (H, W, 3) scaled into (height, width, 3) with white beside it; keeps its shape."""
    cv2: Any = require("cv2", "preprocess")
    scale = min(height / picture.shape[0], width / picture.shape[1])
    rows, columns = (max(1, round(scale * length)) for length in picture.shape[:2])
    top, left = (height - rows) // 2, (width - columns) // 2
    framed = np.full((height, width, 3), 255, np.uint8)
    shown = cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA)
    framed[top : top + rows, left : left + columns] = shown
    return framed


def text_picture(
    words: str,
    size: tuple[int, int],
    *,
    ink: tuple[int, int, int],
    align: Literal["left", "middle", "right"] = "left",
    is_bold: bool = False,
) -> NDArray[np.uint8]:
    """A line of ASCII on white (H, W, 3); what does not fit ends in three dots.

    Args:
        words: The text; OpenCV has no other letters than ASCII.
        size: Height and width of the picture; the letters take half of the height.
        ink: RGB of the letters.
        align: Where they stand.
        is_bold: Heavier letters.
    """
    cv2: Any = require("cv2", "preprocess")
    height, width = size
    scale, thick = _LETTER_SHARE * height * _FINER, _FINER * 3 // 2 if is_bold else _FINER
    look = (cv2.FONT_HERSHEY_SIMPLEX, scale, thick)

    def pixels(text: str) -> int:
        return int(cv2.getTextSize(text, *look)[0][0])

    shown = words
    while shown and pixels(shown) > width * _FINER:
        words = words[:-1]
        shown = f"{words}..." if words else ""
    room = width * _FINER - pixels(shown)
    left = {"left": 0, "middle": room // 2, "right": room}[align]
    large = np.full((height * _FINER, width * _FINER, 3), 255, np.uint8)
    place = (left, round(0.7 * height * _FINER))
    cv2.putText(large, shown, place, *look[:2], ink, thick, cv2.LINE_AA)
    small: NDArray[np.uint8] = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)
    return small


def encode_picture(picture: NDArray[np.uint8], ending: str = ".jpg", quality: int = 88) -> bytes:
    """The bytes of a JPEG or PNG file of an RGB picture (H, W, 3).

    Raises:
        InvalidArray: OpenCV cannot write pictures with this ending.
    """
    cv2: Any = require("cv2", "preprocess")
    try:
        settings = [] if ending == ".png" else [cv2.IMWRITE_JPEG_QUALITY, quality]
        done, encoded = cv2.imencode(ending, picture[:, :, ::-1], settings)
    except cv2.error as error:
        message = f"{ending!r}: pictures cannot be written with this ending. Use .png or .jpg"
        raise InvalidArray(message) from error
    if not done:
        message = f"picture of shape {picture.shape}: cannot be written as {ending}"
        raise InvalidArray(message)
    data: bytes = encoded.tobytes()
    return data


def _colored(share: NDArray[Any], known: NDArray[np.bool_], palette: str) -> NDArray[np.uint8]:
    """Shares 0 to 1 (H, W) through a palette; light gray where nothing is known."""
    cv2: Any = require("cv2", "preprocess")
    levels = np.clip(share * 255, 0, 255).astype(np.uint8)
    picture: NDArray[np.uint8] = cv2.applyColorMap(levels, getattr(cv2, palette))[:, :, ::-1].copy()
    picture[~known] = _NOTHING
    return picture


def _filled(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.full((*shape, 3), _NOTHING, np.uint8)


def _centre(array: NDArray[Any]) -> NDArray[Any]:
    """The middle half of an image in each direction."""
    height, width = array.shape
    return array[height // 4 : -(height // 4), width // 4 : -(width // 4)]
