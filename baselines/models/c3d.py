"""C3D: 3-D convolutions from the first layer to the last.

D. Tran, L. Bourdev, R. Fergus, L. Torresani, M. Paluri: "Learning spatiotemporal features with 3D
convolutional networks", ICCV 2015. A 3-D CNN without attention is also the ablation of STA (J. Lee
et al., ICASSP 2018), which has the layers of `sta.py`.

Read in a public implementation (DavideA/c3d-pytorch), not in the paper: eight 3x3x3 convolutions
(64; 128; 256, 256; 512, 512; 512, 512), each with ReLU, and a max-pooling after each of the five
groups, the last one padded by a pixel in space; two fully connected layers of 4096 with dropout of
0.5; clips of 16 frames of 112x112 pixels, which leave 512x4x4 = 8192 numbers.

Ours: pooling is in space only, so that every frame keeps its answer (there all but the first pool
time too, and a clip has one answer); the number of weights is the same. Streams are fused late
unless said otherwise, each with its own convolutions; group normalisation is an option.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Final, Literal

import torch
from torch import Tensor, nn

from baselines.models.layers import (
    Fusion,
    StreamGroups,
    channels_of,
    draw_for_relu,
    normalised,
)
from baselines.models.output import Answers, Output, recomputed
from baselines.options import Options, share
from mavfer.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from baselines.config import Config
    from mavfer.streams import StreamName

__all__ = ["C3d", "C3dOptions"]

_KERNEL: Final = 3


@dataclass(frozen=True)
class C3dOptions(Options):
    """Sizes of the network; the defaults are the published ones."""

    widths: tuple[int, ...] = (64, 128, 256, 256, 512, 512, 512, 512)
    """3-D convolutions."""
    pooled_after: tuple[int, ...] = (1, 2, 4, 6, 8)
    """Counts of convolutions after which the size is halved; the last pooling is padded."""
    first_stride: int = 1
    """Of the first convolution, in space."""
    dense_widths: tuple[int, ...] = (4096, 4096)
    """Fully connected layers of a frame."""
    norm: Literal["none", "group"] = "none"
    """After each convolution."""
    dropout: float = share(0.5)
    """After each fully connected layer."""
    fusion: Fusion = "late"
    """Streams side by side before the first layer (early), or their features (late)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        places = self.pooled_after
        is_rising = all(a < b for a, b in pairwise(places))
        if not places or not is_rising or places[-1] != len(self.widths):
            message = (
                f"option pooled_after is {list(places)}, must rise to the number of widths, "
                f"{len(self.widths)}"
            )
            raise CommandError(message)

    def require_fit(self, config: Config) -> None:
        """Raises CommandError where nothing would be left of the picture."""
        if not self.map_size(config.size):
            message = f"size {config.size} is too small for {len(self.pooled_after)} poolings"
            raise CommandError(message)

    def map_size(self, size: int) -> int:
        """Rows and columns of the last map of an input of this size."""
        halved = ((size - 1) // self.first_stride + 1) >> (len(self.pooled_after) - 1)
        return (halved + 2) // 2 if halved else 0


class C3d(nn.Module):
    """3-D convolutions of clips, answers for every frame."""

    Options: ClassVar = C3dOptions
    default_streams: ClassVar[tuple[StreamName, ...]] = ("color",)
    default_config: ClassVar[str] = "c3d"

    def __init__(
        self,
        config: Config,
        streams: Sequence[StreamName],
        dimensions: Sequence[str],
        classes: Sequence[str] = (),
    ) -> None:
        super().__init__()
        options: C3dOptions = config.model
        self.groups = StreamGroups(streams, options.fusion)
        self.convolutions = self.groups.modules(
            lambda members: _convolutions(options, channels_of(members))
        )
        numbers = len(self.convolutions) * options.widths[-1] * options.map_size(config.size) ** 2
        dense: list[nn.Module] = []
        for width in options.dense_widths:
            dense += [nn.Linear(numbers, width), nn.ReLU(), nn.Dropout(options.dropout)]
            numbers = width
        self.dense = nn.Sequential(*dense)
        draw_for_relu(self)
        self.answers = Answers(numbers, dimensions, classes)

    def forward(self, frames: Mapping[str, Tensor], valid: Mapping[str, Tensor]) -> Output:
        """Predictions of clips.

        Args:
            frames: By stream (B, T, C, H, W).
            valid: By stream (B, T), 1 where its frame can be used, else 0.
        """
        features = []
        for group in self.groups.of(frames, valid):
            maps = recomputed(self.convolutions[group.name], group.volumes)  # (B, C, T, h, w)
            seen = maps.transpose(1, 2).flatten(2)  # (B, T, C*h*w)
            features.append(seen * group.is_there[:, :, None])
        output: Output = self.answers(self.dense(torch.cat(features, dim=2)))
        return output


def _convolutions(options: C3dOptions, channels: int) -> nn.Sequential:
    """Maps (B, C, T, h, w) of clips (B, C, T, H, W)."""
    layers: list[nn.Module] = []
    stride = options.first_stride
    for number, width in enumerate(options.widths, 1):
        layers.append(nn.Conv3d(channels, width, _KERNEL, (1, stride, stride), 1))
        if number in options.pooled_after:
            padding = int(number == options.pooled_after[-1])
            # Before ReLU it changes nothing and costs a quarter.
            layers.append(nn.MaxPool3d((1, 2, 2), padding=(0, padding, padding)))
        layers += [*normalised(options.norm, width), nn.ReLU()]
        channels, stride = width, 1
    return nn.Sequential(*layers)
