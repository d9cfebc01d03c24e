"""Training: one loop, from a study to a run under results/.

Imports torch; import it where it is used.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import nn

from baselines.data import View, batches, clip_stride
from baselines.losses import regression_loss
from baselines.models import build_model, find_model
from baselines.parts import load_parts, read_views
from baselines.predict import predict_session
from baselines.results import Run
from mavfer import metrics
from mavfer.errors import CommandError
from mavfer.progress import progress
from mavfer.study.study import Study

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from baselines.config import Config
    from baselines.data import Batch, SessionView
    from baselines.models.output import Output
    from baselines.parts import Parts
    from mavfer.clips import Clips
    from mavfer.streams import StreamName

__all__ = ["train_model"]


def train_model(
    name: str,
    root: Path,
    config: Config,
    *,
    streams: Sequence[StreamName] | None = None,
    labels: str = "gold",
    split: str = "default",
    fold: int = 0,
    seed: int = 0,
) -> tuple[Path, dict[str, Any]]:
    """Trains a model on a study, predicts the held-out sessions and scores them.

    The same seed gives the same numbers on the same machine with the same number of threads.

    Args:
        name: One of `baselines.models.MODELS`.
        root: Folder of the study.
        config: Every other option.
        streams: Streams that the model reads; its own choice where not given.
        labels: Name of the label.
        split: Name of the split.
        fold: Number of its fold.
        seed: Of weights, order and augmentation.

    Returns:
        The run's folder, and the document in its result.json.

    Raises:
        CommandError: Model, streams or sizes do not go together, the device is not there, or the
            study is a release, which takes no results.
        NotFound: No study, shards, split or label of that name, or nothing to train on.
    """
    streams = tuple(streams or find_model(name).default_streams)
    device = _device(config)
    Study.open(root, writable=True)  # before hours of training: results go into the study
    parts = load_parts(root, streams=streams, labels=labels, split=split, fold=fold)
    with _fixed(seed, config.threads):
        model = build_model(name, config, streams, parts.dimensions).to(device)
        clips = _training_clips(parts, config, seed)
        views = read_views(parts, config)
        run = Run.begin(
            parts.train.study,
            model=name,
            seed=seed,
            streams=streams,
            labels=labels,
            split=split,
            fold=fold,
            config=config,
        )
        _fit(model, run, clips=clips, parts=parts, views=views, device=device)
        run.write_weights(model)
        _write_evaluation(model, parts, views, run, device)
    parameters = sum(weight.numel() for weight in model.parameters())
    return run.folder, run.finish(parts.train.study, parts, parameters)


def _fit(
    model: nn.Module,
    run: Run,
    *,
    clips: Clips,
    parts: Parts,
    views: dict[str, SessionView],
    device: torch.device,
) -> None:
    """Trains the model in place, one line of the log an epoch."""
    config = run.config
    steps = max(1, len(clips) // config.batch_size)
    optimizer, schedule = _optimizer(model, config, config.epochs * steps)
    best = _Best(model) if config.keep_best else None
    with progress(f"train {run.model}", config.epochs * steps, "step") as advance:
        for epoch in range(config.epochs):
            started = time.monotonic()
            seen = []
            for batch in batches(clips, views, config, epoch=epoch, seed=run.seed):
                model.train()
                loss, predicted = _loss(model, batch, config, device)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                if config.clip_norm:
                    nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
                optimizer.step()
                schedule.step()
                seen.append((loss.item(), predicted.detach().cpu().numpy(), batch))
                advance(1)
            line = _epoch_line(epoch, seen, parts.dimensions)
            line["learning_rate"] = optimizer.param_groups[0]["lr"]
            if _is_validated(epoch, config):
                line["val"] = _validation(model, parts, views, config, device)
                if best:
                    best.look(model, line["val"])
            run.log({**line, "seconds": round(time.monotonic() - started, 3)})
    if best:
        best.restore(model)


def _loss(
    model: nn.Module, batch: Batch, config: Config, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss of a batch, and its predictions (B, T, D)."""
    frames, valid = (
        {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}
        for arrays in (batch.frames, batch.valid)
    )
    output: Output = model(frames, valid)
    predicted = output.values
    loss = regression_loss(
        predicted,
        torch.from_numpy(batch.labels).to(device),
        torch.from_numpy(batch.mask).to(device),
        ccc_weight=config.ccc_weight,
        mse_weight=config.mse_weight,
    )
    return loss, predicted


def _training_clips(parts: Parts, config: Config, seed: int) -> Clips:
    """Clips whose starts move from epoch to epoch, so that every frame can begin one."""
    stride = clip_stride(list(parts.train), config)
    return parts.train.clips(
        length=config.frames, stride=stride, hop=config.hop * stride, start="random", seed=seed
    )


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


def _epoch_line(
    epoch: int, seen: Sequence[tuple[float, Any, Batch]], dimensions: Sequence[str]
) -> dict[str, Any]:
    """Mean loss of an epoch, and CCC of what was predicted while it went on."""
    predicted, label, mask = (
        np.concatenate([array.reshape(-1, len(dimensions)) for array in arrays])
        for arrays in zip(*((p, b.labels, b.mask) for _, p, b in seen), strict=True)
    )
    label = np.where(mask, label, np.nan)
    return {
        "epoch": epoch + 1,
        "loss": float(np.mean([loss for loss, _, _ in seen])),
        "train": {
            name: _finite(metrics.ccc(predicted[:, column], label[:, column]))
            for column, name in enumerate(dimensions)
        },
    }


def _is_validated(epoch: int, config: Config) -> bool:
    every = config.validate_every
    return bool(every) and ((epoch + 1) % every == 0 or epoch + 1 == config.epochs)


def _validation(
    model: nn.Module,
    parts: Parts,
    views: dict[str, SessionView],
    config: Config,
    device: torch.device,
) -> dict[str, float | None]:
    """Pooled CCC on the part "val" by dimension; nothing where there is no such part."""
    if parts.validate is None:
        return {}
    stride = clip_stride(list(parts.train), config)
    chosen = [views[recording.session] for recording in parts.validate]
    predicted = np.concatenate(
        [predict_session(model, view, config, stride, device).values for view in chosen]
    )
    label = np.concatenate([view.labels for view in chosen])
    return {
        name: _finite(metrics.ccc(predicted[:, column], label[:, column]))
        for column, name in enumerate(parts.dimensions)
    }


def _write_evaluation(
    model: nn.Module, parts: Parts, views: dict[str, SessionView], run: Run, device: torch.device
) -> None:
    """Predicts every session of the evaluated part and writes what was predicted."""
    stride = clip_stride(list(parts.train), run.config)
    chosen = [views[recording.session] for recording in parts.evaluated]
    predictions = []
    with progress(f"predict {parts.evaluated_name}", len(chosen), "session") as advance:
        for view in chosen:
            predictions.append(predict_session(model, view, run.config, stride, device))
            advance(1)
    run.write_predictions(chosen, predictions, parts)
    run.write_attention(chosen, predictions, View.of(chosen[0].recording, run.config).inner_box)


class _Best:
    """The weights with the best mean CCC on the part "val" so far."""

    def __init__(self, model: nn.Module) -> None:
        self._score = -np.inf
        self._state = deepcopy(model.state_dict())

    def look(self, model: nn.Module, scores: dict[str, float | None]) -> None:
        """Keeps the model's weights where it scores better than ever."""
        there = [score for score in scores.values() if score is not None]
        score = float(np.mean(there)) if there else -np.inf
        if score > self._score:
            self._score, self._state = score, deepcopy(model.state_dict())

    def restore(self, model: nn.Module) -> None:
        """Gives the model the best weights back; the last ones where nothing was scored."""
        if np.isfinite(self._score):
            model.load_state_dict(self._state)


@contextmanager
def _fixed(seed: int, threads: int) -> Iterator[None]:
    """Fixes torch's random numbers, torch's threads and numpy's, and puts them back afterwards."""
    before = torch.get_num_threads()
    with torch.random.fork_rng(), threadpool_limits(threads or None):
        torch.manual_seed(seed)
        torch.set_num_threads(threads or before)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def _device(config: Config) -> torch.device:
    if config.device == "cuda" and not torch.cuda.is_available():
        message = "device is 'cuda', and torch finds no such device. Use --set device=cpu"
        raise CommandError(message)
    is_cuda = config.device == "cuda" or (config.device == "auto" and torch.cuda.is_available())
    return torch.device("cuda" if is_cuda else "cpu")


def _finite(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
