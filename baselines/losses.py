"""What training makes small: disagreement of predictions and labels.

Imports torch; import it where it is used.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

__all__ = ["NO_CLASS", "ccc_per_dimension", "class_loss", "regression_loss"]

NO_CLASS: Final = -1
"""Label of a frame without a class."""
_LEAST_SPREAD: Final = 1e-8


def regression_loss(
    predicted: Tensor, label: Tensor, mask: Tensor, *, ccc_weight: float, mse_weight: float
) -> Tensor:
    """Mean over dimensions of `ccc_weight` (1 - CCC) + `mse_weight` MSE, a scalar.

    CCC is taken over all rated frames of the batch, one dimension at a time. Dimensions without a
    rated frame are left out; without any the loss is 0.

    Args:
        predicted: (B, T, D).
        label: (B, T, D); what stands where `mask` is False does not matter.
        mask: (B, T, D), True where the label counts.
        ccc_weight: Weight of 1 - CCC.
        mse_weight: Weight of the mean squared error.
    """
    label = torch.where(mask, label, torch.zeros_like(label))
    counts = mask.sum((0, 1))  # (D,)
    squares = ((predicted - label) ** 2 * mask).sum((0, 1)) / counts.clamp(min=1)
    loss = ccc_weight * (1 - ccc_per_dimension(predicted, label, mask)) + mse_weight * squares
    is_rated = counts > 0
    return (loss * is_rated).sum() / is_rated.sum().clamp(min=1)


def class_loss(logits: Tensor, label: Tensor) -> Tensor:
    """Mean cross-entropy over the frames that have a class, a scalar; without any it is 0.

    Args:
        logits: (B, T, K).
        label: (B, T), index of a class; NO_CLASS = missing.
    """
    each = nn.functional.cross_entropy(
        logits.flatten(0, 1), label.flatten(), ignore_index=NO_CLASS, reduction="sum"
    )
    return each / (label != NO_CLASS).sum().clamp(min=1)


def ccc_per_dimension(predicted: Tensor, label: Tensor, mask: Tensor) -> Tensor:
    """Concordance of masked frames (B, T, D), one value a dimension (D,).

    0 where prediction and label are the same constant, since nothing was shown there.

    Source: Lin 1989, Biometrics 45(1), 255-268, with 1/n.
    """
    weight = mask / mask.sum((0, 1)).clamp(min=1)  # (B, T, D), sums to 1 per dimension
    mean_predicted = (predicted * weight).sum((0, 1))
    mean_label = (label * weight).sum((0, 1))
    from_predicted, from_label = predicted - mean_predicted, label - mean_label
    covariance = (from_predicted * from_label * weight).sum((0, 1))
    spread = ((from_predicted**2 + from_label**2) * weight).sum((0, 1))
    apart = (mean_predicted - mean_label) ** 2
    return 2 * covariance / (spread + apart + _LEAST_SPREAD)
