"""Layers that several networks share: streams that are masked and fused, trunks that read pictures.

A trunk turns single pictures into features; `FusedFrames` gives it the streams of a clip.
Imports torch; import it where it is used. All of it is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal

import torch
from torch import Tensor, nn

from baselines.models.output import Answers, Output, recomputed
from baselines.options import Options, share
from mavfer.errors import CommandError
from mavfer.streams import STREAM_NAMES, STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from baselines.config import Config
    from mavfer.streams import StreamName

__all__ = [
    "Convolutions",
    "ConvolutionsOptions",
    "FrameNetwork",
    "FusedFrames",
    "Fusion",
    "Group",
    "Norm",
    "StreamGroups",
    "Trunk",
    "channels_of",
    "draw_for_relu",
    "normalised",
]

Fusion = Literal["early", "late"]
Norm = Literal["none", "group", "batch"]

_GROUP_CHANNELS: Final = 8
_TOGETHER: Final = "together"


class Trunk(nn.Module):
    """What reads pictures: (N, C, H, W) to features (N, numbers)."""

    numbers: int


@dataclass(frozen=True)
class Group:
    """Streams that one trunk reads, of one batch of clips."""

    name: str
    """A stream, or "together"."""
    frames: Tensor
    """(B, T, C, H, W), channels of all its streams; 0 where a stream is missing."""
    is_there: Tensor
    """(B, T), 1 where any of its streams can be used, else 0."""

    @property
    def pictures(self) -> Tensor:
        """Every frame by itself (B*T, C, H, W), channels last in memory."""
        pictures = self.frames.flatten(0, 1)  # (B*T, C, H, W)
        return pictures.contiguous(memory_format=torch.channels_last)

    @property
    def volumes(self) -> Tensor:
        """Clips as 3-D convolutions read them (B, C, T, H, W)."""
        volumes = self.frames.transpose(1, 2)  # (B, C, T, H, W)
        return volumes.contiguous(memory_format=torch.channels_last_3d)


class StreamGroups:
    """Which streams are read together: all of them (early fusion) or each alone (late)."""

    def __init__(self, streams: Sequence[StreamName], fusion: Fusion) -> None:
        ordered = tuple(name for name in STREAM_NAMES if name in streams)
        is_joined = fusion == "early" and len(ordered) > 1
        self.members: dict[str, tuple[StreamName, ...]] = (
            {_TOGETHER: ordered} if is_joined else {name: (name,) for name in ordered}
        )

    def modules(self, make: Callable[[tuple[StreamName, ...]], nn.Module]) -> nn.ModuleDict:
        """One module a group, by its name."""
        return nn.ModuleDict({name: make(members) for name, members in self.members.items()})

    def of(self, frames: Mapping[str, Tensor], valid: Mapping[str, Tensor]) -> Iterator[Group]:
        """The groups of a batch of clips, as `forward` of a network gets it."""
        for name, members in self.members.items():
            shown = [_shown(frames[each], valid[each]) for each in members]
            is_there = torch.stack([valid[each] for each in members]).amax(0)  # (B, T)
            yield Group(name, torch.cat(shown, dim=2), is_there)


def channels_of(streams: Sequence[StreamName]) -> int:
    """Channels of these streams side by side."""
    return sum(STREAMS[name].channels for name in streams)


def _shown(frames: Tensor, valid: Tensor) -> Tensor:
    """Frames (B, T, C, H, W), and 0 where they cannot be used, whatever stands there."""
    is_there = valid[:, :, None, None, None] > 0
    return torch.where(is_there, frames, torch.zeros_like(frames))


class FusedFrames(nn.Module):
    """Features of every frame, from any of the streams.

    Fused early, one trunk reads the channels of all streams side by side, a missing one being 0.
    Fused late, every stream has its own trunk and their features stand side by side, those of a
    missing stream being 0.
    """

    def __init__(
        self,
        streams: Sequence[StreamName],
        fusion: Fusion,
        make: Callable[[tuple[StreamName, ...]], Trunk],
    ) -> None:
        """Builds the trunks.

        Args:
            streams: Those that are read.
            fusion: How.
            make: Builds a trunk that reads these streams side by side.
        """
        super().__init__()
        self.groups = StreamGroups(streams, fusion)
        trunks = {name: make(members) for name, members in self.groups.members.items()}
        self.numbers = sum(trunk.numbers for trunk in trunks.values())
        self.trunks = nn.ModuleDict(trunks)

    def forward(self, frames: Mapping[str, Tensor], valid: Mapping[str, Tensor]) -> Tensor:
        """Features (B, T, numbers) of streams (B, T, C, H, W), valid (B, T)."""
        features = []
        for group in self.groups.of(frames, valid):
            B, T = group.is_there.shape
            seen = recomputed(self.trunks[group.name], group.pictures)  # (B*T, F)
            seen = seen.view(B, T, -1)  # (B, T, F)
            features.append(seen * group.is_there[:, :, None])
        return torch.cat(features, dim=2)


class FrameNetwork(nn.Module):
    """A network that answers for every frame by itself; subclasses choose the trunk."""

    default_streams: ClassVar[tuple[StreamName, ...]] = ("color",)

    def __init__(
        self,
        config: Config,
        streams: Sequence[StreamName],
        dimensions: Sequence[str],
        classes: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.frames = FusedFrames(
            streams, config.model.fusion, lambda members: self.trunk(config, members)
        )
        self.answers = Answers(self.frames.numbers, dimensions, classes)

    @staticmethod
    def trunk(config: Config, streams: Sequence[StreamName]) -> Trunk:
        """All layers but the last, which read these streams side by side."""
        raise NotImplementedError

    def forward(self, frames: Mapping[str, Tensor], valid: Mapping[str, Tensor]) -> Output:
        """Predictions of clips.

        Args:
            frames: By stream (B, T, C, H, W).
            valid: By stream (B, T), 1 where its frame can be used, else 0.
        """
        output: Output = self.answers(self.frames(frames, valid))
        return output


@dataclass(frozen=True)
class ConvolutionsOptions(Options):
    """Sizes of `Convolutions`, and how streams are fused."""

    widths: tuple[int, ...] = (32, 64, 128)
    """2-D convolutions, each halved by pooling."""
    kernel: int = 3
    """Rows and columns of every convolution; odd."""
    first_stride: int = 1
    """Of the first convolution."""
    frame_widths: tuple[int, ...] = (256,)
    """Fully connected layers of a frame."""
    norm: Norm = "group"
    """After each convolution."""
    dropout: float = share(0.5)
    """After each fully connected layer."""
    fusion: Fusion = "late"
    """Streams side by side before the first layer (early), or their features (late)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernel % 2 == 0:
            message = f"option kernel is {self.kernel}, must be odd, for example 3"
            raise CommandError(message)

    def require_fit(self, config: Config) -> None:
        """Raises CommandError where nothing would be left of the picture."""
        if not self.map_size(config.size):
            message = f"size {config.size} is too small for {len(self.widths)} widths"
            raise CommandError(message)

    def map_size(self, size: int) -> int:
        """Rows and columns of the last map of an input of this size."""
        return ((size - 1) // self.first_stride + 1) >> len(self.widths)


class Convolutions(Trunk):
    """Convolutions, each with pooling, and fully connected layers: the plain trunk."""

    def __init__(
        self, options: ConvolutionsOptions, streams: Sequence[StreamName], size: int
    ) -> None:
        super().__init__()
        channels, stride = channels_of(streams), options.first_stride
        layers: list[nn.Module] = []
        for width in options.widths:
            layers += [
                nn.Conv2d(channels, width, options.kernel, stride, options.kernel // 2),
                nn.MaxPool2d(2),  # before ReLU it changes nothing and costs a quarter
                *normalised(options.norm, width),
                nn.ReLU(),
            ]
            channels, stride = width, 1
        self.convolutions = nn.Sequential(*layers)
        self.numbers = channels * options.map_size(size) ** 2
        dense: list[nn.Module] = []
        for width in options.frame_widths:
            dense += [nn.Linear(self.numbers, width), nn.ReLU(), nn.Dropout(options.dropout)]
            self.numbers = width
        self.dense = nn.Sequential(*dense)
        draw_for_relu(self)

    def forward(self, pictures: Tensor) -> Tensor:
        """Features (N, numbers) of pictures (N, C, H, W)."""
        features: Tensor = self.dense(self.convolutions(pictures).flatten(1))
        return features


def normalised(norm: Norm, width: int) -> list[nn.Module]:
    """The layer after a 2-D convolution of so many channels, or none."""
    if norm == "group":
        return [nn.GroupNorm(max(width // _GROUP_CHANNELS, 1), width)]
    return [nn.BatchNorm2d(width)] if norm == "batch" else []


def draw_for_relu(model: nn.Module) -> None:
    """Draws weights as He et al. (ICCV 2015) do for layers before a ReLU; biases 0."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
