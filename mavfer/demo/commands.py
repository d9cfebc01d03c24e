"""How the demo runs commands: here, in worker processes, or as a server beside them.

Workers and servers end when the demo is killed, so that nothing writes into its study afterwards.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import DataError
from mavfer.progress import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

    Run = Callable[[list[str]], int]

__all__ = ["WORKERS", "Run", "answer", "echo", "in_worker", "serving", "show", "workers"]

WORKERS: Final = 2
"""Processes that work at once."""

_START_SECONDS: Final = 60.0
_END_SECONDS: Final = 15.0


def echo(command: list[str], printed: str = "") -> None:
    """Prints a command as one would type it, and what it printed."""
    say("\n".join([f"$ {_typed(command)}", *printed.splitlines()]))


def show(run: Run, command: list[str]) -> None:
    """Runs one command in this process, its messages on stderr as they come.

    Raises:
        DataError: It did not exit with 0.
    """
    echo(command)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = run(command)
    say(printed.getvalue().rstrip("\n"))
    if code != 0:
        message = f"{_typed(command)}: ended with exit code {code}, see above"
        raise DataError(message)


def answer(run: Run, command: list[str]) -> dict[str, Any]:
    """The JSON object that one command prints last, run in this process.

    Raises:
        DataError: It did not exit with 0; the message is the command's own.
    """
    document: dict[str, Any] = json.loads(_captured(run, command, io.StringIO()).splitlines()[-1])
    return document


@contextmanager
def workers() -> Iterator[ProcessPoolExecutor]:
    """Hands out a pool of processes for `in_worker`; what they say on stderr is said here."""
    context = get_context("spawn")
    messages = context.Queue()
    listener = threading.Thread(target=_repeat, args=(messages,), daemon=True)
    listener.start()
    try:
        with ProcessPoolExecutor(
            WORKERS, mp_context=context, initializer=_begin_worker, initargs=(messages,)
        ) as pool:
            yield pool
    finally:
        messages.put(None)
        listener.join()


def in_worker(run: Run, command: list[str], *, is_heard: bool = False) -> str:
    """In a worker: what a command prints on stdout.

    Args:
        run: Runs a command line.
        command: The command.
        is_heard: Pass what it says on stderr on, line by line.

    Raises:
        DataError: It did not exit with 0; the message is its last line on stderr.
    """
    return _captured(run, command, _Heard(_messages.put) if is_heard else io.StringIO())


@contextmanager
def serving(run: Run, command: list[str]) -> Iterator[dict[str, Any]]:
    """Runs a command that serves until it is told to end; hands out the JSON it prints first.

    Raises:
        DataError: It ended before it served, or did not begin within a minute.
    """
    context = get_context("spawn")
    here, there = context.Pipe(duplex=False)
    server = context.Process(target=_serve, args=(run, command, there), daemon=True)
    server.start()
    there.close()
    try:
        echo(command)
        yield _first_answer(here, command)
    finally:
        server.terminate()
        server.join(_END_SECONDS)
        if server.is_alive():
            server.kill()
            server.join()


class _Heard(io.TextIOBase):
    """A text file whose lines are handed to `send` as they are complete."""

    def __init__(self, send: Callable[[str], None]) -> None:
        self._send, self._begun, self._all = send, "", io.StringIO()

    def write(self, text: str) -> int:
        """Takes text; every complete line in it is sent."""
        self._all.write(text)
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._send(line)
        return len(text)

    def getvalue(self) -> str:
        """Everything that was written."""
        return self._all.getvalue()


def _captured(run: Run, command: list[str], messages: io.StringIO | _Heard) -> str:
    """What a command prints on stdout, its stderr in `messages`."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(messages):
        code = run(command)
    if code != 0:
        lines = messages.getvalue().strip().splitlines() or [f"exit code {code}"]
        message = f"{_typed(command)}: {lines[-1].removeprefix('mavfer: ')}"
        raise DataError(message)
    return printed.getvalue()


def _begin_worker(messages: Any) -> None:
    global _messages  # noqa: PLW0603 (the one way a pool's initializer can hand something over)
    _messages = messages
    threading.Thread(target=_end_with_parent, daemon=True).start()


_messages: Any = None
"""In a worker: the queue of lines for the demo's stderr."""


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _repeat(messages: Any) -> None:
    """Says what workers say."""
    while (line := messages.get()) is not None:
        say(line)


def _serve(run: Run, command: list[str], told: Connection) -> None:
    """In the server's process: runs the command, each line of its stdout into the pipe."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    messages = io.StringIO()
    with contextlib.redirect_stdout(_Heard(told.send)), contextlib.redirect_stderr(messages):
        code = run(command)
    if code != 0:
        told.send(messages.getvalue())
    sys.exit(code)


def _first_answer(told: Connection, command: list[str]) -> dict[str, Any]:
    """The first line that a server printed, as JSON."""
    try:
        line = told.recv() if told.poll(_START_SECONDS) else "did not begin within a minute"
    except EOFError:
        line = "ended before it served"
    try:
        document: dict[str, Any] = json.loads(line)
    except json.JSONDecodeError as error:
        said = line.strip().splitlines() or ["ended without a word"]
        message = f"{_typed(command)}: {said[-1].removeprefix('mavfer: ')}"
        raise DataError(message) from error
    return document


def _typed(command: list[str]) -> str:
    return shlex.join(["mavfer", *command])
