"""Contact sheets: typical frames of each session, the aligned streams side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.dataset import load
from mavfer.errors import InvalidArray
from mavfer.files import replacing
from mavfer.vision.pictures import (
    brightened,
    contact_sheet,
    depth_picture,
    encode_picture,
    thermal_picture,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mavfer.dataset import Recording

__all__ = ["session_rows", "stream_picture", "write_contact_sheet"]

_TILE: Final = 112
_COLUMNS: Final = 8
_DARK_LEVEL: Final = 40.0
"""Mean brightness of a color crop below which it is brightened."""


def session_rows(rec: Recording, columns: int = _COLUMNS) -> dict[str, list[NDArray[np.uint8]]]:
    """Rows of pictures of one session: color, depth, thermal, each at the same frames.

    Frames are spread evenly over the session. Where more than half of the color crops are dark, a
    row "color, brightened" shows what is in them.
    """
    frames = np.unique(np.linspace(0, len(rec) - 1, columns).round().astype(int))
    color = [rec.color[int(frame)] for frame in frames]
    rows: dict[str, list[NDArray[np.uint8]]] = {"color": color}
    if np.median([picture.mean() for picture in color]) < _DARK_LEVEL:
        rows["color, brightened"] = [brightened(picture) for picture in color]
    if rec.depth.is_there:
        rows["depth"] = [depth_picture(rec.depth[int(frame)]) for frame in frames]
    if rec.thermal.is_there:
        rows["thermal"] = [thermal_picture(rec.thermal[int(frame)]) for frame in frames]
    return rows


def stream_picture(rec: Recording, stream: str, frame: int) -> NDArray[np.uint8]:
    """One crop as an RGB picture (H, W, 3); color is brightened where it is dark."""
    if stream == "depth":
        return depth_picture(rec.depth[frame])
    if stream == "thermal":
        return thermal_picture(rec.thermal[frame])
    color = rec.color[frame]
    return brightened(color) if color.mean() < _DARK_LEVEL else color


def write_contact_sheet(root: Path, path: Path) -> None:
    """Writes one picture with the rows of every session of the study in `root`.

    Raises:
        NotFound: There is no study, or it has no shards.
        InvalidArray: Pictures cannot be written with the ending of `path`.
    """
    dataset = load(root, labels=None)
    rows: list[Any] = [row for rec in dataset for row in session_rows(rec).values()]
    if not rows:
        message = f"{root}: no sessions to show. Run: mavfer preprocess {root}"
        raise InvalidArray(message)
    data = encode_picture(contact_sheet(rows, tile=_TILE), path.suffix or ".png")
    with replacing(path) as part:
        part.write_bytes(data)
