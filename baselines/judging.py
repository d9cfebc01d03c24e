"""What the part "val" says while training goes on: the best weights so far, and when to stop.

Imports torch; import it where it is used.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from baselines.config import Config

__all__ = ["Judge"]


class Judge:
    """Keeps the best weights where asked to, and counts looks without a better score."""

    def __init__(self, config: Config) -> None:
        self._keeps, self._patience = config.keep_best, config.patience
        self._score = -np.inf
        self._state: dict[str, Any] | None = None
        self._looks = 0

    @property
    def is_over(self) -> bool:
        """Whether `patience` looks brought nothing better."""
        return bool(self._patience) and self._looks >= self._patience

    def look(self, model: nn.Module, scores: Mapping[str, float | None]) -> None:
        """Takes the scores of these weights; their mean counts, of those that are known."""
        there = [score for score in scores.values() if score is not None]
        score = float(np.mean(there)) if there else -np.inf
        self._looks += 1
        if score > self._score:
            self._score, self._looks = score, 0
            if self._keeps:
                self._state = deepcopy(model.state_dict())

    def give_best(self, model: nn.Module) -> None:
        """Gives the model the best weights back; the last ones stay where none were kept."""
        if self._state is not None:
            model.load_state_dict(self._state)

    def state(self) -> dict[str, Any]:
        """What `restore` takes back."""
        return {"score": float(self._score), "state": self._state, "looks": self._looks}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from a state."""
        self._score, self._state, self._looks = state["score"], state["state"], state["looks"]
