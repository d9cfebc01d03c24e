"""The convolutional LSTM with peepholes, whose gates may also be guided by other streams.

Imports torch; import it where it is used.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

__all__ = ["ConvLstm"]

_KERNEL: Final = 3
_GATES: Final = 4
_FORGET_BIAS: Final = 1.0


class ConvLstm(nn.Module):
    """Hidden states of a sequence of maps.

    With X the input, H' and c' the states of the frame before, * a convolution and . a product of
    elements:

        i = sigmoid(Wxi * X + Whi * H' + Wci * c' + bi)        f likewise
        c = f . c' + i . tanh(Wxc * X + Whc * H' + bc)
        o = sigmoid(Wxo * X + Who * H' + Wco . c + bo)
        h = o . tanh(c)

    Source: STA (ICASSP 2018), the equations of its temporal decoder; 3x3 kernels. Ours: with a
    guide G, every gate and the candidate also receive Wg * G, without a bias, so that a guide of
    zeros changes nothing; peepholes start at 0 and the forget gate's bias at 1.
    """

    def __init__(self, channels: int, width: int, size: int, guide_channels: int = 0) -> None:
        """Builds the cell.

        Args:
            channels: Channels of the input.
            width: Channels of the hidden state.
            size: Rows and columns of every map.
            guide_channels: Channels of the guide; 0 where there is none.
        """
        super().__init__()
        self.width = width
        self.from_input = _convolution(channels, _GATES * width, bias=True)
        self.from_hidden = _convolution(width, _GATES * width)
        self.from_cell = _convolution(width, 2 * width)
        self.cell_to_output = nn.Parameter(torch.zeros(width, size, size))
        self.from_guide = _convolution(guide_channels, _GATES * width) if guide_channels else None

    def reset_parameters(self) -> None:
        """Starts the peepholes and biases where the class says they start."""
        nn.init.zeros_(self.from_cell.weight)
        nn.init.zeros_(self.cell_to_output)
        if self.from_input.bias is not None:
            nn.init.zeros_(self.from_input.bias)
            nn.init.constant_(self.from_input.bias[self.width : 2 * self.width], _FORGET_BIAS)

    def forward(self, maps: Tensor, guide: Tensor | None = None) -> Tensor:
        """Hidden states (B, T, width, H, W), the first from a state of zeros.

        Args:
            maps: (B, T, channels, H, W).
            guide: (B, T, guide_channels, H, W), states of the same frames.
        """
        B, T, C, H, W = maps.shape
        # Neither of these needs the state, so all frames are convolved at once.
        driven = self.from_input(maps.reshape(B * T, C, H, W))  # (B*T, 4*width, H, W)
        if self.from_guide is not None and guide is not None:
            driven = driven + self.from_guide(guide.flatten(0, 1))  # (B*T, 4*width, H, W)
        driven = driven.reshape(B, T, _GATES * self.width, H, W)
        hidden = cell = maps.new_zeros(B, self.width, H, W)
        weight = self._joined_weight()
        states = []
        for drive in driven.unbind(1):
            both = torch.cat([hidden, cell], dim=1)
            moved = drive + nn.functional.conv2d(both, weight, padding=_KERNEL // 2)
            hidden, cell = self._step(moved, cell)
            states.append(hidden)
        return torch.stack(states, 1)

    def _joined_weight(self) -> Tensor:
        """Weights of H' and c' as those of one convolution, which halves the calls a frame."""
        peepholes = self.from_cell.weight
        nothing = torch.zeros_like(peepholes)  # candidate and output do not see c' this way
        return torch.cat([self.from_hidden.weight, torch.cat([peepholes, nothing])], dim=1)

    def _step(self, moved: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """State and cell of one frame, from everything that is convolved."""
        keep, forget, candidate, output = moved.chunk(_GATES, dim=1)
        cell = torch.sigmoid(forget) * cell + torch.sigmoid(keep) * torch.tanh(candidate)
        opened = torch.sigmoid(output + self.cell_to_output * cell)
        return opened * torch.tanh(cell), cell


def _convolution(channels: int, width: int, *, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(channels, width, _KERNEL, padding=_KERNEL // 2, bias=bias)
