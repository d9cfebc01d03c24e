"""The one training loop: epochs over augmented clips, and looks at the part "val".

Imports torch; import it where it is used.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from baselines.averaging import AveragedWeights
from baselines.confusion import accuracy, confusion, f1_macro
from baselines.data import batches
from baselines.judging import Judge
from baselines.losses import class_loss, regression_loss
from baselines.machine import random_state, restore_random_state
from baselines.predict import predict_session
from baselines.scores import EXPRESSION
from mavfer import metrics
from mavfer.errors import CommandError
from mavfer.progress import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from baselines.config import Config
    from baselines.data import Batch, SessionView
    from baselines.models.output import Output
    from mavfer.clips import Clips

__all__ = ["Loop", "Material"]


@dataclass(frozen=True)
class Material:
    """What is trained on, and looked at."""

    clips: Clips
    """Of the part "train"."""
    views: Mapping[str, SessionView]
    """By session id, of all parts."""
    validate: Sequence[str]
    """Session ids of the part "val"; none where there is no such part."""
    dimensions: tuple[str, ...]
    classes: tuple[str, ...]
    stride: int
    """Frames of a session from one frame of a clip to the next."""


@dataclass
class _Seen:
    """What was predicted in one epoch, a batch an entry."""

    losses: list[float]
    values: list[Any]
    answers: list[Any]
    batches: list[Batch]


class Loop:
    """Trains a network in place; its whole state can be taken and given back between epochs."""

    def __init__(
        self, model: nn.Module, config: Config, material: Material, device: torch.device, seed: int
    ) -> None:
        """Begins before the first epoch; draws no random number."""
        self.model, self.config, self.material = model, config, material
        self.device, self.seed = device, seed
        self.epoch = 0
        for module in model.modules():
            # Not by setattr, which is typed as if only tensors and modules could be kept.
            module.__dict__["is_recomputed"] = config.recompute_encoder
        self.optimizer, self.schedule = _optimizer(model, config, config.epochs * self.steps)
        self.averaged = AveragedWeights(model, config.ema_decay) if config.ema_decay else None
        self.judge = Judge(config)

    @property
    def steps(self) -> int:
        """Steps of the optimizer in an epoch."""
        count = max(1, len(self.material.clips) // self.config.batch_size)
        return math.ceil(count / self.config.accumulate)

    @property
    def judged(self) -> nn.Module:
        """The network that is validated and kept: the averaged one where there is one."""
        return self.averaged.model if self.averaged else self.model

    def run(self, title: str, after_epoch: Callable[[dict[str, Any]], None]) -> nn.Module:
        """Trains to the end and gives the network that is kept.

        Args:
            title: What the progress bar says.
            after_epoch: Is told each epoch's line of the log.

        Raises:
            CommandError: The loss is no longer a number.
        """
        with progress(title, self.config.epochs * self.steps, "step") as advance:
            advance(self.epoch * self.steps)
            while self.epoch < self.config.epochs and not self.judge.is_over:
                started = time.monotonic()
                line = self._line(self._epoch(advance))
                self.epoch += 1
                line |= self._validation()
                after_epoch({**line, "seconds": round(time.monotonic() - started, 3)})
        self.judge.give_best(self.judged)
        return self.judged

    def state(self) -> dict[str, Any]:
        """Everything that `restore` needs to go on bit for bit."""
        return {
            "epoch": self.epoch,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "averaged": self.averaged.state() if self.averaged else None,
            "judge": self.judge.state(),
            "random": random_state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on after the epoch at which the state was taken."""
        self.epoch = state["epoch"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        if self.averaged:
            self.averaged.restore(state["averaged"])
        self.judge.restore(state["judge"])
        restore_random_state(state["random"])

    def _epoch(self, advance: Callable[[int], None]) -> _Seen:
        seen = _Seen([], [], [], [])
        made = batches(
            self.material.clips, self.material.views, self.config, epoch=self.epoch, seed=self.seed
        )
        self.model.train()
        for together in _bundles(made, self.config.accumulate):
            self.optimizer.zero_grad(set_to_none=True)
            for batch in together:
                self._learn(batch, 1 / len(together), seen)
            self._step()
            advance(1)
        return seen

    def _learn(self, batch: Batch, weight: float, seen: _Seen) -> None:
        """Adds a batch's gradients, times `weight`."""
        output = self._output(batch)
        loss = self._loss(output, batch)
        if not math.isfinite(loss.item()):
            message = (
                f"the loss is {loss.item()} in epoch {self.epoch + 1}. "
                f"Lower learning_rate (now {self.config.learning_rate:g}), or set clip_norm"
            )
            raise CommandError(message)
        (loss * weight if weight < 1 else loss).backward()  # type: ignore[no-untyped-call]
        seen.losses.append(loss.item())
        seen.values.append(output.values.detach().float().cpu().numpy())
        if output.logits is not None:
            seen.answers.append(output.logits.detach().argmax(-1).cpu().numpy())
        seen.batches.append(batch)

    def _output(self, batch: Batch) -> Output:
        frames, valid = (
            {name: torch.from_numpy(array).to(self.device) for name, array in arrays.items()}
            for arrays in (batch.frames, batch.valid)
        )
        is_mixed = self.config.precision == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=is_mixed):
            output: Output = self.model(frames, valid)
        return output

    def _loss(self, output: Output, batch: Batch) -> Tensor:
        """In float32, whatever the network computed in: sums of bf16 lose the third digit.

        A network may have a `penalty()` of its own, a scalar that is added.
        """
        loss = torch.zeros((), device=self.device)
        if self.material.dimensions:
            loss = regression_loss(
                output.values.float(),
                torch.from_numpy(batch.labels).to(self.device),
                torch.from_numpy(batch.mask).to(self.device),
                ccc_weight=self.config.ccc_weight,
                mse_weight=self.config.mse_weight,
            )
        if output.logits is not None and batch.expression is not None:
            label = torch.from_numpy(batch.expression).to(self.device)
            loss = loss + self.config.class_weight * class_loss(output.logits.float(), label)
        penalty: Callable[[], Tensor] | None = getattr(self.model, "penalty", None)
        return loss if penalty is None else loss + penalty()

    def _step(self) -> None:
        if self.config.clip_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.optimizer.step()
        self.schedule.step()
        if self.averaged:
            self.averaged.follow(self.model)

    def _line(self, seen: _Seen) -> dict[str, Any]:
        """Mean loss of an epoch, and the scores of what was predicted while it went on."""
        line: dict[str, Any] = {"epoch": self.epoch + 1, "loss": float(np.mean(seen.losses))}
        values, labels, mask = (
            np.concatenate([array.reshape(math.prod(array.shape[:2]), -1) for array in arrays])
            if self.material.dimensions
            else np.empty((0, 0))
            for arrays in (
                seen.values,
                [batch.labels for batch in seen.batches],
                [batch.mask for batch in seen.batches],
            )
        )
        line["train"] = self._ccc(values, np.where(mask, labels, np.nan))
        if seen.answers:
            answers = np.concatenate([array.ravel() for array in seen.answers])
            known = [b.expression.ravel() for b in seen.batches if b.expression is not None]
            line[f"train_{EXPRESSION}"] = self._class_scores(answers, np.concatenate(known))
        return line | {"learning_rate": self.optimizer.param_groups[0]["lr"]}

    def _validation(self) -> dict[str, Any]:
        """Pooled scores on the part "val"; nothing where there is no such part."""
        every = self.config.validate_every
        is_last = self.epoch == self.config.epochs
        if not every or not (self.epoch % every == 0 or is_last):
            return {}
        if not self.material.validate:
            return {"val": {}}
        chosen = [self.material.views[session] for session in self.material.validate]
        made = [
            predict_session(self.judged, view, self.config, self.material.stride, self.device)
            for view in chosen
        ]
        values = np.concatenate([each.values for each in made])
        line: dict[str, Any] = {
            "val": self._ccc(values, np.concatenate([view.labels for view in chosen]))
        }
        scores = dict(line["val"])
        if self.material.classes:
            answers = np.concatenate([each.classes for each in made])
            known = [view.expression for view in chosen if view.expression is not None]
            line[f"val_{EXPRESSION}"] = self._class_scores(answers, np.concatenate(known))
            scores[EXPRESSION] = line[f"val_{EXPRESSION}"]["f1_macro"]
        self.judge.look(self.judged, scores)
        return line

    def _ccc(self, values: Any, labels: Any) -> dict[str, float | None]:
        return {
            name: _finite(metrics.ccc(values[:, column], labels[:, column]))
            for column, name in enumerate(self.material.dimensions)
        }

    def _class_scores(self, answers: Any, labels: Any) -> dict[str, float | None]:
        counts = confusion(answers, labels, len(self.material.classes))
        return {"accuracy": _finite(accuracy(counts)), "f1_macro": _finite(f1_macro(counts))}


def _bundles(made: Iterable[Batch], size: int) -> Iterator[list[Batch]]:
    """Batches by so many; the last bundle may be smaller."""
    iterator = iter(made)
    while together := list(islice(iterator, size)):
        yield together


def _optimizer(
    model: nn.Module, config: Config, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW, which is Adam where there is no weight decay, and how its rate goes."""
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    if config.schedule == "one-cycle":
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.learning_rate, steps)
        return optimizer, cycle
    return optimizer, torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)


def _finite(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
