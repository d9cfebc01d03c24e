"""What a finished run looked at: its attention, and what hiding parts of the face does to it.

Imports torch; import it where it is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from baselines.data import View, clip_stride, session_view
from baselines.models import MODELS
from baselines.occlusion import UNKNOWN, occlusion_maps
from baselines.parts import load_parts, read_streams
from baselines.results import load_model
from mavfer.errors import CommandError
from mavfer.files import replacing
from mavfer.progress import progress
from mavfer.report.sheets import stream_picture
from mavfer.study.results import FinishedRun
from mavfer.vision.pictures import attention_picture, contact_sheet, encode_picture

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from baselines.config import Config
    from baselines.data import SessionView
    from baselines.occlusion import OcclusionMaps
    from mavfer.recordings import Recording

__all__ = ["explain_run"]

_EXPRESSION: Final = "expression"
_SIDE_SHARE: Final = 4
"""The square's side is this part of the picture's, where not given; ours."""
_STEP_SHARE: Final = 2
_TILE: Final = 160
"""Pixels of a picture on a sheet."""


@dataclass(frozen=True)
class _Explained:
    """One frame, and what hiding parts of it did."""

    recording: Recording
    frame: int
    maps: OcclusionMaps


def explain_run(
    run: Path,
    *,
    frames: int = 4,
    side: int = 0,
    step: int = 0,
    streams: str | None = None,
    sessions: Sequence[str] = (),
) -> dict[str, Any]:
    """Writes what a network looked at into the run's folder.

    `occlusion.npz` and `occlusion.jpg` hold the maps of `baselines.occlusion` for some frames of
    each evaluated session; `attention.jpg` shows `attention.npz` over crops, where there is one.

    Args:
        run: A folder under results/ of a network.
        frames: Frames of each session, evenly spread.
        side: Rows and columns of the square that hides, in pixels of the input; 0: a quarter.
        step: Pixels from one square to the next; 0: half the square.
        streams: What it hides, such as "color,depth"; all that the model reads where not given.
        sessions: Of the evaluated ones; all where not given.

    Returns:
        run, model, side, step, streams, frames (how many in all), and files by name.

    Raises:
        NotFound: There is no finished run, or its study has changed.
        CommandError: The model is classical, or square, streams or sessions do not fit.
    """
    finished = FinishedRun.open(run)
    if MODELS[finished.model].kind != "network":
        message = f"explain looks into networks, and {finished.model} is none. Choose another run"
        raise CommandError(message)
    model, config = load_model(run)
    side = side or max(1, config.size // _SIDE_SHARE)
    step = step or max(1, side // _STEP_SHARE)
    hidden = _hidden(finished, streams)
    about = {"frames": frames, "side": side, "step": step, "hidden": hidden}
    views, stride = _views(finished, run, config, sessions)
    with progress("hide squares", frames * len(views), "frame") as advance:
        explained = []
        for each in _explained(model, views, stride, config, about):
            explained.append(each)
            advance(1)
    if not explained:
        message = f"{run.name}: no frame of these sessions shows a face. Choose other sessions"
        raise CommandError(message)
    dimensions = finished.document["configuration"]["dimensions"]
    _write_maps(run, explained, dimensions, _box(views, config))
    _write_sheet(run, explained, hidden[0], _box(views, config))
    files = ["occlusion.npz", "occlusion.jpg", *_write_attention(finished, views)]
    return {
        "run": finished.document["run"],
        "model": finished.model,
        "side": side,
        "step": step,
        "streams": list(hidden),
        "frames": len(explained),
        "files": {name: str(run / name) for name in files},
    }


def _hidden(finished: FinishedRun, streams: str | None) -> tuple[str, ...]:
    """Streams that the square hides."""
    read = finished.document["modalities"]
    chosen = read_streams(streams) if streams else tuple(read)
    unread = [name for name in chosen if name not in read]
    if unread:
        message = f"the run does not read {unread[0]}. It reads: {', '.join(read)}"
        raise CommandError(message)
    return chosen


def _views(
    finished: FinishedRun, run: Path, config: Config, sessions: Sequence[str]
) -> tuple[list[SessionView], int]:
    """The evaluated sessions, and the frames from one of a clip to the next."""
    about = finished.document
    parts = load_parts(
        run.resolve().parent.parent,
        streams=about["modalities"],
        labels=about["label"],
        split=about["split"]["name"],
        fold=about["split"]["fold"],
        task=config.task,
    )
    there = {recording.session: recording for recording in parts.evaluated}
    unknown = [name for name in sessions if name not in there]
    if unknown:
        message = f"no evaluated session {unknown[0]!r}. There are: {', '.join(there)}"
        raise CommandError(message)
    chosen = [there[name] for name in sessions or there]
    dimensions = about["configuration"]["dimensions"]
    stride = clip_stride(list(parts.train), config)
    return [session_view(recording, config, dimensions) for recording in chosen], stride


def _explained(
    model: torch.nn.Module,
    views: Sequence[SessionView],
    stride: int,
    config: Config,
    about: Mapping[str, Any],
) -> Iterator[_Explained]:
    """Some frames of each session, with their maps; frames that show no face are passed over."""
    inner = slice(config.shift_pixels, config.shift_pixels + config.size)
    for view in views:
        seen = np.flatnonzero(view.is_seen)
        spread = (np.arange(about["frames"]) + 0.5) * len(seen) / about["frames"]
        for frame in np.unique(seen[spread.astype(np.int64)]) if len(seen) else ():
            rows = _rows_around(int(frame), len(view.labels), config.frames, stride)
            maps = occlusion_maps(
                model,
                {
                    name: torch.from_numpy(pixels[rows][..., inner, inner].astype(np.float32))[None]
                    for name, pixels in view.frames.items()
                },
                {
                    name: torch.from_numpy(bits[rows].astype(np.float32))[None]
                    for name, bits in view.valid.items()
                },
                at=config.frames // 2,
                hidden=about["hidden"],
                side=about["side"],
                step=about["step"],
                expression=UNKNOWN if view.expression is None else int(view.expression[frame]),
                at_once=config.batch_size,
            )
            yield _Explained(view.recording, int(frame), maps)


def _rows_around(frame: int, count: int, length: int, stride: int) -> NDArray[np.int64]:
    """Rows (length,) of a clip with `frame` in its middle; a session's ends are repeated."""
    rows = frame + (np.arange(length) - length // 2) * stride
    return np.clip(rows, 0, count - 1)


def _box(views: Sequence[SessionView], config: Config) -> NDArray[np.float32]:
    """Left, top, width, height of the maps in pixels of the crop."""
    return np.array(View.of(views[0].recording, config).inner_box, np.float32)


def _write_maps(
    run: Path,
    explained: Sequence[_Explained],
    dimensions: Sequence[str],
    box: NDArray[np.float32],
) -> None:
    """Writes occlusion.npz: session and frame (N,), box, and one (N, H, W) an answer."""
    arrays: dict[str, Any] = {
        "session": np.array([each.recording.session for each in explained]),
        "frame": np.array([each.frame for each in explained], np.int64),
        "box": box,
    }
    for number, name in enumerate(dimensions):
        arrays[name] = np.array([each.maps.moved[number] for each in explained])
    if explained[0].maps.flipped is not None:
        arrays[_EXPRESSION] = np.array([each.maps.flipped for each in explained])
    with replacing(run / "occlusion.npz") as part, part.open("wb") as handle:
        np.savez_compressed(handle, **arrays)


def _write_sheet(
    run: Path, explained: Sequence[_Explained], stream: str, box: NDArray[np.float32]
) -> None:
    """Writes occlusion.jpg: a row a frame, a column an answer, over the first hidden stream."""
    rows = []
    for each in explained:
        crop = stream_picture(each.recording, stream, each.frame)
        maps = [*each.maps.moved, *([] if each.maps.flipped is None else [each.maps.flipped])]
        rows.append([crop, *(attention_picture(crop, one, box) for one in maps)])
    _write_picture(run / "occlusion.jpg", rows)


def _write_attention(finished: FinishedRun, views: Sequence[SessionView]) -> list[str]:
    """Writes attention.jpg: a row a frame, two columns a stream; nothing where there is none."""
    arrays = finished.attention()
    recordings = {view.recording.session: view.recording for view in views}
    streams = [name for name in finished.document["modalities"] if name in arrays]
    rows = []
    for place, session in enumerate(arrays.get("session", ())):
        if streams and session in recordings:
            frame, row = int(arrays["frame"][place]), []
            for name in streams:
                crop = stream_picture(recordings[session], name, frame)
                row += [crop, attention_picture(crop, arrays[name][place], arrays["box"])]
            rows.append(row)
    if not rows:
        return []
    _write_picture(finished.folder / "attention.jpg", rows)
    return ["attention.jpg"]


def _write_picture(path: Path, rows: Sequence[Sequence[NDArray[np.uint8]]]) -> None:
    data = encode_picture(contact_sheet(rows, tile=_TILE), path.suffix)
    with replacing(path) as part:
        part.write_bytes(data)
