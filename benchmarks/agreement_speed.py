"""What statistics of agreement cost, against pingouin's ICC and krippendorff's alpha.

All of ours together are the six ICC with intervals, Cronbach's and Krippendorff's alpha, the
matrices of CCC, Pearson, Spearman, SDA and RMSE, and CCC of each rater with the others. Theirs take
one session at a time, and ours the same sessions in one call; both take turns.

    python benchmarks/agreement_speed.py [--quick]
"""
# ruff: noqa: E402 (threads are told how many they are before numpy loads)

from __future__ import annotations

import argparse
import json
import os
import resource
import time
import warnings

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np

from mavfer import agreement
from mavfer.study.study import software_versions

FRAMES = 3000
DISTINCT_VALUES = 188
MATRICES = ("ccc", "pearson", "spearman", "sda", "rmse")


def ratings(sessions, raters, frames=FRAMES):
    """Traces (S, K, T) that drift slowly, each rater with bias and noise of their own."""
    random = np.random.default_rng(0)
    panel = np.empty((sessions, raters, frames))
    for number in range(sessions):
        common = np.cumsum(random.normal(0, 0.02, frames))
        bias = random.normal(0, 0.2, (raters, 1))
        panel[number] = common + bias + random.normal(0, 0.3, (raters, frames))
    return panel


def seconds_of(work):
    """CPU seconds, and what came of it."""
    begun = time.process_time()
    answer = work()
    return time.process_time() - begun, answer


def all_statistics(panel):
    """CPU seconds of each."""
    works = {
        "icc": lambda: agreement.icc(panel),
        "cronbach_alpha": lambda: agreement.cronbach_alpha(panel),
        "krippendorff_alpha": lambda: agreement.krippendorff_alpha(panel),
        **{name: lambda name=name: agreement.pairwise(panel, name) for name in MATRICES},
        "leave_one_out": lambda: agreement.leave_one_out(panel),
    }
    return {name: seconds_of(work)[0] for name, work in works.items()}


def peak_mb():
    """The most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def large_panel(sessions, raters):
    """CPU seconds of all statistics together, and memory beyond the ratings."""
    panel = ratings(sessions, raters)
    before_mb = peak_mb()
    seconds = sum(all_statistics(panel).values())
    return {
        "large_raters_sessions_frames": panel.shape[1::-1] + panel.shape[2:],
        "large_all_seconds": seconds,
        "large_input_mb": panel.nbytes / 1e6,
        "large_extra_mb": peak_mb() - before_mb,
    }


def against_pingouin(panel, rounds, sessions_of_theirs):
    """Least CPU seconds a session of the six ICC: theirs, ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pandas as pd
        import pingouin
    _, raters, frames = panel.shape
    times, names = np.tile(np.arange(frames), raters), np.repeat(np.arange(raters), frames)
    tables = [
        pd.DataFrame({"time": times, "rater": names, "value": session.ravel()})
        for session in panel[:sessions_of_theirs]
    ]
    theirs, ours = [], []
    for _ in range(rounds):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seconds, found = seconds_of(
                lambda: [pingouin.intraclass_corr(t, "time", "rater", "value") for t in tables]
            )
        theirs.append(seconds / len(tables))
        seconds, own = seconds_of(lambda: agreement.icc(panel))
        ours.append(seconds / len(panel))
    values = [table.set_index("Type").loc["ICC(A,1)", "ICC"] for table in found]
    np.testing.assert_allclose(values, own["ICC(A,1)"].value[: len(values)], atol=1e-9)
    return min(theirs), min(ours)


def against_krippendorff(panel, frames):
    """Least CPU seconds a session of alpha on 188 values: theirs, ours; and ours on any values."""
    import krippendorff

    edges = np.linspace(panel.min(), panel.max(), DISTINCT_VALUES + 1)[1:-1]
    steps = np.digitize(panel[..., :frames], edges).astype(np.float64)
    steps[:, 0, :DISTINCT_VALUES] = np.arange(DISTINCT_VALUES)  # each occurs
    ours = [seconds_of(lambda: agreement.krippendorff_alpha(steps))[0] for _ in range(3)]
    theirs, found = seconds_of(
        lambda: krippendorff.alpha(steps[0], level_of_measurement="interval")
    )
    own = agreement.krippendorff_alpha(steps)
    np.testing.assert_allclose(found, own[0], atol=1e-9)
    ours += [seconds_of(lambda: agreement.krippendorff_alpha(steps))[0] for _ in range(3)]
    continuous = [seconds_of(lambda: agreement.krippendorff_alpha(panel))[0] for _ in range(3)]
    return theirs, min(ours) / len(panel), min(continuous) / len(panel)


def resampled_mean(sessions):
    """CPU seconds of 2000 draws of sessions, of a mean over sessions."""
    values = np.random.default_rng(0).normal(size=(sessions, 1, 1))
    mean = lambda drawn: float(np.mean([session[0, 0] for session in drawn]))  # noqa: E731 (short)
    return seconds_of(lambda: agreement.bootstrap(list(values), mean))[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the large panel")
    is_quick = parser.parse_args().quick
    values = large_panel(100 if is_quick else 1000, 30)  # first: memory is of the whole process
    panel = ratings(100, 6)
    rounds = [all_statistics(panel) for _ in range(3 if is_quick else 5)]
    values["small_raters_sessions_frames"] = [6, 100, FRAMES]
    values["small_all_seconds"] = min(sum(each.values()) for each in rounds)
    for statistic in rounds[0]:
        values[f"small_{statistic}_seconds"] = min(each[statistic] for each in rounds)
    pingouin, icc = against_pingouin(panel, 2 if is_quick else 5, 2 if is_quick else 10)
    package, alpha, continuous = against_krippendorff(panel, 1000 if is_quick else FRAMES)
    values |= {
        "icc_ms_per_session": 1000 * icc,
        "pingouin_icc_ms_per_session": 1000 * pingouin,
        "krippendorff_alpha_ms_per_session": 1000 * alpha,
        "package_krippendorff_alpha_ms_per_session": 1000 * package,
        "continuous_krippendorff_alpha_ms_per_session": 1000 * continuous,
        "bootstrap_mean_100_sessions_2000_draws_seconds": resampled_mean(100),
    }
    result = {
        "benchmark": "agreement_speed",
        "ratios": {"icc_pingouin": pingouin / icc, "alpha_krippendorff": package / alpha},
        "values": values,
    }
    packages = ("scipy", "pingouin", "krippendorff")
    print(json.dumps({**result, "versions": software_versions(*packages)}))


if __name__ == "__main__":
    main()
