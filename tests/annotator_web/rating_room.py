"""The rating room in a real browser: opened on a study of its own, and what is seen of the hand."""

import shutil
import threading
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
from annotated_study import ANNOTATION, make_study, skip_the_way
from werkzeug.serving import make_server

from annotator_web.app import close_app, create_app
from annotator_web.desk.raters import invite
from mavfer.files import write_json
from mavfer.study.study import Study

EVERY_INPUT = ["pointer", "touch", "keyboard", "wheel", "joystick", "gamepad"]

# Every sample that the page adds, as it is sent.
COLLECT = """
window.given = [];
addEventListener("mavfer-sample", ({ detail }) => window.given.push(detail));
"""

# A pad that a test moves: window.pad.axes and window.pad.buttons.
FAKE_PAD = """
window.pad = { id: "Test pad", index: 0, connected: true, mapping: "standard",
  axes: [0.02, -0.01, 0, 0], buttons: [{ pressed: false, value: 0 }], timestamp: 0 };
navigator.getGamepads = () => [window.pad];
"""


def made_film(root, seconds):
    """A study of one session, S01-001, with a film of 25 frames a second."""
    return make_study(
        root / "made", ["S01-001"], host_ns=np.arange(round(25 * seconds)) * 40_000_000
    )


@contextmanager
def serving(app):
    """Serves an application of this process; hands out its URL."""

    def whole(environ, start_response):
        """Answers in one piece: werkzeug leaves files open where a browser goes away midway."""
        with closing(app(environ, start_response)) as parts:
            return [b"".join(parts)]

    server = make_server("127.0.0.1", 0, whole, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def room_of(browser, made, folder, *, session="S01-001", script="", options=None, **annotation):
    """Hands out the page of a session that is ready to be rated, on a copy of a study.

    `options` are those of the browser's context, `script` runs before the page's own, and
    `annotation` is the study's rating project. The page's `context` is the annotator's.
    """
    study = Study.open(Path(shutil.copytree(made.root, folder / "study")))
    sessions = study.sessions()
    asked = {"sessions": sessions, "input": EVERY_INPUT, "order": "study", **annotation}
    write_json(study.root / "annotation.json", {**ANNOTATION, **asked})
    app = create_app(study)
    known = app.extensions["mavfer-context"]
    token = invite(known.database, known.project, "R1")
    skip_the_way(study, "R1")
    problems = []
    with serving(app) as url:
        options = {"viewport": {"width": 1280, "height": 800}, **(options or {})}
        window = browser.new_context(**options)
        page = window.new_page()
        page.add_init_script(COLLECT + script)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"{url}/invitation/{token}")
        page.goto(f"{url}/rate/{session}")
        page.wait_for_selector("#start:visible")
        page.annotator = known
        yield page
        window.close()
    close_app(app)
    assert problems == []


def frames(page, count=3):
    """Waits until so many frames were painted."""
    page.evaluate(
        """count => new Promise(done => {
             const step = () => (count-- > 0 ? requestAnimationFrame(step) : done());
             step();
           })""",
        count,
    )


def place(page):
    """Where the face is drawn, in shares of the plane or slider, right and up positive."""
    frames(page)
    return page.evaluate(
        """() => {
             const face = document.querySelector("#puck").getBoundingClientRect();
             const box = document.querySelector("#plane").getBoundingClientRect();
             const middle = ({ x, y, width, height }) => [x + width / 2, y + height / 2];
             const [[x, y], [left, top]] = [middle(face), middle(box)];
             return [(2 * (x - left)) / box.width, (2 * (top - y)) / box.height];
           }"""
    )


def point_at(page, x, y):
    """Moves the mouse to a place of the plane, -1 to 1, right and up positive."""
    box = page.locator("#plane").bounding_box()
    page.mouse.move(
        box["x"] + box["width"] * (x + 1) / 2, box["y"] + box["height"] * (1 - y) / 2, steps=3
    )


def play_to(page, seconds):
    """Plays; the page pauses itself at the first sample of at least so many seconds."""
    page.evaluate(
        """seconds => {
             const listener = ({ detail }) => {
               if (detail.media_time < seconds) return;
               removeEventListener("mavfer-sample", listener);
               setTimeout(() => dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" })));
             };
             addEventListener("mavfer-sample", listener);
           }""",
        seconds,
    )
    page.keyboard.press("Space")
    page.wait_for_selector("[data-state=paused]")


def state_of(page):
    """The state that the room is in."""
    return page.locator("#room").get_attribute("data-state")


def hand(page, script):
    """What a function of static/hand.js and two ordinary axes gives."""
    return page.evaluate(
        f"""async () => {{
             const hand = await import("/static/hand.js");
             const named = (name) => ({{ name, low: -1, high: 1 }});
             return ({script})(hand, hand.axesOf(["arousal", "valence"].map(named)));
           }}"""
    )
