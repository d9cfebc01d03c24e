"""How late the face and its trace are painted after the hand moved, and what holds them up.

A real Chromium rates a film with the live trace while the mouse circles on the plane: a move every
60th of a second by the browser's own input, stamped where it came in. A move counts as painted when
the frame in which the face and the trace were drawn for it has been rendered (a task queued behind
it runs); `to_next_frame` waits for the frame after that one, which no painting is later than. Long
tasks are those of 50 ms and more that the browser itself tells of.

    python benchmarks/annotator_room.py [--quick] [--seconds 30]

Needs Playwright (`pip install 'mavfer[dev]'`) and a Chromium that plays H.264.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from pathlib import Path

import numpy as np
from peers.rated_film import ARGUMENTS, CHROMIUM, Server, begin, make_study, tokens_of
from playwright.sync_api import sync_playwright

from mavfer.files import read_json, write_json
from mavfer.study.study import Study, software_versions

SESSION = "S01-001"
FILM_RATE_HZ = 30
MOVES_HZ = 60
NANOSECONDS = 1_000_000_000
PATIENCE_SECONDS = 60
TARGET_MS = 50
SETTLING_SECONDS = 1.0

# Every move with its stamp, and when the frame that shows it had been rendered; long tasks.
WATCH = """
window.waits = { painted: [], next: [] };
window.longTasks = [];
window.frameTimes = [];
let moves = [];
addEventListener("pointermove", (event) => moves.push(event.timeStamp), { capture: true });
const channel = new MessageChannel();
const rendered = [];
channel.port1.onmessage = () => {
  const now = performance.now();
  for (const stamp of rendered.shift()) waits.painted.push(now - stamp);
};
const frame = (now) => {
  frameTimes.push(now);
  // The page's own frame runs before or after this one, in the same frame in any case.
  if (moves.length) {
    const shown = moves;
    moves = [];
    rendered.push(shown);
    channel.port2.postMessage(null);
    requestAnimationFrame(() => {
      for (const stamp of shown) waits.next.push(performance.now() - stamp);
    });
  }
  requestAnimationFrame(frame);
};
requestAnimationFrame(frame);
new PerformanceObserver((list) => {
  for (const { startTime, duration } of list.getEntries()) longTasks.push([startTime, duration]);
}).observe({ type: "longtask", buffered: true });
"""


def make_film(folder: Path, seconds: float) -> Study:
    """A study of one film that is rated with the live trace."""
    times = np.rint(np.arange(round(seconds * FILM_RATE_HZ)) * NANOSECONDS / FILM_RATE_HZ)
    study = make_study(folder / "study", {SESSION: times.astype(np.int64)})
    path = study.root / "annotation.json"
    write_json(path, {**read_json(path), "feedback": "trace"})
    return study


def circle(page, seconds: float) -> None:
    """Moves the mouse on the plane by its own clock, through the browser's input."""
    box = page.locator("#plane").bounding_box()
    devtools = page.context.new_cdp_session(page)
    begun = time.perf_counter()
    for move in range(round(seconds * MOVES_HZ)):
        time.sleep(max(0.0, begun + move / MOVES_HZ - time.perf_counter()))
        if time.perf_counter() - begun > seconds:
            break
        angle = 2 * math.pi * move / MOVES_HZ / 3
        x = box["x"] + box["width"] * (0.5 + 0.4 * math.cos(angle))
        y = box["y"] + box["height"] * (0.5 + 0.4 * math.sin(1.3 * angle))
        devtools.send("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})


def rate(page, seconds: float) -> dict:
    """The film rated to its end: waits in ms, long tasks in ms, and times of the frames."""
    begun = page.evaluate("performance.now()")
    circle(page, seconds - SETTLING_SECONDS)
    ended = page.evaluate("performance.now()")
    page.wait_for_selector("[data-state=finished]", timeout=1000 * (seconds + PATIENCE_SECONDS))
    told = page.evaluate("({ ...waits, tasks: longTasks, frames: frameTimes })")
    return {
        "painted": np.array(told["painted"]),
        "next": np.array(told["next"]),
        "tasks": [length for at, length in told["tasks"] if begun <= at <= ended],
        "frames": np.array([at for at in told["frames"] if begun <= at <= ended]),
    }


def run(seconds: float) -> tuple[dict, str]:
    """One film rated; what was measured, and the browser's version."""
    with tempfile.TemporaryDirectory(prefix="annotator-room-") as folder, sync_playwright() as play:
        study = make_film(Path(folder), seconds)
        (token,) = tokens_of(study, ["R1"]).values()
        server = Server(study)
        server.start()
        browser = play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
            page.add_init_script(WATCH)
            begin(page, server.url, token, SESSION)
            return rate(page, seconds), browser.version
        finally:
            browser.close()
            server.stop()


def values_of(found: dict) -> dict[str, float]:
    """Waits of all moves, long tasks, and how even the frames came."""
    values: dict[str, float] = {"moves": len(found["painted"])}
    for name, key in (("to_painted", "painted"), ("to_next_frame", "next")):
        for share in (50, 95, 99):
            values[f"{name}_p{share}_ms"] = float(np.percentile(found[key], share))
    values["long_tasks"] = len(found["tasks"])
    values["longest_task_ms"] = max(found["tasks"], default=0.0)
    values["frames_per_second"] = float(1000 / np.mean(np.diff(found["frames"])))
    return values


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="5 seconds")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of the film")
    options = parser.parse_args()
    found, chromium = run(5.0 if options.quick else options.seconds)
    values = values_of(found)
    result = {
        "benchmark": "annotator_room",
        "ratios": {"target_to_painted_p95": TARGET_MS / values["to_painted_p95_ms"]},
        "values": values,
    }
    versions = {**software_versions("playwright", "numpy"), "chromium": chromium}
    print(json.dumps({**result, "versions": versions}))


if __name__ == "__main__":
    main()
