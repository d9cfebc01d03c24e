"""Other ways to see depth and thermal frames: in units, and relative to the nose.

A view is computed from raw pixels when it is asked for, and stands beside them; nothing is changed
in place. Values that were not measured (0 in a shard) are NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from mavfer.errors import CommandError
from mavfer.streams import StreamName, celsius_from_centikelvin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

__all__ = ["VIEWS", "View", "ViewName", "compute_view", "nose_places", "require_views"]

ViewName = Literal["depth_mm", "depth_relative", "thermal_celsius"]


@dataclass(frozen=True)
class View:
    """What the values of a view are."""

    stream: StreamName
    """Stream that it is computed from."""
    unit: str
    """What the numbers count."""


VIEWS: Final[dict[ViewName, View]] = {
    "depth_mm": View("depth", "millimetres along the color camera's axis"),
    "depth_relative": View("depth", "millimetres behind the plane through the nose"),
    "thermal_celsius": View("thermal", "degrees Celsius"),
}
"""Views by name."""

# Of the 68 points: the lower bridge, the tip and the point under it.
_NOSE_POINTS: Final = (29, 30, 33)
_NOSE_RADIUS_SHARE: Final = 0.03
"""Of the crop's height: half the side of the window in which the nose's depth is taken."""


def compute_view(name: ViewName, frames: NDArray[Any], noses: Floats | None = None) -> Floats:
    """A view of some frames.

    Args:
        name: Which.
        frames: uint16 (n, H, W), raw depth or thermal.
        noses: float32 (n, 2), the nose in each crop (x, y), NaN where it is not known; needed for
            "depth_relative" alone.

    Returns:
        float32 (n, H, W), NaN where nothing was measured.
    """
    values: Floats = frames.astype(np.float32)
    values[frames == 0] = np.nan
    if name == "thermal_celsius":
        return celsius_from_centikelvin(values)  # type: ignore[arg-type, return-value]
    if name == "depth_relative":
        if noses is None:
            message = "depth_relative needs the places of the nose"
            raise CommandError(message)
        depths = [_nose_depth(frame, x, y) for frame, (x, y) in zip(values, noses, strict=True)]
        values -= np.array(depths, np.float32)[:, None, None]
    return values


def nose_places(landmarks: Floats, crop_matrix: NDArray[np.float64]) -> Floats:
    """Where the nose is in each crop; ours.

    Crops are aligned by the face, so where a frame has no landmarks the session's median serves.

    Args:
        landmarks: float32 (T, 68, 2) in source pixels, NaN where none.
        crop_matrix: float64 (T, 2, 3) from source to crop.

    Returns:
        float32 (T, 2), NaN where the session has no landmarks at all.
    """
    nose = landmarks[:, _NOSE_POINTS].mean(axis=1)
    places = (crop_matrix[:, :, :2] @ nose[:, :, None])[:, :, 0] + crop_matrix[:, :, 2]
    is_known = np.isfinite(places).all(axis=1)
    if is_known.any():
        places[~is_known] = np.median(places[is_known], axis=0)
    in_crop: Floats = places.astype(np.float32)
    return in_crop


def require_views(views: Sequence[str], modalities: Sequence[str]) -> None:
    """Raises where a view does not exist or its stream was not asked for.

    Raises:
        CommandError: The message lists what there is.
    """
    for name in (views,) if isinstance(views, str) else views:
        if isinstance(views, str) or name not in get_args(ViewName):
            message = f"views is {views!r}. Give some of {', '.join(VIEWS)} in a tuple"
            raise CommandError(message)
        if VIEWS[name].stream not in modalities:  # type: ignore[index]  # checked above
            message = f"view {name} needs the stream {VIEWS[name].stream}, loaded: {modalities}"  # type: ignore[index]
            raise CommandError(message)


def _nose_depth(frame: Floats, x: float, y: float) -> float:
    """The median depth around the nose; of the whole frame where nothing is known there."""
    if np.isfinite(x) and np.isfinite(y):
        height, width = frame.shape
        radius = max(round(_NOSE_RADIUS_SHARE * height), 1)
        column, row = (int(np.clip(round(v), 0, s - 1)) for v, s in ((x, width), (y, height)))
        around = frame[
            max(row - radius, 0) : row + radius + 1, max(column - radius, 0) : column + radius + 1
        ]
        if np.isfinite(around).any():
            return float(np.nanmedian(around))
    return float(np.nanmedian(frame)) if np.isfinite(frame).any() else np.nan
