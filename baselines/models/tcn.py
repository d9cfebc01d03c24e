"""TCN: a CNN of every frame, and dilated convolutions over a long window of frames.

A strong baseline of today, no single paper's network. Read: entries of the ABAW challenges share
the recipe of an image encoder, temporal convolutions, a CCC loss, and windows that overlap and are
averaged; one of them (arXiv 2107.01175, its abstract) reads windows of 300 frames.

Ours: every size and the form of a block: a layer norm of each frame, a dilated convolution, ReLU,
dropout, and a 1x1 convolution, added to what came in. Dilations double from block to block. A
frame sees as many frames before as after it; with `causal` only those before. A frame in which no
stream shows the face reaches the temporal layers as zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from baselines.models.layers import Convolutions, ConvolutionsOptions, FusedFrames
from baselines.models.output import Answers, Output
from baselines.options import share
from mavfer.errors import CommandError
from mavfer.streams import STREAM_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from baselines.config import Config
    from mavfer.streams import StreamName

__all__ = ["Tcn", "TcnOptions"]


@dataclass(frozen=True)
class TcnOptions(ConvolutionsOptions):
    """Sizes of the network; all are ours."""

    temporal_widths: tuple[int, ...] = (128, 128, 128, 128, 128, 128)
    """Channels inside each block; block n looks 2^n frames apart."""
    temporal_channels: int = 128
    """Channels from block to block."""
    temporal_kernel: int = 3
    """Frames that a convolution over time reads; odd."""
    temporal_dropout: float = share(0.2)
    """In each block."""
    causal: bool = False
    """Whether a frame sees only those before it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.temporal_kernel % 2 == 0:
            message = (
                f"option temporal_kernel is {self.temporal_kernel}, must be odd, for example 3"
            )
            raise CommandError(message)

    @property
    def reach(self) -> int:
        """Frames on the farther side that one answer depends on."""
        one_way = (self.temporal_kernel - 1) * ((1 << len(self.temporal_widths)) - 1)
        return one_way if self.causal else one_way // 2


class Tcn(nn.Module):
    """Features of frames, residual blocks over time, answers."""

    Options: ClassVar = TcnOptions
    default_streams: ClassVar[tuple[StreamName, ...]] = STREAM_NAMES
    default_config: ClassVar[str] = "tcn"

    def __init__(
        self,
        config: Config,
        streams: Sequence[StreamName],
        dimensions: Sequence[str],
        classes: Sequence[str] = (),
    ) -> None:
        super().__init__()
        options: TcnOptions = config.model
        self.frames = FusedFrames(
            streams, options.fusion, lambda members: Convolutions(options, members, config.size)
        )
        channels = options.temporal_channels
        self.enter = nn.Linear(self.frames.numbers, channels)
        blocks = [
            _Block(options, channels, width, 2**level)
            for level, width in enumerate(options.temporal_widths)
        ]
        self.blocks = nn.Sequential(*blocks, nn.LayerNorm(channels))
        self.answers = Answers(channels, dimensions, classes)

    def forward(self, frames: Mapping[str, Tensor], valid: Mapping[str, Tensor]) -> Output:
        """Predictions of clips.

        Args:
            frames: By stream (B, T, C, H, W).
            valid: By stream (B, T), 1 where its frame can be used, else 0.
        """
        features = self.enter(self.frames(frames, valid))  # (B, T, C)
        output: Output = self.answers(self.blocks(features))
        return output


class _Block(nn.Module):
    """Adds to every frame what its neighbours at one distance say."""

    def __init__(self, options: TcnOptions, channels: int, width: int, dilation: int) -> None:
        super().__init__()
        reach = (options.temporal_kernel - 1) * dilation
        self.before, self.after = (reach, 0) if options.causal else (reach // 2, reach // 2)
        self.norm = nn.LayerNorm(channels)
        self.over_time = nn.Conv1d(channels, width, options.temporal_kernel, dilation=dilation)
        self.dropout = nn.Dropout(options.temporal_dropout)
        self.back = nn.Conv1d(width, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, T, C) of (B, T, C)."""
        series = self.norm(features).transpose(1, 2)  # (B, C, T)
        series = nn.functional.pad(series, (self.before, self.after))
        series = self.dropout(self.over_time(series).relu())
        added: Tensor = self.back(series).transpose(1, 2)  # (B, T, C)
        return features + added
