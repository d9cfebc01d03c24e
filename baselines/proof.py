"""The proof on synthetic data: who learns what, and who cannot, on studies whose answer is known.

Four studies are drawn into one folder (`baselines.synthetic`), a fifth is recorded by the simulated
rig where it is asked for (`baselines.rig_study`); every row is trained on its study with several
seeds, and held-out subjects are scored. What is expected follows from how the studies are made;
what is measured is told beside it. Whether guidance is better than joining the streams is measured
as well, and nothing is promised about it.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from baselines.benchmark import Data, Row, find_run, train_anew
from baselines.compare import compare_ccc
from baselines.config import read_config
from baselines.moments import total_of
from baselines.proof_rows import ALL_DESIGNS, PROOF_ROWS, SPLIT_DESIGN
from baselines.rig_study import RIG, RigDesign, make_rig_study
from baselines.scores import session_moments
from baselines.synthetic import SPLIT, make_study
from mavfer.files import locked
from mavfer.progress import progress
from mavfer.study.results import FinishedRun
from mavfer.study.shard_index import read_index
from mavfer.study.study import Study

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from baselines.moments import Moments
    from baselines.proof_rows import ProofRow
    from baselines.synthetic import Design

__all__ = ["prove", "values_text"]

_DIMENSIONS: Final = ("arousal", "valence")
_DARK: Final = "dark"
_LIGHTS: Final = ("bright", _DARK)
_SCORED_BY_LIGHT: Final = (SPLIT_DESIGN, "swapped", RIG.name)

Seeds = list[dict[str, dict[str, "Moments"]]]
"""By seed, dimension and session, the sums that scores are made of."""


def prove(
    out: Path,
    *,
    seeds: int = 3,
    rows: Sequence[ProofRow] = PROOF_ROWS,
    designs: Mapping[str, Design | RigDesign] = ALL_DESIGNS,
    settings: Sequence[str] = (),
    jobs: int = 1,
) -> dict[str, Any]:
    """Draws the studies that are not there yet, trains what has not run, and scores everything.

    Args:
        out: Folder of the studies, one a design.
        seeds: Runs of each row, from seed 0 on.
        rows: What is trained.
        designs: By name, what is drawn.
        settings: Options stronger than synthetic.toml, for trying out.
        jobs: Runs at a time, each in a process and on a core of its own.

    Returns:
        seeds; values: by "row_light_dimension" (design split), "row_design_light_dimension"
        (rig, swapped) or "row_design_dimension" the CCC of every seed and their mean; dark_gain: by
        dimension mran minus color in the dark, with its interval over subjects and p; over_mean: by
        row and dimension the same against the row "mean", over all light; cpu_seconds: by row and
        design what each run cost that was not there yet.

    Raises:
        Busy: Another process is at work in `out`.
        AlreadyThere: The folder of a study holds something else.
        CommandError: An option is unknown.
    """
    lines = [_line(row, designs[row.design], out, settings) for row in rows]
    with locked(out / ".proof.lock", f"{out}: a proof is run"):
        studies = {
            name: _study(out, designs[name]) for name in dict.fromkeys(row.design for row in rows)
        }
        runs = _trained([(*line, seed) for line in lines for seed in range(seeds)], jobs)
    values: dict[str, dict[str, Any]] = {}
    in_the_dark: dict[str, Seeds] = {}
    in_any_light: dict[str, Seeds] = {}
    costs: dict[str, list[float]] = {}
    for number, row in enumerate(rows):
        mine = runs[number * seeds : (number + 1) * seeds]
        held = [_sums(folder) for folder, _ in mine]
        lights = _lights(studies[row.design])
        for light, name in _named(row):
            chosen = [_of_light(each, lights, light) for each in held] if light else held
            for dimension in _DIMENSIONS:
                values[f"{name}_{dimension}"] = _value(chosen, dimension)
        if row.design == SPLIT_DESIGN:
            in_the_dark[row.name] = [_of_light(each, lights, _DARK) for each in held]
            in_any_light[row.name] = held
        costs[f"{row.name}_{row.design}"] = [cost for _, cost in mine if cost is not None]
    return {
        "seeds": seeds,
        "values": values,
        "dark_gain": _difference(in_the_dark, "mran", "color"),
        "over_mean": {
            name: gain
            for name in in_any_light
            if name != "mean" and (gain := _difference(in_any_light, name, "mean"))
        },
        "cpu_seconds": {name: spent for name, spent in costs.items() if spent},
    }


def values_text(document: Mapping[str, Any]) -> str:
    """The table as lines for people."""
    lines = []
    for name, value in document["values"].items():
        told = ", ".join(f"{ccc:.3f}" for ccc in value["seeds"])
        lines.append(f"  {name:<32}{value['mean']:7.3f}   ({told})")
    for dimension, gain in document["dark_gain"].items():
        lines.append(
            f"  mran minus color in the dark, {dimension}: {gain['difference']:.3f} "
            f"[{gain['low']:.3f}, {gain['high']:.3f}], p {gain['p']:.4f}"
        )
    lines += [
        f"  {name} minus mean, {dimension}: {gain['difference']:.3f} "
        f"[{gain['low']:.3f}, {gain['high']:.3f}], p {gain['p']:.4f}"
        for name, gains in document["over_mean"].items()
        for dimension, gain in gains.items()
    ]
    return "\n".join(lines)


def _line(
    row: ProofRow, design: Design | RigDesign, out: Path, settings: Sequence[str]
) -> tuple[Data, Row]:
    """What a row is trained on, and with which options."""
    config = read_config(row.model, row.config, [*_sizes(design), *row.settings, *settings])
    data = Data(out / design.name, row.labels, SPLIT)
    return data, Row(row.name, row.model, row.streams, config)


def _trained(wanted: Sequence[tuple[Data, Row, int]], jobs: int) -> list[tuple[Path, float | None]]:
    """Folders of runs, trained where they are not there yet, and CPU-seconds of those."""
    found = [find_run(*run) for run in wanted]
    missing = [run for run, folder in zip(wanted, found, strict=True) if folder is None]
    if jobs == 1 or len(missing) <= 1:
        made = iter([_train(*run) for run in missing])
    else:
        made = iter(_train_side_by_side(missing, jobs))
    return [next(made) if folder is None else (folder, None) for folder in found]


def _train_side_by_side(
    missing: Sequence[tuple[Data, Row, int]], jobs: int
) -> list[tuple[Path, float]]:
    with (
        ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool,
        progress("train", len(missing), "run") as advance,
    ):
        begun = [pool.submit(_train_in_silence, *run) for run in missing]
        try:
            for done in as_completed(begun):
                done.result()
                advance(1)
        except BaseException:
            pool.shutdown(cancel_futures=True)  # else all that wait would be trained first
            raise
        return [each.result() for each in begun]


def _train_in_silence(data: Data, row: Row, seed: int) -> tuple[Path, float]:
    """In a process of its own, whose bar would run into the others'."""
    with contextlib.redirect_stderr(io.StringIO()):
        return _train(data, row, seed)


def _train(data: Data, row: Row, seed: int) -> tuple[Path, float]:
    """Trains a run, and gives its folder and the CPU-seconds that it took."""
    before = time.process_time()
    folder = train_anew(data, row, seed)
    return folder, round(time.process_time() - before, 1)


def _named(row: ProofRow) -> list[tuple[str | None, str]]:
    """Lights that a row is scored in, all together where None, and its name in each."""
    name = row.name if row.design == SPLIT_DESIGN else f"{row.name}_{row.design}"
    if row.design not in _SCORED_BY_LIGHT:
        return [(None, name)]
    return [(light, f"{name}_{light}") for light in _LIGHTS]


def _study(out: Path, design: Design | RigDesign) -> Study:
    """The study of a design, made where it is not there yet or was cut short."""
    root = out / design.name
    if (root / "splits" / f"{SPLIT}.json").exists():  # written last
        return Study.open(root)
    if isinstance(design, RigDesign):
        return make_rig_study(root, design)
    part = out / f".{design.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    make_study(part, design)
    part.rename(root)
    return Study.open(root)


def _sizes(design: Design | RigDesign) -> list[str]:
    return [] if isinstance(design, RigDesign) else [f"size={design.size}"]


def _lights(study: Study) -> dict[str, str]:
    """Lighting of each session."""
    return {line["session"]: line["settings"]["lighting"] for line in read_index(study)}


def _sums(folder: Path) -> dict[str, dict[str, Moments]]:
    columns = FinishedRun.open(folder).predictions()
    return {dimension: session_moments(columns, dimension) for dimension in _DIMENSIONS}


def _of_light(
    sums: dict[str, dict[str, Moments]], lights: Mapping[str, str], light: str
) -> dict[str, dict[str, Moments]]:
    return {
        dimension: {session: each for session, each in sessions.items() if lights[session] == light}
        for dimension, sessions in sums.items()
    }


def _value(seeds: Seeds, dimension: str) -> dict[str, Any]:
    """Pooled CCC of every seed, and their mean."""
    scores = [total_of(each[dimension].values()).ccc() for each in seeds]
    return {"mean": float(np.mean(scores)), "seeds": [float(score) for score in scores]}


def _difference(seeds: Mapping[str, Seeds], one: str, other: str) -> dict[str, Any]:
    """How much better a row is than another; nothing where one of them was not trained."""
    if not {one, other} <= seeds.keys():
        return {}
    told = {}
    for dimension in _DIMENSIONS:
        both = [[each[dimension] for each in seeds[name]] for name in (one, other)]
        compared = compare_ccc(*both)
        told[dimension] = {
            key: getattr(compared, key) for key in ("difference", "low", "high", "p")
        }
    return told
