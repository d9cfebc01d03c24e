"""Whether networks learn what they should and nothing else, on studies whose answer is known.

`baselines.proof`: depth carries valence alone, thermal arousal alone, color both but not in the
dark; two faces of which depth and thermal say which is alive; shuffled labels, swapped modalities;
every model on the first of these, and with --rig the first of these as the simulated rig records
it. Values are CCC on held-out subjects, means over the seeds, and what one run costs; ratios are
what a run costs against the limit of 60 CPU-seconds (300 for the three largest networks).

    python benchmarks/synthetic_proof.py [--quick] [--rig] [--out FOLDER] [--figure FILE]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from statistics import mean

from baselines.proof import prove
from baselines.proof_figure import draw_proof
from baselines.proof_rows import PROOF_ROWS, RIG_ROWS
from mavfer.study.study import software_versions

LIMIT_SECONDS = {"alexnet": 300, "vgg16": 300, "c3d": 300}
USUAL_LIMIT_SECONDS = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed instead of three")
    parser.add_argument("--rig", action="store_true", help="also what the simulated rig records")
    parser.add_argument("--out", type=Path, help="keep the studies and their runs here")
    parser.add_argument("--figure", type=Path, help="draw the figure, SVG or PNG")
    given = parser.parse_args()
    rows = PROOF_ROWS + RIG_ROWS if given.rig else PROOF_ROWS
    with tempfile.TemporaryDirectory() as scratch:
        proof = prove(given.out or Path(scratch), seeds=1 if given.quick else 3, rows=rows)
    if given.figure:
        draw_proof(proof, given.figure)
    print(json.dumps(summary(proof)))


def summary(proof: dict) -> dict:
    """The benchmark's line: means, every seed, differences, and what runs cost."""
    values = {name: round(value["mean"], 4) for name, value in proof["values"].items()}
    values |= {f"{name}, seeds": value["seeds"] for name, value in proof["values"].items()}
    for dimension, gain in proof["dark_gain"].items():
        values |= {f"dark_gain_{dimension}_{key}": gain[key] for key in gain}
    for name, gains in proof["over_mean"].items():
        for dimension, gain in gains.items():
            values[f"{name} over mean, {dimension}"] = [gain["low"], gain["high"]]
    spent = {name: round(mean(runs), 1) for name, runs in proof["cpu_seconds"].items()}
    values |= {f"{name}, CPU-seconds a run": seconds for name, seconds in spent.items()}
    ratios = {
        f"{name}: cost of a run over its limit": round(seconds / limit_of(name), 2)
        for name, seconds in spent.items()
        if not name.endswith("_rig")
    }
    return {
        "benchmark": "synthetic_proof",
        "ratios": ratios,
        "values": values,
        "versions": software_versions("torch"),
    }


def limit_of(name: str) -> int:
    """CPU-seconds that a run of a row may cost."""
    return LIMIT_SECONDS.get(name.rpartition("_")[0], USUAL_LIMIT_SECONDS)


if __name__ == "__main__":
    main()
