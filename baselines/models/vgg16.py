"""VGG16: every frame by itself, through thirteen 3x3 convolutions and two wide layers.

K. Simonyan, A. Zisserman: "Very deep convolutional networks for large-scale image recognition",
ICLR 2015, arXiv 1409.1556, configuration D. Works on affect compare with it as a plain network for
images.

Read in torchvision's `vgg.py`, not in the paper: 3x3 convolutions (64, 64; 128, 128; 256 three
times; 512 three times; 512 three times), each with ReLU, and 2x2 max-pooling after each of the five
stages; an average over a grid of 7x7; fully connected layers of 4096 with ReLU and dropout, twice;
the answers. `norm = "batch"` is its `vgg16_bn`.

Ours: a last layer for this study's answers; streams fused late unless said otherwise, each with all
layers but the last; thinner layers as options, every stage keeping its number of convolutions. No
weights ship: `init_from` names a local file of torchvision's names (see
`baselines/initial_weights.py`).
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

__all__ = ["Vgg16", "Vgg16Options"]

_CONVOLUTIONS: Final = (2, 2, 3, 3, 3)
"""In each stage."""


@dataclass(frozen=True)
class Vgg16Options(Options):
    """Sizes of the network; the defaults are torchvision's."""

    widths: tuple[int, ...] = (64, 128, 256, 512, 512)
    """Five stages of 2, 2, 3, 3 and 3 convolutions."""
    grid: int = 7
    """Rows and columns that the last map is averaged to."""
    dense_widths: tuple[int, ...] = (4096, 4096)
    """Fully connected layers before the last."""
    norm: Norm = "none"
    """After each convolution."""
    dropout: float = share(0.5)
    """After each fully connected layer."""
    fusion: Fusion = "late"
    """Streams side by side before the first layer (early), or their features (late)."""
    init_from: str = ""
    """File of weights to start from, of torchvision's names; empty: start from random ones."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.widths) != len(_CONVOLUTIONS):
            message = f"option widths is {list(self.widths)}, needs {len(_CONVOLUTIONS)} numbers"
            raise CommandError(message)

    def require_fit(self, config: Config) -> None:
        """Raises CommandError where nothing would be left of the picture."""
        if not config.size >> len(_CONVOLUTIONS):
            message = f"size {config.size} is too small for five stages. Use 32 or more"
            raise CommandError(message)


class Vgg16(FrameNetwork):
    """The network with other answers."""

    Options: ClassVar = Vgg16Options
    default_config: ClassVar[str] = "vgg16"
    left_out: ClassVar[tuple[str, ...]] = ("classifier.6.weight", "classifier.6.bias")
    """Names in a file of weights that have no place here."""

    @staticmethod
    def trunk(config: Config, streams: Sequence[StreamName]) -> Trunk:
        """All layers but the last, which read these streams side by side."""
        return _Layers(config.model, streams)


class _Layers(Trunk):
    """All layers but the last, under torchvision's names."""

    def __init__(self, options: Vgg16Options, streams: Sequence[StreamName]) -> None:
        super().__init__()
        channels = channels_of(streams)
        layers: list[nn.Module] = []
        for width, count in zip(options.widths, _CONVOLUTIONS, strict=True):
            for _ in range(count):
                layers.append(nn.Conv2d(channels, width, 3, padding=1))
                layers += [*normalised(options.norm, width), nn.ReLU()]
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(options.grid)
        self.numbers = channels * options.grid**2
        dense: list[nn.Module] = []
        for width in options.dense_widths:
            dense += [nn.Linear(self.numbers, width), nn.ReLU(), nn.Dropout(options.dropout)]
            self.numbers = width
        self.classifier = nn.Sequential(*dense)
        draw_for_relu(self)

    def forward(self, pictures: Tensor) -> Tensor:
        """Features (N, numbers) of pictures (N, C, H, W)."""
        maps = self.avgpool(self.features(pictures))
        features: Tensor = self.classifier(maps.flatten(1))
        return features
