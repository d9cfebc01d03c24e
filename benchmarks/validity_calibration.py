"""How far to trust `valid`: what each measure of a frame says about the error of its landmarks.

Simulated faces, whose landmarks are known, are blurred, darkened, covered by a hand, turned,
shaken, moved out of the frame; a tracker is put in the wrong place; the light goes out over depth
with holes. The error is the mean distance of the inner 51 points from the truth, in % of the
distance of the outer eye corners, as smoothed landmarks stand in a shard; up to 5 % counts as good.
The ratio is the odds of a good frame where `valid` says color can be used over those where not.

    python benchmarks/validity_calibration.py [--quick] [--picture FILE]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from failures.scenes import FAILURES, MEASURES, clip
from numpy.typing import NDArray

from mavfer.study.study import software_versions
from mavfer.vision.validity import (
    MAX_AGREEMENT,
    MAX_YAW_DEGREES,
    FrameFacts,
    Valid,
    judge_frame,
)

GOOD_PERCENT = 5.0
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
"""Of the frames with a measure, between which its curve is told; finer where troubles are."""
AGREEMENTS = (2, 3, 4, 5, 6, 8)
YAWS = (20, 25, 30, 32, 35, 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1 subject instead of 5")
    parser.add_argument("--picture", type=Path, help="where to write the curves")
    parser.add_argument("--rows", type=Path, help="keep every frame there, or take it from there")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    subjects = range(1 if arguments.quick else 5)
    if arguments.rows is not None and arguments.rows.is_file():
        rows = np.load(arguments.rows)
    else:
        rows = np.concatenate([clip(name, each) for name in FAILURES for each in subjects])
    if arguments.rows is not None:
        np.save(arguments.rows, rows)
    if arguments.picture is not None:
        draw(rows, arguments.picture)
    values = {
        "frames": len(rows),
        "rule": rates(rows, is_used(rows)),
        "by_failure": {name: by_failure(rows[rows["failure"] == name]) for name in FAILURES},
        "curves": {name: curve(rows, name) for name in MEASURES},
        "alone": {name: separation(rows, name) for name in MEASURES},
        "limits_of_agreement": {
            f"{limit:g}": rates(rows, is_used(rows, agreement=limit)) for limit in AGREEMENTS
        },
        "limits_of_yaw": {f"{limit:g}": rates(rows, is_used(rows, yaw=limit)) for limit in YAWS},
        "without_yaw_agreement_6": rates(rows, is_used(rows, agreement=6, yaw=1000)),
    }
    ratios = {"odds_of_good_if_valid": odds(rows)}
    line = {"benchmark": "validity_calibration", "ratios": ratios, "values": values}
    print(json.dumps({**line, "versions": software_versions("opencv-python", "dlib-bin")}))


# What it says.


def is_good(rows: NDArray[np.void]) -> NDArray[np.bool_]:
    """Frames whose landmarks are where they should be."""
    return rows["error"] <= GOOD_PERCENT


def is_used(
    rows: NDArray[np.void], agreement: float = MAX_AGREEMENT, yaw: float = MAX_YAW_DEGREES
) -> NDArray[np.bool_]:
    """Frames of which `valid` says color can be used; with other limits if given.

    Other limits are told by changing the measures, so that the rule itself stays the judge.
    """
    return np.array(
        [
            bool(judged(row, MAX_AGREEMENT / agreement, MAX_YAW_DEGREES / yaw) & Valid.COLOR)
            for row in rows
        ]
    )


def judged(row: NDArray[np.void], of_agreement: float = 1.0, of_yaw: float = 1.0) -> Valid:
    """What `judge_frame` says of a frame whose agreement and yaw are so many times as large."""
    source = "color"
    if not np.isfinite(row["error"]):
        source = "none"
    elif row["is_carried"]:
        source = "depth"
    facts = FrameFacts(
        source=source,
        is_head_lost=False,
        inside=float(row["inside"]),
        agreement=float(row["agreement"]) * of_agreement,
        depth="absent",
        depth_coverage=np.nan,
        thermal="absent",
        thermal_coverage=np.nan,
        yaw_degrees=float(row["yaw"]) * of_yaw,
    )
    return judge_frame(facts)[0]


def rates(rows: NDArray[np.void], used: NDArray[np.bool_]) -> dict[str, float]:
    """Share of used frames that are good, and of good frames that are used."""
    good = is_good(rows)
    both = int((good & used).sum())
    return {
        "precision": round(both / max(int(used.sum()), 1), 4),
        "recall": round(both / max(int(good.sum()), 1), 4),
        "used": round(float(used.mean()), 4),
    }


def by_failure(rows: NDArray[np.void]) -> dict[str, float]:
    """The same of one failure, with the errors of used frames and how many have no landmarks."""
    used = is_used(rows)
    errors = rows["error"][used]
    quantiles = np.percentile(errors, (50, 95)).round(2).tolist() if len(errors) else [None, None]
    found = np.isfinite(rows["error"])
    return {
        **rates(rows, used),
        "found": round(float(found.mean()), 4),
        "good_of_found": round(float(is_good(rows)[found].mean()), 4),
        "error_median_of_used": quantiles[0],
        "error_p95_of_used": quantiles[1],
    }


def known(rows: NDArray[np.void], name: str) -> NDArray[np.void]:
    """Frames that have landmarks and this measure; depth measures are of carried frames."""
    rows = rows[np.isfinite(rows["error"]) & np.isfinite(rows[name])]
    is_of_depth = name.startswith(("carry", "depth"))
    return rows[rows["is_carried"]] if is_of_depth else rows[~rows["is_carried"]]


def curve(rows: NDArray[np.void], name: str) -> list[dict[str, float]]:
    """Share of good frames in stretches of a measure, from its least to its greatest."""
    chosen = known(rows, name)
    order = np.argsort(chosen[name], kind="stable")
    return [
        {
            "from": round(float(chosen[name][part[0]]), 4),
            "to": round(float(chosen[name][part[-1]]), 4),
            "median": round(float(np.median(chosen[name][part])), 4),
            "frames": len(part),
            "good": round(float(is_good(chosen[part]).mean()), 4),
            "error_median": round(float(np.median(chosen["error"][part])), 3),
        }
        for part in np.split(order, [round(share * len(order)) for share in SHARES])
        if len(part)
    ]


def separation(rows: NDArray[np.void], name: str) -> float | None:
    """How well a measure alone tells bad frames from good: 0.5 not at all, 1 always.

    The area under the ROC curve, the larger of both directions.
    """
    chosen = known(rows, name)
    good = is_good(chosen)
    if good.all() or not good.any():
        return None
    values = chosen[name].astype(np.float64)
    ordered = np.sort(values)
    ranks = (np.searchsorted(ordered, values) + np.searchsorted(ordered, values, "right") + 1) / 2
    wins = ranks[good].sum() - good.sum() * (good.sum() + 1) / 2
    area = float(wins / (good.sum() * (~good).sum()))
    return round(max(area, 1 - area), 3)


def odds(rows: NDArray[np.void]) -> float | None:
    """Odds of a good frame where it is used over those where it has landmarks but is not."""
    found = np.isfinite(rows["error"])
    good, used = is_good(rows), is_used(rows)
    counts = [
        int((found & one & other).sum()) + 0.5 for one in (used, ~used) for other in (good, ~good)
    ]
    return round(counts[0] * counts[3] / (counts[1] * counts[2]), 1)


# The picture.


def draw(rows: NDArray[np.void], path: Path) -> None:
    """Share of good frames by each measure, and the rule by what goes wrong."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 8.6), layout="constrained")
    grid = figure.add_gridspec(3, 4)
    for place, (name, (title, limit)) in enumerate(SHOWN.items()):
        axes = figure.add_subplot(grid[divmod(place, 4)])
        draw_curve(axes, rows, name, limit)
        axes.set_title(title, fontsize=10, loc="left")
    draw_failures(figure.add_subplot(grid[2, :]), rows)
    figure.savefig(path, dpi=110)


SHOWN = {
    "agreement": ("agreement, % of eye distance", MAX_AGREEMENT),
    "score": ("score of the detector", None),
    "blur": ("sharpness", None),
    "brightness": ("brightness", None),
    "yaw": ("turned aside, degrees", MAX_YAW_DEGREES),
    "pitch": ("turned up or down, degrees", None),
    "carry_residual_mm": ("carried: residual, mm", None),
    "carry_uncertainty_mm": ("carried: uncertainty, mm", None),
}
"""Measures of the picture: title and limit of validity."""


def draw_curve(axes, rows: NDArray[np.void], name: str, limit: float | None) -> None:
    """Share of good frames over a measure, a mark at the median of each stretch."""
    points = curve(rows, name)
    middles = [point["median"] for point in points]
    axes.plot(middles, [100 * point["good"] for point in points], "o-", color="#2a7f62", ms=4)
    if limit is not None:
        axes.axvline(limit, color="#1f2933", ls="--", lw=1)
    axes.set_ylim(0, 104)
    axes.set_ylabel("good, %")
    axes.grid(color="#e4e7eb")
    axes.spines[["top", "right"]].set_visible(False)


def draw_failures(axes, rows: NDArray[np.void]) -> None:
    """What of each failure has landmarks, is used, and is good."""
    names = list(FAILURES)
    for offset, (label, ink, share) in enumerate(BARS):
        heights = [share(rows[rows["failure"] == name]) for name in names]
        places = np.arange(len(names)) + 0.26 * (offset - 1)
        axes.bar(places, heights, 0.24, color=ink, label=label)
    axes.set_xticks(range(len(names)), [name.replace(" ", "\n", 1) for name in names])
    axes.set_ylabel("% of frames")
    axes.set_ylim(0, 104)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.22), ncols=3, frameon=False)


BARS = (
    ("have landmarks", "#b8c4cf", lambda rows: 100 * np.isfinite(rows["error"]).mean()),
    (
        "of these good",
        "#2a7f62",
        lambda rows: 100 * is_good(rows[np.isfinite(rows["error"])]).mean(),
    ),
    ("of the used good", "#1b7fa8", lambda rows: 100 * is_good(rows[is_used(rows)]).mean()),
)


if __name__ == "__main__":
    main()
