"""STA: spatiotemporal attention network for continuous emotion from a color clip.

J. Lee, S. Kim, S. Kim, K. Sohn: "Spatiotemporal attention based deep neural networks for emotion
recognition", ICASSP 2018, DOI 10.1109/ICASSP.2018.8461920.

Read there: a 2-D encoder shared by all frames (3x3 convolutions of 32, 64, 128, each with ReLU and
2x2 max-pooling); a decoder of ConvLSTMs (64, 32) that doubles the size by deconvolution until a map
of one channel has the size of the clip; a softmax over all places of a frame; the map times the
features of a 3-D CNN (32, 64 before, 128, 256 after the product), fully connected layers of 1024
and a linear output.

Ours, where the paper is silent or can be read in two ways: the attention is taken from the state of
the same frame; 3-D kernels are 3x3x3 and pooling is in space only, so that every frame keeps its
output; the sum of 1 is spread over the frame's area (times H x W) before the product, since values
of 1/(H x W) would starve the layers behind it; strides, group normalisation and a share of
attention below 1 are options for narrow nets; one output a dimension.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from baselines.convlstm import ConvLstm
from mavfer.errors import CommandError
from mavfer.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from baselines.config import Config
    from mavfer.streams import StreamName

__all__ = ["Branch", "BranchOutput", "Head", "Output", "Sta", "reset_parameters"]

_GROUP_CHANNELS = 8


@dataclass(frozen=True)
class Output:
    """What a model says about a clip."""

    values: Tensor
    """(B, T, D), one prediction a frame and dimension."""
    attention: dict[str, Tensor]
    """By stream (B, T, h, w), not negative, sum 1 per frame."""


@dataclass(frozen=True)
class BranchOutput:
    """What one stream gives."""

    boosted: Tensor
    """(B, C, T, h, w), the attention-boosted volume; 0 where the stream is missing."""
    attention: Tensor
    """(B, T, h, w), sum 1 per frame."""
    states: list[Tensor]
    """Of every ConvLSTM (B, T, width, h, w); 0 where the stream is missing."""


class Sta(nn.Module):
    """The network of the paper, on one stream."""

    default_streams: ClassVar[tuple[StreamName, ...]] = ("color",)

    def __init__(
        self, config: Config, streams: Sequence[StreamName], dimensions: Sequence[str]
    ) -> None:
        super().__init__()
        if len(streams) != 1:
            message = f"sta reads one stream, got {', '.join(streams)}. Add --modalities color"
            raise CommandError(message)
        self.stream = streams[0]
        self.branches = nn.ModuleDict({self.stream: Branch(config, self.stream)})
        self.head = Head(config, 1, len(dimensions))
        reset_parameters(self)

    def forward(self, frames: Mapping[str, Tensor], valid: Mapping[str, Tensor]) -> Output:
        """Predictions and attention of clips.

        Args:
            frames: By stream (B, T, C, H, W).
            valid: By stream (B, T), 1 where its frame can be used, else 0.
        """
        seen = self.branches[self.stream](frames[self.stream], valid[self.stream])
        return Output(self.head(seen.boosted), {self.stream: seen.attention})


class Branch(nn.Module):
    """Encoder, decoder and boosted volume of one stream."""

    def __init__(
        self, config: Config, stream: StreamName, guide_widths: Sequence[int] | None = None
    ) -> None:
        """Builds the branch.

        Args:
            config: Widths and sizes.
            stream: Whose channels it reads.
            guide_widths: Channels of the guide at each ConvLSTM; None where nothing guides.
        """
        super().__init__()
        channels = STREAMS[stream].channels
        self.share = config.attention_share
        self.encoder = _encoder(config, channels)
        self.decoder = _Decoder(config, guide_widths or [0] * len(config.decoder_widths))
        self.volume = _volume(config, channels)

    def forward(
        self, frames: Tensor, valid: Tensor, guides: Sequence[Tensor] | None = None
    ) -> BranchOutput:
        """The boosted volume of clips (B, T, C, H, W), valid (B, T), guided by others' states."""
        B, T, C, H, W = frames.shape
        is_there = valid[:, :, None, None, None]
        # Channels lie last in memory, for 2-D and 3-D convolutions alike: twice as fast on CPUs.
        frames = (frames * is_there).permute(0, 1, 3, 4, 2).contiguous()  # (B, T, H, W, C)
        codes = self.encoder(frames.view(B * T, H, W, C).permute(0, 3, 1, 2))  # (B*T, C, h, w)
        codes = _in_clips(codes, B)
        attention, states = self.decoder(codes, guides)
        area = attention.shape[-2] * attention.shape[-1]
        weight = 1 + self.share * (attention * area - 1)  # (B, T, h, w), mean 1 per frame
        volume = self.volume(frames.permute(0, 4, 1, 2, 3))  # (B, C, T, h, w)
        boosted = volume * (weight * valid[:, :, None, None])[:, None]
        return BranchOutput(boosted, attention, [state * is_there for state in states])


class Head(nn.Module):
    """The rest of the emotion network: from joined volumes to one value a frame and dimension."""

    def __init__(self, config: Config, volumes: int, dimensions: int) -> None:
        """Builds the head for so many joined volumes and so many dimensions."""
        super().__init__()
        pool = nn.MaxPool3d((1, 2, 2))
        before, *widths = config.emotion_widths[1:]
        channels = before * volumes
        layers: list[nn.Module] = [pool]
        for width in widths:
            layers += [*_convolution_3d(channels, width, 1, config.norm), pool]
            channels = width
        self.convolutions = nn.Sequential(*layers)
        side = config.volume_size >> (1 + len(widths))
        numbers = channels * side**2
        dense: list[nn.Module] = []
        for width in config.dense_widths:
            dense += [nn.Linear(numbers, width), nn.ReLU(), nn.Dropout(config.dropout)]
            numbers = width
        self.dense = nn.Sequential(*dense, nn.Linear(numbers, dimensions))

    def forward(self, volumes: Tensor) -> Tensor:
        """Values (B, T, D) of volumes (B, C, T, h, w)."""
        features = self.convolutions(volumes).transpose(1, 2).flatten(2)  # (B, T, C*h*w)
        values: Tensor = self.dense(features)
        return values


class _Decoder(nn.Module):
    """Attention of every frame, from its codes and what came before."""

    def __init__(self, config: Config, guide_widths: Sequence[int]) -> None:
        super().__init__()
        self.recurrent, self.enlarge = nn.ModuleList(), nn.ModuleList()
        channels, size = config.encoder_widths[-1], config.code_size
        for width, guide in zip(config.decoder_widths, guide_widths, strict=True):
            self.recurrent.append(ConvLstm(channels, width, size, guide))
            self.enlarge.append(_doubling(width, width))
            channels, size = width, 2 * size
        self.to_map = _doubling(channels, 1)

    def forward(
        self, codes: Tensor, guides: Sequence[Tensor] | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Attention (B, T, H, W) and the states of every ConvLSTM."""
        B = len(codes)
        states = []
        maps = codes
        for number, (cell, enlarge) in enumerate(zip(self.recurrent, self.enlarge, strict=True)):
            states.append(cell(maps, None if guides is None else guides[number]))
            maps = _in_clips(torch.relu(enlarge(states[-1].flatten(0, 1))), B)
        scores = self.to_map(maps.flatten(0, 1)).squeeze(1)  # (B*T, H, W)
        attention = torch.softmax(scores.flatten(1), dim=1).view_as(scores)
        return _in_clips(attention, B), states


def reset_parameters(model: nn.Module) -> None:
    """Draws weights as Glorot and Bengio (2010) do, as the paper says; biases 0."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in model.modules():
        if isinstance(module, ConvLstm):
            module.reset_parameters()


def _in_clips(frames: Tensor, clips: int) -> Tensor:
    """Frames (B*T, …) of so many clips as (B, T, …)."""
    return frames.reshape(clips, -1, *frames.shape[1:])


def _encoder(config: Config, channels: int) -> nn.Sequential:
    """Codes (N, C, h, w) of single frames; the same weights for all."""
    layers: list[nn.Module] = []
    for width, stride in zip(config.encoder_widths, config.encoder_strides, strict=True):
        # Pooling first changes nothing, since ReLU keeps the order of values, and costs a quarter.
        layers += [nn.Conv2d(channels, width, 3, stride=stride, padding=1), nn.MaxPool2d(2)]
        layers += [*_norm(config.norm, width), nn.ReLU()]
        channels = width
    return nn.Sequential(*layers)


def _volume(config: Config, channels: int) -> nn.Sequential:
    """The emotion network up to the product with the attention."""
    layers: list[nn.Module] = []
    for width, stride in zip(config.emotion_widths[:2], config.emotion_strides, strict=True):
        layers += _convolution_3d(channels, width, stride, config.norm)
        channels = width
    return nn.Sequential(*layers)


def _convolution_3d(channels: int, width: int, stride: int, norm: str) -> list[nn.Module]:
    convolution = nn.Conv3d(channels, width, 3, stride=(1, stride, stride), padding=1)
    return [convolution, *_norm(norm, width), nn.ReLU()]


def _norm(norm: str, width: int) -> list[nn.Module]:
    if norm == "none":
        return []
    return [nn.GroupNorm(max(width // _GROUP_CHANNELS, 1), width)]


def _doubling(channels: int, width: int) -> nn.ConvTranspose2d:
    """A deconvolution to twice the rows and columns."""
    return nn.ConvTranspose2d(channels, width, 4, stride=2, padding=1)
