"""Deep-Emotion: a small CNN that looks at a part of the face which it chooses itself.

S. Minaee, A. Abdolrashidi: "Deep-Emotion: facial expression recognition using attentional
convolutional network", arXiv 1902.01019; with M. Minaei, Sensors 21(9):3046, 2021.

Read there: a spatial transformer warps the input by an affine map of six numbers, which a
localisation network (convolutions of 8 and 10, each with max-pooling and ReLU, then 32 and 6
numbers) tells; four 3x3 convolutions of 10, in pairs: convolution, ReLU, convolution, max-pooling,
ReLU; dropout; fully connected layers 810 to 50 and 50 to 7 classes; 48x48 grey pictures. Weights
start normal with deviation 0.05; Adam, rate 0.005, with weight decay; cross-entropy plus lambda
times the norm of the last two fully connected layers' weights. Computed from it: without padding
the last map is 10x9x9 = 810, and the main part has 43,737 parameters.

Read in a public reimplementation (omarsayed7/Deep-Emotion), where the paper's figure contradicts
itself: localisation kernels of 7 and 5, hence 640 numbers before the 32; its last layer starts at
zero with the identity as bias. The figure's own label is 3x3: `localisation_kernels = [3, 3]`.

Ours: grey by the weights of ITU-R BT.601 on color as this project scales it; ReLU between the two
fully connected layers; biases start at 0; dropout of 0.5, and lambda, which the paper does not
give, of 0; for arousal and valence the same features with linear outputs. Streams are fused late
unless said otherwise, each with a transformer of its own; early, one transformer moves all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import torch
from torch import Tensor, nn

from baselines.models.layers import (
    FrameNetwork,
    Fusion,
    Norm,
    Trunk,
    channels_of,
    normalised,
)
from baselines.options import Options, share, zero_or_more
from mavfer.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from baselines.config import Config
    from mavfer.streams import StreamName

__all__ = ["DeepEmotion", "DeepEmotionOptions"]

_GREY: Final = (0.299, 0.587, 0.114)
_AFFINE: Final = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""The map that changes nothing."""
_DEVIATION: Final = 0.05
_KERNEL: Final = 3
_PAIRS: Final = 2


@dataclass(frozen=True)
class DeepEmotionOptions(Options):
    """Sizes of the network; the defaults are the published ones."""

    widths: tuple[int, ...] = (10, 10, 10, 10)
    """3x3 convolutions without padding; after every second one the size is halved."""
    face_widths: tuple[int, ...] = (50,)
    """Fully connected layers before the last."""
    localisation_widths: tuple[int, ...] = (8, 10)
    """Convolutions of the localisation network, each halved by pooling."""
    localisation_kernels: tuple[int, ...] = (7, 5)
    """Rows and columns of those."""
    localisation_numbers: int = 32
    """Width of its fully connected layer."""
    grey: bool = True
    """Whether color is read as one channel."""
    norm: Norm = "none"
    """After the last convolution; the reimplementation has "batch" there."""
    dropout: float = share(0.5)
    """Before the fully connected layers."""
    weight_penalty: float = zero_or_more(0.0)
    """Lambda: times the squared norm of the last two fully connected layers' weights."""
    fusion: Fusion = "late"
    """Streams side by side before the first layer (early), or their features (late)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.widths) % _PAIRS:
            message = f"option widths is {list(self.widths)}, needs an even count of numbers"
            raise CommandError(message)
        if len(self.localisation_kernels) != len(self.localisation_widths):
            message = "localisation_kernels needs one number a width. Set both to the same length"
            raise CommandError(message)

    def require_fit(self, config: Config) -> None:
        """Raises CommandError where nothing would be left of the picture."""
        if min(self.map_size(config.size), self.localisation_size(config.size)) < 1:
            message = f"size {config.size} is too small for widths and localisation_kernels"
            raise CommandError(message)

    def map_size(self, size: int) -> int:
        """Rows and columns of the last map of an input of this size."""
        for _ in range(len(self.widths) // _PAIRS):
            size = (size - _PAIRS * (_KERNEL - 1)) // 2
        return size

    def localisation_size(self, size: int) -> int:
        """Rows and columns of the localisation network's last map."""
        for kernel in self.localisation_kernels:
            size = (size - kernel + 1) // 2
        return size


class DeepEmotion(FrameNetwork):
    """Warped pictures through a small CNN, every frame by itself."""

    Options: ClassVar = DeepEmotionOptions
    default_config: ClassVar[str] = "deep_emotion"

    def __init__(
        self,
        config: Config,
        streams: Sequence[StreamName],
        dimensions: Sequence[str],
        classes: Sequence[str] = (),
    ) -> None:
        super().__init__(config, streams, dimensions, classes)
        self.weight_penalty: float = config.model.weight_penalty
        self._reset_parameters()

    @staticmethod
    def trunk(config: Config, streams: Sequence[StreamName]) -> Trunk:
        """All layers but the last, which read these streams side by side."""
        return _Face(config.model, streams, config.size)

    def penalty(self) -> Tensor:
        """What the loss adds: lambda times the squared norm of the last two layers' weights."""
        faces = [module for module in self.modules() if isinstance(module, _Face)]
        dense = [[m.weight for m in face.dense if isinstance(m, nn.Linear)] for face in faces]
        before_last = [weight for weights in dense for weight in weights[-1:]]
        last = [m.weight for m in self.answers.modules() if isinstance(m, nn.Linear)]
        squares = [weight.square().sum() for weight in (*before_last, *last)]
        return self.weight_penalty * torch.stack(squares).sum()

    def _reset_parameters(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.normal_(module.weight, std=_DEVIATION)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, _Localisation):
                module.start_at_identity()


class _Face(Trunk):
    """Features of the chosen part of each picture."""

    def __init__(
        self, options: DeepEmotionOptions, streams: Sequence[StreamName], size: int
    ) -> None:
        super().__init__()
        self.is_greyed = options.grey and "color" in streams
        channels = channels_of(streams) - (len(_GREY) - 1 if self.is_greyed else 0)
        self.localise = _Localisation(options, channels, size)
        layers: list[nn.Module] = []
        for number, width in enumerate(options.widths):
            layers.append(nn.Conv2d(channels, width, _KERNEL))
            if number + 1 == len(options.widths):
                layers += normalised(options.norm, width)
            if number % _PAIRS:
                layers.append(nn.MaxPool2d(2))
            layers.append(nn.ReLU())
            channels = width
        self.convolutions = nn.Sequential(*layers, nn.Dropout(options.dropout))
        self.numbers = channels * options.map_size(size) ** 2
        dense: list[nn.Module] = []
        for width in options.face_widths:
            dense += [nn.Linear(self.numbers, width), nn.ReLU()]
            self.numbers = width
        self.dense = nn.Sequential(*dense)

    def forward(self, pictures: Tensor) -> Tensor:
        """Features (N, numbers) of pictures (N, C, H, W)."""
        if self.is_greyed:
            pictures = _greyed(pictures)
        warped = _warped(pictures, self.localise(pictures))
        features: Tensor = self.dense(self.convolutions(warped).flatten(1))
        return features


class _Localisation(nn.Module):
    """The affine map (N, 2, 3) that each picture is warped by."""

    def __init__(self, options: DeepEmotionOptions, channels: int, size: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        sizes = zip(options.localisation_widths, options.localisation_kernels, strict=True)
        for width, kernel in sizes:
            layers += [nn.Conv2d(channels, width, kernel), nn.MaxPool2d(2), nn.ReLU()]
            channels = width
        numbers = channels * options.localisation_size(size) ** 2
        hidden = options.localisation_numbers
        layers += [nn.Flatten(), nn.Linear(numbers, hidden), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        self.affine = nn.Linear(hidden, len(_AFFINE))

    def start_at_identity(self) -> None:
        """Starts where the picture stays as it is."""
        nn.init.zeros_(self.affine.weight)
        with torch.no_grad():
            self.affine.bias.copy_(torch.tensor(_AFFINE))

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 2, 3) of pictures (N, C, H, W)."""
        affine: Tensor = self.affine(self.layers(pictures))
        return affine.view(-1, 2, 3)


def _greyed(pictures: Tensor) -> Tensor:
    """Pictures (N, C, H, W) whose first three channels are one."""
    color, others = pictures[:, : len(_GREY)], pictures[:, len(_GREY) :]
    weights = pictures.new_tensor(_GREY).view(1, -1, 1, 1)
    return torch.cat([(color * weights).sum(1, keepdim=True), others], dim=1)


def _warped(pictures: Tensor, affine: Tensor) -> Tensor:
    """Pictures (N, C, H, W), each read where its map (N, 2, 3) says; outside is 0."""
    N, C, H, W = pictures.shape
    grid = nn.functional.affine_grid(affine, [N, C, H, W], align_corners=False)
    return nn.functional.grid_sample(pictures, grid, align_corners=False)
