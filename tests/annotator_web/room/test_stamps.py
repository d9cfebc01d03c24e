"""Every sample is on the frame whose picture it was given for, read from the picture itself."""

import numpy as np
import pytest
from annotated_study import Server, make_study, write_media
from browsing import begin, browser_running, collected, invited, page_of, point, stamps_of

SECONDS = 2.2
FILMS = {"S01-001": 25, "S02-001": 30, "S03-001": "variable"}


def times_of(kind):
    """Nanoseconds at which the frames of a film are shown."""
    if kind == "variable":
        steps = np.random.default_rng(1).choice([17, 33, 40, 47, 60], int(SECONDS * 25))
        return np.concatenate([[0], np.cumsum(steps)]) * 1_000_000
    return np.rint(np.arange(int(SECONDS * kind)) * 1e9 / kind).astype(np.int64)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    annotation = {"sessions": list(FILMS), "order": "study"}
    made = make_study(tmp_path_factory.mktemp("films") / "study", FILMS, annotation=annotation)
    for session, kind in FILMS.items():
        write_media(made, session, times_of(kind))
    return made


@pytest.fixture(scope="module")
def server(study):
    running = Server(study.root).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser():
    with browser_running() as running:
        yield running


@pytest.mark.parametrize("session", FILMS)
def test_each_sample_names_the_frame_in_the_pixels_of_its_picture(browser, study, server, session):
    with page_of(browser) as page:
        begin(page, invited(study), session)
        point(page, 0.7, 0.4)
        page.wait_for_selector("[data-state=finished]")
        numbers = dict(map(tuple, page.evaluate("window.stamped")))
        added = page.evaluate("window.added")
    rating, path = collected(study, "valence", session)
    stamps = stamps_of(path)

    assert [frame for _, frame in stamps] == [numbers[round(1e6 * time)] for time, _ in stamps]
    assert stamps == list(map(tuple, added))
    assert sorted(set(stamps)) == stamps  # each picture once, in order
    assert stamps[-1][1] == len(times_of(FILMS[session])) - 1
    assert rating.document["input"]["time_source"] == "VideoFrame"
    assert rating.document["dropped_frames"] == stamps[-1][1] - stamps[0][1] + 1 - len(stamps)
