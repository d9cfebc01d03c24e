"""Bounded, open and rate-driven scales, and how they lie on the page."""

import pytest
from browsing import browser_running
from rating_room import hand, made_film, place, play_to, point_at, room_of

# Everything that a number needs to be whole: it lies within the plane.
ARE_WHOLE = """() => {
  const box = document.querySelector("#plane").getBoundingClientRect();
  const numbers = [...document.querySelectorAll(".notch")].filter((mark) => !mark.hidden);
  const isWithin = ({ left, right, top, bottom }) =>
    left >= box.left && right <= box.right && top >= box.top && bottom <= box.bottom;
  return numbers.length > 0 && numbers.every((mark) => isWithin(mark.getBoundingClientRect()));
}"""


@pytest.fixture(scope="module")
def browser():
    with browser_running() as running:
        yield running


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return made_film(tmp_path_factory.mktemp("room"), seconds=1)


@pytest.fixture(scope="module")
def page(browser, made, tmp_path_factory):
    """A page that the rules of the hand can be asked on."""
    with room_of(browser, made, tmp_path_factory.mktemp("hand")) as opened:
        yield opened


def test_deflection_is_velocity_until_it_is_let_go_or_at_an_end(page):
    places = hand(
        page,
        """({ RateHand }, axes) => {
             const one = new RateHand(axes, 2);
             const at = [];
             one.point(1, -0.5, true); one.step(1); at.push([one.x, one.y]);
             one.letGo(); one.step(1); at.push([one.x, one.y]);
             one.push(1, 0); one.step(3); at.push([one.x, one.y]);
             one.push(0, 0); one.stick([-1, 0]); one.step(2); at.push([one.x, one.y]);
             return at;
           }""",
    )

    assert places == [[0.5, -0.25], [0.5, -0.25], [1, -0.25], [0, -0.25]]


def test_a_pointer_that_only_passes_over_a_rate_plane_drives_nothing(page):
    at = hand(
        page,
        """({ RateHand }, axes) => {
             const one = new RateHand(axes, 2);
             one.point(1, 1, false); one.step(1);
             return [one.x, one.y];
           }""",
    )

    assert at == [0, 0]


def test_an_open_scale_has_no_end_and_the_face_never_leaves_the_view(page):
    told = hand(
        page,
        """({ OpenHand }, axes) => {
             const one = new OpenHand(axes);
             let widest = 0;
             one.push(1, -1);
             for (let step = 0; step < 3000; step += 1) {
               one.step(1 / 60);
               widest = Math.max(widest, ...one.seen().map(Math.abs));
             }
             return [one.values(), widest];
           }""",
    )
    values, widest = told

    assert 1e3 < values["valence"] <= 1e9
    assert values["arousal"] == -values["valence"]
    assert widest < 1


def test_an_open_scale_comes_near_again_after_the_face_came_home(page):
    spans = hand(
        page,
        """({ OpenHand }, axes) => {
             const one = new OpenHand(axes);
             one.moveTo(40, 0); one.step(1); const wide = one.span;
             one.moveTo(0.1, 0);
             for (let step = 0; step < 1200; step += 1) one.step(1 / 60);
             return [wide, one.span];
           }""",
    )

    assert spans[0] > 40
    assert spans[1] == pytest.approx(1)


def test_values_are_in_units_of_the_study_and_come_back_the_same(page):
    told = hand(
        page,
        """({ axesOf, BoundedHand }) => {
             const axes = axesOf([
               { name: "dominance", low: 1, high: 9 },
               { name: "valence", low: 0, high: 10 },
             ]);
             const one = new BoundedHand(axes);
             one.moveTo(0.5, -0.5);
             const given = one.values();
             const other = new BoundedHand(axes);
             other.setValues(given);
             return [given, [other.x, other.y]];
           }""",
    )

    assert told == [{"valence": 7.5, "dominance": 3}, [0.5, -0.5]]


def test_numbers_of_an_open_scale_stay_whole_and_its_samples_pass_its_ends(browser, made, tmp_path):
    with room_of(browser, made, tmp_path, scale="unbounded", feedback="trace") as page:
        box = page.locator("#plane").bounding_box()
        near = page.evaluate(ARE_WHOLE)
        for _ in range(4):
            page.mouse.move(box["x"] + 20, box["y"] + box["height"] / 2)
            page.mouse.down()
            page.mouse.move(box["x"] + box["width"] - 20, box["y"] + box["height"] / 2, steps=4)
            page.mouse.up()
        far = page.evaluate(ARE_WHOLE)
        across, _ = place(page)
        page.click("#start")
        page.wait_for_selector("[data-state=finished]")
        given = page.evaluate("window.given.map(one => one.valence)")

    assert near
    assert far
    assert 0.5 < across < 1
    assert min(given) > 1


@pytest.mark.parametrize(("dimension", "width"), [("valence", 1280), ("arousal", 390)])
def test_one_dimension_is_a_slider_along_its_own_way(browser, made, tmp_path, dimension, width):
    options = {"viewport": {"width": width, "height": 820}}
    with room_of(browser, made, tmp_path, dimensions=[dimension], options=options) as page:
        slider = page.get_by_role("slider", name=dimension.capitalize())
        point_at(page, 0.4, 0.4)
        page.wait_for_function("() => document.querySelector('#plane').ariaValueNow > 0.3")
        text = slider.get_attribute("aria-valuetext")
        box = slider.bounding_box()
        is_wider = page.evaluate("document.documentElement.scrollWidth > innerWidth")

    assert (box["width"] > box["height"]) == (dimension == "valence")
    assert text.startswith(dimension.capitalize())
    assert not is_wider


def test_valence_grows_to_the_right_also_where_lines_begin_there(browser, made, tmp_path):
    options = {"locale": "ar"}
    with room_of(browser, made, tmp_path, languages=["ar"], options=options) as page:
        direction = page.evaluate("document.documentElement.dir")
        point_at(page, 0.7, 0.2)
        right = place(page)
        play_to(page, 0)
        given = page.evaluate("window.given[0]")

    assert direction == "rtl"
    assert right == pytest.approx([0.7, 0.2], abs=0.02)
    assert [given["valence"], given["arousal"]] == pytest.approx([0.7, 0.2], abs=0.02)
