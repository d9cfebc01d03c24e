"""A stretch of finished frames on its way: crops encoded a group at a time, pictures, columns.

What a stretch holds can be laid down as plain arrays and taken up by a later run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.study.picture_encoder import EncodedPicture
from mavfer.study.shard_streams import EncodedFrames, encode_frames, encode_masks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from mavfer.preprocess.crops import Crops
    from mavfer.study.pixels import Profile

    Arrays = dict[str, NDArray[Any]]

__all__ = ["GROUP_FRAMES", "SEGMENT_FRAMES", "Segment", "groups_of", "pictures_of"]

GROUP_FRAMES: Final = 8
SEGMENT_FRAMES: Final = 128
"""Frames that are lost at most when a run is killed: about a second of work, and a second to look
for the nearest keyframe."""
_TRIAL_GROUPS: Final = 4
"""Once in so many groups, about a second, all predictors are tried."""

_STREAMS: Final = ("color", "depth", "thermal", "depth_mask", "thermal_mask")


class Segment:
    """The finished frames of one stretch."""

    def __init__(self, profile: Profile) -> None:
        """Begins a stretch whose crops are compressed by `profile`."""
        self._profile = profile
        self._waiting: list[Crops] = []
        self._groups: dict[str, list[EncodedFrames]] = {}
        self._pictures: list[EncodedPicture] = []
        self._columns: dict[str, list[Any]] = {"pose": [], "quality": [], "valid": [], "reason": []}

    def add(self, crops: Crops) -> None:
        """Adds one frame's crops and measures."""
        self._waiting.append(crops)
        for name, column in self._columns.items():
            column.append(getattr(crops.measures, name))
        if len(self._waiting) == GROUP_FRAMES:
            self._encode()

    def add_pictures(self, pictures: list[EncodedPicture]) -> None:
        """Adds what raters will see."""
        self._pictures += pictures

    def arrays(self) -> Arrays:
        """The stretch as plain arrays; nothing may be added after it."""
        if self._waiting:
            self._encode()
        arrays: Arrays = {
            "pose": np.array(self._columns["pose"], np.float32),
            "quality": np.concatenate(self._columns["quality"]),
            "valid": np.array(self._columns["valid"], np.uint8),
            "reason": np.array(self._columns["reason"], np.uint8),
        }
        for name, groups in self._groups.items():
            arrays |= _laid_down(name, groups)
        blocks = [picture.block for picture in self._pictures]
        arrays["media_bytes"], arrays["media_lengths"] = _joined(blocks)
        arrays["media_pts"] = np.array([picture.pts for picture in self._pictures], np.int64)
        arrays["media_is_key"] = np.array([picture.is_key for picture in self._pictures], np.bool_)
        return arrays

    def _encode(self) -> None:
        frames, self._waiting = self._waiting, []
        for name in _STREAMS:
            if getattr(frames[0], name) is None:
                continue
            stacked = np.stack([getattr(crops, name) for crops in frames])
            groups = self._groups.setdefault(name, [])
            if name.endswith("_mask"):
                groups.append(encode_masks(stacked))
            else:
                like = groups[-1] if len(groups) % _TRIAL_GROUPS else None
                groups.append(encode_frames(stacked, self._profile, like))


def groups_of(arrays: Mapping[str, NDArray[Any]]) -> Iterator[dict[str, EncodedFrames]]:
    """The groups of a stretch, each with all streams and masks."""
    taken = {name: _taken_up(arrays, name) for name in _STREAMS if f"{name}_lengths" in arrays}
    for parts in zip(*taken.values(), strict=True):
        yield dict(zip(taken, parts, strict=True))


def pictures_of(arrays: Mapping[str, NDArray[Any]]) -> Iterator[EncodedPicture]:
    """What raters see of a stretch."""
    blocks = _parted(arrays["media_bytes"], arrays["media_lengths"])
    stamps, keys = arrays["media_pts"].tolist(), arrays["media_is_key"].tolist()
    for block, pts, is_key in zip(blocks, stamps, keys, strict=True):
        yield EncodedPicture(block, pts, is_key)


def _laid_down(name: str, groups: list[EncodedFrames]) -> Arrays:
    block, lengths = _joined([chunk for group in groups for chunk in group.chunks])
    return {
        f"{name}_bytes": block,
        f"{name}_lengths": lengths,
        f"{name}_predictors": np.array([group.predictor for group in groups], np.uint8),
        f"{name}_like": np.empty((0, *groups[0].frame_shape), groups[0].dtype),
    }


def _taken_up(arrays: Mapping[str, NDArray[Any]], name: str) -> Iterator[EncodedFrames]:
    chunks = list(_parted(arrays[f"{name}_bytes"], arrays[f"{name}_lengths"]))
    like = arrays[f"{name}_like"]
    for number, predictor in enumerate(arrays[f"{name}_predictors"].tolist()):
        group = chunks[number * GROUP_FRAMES : (number + 1) * GROUP_FRAMES]
        yield EncodedFrames(predictor, group, like.shape[1:], str(like.dtype))


def _joined(blocks: list[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    lengths = np.array([len(block) for block in blocks], np.int64)
    return np.frombuffer(b"".join(blocks), np.uint8), lengths


def _parted(block: NDArray[np.uint8], lengths: NDArray[np.int64]) -> Iterator[bytes]:
    whole, at = block.tobytes(), 0
    for length in lengths.tolist():
        yield whole[at : at + length]
        at += length
