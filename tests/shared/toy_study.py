"""A study in which depth and thermal tell the label, small enough to train on in a second."""

import importlib.util
import sys
from pathlib import Path

import numpy as np

FACTORY = Path(__file__).parents[1] / "mavfer" / "shard_factory.py"
FRAMES = 48
SIDE = 48
SUBJECTS = ("S01", "S02", "S03", "S04", "S05")
NARROW = (
    "size=32",
    "frames=6",
    "hop=6",
    "rate_hz=0",
    "encoder_widths=[8, 12, 16]",
    "encoder_strides=[2, 1, 1]",
    "decoder_widths=[8]",
    "emotion_widths=[8, 8, 12, 12]",
    "emotion_strides=[4, 1]",
    "dense_widths=[16]",
    "shift_pixels=1",
    "mirror=false",
    "batch_size=6",
)
"""Settings of a net that trains in a second."""


def latents(number):
    """Arousal and valence (T,) of a session: two slow waves of its own."""
    random = np.random.default_rng(100 + number)
    time = np.arange(FRAMES)
    return [np.sin(time / random.uniform(4, 7) + random.uniform(0, 6)) for _ in range(2)]


def pictures(arousal, valence, number):
    """Streams that show arousal as a warm spot, valence as a bump, and both as bright bars."""
    random = np.random.default_rng(number)
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    spot = np.exp(-(((x - 0.5) ** 2 + (y - 0.6) ** 2) / 0.03))
    bump = np.exp(-(((x - 0.5) ** 2 + (y - 0.35) ** 2) / 0.03))
    up, down = (array[:, None, None] for array in (arousal, valence))
    noise = random.normal(0, 3, (2, FRAMES, SIDE, SIDE))
    grey = 120 + 60 * up * spot + 60 * down * bump + noise[0]
    color = np.clip(np.repeat(grey[..., None], 3, axis=-1), 0, 255).astype(np.uint8)
    depth = (700 + 20 * down * bump + noise[0] / 2).astype(np.uint16)
    thermal = (30600 + 150 * up * spot + 5 * noise[1]).astype(np.uint16)
    return color, depth, thermal


def shard_factory():
    """The module that writes small study folders."""
    spec = importlib.util.spec_from_file_location("toy_shard_factory", FACTORY)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def make_toy_study(root):
    """Five subjects, every second one in the dark, with labels and a split."""
    factory = shard_factory()
    study = factory.Study.create(root, name="toy")
    for number, subject in enumerate(SUBJECTS):
        session = f"{subject}-001"
        arousal, valence = latents(number)
        study.add_participant(subject)
        factory.write_shard(
            study.shard_path(session),
            pictures(arousal, valence, number),
            alignment="none",
            settings={"lighting": "dark" if number % 2 else "bright"},
        )
        factory.write_label(
            study, session, FRAMES, arousal=arousal.tolist(), valence=valence.tolist()
        )
    factory.write_split(
        study, [{"train": SUBJECTS[:3], "val": SUBJECTS[3:4], "test": SUBJECTS[4:]}]
    )
    return study
