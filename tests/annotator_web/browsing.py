"""A real browser on our pages, and what it really showed."""

import json
import shutil
from contextlib import contextmanager, redirect_stdout
from io import StringIO

from annotated_study import BITS, skip_the_way
from playwright.sync_api import sync_playwright

from mavfer.cli import run
from mavfer.study.ratings import read_rating

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu"]

# Reads the number in the pixels of every picture that the page stamps, from that very picture:
# window.stamped holds [microseconds, number]. What the page adds is told as window.added, with its
# own clock.
READ_PICTURES = """
const canvas = new OffscreenCanvas(BITS, 1);
const drawing = canvas.getContext("2d", { willReadFrequently: true });
const Picture = globalThis.VideoFrame;
let last = null;
window.stamped = [];
window.added = [];
globalThis.VideoFrame = class VideoFrame extends Picture {
  constructor(...options) {
    super(...options);
    if (this.timestamp === last) return;
    last = this.timestamp;
    drawing.drawImage(this, 0, 0, BITS, 1);
    const pixels = drawing.getImageData(0, 0, BITS, 1).data;
    let number = 0;
    for (let bit = 0; bit < BITS; bit += 1) if (pixels[4 * bit + 1] > 127) number |= 1 << bit;
    window.stamped.push([last, number]);
  }
};
addEventListener("mavfer-sample", ({ detail: { media_time, frame } }) => {
  window.added.push([media_time, frame]);
});
""".replace("BITS", str(BITS))


@contextmanager
def browser_running():
    """Hands out a Chromium."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        running.close()


@contextmanager
def page_of(browser, *, size=(1280, 800)):
    """Hands out a page that tells what it stamped; fails where its scripts failed."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    page = context.new_page()
    page.add_init_script(READ_PICTURES)
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    context.close()
    assert problems == []


def invited(study, *, to_the_sessions=True):
    """The link of rater R1, who was told everything before the sessions unless asked otherwise."""
    told = StringIO()
    with redirect_stdout(told):
        assert run(["annotate", "invite", str(study.root), "--rater", "R1", "--json"]) == 0
    if to_the_sessions:
        skip_the_way(study, "R1")
    return json.loads(told.getvalue())["url"]


def begin(page, url, session="S01-001"):
    """Opens the invitation, then a session, and starts it."""
    page.goto(url)
    page.goto(f"{url.split('/invitation')[0]}/rate/{session}")
    page.wait_for_selector("#start:visible")
    page.click("#start")
    page.wait_for_selector("[data-state=playing]")


def point(page, x, y):
    """Points at a place on the plane, from 0, 0 at its upper left to 1, 1."""
    box = page.locator("#plane").bounding_box()
    page.mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] * y, steps=4)


def collected(study, dimension, session="S01-001", *, incomplete=False):
    """The one rating of R1 that was collected, and its file."""
    command = ["annotate", "collect", str(study.root), *(["--incomplete"] if incomplete else [])]
    assert run(command) == 0
    (path,) = (study.ratings_folder / session).glob(f"{dimension}.R1.*.csv")
    return read_rating(path), path


def stamps_of(path):
    """Media time and frame of every sample of a rating's file, in order."""
    lines = [line.split(",") for line in path.read_text().splitlines()[1:]]
    return [(float(time), int(frame)) for time, frame, *_ in lines]
