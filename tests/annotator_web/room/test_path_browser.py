"""A person's way through the pages, in a real browser against a real server."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from annotated_study import BITS, Server, make_study, wait_until, write_media
from playwright.sync_api import sync_playwright

from mavfer.cli import run
from mavfer.study.ratings import read_rating
from mavfer.study.study import Study

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FRAMES = 100

# Reads the number that each presented frame spells, before the page hears of the frame.
READ_NUMBERS = """
const original = HTMLVideoElement.prototype.requestVideoFrameCallback;
const canvas = new OffscreenCanvas(BITS, 1);
const drawing = canvas.getContext("2d", { willReadFrequently: true });
window.shownNumbers = [];
HTMLVideoElement.prototype.requestVideoFrameCallback = function (callback) {
  return original.call(this, (now, frame) => {
    drawing.drawImage(this, 0, 0, BITS, 1);
    const pixels = drawing.getImageData(0, 0, BITS, 1).data;
    let number = 0;
    for (let bit = 0; bit < BITS; bit += 1) if (pixels[4 * bit + 1] > 127) number |= 1 << bit;
    window.shownNumbers.push([frame.mediaTime, number]);
    callback(now, frame);
  });
};
""".replace("BITS", str(BITS))


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield running
        running.close()


@pytest.fixture
def film(tmp_path):
    """Four seconds whose frames are unevenly far apart, as those of real cameras are."""
    study = make_study(tmp_path / "study", ["S01-001"], annotation={})
    steps = np.random.default_rng(1).choice([33, 40, 47, 60], FRAMES - 1) * 1_000_000
    write_media(study, "S01-001", np.concatenate([[0], np.cumsum(steps)]))
    return study


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    opened.add_init_script(READ_NUMBERS)
    problems = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    yield opened
    context.close()
    assert problems == []


def invited(study, capsys):
    capsys.readouterr()
    assert run(["annotate", "invite", str(study.root), "--rater", "R1", "--json"]) == 0
    return json.loads(capsys.readouterr().out)["url"]


def begin(page, url):
    page.goto(url)
    page.click("a.button.big")
    page.wait_for_selector("#start:visible")
    page.click("#start")
    page.wait_for_selector("[data-state=playing]")


def point(page, x, y):
    box = page.locator("#plane").bounding_box()
    page.mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] * y, steps=4)


def point_for(page, until_seconds):
    """Points along a diagonal until so much of the film was shown; the valences pointed at."""
    pointed = []
    for x in np.tile(np.linspace(0.2, 0.8, 12), 5):
        if page.evaluate("document.querySelector('video').currentTime") > until_seconds:
            break
        point(page, x, 1 - x)
        pointed.append(2 * x - 1)
        page.wait_for_timeout(250)
    return pointed


def collected(study, dimension):
    assert run(["annotate", "collect", str(study.root)]) == 0
    (path,) = (study.ratings_folder / "S01-001").glob(f"{dimension}.R1.*.csv")
    return read_rating(path), path


def columns(path):
    lines = [line.split(",") for line in path.read_text().splitlines()[1:]]
    return [(float(time), int(frame)) for time, frame, *_ in lines]


def test_samples_carry_the_frame_that_was_on_the_screen(page, film, capsys):
    server = Server(film.root).start()
    try:
        begin(page, invited(film, capsys))
        pointed = point_for(page, until_seconds=3.0)
        page.wait_for_selector("[data-state=finished]")
        shown = dict(map(tuple, page.evaluate("window.shownNumbers")))
    finally:
        server.stop()
    rating, path = collected(film, "valence")
    stamps = columns(path)
    exact = np.mean([shown[time] == frame for time, frame in stamps])

    # How many frames a busy machine presents is its own affair; each of them has its sample.
    assert set(shown) == {time for time, _ in stamps}
    assert len(stamps) >= FRAMES / 2
    assert exact >= 0.99
    assert rating.is_complete
    assert rating.document["input"]["time_source"] == "requestVideoFrameCallback"
    assert rating.document["dropped_frames"] == FRAMES - len({frame for _, frame in stamps})
    assert len(pointed) >= 4
    held = set(np.round(pointed, 2)) & set(np.round(rating.value, 2))
    assert len(held) >= len(pointed) / 2  # a busy machine may present no frame while one is held
    assert rating.value[-1] == pytest.approx(pointed[-1], abs=0.02)


def test_nothing_is_lost_when_the_server_dies_and_the_page_is_reloaded(page, film, capsys):
    server = Server(film.root).start()
    try:
        begin(page, invited(film, capsys))
        point(page, 0.9, 0.1)
        page.wait_for_timeout(1200)
        server.kill()
        page.wait_for_selector("#saving[data-kind=kept]")
        page.wait_for_timeout(300)
        page.keyboard.press("Space")
        page.wait_for_timeout(300)
        shown = page.evaluate("window.shownNumbers")
        server.start()
        page.reload()
        page.wait_for_selector("text=Welcome back")
        page.click("#start")
        page.wait_for_selector("[data-state=finished]")
    finally:
        server.stop()
    rating, path = collected(film, "arousal")
    stamps = columns(path)
    at_rest = int(np.argmax(rating.value == 0.8))  # a busy machine shows the pointer on its way

    # What the page saw last may still have been on its way into the browser's storage.
    assert {time for time, _ in shown[1:-8]} <= {time for time, _ in stamps}
    assert max(frame for _, frame in stamps) >= FRAMES - 3
    assert rating.is_complete
    assert set(rating.value[at_rest:-5]) == {0.8}
    assert stamps[at_rest][0] < shown[-1][0]


def test_the_way_can_be_gone_with_the_keyboard_alone_on_a_phone_sized_page(browser, film, capsys):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    server = Server(film.root).start()
    try:
        page.goto(invited(film, capsys))
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_selector("#start:visible")
        page.keyboard.press("Enter")
        page.wait_for_selector("[data-state=playing]")
        page.keyboard.down("ArrowUp")
        page.wait_for_timeout(1500)
        page.keyboard.up("ArrowUp")
        page.keyboard.press("Space")
        paused = page.locator("#room").get_attribute("data-state")
        page.keyboard.press("Space")
        page.wait_for_selector("[data-state=finished]")
        is_wider = page.evaluate("document.documentElement.scrollWidth > innerWidth")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=All done")
    finally:
        server.stop()
        context.close()
    arousal, _ = collected(film, "arousal")
    valence, _ = collected(film, "valence")

    assert paused == "paused"
    assert not is_wider
    assert arousal.value[-1] == 1
    assert set(valence.value) == {0}


def test_a_revoked_rater_is_told_so(page, film, capsys):
    server = Server(film.root).start()
    try:
        begin(page, invited(film, capsys))
        assert run(["annotate", "revoke", str(film.root), "--rater", "R1"]) == 0
        page.wait_for_selector("text=Your invitation has ended")
        state = page.locator("#room").get_attribute("data-state")
    finally:
        server.stop()

    assert state == "failed"


def test_the_warm_up_comes_first_and_measures_the_reaction(page, tmp_path, capsys):
    study = Study.open(Path(make_study(tmp_path / "study", ["S01-001"]).root))
    server = Server(study.root).start()
    try:
        page.goto(invited(study, capsys))
        is_locked = page.locator(".card.locked").count() == 1
        page.goto(f"{server.url}/rate/S01-001")
        wait_until(lambda: page.url.endswith("/rate/calibration"))
        page.wait_for_selector("#start:visible")
        clip = page.evaluate("fetch('/api/v1/calibration').then((answer) => answer.json())")
        page.click("#start")
        follow(page, clip, lag_seconds=0.5)
        page.wait_for_selector("[data-state=finished]")
    finally:
        server.stop()
    capsys.readouterr()
    assert run(["annotate", "status", str(study.root), "--json"]) == 0
    (rater,) = json.loads(capsys.readouterr().out)["raters"]

    assert is_locked
    assert rater["reaction_seconds"] == pytest.approx(0.6, abs=0.2)


def follow(page, clip, lag_seconds):
    """Points at each step of the clip, some time after it was shown."""
    for step in clip["steps"][1:]:
        due = step["start_seconds"] + lag_seconds
        page.wait_for_function(
            "due => document.getElementById('progress').value * 18 >= due", arg=due, polling=20
        )
        point(page, (step["valence"] + 1) / 2, (1 - step["arousal"]) / 2)
