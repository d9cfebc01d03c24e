"""How long raters wait until the server has their samples on its disk, while many rate at once.

Each rater sends a chunk of 60 samples a second by its own clock, on a connection of its own; a wait
begins when the chunk was due. Our server syncs the disk before it answers. Beside it, in turns, on
the same load: Flask with a commit a request, and the same without waiting for the disk. The load
comes from the same machine and is counted in nobody's favor.

    python benchmarks/annotator_load.py [--quick] [--raters 500] [--seconds 60]
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median

import numpy as np
from peers.measuring import cpu_seconds_of
from peers.open_loop import bodies_of, run_load

from annotator_web.desk.raters import invite
from annotator_web.project import open_project
from annotator_web.store.database import Database, database_path
from mavfer.study.media_writer import writing_media
from mavfer.study.study import Study, software_versions

PACKAGES = ("flask", "waitress", "sqlalchemy", "numpy")
SESSION = "S01-001"
NANOSECONDS = 1_000_000_000
PEERS = ("commit_each", "commit_each_normal")
END_SECONDS = 30


def make_study(root: Path, seconds: int) -> Study:
    """One session with a picture a second, which is enough to rate."""
    study = Study.create(root, name="load")
    study.session_folder(SESSION).mkdir(parents=True)
    times = np.arange(seconds + 2, dtype=np.int64) * NANOSECONDS
    with writing_media(
        study.media_path(SESSION),
        session=SESSION,
        host_ns=times,
        size=(64, 48),
        sound_from=None,
        session_sha256="0" * 64,
    ) as writer:
        for _ in times:
            writer.write(np.zeros((48, 64, 3), np.uint8))
    return study


class Server:
    """A server process, ours or a peer's."""

    def __init__(self, command: list[str], folder: Path | None = None):
        self._process = subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.PIPE, text=True, cwd=folder
        )
        self.url = json.loads(self._process.stdout.readline())["url"]

    def cpu_seconds(self) -> float:
        """CPU time so far."""
        return cpu_seconds_of(self._process.pid)

    def most_megabytes(self) -> float:
        """The most memory that it held."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

    def stop(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.wait(END_SECONDS)
        self._process.stdout.close()


@contextmanager
def ours(folder: Path, raters: int, seconds: int):
    """Our server, the tokens of its raters, and which chunks its database holds."""
    study = make_study(folder / "study", seconds)
    database = Database(database_path(study))
    project = open_project(study)
    tokens = [invite(database, project, f"R{number}") for number in range(raters)]
    server = Server(["-m", "mavfer", "annotate", "serve", str(study.root), "--port", "0", "--json"])
    try:
        yield server, tokens, lambda: _held(database_path(study))
    finally:
        server.stop()
        database.close()


@contextmanager
def peer(folder: Path, raters: int, *, is_normal: bool):
    """The same of a peer; any token is a rater."""
    path = folder / "peer.sqlite"
    command = ["-m", "peers.rating_load", str(path), *(["--normal"] if is_normal else [])]
    server = Server(command, Path(__file__).parent)
    try:
        yield server, [f"token-of-rater-{n:06d}" for n in range(raters)], lambda: _held(path)
    finally:
        server.stop()


def _held(path: Path) -> set[tuple[str, int]]:
    with closing(sqlite3.connect(path, timeout=END_SECONDS)) as connection:
        return set(connection.execute("SELECT take, seq FROM chunks"))


def measure(contender, seconds: int) -> dict[str, float]:
    """One run of the load on one server."""
    server, tokens, held = contender
    raters = [(token, _begin(server.url, token)) for token in tokens]
    bodies = bodies_of(seconds)
    begun, begun_cpu = time.perf_counter(), server.cpu_seconds()
    load = run_load(server.url, raters, bodies)
    wall, cpu = time.perf_counter() - begun, server.cpu_seconds() - begun_cpu
    waits = np.array(load.waits_ms or [np.nan])
    return {
        **{f"p{q}_ms": float(np.percentile(waits, q)) for q in (50, 95, 99)},
        "max_ms": float(waits.max()),
        "errors": load.errors,
        "acknowledged_but_missing": len(set(load.acknowledged) - held()),
        "chunks_per_second": len(load.acknowledged) / wall,
        "cpu_ms_per_chunk": 1000 * cpu / max(1, len(load.acknowledged)),
        "cores": cpu / wall,
        "most_mb": server.most_megabytes(),
        "load_late_p99_ms": float(np.percentile(load.late_starts_ms, 99)),
    }


def _begin(url: str, token: str) -> str:
    body = json.dumps({"session": SESSION, "dimensions": ["arousal", "valence"]}).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/api/v1/takes", body, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["take"]


def run_round(raters: int, seconds: int, peers: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """All contenders in turns, each with new files."""
    return {name: _run_one(name, raters, seconds) for name in ("ours", *peers)}


def _run_one(name: str, raters: int, seconds: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="annotator-load-") as temporary:
        folder = Path(temporary)
        if name == "ours":
            entered = ours(folder, raters, seconds)
        else:
            entered = peer(folder, raters, is_normal=name.endswith("normal"))
        with entered as contender:
            return measure(contender, seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="40 raters, 4 s, one round")
    parser.add_argument("--raters", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", action="store_true", help="our server only")
    options = parser.parse_args()
    raters, seconds, rounds = options.raters, options.seconds, options.rounds
    if options.quick:
        raters, seconds, rounds = 40, 4, 1
    peers = () if options.alone else PEERS
    found = [run_round(raters, seconds, peers) for _ in range(rounds)]
    values = {"raters": raters, "seconds": seconds, "rounds": rounds}
    for name, keys in found[0].items():
        for key in keys:
            values[f"{name}_{key}"] = median(run[name][key] for run in found)
    ratios = {
        f"{name}_{key}": median(run[name][key] / run["ours"][key] for run in found)
        for name in peers
        for key in ("p99_ms", "cpu_ms_per_chunk")
    }
    result = {"benchmark": "annotator_load", "ratios": ratios, "values": values}
    print(json.dumps({**result, "versions": software_versions(*PACKAGES)}))


if __name__ == "__main__":
    main()
