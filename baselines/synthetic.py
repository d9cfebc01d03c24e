"""Studies whose answer is known, on which a network can prove that it learns what it should.

Ours. Two designs, each written as a study with shards, labels and a split by subject, so that what
is proved is the whole way from shard to score:

- split information: depth shows valence alone, thermal arousal alone, color shows both but not in
  the dark. Whoever is good at both in the dark has used both.
- decoy face: two faces side by side, one of them a flat, cold picture with a life of its own. Depth
  and thermal say which one is alive and show no expression; color shows both expressions. Whoever
  is good has used one to read the other.

Two negative controls: `shuffled` labels, which belong to other sessions, and `swapped` modalities,
where depth and thermal belong to other sessions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from baselines.drawn_faces import (
    Face,
    Light,
    draw_color,
    draw_depth,
    draw_thermal,
    landmarks_of,
)
from mavfer.errors import CommandError
from mavfer.progress import progress
from mavfer.study.labels import LabelTrace, write_label
from mavfer.study.shard_header import ShardHeader
from mavfer.study.shard_writer import ShardWriter
from mavfer.study.splits import write_split
from mavfer.study.study import Study

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["DESIGNS", "SPLIT", "TRUTH", "Design", "make_study", "write_known_label"]

Lighting = Literal["bright", "dark"]

SPLIT: Final = "subjects"
"""Name of the split of a synthetic study."""

TRUTH: Final = "truth"
"""Name of its label: what the faces were drawn from."""

_RATE_HZ: Final = 10.0
_PERIODS_SECONDS: Final = (1.5, 6.0)
_WAVES: Final = 3

_TRACKED_PIXELS: Final = 0.4
"""Standard deviation of landmarks, of a picture as wide as 40 pixels."""

_QUALITY: Final = (
    *("score", "agreement", "blur", "brightness", "saturation", "inside"),
    *("depth_coverage", "thermal_coverage", "carry_residual_mm"),
)
"""Columns that preprocessing measures; nothing is measured here."""


@dataclass(frozen=True)
class Design:
    """What is drawn, of how many people, and what is mixed up."""

    name: str
    kind: Literal["split", "decoy"]
    lightings: tuple[Lighting, ...]
    """Sessions of each subject."""
    size: int
    """Rows and columns of a crop."""
    frames: int = 64
    """Of a session, at 10 Hz."""
    training_subjects: int = 30
    test_subjects: int = 30
    control: Literal["none", "shuffled", "swapped"] = "none"


DESIGNS: Final[dict[str, Design]] = {
    design.name: design
    for design in (
        Design("split", "split", ("bright", "dark"), size=40),
        Design("decoy", "decoy", ("bright", "bright"), size=40),
        Design("shuffled", "split", ("bright", "dark"), size=40, control="shuffled"),
        Design("swapped", "split", ("bright", "dark"), size=40, control="swapped"),
    )
}


@dataclass(frozen=True)
class _Take:
    """One session: what it shows and what it is said to show."""

    session: str
    lighting: Lighting
    streams: dict[str, NDArray[Any]]
    landmarks: NDArray[np.float64]
    """(T, 68, 2); NaN where it is not said whose."""
    arousal: NDArray[np.float64]
    valence: NDArray[np.float64]


def make_study(root: Path, design: Design, *, seed: int = 0) -> Study:
    """Writes the study of a design to the new folder `root`; the same seed, the same pixels.

    Args:
        root: Folder of the study.
        design: What is drawn; see `DESIGNS`.
        seed: Of people, what they do, and noise.

    Raises:
        AlreadyThere: `root` holds a study, or other files.
        CommandError: The design has too few subjects for what it mixes up.
    """
    if min(design.training_subjects, design.test_subjects) < 2:  # noqa: PLR2004 (to exchange)
        message = f"design {design.name}: give two subjects or more to train on and to test on"
        raise CommandError(message)
    study = Study.create(root, name=f"synthetic: {design.name}")
    parts = _parts(design)
    total = sum(map(len, parts.values())) * len(design.lightings)
    with progress(f"draw {design.name}", total, "session") as advance:
        for part, subjects in parts.items():
            takes = [
                _draw(design, subject, number, (seed, _seed_of(part), at, number))
                for at, subject in enumerate(subjects)
                for number in range(len(design.lightings))
            ]
            for take in _mixed_up(takes, design):
                _write(study, take, design, seed)
                advance(1)
    write_split(study, SPLIT, [parts], kind="parts", seed=seed)
    return study


def write_known_label(
    study: Study,
    session: str,
    time_seconds: NDArray[np.float64],
    known: Mapping[str, NDArray[np.float64]],
    *,
    name: str = TRUTH,
    settings: Mapping[str, Any],
) -> None:
    """Writes the label of a session whose truth is known.

    Args:
        study: The study.
        session: Its id.
        time_seconds: (T,), as in the shard.
        known: By dimension (T,), NaN where nothing is asked.
        name: Of the label; one that is there is replaced.
        settings: What is said of how it came about.
    """
    traces = {
        key: LabelTrace(value, value, value, np.isfinite(value).astype(np.int64))
        for key, value in known.items()
    }
    document = {
        "session": session,
        "name": name,
        "method": "truth",
        "dimensions": {},
        "settings": dict(settings),
        "inputs": {},
    }
    write_label(study, document, time_seconds, traces, replace=True)


def _parts(design: Design) -> dict[str, list[str]]:
    """Subject codes of each part."""
    return {
        "train": [f"T{number:03d}" for number in range(1, design.training_subjects + 1)],
        "test": [f"E{number:03d}" for number in range(1, design.test_subjects + 1)],
    }


def _seed_of(part: str) -> int:
    return 1 if part == "test" else 0


def _draw(design: Design, subject: str, number: int, seed: Sequence[int]) -> _Take:
    """Session `number` of a subject, from 0."""
    lighting = design.lightings[number]
    person = np.random.default_rng([*seed[:3], 0])  # the same in all sessions of a subject
    random = np.random.default_rng([*seed, 1])
    face = _face(person, random, design.frames)
    light = _light(random, lighting)
    draw = _decoy_streams if design.kind == "decoy" else _split_streams
    return _Take(
        session=f"{subject}-{number + 1:03d}",
        lighting=lighting,
        streams=draw(face, light, design.size, random),
        landmarks=_landmarks(face, design, lighting, random),
        arousal=face.arousal,
        valence=face.valence,
    )


def _face(person: np.random.Generator, random: np.random.Generator, frames: int) -> Face:
    tone = person.uniform(0.35, 0.95)
    return Face(
        arousal=_wave(random, frames),
        valence=_wave(random, frames),
        width=person.uniform(0.62, 0.78),
        eyes=person.uniform(0.27, 0.36),
        skin=(tone, tone * person.uniform(0.7, 0.85), tone * person.uniform(0.5, 0.7)),
        warmth_centikelvin=person.normal(0, 200.0),
    )


def _wave(random: np.random.Generator, frames: int) -> NDArray[np.float64]:
    """A slow wave (frames,) that fills -1 to 1."""
    time = np.arange(frames) / _RATE_HZ
    wave = np.full(frames, random.uniform(-0.4, 0.4))
    for _ in range(_WAVES):
        period = random.uniform(*_PERIODS_SECONDS)
        phase = random.uniform(0, 2 * np.pi)
        wave += random.uniform(0.3, 0.7) * np.sin(2 * np.pi * time / period + phase)
    return np.asarray(np.clip(wave, -1, 1))


def _light(random: np.random.Generator, lighting: Lighting) -> Light:
    low, high = (0.005, 0.02) if lighting == "dark" else (0.6, 1.0)
    red, blue = random.uniform(0.85, 1.15, 2).tolist()
    across, down = random.uniform(-0.3, 0.3, 2).tolist()
    return Light(float(random.uniform(low, high)), (across, down), (red, 1.0, blue))


def _split_streams(
    face: Face, light: Light, size: int, random: np.random.Generator
) -> dict[str, NDArray[Any]]:
    return {
        "color": draw_color(face, light, size, random),
        "depth": draw_depth(face, size, random),
        "thermal": draw_thermal(face, size, random),
    }


def _decoy_streams(
    face: Face, light: Light, size: int, random: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """Both faces in one picture, half its size; which side is alive is left to chance."""
    half, frames = size // 2, len(face.arousal)
    other = replace(face, arousal=_wave(random, frames), valence=_wave(random, frames))
    still = _still(face)
    pairs: dict[str, list[NDArray[Any]]] = {
        "color": [draw_color(one, light, half, random) for one in (face, other)],
        "depth": [draw_depth(still, half, random, is_flat=flat) for flat in (False, True)],
        "thermal": [draw_thermal(still, half, random, is_cold=cold) for cold in (False, True)],
    }
    order = [0, 1] if random.integers(2) else [1, 0]
    return {
        name: _on_a_board(np.concatenate([pair[at] for at in order], axis=2))
        for name, pair in pairs.items()
    }


def _still(face: Face) -> Face:
    """The same person, who expresses nothing."""
    rest = np.zeros(len(face.arousal))
    return replace(face, arousal=rest, valence=rest)


def _landmarks(
    face: Face, design: Design, lighting: Lighting, random: np.random.Generator
) -> NDArray[np.float64]:
    """What a tracker would find (T, 68, 2).

    In the dark a face is placed without its expression; of two faces nothing is said.
    """
    if lighting == "dark":
        face = _still(face)
    places = landmarks_of(face, design.size)
    if design.kind == "decoy":
        return np.full_like(places, np.nan)
    return places + random.normal(0, _TRACKED_PIXELS, places.shape)


def _on_a_board(strip: NDArray[Any]) -> NDArray[Any]:
    """A strip (T, half, size, …) in the middle of a square, its edges drawn out."""
    size = strip.shape[2]
    above = (size - strip.shape[1]) // 2
    below = size - strip.shape[1] - above
    rest = [(0, 0)] * (strip.ndim - 2)
    return np.pad(strip, [(0, 0), (above, below), *rest], mode="edge")


def _mixed_up(takes: list[_Take], design: Design) -> list[_Take]:
    """The takes as the negative control wants them; everything goes to the next subject."""
    ahead = takes[len(design.lightings) :] + takes[: len(design.lightings)]
    if design.control == "shuffled":
        return [
            replace(take, arousal=other.arousal, valence=other.valence)
            for take, other in zip(takes, ahead, strict=True)
        ]
    if design.control == "swapped":
        return [
            replace(take, streams={**other.streams, "color": take.streams["color"]})
            for take, other in zip(takes, ahead, strict=True)
        ]
    return takes


def _write(study: Study, take: _Take, design: Design, seed: int) -> None:
    """The shard and the label of a take."""
    subject = take.session.rpartition("-")[0]
    study.add_participant(subject)
    header = ShardHeader(
        session=take.session,
        subject=subject,
        kind="simulated",
        alignment="none",
        inputs_sha256="0" * 64,
        configuration={"design": design.name, "seed": seed},
        settings={"lighting": take.lighting, "design": design.name, "seed": seed},
    )
    with ShardWriter(study.shard_path(take.session), header) as writer:
        writer.append(take.streams["color"], take.streams["depth"], take.streams["thermal"])
        writer.finish(_columns(take))
    known = {"arousal": take.arousal, "valence": take.valence}
    about = {"design": design.name, "seed": seed}
    seconds = np.arange(design.frames) / _RATE_HZ
    write_known_label(study, take.session, seconds, known, settings=about)


def _columns(take: _Take) -> dict[str, NDArray[Any]]:
    """The table of frames that no camera took: evenly spaced, all streams valid."""
    frames = len(take.arousal)
    rows = np.arange(frames, dtype=np.int64)
    host_ns = rows * round(1e9 / _RATE_HZ)
    landmarks = take.landmarks.astype(np.float32)
    identity = np.tile(np.eye(2, 3), (frames, 1, 1))
    table: dict[str, NDArray[Any]] = {
        "host_ns": host_ns,
        "time_seconds": host_ns / 1e9,
        "landmarks": landmarks,
        "landmarks_raw": landmarks,
        "crop_matrix": identity,
        "crop_matrix_inverse": identity,
        "pose": np.zeros((frames, 3), np.float32),
        "quality": np.full(frames, np.nan, [(name, "f4") for name in _QUALITY]),
        "valid": np.full(frames, 0b111, np.uint8),
        "reason": np.zeros(frames, np.uint8),
        "n_faces": np.ones(frames, np.int16),
        "thermal_flags": np.zeros(frames, np.uint16),
    }
    for name in ("depth", "thermal"):
        table |= {f"{name}_frame": rows, f"{name}_host_ns": host_ns}
        table[f"{name}_gap_ns"] = np.zeros(frames, np.int64)
    return table
