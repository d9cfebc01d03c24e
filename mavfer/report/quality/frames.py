"""Which frames of a session are shown, and what is said under each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.report.quality.findings import TROUBLES
from mavfer.vision.pictures import (
    brightened,
    contact_sheet,
    depth_picture,
    encode_picture,
    fitted,
    thermal_picture,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mavfer.report.quality.facts import SessionFacts
    from mavfer.report.quality.findings import Stretch
    from mavfer.streams import StreamName
    from mavfer.study.shards import Shard

__all__ = ["ShownFrame", "picture_of", "typical_frames", "worst_frames"]

_MOST_WORST: Final = 9
_MOST_OF_A_TROUBLE: Final = 2
_TYPICAL: Final = 6
_JPEG_QUALITY: Final = 82
_DARK_LEVEL: Final = 40.0
"""Mean of a color crop below which it is shown brightened."""
_NOTHING: Final = 236
_WITHOUT_CROP: Final = ("no_face", "lost")


@dataclass(frozen=True)
class ShownFrame:
    """A frame and the words under it."""

    index: int
    words: str


def worst_frames(facts: SessionFacts, stretches: Sequence[Stretch]) -> list[ShownFrame]:
    """The worst frame of each of the worst stretches that have a crop, a few of each trouble."""
    shown: list[ShownFrame] = []
    count = dict.fromkeys(TROUBLES, 0)
    for stretch in stretches:
        if stretch.trouble in _WITHOUT_CROP or count[stretch.trouble] == _MOST_OF_A_TROUBLE:
            continue
        count[stretch.trouble] += 1
        index, words = _worst_of(facts, stretch)
        shown.append(ShownFrame(index, words))
    return shown[:_MOST_WORST]


def typical_frames(facts: SessionFacts, troubles: dict[str, NDArray[np.bool_]]) -> list[ShownFrame]:
    """Frames without trouble from all over the session, as many seen as carried ones."""
    amiss = [on for name, on in troubles.items() if name != "carried"]
    good = facts.is_usable & ~np.logical_or.reduce(amiss)
    kinds = [np.flatnonzero(good & ~facts.is_carried), np.flatnonzero(good & facts.is_carried)]
    there = [rows for rows in kinds if rows.size]
    chosen = [
        int(row)
        for rows in there
        for row in rows[
            np.unique(np.linspace(0, len(rows) - 1, _TYPICAL // len(there)).astype(int))
        ]
    ]
    return [ShownFrame(row, _described(facts, row)) for row in sorted(chosen)]


def picture_of(shard: Shard, frames: Sequence[int], tile: int) -> bytes:
    """The streams of frames side by side in one line, as a JPEG."""
    pictures = [
        fitted(_stream_picture(shard, stream, index), tile, tile)
        for index in frames
        for stream in shard.streams
    ]
    return encode_picture(contact_sheet([pictures], tile=tile), quality=_JPEG_QUALITY)


def _stream_picture(shard: Shard, stream: StreamName, index: int) -> NDArray[np.uint8]:
    pixels: NDArray[Any] = shard.read(stream, range(index, index + 1))[0]
    if stream == "depth":
        return depth_picture(pixels)
    if stream == "thermal":
        return thermal_picture(pixels)
    if not pixels.any():
        return np.full_like(pixels, _NOTHING)
    return brightened(pixels) if pixels.mean() < _DARK_LEVEL else pixels


def _worst_of(facts: SessionFacts, stretch: Stretch) -> tuple[int, str]:
    """The frame of a stretch in which its trouble is greatest, with the number that says so."""
    rows = np.arange(stretch.first, stretch.last + 1)
    column, sign, told = _MEASURE.get(stretch.trouble, ("", 1, ""))
    words = TROUBLES[stretch.trouble].words
    values = facts.measure(column)[rows] if column else np.full(len(rows), np.nan)
    if not np.isfinite(values).any():
        return int(rows[len(rows) // 2]), words
    index = int(rows[np.nanargmax(sign * values)])
    return index, f"{words} ({told.format(facts.measure(column)[index])})"


_MEASURE: Final = {
    "outside": ("inside", -1, "{:.0%} inside"),
    "doubtful": ("agreement", 1, "agreement {:.1f} %"),
    "sparse_depth": ("depth_coverage", -1, "{:.0%} covered"),
    "no_depth": ("depth_coverage", -1, "{:.0%} covered"),
    "sparse_thermal": ("thermal_coverage", -1, "{:.0%} covered"),
    "carried": ("carry_residual_mm", 1, "{:.1f} mm beside the head's surface"),
}
"""By trouble: which measure tells the worst frame, its sign there, and how it is told."""


def _described(facts: SessionFacts, index: int) -> str:
    """A frame's measures in a few words."""
    values = {name: float(facts.measure(name)[index]) for name in _SHORT}
    known = [_SHORT[name].format(value) for name, value in values.items() if np.isfinite(value)]
    if facts.is_carried[index]:
        known.insert(0, "carried by depth")
    return ", ".join(known) or "nothing was measured"


_SHORT: Final = {
    "agreement": "agreement {:.1f} %",
    "blur": "sharpness {:.0f}",
    "depth_coverage": "depth {:.0%}",
    "thermal_coverage": "thermal {:.0%}",
}
