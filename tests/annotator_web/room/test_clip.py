"""The film itself: sought exactly, and taken up again where it could not be fetched."""

import numpy as np
import pytest
from annotated_study import Server, make_study
from browsing import browser_running, invited, page_of

FRAMES = 60
TIMES = np.concatenate([[0], np.cumsum(np.random.default_rng(2).choice([17, 33, 60], FRAMES - 1))])

# A film of our own on a page of ours; its clip is window.clip.
OPEN = """async ({ session, load }) => {
  const { VideoClip } = await import("/static/clip.js");
  const { pts_seconds: times } = await (await fetch(`/media/${session}/frames`)).json();
  const video = document.body.appendChild(document.createElement("video"));
  video.muted = true;
  const clip = (window.clip = new VideoClip(video, `/media/${session}`, times));
  window.told = [];
  clip.onstall = (isWaiting, key) => key && window.told.push(key);
  clip.onframe = (time, frame, now, flags) => window.told.push([frame, flags]);
  clip.oninterrupt = (reason) => window.told.push(reason);
  if (!load) return "made";
  return clip.load(0).then(() => "loaded", (error) => error.key);
}"""


@pytest.fixture(scope="module")
def browser():
    with browser_running() as running:
        yield running


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """The invitation to one film whose frames are unevenly far apart."""
    root = tmp_path_factory.mktemp("clip") / "study"
    study = make_study(root, ["S01-001"], host_ns=TIMES * 1_000_000, annotation={})
    server = Server(study.root).start()
    yield invited(study)
    server.stop()


@pytest.fixture
def page(browser, url):
    with page_of(browser) as opened:
        opened.goto(url)
        yield opened


def open_film(page, *, load=True):
    return page.evaluate(OPEN, {"session": "S01-001", "load": load})


def test_after_a_seek_exactly_that_frame_is_shown_and_no_sample_was_given(page):
    opened = open_film(page)
    wanted = [0, 1, FRAMES - 1, 17, 16, 40, FRAMES - 2]
    for frame in wanted:
        page.evaluate("time => clip.seek(time)", TIMES[frame] / 1000)
        shown = page.evaluate("clip.shown.frame")
        number = page.evaluate("window.stamped.at(-1)[1]")

        assert (shown, number) == (frame, frame)
    assert opened == "loaded"
    assert page.evaluate("window.told") == []


def test_what_is_rated_again_begins_with_the_frame_that_was_sought(page):
    open_film(page)
    page.evaluate("clip.seek(1).then(() => clip.play())")
    page.wait_for_function("() => window.told.length > 5")
    page.evaluate("clip.pause()")
    page.evaluate("window.told.push('back'); clip.seek(0.5).then(() => clip.play())")
    page.wait_for_function("() => window.told.length > 12")
    told = page.evaluate("clip.pause(); window.told")
    frames = [one if one == "back" else one[0] for one in told]
    at = frames.index("back")
    first, again = frames[:at], frames[at + 1 :]

    assert first == sorted(set(first))
    assert again == sorted(set(again))
    assert again[0] == np.abs(TIMES / 1000 - 0.5).argmin()
    assert page.evaluate("clip.dropped") == sum(
        part[-1] - part[0] + 1 - len(part) for part in (first, again)
    )


def test_a_film_that_does_not_come_is_asked_for_again(page):
    asked = []

    def sometimes(route):
        asked.append(route.request.url)
        if len(asked) < 3:
            route.abort()
        else:
            route.continue_()

    page.route("**/media/S01-001", sometimes)

    assert open_film(page) == "loaded"
    assert "room.video_lost" in page.evaluate("window.told")


def test_a_broken_film_is_told(page):
    page.route(
        "**/media/S01-001",
        lambda route: route.fulfill(status=200, content_type="video/mp4", body="no film"),
    )

    assert open_film(page) == "room.video_broken"


def test_a_film_that_the_browser_stops_is_told(page):
    open_film(page)
    page.evaluate("clip.play()")
    page.wait_for_function("() => window.told.length > 3")
    page.evaluate("document.querySelector('video').pause()")
    page.wait_for_function("() => window.told.at(-1) === 'paused'")

    assert not page.evaluate("clip.isWatching")


def test_a_browser_without_pictures_is_stamped_by_its_callback(page):
    page.add_init_script("delete globalThis.VideoFrame")
    page.reload()
    open_film(page)
    page.evaluate("clip.play()")
    page.wait_for_function("() => window.told.length > 20")
    told = page.evaluate("clip.pause(); window.told")

    assert page.evaluate("clip.timeSource") == "requestVideoFrameCallback"
    assert [flags for _, flags in told] == [0] * len(told)
    assert [frame for frame, _ in told] == sorted({frame for frame, _ in told})
