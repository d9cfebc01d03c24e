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
from typing import TYPE_CHECKING, ClassVar, Final, Literal

import torch
from torch import Tensor, nn

from baselines.convlstm import ConvLstm
from baselines.models.output import Output, recomputed, values_layer
from baselines.options import Options, share
from mavfer.errors import CommandError
from mavfer.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from baselines.config import Config
    from mavfer.streams import StreamName

__all__ = ["Branch", "BranchOutput", "Head", "Sta", "StaOptions", "reset_parameters"]

_GROUP_CHANNELS: Final = 8
_EMOTION_LAYERS_BEFORE: Final = 2

Norm = Literal["none", "group"]


@dataclass(frozen=True)
class StaOptions(Options):
    """Widths of the network; the defaults are the published ones."""

    encoder_widths: tuple[int, ...] = (32, 64, 128)
    """2-D convolutions of single frames, each halved by pooling."""
    encoder_strides: tuple[int, ...] = (1, 1, 1)
    """Of the encoder's convolutions."""
    decoder_widths: tuple[int, ...] = (64, 32)
    """ConvLSTMs, each followed by a deconvolution that doubles the size."""
    emotion_widths: tuple[int, ...] = (32, 64, 128, 256)
    """3-D convolutions; two stand before the product with the attention, the others after it."""
    emotion_strides: tuple[int, ...] = (1, 1)
    """In space, of the two before the product."""
    dense_widths: tuple[int, ...] = (1024, 1024)
    """Fully connected layers of a frame."""
    norm: Norm = "none"
    """Group normalisation after each convolution, or none."""
    attention_share: float = share(1.0)
    """1: volume times attention; 0: attention does nothing; between: a mixture of both."""
    dropout: float = share(0.5)
    """After each fully connected layer."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.encoder_strides) != len(self.encoder_widths):
            message = "encoder_strides needs one number a width. Set both to the same length"
            raise CommandError(message)
        if len(self.emotion_strides) != _EMOTION_LAYERS_BEFORE:
            message = "emotion_strides needs two numbers. Set it like [1, 1]"
            raise CommandError(message)
        if len(self.emotion_widths) < _EMOTION_LAYERS_BEFORE:
            message = "emotion_widths needs two numbers or more. Set it like [32, 64, 128, 256]"
            raise CommandError(message)

    def code_size(self, size: int) -> int:
        """Rows and columns of the encoder's last map of an input of this size."""
        for stride in self.encoder_strides:
            size = (size + stride - 1) // stride // 2
        return size

    def volume_size(self, size: int) -> int:
        """Rows and columns of the volume that the attention multiplies."""
        for stride in self.emotion_strides:
            size = (size + stride - 1) // stride
        return size

    def require_fit(self, config: Config) -> None:
        """Raises CommandError where attention and volume would differ in size, or vanish."""
        attention = self.code_size(config.size) << (len(self.decoder_widths) + 1)
        volume = self.volume_size(config.size)
        if attention != volume:
            message = (
                f"attention is {attention} pixels wide and its volume {volume}. "
                f"Change size, encoder_strides, decoder_widths or emotion_strides"
            )
            raise CommandError(message)
        if volume >> (len(self.emotion_widths) - 1) == 0:
            message = (
                f"size {config.size} is too small for {len(self.emotion_widths)} emotion_widths"
            )
            raise CommandError(message)


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

    Options: ClassVar = StaOptions
    default_streams: ClassVar[tuple[StreamName, ...]] = ("color",)
    default_config: ClassVar[str] = "sta"

    def __init__(
        self,
        config: Config,
        streams: Sequence[StreamName],
        dimensions: Sequence[str],
        classes: Sequence[str] = (),
    ) -> None:
        super().__init__()
        if len(streams) != 1:
            message = f"sta reads one stream, got {', '.join(streams)}. Add --modalities color"
            raise CommandError(message)
        self.stream = streams[0]
        self.branches = nn.ModuleDict({self.stream: Branch(config, self.stream)})
        self.head = Head(config, 1, dimensions, classes)
        reset_parameters(self)

    def forward(self, frames: Mapping[str, Tensor], valid: Mapping[str, Tensor]) -> Output:
        """Predictions and attention of clips.

        Args:
            frames: By stream (B, T, C, H, W).
            valid: By stream (B, T), 1 where its frame can be used, else 0.
        """
        seen = self.branches[self.stream](frames[self.stream], valid[self.stream])
        return self.head.output(seen.boosted, {self.stream: seen.attention})


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
        options: StaOptions = config.model
        channels = STREAMS[stream].channels
        self.share = options.attention_share
        self.encoder = _encoder(options, channels)
        guide_widths = guide_widths or [0] * len(options.decoder_widths)
        self.decoder = _Decoder(options, options.code_size(config.size), guide_widths)
        self.volume = _volume(options, channels)

    def forward(
        self, frames: Tensor, valid: Tensor, guides: Sequence[Tensor] | None = None
    ) -> BranchOutput:
        """The boosted volume of clips (B, T, C, H, W), valid (B, T), guided by others' states."""
        B, T, C, H, W = frames.shape
        is_there = valid[:, :, None, None, None]
        # Channels lie last in memory, for 2-D and 3-D convolutions alike: twice as fast on CPUs.
        frames = (frames * is_there).permute(0, 1, 3, 4, 2).contiguous()  # (B, T, H, W, C)
        pictures = frames.view(B * T, H, W, C).permute(0, 3, 1, 2)  # (B*T, C, H, W)
        codes = recomputed(self.encoder, pictures)  # (B*T, C, h, w)
        codes = _in_clips(codes, B)
        attention, states = self.decoder(codes, guides)
        area = attention.shape[-2] * attention.shape[-1]
        weight = 1 + self.share * (attention * area - 1)  # (B, T, h, w), mean 1 per frame
        shown = frames.permute(0, 4, 1, 2, 3)  # (B, C, T, H, W)
        boosted = recomputed(self, shown, weight * valid[:, :, None, None], by=self._boosted)
        return BranchOutput(boosted, attention, [state * is_there for state in states])

    def _boosted(self, frames: Tensor, weight: Tensor) -> Tensor:
        """The volume (B, C, T, h, w) of frames (B, C, T, H, W), times weights (B, T, h, w)."""
        volume: Tensor = self.volume(frames)
        return volume * weight[:, None]


class Head(nn.Module):
    """The rest of the emotion network: from joined volumes to the answers of every frame."""

    def __init__(
        self, config: Config, volumes: int, dimensions: Sequence[str], classes: Sequence[str]
    ) -> None:
        """Builds the head for so many joined volumes."""
        super().__init__()
        options: StaOptions = config.model
        pool = nn.MaxPool3d((1, 2, 2))
        before, *widths = options.emotion_widths[1:]
        channels = before * volumes
        layers: list[nn.Module] = [pool]
        for width in widths:
            layers += [*_convolution_3d(channels, width, 1, options.norm), pool]
            channels = width
        self.convolutions = nn.Sequential(*layers)
        side = options.volume_size(config.size) >> (1 + len(widths))
        numbers = channels * side**2
        dense: list[nn.Module] = []
        for width in options.dense_widths:
            dense += [nn.Linear(numbers, width), nn.ReLU(), nn.Dropout(options.dropout)]
            numbers = width
        self.dense = nn.Sequential(*dense, values_layer(numbers, len(dimensions)))
        self.classes = nn.Linear(numbers, len(classes)) if classes else None

    def forward(self, volumes: Tensor) -> tuple[Tensor, Tensor | None]:
        """Values (B, T, D) and logits (B, T, K) of volumes (B, C, T, h, w)."""
        features = recomputed(self.convolutions, volumes)
        features = features.transpose(1, 2).flatten(2)  # (B, T, C*h*w)
        features = self.dense[:-1](features)
        logits = None if self.classes is None else self.classes(features)
        return self.dense[-1](features), logits

    def output(self, volumes: Tensor, attention: dict[str, Tensor]) -> Output:
        """The answers of volumes (B, C, T, h, w), with the attention that boosted them."""
        values, logits = self(volumes)
        return Output(values, attention, logits)


class _Decoder(nn.Module):
    """Attention of every frame, from its codes and what came before."""

    def __init__(self, options: StaOptions, size: int, guide_widths: Sequence[int]) -> None:
        super().__init__()
        self.recurrent, self.enlarge = nn.ModuleList(), nn.ModuleList()
        channels = options.encoder_widths[-1]
        for width, guide in zip(options.decoder_widths, guide_widths, strict=True):
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


def _encoder(options: StaOptions, channels: int) -> nn.Sequential:
    """Codes (N, C, h, w) of single frames; the same weights for all."""
    layers: list[nn.Module] = []
    for width, stride in zip(options.encoder_widths, options.encoder_strides, strict=True):
        # Pooling first changes nothing, since ReLU keeps the order of values, and costs a quarter.
        layers += [nn.Conv2d(channels, width, 3, stride=stride, padding=1), nn.MaxPool2d(2)]
        layers += [*_norm(options.norm, width), nn.ReLU()]
        channels = width
    return nn.Sequential(*layers)


def _volume(options: StaOptions, channels: int) -> nn.Sequential:
    """The emotion network up to the product with the attention."""
    layers: list[nn.Module] = []
    for width, stride in zip(options.emotion_widths[:2], options.emotion_strides, strict=True):
        layers += _convolution_3d(channels, width, stride, options.norm)
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
