"""The whole journey on simulated subjects: `mavfer demo` runs the public commands and prints each.

What is there already is kept, so a demo that was stopped goes on where it was.
"""

from __future__ import annotations

import contextlib
import io
import shlex
import shutil
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import AlreadyThere, DataError, MavferError
from mavfer.files import locked
from mavfer.progress import progress, say
from mavfer.report import write_report
from mavfer.study.session import Session
from mavfer.study.study import Study

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[[list[str]], int]

__all__ = ["run_demo"]

_NAME: Final = "mavfer demo"
_LIGHTINGS: Final = ("bright", "dark")
_WORKERS: Final = 2
_FIRST_SEED: Final = 1


@dataclass(frozen=True)
class _Plan:
    """How much the demo shows."""

    subjects: int
    seconds: int
    rate_hz: float
    """Of color and depth; thermal runs a little slower, as such cameras do."""

    def codes(self) -> list[str]:
        """Subject codes: P01, P02 and so on."""
        return [f"P{number:02d}" for number in range(1, self.subjects + 1)]

    def rates(self) -> list[str]:
        """What `--rate` is given, one word a stream."""
        rates = {"color": self.rate_hz, "depth": self.rate_hz, "thermal": self.rate_hz * 5 / 6}
        return [f"{stream}={rate:g}" for stream, rate in rates.items()]


_QUICK: Final = _Plan(subjects=4, seconds=8, rate_hz=15)
_FULL: Final = _Plan(subjects=10, seconds=15, rate_hz=15)


def run_demo(out: Path, run: Run, *, is_full: bool = False) -> dict[str, Any]:
    """Makes or continues the demo's study in the folder `out`.

    Args:
        out: The folder.
        run: Runs a command line such as ["check", "S"] and gives its exit code.
        is_full: More subjects and longer takes.

    Returns:
        The document that `mavfer demo --json` prints: study, report, seconds, scores.

    Raises:
        AlreadyThere: `out` holds something that is not a study.
        Busy: Another demo is at work in `out`.
        DataError: One of the commands failed; the message is the command's own.
    """
    started = time.monotonic()
    plan = _FULL if is_full else _QUICK
    with locked(out / ".demo.lock", f"{out}: a demo is run"):
        if not (out / "study.json").exists():
            _show(run, ["init", str(out), "--name", _NAME, "--licence", "CC0-1.0"])
        _record(_own_study(out), plan, run)
        for verb in (["preprocess", str(out), "-j", str(_WORKERS)], ["check", str(out)]):
            _show(run, verb)
        _show(run, ["info", str(out)])
        report = write_report(out)
    return {
        "study": str(out),
        "report": str(report),
        "seconds": round(time.monotonic() - started, 1),
        "scores": [],
    }


def _own_study(out: Path) -> Study:
    """The study in `out`, if a demo made it: unfinished takes of others are not ours to delete."""
    study = Study.open(out)
    if study.name != _NAME:
        message = f"{out}: holds the study '{study.name}', not a demo's. Choose another --out"
        raise AlreadyThere(message)
    return study


def _record(study: Study, plan: _Plan, run: Run) -> None:
    """Records what is not there yet, two subjects at a time."""
    _remove_unfinished(study)
    there = _recorded(study)
    todo = {
        code: [_record_command(study, plan, code, light) for light in missing]
        for code in plan.codes()
        if (missing := [light for light in _LIGHTINGS if (code, light) not in there])
    }
    count = sum(map(len, todo.values()))
    if not count:
        return
    with (
        ProcessPoolExecutor(_WORKERS, mp_context=get_context("spawn")) as pool,
        progress("record simulated subjects", count, "take") as advance,
    ):
        # A subject's takes are numbered in the order in which they are recorded.
        waiting = {pool.submit(_run, run, takes[0]): takes for takes in todo.values()}
        while waiting:
            finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                done, *rest = waiting.pop(future)
                _echo(done, future.result())
                advance(1)
                if rest:
                    waiting[pool.submit(_run, run, rest[0])] = rest


def _record_command(study: Study, plan: _Plan, code: str, lighting: str) -> list[str]:
    """The command that records one take; a subject's seed is the number in its code."""
    seed = _FIRST_SEED + int(code[1:])
    return [
        *("record", str(study.root), "--subject", code, "--rig", "simulated"),
        *("--seconds", str(plan.seconds), "--seed", str(seed), "--lighting", lighting),
        *("--pace", "fast"),
        *(word for rate in plan.rates() for word in ("--rate", rate)),
    ]


def _recorded(study: Study) -> set[tuple[str, str]]:
    """Subject and lighting of every take that is there."""
    takes = [Session.open(study.session_folder(name)) for name in study.sessions()]
    return {(take.subject, take.document["settings"].get("lighting", "")) for take in takes}


def _remove_unfinished(study: Study) -> None:
    """Deletes simulated takes that were cut short; they are rendered again, the same to the bit."""
    for name in study.sessions():
        folder = study.session_folder(name)
        try:
            take = Session.open(folder)
            is_cut = take.state == "recording" and take.document["kind"] == "simulated"
        except MavferError:
            is_cut = True  # killed before session.json was whole
        if is_cut:
            shutil.rmtree(folder)


def _run(run: Run, command: list[str]) -> str:
    """In a worker: what `mavfer <command>` prints on stdout.

    Raises:
        DataError: It did not exit with 0; the message is its last line on stderr.
    """
    printed, messages = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(messages):
        code = run(command)
    if code != 0:
        lines = messages.getvalue().strip().splitlines() or [f"exit code {code}"]
        message = f"{shlex.join(['mavfer', *command])}: {lines[-1].removeprefix('mavfer: ')}"
        raise DataError(message)
    return printed.getvalue()


def _show(run: Run, command: list[str]) -> None:
    """Runs one command in this process, its messages on stderr as they come."""
    _echo(command, "")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = run(command)
    sys.stderr.write(printed.getvalue())
    if code != 0:
        message = f"{shlex.join(['mavfer', *command])}: ended with exit code {code}, see above"
        raise DataError(message)


def _echo(command: list[str], printed: str) -> None:
    say("\n".join([f"$ {shlex.join(['mavfer', *command])}", *printed.splitlines()]))
