"""Playing, pausing, going back to rate a stretch again, the sound, and coming back."""

import json

import numpy as np
import pytest
from browsing import browser_running
from rating_room import frames, made_film, place, play_to, point_at, room_of, state_of

from annotator_web.store import takes


@pytest.fixture(scope="module")
def browser():
    with browser_running() as running:
        yield running


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return made_film(tmp_path_factory.mktemp("room"), seconds=3)


def reached(page):
    """Seconds at which the film stands."""
    return page.evaluate("document.querySelector('video').currentTime")


def go_to_end_of_line(page):
    box = page.locator("#timeline").bounding_box()
    page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)


def test_a_stretch_is_rated_again_and_every_pass_is_kept(browser, made, tmp_path):
    with room_of(browser, made, tmp_path) as page:
        play_to(page, 1.0)
        first = page.evaluate("window.given.length")
        page.keyboard.press("j")
        page.wait_for_function("() => document.querySelector('video').currentTime < 0.1")
        point_at(page, 0.5, 0.5)
        page.keyboard.press("Space")
        page.wait_for_selector("[data-state=finished]")
        given = page.evaluate("window.given.map(one => [one.media_time, one.valence])")
        with page.annotator.database.reading() as connection:
            (take,) = takes.find_takes(connection, 1, "S01-001")
            kept = takes.samples_of(connection, take.id, _names(take))
    times, valence = np.array(given).T
    again = times[first:]

    assert again[0] < 0.1
    assert again[-1] > 2.8
    assert np.all(np.diff(again) > 0)
    assert valence[first] == pytest.approx(0.5, abs=0.02)
    assert kept[0].tolist() == times.tolist()
    assert take.samples == len(given)


def _names(take):
    return ("media_time", "frame", "clock_ms", *take.dimensions, "flags")


def test_nothing_leads_further_than_what_was_rated(browser, made, tmp_path):
    with room_of(browser, made, tmp_path) as page:
        play_to(page, 0.8)
        last = page.evaluate("window.given.at(-1).media_time")
        line = page.locator("#timeline")
        line.focus()
        page.keyboard.press("Home")
        page.wait_for_function("() => document.querySelector('video').currentTime < 0.1")
        page.keyboard.press("End")
        page.wait_for_function("() => document.querySelector('video').currentTime > 0.5")
        at_end = reached(page)
        go_to_end_of_line(page)
        frames(page, 20)
        clicked = reached(page)
        face = place(page)
        ends = [line.get_attribute(f"aria-value{end}") for end in ("min", "max")]

    assert at_end == pytest.approx(last, abs=0.05)
    assert clicked == pytest.approx(last, abs=0.05)
    assert face == pytest.approx([0, 0], abs=0.01)  # the line's arrows are not the face's
    assert ends == ["0", "3"]


def test_without_rewinding_there_is_no_way_back(browser, made, tmp_path):
    with room_of(browser, made, tmp_path, rewind=False) as page:
        play_to(page, 0.8)
        before = reached(page)
        page.keyboard.press("j")
        go_to_end_of_line(page)
        frames(page, 10)
        after = reached(page)
        sliders = page.get_by_role("slider").count()
        is_back_shown = page.locator("#back").is_visible()

    assert after == before
    assert sliders == 1
    assert not is_back_shown


def test_a_reloaded_page_goes_on_at_the_place_with_the_hand_where_it_was(browser, made, tmp_path):
    with room_of(browser, made, tmp_path) as page:
        point_at(page, -0.6, 0.4)
        play_to(page, 0.8)
        last = page.evaluate("window.given.at(-1).media_time")
        page.reload()
        page.wait_for_selector("text=Welcome back")
        found = place(page)
        at = reached(page)
        page.click("#start")
        page.wait_for_selector("[data-state=finished]")
        next_time = page.evaluate("window.given[0].media_time")

    assert found == pytest.approx([-0.6, 0.4], abs=0.02)
    assert at == pytest.approx(last, abs=0.05)
    assert next_time > last


def test_help_opens_by_its_key_pauses_and_gives_the_keyboard_back(browser, made, tmp_path):
    with room_of(browser, made, tmp_path) as page:
        page.keyboard.press("Space")
        page.wait_for_selector("[data-state=playing]")
        page.keyboard.press("?")
        page.wait_for_selector("#help[open]")
        state = state_of(page)
        rows = page.locator("#help-rows dt").count()
        page.keyboard.press("Space")  # presses the button that has the focus: Close
        page.wait_for_selector("#help:not([open])", state="attached")
        page.keyboard.press("Space")
        page.wait_for_selector("[data-state=playing]")

    assert state == "paused"
    assert rows >= 10


@pytest.mark.parametrize("has_audio", [True, False])
def test_the_sound_can_be_set_where_there_is_one_and_is_remembered(
    browser, made, tmp_path, has_audio
):
    study = made
    if has_audio:
        study = made_film(tmp_path / "loud", seconds=1)
        table = study.media_table_path("S01-001")
        table.write_text(json.dumps({**json.loads(table.read_text()), "has_audio": True}))
    with room_of(browser, study, tmp_path) as page:
        is_shown = page.locator("#sound").is_visible()
        page.keyboard.press("m")
        page.keyboard.press("-")
        page.keyboard.press("m")
        page.reload()
        page.wait_for_selector("#start:visible")
        sound = page.evaluate(
            "(({ muted, volume }) => [muted, volume])(document.querySelector('video'))"
        )

    assert is_shown == has_audio
    assert sound == ([True, pytest.approx(0.9)] if has_audio else [False, 1])
