"""Why pixels stand in shards as they do: predictors, group sizes, codecs, and unsteady crops.

On crops of simulated subjects in bright light and in the dark, and of real people where videos are
given. Each stream is stored in every way that was thought of; then crops are cut anew at places
that shake by 0 to 1 pixel, since prediction from the frame before needs a steady crop.

    python benchmarks/shard_format.py [--quick] [--media FOLDER] [--study FOLDER]

FOLDER of --media holds videos (MP4, color); MAVFER_REAL_MEDIA is used where it is not given.
"""
# ruff: noqa: E402 (threads are told how many they are before numpy loads)

from __future__ import annotations

import argparse
import json
import os
from itertools import islice, pairwise
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import cv2
import numpy as np
from numcodecs import blosc
from peers.content import LIGHTINGS, existing_or_new
from peers.predictors import CODECS, cost, predictors_of

import mavfer
from mavfer.interchange.videos import import_videos
from mavfer.preprocess import Options, preprocess_study
from mavfer.streams import STREAM_NAMES
from mavfer.study.pixels import PREDICTORS as CODES
from mavfer.study.pixels import encode_group
from mavfer.study.session import Session
from mavfer.study.study import Study, software_versions

GROUP_SIZE = 8
GROUP_SIZES = (4, 8, 16)
SHAKES = (0.0, 0.15, 0.3, 0.6, 1.0)
CROP = (224, 224)


def take_frames(root: Path, media: Path | None, scratch: Path, count: int):
    """Content by name: crops (T, H, W, …), and a function that cuts them anew, shifted."""
    content = {}
    for lighting in LIGHTINGS:
        recording = next(r for r in mavfer.load(root) if r.info["settings"]["lighting"] == lighting)
        # The dark begins lit, so the end is taken.
        first = (len(recording) - count) // GROUP_SIZE * GROUP_SIZE
        for name in STREAM_NAMES:
            content[f"{name}_{lighting}"] = _content(root, recording, name, first, count)
    for recording in _real(media, scratch) if media is not None else []:
        frames = min(count, len(recording) // GROUP_SIZE * GROUP_SIZE)
        key = "color_real" if "color_real" not in content else f"color_{recording.session}"
        content[key] = _content(scratch / "real", recording, "color", 0, frames)
    return content


def _content(root, recording, name, first, count):
    frames = recording.stream(name)[first : first + count]
    if name != "color":
        return frames, lambda shifts: _shifted(frames, shifts, is_smooth=name == "thermal")
    session = Session.open(Study.open(root).session_folder(recording.session))
    sources = [f.rgb() for f in islice(session.color_frames(), first, first + count)]
    matrices = recording.crop_matrix[first : first + count]
    return frames, lambda shifts: _cut_anew(sources, matrices, shifts)


def _real(media: Path, scratch: Path):
    """Recordings of the videos in a folder."""
    study = Study.create(scratch / "real", name="real")
    import_videos(study, sorted(media.glob("*.mp4")), subject_of=lambda _: "R01")
    assert preprocess_study(study.root, Options()).is_good
    return list(mavfer.load(study.root))


def _cut_anew(sources, matrices, shifts):
    """Crops from the source frames, as the pipeline cuts them, but for the shift."""
    crops = []
    for source, matrix, shift in zip(sources, matrices, shifts, strict=True):
        moved = matrix.copy()
        moved[:, 2] += shift
        crops.append(cv2.warpAffine(source, moved, CROP, borderMode=cv2.BORDER_REPLICATE))
    return np.stack(crops)


def _shifted(frames, shifts, *, is_smooth):
    """Crops shifted; by a quarter of a pixel at least, so that all are equally smoothed."""
    how = {
        "flags": cv2.INTER_LINEAR if is_smooth else cv2.INTER_NEAREST,
        "borderMode": cv2.BORDER_REPLICATE,
    }
    moves = [np.array([[1, 0, x + 0.25], [0, 1, y + 0.25]]) for x, y in shifts]
    pairs = zip(frames, moves, strict=True)
    return np.stack([cv2.warpAffine(frame, move, CROP, **how) for frame, move in pairs])


def measure_ways(stream: str, frames) -> dict[str, dict[str, float]]:
    """Every way of storing, by name: predictor, codec, frames a group."""
    best = {"color": "rows_less_green", "depth": "rows", "thermal": "plane"}[stream]
    ways = [(predictor, "lz4hc5", GROUP_SIZE) for predictor in predictors_of(frames)]
    ways += [(p, c, GROUP_SIZE) for p in ("time", best) for c in CODECS if c != "lz4hc5"]
    ways += [("time", "lz4hc5", size) for size in GROUP_SIZES if size != GROUP_SIZE]
    return {" ".join(map(str, way)): cost(frames, *way) for way in ways}


def measure_shaking(recut, count: int) -> dict[str, dict]:
    """Ratios by rows and by time as crops shake (standard deviation in pixels, each axis)."""
    unit = np.random.default_rng(5).standard_normal((count, 2))
    found = {}
    for shake in SHAKES:
        frames = recut(shake * unit)
        ratios = {p: cost(frames, p, "lz4hc5", GROUP_SIZE)["ratio"] for p in ("rows", "time")}
        found[str(shake)] = {**ratios, **measure_writer(frames)}
    return found


def measure_writer(frames) -> dict:
    """What the writer itself makes of frames: its ratio, and the share of each predictor."""
    groups = [frames[at : at + GROUP_SIZE] for at in range(0, len(frames), GROUP_SIZE)]
    coded = [encode_group(group, "fast") for group in groups]
    stored = sum(len(chunk) for _, chunks in coded for chunk in chunks)
    chosen = [CODES[code] for code, _ in coded]
    shares = {name: chosen.count(name) / len(chosen) for name in sorted(set(chosen))}
    return {"writer": frames.nbytes / stored, "chosen": shares}


def break_even(shaking: dict[str, dict]) -> float | None:
    """Shake in pixels from which rows leaves less than time, interpolated; None where never."""
    gains = [found["time"] / found["rows"] - 1 for found in shaking.values()]
    if gains[0] < 0:
        return 0.0
    for (low, high), (gain, next_gain) in zip(pairwise(SHAKES), pairwise(gains), strict=True):
        if next_gain < 0:
            return low + (high - low) * gain / (gain - next_gain)
    return None


def ratios_of(ways: dict, writer: dict) -> dict[str, float]:
    """Bytes by each predictor (LZ4HC 5) over bytes that the writer makes."""
    end = f" lz4hc5 {GROUP_SIZE}"
    return {
        f"{key}_{way.removesuffix(end)}": writer[key]["writer"] / found["ratio"]
        for key, costs in ways.items()
        for way, found in costs.items()
        if way.endswith(end)
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="32 frames of each instead of 64")
    real = os.environ.get("MAVFER_REAL_MEDIA")
    parser.add_argument("--media", type=Path, default=real and Path(real), help="videos of faces")
    parser.add_argument("--study", type=Path, help="keep the simulated study here and use it again")
    options = parser.parse_args()
    count = 32 if options.quick else 64
    cv2.setNumThreads(1)
    blosc.set_nthreads(1)
    frames = count + (64 if options.quick else 86)  # the dark begins with 45 lit frames
    with existing_or_new(options.study, sessions=2, frames=frames) as (root, files):
        content = take_frames(root, options.media, files, count)
        ways = {
            key: measure_ways(key.partition("_")[0], frames) for key, (frames, _) in content.items()
        }
        shaking = {
            key: measure_shaking(recut, len(frames)) for key, (frames, recut) in content.items()
        }
        writer = {key: measure_writer(frames) for key, (frames, _) in content.items()}
    values = {
        "frames": count,
        "writer": writer,
        "ways": ways,
        "shaking": shaking,
        "break_even_pixels": {key: break_even(found) for key, found in shaking.items()},
    }
    result = {"benchmark": "shard_format", "ratios": ratios_of(ways, writer), "values": values}
    result["versions"] = software_versions("opencv-python")
    print(
        json.dumps(json.loads(json.dumps(result), parse_float=lambda text: round(float(text), 3)))
    )


if __name__ == "__main__":
    main()
