"""Whether anything that raters gave is lost while server, network and browser fail.

Fifty programs rate at 60 Hz and send a chunk a second, again until it is answered, as the page
does; beside them a real Chromium rates. Meanwhile the server is killed with -9 five times and
started again, the network goes away twice for 10 s (silent, then with every connection reset), and
the browser is killed with -9 three times and goes on. Then what is stored is compared with what was
acknowledged and with what was given. Ten raters who send each chunk once stand for the field.

    python benchmarks/annotator_faults.py [--quick] [--raters 50] [--seconds 60]

Needs Playwright (`pip install 'mavfer[dev]'`) and a Chromium that plays H.264; Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import tempfile
import threading
import time
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from peers.broken_network import BrokenNetwork
from peers.rated_film import ARGUMENTS, CHROMIUM, Server, begin, make_study, tokens_of
from playwright.sync_api import Error as BrowserError
from playwright.sync_api import sync_playwright
from sqlalchemy import select

from annotator_web.desk.client import Client
from annotator_web.store.database import Database, chunks, database_path, raters, takes
from annotator_web.store.samples import names_of
from annotator_web.store.takes import samples_of
from mavfer.study.study import software_versions

SESSION = "S01-001"
DIMENSIONS = ("arousal", "valence")
RATE_HZ = 60
FILM_HZ = 30
PATIENCE_SECONDS = 240
ONCE_RATERS = 10
ONCE_PATIENCE_SECONDS = 2
RESTART_SECONDS = 1.0
CHUNK_PATH = re.compile(r"/takes/[^/]+/chunks/\d+$")
TELL = """
addEventListener("mavfer-sample", ({ detail: { media_time, frame } }) => {
  tellAdded(frame, Date.now());
});
"""


@dataclass
class Plan:
    """When what fails, in seconds."""

    raters: int = 50
    seconds: int = 60
    server_kills: tuple[float, ...] = (6, 17, 35, 46, 56)
    cuts: tuple[float, ...] = (22, 40)
    cut_seconds: float = 10
    browser_kills: tuple[int, ...] = (300, 800, 1300)
    """Samples of the browser after which it is killed."""


QUICK = Plan(8, 10, (3,), (5,), 3, (90,))


@dataclass
class Given:
    """What one program gave and was answered for."""

    take: str = ""
    samples: int = 0
    acknowledged: list[int] = field(default_factory=list)
    longest_wait: float = 0.0
    """Seconds from when a chunk was due to its answer."""
    is_finished: bool = False


def columns_of(second: int) -> dict[str, list]:
    """One second of samples; `clock_ms` counts them, so that each can be told from all others."""
    numbers = np.arange(second * RATE_HZ, (second + 1) * RATE_HZ)
    return {
        "media_time": (numbers / RATE_HZ).tolist(),
        "frame": (numbers * FILM_HZ // RATE_HZ).tolist(),
        "clock_ms": numbers.astype(float).tolist(),
        "arousal": np.sin(numbers / 50).tolist(),
        "valence": np.cos(numbers / 50).tolist(),
        "flags": [0] * RATE_HZ,
    }


def rate(url: str, token: str, seconds: int, given: Given) -> None:
    """Rates by its own clock and sends every chunk until it is answered."""
    client = Client(url, token, patience_seconds=PATIENCE_SECONDS)
    given.take = client.begin(SESSION, list(DIMENSIONS), {})
    begun = time.monotonic()
    for second in range(seconds):
        due = begun + second + 1
        time.sleep(max(0.0, due - time.monotonic()))
        client.send(given.take, second, columns_of(second))
        given.samples += RATE_HZ
        given.acknowledged.append(second)
        given.longest_wait = max(given.longest_wait, time.monotonic() - due)
    client.finish(given.take, chunks=seconds, samples=given.samples)
    given.is_finished = True


def rate_once(url: str, token: str, seconds: int, given: Given) -> None:
    """As the field does: each chunk is sent once, and nobody looks at the answer."""
    given.take = Client(url, token).begin(SESSION, list(DIMENSIONS), {})
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    begun = time.monotonic()
    for second in range(seconds):
        time.sleep(max(0.0, begun + second + 1 - time.monotonic()))
        body = json.dumps({"samples": columns_of(second)}).encode()
        path = f"{url}/api/v1/takes/{given.take}/chunks/{second}"
        given.samples += RATE_HZ
        with suppress(OSError):
            request = urllib.request.Request(path, body, headers)
            urllib.request.urlopen(request, timeout=ONCE_PATIENCE_SECONDS).close()


class Faults:
    """Kills the server and cuts the network by the plan's clock."""

    def __init__(self, plan: Plan, server: Server, network: BrokenNetwork):
        self._plan, self._server, self._network = plan, server, network
        self._begun = time.monotonic()
        works = (self._kill_server, self._cut_network)
        self._threads = [threading.Thread(target=work) for work in works]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Returns when all that was planned has failed and is up again."""
        for thread in self._threads:
            thread.join()

    def _wait(self, at: float):
        time.sleep(max(0.0, self._begun + at - time.monotonic()))

    def _kill_server(self):
        for at in self._plan.server_kills:
            self._wait(at)
            self._server.kill()
            time.sleep(RESTART_SECONDS)
            self._server.start()

    def _cut_network(self):
        for number, at in enumerate(self._plan.cuts):
            self._wait(at)
            self._network.set_state("closed" if number % 2 else "silent")
            time.sleep(self._plan.cut_seconds)
            self._network.set_state("open")


@dataclass
class Watched:
    """What the page in the browser gave, as it told before it stored it."""

    lives: list[list[tuple[int, float]]] = field(default_factory=list)
    """Frame and time of each sample; a list for each life of the browser."""
    kills: list[float] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    """Frames of chunks that were answered with 200."""


def rate_in_browser(plan: Plan, url: str, token: str, profile: Path) -> Watched:
    """Rates the film in a real browser that is killed and started again."""
    watched = Watched()
    with sync_playwright() as playwright:
        given = 0
        for at in plan.browser_kills:
            with _browser(playwright, profile, watched) as page:
                _begin_patiently(page, url, token)
                while given + len(watched.lives[-1]) < at:
                    page.wait_for_timeout(5)
                watched.kills.append(_kill(profile))
            given += len(watched.lives[-1])
        with _browser(playwright, profile, watched) as page:
            _begin_patiently(page, url, token)
            page.wait_for_selector("[data-state=finished]", timeout=1000 * PATIENCE_SECONDS)
    return watched


@contextmanager
def _browser(playwright, profile: Path, watched: Watched):
    context = playwright.chromium.launch_persistent_context(
        profile, executable_path=CHROMIUM, args=ARGUMENTS
    )
    life: list[tuple[int, float]] = []
    watched.lives.append(life)
    context.expose_function("tellAdded", lambda frame, at: life.append((frame, at / 1000)))
    page = context.pages[0]
    page.add_init_script(TELL)
    page.on("response", lambda response: _note(response, watched))
    yield page
    with suppress(BrowserError):
        context.close()


def _note(response, watched: Watched):
    if response.status == 200 and CHUNK_PATH.search(response.url):
        watched.acknowledged += json.loads(response.request.post_data)["samples"]["frame"]


def _begin_patiently(page, url: str, token: str):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            begin(page, url, token, SESSION)
        except BrowserError:
            if time.monotonic() > deadline:
                raise
            page.wait_for_timeout(500)
        else:
            return


def _kill(profile: Path) -> float:
    """Kills every process of the browser with -9; when, in seconds since 1970."""
    at = time.time()
    while own := _processes_of(profile):
        for process in own:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.02)
    return at


def _processes_of(profile: Path) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_ours = str(profile).encode() in (path / "cmdline").read_bytes()
            if is_ours and "(zombie)" not in (path / "status").read_text():
                found.append(int(path.name))
    return found


def compare(database: Database, given: list[Given]) -> dict[str, float]:
    """What of the programs' samples is missing, there twice, or in the wrong order."""
    missing = duplicates = wrong_order = wrong = 0
    with database.reading() as connection:
        for one in given:
            query = select(chunks.c.seq).where(chunks.c.take == one.take)
            held = {seq for (seq,) in connection.execute(query)}
            missing += len(set(one.acknowledged) - held)
            numbers = samples_of(connection, one.take, names_of(DIMENSIONS))[2]
            duplicates += len(numbers) - len(np.unique(numbers))
            wrong_order += int((np.diff(numbers) <= 0).sum())
            wrong += int(not np.array_equal(numbers, np.arange(one.samples)))
    return {
        "raters": len(given),
        "samples": sum(one.samples for one in given),
        "acknowledged_chunks": sum(len(one.acknowledged) for one in given),
        "acknowledged_but_missing": missing,
        "duplicates": duplicates,
        "wrong_order": wrong_order,
        "takes_not_as_given": wrong,
        "takes_not_finished": sum(not one.is_finished for one in given),
        "longest_wait_seconds": max(one.longest_wait for one in given),
    }


def compare_browser(database: Database, watched: Watched, code: str) -> dict[str, float]:
    """The same of the browser's take, and what each kill has cost."""
    with database.reading() as connection:
        # A take whose beginning was not answered stays behind empty.
        query = (
            select(takes.c.id, takes.c.finished_utc)
            .join_from(takes, raters)
            .where(raters.c.code == code)
            .order_by(takes.c.number)
        )
        found = connection.execute(query).all()
        stored = [samples_of(connection, take, names_of(DIMENSIONS))[1] for take, _ in found]
    frames = np.concatenate(stored).astype(int)
    held = set(frames.tolist())
    lost, untold = [], []
    for life, killed in zip(watched.lives, watched.kills, strict=False):
        lost.append(sum(frame not in held for frame, _ in life))
        untold.append(max(0.0, killed - life[-1][1]) * FILM_HZ)
    told = [frame for life in watched.lives for frame, _ in life]
    return {
        "browser_kills": len(watched.kills),
        "browser_samples": len(frames),
        "browser_acknowledged_but_missing": len(set(watched.acknowledged) - held),
        "browser_duplicates": len(frames) - len(held),
        "browser_wrong_order": int((np.diff(frames) <= 0).sum()),
        "browser_lost_most_a_kill": max(lost, default=0),
        "browser_lost_without_a_kill": len(set(told) - held) - sum(lost),
        # Given in the last moment, perhaps, and not told to this program any more.
        "browser_untold_most_a_kill": max(untold, default=0.0),
        "browser_is_finished": found[-1].finished_utc is not None,
    }


def _rate_all(plan: Plan, url: str, tokens: dict[str, str], profile: Path):
    """Everybody rates; what the programs gave, the careless ones gave, and the browser."""
    careful = [Given() for _ in range(plan.raters)]
    careless = [Given() for _ in range(ONCE_RATERS)]
    works = [(rate, f"R{n}", given) for n, given in enumerate(careful)]
    works += [(rate_once, f"once{n}", given) for n, given in enumerate(careless)]
    threads = [
        threading.Thread(target=work, args=(url, tokens[code], plan.seconds, given))
        for work, code, given in works
    ]
    for thread in threads:
        thread.start()
    watched = rate_in_browser(plan, url, tokens["browser"], profile)
    for thread in threads:
        thread.join()
    return careful, careless, watched


def run(plan: Plan) -> dict[str, float]:
    """All of it; what was found."""
    with tempfile.TemporaryDirectory(prefix="annotator-faults-") as folder:
        times = np.arange((plan.seconds + 1) * FILM_HZ, dtype=np.int64) * 10**9 // FILM_HZ
        study = make_study(Path(folder) / "study", {SESSION: times})
        codes = [f"R{n}" for n in range(plan.raters)] + [f"once{n}" for n in range(ONCE_RATERS)]
        tokens = tokens_of(study, [*codes, "browser"])
        server = Server(study)
        server.start()
        network = BrokenNetwork(server.port)
        faults = Faults(plan, server, network)
        try:
            careful, careless, watched = _rate_all(
                plan, network.url, tokens, Path(folder) / "profile"
            )
        finally:
            faults.join()
            server.stop()
            network.stop()
        database = Database(database_path(study))
        try:
            values = compare(database, careful) | compare_browser(database, watched, "browser")
            return values | {"once_lost_share": _lost_share(database, careless)}
        finally:
            database.close()


def _lost_share(database: Database, careless: list[Given]) -> float:
    with database.reading() as connection:
        held = sum(
            samples_of(connection, one.take, names_of(DIMENSIONS)).shape[1] for one in careless
        )
    return 1 - held / sum(one.samples for one in careless)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="8 raters, 10 s, one fault of each")
    parser.add_argument("--raters", type=int, default=Plan.raters)
    parser.add_argument("--seconds", type=int, default=Plan.seconds)
    options = parser.parse_args()
    plan = QUICK if options.quick else Plan(options.raters, options.seconds)
    values = run(plan) | {
        "seconds": plan.seconds,
        "server_kills": len(plan.server_kills),
        "network_cuts": len(plan.cuts),
    }
    result = {"benchmark": "annotator_faults", "ratios": {}, "values": values}
    versions = software_versions("flask", "waitress", "sqlalchemy", "playwright")
    print(json.dumps({**result, "versions": versions}))


if __name__ == "__main__":
    main()
