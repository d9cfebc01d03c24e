"""What a network says about clips, and the layers that say it.

Imports torch; import it where it is used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Answers", "Output", "recomputed", "values_layer"]


@dataclass(frozen=True)
class Output:
    """What a model says about a clip."""

    values: Tensor
    """(B, T, D), one prediction a frame and dimension; D is 0 where only classes are asked for."""
    attention: dict[str, Tensor] = field(default_factory=dict)
    """By stream (B, T, h, w), not negative, sum 1 per frame; empty where a model has none."""
    logits: Tensor | None = None
    """(B, T, K), before the softmax over the study's expression classes; None where not asked."""


class Answers(nn.Module):
    """The last layer of a network: from features to what `Output` holds."""

    def __init__(self, numbers: int, dimensions: Sequence[str], classes: Sequence[str]) -> None:
        """Builds it for so many features, these dimensions and these classes."""
        super().__init__()
        self.values = values_layer(numbers, len(dimensions))
        self.classes = nn.Linear(numbers, len(classes)) if classes else None

    def forward(self, features: Tensor) -> Output:
        """Values (B, T, D) and logits (B, T, K) of features (B, T, numbers)."""
        logits = None if self.classes is None else self.classes(features)
        return Output(self.values(features), logits=logits)


def values_layer(numbers: int, dimensions: int) -> nn.Module:
    """A linear layer; one without weights where no dimension is asked for."""
    return nn.Linear(numbers, dimensions) if dimensions else _Nothing()


def recomputed(part: nn.Module, *inputs: Tensor, by: Callable[..., Any] | None = None) -> Any:
    """What a part of a network, or its method `by`, answers.

    Where the part's `is_recomputed` is set, nothing inside is remembered, and the backward pass
    computes it again: `Config.recompute_encoder` sets it in all modules.
    """
    answer = by or part
    if getattr(part, "is_recomputed", False) and torch.is_grad_enabled():
        return checkpoint(answer, *inputs, use_reentrant=False)
    return answer(*inputs)


class _Nothing(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        """(…, 0) of features (…, numbers)."""
        return features[..., :0]
