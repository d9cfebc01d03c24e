"""From crops on disk to what a network reads: views, batches, augmentation. Numpy only.

A view is the middle of a stored crop, averaged down to the input's size and brought to one scale:
color standardised per frame, depth relative to the face, thermal relative to skin. Averaging is
part of the signal-to-noise ratio of depth and thermal; nothing is sub-sampled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.streams import STREAMS, StreamName
from mavfer.vision.alignment import PRESETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from baselines.config import Config
    from mavfer.clips import Clips
    from mavfer.recordings import Recording

__all__ = ["Batch", "SessionView", "View", "batches", "clip_stride", "session_view"]

_ROWS_AT_ONCE: Final = 64
_DEPTH_CLIP_MM: Final = (-60.0, 90.0)
_DEPTH_SCALE_MM: Final = 30.0
_SKIN_CENTIKELVIN: Final = 30615.0
"""33 degrees Celsius."""
_THERMAL_SCALE_CELSIUS: Final = 2.5
_THERMAL_CLIP: Final = 4.0
_THINNEST: Final = 1e-3
"""Pixels; a stretch beyond the edge still covers this much of the edge's pixel."""
_LEAST_DEVIATION: Final = 0.5
"""Grey levels; a frame that is flatter than half a level shows nothing."""


@dataclass(frozen=True)
class View:
    """A square of a crop that becomes the input, with a margin to shift it in."""

    left: float
    """Its edges in pixels of the crop, the margin included."""
    top: float
    width: float
    height: float
    pixels: int
    """Rows and columns that it is averaged down to, the margin included."""
    size: int
    """Rows and columns of the input."""

    @classmethod
    def of(cls, recording: Recording, config: Config) -> View:
        """The view in which the eyes are where the configuration wants them.

        Crops that were not aligned have no known place of the eyes; they are used whole.
        """
        height, width = recording.crop_size
        pixels = config.size + 2 * config.shift_pixels
        grown = pixels / config.size
        preset = PRESETS.get(recording.info["alignment"])
        if preset is None or preset.size is None:
            centre_x, centre_y, wide, high = width / 2, height / 2, float(width), float(height)
        else:
            wide = high = width * preset.eye_distance / config.view_eye_distance
            centre_x = width * preset.eye_x
            centre_y = height * preset.eye_y + (0.5 - config.view_eye_y) * high
        wide, high = wide * grown, high * grown
        return cls(centre_x - wide / 2, centre_y - high / 2, wide, high, pixels, config.size)

    @property
    def inner_box(self) -> tuple[float, float, float, float]:
        """Left, top, width, height of the view in the crop's pixels, without the margin."""
        share = self.size / self.pixels
        left = self.left + self.width * (1 - share) / 2
        top = self.top + self.height * (1 - share) / 2
        return left, top, self.width * share, self.height * share

    def average(self, frames: NDArray[Any]) -> NDArray[np.float32]:
        """Frames (N, H, W, C) averaged over the area of each pixel (N, pixels, pixels, C)."""
        down = _area_weights(self.top, self.height, self.pixels, frames.shape[1])
        across = _area_weights(self.left, self.width, self.pixels, frames.shape[2])
        (rows, down), (columns, across) = _trimmed(down), _trimmed(across)
        inner = frames[:, rows, columns].astype(np.float32)  # (N, h, w, C)
        N, h, w, C = inner.shape
        flat = down @ inner.reshape(N, h, w * C)  # (N, pixels, w*C)
        lines = flat.reshape(N, self.pixels, w, C).swapaxes(2, 3) @ across.T
        return np.asarray(lines.swapaxes(2, 3), np.float32)  # (N, pixels, pixels, C)


@dataclass(frozen=True)
class SessionView:
    """One session as networks read it, in memory."""

    recording: Recording
    frames: dict[StreamName, NDArray[np.float16]]
    """By stream (T, C, S, S), S with the margin."""
    valid: dict[StreamName, NDArray[np.bool_]]
    """By stream (T,)."""
    labels: NDArray[np.float32]
    """(T, D), NaN where nobody rated."""
    expression: NDArray[np.int64] | None = None
    """(T,), index of a class, -1 where there is none; None where classes are not asked for."""

    @property
    def is_seen(self) -> NDArray[np.bool_]:
        """Where any stream can be used (T,)."""
        return np.asarray(np.stack(list(self.valid.values())).any(axis=0))


@dataclass(frozen=True)
class Batch:
    """Clips side by side."""

    frames: dict[StreamName, NDArray[np.float32]]
    """By stream (B, T, C, size, size)."""
    valid: dict[StreamName, NDArray[np.float32]]
    """By stream (B, T), 1 or 0."""
    labels: NDArray[np.float32]
    """(B, T, D), 0 where `mask` is False."""
    mask: NDArray[np.bool_]
    """(B, T, D), True where the label counts: rated, and some stream shows the face."""
    expression: NDArray[np.int64] | None = None
    """(B, T), -1 where no class counts; None where classes are not asked for."""


def session_view(recording: Recording, config: Config, dimensions: Sequence[str]) -> SessionView:
    """Reads a session's streams through its view."""
    view = View.of(recording, config)
    count = len(recording)
    valid = {name: recording.valid[name] for name in recording.modalities}
    frames: dict[StreamName, NDArray[np.float16]] = {
        name: np.zeros((count, STREAMS[name].channels, view.pixels, view.pixels), np.float16)
        for name in recording.modalities
    }
    for first in range(0, count, _ROWS_AT_ONCE):
        rows = range(first, min(first + _ROWS_AT_ONCE, count))
        for name in recording.modalities:
            if recording.stream(name).is_there:
                scaled = _scaled(name, recording.stream(name).read(rows), view)
                frames[name][rows.start : rows.stop] = np.moveaxis(scaled, -1, 1)
    labels = np.empty((count, len(dimensions)), np.float32)
    for column, dimension in enumerate(dimensions):
        labels[:, column] = recording.label(dimension)
    expression = None if config.task == "dimensions" else recording.expression
    return SessionView(recording, frames, valid, labels, expression)


def clip_stride(recordings: Sequence[Recording], config: Config) -> int:
    """Frames from one frame of a clip to the next, so that its rate comes near the wanted one."""
    rates = [r.info["rate_hz"] for r in recordings if r.info["rate_hz"]]
    if not config.rate_hz or not rates:
        return 1
    return max(1, round(float(np.median(rates)) / config.rate_hz))


def batches(
    clips: Clips, views: Mapping[str, SessionView], config: Config, *, epoch: int, seed: int
) -> Iterator[Batch]:
    """The clips of one epoch in a random order, augmented; the same for the same seed and epoch.

    Args:
        clips: Says which frames go together.
        views: By session id, what `session_view` made.
        config: Batch size and augmentation.
        epoch: Number of the epoch.
        seed: Seed of the augmentation; order and starts follow the clips' own.
    """
    random = np.random.default_rng([seed, epoch])
    order = clips.order(epoch, shuffle=True)
    # A last batch of a clip or two would have a CCC of chance, so clips are dealt out evenly.
    for part in np.array_split(order, max(1, len(order) // config.batch_size)):
        taken = [clips.locate(int(index), epoch=epoch) for index in part]
        made = [_augmented(views[r.session], rows, config, random) for r, rows in taken]
        if config.modality_dropout:
            made = [_hidden(clip, config.modality_dropout, random) for clip in made]
        yield _stacked(made)


def _augmented(
    view: SessionView, rows: range, config: Config, random: np.random.Generator
) -> Batch:
    """One clip, moved, mirrored and changed as a whole; the axis B is left out."""
    chosen = slice(rows.start, rows.stop, rows.step)
    down, across = random.integers(0, 2 * config.shift_pixels + 1, 2)
    is_mirrored = bool(config.mirror and random.integers(2))
    gain, warmer, nearer = random.uniform(-1, 1, 3).tolist()
    frames: dict[StreamName, NDArray[np.float32]] = {}
    for name, pixels in view.frames.items():
        square = pixels[chosen, :, down : down + config.size, across : across + config.size].astype(
            np.float32
        )
        frames[name] = square[..., ::-1] if is_mirrored else square
    if "color" in frames:
        frames["color"] = frames["color"] * (1 + gain * config.color_gain)
    if "thermal" in frames:
        frames["thermal"] += warmer * config.thermal_offset_celsius / _THERMAL_SCALE_CELSIUS
    if "depth" in frames:
        frames["depth"] += nearer * config.depth_offset_mm / _DEPTH_SCALE_MM
    labels = view.labels[chosen]
    mask = np.isfinite(labels) & view.is_seen[chosen, None]
    valid = {name: bits[chosen].astype(np.float32) for name, bits in view.valid.items()}
    expression = None
    if view.expression is not None:
        expression = np.where(view.is_seen[chosen], view.expression[chosen], -1)
    return Batch(frames, valid, np.where(mask, labels, 0).astype(np.float32), mask, expression)


def _hidden(clip: Batch, share: float, random: np.random.Generator) -> Batch:
    """A clip in which, by chance, one of the streams that are there is not; never the last one.

    Frames that only the hidden stream showed do not count.
    """
    is_hit, choice = random.random() < share, random.random()
    there = [name for name, bits in clip.valid.items() if bits.any()]
    if not is_hit or len(there) == 1 or not there:
        return clip
    name = there[int(choice * len(there))]
    valid = clip.valid | {name: np.zeros_like(clip.valid[name])}
    is_seen = np.asarray(np.stack(list(valid.values())).any(axis=0))  # (T,)
    expression = None
    if clip.expression is not None:
        expression = np.where(is_seen, clip.expression, -1)
    mask = clip.mask & is_seen[:, None]
    return Batch(clip.frames, valid, np.where(mask, clip.labels, 0), mask, expression)


def _stacked(clips: Sequence[Batch]) -> Batch:
    first = clips[0]
    expressions = [clip.expression for clip in clips if clip.expression is not None]
    return Batch(
        {name: np.stack([clip.frames[name] for clip in clips]) for name in first.frames},
        {name: np.stack([clip.valid[name] for clip in clips]) for name in first.valid},
        np.stack([clip.labels for clip in clips]),
        np.stack([clip.mask for clip in clips]),
        None if first.expression is None else np.stack(expressions),
    )


def _scaled(name: StreamName, frames: NDArray[Any], view: View) -> NDArray[np.float32]:
    """Frames as they were stored, averaged down and brought to the network's scale (N, S, S, C)."""
    if name == "color":
        return _standardised(view.average(frames))
    values = frames[..., None].astype(np.float32)
    if name == "thermal":
        skin = (values - _SKIN_CENTIKELVIN) / (100 * _THERMAL_SCALE_CELSIUS)
        return np.clip(_measured_average(skin, frames, view), -_THERMAL_CLIP, _THERMAL_CLIP)
    values -= _face_depth_mm(frames, view)[:, None, None, None]
    near, far = _DEPTH_CLIP_MM
    return _measured_average(np.clip(values, near, far), frames, view) / _DEPTH_SCALE_MM


def _standardised(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Frames with mean 0 and deviation 1 each, as an automatic gain would leave them."""
    mean = frames.mean((1, 2, 3), keepdims=True)
    deviation = frames.std((1, 2, 3), keepdims=True)
    scaled: NDArray[np.float32] = (frames - mean) / np.maximum(deviation, _LEAST_DEVIATION)
    return scaled


def _measured_average(
    values: NDArray[np.float32], raw: NDArray[Any], view: View
) -> NDArray[np.float32]:
    """Average of the pixels that were measured, 0 where none was."""
    is_measured = (raw > 0)[..., None]
    averaged = view.average(np.concatenate([values * is_measured, is_measured], axis=-1))
    total, share = averaged[..., :1], averaged[..., 1:]
    filled: NDArray[np.float32] = np.where(share > 0, total / np.maximum(share, 1e-6), 0)
    return filled


def _face_depth_mm(frames: NDArray[Any], view: View) -> NDArray[np.float32]:
    """Median depth of the middle of the view in each frame (N,), 0 where nothing was measured."""
    top, left = (round(v) for v in (view.top + view.height / 4, view.left + view.width / 4))
    bottom, right = (round(v) for v in (top + view.height / 2, left + view.width / 2))
    middle = frames[:, max(top, 0) : bottom, max(left, 0) : right].reshape(len(frames), -1)
    medians = [float(np.median(row[row > 0])) if (row > 0).any() else 0.0 for row in middle]
    return np.array(medians, np.float32)


def _area_weights(start: float, length: float, pixels: int, source: int) -> NDArray[np.float32]:
    """Shares (pixels, source) of the source's pixels in each pixel of a stretch; rows sum to 1.

    What lies outside of the source takes the value of its edge.
    """
    edges = start + np.arange(pixels + 1) * (length / pixels)
    lower = np.clip(edges[:-1, None], 0, source - _THINNEST)
    upper = np.maximum(np.clip(edges[1:, None], 0, source), lower + _THINNEST)
    cells = np.arange(source)
    overlap = np.minimum(upper, cells + 1) - np.maximum(lower, cells)
    overlap = np.maximum(overlap, 0)
    weights: NDArray[np.float32] = (overlap / overlap.sum(1, keepdims=True)).astype(np.float32)
    return weights


def _trimmed(weights: NDArray[np.float32]) -> tuple[slice, NDArray[np.float32]]:
    """The source pixels that any weight touches, and the weights of those."""
    used = np.flatnonzero(weights.any(axis=0))
    span = slice(int(used[0]), int(used[-1]) + 1)
    return span, weights[:, span]
