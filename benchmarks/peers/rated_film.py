"""Films whose frames spell their number, a server that can be killed, and a browser that rates."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import select

from annotator_web.desk.raters import invite
from annotator_web.project import open_project
from annotator_web.store.database import Database, database_path, raters
from annotator_web.way.consent import agree, consent_form
from annotator_web.way.steps import done_step
from mavfer.files import write_json
from mavfer.study.media_writer import writing_media
from mavfer.study.study import Study

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ARGUMENTS", "BITS", "CHROMIUM", "Server", "begin", "make_study", "tokens_of"]

BITS = 12
WIDTH, HEIGHT = 16 * BITS, 96
DARK, LIGHT = 30, 225
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu"]
END_SECONDS = 60


def make_study(root: Path, films: dict[str, np.ndarray]) -> Study:
    """A study of films; each is told as the nanoseconds at which its frames are shown."""
    study = Study.create(root, name="films")
    for session, host_ns in films.items():
        study.session_folder(session).mkdir(parents=True)
        _write_film(study, session, host_ns)
    document = {
        "format": "mavfer.annotation",
        "version": 1,
        "sessions": [*films],
        "dimensions": ["arousal", "valence"],
        "mode": "together",
        "scale": "bounded",
        "input": ["pointer"],
        "streams_shown": ["color"],
        "feedback": "none",
        "practice": None,
        "calibration_clip": False,
        "hidden_repeats": 0,
        "order": "study",
        "break_minutes": 0,
    }
    write_json(root / "annotation.json", document)
    return study


def _write_film(study: Study, session: str, host_ns: np.ndarray) -> None:
    with writing_media(
        study.media_path(session),
        session=session,
        host_ns=np.asarray(host_ns, np.int64),
        size=(WIDTH, HEIGHT),
        sound_from=None,
        session_sha256="0" * 64,
    ) as writer:
        for number in range(len(host_ns)):
            writer.write(_picture(number))


def _picture(number: int) -> np.ndarray:
    """RGB (H, W, 3): upright bars, dark or light, spell the number; the first is its 1."""
    spelt = (number >> np.arange(BITS)) & 1
    bars = np.repeat(np.where(spelt == 1, LIGHT, DARK), WIDTH // BITS)
    return np.broadcast_to(bars[None, :, None], (HEIGHT, WIDTH, 3)).astype(np.uint8)


def tokens_of(study: Study, codes: list[str]) -> dict[str, str]:
    """A token for each rater, who has agreed and was told all that comes before the sessions."""
    project = open_project(study)
    form = consent_form(project, project.languages[0])
    with closing(Database(database_path(study))) as database:
        return {code: _token(database, project, code, form) for code in codes}


def _token(database, project, code, form) -> str:
    token = invite(database, project, code)
    with database.reading() as connection:
        rater = connection.execute(select(raters.c.id).where(raters.c.code == code)).scalar_one()
    database.write(lambda connection: agree(connection, rater, form))
    for name in ("instructions", "device"):
        database.write(lambda connection, name=name: done_step(connection, rater, name, {}))
    return token


def begin(page, url: str, token: str, session: str) -> None:
    """Opens a session by an invitation, or takes it up again, and starts it."""
    page.goto(f"{url}/invitation/{token}")
    page.goto(f"{url}/rate/{session}")
    page.wait_for_selector("#start:visible")
    page.click("#start")


class Server:
    """Our server in a process of its own, on a port that stays the same when it starts again."""

    def __init__(self, study: Study):
        self._root = study.root
        self._process: subprocess.Popen | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns once it answers."""
        command = ["-m", "mavfer", "annotate", "serve", str(self._root), "--json", "--port"]
        self._process = subprocess.Popen(
            [sys.executable, *command, str(self.port)], stdout=subprocess.PIPE, text=True
        )
        self.port = int(json.loads(self._process.stdout.readline())["url"].rpartition(":")[2])

    def kill(self) -> None:
        """With -9, as if the machine had gone."""
        self._process.send_signal(signal.SIGKILL)
        self._end()

    def stop(self) -> None:
        """Ends it as a service manager does."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._end()

    def _end(self) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        self._process.stdout.close()
