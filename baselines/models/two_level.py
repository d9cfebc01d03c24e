"""Two-level attention: first over regions of the face, then over the layers of the network.

X. Wang, M. Peng, L. Pan, M. Hu, C. Jin, F. Ren: "Two-level attention with two-stage multi-task
learning for facial emotion recognition", arXiv 1811.12139; before it, at MMM 2019, "Two-level
attention with multi-task learning for facial emotion estimation", DOI 10.1007/978-3-030-05710-7_19.

Read in their abstracts, the bodies were not available to us: a first level of attention acts on
position-level (region) features and enhances them; a second level, a bidirectional recurrent
network with self-attention, reads the sequence of the features of different layers, so that local
and global features are combined; one network tells arousal and valence together; in the extension
features of the categorical expression help the answer about the dimensions.

Ours: everything else. Four blocks of a 3x3 convolution, normalisation, ReLU and pooling; in each
block's map a softmax over all positions says how much each one counts in that layer's features,
which are brought to one width; a bidirectional GRU and one head of dot-product self-attention read
them from the first block to the last; their mean is the frame's features. With classes, a hidden
layer leads to the logits and also stands beside the features that the dimensions are told from
(`two_stage`). Every frame is read by itself. The attention returned is that of the last block.
Streams are fused late unless said otherwise, each with attention of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from baselines.models.layers import (
    Fusion,
    Norm,
    StreamGroups,
    channels_of,
    draw_for_relu,
    normalised,
)
from baselines.models.output import Output, recomputed, values_layer
from baselines.options import Options, share
from mavfer.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from baselines.config import Config
    from mavfer.streams import StreamName

__all__ = ["TwoLevel", "TwoLevelOptions"]


@dataclass(frozen=True)
class TwoLevelOptions(Options):
    """Sizes of the network; all are ours."""

    widths: tuple[int, ...] = (32, 64, 128, 256)
    """Blocks of a convolution with pooling; each is one step of the second level's sequence."""
    first_stride: int = 1
    """Of the first convolution."""
    layer_numbers: int = 128
    """Features of each layer, as the second level reads them."""
    recurrent_numbers: int = 64
    """States of the recurrent network in each direction."""
    class_numbers: int = 64
    """Features of the categorical expression."""
    attention_share: float = share(1.0)
    """1: positions count as the first level says; 0: all alike; between: a mixture."""
    two_stage: bool = True
    """Whether features of the expression help the dimensions, where there are classes."""
    norm: Norm = "group"
    """After each convolution."""
    dropout: float = share(0.5)
    """Before the answers."""
    fusion: Fusion = "late"
    """Streams side by side before the first layer (early), or their features (late)."""

    def require_fit(self, config: Config) -> None:
        """Raises CommandError where nothing would be left of the picture."""
        if not ((config.size - 1) // self.first_stride + 1) >> len(self.widths):
            message = f"size {config.size} is too small for {len(self.widths)} widths"
            raise CommandError(message)


class TwoLevel(nn.Module):
    """Regions, layers, answers; every frame by itself."""

    Options: ClassVar = TwoLevelOptions
    default_streams: ClassVar[tuple[StreamName, ...]] = ("color",)
    default_config: ClassVar[str] = "two_level"

    def __init__(
        self,
        config: Config,
        streams: Sequence[StreamName],
        dimensions: Sequence[str],
        classes: Sequence[str] = (),
    ) -> None:
        super().__init__()
        options: TwoLevelOptions = config.model
        self.groups = StreamGroups(streams, options.fusion)
        self.faces = self.groups.modules(lambda members: _Face(options, members))
        numbers = len(self.faces) * 2 * options.recurrent_numbers
        self.answers = _Answers(options, numbers, dimensions, classes)

    def forward(self, frames: Mapping[str, Tensor], valid: Mapping[str, Tensor]) -> Output:
        """Predictions and attention of clips.

        Args:
            frames: By stream (B, T, C, H, W).
            valid: By stream (B, T), 1 where its frame can be used, else 0.
        """
        features: list[Tensor] = []
        attention: dict[str, Tensor] = {}
        for group in self.groups.of(frames, valid):
            B, T = group.is_there.shape
            seen, maps = recomputed(self.faces[group.name], group.pictures)
            features.append(seen.view(B, T, -1) * group.is_there[:, :, None])
            for stream in self.groups.members[group.name]:
                attention[stream] = maps.view(B, T, *maps.shape[1:])  # (B, T, h, w)
        values, logits = self.answers(torch.cat(features, dim=2))
        return Output(values, attention, logits)


class _Face(nn.Module):
    """Both levels of attention, on single pictures."""

    def __init__(self, options: TwoLevelOptions, streams: Sequence[StreamName]) -> None:
        super().__init__()
        self.blocks, self.regions = nn.ModuleList(), nn.ModuleList()
        channels, stride = channels_of(streams), options.first_stride
        for width in options.widths:
            block = [
                nn.Conv2d(channels, width, 3, stride, 1),
                nn.MaxPool2d(2),  # before ReLU it changes nothing and costs a quarter
                *normalised(options.norm, width),
                nn.ReLU(),
            ]
            self.blocks.append(nn.Sequential(*block))
            self.regions.append(_Regions(width, options))
            channels, stride = width, 1
        draw_for_relu(self)
        self.layers = _Layers(options)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, F) of pictures (N, C, H, W), and the last block's attention (N, h, w)."""
        maps, steps = pictures, []
        for block, regions in zip(self.blocks, self.regions, strict=True):
            maps = block(maps)
            step, attention = regions(maps)
            steps.append(step)
        return self.layers(torch.stack(steps, dim=1)), attention


class _Regions(nn.Module):
    """First level: how much every position of a map counts."""

    def __init__(self, width: int, options: TwoLevelOptions) -> None:
        super().__init__()
        self.share = options.attention_share
        self.hidden = nn.Conv2d(width, max(width // 4, 1), 1)
        # Without a bias, which a softmax would not see.
        self.score = nn.Conv2d(max(width // 4, 1), 1, 1, bias=False)
        self.project = nn.Linear(width, options.layer_numbers)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, layer_numbers) of maps (N, C, h, w), and attention (N, h, w)."""
        N, C, h, w = maps.shape
        scores: Tensor = self.score(torch.tanh(self.hidden(maps)))
        attention = scores.view(N, h * w).softmax(1)  # (N, h*w), sum 1
        weights = self.share * attention + (1 - self.share) / (h * w)
        pooled = (maps.reshape(N, C, h * w) @ weights[:, :, None]).squeeze(2)  # (N, C)
        return self.project(pooled).relu(), attention.view(N, h, w)


class _Layers(nn.Module):
    """Second level: a recurrent network with self-attention over the layers' features."""

    def __init__(self, options: TwoLevelOptions) -> None:
        super().__init__()
        states = options.recurrent_numbers
        self.recurrent = nn.GRU(options.layer_numbers, states, batch_first=True, bidirectional=True)
        # Without biases: one on the keys would never count.
        self.query, self.key, self.value = (
            nn.Linear(2 * states, 2 * states, bias=False) for _ in range(3)
        )

    def forward(self, steps: Tensor) -> Tensor:
        """Features (N, 2*states) of the layers (N, L, layer_numbers)."""
        states = self.recurrent(steps)[0]  # (N, L, 2*states)
        scores = self.query(states) @ self.key(states).transpose(1, 2)  # (N, L, L)
        weights = (scores / states.shape[-1] ** 0.5).softmax(2)
        enhanced: Tensor = states + weights @ self.value(states)  # (N, L, 2*states)
        return enhanced.mean(1)


class _Answers(nn.Module):
    """Both tasks; features of the expression also help the dimensions."""

    def __init__(
        self,
        options: TwoLevelOptions,
        numbers: int,
        dimensions: Sequence[str],
        classes: Sequence[str],
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(options.dropout)
        self.expression = nn.Linear(numbers, options.class_numbers) if classes else None
        self.classes = nn.Linear(options.class_numbers, len(classes)) if classes else None
        self.is_helped = bool(classes) and options.two_stage
        numbers += options.class_numbers if self.is_helped else 0
        self.values = values_layer(numbers, len(dimensions))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor | None]:
        """Values (B, T, D) and logits (B, T, K) of features (B, T, numbers)."""
        features = self.dropout(features)
        logits = None
        if self.expression is not None and self.classes is not None:
            expression = self.expression(features).relu()
            logits = self.classes(expression)
            if self.is_helped:
                features = torch.cat([features, expression], dim=2)
        return self.values(features), logits
