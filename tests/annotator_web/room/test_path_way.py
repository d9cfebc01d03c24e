"""The whole way of a rater, from the invitation to the last thanks, by the keyboard alone."""

import numpy as np
import pytest
from annotated_study import make_study
from led_rater import Person
from playwright.sync_api import sync_playwright
from sqlalchemy import select

from annotator_web.app import close_app, create_app
from annotator_web.store.database import agreements, raters, steps, takes, withdrawals
from annotator_web.store.samples import names_of
from annotator_web.store.takes import samples_of

MOST_TABS = 40
TIMEOUT_MS = 60_000  # a busy machine takes its time


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
    times = np.arange(60) * 40_000_000  # long enough for a busy machine to press a key in between
    study = make_study(tmp_path / "study", ["S01-001"], host_ns=times, annotation={})
    app = create_app(study)
    yield Person(app, "R1")
    close_app(app)


def tab_to(page, selector):
    """Presses Tab until an element has the focus."""
    for _ in range(MOST_TABS):
        if page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} cannot be reached on {page.url}")


def press(page, selector, key="Enter"):
    tab_to(page, selector)
    page.keyboard.press(key)


def rows(person, table):
    with person.context.database.reading() as connection:
        return connection.execute(select(table)).all()


def rate_to_the_end(page):
    page.wait_for_selector("#start:visible")
    press(page, "#start")
    page.wait_for_selector("[data-state=playing]")
    page.keyboard.down("ArrowUp")
    page.wait_for_selector("[data-state=finished]")
    page.keyboard.up("ArrowUp")
    press(page, "#onward")


def come_in(page, invitation):
    """Consent, instructions and device check, in German."""
    page.goto(invitation)
    press(page, "main [lang=de]")
    page.wait_for_selector("text=Schön, dass Sie da sind")
    press(page, "[name=agree]", "Space")
    press(page, ".button.big")
    page.wait_for_url("**/instructions")
    press(page, ".button.big")
    page.wait_for_url("**/device")
    press(page, "#try", "ArrowRight")
    page.wait_for_selector("#go:enabled")
    press(page, "#go")
    page.wait_for_url("**/rate/S01-001")


def withdraw(page):
    """From any page's foot; the second of the two choices."""
    press(page, ".rights .stop")
    page.wait_for_url("**/withdraw")
    press(page, "[name=wish]", "Space")
    page.keyboard.press("ArrowDown")
    press(page, "[name=sure]", "Space")
    press(page, ".button.dark")
    page.wait_for_url("**/withdrawn*")


def test_the_whole_way_can_be_gone_with_the_keyboard_alone(browser, person):
    window = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    page = window.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    with person.served() as invitation:
        come_in(page, invitation)
        rate_to_the_end(page)
        page.wait_for_url("**/end")
        thanks = page.inner_text("h1")
        withdraw(page)
        page.wait_for_selector("html[data-left=nothing]")
        left = page.evaluate("indexedDB.databases()")
    window.close()
    (take,) = rows(person, takes)
    names = names_of(take.dimensions)
    with person.context.database.reading() as connection:
        given = dict(zip(names, samples_of(connection, take.id, names), strict=True))
    (checked,) = [row.details for row in rows(person, steps) if row.name == "device"]

    assert problems == []
    assert left == []
    assert thanks == "Alles geschafft. Danke!"
    assert given["arousal"].max() > 0
    assert np.ptp(given["valence"]) == 0
    assert (checked["video"] in {"good", "slow"}, checked["storage"]) == (True, "good")
    assert checked["hand"] == ["keyboard"]
    assert [row.language for row in rows(person, raters)] == ["de"]
    assert [row.language for row in rows(person, agreements)] == ["de"]
    assert [row.wish for row in rows(person, withdrawals)] == ["erase"]


def test_the_first_tab_leads_past_the_head_of_the_page(browser, person):
    page = browser.new_page()
    with person.served() as invitation:
        page.goto(invitation)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        focused = page.evaluate("document.activeElement.id")
        page.close()

    assert focused == "content"
