"""What moves the face: mouse, finger, keys, wheel, stick, each as far as the project allows it."""

import math

import pytest
from browsing import browser_running
from rating_room import FAKE_PAD, frames, made_film, place, play_to, point_at, room_of, state_of

from annotator_web.store import takes

HAND_OFF = 16


@pytest.fixture(scope="module")
def browser():
    with browser_running() as running:
        yield running


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return made_film(tmp_path_factory.mktemp("room"), seconds=2)


@pytest.fixture(scope="module")
def page(browser, made, tmp_path_factory):
    """A room with a plane, a touch screen and a gamepad, that nobody has begun to rate in."""
    folder = tmp_path_factory.mktemp("plane")
    with room_of(browser, made, folder, script=FAKE_PAD, options={"has_touch": True}) as opened:
        yield opened


def stick(page, across, down):
    page.evaluate("axes => { window.pad.axes = [...axes, 0, 0]; }", [across, down])
    frames(page)


def centre(page):
    page.keyboard.press("Home")
    assert place(page) == pytest.approx([0, 0], abs=0.01)


def test_a_finger_moves_the_face(page):
    centre(page)
    box = page.locator("#plane").bounding_box()
    touch = page.context.new_cdp_session(page)
    for share in (0.5, 0.7, 0.9):
        at = {"x": box["x"] + box["width"] * share, "y": box["y"] + box["height"] * 0.25}
        kind = "touchStart" if share == 0.5 else "touchMove"
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [at]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    assert place(page) == pytest.approx([0.8, 0.5], abs=0.02)


def test_the_wheel_moves_upward_and_with_shift_across(page):
    centre(page)
    page.mouse.move(640, 30)
    page.mouse.wheel(0, -800)
    page.wait_for_function(
        "() => !document.querySelector('#puck').style.transform.includes(', 0.00px')"
    )
    upward = place(page)
    page.keyboard.down("Shift")
    page.mouse.wheel(0, 400)
    page.wait_for_function(
        "() => !document.querySelector('#puck').style.transform.includes('(0.00px')"
    )
    across = place(page)
    page.keyboard.up("Shift")

    assert upward == pytest.approx([0, 0.4], abs=0.02)
    assert [abs(across[0]), across[1]] == pytest.approx([0.2, 0.4], abs=0.02)


def test_a_gamepad_is_set_up_once_and_then_moves_the_face(page):
    page.click("#pads")
    page.click("#setup-next")
    page.wait_for_function(
        "() => document.querySelector('#setup-text').textContent.includes('rim')"
    )
    for step in range(26):
        angle = 2 * math.pi * step / 24
        stick(page, 0.02 + 0.7 * math.cos(angle), -0.01 + 0.7 * math.sin(angle))
    page.click("#setup-next")
    page.click("#setup-next")
    stick(page, 0.02, -0.71)
    upward = place(page)
    stick(page, 0.05, -0.03)
    home = place(page)
    kept = page.evaluate("JSON.parse(localStorage['mavfer-gamepad-Test pad'])")

    assert upward == pytest.approx([0, 1], abs=0.02)
    assert home == pytest.approx([0, 0], abs=0.02)
    assert kept["centre"] == pytest.approx([0.02, -0.01], abs=0.001)
    assert 0.05 <= kept["dead_zone"] <= 0.1


def test_a_stick_that_nobody_touches_leaves_the_face_to_the_mouse(page):
    centre(page)
    point_at(page, -0.5, 0.5)

    assert place(page) == pytest.approx([-0.5, 0.5], abs=0.02)


def test_samples_say_where_the_mouse_was_and_when_it_was_gone(page):
    point_at(page, 0.8, -0.6)
    play_to(page, 0.4)
    before = page.evaluate("window.given")
    page.mouse.move(640, 30)
    page.evaluate("window.pad.buttons[0].pressed = true")  # plays, as its first button does
    page.wait_for_selector("[data-state=finished]")
    after = page.evaluate("window.given")[len(before) :]
    is_on_next = page.evaluate("document.activeElement.id")
    with page.annotator.database.reading() as connection:
        (take,) = takes.find_takes(connection, 1, "S01-001")
    values = [(one["valence"], one["arousal"]) for one in before + after]

    assert {one["flags"] for one in before} == {0}
    assert {one["flags"] for one in after} == {HAND_OFF}
    assert set(values) == {values[0]}
    assert values[0] == pytest.approx((0.8, -0.6), abs=0.02)
    assert is_on_next == "onward"
    assert take.is_finished
    assert "pointer" in take.client["devices_used"]
    assert take.client["gamepad"]["id"] == "Test pad"


def test_keys_move_a_slider_by_holding_and_by_jumping(browser, made, tmp_path):
    with room_of(browser, made, tmp_path, dimensions=["arousal"]) as page:
        places = {}
        for key in ("9", "2", "Home"):
            page.keyboard.press(key)
            places[key] = place(page)[1]
        page.keyboard.down("ArrowUp")
        page.wait_for_function("() => Number(document.querySelector('#plane').ariaValueNow) === 1")
        page.keyboard.up("ArrowUp")
        orientation = page.locator("#plane").get_attribute("aria-orientation")

    assert 0.6 < places["9"] < 1
    assert places["2"] == pytest.approx(-0.75 * places["9"], abs=0.01)
    assert places["Home"] == pytest.approx(0, abs=0.01)
    assert orientation == "vertical"


def test_what_the_project_does_not_allow_moves_nothing(browser, made, tmp_path):
    with room_of(browser, made, tmp_path, input=["keyboard"], script=FAKE_PAD) as page:
        point_at(page, 0.8, 0.8)
        page.mouse.wheel(0, -400)
        stick(page, 1, 0)
        ignored = place(page)
        page.keyboard.down("ArrowRight")
        frames(page, 10)
        page.keyboard.up("ArrowRight")
        across, _ = place(page)
        state = state_of(page)

    assert across > 0
    assert ignored == pytest.approx([0, 0], abs=0.01)
    assert state == "ready"
