"""How near each way of fusing comes to what was felt, where that is known.

Six raters who are late by 1 to 6 s, scaled, biased and noisy, one of them mirrored and one still:
`mavfer.fusion.simulate_raters`, 200 seeds, with noise that is new in each frame and noise that
fades slowly. With calibration the lags come from a clip whose target is known, without it from the
ratings, relative to the fastest rater. The ratios are warping in plain numpy over the compiled one.

    python benchmarks/fusion_truth.py [--quick]
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

from mavfer import fusion, metrics
from mavfer.agreement.pairs import others_mean
from mavfer.fusion.lags import shifted
from mavfer.fusion.warping import collect_plain
from mavfer.fusion.warping_kernels import collect_compiled
from mavfer.study.study import software_versions

RATE_HZ = 25
NOISE_SECONDS = (0.0, 0.5, 2.0)
WARPED = ("dba", "raaw")
"""They are slow and are tried with the first kind of noise alone."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10 seeds instead of 200")
    seeds = range(10 if parser.parse_args().quick else 200)
    values = {}
    for noise_seconds in NOISE_SECONDS:
        rows = [one_seed(seed, noise_seconds) for seed in seeds]
        values |= {
            f"{name}, noise {noise_seconds:g} s": summary(name, [row[name] for row in rows])
            for name in rows[0]
        }
    plain, compiled = warping_seconds()
    print(
        json.dumps(
            {
                "benchmark": "fusion_truth",
                "ratios": {"warping_numpy": round(plain / compiled, 1)},
                "values": values | warped_seconds(),
                "versions": software_versions(),
            }
        )
    )


def one_seed(seed: int, noise_seconds: float) -> dict[str, float]:
    """Everything that is measured of one panel."""
    panel = fusion.simulate_raters(seed, noise_seconds=noise_seconds)
    good = ~panel.is_bad
    measured = fusion.estimate_lags(panel.followed, RATE_HZ, reference=panel.target)
    relative = fusion.estimate_lags(panel.ratings, RATE_HZ)
    apart = (relative - panel.lags_seconds)[good]
    out = {
        "relative lag error s": float(np.nanmedian(np.abs(apart - np.nanmedian(apart)))),
        "absolute lag error s": float(np.median(np.abs(measured - panel.lags_seconds)[good])),
    }
    for method in fusion.METHODS:
        if method not in WARPED or noise_seconds == NOISE_SECONDS[0]:
            fused = fusion.fuse(panel.ratings, method, RATE_HZ, lags=measured)
            out[f"{method} ccc"] = concordance(fused.trace, panel.truth)
            out[f"{method} covered"] = covered(fused, panel.truth)
    out["bad flagged"] = float(fused.flagged[panel.is_bad].mean())
    out["good flagged"] = float(fused.flagged[good].mean())
    out["unflagged mean ccc"] = concordance(mean_of_unflagged(panel, measured, fused), panel.truth)
    out["model above unflagged mean"] = out["model ccc"] - out["unflagged mean ccc"]
    alone = fusion.fuse(panel.ratings, "model", RATE_HZ, lags=relative)
    true_lags = panel.lags_seconds - panel.lags_seconds[good].min()
    given = fusion.fuse(panel.ratings, "model", RATE_HZ, lags=true_lags)
    out["model without calibration ccc"] = concordance(alone.trace, panel.truth)
    out["model at true relative lags ccc"] = concordance(given.trace, panel.truth)
    return out


def concordance(trace: np.ndarray, truth: np.ndarray) -> float:
    return metrics.ccc(trace, truth)


def covered(fused: fusion.Fused, truth: np.ndarray) -> float:
    """Share of the frames with a band at which it holds the truth."""
    has_band = np.isfinite(fused.low)
    is_inside = (fused.low <= truth) & (truth <= fused.high)
    return float(is_inside[has_band].mean())


def mean_of_unflagged(
    panel: fusion.SimulatedRaters, lags: np.ndarray, fused: fusion.Fused
) -> np.ndarray:
    known = np.where(np.isnan(lags), 0, lags)
    aligned = shifted(panel.ratings, np.round(known * RATE_HZ, 9))
    aligned[fused.flagged] = np.nan
    return others_mean(np.vstack([aligned, np.full(len(panel.truth), np.nan)]))[-1]


def summary(name: str, found: list[float]) -> dict[str, float]:
    """Mean over the seeds; of differences also how often and how far they are below 0."""
    array = np.array(found)
    told = {"mean": round(float(array.mean()), 4), "worst": round(float(array.min()), 4)}
    if name.endswith("error s"):
        told = {"median": round(float(np.median(array)), 4), "worst": round(float(array.max()), 4)}
    if "above" in name:
        told["share below 0"] = round(float((array < 0).mean()), 4)
    return told


def warping_seconds() -> tuple[float, float]:
    """CPU time of one warp of 6 x 3,000, plain and compiled, turn by turn."""
    panel = fusion.simulate_raters(1)
    centre = panel.ratings.mean(axis=0)
    window = 3 * RATE_HZ
    collect_compiled(centre, panel.ratings, window)  # compiled before it is timed
    spent = np.array(
        [
            [
                cpu_seconds(lambda: collect_plain(centre, panel.ratings, window)),
                cpu_seconds(lambda: collect_compiled(centre, panel.ratings, window)),
            ]
            for _ in range(5)
        ]
    )
    plain, compiled = np.median(spent, axis=0)
    return plain, compiled


def warped_seconds() -> dict[str, float]:
    """CPU time of whole fusions of 6 x 3,000."""
    panel = fusion.simulate_raters(1)
    lags = panel.lags_seconds
    return {
        f"{method} seconds, 6 x 3000": round(
            cpu_seconds(lambda m=method: fusion.fuse(panel.ratings, m, RATE_HZ, lags=lags)), 3
        )
        for method in (*WARPED, "model", "ewe")
    }


def cpu_seconds(work) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
