"""What is usually written instead: a ConvLSTM frame by frame, a bare training loop, a bootstrap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from baselines.losses import regression_loss

if TYPE_CHECKING:
    from collections.abc import Iterable

    from baselines.config import Config
    from baselines.convlstm import ConvLstm
    from baselines.data import Batch

__all__ = ["PlainConvLstm", "bootstrap_frames", "train_bare"]


class PlainConvLstm(nn.Module):
    """The same cell, each frame's input, state and peepholes convolved in their turn."""

    def __init__(self, cell: ConvLstm) -> None:
        """Shares the weights of a `ConvLstm` without a guide."""
        super().__init__()
        self.cell = cell

    def forward(self, maps: Tensor) -> Tensor:
        """Hidden states (B, T, width, H, W) of maps (B, T, C, H, W)."""
        cell, width = self.cell, self.cell.width
        B, T, _, H, W = maps.shape
        hidden = memory = maps.new_zeros(B, width, H, W)
        states = []
        for number in range(T):
            moved = cell.from_input(maps[:, number]) + cell.from_hidden(hidden)
            keep, forget, candidate, output = moved.chunk(4, dim=1)
            keep_more, forget_more = cell.from_cell(memory).chunk(2, dim=1)
            keep, forget = keep + keep_more, forget + forget_more
            memory = torch.sigmoid(forget) * memory + torch.sigmoid(keep) * torch.tanh(candidate)
            hidden = torch.sigmoid(output + cell.cell_to_output * memory) * torch.tanh(memory)
            states.append(hidden)
        return torch.stack(states, dim=1)


def train_bare(model: nn.Module, config: Config, made: Iterable[Batch]) -> None:
    """One epoch without a log, a progress bar, checks or scores."""
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    model.train()
    for batch in made:
        frames = {name: torch.from_numpy(array) for name, array in batch.frames.items()}
        valid = {name: torch.from_numpy(array) for name, array in batch.valid.items()}
        loss = regression_loss(
            model(frames, valid).values,
            torch.from_numpy(batch.labels),
            torch.from_numpy(batch.mask),
            ccc_weight=config.ccc_weight,
            mse_weight=config.mse_weight,
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
        optimizer.step()


def bootstrap_frames(
    predicted: list[np.ndarray], label: list[np.ndarray], draws: int, seed: int
) -> np.ndarray:
    """CCC of each draw of sessions (draws,), from their frames put together anew."""
    random = np.random.default_rng(seed)
    drawn = np.empty(draws)
    for number in range(draws):
        chosen = random.integers(0, len(label), len(label))
        x = np.concatenate([predicted[place] for place in chosen])
        y = np.concatenate([label[place] for place in chosen])
        covariance = np.mean((x - x.mean()) * (y - y.mean()))
        drawn[number] = 2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    return drawn
