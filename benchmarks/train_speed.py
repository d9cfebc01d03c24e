"""What training costs, and what it would cost the way it is usually written.

The ConvLSTM of STA and MRAN against the same cell frame by frame; a training step of `mran` with
its published widths in bf16 and in float32, and with its encoders computed twice instead of
remembered; an epoch of the loop against bare steps on the same batches; an interval of the CCC over
40 sessions from sums against one from frames. One thread, CPU time, everything in turns.

    python benchmarks/train_speed.py [--quick]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from peers.plain_networks import PlainConvLstm, bootstrap_frames, train_bare

import mavfer
from baselines.compare import Blocks
from baselines.config import read_config
from baselines.convlstm import ConvLstm
from baselines.data import batches, session_view
from baselines.loop import Loop, Material
from baselines.models import build_model
from baselines.moments import Moments
from baselines.synthetic import DESIGNS, SPLIT, TRUTH, make_study
from mavfer.study.study import software_versions

if TYPE_CHECKING:
    from collections.abc import Callable

DIMENSIONS = ("arousal", "valence")
CHANNELS = {"color": 3, "depth": 1, "thermal": 1}
SESSIONS = 40
DRAWS = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two rounds, short clips")
    is_quick = parser.parse_args().quick
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rounds = 2 if is_quick else 5
    values: dict[str, float] = {}
    ratios: dict[str, float] = {}
    for measure in (convlstm, steps, epochs, intervals):
        seconds, more = measure(rounds, is_quick=is_quick)
        values |= {f"{name}, ms": round(1000 * spent, 3) for name, spent in seconds.items()} | more
        ours, theirs, *_ = seconds
        ratios[f"{theirs} over {ours}"] = round(seconds[theirs] / seconds[ours], 3)
    values["import baselines.train beyond torch, s"] = import_seconds(rounds)
    print(
        json.dumps(
            {
                "benchmark": "train_speed",
                "ratios": ratios,
                "values": values,
                "versions": software_versions("torch"),
            }
        )
    )


@dataclass(frozen=True)
class Contender:
    """Something to run, and what must be done before, which does not count."""

    run: Callable[[], Any]
    prepare: Callable[[], Any] = lambda: None


def in_turns(contenders: dict[str, Contender], rounds: int) -> dict[str, float]:
    """Median CPU-seconds of each, after a round that does not count."""
    spent: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, contender in contenders.items():
            contender.prepare()
            before = time.process_time()
            contender.run()
            if number:
                spent[name].append(time.process_time() - before)
    return {name: median(found) for name, found in spent.items()}


def convlstm(rounds: int, *, is_quick: bool) -> tuple[dict[str, float], dict[str, float]]:
    """The cell, forwards and back: 64 channels on maps of 12x12, as in STA's decoder."""
    B, T = 2, 8 if is_quick else 16
    ours = ConvLstm(128, 64, 12)
    ours.reset_parameters()
    plain = PlainConvLstm(ours)
    maps = torch.randn(B, T, 128, 12, 12)

    def learn(cell: torch.nn.Module) -> None:
        cell(maps).square().mean().backward()

    with torch.inference_mode():
        apart = float((ours(maps) - plain(maps)).abs().max())
    named = {"convlstm": ours, "convlstm frame by frame": plain}
    seconds = in_turns(
        {name: Contender(partial(learn, cell)) for name, cell in named.items()}, rounds
    )
    return seconds, {"convlstm, largest difference of the states": apart}


def steps(rounds: int, *, is_quick: bool) -> tuple[dict[str, float], dict[str, float]]:
    """A training step of mran as published, on three streams."""
    asked = ["device=cpu", *(["frames=4", "size=64"] if is_quick else [])]
    config = read_config("mran", "mran", asked)
    B, T, S = 2, config.frames, config.size
    model = build_model("mran", config, tuple(CHANNELS), DIMENSIONS)
    frames = {name: torch.randn(B, T, width, S, S) for name, width in CHANNELS.items()}
    valid = {name: torch.ones(B, T) for name in CHANNELS}

    def remember(*, twice: bool) -> None:
        for module in model.modules():
            module.__dict__["is_recomputed"] = twice

    def learn(precision: torch.dtype) -> None:
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            values = model(frames, valid).values
        values.float().square().mean().backward()
        model.zero_grad(set_to_none=True)

    def kept(*, twice: bool) -> int:
        remember(twice=twice)
        sizes: dict[int, int] = {}
        own = {weight.untyped_storage().data_ptr() for weight in model.parameters()}

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in own:
                sizes[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            values = model(frames, valid).values
        del values
        return sum(sizes.values())

    once, twice = partial(remember, twice=False), partial(remember, twice=True)
    contenders = {
        "mran step in bf16": Contender(partial(learn, torch.bfloat16), once),
        "mran step in float32": Contender(partial(learn, torch.float32), once),
        "mran step in float32, encoders twice": Contender(partial(learn, torch.float32), twice),
    }
    remembered, again = kept(twice=False), kept(twice=True)
    seconds = in_turns(contenders, rounds)
    usual, more = seconds["mran step in float32"], seconds["mran step in float32, encoders twice"]
    return seconds, {
        "mran step, times as long with encoders twice": round(more / usual, 3),
        "mran step, remembered, MB": round(remembered / 1e6, 1),
        "mran step, encoders twice, remembered, MB": round(again / 1e6, 1),
        "mran step, share that is remembered with encoders twice": round(again / remembered, 3),
    }


def epochs(rounds: int, *, is_quick: bool) -> tuple[dict[str, float], dict[str, float]]:
    """An epoch of a narrow network, in the loop and in bare steps."""
    design = replace(DESIGNS["split"], training_subjects=3 if is_quick else 12, test_subjects=2)
    config = replace(read_config("mran", "synthetic"), epochs=1)
    with tempfile.TemporaryDirectory() as scratch:
        root = make_study(Path(scratch) / "study", design).root
        dataset = mavfer.load(root, labels=TRUTH).split("train", SPLIT)
        views = {rec.session: session_view(rec, config, DIMENSIONS) for rec in dataset}
    clips = dataset.clips(length=config.frames, stride=1, hop=config.hop, start="random", seed=0)
    material = Material(clips, views, (), DIMENSIONS, (), 1)
    model = build_model("mran", config, tuple(CHANNELS), DIMENSIONS)

    def in_the_loop() -> None:
        Loop(model, config, material, torch.device("cpu"), 0).run("epoch", lambda line: None)

    def bare() -> None:
        train_bare(model, config, batches(clips, views, config, epoch=0, seed=0))

    seconds = in_turns({"loop": Contender(in_the_loop), "bare steps": Contender(bare)}, rounds)
    return seconds, {
        "loop, share beyond bare steps": round(seconds["loop"] / seconds["bare steps"] - 1, 3)
    }


def intervals(rounds: int, *, is_quick: bool) -> tuple[dict[str, float], dict[str, float]]:
    """The interval of a CCC over sessions of 1,500 frames."""
    random = np.random.default_rng(0)
    draws = DRAWS // 10 if is_quick else DRAWS
    label = [random.normal(size=1500) for _ in range(SESSIONS)]
    predicted = [each + random.normal(size=1500) for each in label]
    sums = {
        f"S{number:02d}-001": Moments.of(x, y)
        for number, (x, y) in enumerate(zip(predicted, label, strict=True))
    }
    contenders = {
        "interval from sums": Contender(lambda: Blocks.of([sums]).draws(draws, 0)),
        "interval from frames": Contender(lambda: bootstrap_frames(predicted, label, draws, 0)),
        "sums of 40 sessions": Contender(
            lambda: [Moments.of(*each) for each in zip(predicted, label, strict=True)]
        ),
    }
    return in_turns(contenders, rounds), {}


def import_seconds(rounds: int) -> float:
    """CPU-seconds that importing the training adds to importing torch, in fresh processes."""
    spent = {}
    for module in ("torch", "baselines.train"):
        code = f"import time; import {module}; print(time.process_time())"
        found = [
            float(
                subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout
            )
            for _ in range(rounds)
        ]
        spent[module] = median(found)
    return round(spent["baselines.train"] - spent["torch"], 3)


if __name__ == "__main__":
    main()
