"""A person's way through rating, in a real browser against a real server."""

import json

import numpy as np
import pytest
from annotated_study import Server, make_study, skip_the_way
from browsing import begin, browser_running, collected, invited, page_of, point, stamps_of

from mavfer.cli import run

FRAMES = 100
SESSIONS = ("S01-001", "S02-001")


@pytest.fixture(scope="module")
def browser():
    with browser_running() as running:
        yield running


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Films of four seconds whose frames are unevenly far apart, as those of real cameras are."""
    steps = np.random.default_rng(1).choice([33, 40, 47], FRAMES - 1) * 1_000_000
    times = np.concatenate([[0], np.cumsum(steps)])
    annotation = {"sessions": list(SESSIONS), "order": "study"}
    root = tmp_path_factory.mktemp("browser") / "study"
    return make_study(root, SESSIONS, host_ns=times, annotation=annotation)


@pytest.fixture(scope="module")
def server(study):
    running = Server(study.root).start()
    yield running
    running.stop()


@pytest.fixture
def page(browser):
    with page_of(browser) as opened:
        yield opened


def test_values_are_where_the_hand_was(page, study, server):
    begin(page, invited(study), "S01-001")
    pointed = point_for(page, until_seconds=3.0)
    page.wait_for_selector("[data-state=finished]")
    rating, path = collected(study, "valence", "S01-001")
    stamps = stamps_of(path)
    held = set(np.round(pointed, 2)) & set(np.round(rating.value, 2))

    assert rating.is_complete
    assert rating.document["dropped_frames"] == FRAMES - len({frame for _, frame in stamps})
    assert len(pointed) >= 3
    assert len(held) >= len(pointed) / 2  # a busy machine may present no frame while one is held
    assert rating.value[-1] == pytest.approx(pointed[-1], abs=0.02)


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


def test_a_revoked_rater_is_told_so(page, study, server, capsys):
    assert run(["annotate", "invite", str(study.root), "--rater", "R2", "--json"]) == 0
    skip_the_way(study, "R2")
    begin(page, json.loads(capsys.readouterr().out)["url"], "S02-001")
    assert run(["annotate", "revoke", str(study.root), "--rater", "R2"]) == 0
    page.wait_for_selector("text=Your invitation has ended")

    assert page.locator("#room").get_attribute("data-state") == "failed"


# The page's clock runs three times as fast, and its hand is at each step half a second late.
FOLLOW = """
const LAG_SECONDS = 0.5;
const repaint = globalThis.requestAnimationFrame;
const clock = performance.now.bind(performance);
performance.now = () => 3 * clock();
globalThis.requestAnimationFrame = (tell) => repaint((now) => tell(3 * now));
addEventListener("mavfer-sample", async ({ detail: { media_time: time } }) => {
  window.clip ??= fetch("/api/v1/calibration").then((answer) => answer.json());
  const { steps } = await window.clip;
  const isFollowed = (step) => step.start_seconds + LAG_SECONDS <= time;
  const step = steps.findLast(isFollowed) ?? steps[0];
  const plane = document.getElementById("plane");
  const { left, top, width, height } = plane.getBoundingClientRect();
  const place = { clientX: left + ((step.valence + 1) / 2) * width,
    clientY: top + ((1 - step.arousal) / 2) * height };
  plane.dispatchEvent(new PointerEvent("pointermove", { pointerType: "mouse", ...place }));
});
"""


def test_the_warm_up_measures_the_reaction(page, tmp_path, capsys):
    study = make_study(tmp_path / "study", ["S01-001"])
    server = Server(study.root).start()
    try:
        page.add_init_script(FOLLOW)
        begin(page, invited(study), "calibration")
        page.wait_for_selector("[data-state=finished]")
    finally:
        server.stop()
    capsys.readouterr()
    assert run(["annotate", "status", str(study.root), "--json"]) == 0
    (rater,) = json.loads(capsys.readouterr().out)["raters"]

    # Half of a step's movement, 0.1 s, is taken off the half second; a slow page adds to it.
    assert 0.35 < rater["reaction_seconds"] < 0.95
