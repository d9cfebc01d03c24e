"""Every page in each of its states, looked at by axe-core in two languages and sizes."""

import numpy as np
import pytest
from annotated_study import make_study
from axe_playwright_python.base import AXE_SCRIPT
from led_rater import Person, write_expert
from playwright.sync_api import sync_playwright

from annotator_web.app import close_app, create_app

SIZES = [(1280, 800), (390, 844)]
TIMEOUT_MS = 60_000  # a busy machine takes its time
OF_THE_LAYOUT = ["color-contrast", "target-size", "scrollable-region-focusable"]
WEIGHTY = {"serious", "critical"}
TIMES = np.arange(25) / 25
EXPERT = {"arousal": 0.5 * np.sin(6 * TIMES), "valence": 0.6 * np.cos(7 * TIMES)}
FLIPPED = {name: -trace for name, trace in EXPERT.items()}


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        yield running
        running.close()


@pytest.fixture
def person(tmp_path):
    study = make_study(
        tmp_path / "study",
        ["S01-001", "P01-001"],
        annotation={
            "contact": "Jane Roe, a@b.example",
            "practice": {"session": "P01-001", "label": "expert", "pass_ccc": 0.8},
            "input": ["pointer", "touch", "keyboard", "gamepad"],
        },
    )
    write_expert(study, "P01-001", TIMES, EXPERT)
    app = create_app(study)
    yield Person(app, "R1")
    close_app(app)


class Look:
    """Walks through the pages and keeps what axe-core finds."""

    def __init__(self, page, url):
        self.page, self.url = page, url
        self.seen, self.found = [], []

    def at(self, state, path=None):
        """Looks at the page as it is, or at another one, in both sizes."""
        page = self.page
        if path is not None:
            page.goto(self.url + path)
        self.seen.append(state)
        page.evaluate(AXE_SCRIPT)
        for (width, height), rules in zip(SIZES, (None, OF_THE_LAYOUT), strict=True):
            page.set_viewport_size({"width": width, "height": height})
            results = page.evaluate(
                "only => axe.run({ resultTypes: ['violations'], ...(only && { runOnly: only }) })",
                rules,
            )
            self.found += [
                (state, width, each["id"], node["html"][:200])
                for each in results["violations"]
                if each["impact"] in WEIGHTY
                for node in each["nodes"]
            ]
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                self.found.append((state, width, "wider than the window", ""))


def before_the_faces(look, person):
    page = look.page
    look.at("no invitation", "/")
    look.at("consent", f"/invitation/{person.token}")
    page.evaluate("document.querySelector('.decide').submit()")
    page.wait_for_selector("[role=alert]")
    look.at("consent not ticked")
    page.check("[name=agree]")
    page.click(".button.big")
    page.wait_for_url("**/instructions")
    page.wait_for_selector("svg.figure circle")
    look.at("instructions")
    page.click(".button.big")
    page.wait_for_selector("#go:enabled")
    look.at("device")
    page.click("#go")
    page.wait_for_url("**/practice")
    look.at("practice")
    person.give("P01-001", TIMES, FLIPPED)
    look.at("practice failed", "/practice")
    person.give("P01-001", TIMES, EXPERT)
    look.at("practice passed", "/practice")
    page.click(".button.big")


def in_the_room(look):
    page = look.page
    page.wait_for_selector("#start:visible")
    look.at("room ready")
    page.click("#ask")
    page.wait_for_selector("#help[open]")
    look.at("room help")
    page.keyboard.press("Escape")
    page.click("#start")
    page.wait_for_selector("[data-state=finished]")
    look.at("room finished")


def after_the_faces(look):
    page = look.page
    for state, path in (
        ("break", "/break"),
        ("end", "/end"),
        ("list done", "/"),
        ("not found", "/nowhere"),
        ("withdraw", "/withdraw"),
    ):
        look.at(state, path)
    page.check("[value=erase]")
    page.check("[name=sure]")
    page.click(".button.dark")
    page.wait_for_url("**/withdrawn*")
    look.at("withdrawn")
    look.at("stopped", "/")


@pytest.mark.parametrize("language", ["ar", pytest.param("en", marks=pytest.mark.soak)])
def test_no_page_shuts_anybody_out(browser, person, language):
    window = browser.new_context(locale=language, reduced_motion="reduce")
    page = window.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    with person.served() as invitation:
        url = invitation.partition("/invitation/")[0]
        look = Look(page, url)
        before_the_faces(look, person)
        look.at("list", "/")
        page.goto(f"{url}/rate/S01-001")
        in_the_room(look)
        after_the_faces(look)
        direction = page.evaluate("document.documentElement.dir")
    window.close()

    assert look.found == []
    assert direction == {"en": "ltr", "ar": "rtl"}[language]
    assert len(look.seen) == 19
