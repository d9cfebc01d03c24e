"""Recordings of the simulated rig: every subject in every lighting, two subjects at a time."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from mavfer.demo.commands import echo, in_worker, workers
from mavfer.errors import Busy, MavferError
from mavfer.files import locked
from mavfer.progress import progress
from mavfer.study.lock import LOCK_NAME
from mavfer.study.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from mavfer.demo.commands import Run
    from mavfer.study.study import Study

__all__ = ["LIGHTINGS", "record_takes"]

LIGHTINGS: Final = ("bright", "dark")
_FIRST_SEED: Final = 1
_PATIENCE_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.1


def record_takes(
    study: Study,
    run: Run,
    *,
    subjects: Sequence[str],
    seconds: int,
    rates: Mapping[str, float],
    asked: Sequence[str] = (),
) -> None:
    """Records what is not there yet.

    Args:
        study: The demo's study.
        run: Runs a command line.
        subjects: Their codes, P01 and so on; a subject's seed is the number in its code.
        seconds: Length of a take.
        rates: Frames a second of each stream.
        asked: What else the rig is asked for, as on the command line.

    Raises:
        DataError: A recording failed.
        Busy: Another process is recording one of the takes.
    """
    _remove_unfinished(study)
    there = _recorded(study)
    todo = {
        code: [[*_command(study, code, light, seconds, rates), *asked] for light in missing]
        for code in subjects
        if (missing := [light for light in LIGHTINGS if (code, light) not in there])
    }
    count = sum(map(len, todo.values()))
    if not count:
        return
    with workers() as pool, progress("record simulated subjects", count, "take") as advance:
        # A subject's takes are numbered in the order in which they are recorded.
        waiting = {pool.submit(in_worker, run, takes[0]): takes for takes in todo.values()}
        while waiting:
            finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                done, *rest = waiting.pop(future)
                echo(done, future.result())
                advance(1)
                if rest:
                    waiting[pool.submit(in_worker, run, rest[0])] = rest


def _command(
    study: Study, code: str, lighting: str, seconds: int, rates: Mapping[str, float]
) -> list[str]:
    """The command that records one take."""
    seed = _FIRST_SEED + int(code[1:])
    return [
        *("record", str(study.root), "--subject", code, "--rig", "simulated"),
        *("--seconds", str(seconds), "--seed", str(seed), "--lighting", lighting),
        *("--pace", "fast"),
        *(word for stream, hz in rates.items() for word in ("--rate", f"{stream}={hz:g}")),
    ]


def _recorded(study: Study) -> set[tuple[str, str]]:
    """Subject and lighting of every take that is there."""
    takes = [Session.open(study.session_folder(name)) for name in study.sessions()]
    return {(take.subject, take.document["settings"].get("lighting", "")) for take in takes}


def _remove_unfinished(study: Study) -> None:
    """Deletes simulated takes that were cut short; they are rendered again, the same to the bit."""
    for name in study.sessions():
        folder = study.session_folder(name)
        if _is_cut(folder):
            with _nobody_recording(folder):
                if _is_cut(folder):
                    shutil.rmtree(folder)


def _is_cut(folder: Path) -> bool:
    try:
        take = Session.open(folder)
    except MavferError:
        return True  # killed before session.json was whole
    return take.state == "recording" and take.document["kind"] == "simulated"


@contextmanager
def _nobody_recording(folder: Path) -> Iterator[None]:
    """Waits for the take's recorder, which may outlive a demo that was killed by a moment."""
    give_up = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            with locked(folder / LOCK_NAME, f"{folder}: a take is recorded"):
                yield
                return
        except Busy:
            if time.monotonic() > give_up:
                raise
            time.sleep(_LOOK_SECONDS)
