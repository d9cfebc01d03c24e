"""CNN: every frame by itself, the plainest network to compare with.

Compared with in J. Lee et al.: "Spatiotemporal attention based deep neural networks for emotion
recognition", ICASSP 2018, as "2D-CNN" (an ablation) and as the CNN of P. Khorrami et al.: "How deep
neural networks can improve emotion recognition on video data", ICIP 2016, arXiv 1602.07377.

Read there: that frames are read one at a time by a convolutional network, which is then compared
with networks that also see time. Of Khorrami's paper only the abstract was read.

Ours: every size. The widths are those of STA's spatial encoder (32, 64, 128; 3x3; 2x2 pooling),
then a fully connected layer of 256. Streams are fused late unless said otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from baselines.models.layers import Convolutions, ConvolutionsOptions, FrameNetwork, Trunk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from baselines.config import Config
    from mavfer.streams import StreamName

__all__ = ["Cnn", "CnnOptions"]


@dataclass(frozen=True)
class CnnOptions(ConvolutionsOptions):
    """Sizes of the network; all are ours."""


class Cnn(FrameNetwork):
    """Convolutions, a fully connected layer, answers; no time."""

    Options: ClassVar = CnnOptions
    default_config: ClassVar[str] = "cnn"

    @staticmethod
    def trunk(config: Config, streams: Sequence[StreamName]) -> Trunk:
        """All layers but the last, which read these streams side by side."""
        return Convolutions(config.model, streams, config.size)
