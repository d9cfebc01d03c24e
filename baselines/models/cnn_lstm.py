"""CNN-LSTM: a CNN of every frame, and an LSTM over the frames.

Compared with in J. Lee et al.: "Spatiotemporal attention based deep neural networks for emotion
recognition", ICASSP 2018, as "CNN + RNN" (P. Khorrami et al., ICIP 2016, arXiv 1602.07377) and
"CNN + LSTM" (L. Chao et al., AV+EC 2015).

Read there: that a recurrent network runs over the features of a CNN, on about one or four seconds
of video. Of Khorrami's paper only the abstract was read, of Chao's nothing.

Ours: every size. The CNN is that of `cnn.py`; one LSTM reads it forwards, or both ways where
`both_ways` says so. A frame in which no stream shows the face reaches the LSTM as zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from baselines.models.layers import Convolutions, ConvolutionsOptions, FusedFrames
from baselines.models.output import Answers, Output
from baselines.options import share

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from baselines.config import Config
    from mavfer.streams import StreamName

__all__ = ["CnnLstm", "CnnLstmOptions"]


@dataclass(frozen=True)
class CnnLstmOptions(ConvolutionsOptions):
    """Sizes of the network; all are ours."""

    lstm_widths: tuple[int, ...] = (128,)
    """LSTMs, one on the other; with `both_ways` so many states in each direction."""
    both_ways: bool = False
    """Whether a frame also sees those after it."""
    lstm_dropout: float = share(0.2)
    """After each LSTM."""


class CnnLstm(nn.Module):
    """Features of frames, recurrent layers, answers."""

    Options: ClassVar = CnnLstmOptions
    default_streams: ClassVar[tuple[StreamName, ...]] = ("color",)
    default_config: ClassVar[str] = "cnn_lstm"

    def __init__(
        self,
        config: Config,
        streams: Sequence[StreamName],
        dimensions: Sequence[str],
        classes: Sequence[str] = (),
    ) -> None:
        super().__init__()
        options: CnnLstmOptions = config.model
        self.frames = FusedFrames(
            streams, options.fusion, lambda members: Convolutions(options, members, config.size)
        )
        numbers = self.frames.numbers
        self.recurrent = nn.ModuleList()
        for width in options.lstm_widths:
            layer = nn.LSTM(numbers, width, batch_first=True, bidirectional=options.both_ways)
            self.recurrent.append(layer)
            numbers = width * (2 if options.both_ways else 1)
        self.dropout = nn.Dropout(options.lstm_dropout)
        self.answers = Answers(numbers, dimensions, classes)

    def forward(self, frames: Mapping[str, Tensor], valid: Mapping[str, Tensor]) -> Output:
        """Predictions of clips.

        Args:
            frames: By stream (B, T, C, H, W).
            valid: By stream (B, T), 1 where its frame can be used, else 0.
        """
        features: Tensor = self.frames(frames, valid)  # (B, T, F)
        for layer in self.recurrent:
            features = self.dropout(layer(features)[0])
        output: Output = self.answers(features)
        return output
