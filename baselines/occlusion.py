"""Which places of a picture an answer rests on: squares are hidden, one by one, and it may change.

For classes this is the saliency of Deep-Emotion (S. Minaee, A. Abdolrashidi, arXiv 1902.01019).
Read there: a square of N x N zeros slides over the picture from its upper left with stride s; where
hiding it turns the label that the model tells into a wrong one, the place is marked; the map is
made of those places. N and s were not to be read.

Ours: a pixel's number is the share of the squares over it that did so; squares also end at the last
row and column, so that every pixel is covered; the square is hidden in every frame of the clip and
in all chosen streams at once, and its zeros are those of the network's scale (for color the
picture's mean); where the true class is unknown, any other label counts as wrong. For arousal and
valence, where no label flips: how far the value moves, averaged over the squares over a pixel.

Imports torch; import it where it is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor

from mavfer.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import nn

    from baselines.models.output import Output

__all__ = ["OcclusionMaps", "Square", "occlusion_maps", "squares"]

UNKNOWN: Final = -1
"""The true class where nobody told it."""


@dataclass(frozen=True)
class Square:
    """A part of the picture, in pixels."""

    top: int
    left: int
    side: int

    @property
    def region(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.top, self.top + self.side), slice(self.left, self.left + self.side)


@dataclass(frozen=True)
class OcclusionMaps:
    """What hiding each place of one frame's picture did to the answer about it."""

    moved: NDArray[np.float32]
    """(D, H, W), how far the value of each dimension moved, mean over the squares there."""
    flipped: NDArray[np.float32] | None
    """(H, W), share of the squares there that made the label wrong; None without classes."""


def squares(size: int, side: int, step: int) -> list[Square]:
    """Squares that cover a picture of `size` x `size` pixels, from the upper left.

    Raises:
        CommandError: The square is larger than the picture, or the step larger than the square.
    """
    if not 0 < step <= side <= size:
        message = (
            f"square of {side} pixels in steps of {step} on {size} pixels: "
            f"the step must be at most the square, and the square at most the picture"
        )
        raise CommandError(message)
    starts = sorted({*range(0, size - side + 1, step), size - side})
    return [Square(top, left, side) for top, left in product(starts, starts)]


def occlusion_maps(
    model: nn.Module,
    frames: Mapping[str, Tensor],
    valid: Mapping[str, Tensor],
    *,
    at: int,
    hidden: Sequence[str],
    side: int,
    step: int,
    expression: int = UNKNOWN,
    at_once: int = 16,
) -> OcclusionMaps:
    """Maps of one frame of one clip.

    Args:
        model: A network, in evaluation mode.
        frames: By stream (1, T, C, H, W).
        valid: By stream (1, T).
        at: The frame of the clip whose answer is looked at.
        hidden: Streams that the square hides.
        side: Rows and columns of the square.
        step: Pixels from one square to the next.
        expression: True class of the frame; -1 where it is not known.
        at_once: Clips that the network is given at a time.

    Raises:
        CommandError: Square and step do not fit the picture.
    """
    size = next(iter(frames.values())).shape[-1]
    covered = squares(size, side, step)
    values, label = _answers(model, frames, valid, at)
    moved, flips = [], []
    for first in range(0, len(covered), at_once):
        part = covered[first : first + at_once]
        told, labels = _answers(model, _with_squares(frames, part, hidden), valid, at)
        moved.append(np.abs(told - values))
        if labels is not None:
            flips.append((labels != label) & (labels != expression))
    of_square = np.concatenate(moved)  # (squares, D)
    maps = [_mean_over_squares(column, covered, size) for column in of_square.T]
    flipped = _mean_over_squares(np.concatenate(flips), covered, size) if flips else None
    return OcclusionMaps(np.array(maps, np.float32).reshape(-1, size, size), flipped)


def _with_squares(
    frames: Mapping[str, Tensor], covered: Sequence[Square], hidden: Sequence[str]
) -> dict[str, Tensor]:
    """Copies (N, T, C, H, W) of a clip, in each of which one square is hidden."""
    copies = {name: clip.repeat(len(covered), 1, 1, 1, 1) for name, clip in frames.items()}
    for number, square in enumerate(covered):
        for name in hidden:
            copies[name][number][..., *square.region] = 0
    return copies


def _answers(
    model: nn.Module, frames: Mapping[str, Tensor], valid: Mapping[str, Tensor], at: int
) -> tuple[NDArray[np.float64], NDArray[np.int64] | None]:
    """Values (N, D) and labels (N,) of one frame of clips (N, T, C, H, W), valid (1, T)."""
    count = len(next(iter(frames.values())))
    there = {name: bits.expand(count, -1) for name, bits in valid.items()}
    with torch.inference_mode():
        output: Output = model(frames, there)
    labels = None if output.logits is None else output.logits[:, at].argmax(-1).cpu().numpy()
    return output.values[:, at].double().cpu().numpy(), labels


def _mean_over_squares(
    numbers: NDArray[np.float64] | NDArray[np.bool_], covered: Sequence[Square], size: int
) -> NDArray[np.float32]:
    """Each pixel's mean (size, size) over the numbers of the squares that cover it."""
    total, count = np.zeros((size, size)), np.zeros((size, size))
    for number, square in zip(numbers, covered, strict=True):
        total[square.region] += number
        count[square.region] += 1
    return (total / count).astype(np.float32)
