"""Contact sheets: typical frames of each session, the aligned streams side by side."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.dataset import load
from mavfer.errors import InvalidArray
from mavfer.files import replacing
from mavfer.progress import counted
from mavfer.streams import STREAM_NAMES
from mavfer.vision.pictures import (
    brightened,
    depth_picture,
    encode_picture,
    fitted,
    text_picture,
    thermal_picture,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from mavfer.dataset import Dataset, Recording

__all__ = ["session_rows", "stream_picture", "write_contact_sheet"]

_COLUMNS: Final = 8
_COLUMNS_OF_MANY: Final = 5
_FEW_SESSIONS: Final = 2
_TILES: Final = ((24, 112), (96, 84))
"""Up to so many sessions, pixels of a picture; of more sessions, the least."""
_LEAST_TILE: Final = 56
_GAP: Final = 4
_LABEL_WIDTH: Final = 92
_LINE: Final = 20
_HEADLINE: Final = 24
_MARGIN: Final = 24
_ASPECT: Final = 1.4
"""Width of the sheet over its height, about."""
_INK: Final = (31, 41, 51)
_SOFT: Final = (91, 103, 117)
_GROUND: Final = (245, 247, 249)
_DARK_LEVEL: Final = 40.0
"""Mean brightness of a color crop below which it is brightened."""
_KEY: Final = (
    "depth: bright is near, dark is far",
    "thermal: dark is 24 C, bright is 37 C",
    "gray: nothing measured",
)


def session_rows(rec: Recording, columns: int = _COLUMNS) -> dict[str, list[NDArray[np.uint8]]]:
    """Rows of pictures of one session: color, depth, thermal, each at the same frames.

    Frames are spread evenly over the session. Where more than half of the color crops are dark, a
    row "color, brightened" shows what is in them.
    """
    frames = _spread(rec, columns)
    color = [rec.color[frame] for frame in frames]
    rows: dict[str, list[NDArray[np.uint8]]] = {"color": color}
    if np.median([picture.mean() for picture in color]) < _DARK_LEVEL:
        rows["color, brightened"] = [brightened(picture) for picture in color]
    if rec.depth.is_there:
        rows["depth"] = [depth_picture(rec.depth[frame]) for frame in frames]
    if rec.thermal.is_there:
        rows["thermal"] = [thermal_picture(rec.thermal[frame]) for frame in frames]
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
    if not len(dataset):
        message = f"{root}: no sessions to show. Run: mavfer preprocess {root}"
        raise InvalidArray(message)
    data = encode_picture(_sheet(dataset), path.suffix or ".png")
    with replacing(path) as part:
        part.write_bytes(data)


def _session_sheet(rec: Recording, tile: int, columns: int) -> NDArray[np.uint8]:
    """One session with its name above, the streams beside, and the times below its pictures."""
    rows = session_rows(rec, columns)
    names = ["color", *(name for name in rows if name.startswith("color,")), *STREAM_NAMES[1:]]
    width = _LABEL_WIDTH + columns * (tile + _GAP)
    lines = [text_picture(_title(rec), (_HEADLINE, width), ink=_INK)]
    lines += [_row(name, rows.get(name), tile, columns) for name in names]
    return np.vstack([*lines, _times(rec, tile, columns)])


def _sheet(dataset: Dataset) -> NDArray[np.uint8]:
    """All sessions in a grid, a headline above, the key below."""
    count = len(dataset)
    columns = _COLUMNS if count <= _FEW_SESSIONS else _COLUMNS_OF_MANY
    tile = next((tile for most, tile in _TILES if count <= most), _LEAST_TILE)
    blocks = [_session_sheet(rec, tile, columns) for rec in dataset]
    height, width, _ = blocks[0].shape
    across = max(1, round(math.sqrt(_ASPECT * count * height / width)))
    grid = _grid(blocks, 1 if count <= _FEW_SESSIONS else min(across, count))
    headline = f"{_ascii(dataset.study.name)}: {counted(count, 'session')}"
    head = text_picture(headline, (_HEADLINE + 6, grid.shape[1]), ink=_INK, is_bold=True)
    key = [text_picture(words, (_LINE, grid.shape[1]), ink=_SOFT) for words in _key(grid.shape[1])]
    return np.pad(
        np.vstack([head, grid, *key]),
        ((_MARGIN // 2, _MARGIN // 2), (_MARGIN, _MARGIN), (0, 0)),
        constant_values=255,
    )


def _grid(blocks: Sequence[NDArray[np.uint8]], across: int) -> NDArray[np.uint8]:
    """Pictures of one width, row by row; white where they are lower than their neighbours."""
    wide = blocks[0].shape[1] + _MARGIN
    bands = []
    for first in range(0, len(blocks), across):
        band = blocks[first : first + across]
        high = max(block.shape[0] for block in band) + _MARGIN // 2
        white = np.full((high, across * wide, 3), 255, np.uint8)
        for place, block in enumerate(band):
            white[: block.shape[0], place * wide : place * wide + block.shape[1]] = block
        bands.append(white)
    return np.vstack(bands)[:, :-_MARGIN]


def _row(
    name: str, pictures: Sequence[NDArray[np.uint8]] | None, tile: int, columns: int
) -> NDArray[np.uint8]:
    """Pictures of one stream with its name; a low gray line where the session lacks it."""
    words = name.removeprefix("color, ")
    if pictures is None:
        row = np.full((_LINE, _LABEL_WIDTH + columns * (tile + _GAP), 3), 255, np.uint8)
        row[:-_GAP, _LABEL_WIDTH:-_GAP] = _GROUND
        label = text_picture(f"no {words}", (_LINE, _LABEL_WIDTH - 8), ink=_SOFT, align="right")
        row[:, : _LABEL_WIDTH - 8] = label
        return row
    row = np.full((tile + _GAP, _LABEL_WIDTH + columns * (tile + _GAP), 3), 255, np.uint8)
    top = (tile - _LINE) // 2
    label = text_picture(words, (_LINE, _LABEL_WIDTH - 8), ink=_SOFT, align="right")
    row[top : top + _LINE, : _LABEL_WIDTH - 8] = label
    for place, picture in enumerate(pictures):
        left = _LABEL_WIDTH + place * (tile + _GAP)
        row[:tile, left : left + tile] = fitted(picture, tile, tile)
    return row


def _times(rec: Recording, tile: int, columns: int) -> NDArray[np.uint8]:
    """When each column was, or the number of the still."""
    line = np.full((_LINE, _LABEL_WIDTH + columns * (tile + _GAP), 3), 255, np.uint8)
    for place, frame in enumerate(_spread(rec, columns)):
        seconds = rec.time_seconds[frame]
        words = f"{seconds:.1f} s" if np.isfinite(seconds) else f"{frame}"
        left = _LABEL_WIDTH + place * (tile + _GAP)
        line[:, left : left + tile] = text_picture(words, (_LINE, tile), ink=_SOFT, align="middle")
    return line


def _spread(rec: Recording, columns: int) -> list[int]:
    """Frames from the first to the last."""
    frames: list[int] = np.unique(
        np.linspace(0, len(rec) - 1, columns).round().astype(int)
    ).tolist()
    return frames


def _title(rec: Recording) -> str:
    """A session, its lighting where it is known, and how much of it there is."""
    lighting = rec.info["settings"].get("lighting")
    if rec.kind == "stills":
        length = f"{len(rec)} stills"
    else:
        length = f"{counted(len(rec), 'frame')} in {rec.info['seconds']:.1f} s"
    usable = f"{rec.info['valid_frames'] / len(rec):.0%} valid"
    return ", ".join([rec.session, *([_ascii(str(lighting))] if lighting else []), length, usable])


def _key(width: int) -> list[str]:
    """What the colors mean, in one line where there is room for it."""
    whole = "   ".join(_KEY)
    return [whole] if len(whole) * _LINE // 2 <= width else list(_KEY)


def _ascii(words: str) -> str:
    """Words with a question mark for each letter that cannot be drawn."""
    return words.encode("ascii", "replace").decode("ascii")
