"""Predictions of whole sessions, from windows that overlap.

Imports torch; import it where it is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from baselines.config import Config
    from baselines.data import SessionView
    from baselines.models.output import Output

__all__ = ["Prediction", "predict_session"]

_VALUES: Final = "values"
_CHANCES: Final = "probabilities"
_OVERLAP: Final = 2
"""Windows that cover a frame."""


@dataclass(frozen=True)
class Prediction:
    """What a model says about a whole session."""

    values: NDArray[np.float64]
    """(T, D); NaN where no stream of the session ever shows the face."""
    attention: dict[str, NDArray[np.float32]]
    """By stream (T, h, w), sum 1 per frame; empty where the model has none."""
    probabilities: NDArray[np.float64] | None = None
    """(T, K), sum 1 per frame; NaN as in `values`, None where classes are not asked for."""

    @property
    def classes(self) -> NDArray[np.int64]:
        """The likeliest class of every frame (T,), -1 where none is known."""
        if self.probabilities is None:
            return np.full(len(self.values), -1, np.int64)
        known = np.isfinite(self.probabilities).all(axis=1)
        likeliest = np.nan_to_num(self.probabilities).argmax(axis=1)
        return np.where(known, likeliest, -1)


def predict_session(
    model: nn.Module, view: SessionView, config: Config, stride: int, device: torch.device
) -> Prediction:
    """Predictions for every frame of a session.

    Windows overlap by half; a frame's value is their mean, weighted by how far the frame is from
    the window's ends (ours). Where no stream shows the face, the value lies on the line between its
    neighbours, as STA does it.

    Args:
        model: Trained; left in evaluation mode.
        view: The session.
        config: Frames of a window, and windows at a time.
        stride: Frames from one frame of a window to the next.
        device: Where the model is.
    """
    model.eval()
    held: dict[str, NDArray[np.float64]] = {}
    count = len(view.labels)
    if not count:
        message = f"session {view.recording.session} has no frames"
        raise ValueError(message)
    weights = np.zeros(count)
    near = _nearness(config.frames)
    with torch.inference_mode():
        for rows in _windows(count, config, stride):
            output: Output = model(*_inputs(view, rows, config, device))
            for name, told in _told(output).items():
                array = told.double().cpu().numpy()
                total = held.setdefault(name, np.zeros((count, *array.shape[2:])))
                _spread(total, array, rows, near)
            _spread(weights, np.ones(rows.shape), rows, near)
    means = {name: (total.T / weights).T for name, total in held.items()}
    answers = {k: _bridged(means.pop(k), view.is_seen) for k in (_VALUES, _CHANCES) if k in means}
    attention = {name: maps.astype(np.float32) for name, maps in means.items()}
    return Prediction(answers[_VALUES], attention, answers.get(_CHANCES))


def _told(output: Output) -> dict[str, Tensor]:
    """What is averaged over windows (B, T, …): values, probabilities, and attention by stream."""
    told = {_VALUES: output.values, **output.attention}
    if output.logits is not None:
        told[_CHANCES] = output.logits.softmax(-1)
    return told


def _windows(count: int, config: Config, stride: int) -> Iterator[NDArray[np.int64]]:
    """Rows (B, T) of windows that cover every frame; short sessions repeat their last frame."""
    length = config.frames
    windows = []
    for phase in range(min(stride, count)):
        rows = np.arange(phase, count, stride)
        last = max(len(rows) - length, 0)
        starts = sorted({*range(0, last, max(length // _OVERLAP, 1)), last})
        places = np.minimum(np.add.outer(starts, np.arange(length)), len(rows) - 1)
        windows.append(rows[places])
    together = np.concatenate(windows)
    for first in range(0, len(together), config.batch_size):
        yield together[first : first + config.batch_size]


def _inputs(
    view: SessionView, rows: NDArray[np.int64], config: Config, device: torch.device
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Frames and validity of windows (B, T), the view's middle."""
    inner = slice(config.shift_pixels, config.shift_pixels + config.size)
    frames: dict[str, torch.Tensor] = {
        name: torch.from_numpy(pixels[rows][..., inner, inner].astype(np.float32)).to(device)
        for name, pixels in view.frames.items()
    }
    valid: dict[str, torch.Tensor] = {
        name: torch.from_numpy(bits[rows].astype(np.float32)).to(device)
        for name, bits in view.valid.items()
    }
    return frames, valid


def _nearness(length: int) -> NDArray[np.float64]:
    """Weights (T,), largest in a window's middle."""
    places = np.arange(length) + 1.0
    nearness: NDArray[np.float64] = np.minimum(places, places[::-1])
    return nearness


def _spread(
    total: NDArray[np.float64],
    windows: NDArray[np.float64],
    rows: NDArray[np.int64],
    near: NDArray[np.float64],
) -> None:
    """Adds the windows' values (B, T, …) to their frames (N, …)."""
    weight = near.reshape(-1, *[1] * (windows.ndim - 2))
    for values, places in zip(windows, rows, strict=True):
        # Only a window longer than its session names a frame twice, and the last one counts then,
        # for values and weights alike.
        total[places] += values * weight


def _bridged(values: NDArray[np.float64], is_seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Values (T, D) with straight lines where nothing was seen."""
    if not is_seen.any():
        return np.full_like(values, np.nan)
    frames = np.arange(len(values))
    bridged = np.empty_like(values)
    for number, column in enumerate(values.T):
        bridged[:, number] = np.interp(frames, frames[is_seen], column[is_seen])
    return bridged
