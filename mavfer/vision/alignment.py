"""Faces brought upright into crops of a fixed size.

A crop is a similarity of the frame, one matrix (2, 3) a frame that is stored with its pixels, so
landmarks stay in the source's pixels and every crop can be undone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import CommandError, InvalidArray, require
from mavfer.vision.landmarks import LANDMARKS, is_found
from mavfer.vision.mean_face import MEAN_FACE, STABLE_POINTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "DEFAULT_PRESET",
    "PRESETS",
    "Preset",
    "average_down",
    "crop_matrices",
    "crop_matrix",
    "find_preset",
    "supersampling",
    "warp_color",
]

DEFAULT_PRESET: Final = "mavfer224"

_CUSTOM: Final = "custom:"
_EXAMPLE: Final = "size=256,eyes=0.3,x=0.5,y=0.35"
_LIMITS: Final = {"size": (32.0, 2048.0), "eyes": (0.05, 0.9), "x": (0.0, 1.0), "y": (0.0, 1.0)}
_DEFAULTS: Final = {"x": 0.5, "y": 0.35}
_MAX_SUPERSAMPLING: Final = 8
_ONE_AND_A_HALF: Final = 1.5


@dataclass(frozen=True)
class Preset:
    """Where the mean face's eyes lie in a crop; lengths are shares of the crop's side."""

    name: str
    size: int | None
    """Side of the crop in pixels; None: the crop is the frame as it is."""
    eye_distance: float = 0.0
    """Distance of the eye centres."""
    eye_x: float = 0.5
    """Midway between the eyes, from the left edge."""
    eye_y: float = 0.0
    """Midway between the eyes, from the upper edge."""
    source: str = "ours"
    """Where the numbers come from."""

    def crop_shape(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the crop of a frame of this height and width."""
        return (height, width) if self.size is None else (self.size, self.size)

    def canonical(self) -> NDArray[np.float64]:
        """Landmarks (68, 2) of the mean face in pixels of the crop.

        Raises:
            CommandError: The preset keeps the frame as it is, so there is no fixed place.
        """
        if self.size is None:
            message = f"alignment preset {self.name}: leaves faces where they are"
            raise CommandError(message)
        centre = np.array([self.eye_x, self.eye_y])
        # Shares are of the crop's area, whose left edge is half a pixel left of pixel 0.
        canonical: NDArray[np.float64] = (MEAN_FACE[:, :2] * self.eye_distance + centre) * self.size
        return canonical - 0.5


PRESETS: Final[dict[str, Preset]] = {
    preset.name: preset
    for preset in (
        # As large as the chin of an open mouth and a finger's breadth of hairline allow.
        Preset("mavfer224", 224, 0.350, 0.5, 0.300),
        Preset("arcface112", 112, 0.3338, 0.5037, 0.4729, "insightface's five points, fitted"),
        Preset("arcface224", 224, 0.3338, 0.5037, 0.4729, "insightface's five points, fitted"),
        Preset("openface112", 112, 0.3938, 0.5, 0.2639, "0.7 px/mm, mean of the points centred"),
        Preset("ffhq256", 256, 0.250, 0.5, 0.475, "side of 4 eye distances, Karras et al. 2019"),
        Preset("none", None),
    )
}


def find_preset(name: str) -> Preset:
    """The preset of a name, or the custom one that the name spells out.

    A custom preset says where the eyes shall lie, in shares of the crop's side: with
    `custom:size=256,eyes=0.3,x=0.5,y=0.35` the crop is 256 pixels wide and high, the eyes' centres
    are 0.3 of that apart, and midway between them is the middle of the width, 0.35 from the upper
    edge. `x` and `y` may be left out. The preset's name is the same text with all four in order.

    Raises:
        CommandError: There is none of that name, or the custom one makes no sense.
    """
    if name.startswith(_CUSTOM):
        return _custom_preset(name)
    if name not in PRESETS:
        message = (
            f"no alignment preset {name!r}. There are: {', '.join(PRESETS)}, "
            f"and {_CUSTOM}{_EXAMPLE}"
        )
        raise CommandError(message)
    return PRESETS[name]


def _custom_preset(name: str) -> Preset:
    """The preset that a text such as `custom:size=256,eyes=0.3` describes."""
    numbers = dict(_DEFAULTS)
    given = [part.partition("=") for part in name.removeprefix(_CUSTOM).split(",")]
    for key, _, text in given:
        numbers[key.strip()] = _number(name, key.strip(), text)
    if len({key for key, _, _ in given}) < len(given):
        raise _nonsense(name, "something is said twice")
    if missing := [key for key in _LIMITS if key not in numbers]:
        raise _nonsense(name, f"{' and '.join(missing)} is missing")
    size, eyes, x, y = (numbers[key] for key in _LIMITS)
    if size != int(size):
        raise _nonsense(name, f"size is in whole pixels, not {size:g}")
    if not eyes / 2 <= x <= 1 - eyes / 2:
        raise _nonsense(name, "one of the eyes would lie outside of the crop")
    canonical = f"{_CUSTOM}size={size:g},eyes={eyes:g},x={x:g},y={y:g}"
    return Preset(canonical, int(size), eyes, x, y, "custom")


def _number(name: str, key: str, text: str) -> float:
    """The number that a custom preset gives for a key."""
    if key not in _LIMITS:
        raise _nonsense(name, f"{key!r} is none of {', '.join(_LIMITS)}")
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    low, high = _LIMITS[key]
    if not low <= number <= high:
        raise _nonsense(name, f"{key} is a number from {low:g} to {high:g}, not {text.strip()!r}")
    return number


def _nonsense(name: str, what: str) -> CommandError:
    return CommandError(f"alignment preset {name!r}: {what}. Write for example {_CUSTOM}{_EXAMPLE}")


def crop_matrix(landmarks: NDArray[Any], preset: Preset) -> NDArray[np.float64]:
    """The matrix (2, 3) from a frame's pixels to the crop's.

    The similarity is fitted on points that expressions hardly move, so that a smile moves the
    mouth in the crop and not the crop.

    Args:
        landmarks: (68, 2) pixels of the frame, of which at least the five stable points are known;
            a matrix of NaN where they are not.
        preset: Where the face shall come to lie; without a size the matrix is the identity.

    Raises:
        InvalidArray: `landmarks` has another shape.
    """
    if landmarks.shape != (LANDMARKS, 2):
        message = f"crop matrix: needs landmarks of shape (68, 2), got {landmarks.shape}"
        raise InvalidArray(message)
    matrix: NDArray[np.float64] = crop_matrices(landmarks[None], preset)[0]
    return matrix


def crop_matrices(landmarks: NDArray[Any], preset: Preset) -> NDArray[np.float64]:
    """The matrices (N, 2, 3) of `crop_matrix` for landmarks (N, 68, 2), all at once.

    Source: Umeyama 1991, IEEE TPAMI 13(4), equations 40-43; in two dimensions the solution is
        closed, as in `geometry.estimate_similarity`.
    """
    if preset.size is None:
        return np.broadcast_to(np.eye(2, 3), (len(landmarks), 2, 3)).copy()
    stable, as_complex = list(STABLE_POINTS), np.array([1, 1j])
    source = landmarks[:, stable].astype(np.float64) @ as_complex
    target = preset.canonical()[stable] @ as_complex
    known = np.isfinite(source)
    shares = known / np.maximum(known.sum(axis=1), 1)[:, None]
    source = np.where(known, source, 0)
    source_centre, target_centre = (shares * source).sum(axis=1), shares @ target
    a = source - source_centre[:, None]
    spread = (shares * np.abs(a) ** 2).sum(axis=1)
    product = (shares * (target - target_centre[:, None]) * a.conj()).sum(axis=1)
    unknown = np.full(len(landmarks), np.nan, np.complex128)
    turn = np.divide(product, spread, out=unknown, where=spread > 0)
    shift = target_centre - turn * source_centre
    rows = [[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]]
    matrices: NDArray[np.float64] = np.moveaxis(np.array(rows), 2, 0)
    matrices[~is_found(landmarks)] = np.nan
    return np.ascontiguousarray(matrices)


def warp_color(
    frame: NDArray[np.uint8], matrix: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """The crop of a frame; black where the frame ends.

    Where the crop shrinks the frame, it is first made at a multiple of its size and then averaged
    down, so that nothing finer than the crop's pixels turns into moiré.

    Args:
        frame: uint8 (H, W, 3) or (H, W).
        matrix: (2, 3) from the frame's pixels to the crop's.
        shape: Height and width of the crop.
    """
    cv2: Any = require("cv2", "preprocess")
    height, width = shape
    times = supersampling(matrix, shape)
    fine = times * matrix
    fine[:, 2] += (times - 1) / 2
    crop: NDArray[np.uint8] = cv2.warpAffine(
        frame, fine, (round(times * width), round(times * height)), flags=cv2.INTER_LINEAR
    )
    return average_down(crop, shape) if times > 1 else crop


def supersampling(matrix: NDArray[np.float64], shape: tuple[int, int]) -> float:
    """How many times its size a crop is first made at, so that what it shrinks is averaged.

    1, one and a half where both sides (height, width) of the crop are even, 2, 3 and so on.
    """
    (a, b), (c, d) = matrix[:, :2].tolist()
    # Up to a quarter more is left to bilinear interpolation, which averages that much by itself.
    needed = 1 / math.sqrt(abs(a * d - b * c)) / 1.25
    if 1 < needed <= _ONE_AND_A_HALF and shape[0] % 2 == shape[1] % 2 == 0:
        return _ONE_AND_A_HALF
    return min(max(math.ceil(needed), 1), _MAX_SUPERSAMPLING)


def average_down(picture: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture of `supersampling` times the shape (height, width), averaged to it."""
    cv2: Any = require("cv2", "preprocess")
    is_whole = picture.shape[0] % shape[0] == 0
    # At one and a half linear interpolation is an average of all samples too, and quicker.
    way = cv2.INTER_AREA if is_whole else cv2.INTER_LINEAR
    averaged: NDArray[np.uint8] = cv2.resize(picture, shape[::-1], interpolation=way)
    return averaged
