"""AlexNet: every frame by itself, through five convolutions and two wide layers.

A. Krizhevsky, I. Sutskever, G. Hinton: "ImageNet classification with deep convolutional neural
networks", NIPS 2012, in the form of A. Krizhevsky: "One weird trick for parallelizing convolutional
neural networks", arXiv 1404.5997. Works on affect compare with it as a plain network for images.

Read in torchvision's `alexnet.py`, not in the papers: convolutions of 64 (11x11, stride 4), 192
(5x5), 384, 256, 256 (3x3), each with ReLU; max-pooling 3x3 by 2 after the first, second and fifth;
an average over a grid of 6x6; dropout and fully connected layers of 4096, twice; the answers.

Ours: a last layer for this study's answers; streams fused late unless said otherwise, each with all
layers but the last; normalisation and thinner layers as options. No weights ship: `init_from` names
a local file of torchvision's names (`baselines/initial_weights.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from torch import Tensor, nn

from baselines.models.layers import (
    FrameNetwork,
    Fusion,
    Norm,
    Trunk,
    channels_of,
    draw_for_relu,
    normalised,
)
from baselines.options import Options, share
from mavfer.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from baselines.config import Config
    from mavfer.streams import StreamName

__all__ = ["AlexNet", "AlexNetOptions"]

_KERNELS: Final = (11, 5, 3, 3, 3)
_POOLED: Final = (True, True, False, False, True)
_POOL: Final = 3


@dataclass(frozen=True)
class AlexNetOptions(Options):
    """Sizes of the network; the defaults are torchvision's."""

    widths: tuple[int, ...] = (64, 192, 384, 256, 256)
    """Five convolutions."""
    first_stride: int = 4
    """Of the first convolution."""
    grid: int = 6
    """Rows and columns that the last map is averaged to."""
    dense_widths: tuple[int, ...] = (4096, 4096)
    """Fully connected layers before the last."""
    norm: Norm = "none"
    """After each convolution."""
    dropout: float = share(0.5)
    """Before each fully connected layer."""
    fusion: Fusion = "late"
    """Streams side by side before the first layer (early), or their features (late)."""
    init_from: str = ""
    """File of weights to start from, of torchvision's names; empty: start from random ones."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.widths) != len(_KERNELS):
            message = f"option widths is {list(self.widths)}, needs {len(_KERNELS)} numbers"
            raise CommandError(message)

    def require_fit(self, config: Config) -> None:
        """Raises CommandError where nothing would be left of the picture."""
        size = (config.size + 4 - _KERNELS[0]) // self.first_stride + 1
        for is_pooled in _POOLED:
            size = (size - _POOL) // 2 + 1 if is_pooled else size
        if size < 1:
            message = f"size {config.size} is too small. Use 64 or more, or a smaller first_stride"
            raise CommandError(message)


class AlexNet(FrameNetwork):
    """The network with other answers."""

    Options: ClassVar = AlexNetOptions
    default_config: ClassVar[str] = "alexnet"
    left_out: ClassVar[tuple[str, ...]] = ("classifier.6.weight", "classifier.6.bias")
    """Names in a file of weights that have no place here."""

    @staticmethod
    def trunk(config: Config, streams: Sequence[StreamName]) -> Trunk:
        """All layers but the last, which read these streams side by side."""
        return _Layers(config.model, streams)


class _Layers(Trunk):
    """All layers but the last, under torchvision's names where nothing is normalised."""

    def __init__(self, options: AlexNetOptions, streams: Sequence[StreamName]) -> None:
        super().__init__()
        channels = channels_of(streams)
        layers: list[nn.Module] = []
        for width, kernel, is_pooled in zip(options.widths, _KERNELS, _POOLED, strict=True):
            is_first = not layers
            stride, padding = (options.first_stride, 2) if is_first else (1, kernel // 2)
            layers.append(nn.Conv2d(channels, width, kernel, stride, padding))
            layers += [*normalised(options.norm, width), nn.ReLU()]
            if is_pooled:
                layers.append(nn.MaxPool2d(_POOL, 2))
            channels = width
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(options.grid)
        self.numbers = channels * options.grid**2
        dense: list[nn.Module] = []
        for width in options.dense_widths:
            dense += [nn.Dropout(options.dropout), nn.Linear(self.numbers, width), nn.ReLU()]
            self.numbers = width
        self.classifier = nn.Sequential(*dense)
        draw_for_relu(self)

    def forward(self, pictures: Tensor) -> Tensor:
        """Features (N, numbers) of pictures (N, C, H, W)."""
        maps = self.avgpool(self.features(pictures))
        features: Tensor = self.classifier(maps.flatten(1))
        return features
