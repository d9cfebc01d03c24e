"""Small studies with ratings, labels and runs, written as their formats say."""

import json

import numpy as np

from mavfer.files import sha256_of, write_csv, write_json
from mavfer.study.ratings import write_rating
from mavfer.study.study import software_versions

FRAMES = 90
RATE_HZ = 30
SESSIONS = {"S01-001": "bright", "S01-002": "dark", "S02-001": "bright", "S02-002": "dark"}
SCORED = ("S02-001", "S02-002")
WIDTHS = (16, 32, 48)


def curve(session, dimension):
    """What raters rate of a session (FRAMES,)."""
    phase = list(SESSIONS).index(session) + (dimension == "valence") / 2
    return 0.8 * np.sin(np.arange(FRAMES) / 9 + phase)


def rate(study, session, dimension, rater, value, *, kind="person"):
    times = np.arange(len(value)) / RATE_HZ
    about = {"session": session, "dimension": dimension, "rater": rater, "take": 1, "kind": kind}
    write_rating(
        study,
        {
            **about,
            "scale": {"kind": "bounded", "low": -1, "high": 1},
            "input": {},
            "settings": {"reaction_seconds": 0.0},
            "passes": [{"first_sample": 0, "samples": len(value), "start_seconds": 0}],
            "dropped_frames": 0,
            "video_sha256": None,
            "is_complete": True,
        },
        {
            "media_time": times,
            "frame": range(len(value)),
            "clock_ms": times * 1000,
            "value": np.clip(value, -1, 1),
            "flags": np.zeros(len(value), int),
        },
    )


def rate_all(study, gains, dimensions=("arousal", "valence"), **about):
    """Every session by raters who multiply the curve by a gain of their own."""
    for session in SESSIONS:
        for dimension in dimensions:
            for rater, gain in gains.items():
                rate(study, session, dimension, rater, gain * curve(session, dimension), **about)


def predictions(noise=0.1, frames=FRAMES, seed=0, sessions=SCORED):
    """Columns of predictions.csv: the curves and something near them."""
    random = np.random.default_rng(seed)
    made = {
        "session": [name for name in sessions for _ in range(frames)],
        "frame": [*range(frames)] * len(sessions),
        "time_seconds": [frame / RATE_HZ for frame in range(frames)] * len(sessions),
    }
    for name in ("arousal", "valence"):
        label = np.concatenate([curve(session, name)[:frames] for session in sessions])
        made[name] = (label + random.normal(0, noise, len(label))).round(6).tolist()
        made[f"{name}_label"] = label.round(6).tolist()
    return made


def write_run(study, model="sta", *, stamp="20260101-000000", columns=None, part="test", **changes):
    """A finished run; `changes` go into its result.json."""
    folder = study.root / "results" / f"{model}-{stamp}-1"
    folder.mkdir(parents=True)
    write_csv(folder / "predictions.csv", columns or predictions())
    lines = [
        {"epoch": epoch, "loss": 1 / epoch, "train": {"arousal": 0.1 * epoch}, "val": {}}
        for epoch in (1, 2, 3)
    ]
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    day, time = stamp.split("-")
    write_json(
        folder / "result.json",
        {
            "format": "mavfer.result",
            "version": 1,
            "run": folder.name,
            "model": model,
            "seed": 1,
            "created_utc": f"{day[:4]}-{day[4:6]}-{day[6:]}T{time[:2]}:{time[2:4]}:{time[4:]}Z",
            "study": study.name,
            "label": "gold",
            "split": {"name": "default", "fold": 0, "sha256": "0" * 64},
            "modalities": ["color"],
            "configuration": {"encoder_widths": list(WIDTHS)},
            "parameters": 1234,
            "data_sha256": "0" * 64,
            "predictions_sha256": sha256_of(folder / "predictions.csv"),
            "scores": {part: {}},
            "versions": software_versions(),
        }
        | changes,
    )
    return folder


def write_attention(folder, sessions=SCORED, streams=("color",)):
    """Even attention on three frames of each session."""
    frames = np.tile([0, FRAMES // 2, FRAMES - 1], len(sessions))
    maps = {stream: np.full((len(frames), 4, 4), 1 / 16, np.float32) for stream in streams}
    np.savez_compressed(
        folder / "attention.npz",
        session=np.repeat(sessions, 3),
        frame=frames,
        box=np.array([2, 2, 16, 16], np.float32),
        **maps,
    )
