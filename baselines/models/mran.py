"""MRAN: color read where depth and thermal say that emotion shows.

J. Lee, S. Kim, S. Kim, K. Sohn: "Multi-modal recurrent attention networks for facial expression
recognition", IEEE Transactions on Image Processing 29, 2020, DOI 10.1109/TIP.2020.2996086.

Read in its abstract: depth and thermal sequences are guidance priors for the color sequence; the
network infers an attention volume and multiplies features by it; it also runs on color alone.

Ours, since the layers and equations were not available to us: the structure of STA (`sta.py`, by
the same authors, read in full) for every stream; the gates of the color decoder also receive the
states of the depth and thermal decoders at the same frame (`convlstm.py`); every stream present
yields its own attention-boosted volume and the 3-D CNN reads the joined volumes, because color
carries nothing in the dark. `emotion_input = "color"` keeps guidance and drops the other volumes;
`guidance = false` keeps the volumes and drops guidance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal

import torch
from torch import Tensor, nn

from baselines.models.sta import Branch, BranchOutput, Head, StaOptions, reset_parameters
from mavfer.errors import CommandError
from mavfer.streams import STREAM_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from baselines.config import Config
    from baselines.models.output import Output
    from mavfer.streams import StreamName

__all__ = ["Mran", "MranOptions"]

EmotionInput = Literal["all", "color"]

_GUIDED: Final = "color"


@dataclass(frozen=True)
class MranOptions(StaOptions):
    """Widths of every stream's network, and what is read."""

    emotion_input: EmotionInput = "all"
    """Which streams' boosted volumes the 3-D CNN reads; "color" leaves guidance only."""
    guidance: bool = True
    """Whether depth and thermal guide the color decoder; without, volumes are joined alone."""


class Mran(nn.Module):
    """Any of the three streams; given color alone its graph is exactly that of `Sta`."""

    Options: ClassVar = MranOptions
    default_streams: ClassVar[tuple[StreamName, ...]] = STREAM_NAMES
    default_config: ClassVar[str] = "mran"

    def __init__(
        self,
        config: Config,
        streams: Sequence[StreamName],
        dimensions: Sequence[str],
        classes: Sequence[str] = (),
    ) -> None:
        super().__init__()
        options: MranOptions = config.model
        self.streams = tuple(name for name in STREAM_NAMES if name in streams)
        self.guiding = tuple(name for name in self.streams if name != _GUIDED)
        is_color_read = options.emotion_input == "color"
        if is_color_read and _GUIDED not in self.streams:
            message = "emotion_input is 'color', and color is not among the modalities. Add it"
            raise CommandError(message)
        self.read = (_GUIDED,) if is_color_read else self.streams
        self.has_guidance = options.guidance
        guides = len(self.guiding) if self.has_guidance else 0
        guide_widths = [guides * width for width in options.decoder_widths]
        self.branches = nn.ModuleDict(
            {
                name: Branch(config, name, guide_widths if name == _GUIDED else None)
                for name in self.streams
            }
        )
        self.head = Head(config, len(self.read), dimensions, classes)
        reset_parameters(self)

    def forward(self, frames: Mapping[str, Tensor], valid: Mapping[str, Tensor]) -> Output:
        """Predictions and attention of clips.

        Args:
            frames: By stream (B, T, C, H, W).
            valid: By stream (B, T), 1 where its frame can be used, else 0; a missing stream
                neither guides nor adds to what is read.
        """
        seen: dict[str, BranchOutput] = {
            name: self.branches[name](frames[name], valid[name]) for name in self.guiding
        }
        if _GUIDED in self.streams:
            guides = _joined_states(list(seen.values())) if self.has_guidance else None
            seen[_GUIDED] = self.branches[_GUIDED](frames[_GUIDED], valid[_GUIDED], guides)
        boosted = torch.cat([seen[name].boosted for name in self.read], dim=1)
        return self.head.output(boosted, {name: seen[name].attention for name in self.streams})


def _joined_states(guides: Sequence[BranchOutput]) -> list[Tensor] | None:
    """The guides' states, joined along channels, one tensor a ConvLSTM."""
    if not guides:
        return None
    levels = zip(*(guide.states for guide in guides), strict=True)
    return [torch.cat(level, dim=2) for level in levels]
