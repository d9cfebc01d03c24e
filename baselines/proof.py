"""The proof on synthetic data: who learns what, and who cannot, on studies whose answer is known.

Four studies are drawn into one folder (`baselines.synthetic`), a fifth is recorded by the simulated
rig where it is asked for (`baselines.rig_study`); every row is trained on its study with several
seeds, and held-out subjects are scored. What is expected follows from how the studies
are made; what is measured is told beside it. Whether guidance is better than joining the streams is
measured as well, and nothing is promised about it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from baselines.benchmark import Data, Row, find_run, train_row
from baselines.compare import compare_ccc
from baselines.config import read_config
from baselines.models import MODELS
from baselines.moments import total_of
from baselines.rig_study import RIG, SHUFFLED, RigDesign, make_rig_study
from baselines.scores import session_moments
from baselines.synthetic import DESIGNS, SPLIT, TRUTH, make_study
from mavfer.study.results import FinishedRun
from mavfer.study.shard_index import read_index
from mavfer.study.study import Study

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from baselines.moments import Moments
    from baselines.synthetic import Design
    from mavfer.streams import StreamName

__all__ = ["PROOF_ROWS", "RIG_ROWS", "ProofRow", "prove", "values_text"]

_ALL: Final = ("color", "depth", "thermal")
_DIMENSIONS: Final = ("arousal", "valence")
_SPLIT_DESIGN: Final = "split"
_DARK: Final = "dark"
_LIGHTS: Final = ("bright", _DARK)


@dataclass(frozen=True)
class ProofRow:
    """One line of the proof: a model on a design."""

    name: str
    """As it stands in the values: mran, concat, color, …."""
    design: str
    streams: tuple[StreamName, ...]
    settings: tuple[str, ...] = ()
    model: str = "mran"
    labels: str = TRUTH
    config: str = "synthetic"
    """Name of the configuration."""


_ONE_STREAM: Final = "sta"
"""The model that reads a single stream."""

_DECOY_SETTINGS: Final = (
    *("attention_share=1.0", "frames=2", "hop=2", "batch_size=16", "learning_rate=6e-3"),
    "epochs=3",
)
"""Short clips and many of them: what is alive shows in single frames."""

PROOF_ROWS: Final = (
    ProofRow("mran", "split", _ALL),
    ProofRow("concat", "split", _ALL, ("guidance=false",)),
    ProofRow("color", "split", ("color",)),
    ProofRow("depth", "split", ("depth",)),
    ProofRow("thermal", "split", ("thermal",)),
    ProofRow("mran", "decoy", _ALL, _DECOY_SETTINGS),
    ProofRow("concat", "decoy", _ALL, ("guidance=false", *_DECOY_SETTINGS)),
    ProofRow("color", "decoy", ("color",), _DECOY_SETTINGS),
    ProofRow("depth_thermal", "decoy", ("depth", "thermal"), _DECOY_SETTINGS),
    ProofRow("mran", "shuffled", _ALL),
    ProofRow("mran", "swapped", _ALL),
    *(
        ProofRow(name, "split", _ALL if name != _ONE_STREAM else ("color",), model=name)
        for name in MODELS
        if name != "mran"
    ),
)
"""What is trained on drawn faces."""

_RIG_CONFIG: Final = "synthetic_rig"

RIG_ROWS: Final = (
    ProofRow("mran", RIG.name, _ALL, config=_RIG_CONFIG),
    ProofRow("color", RIG.name, ("color",), config=_RIG_CONFIG),
    ProofRow("depth", RIG.name, ("depth",), config=_RIG_CONFIG),
    ProofRow("thermal", RIG.name, ("thermal",), config=_RIG_CONFIG),
    ProofRow("mran_shuffled", RIG.name, _ALL, labels=SHUFFLED, config=_RIG_CONFIG),
)
"""What is trained on what the simulated rig recorded."""

ALL_DESIGNS: Final[dict[str, Design | RigDesign]] = {**DESIGNS, RIG.name: RIG}

Seeds = list[dict[str, dict[str, "Moments"]]]
"""By seed, dimension and session, the sums that scores are made of."""


def prove(
    out: Path,
    *,
    seeds: int = 3,
    rows: Sequence[ProofRow] = PROOF_ROWS,
    designs: Mapping[str, Design | RigDesign] = ALL_DESIGNS,
    settings: Sequence[str] = (),
) -> dict[str, Any]:
    """Draws the studies that are not there yet, trains what has not run, and scores everything.

    Args:
        out: Folder of the studies, one a design.
        seeds: Runs of each row, from seed 0 on.
        rows: What is trained.
        designs: By name, what is drawn.
        settings: Options stronger than synthetic.toml, for trying out.

    Returns:
        seeds; values: by "row_light_dimension" (design split), "row_rig_light_dimension" or
        "row_design_dimension" the CCC of every seed and their mean; dark_gain: by dimension mran
        minus color in the dark, with its interval over subjects and p; over_mean: by row and
        dimension the same against the row "mean", over all light; cpu_seconds: by row and design
        what each run cost that was not there yet.
    """
    values: dict[str, dict[str, Any]] = {}
    in_the_dark: dict[str, Seeds] = {}
    in_any_light: dict[str, Seeds] = {}
    seconds: dict[str, list[float]] = {}
    for row in rows:
        design = designs[row.design]
        study = _study(out, design)
        config = read_config(row.model, row.config, [*_sizes(design), *row.settings, *settings])
        line = Row(row.name, row.model, row.streams, config)
        data = Data(study.root, row.labels, SPLIT)
        runs = [_trained(data, line, seed) for seed in range(seeds)]
        held = [_sums(folder) for folder, _ in runs]
        seconds[f"{row.name}_{row.design}"] = [spent for _, spent in runs if spent is not None]
        lights = _lights(study)
        for light, name in _named(row):
            chosen = [_of_light(each, lights, light) for each in held] if light else held
            for dimension in _DIMENSIONS:
                values[f"{name}_{dimension}"] = _value(chosen, dimension)
        if row.design == _SPLIT_DESIGN:
            in_the_dark[row.name] = [_of_light(each, lights, _DARK) for each in held]
            in_any_light[row.name] = held
    return {
        "seeds": seeds,
        "values": values,
        "dark_gain": _difference(in_the_dark, "mran", "color"),
        "over_mean": {
            name: gain
            for name in in_any_light
            if name != "mean" and (gain := _difference(in_any_light, name, "mean"))
        },
        "cpu_seconds": {name: spent for name, spent in seconds.items() if spent},
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


def _trained(data: Data, row: Row, seed: int) -> tuple[Path, float | None]:
    """The folder of a row's run, and its CPU-seconds where it was not there yet."""
    found = find_run(data, row, seed)
    if found is not None:
        return found, None
    before = time.process_time()
    folder = train_row(data, row, seed)
    return folder, round(time.process_time() - before, 1)


def _named(row: ProofRow) -> list[tuple[str | None, str]]:
    """Lights that a row is scored in, all together where None, and its name in each."""
    if row.design == _SPLIT_DESIGN:
        return [(light, f"{row.name}_{light}") for light in _LIGHTS]
    if row.design == RIG.name:
        return [(light, f"{row.name}_{RIG.name}_{light}") for light in _LIGHTS]
    return [(None, f"{row.name}_{row.design}")]


def _study(out: Path, design: Design | RigDesign) -> Study:
    root = out / design.name
    if (root / "splits" / f"{SPLIT}.json").exists():  # written last
        return Study.open(root)
    return (
        make_rig_study(root, design) if isinstance(design, RigDesign) else make_study(root, design)
    )


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
