"""Small studies to rate: videos whose frames spell their number, and simulated takes with truth."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
from sqlalchemy import select

from annotator_web.desk.raters import invite
from annotator_web.project import open_project
from annotator_web.store.database import Database, database_path, raters
from annotator_web.way import calibration
from annotator_web.way.consent import agree, consent_form
from annotator_web.way.steps import done_step
from mavfer.cli import run
from mavfer.files import write_json
from mavfer.study.media_writer import writing_media
from mavfer.study.session import Session
from mavfer.study.study import Study

WIDTH, HEIGHT = 160, 96
BITS = 8
DARK, LIGHT = 30, 225


def picture_of(number, bits=BITS, width=WIDTH, height=HEIGHT):
    """RGB (H, W, 3): upright bars, black or white, spell the number; the first is its 1."""
    spelt = (number >> np.arange(bits)) & 1
    bars = np.repeat(np.where(spelt == 1, LIGHT, DARK), width // bits)
    return np.broadcast_to(bars[None, :, None], (height, width, 3)).astype(np.uint8)


def write_media(study, session, host_ns):
    """media/<session>.mp4 with a numbered picture at each of the times."""
    with writing_media(
        study.media_path(session),
        session=session,
        host_ns=np.asarray(host_ns, np.int64),
        size=(WIDTH, HEIGHT),
        sound_from=None,
        session_sha256="0" * 64,
    ) as writer:
        for number in range(len(host_ns)):
            writer.write(picture_of(number))


def make_study(root, sessions=("S01-001", "S02-001"), *, host_ns=None, annotation=None):
    """A study whose sessions have media and nothing else: 25 frames in a second, or as told."""
    study = Study.create(root, name="a study to rate")
    for session in sessions:
        study.session_folder(session).mkdir(parents=True)
        write_media(study, session, np.arange(25) * 40_000_000 if host_ns is None else host_ns)
    if annotation is not None:
        write_json(root / "annotation.json", {**ANNOTATION, **annotation})
    return study


ANNOTATION = {
    "format": "mavfer.annotation",
    "version": 1,
    "sessions": ["S01-001"],
    "dimensions": ["arousal", "valence"],
    "mode": "together",
    "scale": "bounded",
    "input": ["pointer", "touch", "keyboard"],
    "streams_shown": ["color"],
    "feedback": "none",
    "practice": None,
    "calibration_clip": False,
    "hidden_repeats": 0,
}


def make_simulated_study(root, *, seconds=3, takes=2):
    """A study with simulated takes of one subject, and media of as many frames (not the faces)."""
    assert run(["init", str(root)]) == 0
    rates = ("--rate", "color=15", "--rate", "depth=5", "--rate", "thermal=5")
    sizes = ("--size", "color=160x120", "--size", "depth=64x48", "--size", "thermal=64x48")
    for take in range(takes):
        record = ["record", str(root), "--subject", "P01", "--rig", "simulated", "--pace", "fast"]
        assert run([*record, "--seconds", str(seconds), "--seed", str(take), *rates, *sizes]) == 0
    study = Study.open(root)
    for session in study.sessions():
        times = Session.open(study.session_folder(session)).times("color")["host_ns"]
        write_media(study, session, times)
    return study


def skip_the_way(study, code):
    """Notes that a rater, who was invited, has agreed and was told all that comes before."""
    project = open_project(study)
    database = Database(database_path(study, None))
    try:
        with database.reading() as connection:
            rater = connection.execute(select(raters.c.id).where(raters.c.code == code)).scalar()
        form = consent_form(project, project.languages[0])
        database.write(lambda connection: agree(connection, rater, form))
        for name in ("instructions", "device"):
            database.write(lambda connection, name=name: done_step(connection, rater, name, {}))
    finally:
        database.close()


class Server:
    """A real server process of a study, on a port that stays the same when it is started again."""

    def __init__(self, root):
        self.root = root
        self.port = 0
        self.url = ""
        self.process = None

    def start(self):
        command = ["-m", "mavfer", "annotate", "serve", str(self.root), "--json"]
        self.process = subprocess.Popen(
            [sys.executable, *command, "--port", str(self.port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.process.stderr.read())
        self.url = json.loads(line)["url"]
        self.port = int(self.url.rpartition(":")[2])
        return self

    def kill(self):
        """kill -9, as if the machine had gone."""
        self.process.send_signal(signal.SIGKILL)
        self._reap()

    def stop(self):
        """Ends it as a service manager does; the exit status."""
        self.process.terminate()
        return self._reap()

    def _reap(self):
        status = self.process.wait(timeout=60)
        self.process.stdout.close()
        self.process.stderr.close()
        return status


def wait_until(condition, seconds=120):
    """Returns when `condition()` is true, or fails."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def samples(count=25, *, start=0, arousal=0.25, valence=-0.5, rate_hz=25):
    """Columns of a chunk: `count` frames from `start`."""
    frames = list(range(start, start + count))
    return {
        "media_time": [frame / rate_hz for frame in frames],
        "frame": frames,
        "clock_ms": [1000.0 * frame / rate_hz for frame in frames],
        "arousal": [arousal] * count,
        "valence": [valence] * count,
        "flags": [0] * count,
    }


class Rater:
    """A rater of an application in this process, with a token."""

    def __init__(self, app, code, **options):
        self.context = app.extensions["mavfer-context"]
        self.token = invite(self.context.database, self.context.project, code, **options)
        self.client = app.test_client()
        self.headers = {"Authorization": f"Bearer {self.token}"}

    def get(self, path, **headers):
        return self.client.get(path, headers={**self.headers, **headers})

    def post(self, path, body):
        return self.client.post(path, json=body, headers=self.headers)

    def begin(self, session="S01-001", dimensions=("arousal", "valence")):
        answer = self.post("/api/v1/takes", {"session": session, "dimensions": list(dimensions)})
        assert answer.status_code == 201, answer.json
        return answer.json["take"]

    def send(self, take, seq, columns):
        return self.post(f"/api/v1/takes/{take}/chunks/{seq}", {"samples": columns})

    def finish(self, take, chunks, count):
        return self.post(f"/api/v1/takes/{take}/finish", {"chunks": chunks, "samples": count})

    def rate(self, session="S01-001", **values):
        """One whole take of 25 samples."""
        take = self.begin(session)
        assert self.send(take, 0, samples(**values)).status_code == 200
        assert self.finish(take, 1, 25).status_code == 200
        return take

    def calibrate(self, lag_seconds):
        """A finished reaction-time clip that was followed after `lag_seconds`."""
        dimensions = self.context.calibration_dimensions()
        times = np.arange(calibration.FRAMES) / calibration.RATE_HZ
        followed = calibration.target_at(times - lag_seconds, dimensions)
        columns = {
            "media_time": times.tolist(),
            "frame": list(range(len(times))),
            "clock_ms": (1000 * times).tolist(),
            "flags": [0] * len(times),
        }
        columns |= {d.name: row.tolist() for d, row in zip(dimensions, followed, strict=True)}
        take = self.begin("calibration", [d.name for d in dimensions])
        assert self.send(take, 0, columns).status_code == 200
        assert self.finish(take, 1, len(times)).status_code == 200
        return take
