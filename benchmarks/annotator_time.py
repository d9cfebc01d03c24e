"""Whether samples are on the frame that was on the screen: films whose pixels spell their number.

A real Chromium rates films of 25, 29.97, 30 and 60 frames a second and one of a variable rate, from
the real server and on the real page; alone, and beside two busy processes. On the same page and in
the same moments the ways of the field are judged by the same pixels.

    python benchmarks/annotator_time.py [--quick] [--seconds 30]

Needs Playwright (`pip install 'mavfer[dev]'`) and a Chromium that plays H.264.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from peers.rated_film import ARGUMENTS, BITS, CHROMIUM, Server, begin, make_study, tokens_of
from peers.stamping import JUDGE, PEERS
from playwright.sync_api import sync_playwright

from mavfer.study.study import software_versions

RATES = {"25": 25.0, "29.97": 30_000 / 1001, "30": 30.0, "60": 60.0}
VARIABLE_MS = (17, 33, 40, 47, 60)
CONDITIONS = ("idle", "busy")
BUSY_PROCESSES = 2
NANOSECONDS = 1_000_000_000
PATIENCE_SECONDS = 60


def films_of(seconds: float, kinds: list[str]) -> dict[str, tuple[str, np.ndarray]]:
    """Session to the kind of film and the nanoseconds at which its frames are shown."""
    times = {kind: _times(kind, seconds) for kind in kinds}
    return {f"S{n:02d}-001": (kind, times[kind]) for n, kind in enumerate(kinds, start=1)}


def _times(kind: str, seconds: float) -> np.ndarray:
    if kind in RATES:
        frames = np.arange(round(seconds * RATES[kind]))
        return np.rint(frames * NANOSECONDS / RATES[kind]).astype(np.int64)
    steps = np.random.default_rng(0).choice(VARIABLE_MS, 60 * round(seconds))
    times = np.concatenate([[0], np.cumsum(steps)]) * 1_000_000
    return times[times < seconds * NANOSECONDS]


@contextmanager
def beside(condition: str):
    """Two processes that keep two cores busy, or nothing."""
    count = BUSY_PROCESSES if condition == "busy" else 0
    processes = [multiprocessing.Process(target=_spin, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def _spin():
    while True:
        pass


def rate(browser, server: Server, token: str, session: str, host_ns: np.ndarray) -> dict:
    """One film rated to its end: right and all of each way, and the frames that got a sample."""
    seconds = (host_ns[-1] - host_ns[0]) / NANOSECONDS
    with browser.new_context(viewport={"width": 1280, "height": 800}) as context:
        page = context.new_page()
        page.add_init_script(f"window.nominalFps = {(len(host_ns) - 1) / seconds};")
        page.add_init_script(JUDGE.replace("BITS", str(BITS)))
        begin(page, server.url, token, session)
        patience = 1000 * (seconds + PATIENCE_SECONDS)
        page.wait_for_selector("[data-state=finished]", timeout=patience)
        counts, frames = page.evaluate("[window.counts, window.frames]")
    return {"counts": counts, "frames": len(set(frames)), "of": len(host_ns)}


def run(seconds: float, kinds: list[str]) -> tuple[dict, str]:
    """Every film under every condition; what was counted, and the browser's version."""
    found = {}
    films = films_of(seconds, kinds)
    with tempfile.TemporaryDirectory(prefix="annotator-time-") as folder, sync_playwright() as play:
        study = make_study(Path(folder) / "study", {s: times for s, (_, times) in films.items()})
        tokens = tokens_of(study, list(CONDITIONS))
        server = Server(study)
        server.start()
        browser = play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            for condition in CONDITIONS:
                with beside(condition):
                    for session, (kind, times) in films.items():
                        rated = rate(browser, server, tokens[condition], session, times)
                        found[condition, kind] = rated
            return found, browser.version
        finally:
            browser.close()
            server.stop()


def values_of(found: dict) -> dict[str, float]:
    """Shares by film and over all films."""
    values = {}
    for condition in CONDITIONS:
        rated = {kind: one for (at, kind), one in found.items() if at == condition}
        for kind, one in rated.items():
            values[f"{condition}_{kind}_exact"] = _share(one["counts"]["ours"])
            values[f"{condition}_{kind}_frames_with_a_sample"] = one["frames"] / one["of"]
        for way in ("ours", "ours_on_screen", *PEERS):
            right, of = _summed(rated, way)
            values[f"{condition}_{way}_exact"] = right / of
            values[f"{condition}_{way}_samples"] = of
        values[f"{condition}_worst_exact"] = min(
            _share(one["counts"]["ours"]) for one in rated.values()
        )
        values[f"{condition}_frames_with_a_sample"] = sum(
            one["frames"] for one in rated.values()
        ) / sum(one["of"] for one in rated.values())
    return values


def _summed(rated: dict, way: str) -> tuple[int, int]:
    counts = [one["counts"].get(way, (0, 0)) for one in rated.values()]
    return sum(right for right, _ in counts), max(1, sum(of for _, of in counts))


def _share(count: list[int]) -> float:
    return count[0] / count[1]


def ratios_of(values: dict[str, float]) -> dict[str, float]:
    """Wrong share of the others over ours, which counts as one wrong sample at least."""
    ratios = {}
    for condition in CONDITIONS:
        least = 1 / values[f"{condition}_ours_samples"]
        own = max(1 - values[f"{condition}_ours_on_screen_exact"], least)
        for way in PEERS:
            ratios[f"{condition}_wrong_{way}"] = (1 - values[f"{condition}_{way}_exact"]) / own
    return ratios


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two films of 4 s")
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    seconds, kinds = options.seconds, [*RATES, "variable"]
    if options.quick:
        seconds, kinds = 4, ["30", "variable"]
    found, chromium = run(seconds, kinds)
    values = values_of(found)
    result = {"benchmark": "annotator_time", "ratios": ratios_of(values), "values": values}
    versions = {**software_versions("flask", "waitress", "playwright"), "chromium": chromium}
    print(json.dumps({**result, "versions": versions}))


if __name__ == "__main__":
    main()
