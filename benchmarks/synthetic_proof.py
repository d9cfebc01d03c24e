"""Whether networks learn what they should and nothing else, on studies whose answer is known.

`baselines.proof`: depth carries valence alone, thermal arousal alone, color both but not in the
dark; two faces of which depth and thermal say which is alive; shuffled labels, swapped modalities.
Values are CCC on held-out subjects, means over the seeds, and what one run costs.

    python benchmarks/synthetic_proof.py [--quick] [--out FOLDER] [--figure FILE]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from baselines.proof import PROOF_ROWS, prove
from baselines.proof_figure import draw_proof
from mavfer.study.study import software_versions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed instead of three")
    parser.add_argument("--out", type=Path, help="keep the studies and their runs here")
    parser.add_argument("--figure", type=Path, help="draw the figure, SVG or PNG")
    given = parser.parse_args()
    seeds = 1 if given.quick else 3
    with tempfile.TemporaryDirectory() as scratch:
        out = given.out or Path(scratch)
        started = time.process_time()
        proof = prove(out, seeds=seeds)
        spent = time.process_time() - started
    if given.figure:
        draw_proof(proof, given.figure)
    values = {name: round(value["mean"], 4) for name, value in proof["values"].items()}
    values |= {f"{name}, seeds": value["seeds"] for name, value in proof["values"].items()}
    for dimension, gain in proof["dark_gain"].items():
        values |= {f"dark_gain_{dimension}_{key}": gain[key] for key in gain}
    values["cpu_seconds_a_run"] = round(spent / (seeds * len(PROOF_ROWS)), 1)
    print(
        json.dumps(
            {
                "benchmark": "synthetic_proof",
                "ratios": {},
                "values": values,
                "versions": software_versions("torch"),
            }
        )
    )


if __name__ == "__main__":
    main()
