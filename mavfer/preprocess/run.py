"""All sessions of a study, several at a time; one that fails does not stop the others."""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from multiprocessing import get_context, parent_process
from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import CommandError, MavferError, MissingExtra, NotFound
from mavfer.files import replacing
from mavfer.interrupts import keep_interrupts
from mavfer.preprocess.inputs import Options
from mavfer.preprocess.session_job import PASSES, SessionResult, preprocess_session
from mavfer.progress import counted, progress
from mavfer.study.session import Session
from mavfer.study.shard_index import rebuild_index
from mavfer.study.study import Study
from mavfer.vision.landmark_model import find_landmark_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Outcome", "preprocess_study"]

_THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_SECONDS_BETWEEN_EVENTS: Final = 5.0


@dataclass(frozen=True)
class Outcome:
    """What became of all sessions."""

    results: tuple[SessionResult, ...]
    licence_note: str
    """What must be known of the landmark model."""
    index_problem: str = ""
    """Why the index of the shards could not be brought up to date, in one line."""

    @property
    def is_good(self) -> bool:
        """True where every session has its shard and the index lists them all."""
        return not self.failed and not self.index_problem

    @property
    def failed(self) -> list[SessionResult]:
        """Sessions that could not be made into shards."""
        return [result for result in self.results if result.state == "failed"]

    @property
    def notices(self) -> list[str]:
        """What a person should know, one line each."""
        lines = [f"note: {self.licence_note}"] if self._count("done") else []
        lines += [notice for result in self.results for notice in result.notices]
        lines += [f"{result.session}: failed: {result.error}" for result in self.failed]
        return lines + ([self.index_problem] if self.index_problem else [])

    def to_document(self) -> dict[str, Any]:
        """The outcome as JSON."""
        return {
            "done": self._count("done"),
            "skipped": self._count("skipped"),
            "failed": len(self.failed),
            "sessions": [asdict(result) for result in self.results],
        }

    def __str__(self) -> str:
        frames = sum(result.frames for result in self.results)
        found = sum(result.found_frames for result in self.results)
        carried = sum(result.carried_frames for result in self.results)
        text = (
            f"{counted(self._count('done'), 'session')} preprocessed, "
            f"{self._count('skipped')} up to date, "
            f"{len(self.failed)} failed"
        )
        if frames:
            text += f"; {frames} frames, {found / frames:.1%} with the face, {carried} carried"
        return text

    def _count(self, state: str) -> int:
        return sum(result.state == state for result in self.results)


def preprocess_study(
    root: Path,
    options: Options,
    *,
    jobs: int = 1,
    tell: Callable[[dict[str, Any]], None] | None = None,
) -> Outcome:
    """Makes shard and media of every session of the study in `root` that has none, or a stale one.

    Args:
        root: The study.
        options: What was chosen.
        jobs: Sessions at a time, each in a process of its own.
        tell: Called with what happens, as JSON, instead of a bar: "begin", "progress" every few
            seconds, "session" when one ends.

    Raises:
        NotFound: There is no study, or it has no sessions.
        CommandError: `jobs` is less than 1, or this is a release.
        MissingExtra: A package of the extra, or one that brings the landmark model, is missing.
    """
    if jobs < 1:
        message = f"--jobs {jobs}: at least one session at a time is needed"
        raise CommandError(message)
    study = Study.open(root, writable=True)
    names = study.sessions()
    if not names:
        message = f"{root}: no sessions yet. Record one, or import a video: mavfer import-video"
        raise NotFound(message)
    model = find_landmark_model(options.landmark_model, kind=options.landmark_points)
    with _reporting(tell, names, PASSES * _frames(study, names)) as (advance, ended):
        if jobs == 1 or len(names) == 1:
            results = [ended(_guarded(study, name, options, advance)) for name in names]
        else:
            results = _run_pool(study, names, options, min(jobs, len(names)), advance, ended)
    in_order = tuple(sorted(results, key=lambda result: result.session))
    return Outcome(in_order, model.licence_note, _update_index(study))


def _update_index(study: Study) -> str:
    """Lists the new shards; what keeps it from that, such as an old shard that is torn."""
    try:
        rebuild_index(study)
    except MavferError as error:
        return str(error)
    return ""


def _frames(study: Study, names: list[str]) -> int:
    """Color frames in all sessions that can be read."""
    total = 0
    for name in names:
        try:
            total += len(Session.open(study.session_folder(name)).times("color"))
        except MavferError:
            continue  # its own turn will say what is wrong with it
    return total


def _guarded(
    study: Study, name: str, options: Options, advance: Callable[[int], None]
) -> SessionResult:
    """One session; whatever goes wrong becomes its result, so that the others go on."""
    path = study.reports_folder / f"{name}.error.txt"
    try:
        result = preprocess_session(study, name, options, advance)
    except MissingExtra:
        raise  # no session could do without it
    except MavferError as error:
        _write_down(path)
        return SessionResult(name, "failed", error=str(error))
    except Exception as error:
        _write_down(path)
        return SessionResult(name, "failed", error=f"unexpected: {error!r}; see {path}")
    path.unlink(missing_ok=True)  # of an earlier run
    return result


def _write_down(path: Path) -> None:
    """Writes the error that is being handled, with its traceback, for whoever looks into it."""
    with suppress(OSError), replacing(path) as part:  # the disk itself may be what failed
        part.write_text(traceback.format_exc(), encoding="utf-8")


@contextmanager
def _reporting(
    tell: Callable[[dict[str, Any]], None] | None, names: list[str], total: int
) -> Iterator[tuple[Callable[[int], None], Callable[[SessionResult], SessionResult]]]:
    """Hands out what to call with done frames and with ended sessions."""
    if tell is None:
        with progress("preprocess", total, "frame") as advance:
            yield advance, lambda result: result
    else:
        events = _Events(tell, total)
        tell({"event": "begin", "sessions": names, "frames": total // PASSES})
        yield events.advance, events.ended


class _Events:
    """Progress as JSON."""

    def __init__(self, tell: Callable[[dict[str, Any]], None], total: int) -> None:
        self._tell, self._total, self._done = tell, total, 0
        self._began = self._told = time.monotonic()

    def advance(self, count: int) -> None:
        """Counts, and tells if that is some time ago."""
        self._done += count
        now = time.monotonic()
        if now - self._told >= _SECONDS_BETWEEN_EVENTS:
            self._told = now
            share = self._done / self._total if self._total else 1.0
            left = (now - self._began) * (1 - share) / share if share else None
            self._tell({"event": "progress", "share": share, "seconds_left": left})

    def ended(self, result: SessionResult) -> SessionResult:
        """Tells how a session ended."""
        self._tell({"event": "session", **asdict(result)})
        return result


def _run_pool(  # noqa: PLR0917 (all that one session's work takes, handed on)
    study: Study,
    names: list[str],
    options: Options,
    jobs: int,
    advance: Callable[[int], None],
    ended: Callable[[SessionResult], SessionResult],
) -> list[SessionResult]:
    """All sessions, `jobs` at a time in processes of one thread each; the longest first."""
    context = get_context("spawn")
    counts = context.SimpleQueue()
    results: dict[str, SessionResult] = {}
    with (
        _one_thread_each(),
        _passed_on(counts, advance),
        ProcessPoolExecutor(
            jobs, mp_context=context, initializer=_begin_worker, initargs=(counts,)
        ) as pool,
        _dropping_what_waits(pool),
    ):
        waiting = {pool.submit(_in_worker, study, name, options): name for name in names}
        for future in as_completed(waiting):
            name = waiting[future]
            try:
                results[name] = future.result()
            except BrokenProcessPool:
                message = "its process was killed, perhaps for want of memory. Run again with -j 1"
                results[name] = SessionResult(name, "failed", error=message)
            ended(results[name])
    return list(results.values())


_queue: Any = None
"""In a worker: where numbers of done frames go."""


def _begin_worker(counts: Any) -> None:
    """Prepares a worker: Ctrl-C stops it at work only, and it does not outlive its parent."""
    global _queue  # noqa: PLW0603 (the one way a pool's initializer can hand something over)
    _queue = counts
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_interrupts()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # a worker whose parent was killed would wait for work for ever


def _in_worker(study: Study, name: str, options: Options) -> SessionResult:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return _guarded(study, name, options, _queue.put)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _dropping_what_waits(pool: ProcessPoolExecutor) -> Iterator[None]:
    """When the block is interrupted, sessions that no worker has begun are not begun."""
    try:
        yield
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started in the block use one thread each: the pool is what fills the cores."""
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _passed_on(counts: Any, advance: Callable[[int], None]) -> Iterator[None]:
    """Numbers that workers put into the queue go to `advance` while the block runs."""

    def listen() -> None:
        while (count := counts.get()) is not None:
            advance(count)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield
    finally:
        counts.put(None)
        listener.join()
