"""Training: from a study to a run under results/, and on from where one was killed.

Imports torch; import it where it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from baselines.checkpoint import cut_log, read_checkpoint, remove_checkpoint, write_checkpoint
from baselines.data import View, clip_stride
from baselines.initial_weights import start_as_told
from baselines.loop import Loop, Material
from baselines.machine import device_of, fixed
from baselines.models import MODELS, build_model, find_model
from baselines.parts import load_parts, read_views
from baselines.predict import Prediction, predict_session
from baselines.results import Run, provenance
from mavfer.errors import ChecksumMismatch
from mavfer.progress import progress
from mavfer.study.study import Study

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from baselines.config import Config
    from baselines.data import SessionView
    from baselines.parts import Parts
    from mavfer.clips import Clips
    from mavfer.streams import StreamName

__all__ = ["resume_training", "train_model", "train_seeds"]

Views = dict[str, "SessionView"]


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
    device = device_of(config)
    study = Study.open(root, writable=True)  # before hours of training: results go into the study
    about = {"streams": streams, "labels": labels, "split": split, "fold": fold}
    parts = _parts(root, config, about)
    with fixed(seed, config.threads):
        model = build_model(name, config, streams, parts.dimensions, parts.classes)
        start_as_told(model, config)
        clips = None if _is_classical(name) else _training_clips(parts, config, seed)
        views = read_views(parts, config)
        run = Run.begin(study, model=name, seed=seed, config=config, **about)
        if clips is None:
            return run.folder, _fit_classical(model, run, parts, views)
        loop = Loop(model.to(device), config, _material(parts, views, clips), device, seed)
        origin = provenance(run.split, run.fold, parts)
        _save(run, loop, origin)
        return run.folder, _finish(run, loop, parts, origin)


def train_seeds(
    name: str, root: Path, config: Config, *, seeds: int, seed: int = 0, **about: Any
) -> list[tuple[Path, dict[str, Any]]]:
    """Trains a model with so many seeds, from `seed` on; see `train_model`. All are kept."""
    return [
        train_model(name, root, config, seed=number, **about)
        for number in range(seed, seed + seeds)
    ]


def resume_training(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Goes on with a run from its last checkpoint; the end is the same to the bit on a CPU.

    Args:
        folder: Of the run, under the study's results.

    Returns:
        As `train_model`.

    Raises:
        NotFound: There is no checkpoint.
        CommandError: The run ended, or its device is not there.
        InvalidFile: The checkpoint is torn.
        ChecksumMismatch: Data, labels or split changed since the run began.
    """
    state = read_checkpoint(folder)
    run = Run.again(folder, state["run"])
    config, device = run.config, device_of(run.config)
    study = Study.open(folder.resolve().parent.parent, writable=True)
    about = {name: state["run"][name] for name in ("streams", "labels", "split", "fold")}
    parts = _parts(study.root, config, about)
    origin = provenance(run.split, run.fold, parts)
    _require_unchanged(folder, state["provenance"], origin)
    with fixed(run.seed, config.threads):
        model = build_model(run.model, config, run.streams, parts.dimensions, parts.classes)
        clips = _training_clips(parts, config, run.seed)
        views = read_views(parts, config)
        material = _material(parts, views, clips)
        loop = Loop(model.to(device), config, material, device, run.seed)
        loop.restore(state["loop"])
        cut_log(run.folder / "log.jsonl", loop.epoch)
        return run.folder, _finish(run, loop, parts, origin)


def _parts(root: Path, config: Config, about: Mapping[str, Any]) -> Parts:
    return load_parts(root, task=config.task, **about)


def _is_classical(name: str) -> bool:
    return MODELS[name].kind == "classical"


def _finish(run: Run, loop: Loop, parts: Parts, origin: Mapping[str, Any]) -> dict[str, Any]:
    """Trains to the end, predicts, scores and leaves a whole run."""

    def after_epoch(line: Mapping[str, Any]) -> None:
        run.log(line)
        _save(run, loop, origin)

    model = loop.run(f"train {run.model}", after_epoch)
    run.write_weights(model)
    stride, device = loop.material.stride, loop.device
    _write_evaluation(
        lambda view: predict_session(model, view, run.config, stride, device),
        parts,
        loop.material.views,
        run,
    )
    parameters = sum(weight.numel() for weight in model.parameters())
    result = run.finish(parts, parameters)
    remove_checkpoint(run.folder)
    return result


def _save(run: Run, loop: Loop, origin: Mapping[str, Any]) -> None:
    """Writes a checkpoint where one is due."""
    every = run.config.checkpoint_every
    is_last = loop.epoch == run.config.epochs or loop.judge.is_over
    if every and (is_last or loop.epoch % every == 0):
        state = {"run": run.identity(), "provenance": origin, "loop": loop.state()}
        write_checkpoint(run.folder, state)


def _fit_classical(model: Any, run: Run, parts: Parts, views: Views) -> dict[str, Any]:
    """Fits a classical model, predicts, scores and leaves a whole run."""
    model.fit([views[recording.session] for recording in parts.train], seed=run.seed)
    model.save(run.folder)
    _write_evaluation(lambda view: Prediction(model.predict(view), {}), parts, views, run)
    return run.finish(parts, int(model.parameters))


def _material(parts: Parts, views: Views, clips: Clips) -> Material:
    return Material(
        clips=clips,
        views=views,
        validate=[recording.session for recording in parts.validate or ()],
        dimensions=parts.dimensions,
        classes=parts.classes,
        stride=clips.stride,
    )


def _training_clips(parts: Parts, config: Config, seed: int) -> Clips:
    """Clips whose starts move from epoch to epoch, so that every frame can begin one."""
    stride = clip_stride(list(parts.train), config)
    return parts.train.clips(
        length=config.frames, stride=stride, hop=config.hop * stride, start="random", seed=seed
    )


def _write_evaluation(
    predict: Callable[[SessionView], Prediction],
    parts: Parts,
    views: Mapping[str, SessionView],
    run: Run,
) -> None:
    """Predicts every session of the evaluated part and writes what was predicted."""
    chosen = [views[recording.session] for recording in parts.evaluated]
    predictions = []
    with progress(f"predict {parts.evaluated_name}", len(chosen), "session") as advance:
        for view in chosen:
            predictions.append(predict(view))
            advance(1)
    run.write_predictions(chosen, predictions, parts)
    run.write_attention(chosen, predictions, View.of(chosen[0].recording, run.config).inner_box)


def _require_unchanged(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    changed = [name for name in before if before[name] != now[name]]
    if changed:
        message = (
            f"{folder}: {', '.join(changed)} changed since the run began. "
            f"Restore it, or train anew with mavfer train"
        )
        raise ChecksumMismatch(message)
