"""The proof on synthetic data: who learns what, and who cannot, on studies whose answer is known.

Four studies (`baselines.synthetic`) are drawn into one folder, every row is trained on its study
with several seeds, and held-out subjects are scored. What is expected follows from how the studies
are made; what is measured is told beside it. Whether guidance is better than joining the streams is
measured as well, and nothing is promised about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from baselines.benchmark import Data, Row, train_row
from baselines.compare import compare_ccc
from baselines.config import read_config
from baselines.moments import total_of
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

__all__ = ["PROOF_ROWS", "ProofRow", "prove", "values_text"]

_ALL: Final = ("color", "depth", "thermal")
_DIMENSIONS: Final = ("arousal", "valence")
_CONFIG: Final = "synthetic"
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


PROOF_ROWS: Final = (
    ProofRow("mran", "split", _ALL),
    ProofRow("concat", "split", _ALL, ("guidance=false",)),
    ProofRow("color", "split", ("color",)),
    ProofRow("depth", "split", ("depth",)),
    ProofRow("thermal", "split", ("thermal",)),
    ProofRow("mran", "decoy", _ALL),
    ProofRow("concat", "decoy", _ALL, ("guidance=false",)),
    ProofRow("color", "decoy", ("color",)),
    ProofRow("depth_thermal", "decoy", ("depth", "thermal")),
    ProofRow("mran", "shuffled", _ALL),
    ProofRow("mran", "swapped", _ALL),
)

Seeds = list[dict[str, dict[str, "Moments"]]]
"""By seed, dimension and session, the sums that scores are made of."""


def prove(
    out: Path,
    *,
    seeds: int = 3,
    rows: Sequence[ProofRow] = PROOF_ROWS,
    designs: Mapping[str, Design] = DESIGNS,
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
        seeds; values: by "row_light_dimension" (design split) or "row_design_dimension" the CCC of
        every seed and their mean; dark_gain: by dimension mran minus color in the dark, with its
        interval over subjects and p.
    """
    values: dict[str, dict[str, Any]] = {}
    in_the_dark: dict[str, Seeds] = {}
    for row in rows:
        study = _study(out, designs[row.design])
        config = read_config(
            "mran", _CONFIG, [*_sizes(designs[row.design]), *row.settings, *settings]
        )
        line = Row(row.name, "mran", row.streams, config)
        folders = [train_row(Data(study.root, TRUTH, SPLIT), line, seed) for seed in range(seeds)]
        held = [_sums(folder) for folder in folders]
        lights = _lights(study)
        for light in ("bright", "dark") if row.design == "split" else (row.design,):
            chosen = (
                [_of_light(each, lights, light) for each in held]
                if light in lights.values()
                else held
            )
            for dimension in _DIMENSIONS:
                values[f"{row.name}_{light}_{dimension}"] = _value(chosen, dimension)
        if row.design == "split":
            in_the_dark[row.name] = [_of_light(each, lights, _DARK) for each in held]
    return {"seeds": seeds, "values": values, "dark_gain": _gain(in_the_dark)}


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
    return "\n".join(lines)


def _study(out: Path, design: Design) -> Study:
    root = out / design.name
    if (root / "splits" / f"{SPLIT}.json").exists():  # written last
        return Study.open(root)
    return make_study(root, design)


def _sizes(design: Design) -> list[str]:
    return [f"size={design.size}"]


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


def _gain(in_the_dark: Mapping[str, Seeds]) -> dict[str, Any]:
    """How much better all streams are than color in the dark."""
    if not {"mran", "color"} <= in_the_dark.keys():
        return {}
    gains = {}
    for dimension in _DIMENSIONS:
        both = [[each[dimension] for each in in_the_dark[name]] for name in ("mran", "color")]
        compared = compare_ccc(*both)
        gains[dimension] = {
            key: getattr(compared, key) for key in ("difference", "low", "high", "p")
        }
    return gains
