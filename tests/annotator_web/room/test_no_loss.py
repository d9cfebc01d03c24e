"""What was rated is kept: the server killed, the network gone, the browser killed, two devices."""

import os
import signal
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from annotated_study import Server, make_study, wait_until
from browsing import (
    ARGUMENTS,
    CHROMIUM,
    READ_PICTURES,
    begin,
    browser_running,
    collected,
    invited,
    page_of,
    point,
    stamps_of,
)

FRAMES = 80
MOST_LOST = 6  # samples a kill of the browser may cost


@pytest.fixture(scope="module")
def browser():
    with browser_running() as running:
        yield running


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Films of three seconds whose frames are unevenly far apart, as those of real cameras are."""
    sessions = [f"S{number:02d}-001" for number in range(1, 8)]
    annotation = {"sessions": sessions, "order": "study"}
    steps = np.random.default_rng(1).choice([17, 33, 40], FRAMES - 1) * 1_000_000
    times = np.concatenate([[0], np.cumsum(steps)])
    root = tmp_path_factory.mktemp("films") / "study"
    return make_study(root, sessions, host_ns=times, annotation=annotation)


@pytest.fixture(scope="module")
def server(study):
    running = Server(study.root).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def url(study, server):
    return invited(study)


def test_a_killed_server_and_a_lost_network_cost_no_sample(browser, study, server, url):
    with page_of(browser) as page:
        begin(page, url, "S01-001")
        point(page, 0.9, 0.1)
        page.wait_for_timeout(500)
        server.kill()
        page.wait_for_selector("#saving[data-kind=kept]")
        server.start()
        page.context.set_offline(True)
        page.wait_for_timeout(300)
        page.context.set_offline(False)
        page.wait_for_selector("[data-state=finished]")
        added = page.evaluate("window.added")
    rating, path = collected(study, "arousal", "S01-001")

    assert stamps_of(path) == list(map(tuple, added))
    assert rating.is_complete
    assert added[-1][1] == FRAMES - 1


def test_a_killed_browser_goes_on_where_it_was(browser, study, url, tmp_path):
    before, after = [], []
    with killed_browser(browser.browser_type, tmp_path / "profile", before) as page:
        begin(page, url, "S02-001")
        wait_for_samples(page, before, 30)
    with killed_browser(browser.browser_type, tmp_path / "profile", after) as page:
        begin(page, url, "S02-001")
        page.wait_for_selector("[data-state=finished]")
    rating, path = collected(study, "valence", "S02-001")
    stamps = stamps_of(path)

    assert rating.is_complete
    assert sorted(set(stamps)) == stamps  # in order, nothing twice
    assert stamps[-len(after) :] == after
    assert set(before[:-MOST_LOST]) <= set(stamps)


def wait_for_samples(page, samples, count):
    while len(samples) < count:
        page.wait_for_timeout(20)


@contextmanager
def killed_browser(chromium, profile, added):
    """Hands out a page of a browser that is killed with -9 at the end; `added` gets its samples."""
    context = chromium.launch_persistent_context(profile, executable_path=CHROMIUM, args=ARGUMENTS)
    context.expose_function("tellAdded", lambda time, frame: added.append((time, frame)))
    page = context.pages[0]
    page.add_init_script(READ_PICTURES)
    page.add_init_script(
        "addEventListener('mavfer-sample', ({ detail: { media_time, frame } }) => "
        "tellAdded(media_time, frame))"
    )
    yield page
    own = processes_with(str(profile))
    assert own
    for process in own:
        os.kill(process, signal.SIGKILL)
    wait_until(lambda: not processes_with(str(profile)))


def processes_with(argument):
    """Processes that were started with an argument that holds this text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if argument in path.read_text(errors="replace"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_what_a_closed_tab_left_is_sent_by_the_next_page(browser, study, server, url):
    with page_of(browser) as page:
        begin(page, url, "S03-001")
        page.wait_for_timeout(300)
        server.kill()
        page.wait_for_selector("#saving[data-kind=kept]")
        added = page.evaluate("window.added")
        tab = page.context.new_page()
        page.close()
        server.start()
        tab.goto(url)
        tab.wait_for_selector("[data-left=sent]")
    rating, path = collected(study, "valence", "S03-001", incomplete=True)

    assert set(map(tuple, added)) <= set(stamps_of(path))
    assert not rating.is_complete


# What one device of a rater does with a take, in a page of ours.
DEVICE = """async ({ session, take, rater, plan }) => {
  const { Outbox } = await import("/static/outbox.js");
  const { Sender, ask } = await import("/static/sender.js");
  const csrf = document.querySelector('meta[name="mavfer-csrf"]').content;
  const dimensions = ["arousal", "valence"];
  const begun = take ?? (await ask("POST", "/api/v1/takes", {
    csrf, body: { session, dimensions, client: {} } })).take;
  const state = await ask("GET", `/api/v1/takes/${begun}`);
  const outbox = await Outbox.open(rater);
  const sender = new Sender(outbox, state, csrf);
  const refusals = [];
  sender.onrefused = (error) => refusals.push(error.code);
  sender.refresh = async () => {};
  await sender.resume();
  for (const frames of plan) {
    for (const frame of frames) sender.add({ media_time: frame / 40, frame, clock_ms: frame,
      arousal: 0, valence: 0, flags: 0 });
    sender.seal();
  }
  while (sender.waiting.length && !sender.failure) await sender.work();
  const left = await outbox.takes();
  sender.release();
  return { take: begun, refusals, left, isKept: sender.isKept, samples: sender.samples };
}"""


def device(page, session, plan, *, take=None, rater="r"):
    argument = {"session": session, "take": take, "rater": rater, "plan": plan}
    return page.evaluate(DEVICE, argument)


# A sender that believes that the server holds nothing yet, as one that was away long does.
FORGETFUL = """async (take) => {
  const { Outbox } = await import("/static/outbox.js");
  const outbox = await Outbox.open("r");
  for (const [seq, frame] of [[0, 50], [1, 51]]) {
    const one = { media_time: [frame / 40], frame: [frame], clock_ms: [frame], arousal: [1],
      valence: [1], flags: [0] };
    await outbox.put({ take, seq, samples: one }, "strict");
  }
}"""


def test_two_devices_under_the_same_numbers_both_keep_everything(browser, study, url):
    with page_of(browser) as page:
        page.goto(url)
        first = device(page, "S04-001", [[0, 1], [2]])
        page.evaluate(FORGETFUL, first["take"])
        second = device(page, "S04-001", [[52]], take=first["take"])
    _, path = collected(study, "valence", "S04-001", incomplete=True)

    assert [frame for _, frame in stamps_of(path)] == [0, 1, 2, 50, 51, 52]
    assert second["refusals"] == []
    assert second["left"] == []
    assert second["samples"] == 6


def test_chunks_that_the_server_refuses_are_put_aside_and_told(browser, url):
    with page_of(browser) as page:
        page.goto(url)
        told = device(page, "S05-001", [[0], [FRAMES + 9]])
        aside = page.evaluate(
            """() => new Promise((resolve) => {
              indexedDB.open("mavfer-annotator").onsuccess = ({ target }) => {
                const store = target.result.transaction("refused").objectStore("refused");
                store.getAll().onsuccess = ({ target: all }) => resolve(all.result);
              };
            })"""
        )

    assert told["refusals"] == ["out_of_range"]
    assert [(row["rater"], row["code"], row["samples"]["frame"]) for row in aside] == [
        ("r", "out_of_range", [FRAMES + 9])
    ]


def test_a_browser_that_keeps_nothing_says_so_and_goes_on_sending(browser, study, url):
    with page_of(browser) as page:
        page.add_init_script("delete globalThis.indexedDB; IDBFactory.prototype.open = null;")
        page.goto(url)
        told = device(page, "S06-001", [[0, 1]])
    _, path = collected(study, "valence", "S06-001", incomplete=True)

    assert not told["isKept"]
    assert [frame for _, frame in stamps_of(path)] == [0, 1]


def test_two_raters_on_one_browser_do_not_mix(browser, url):
    with page_of(browser) as page:
        page.goto(url)
        take = device(page, "S07-001", [[0]])["take"]
        page.evaluate(FORGETFUL, take)
        takes = page.evaluate(
            """async () => {
              const { Outbox } = await import("/static/outbox.js");
              const takesOf = async (who) => (await Outbox.open(who)).takes();
              return Promise.all(["r", "other"].map(takesOf));
            }"""
        )

    assert takes == [[take], []]


HOLD = """async (name) => {
  const { hold } = await import("/static/lock.js");
  const first = await hold(name);
  const second = await hold(name);
  first();
  const third = await hold(name, 3000);
  return [first, second, third].map((release) => release !== null);
}"""


@pytest.mark.parametrize("without", ["", "delete Navigator.prototype.locks;"])
def test_a_take_is_sent_by_one_tab_also_where_there_are_no_locks(browser, url, without):
    with page_of(browser) as page:
        page.add_init_script(without)
        page.goto(url)

        assert page.evaluate(HOLD, "take") == [True, False, True]
        assert page.evaluate("navigator.locks === undefined") == bool(without)
