"""The running average of a network's weights, which is judged and kept instead of the weights.

Source: Polyak and Juditsky 1992, SIAM J. Control Optim. 30(4), 838-855 (averaging); the decay grows
with the number of steps, (1 + n) / (10 + n), until it is the one asked for, as TensorFlow's
`ExponentialMovingAverage` has it, so that the random weights of the start are soon forgotten.

Imports torch; import it where it is used.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

import torch

if TYPE_CHECKING:
    from torch import nn

__all__ = ["AveragedWeights"]

_WARM_UP: Final = 10


class AveragedWeights:
    """A copy of a network whose weights follow those of the network slowly."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Begins with a copy of the weights as they are."""
        self.model = deepcopy(model).requires_grad_(requires_grad=False)
        self.decay = decay
        self.steps = 0

    @torch.no_grad()
    def follow(self, model: nn.Module) -> None:
        """Moves the average towards the weights; counts of normalisation layers are copied."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (_WARM_UP + self.steps))
        for average, weight in zip(self.model.parameters(), model.parameters(), strict=True):
            average.lerp_(weight, 1 - decay)
        for kept, buffer in zip(self.model.buffers(), model.buffers(), strict=True):
            kept.copy_(buffer)

    def state(self) -> dict[str, Any]:
        """What `restore` takes back."""
        return {"model": self.model.state_dict(), "steps": self.steps}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from a state."""
        self.model.load_state_dict(state["model"])
        self.steps = state["steps"]
