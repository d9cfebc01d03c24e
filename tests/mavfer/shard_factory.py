"""Small study folders with believable shards, labels, ratings and splits, for tests.

Tests get this module as the fixture `shard_factory`; child processes import it by its path.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from mavfer.files import sha256_of, write_csv, write_json
from mavfer.study.shard_header import ShardHeader
from mavfer.study.shard_writer import ShardWriter
from mavfer.study.study import Study, software_versions, utc_now

QUALITY = [
    (name, "f4")
    for name in (
        "score",
        "agreement",
        "blur",
        "brightness",
        "saturation",
        "inside",
        "depth_coverage",
        "thermal_coverage",
        "carry_residual_mm",
    )
]
RATE_HZ = 30
ALL = ("color", "depth", "thermal")


def faces(count, height=24, width=20, *, seed=0, jitter=0.0):
    """Color, depth and thermal of something that moves like a face, with sensor noise."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    color = np.empty((count, height, width, 3), np.uint8)
    depth = np.empty((count, height, width), np.uint16)
    thermal = np.empty((count, height, width), np.uint16)
    for frame in range(count):
        shift = 0.02 * np.sin(frame / 9) + random.normal(0, jitter) / max(height, width)
        radius = np.hypot(x - 0.5 - shift, y - 0.5)
        texture = 120 + 60 * np.sin(18 * (x - shift)) * np.cos(14 * y) - 80 * radius
        grey = texture[..., None] + [20, 0, -15] + random.normal(0, 1.7, (height, width, 3))
        color[frame] = np.clip(grey, 0, 255)
        surface = 700 + 120 * radius**2 + random.normal(0, 0.6, (height, width))
        depth[frame] = np.where(random.random((height, width)) < 0.03, 0, surface)
        skin = 30700 - 900 * radius + 8 * np.sin(frame / 40) + random.normal(0, 5, (height, width))
        thermal[frame] = skin
    return color, depth, thermal


def columns(count, *, streams=ALL, is_timed=True, valid=None):
    """Every column of /frames."""
    host_ns = 5_000_000_000 + np.arange(count, dtype=np.int64) * (10**9 // RATE_HZ)
    seconds = (host_ns - host_ns[0]) / 1e9 if is_timed else np.full(count, np.nan)
    bits = sum({"color": 1, "depth": 2, "thermal": 4}[name] for name in streams)
    quality = np.full(count, np.nan, QUALITY)
    quality["brightness"] = np.linspace(80, 120, count)
    landmarks = np.random.default_rng(1).uniform(0, 640, (count, 68, 2)).astype(np.float32)
    matrix = np.tile(np.array([[0.5, 0, -10], [0, 0.5, -20]]), (count, 1, 1))
    inverse = np.tile(np.array([[2.0, 0, 20], [0, 2.0, 40]]), (count, 1, 1))
    table = {
        "host_ns": host_ns,
        "time_seconds": seconds,
        "landmarks": landmarks,
        "landmarks_raw": landmarks,
        "crop_matrix": matrix,
        "crop_matrix_inverse": inverse,
        "pose": np.zeros((count, 3), np.float32),
        "quality": quality,
        "valid": np.full(count, bits, np.uint8) if valid is None else valid,
        "reason": np.zeros(count, np.uint8),
        "n_faces": np.ones(count, np.int16),
        "thermal_flags": np.zeros(count, np.uint16),
    }
    for name in ("depth", "thermal"):
        is_there = name in streams
        rows = np.arange(count, dtype=np.int64)
        table[f"{name}_frame"] = rows if is_there else np.full(count, -1, np.int64)
        table[f"{name}_host_ns"] = host_ns if is_there else np.full(count, -1, np.int64)
        table[f"{name}_gap_ns"] = np.zeros(count, np.int64)
    return table


def header(session="S01-001", **changes):
    """A header that says where the shard would come from."""
    plain = ShardHeader(
        session=session,
        subject=session.rpartition("-")[0],
        kind="simulated",
        alignment="test",
        inputs_sha256="0" * 64,
        configuration={"alignment": "test"},
        settings={"lighting": "bright", "seed": 7},
    )
    return replace(plain, **changes)


def write_shard(path, pixels, *, streams=ALL, masks=False, at_once=None, table=None, **changes):
    """Writes (color, depth, thermal) as a shard, `at_once` frames in a call."""
    given = {
        name: array if name in streams else None for name, array in zip(ALL, pixels, strict=True)
    }
    count = len(given["color"])
    step = at_once or count
    about = header(path.stem, **changes)
    with ShardWriter(path, about) as writer:
        for at in range(0, count, step):
            part = {k: None if a is None else a[at : at + step] for k, a in given.items()}
            extra = {}
            if masks:
                extra = {
                    f"{name}_mask": (part[name] > 0).astype(np.uint8)
                    for name in ("depth", "thermal")
                    if part[name] is not None
                }
            writer.append(part["color"], part["depth"], part["thermal"], **extra)
        is_timed = about.kind != "stills"
        writer.finish(table or columns(count, streams=streams, is_timed=is_timed))


def make_study(root, sessions=None, *, frames=40, height=24, width=20, name="test"):
    """A study with shards; `sessions` maps session id to options of `write_shard`."""
    study = Study.create(Path(root), name=name)
    sessions = sessions or {"S01-001": {}, "S01-002": {"streams": ("color",)}, "S02-001": {}}
    for number, (session, options) in enumerate(sessions.items()):
        chosen = dict(options)
        count = chosen.pop("frames", frames)
        size = chosen.pop("height", height), chosen.pop("width", width)
        study.add_participant(session.rpartition("-")[0])
        write_shard(study.shard_path(session), faces(count, *size, seed=number), **chosen)
    return study


def write_label(study, session, frames=40, name="gold", **values):
    """A label; dimensions without values get a sine."""
    wave = np.sin(np.arange(frames) / 7).round(6)
    table = {"frame": list(range(frames)), "time_seconds": [f / RATE_HZ for f in range(frames)]}
    for dimension, sign in (("arousal", 1), ("valence", -1)):
        table[dimension] = list(values.get(dimension, (sign * wave).tolist()))
        table[f"{dimension}_low"] = [None] * frames
        table[f"{dimension}_high"] = [None] * frames
        table[f"{dimension}_raters"] = [3] * frames
    if "expression" in values:
        table["expression"] = list(values["expression"])
    path = study.labels_folder / name / f"{session}.csv"
    write_csv(path, table)
    write_json(
        path.with_suffix(".json"),
        {
            "format": "mavfer.label",
            "version": 1,
            "session": session,
            "name": name,
            "method": "test",
            "frames": frames,
            "frames_sha256": sha256_of(path),
            "dimensions": {},
            "settings": {},
            "inputs": {},
            "created_utc": utc_now(),
            "versions": software_versions(),
        },
    )
    return path


def write_rating(study, session, dimension, rater, samples, *, take=1, passes=(), complete=True):
    """A rating; `samples` are (media_time, value, flags)."""
    path = study.ratings_folder / session / f"{dimension}.{rater}.{take:03d}.csv"
    times, values, flags = zip(*samples, strict=True)
    write_csv(
        path,
        {
            "media_time": times,
            "frame": [None] * len(times),
            "clock_ms": [1000 * t for t in times],
            "value": values,
            "flags": flags,
        },
    )
    write_json(
        path.with_suffix(".json"),
        {
            "format": "mavfer.rating",
            "version": 1,
            "session": session,
            "dimension": dimension,
            "rater": rater,
            "take": take,
            "kind": "simulated",
            "scale": {"kind": "bounded", "low": -1, "high": 1},
            "input": {},
            "settings": {},
            "passes": [
                {"first_sample": first, "samples": count, "start_seconds": times[first]}
                for first, count in passes
            ],
            "dropped_frames": 0,
            "samples": len(times),
            "samples_sha256": sha256_of(path),
            "video_sha256": None,
            "created_utc": utc_now(),
            "is_complete": complete,
            "versions": software_versions(),
        },
    )
    return path


def write_split(study, folds, name="default"):
    """A split, as it stands, also a leaking one."""
    path = study.splits_folder / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    document = {
        "format": "mavfer.split",
        "version": 1,
        "name": name,
        "kind": "parts",
        "seed": 0,
        "folds": folds,
        "created_utc": utc_now(),
        "versions": software_versions(),
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path
