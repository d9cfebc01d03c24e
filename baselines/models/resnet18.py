"""ResNet-18: every frame by itself, through eight residual blocks.

K. He, X. Zhang, S. Ren, J. Sun: "Deep residual learning for image recognition", CVPR 2016. Works on
affect compare with it as a plain network for images.

Read in torchvision's `resnet.py`, not in the paper: a convolution of 64 (7x7, stride 2) and 3x3
max-pooling by 2; four stages of two blocks (64, 128, 256, 512; the size halved at the start of all
stages but the first); a block is two 3x3 convolutions, each with batch normalisation, added to what
came in, which passes a 1x1 convolution where sizes differ; the average over the last map; the
answers.

Ours: a last layer for this study's answers; streams fused late unless said otherwise, each with all
layers but the last; group normalisation, a smaller first stride and thinner or fewer stages as
options. No weights ship: `init_from` names a local file of torchvision's names
(`baselines/initial_weights.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from torch import Tensor, nn

from baselines.models.layers import (
    FrameNetwork,
    Fusion,
    Trunk,
    channels_of,
    draw_for_relu,
    normalised,
)
from baselines.options import Options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from baselines.config import Config
    from mavfer.streams import StreamName

__all__ = ["ResNet18", "ResNet18Options"]

Norm = Literal["batch", "group"]


@dataclass(frozen=True)
class ResNet18Options(Options):
    """Sizes of the network; the defaults are torchvision's."""

    widths: tuple[int, ...] = (64, 128, 256, 512)
    """Stages of two blocks; the first convolution is as wide as the first stage."""
    first_stride: int = 2
    """Of the first convolution."""
    norm: Norm = "batch"
    """After each convolution."""
    fusion: Fusion = "late"
    """Streams side by side before the first layer (early), or their features (late)."""
    init_from: str = ""
    """File of weights to start from, of torchvision's names; empty: start from random ones."""


class ResNet18(FrameNetwork):
    """The network with other answers."""

    Options: ClassVar = ResNet18Options
    default_config: ClassVar[str] = "resnet18"
    left_out: ClassVar[tuple[str, ...]] = ("fc.weight", "fc.bias")
    """Names in a file of weights that have no place here."""

    @staticmethod
    def trunk(config: Config, streams: Sequence[StreamName]) -> Trunk:
        """All layers but the last, which read these streams side by side."""
        return _Layers(config.model, streams)


class _Layers(Trunk):
    """All layers but the last, under torchvision's names."""

    def __init__(self, options: ResNet18Options, streams: Sequence[StreamName]) -> None:
        super().__init__()
        channels = options.widths[0]
        self.conv1 = nn.Conv2d(
            channels_of(streams), channels, 7, options.first_stride, 3, bias=False
        )
        self.bn1 = normalised(options.norm, channels)[0]
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.stages = len(options.widths)
        for number, width in enumerate(options.widths, 1):
            stride = 1 if number == 1 else 2
            first = _Block(channels, width, stride, options.norm)
            second = _Block(width, width, 1, options.norm)
            self.add_module(f"layer{number}", nn.Sequential(first, second))
            channels = width
        self.numbers = channels
        draw_for_relu(self)

    def forward(self, pictures: Tensor) -> Tensor:
        """Features (N, numbers) of pictures (N, C, H, W)."""
        maps = self.maxpool(self.bn1(self.conv1(pictures)).relu())
        for number in range(1, self.stages + 1):
            maps = self.get_submodule(f"layer{number}")(maps)
        features: Tensor = maps.mean((2, 3))  # (N, C)
        return features


class _Block(nn.Module):
    """Two convolutions, added to what came in."""

    def __init__(self, channels: int, width: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.bn1 = normalised(norm, width)[0]
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = normalised(norm, width)[0]
        self.downsample: nn.Sequential | None = None
        if stride != 1 or channels != width:
            fitting = nn.Conv2d(channels, width, 1, stride, bias=False)
            self.downsample = nn.Sequential(fitting, *normalised(norm, width))

    def forward(self, maps: Tensor) -> Tensor:
        """(N, width, h, w) of (N, channels, H, W)."""
        kept = maps if self.downsample is None else self.downsample(maps)
        changed = self.bn2(self.conv2(self.bn1(self.conv1(maps)).relu()))
        answer: Tensor = (changed + kept).relu()
        return answer
