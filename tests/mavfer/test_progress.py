"""Progress on a terminal, and where nobody watches one."""

from __future__ import annotations

import os
import pty
import re
import select
import sys
import termios

import pytest

from mavfer import progress as module
from mavfer.progress import progress


def test_without_a_terminal_the_total_is_one_line_on_stderr(capsys):
    with progress("preprocess", 30, "frame") as advance:
        for _ in range(3):
            advance(10)
    printed = capsys.readouterr()

    assert printed.out == ""
    assert re.fullmatch(r"preprocess: 30 frames in \d+\.\d s\n", printed.err)


@pytest.mark.parametrize(
    ("total", "line"),
    [(30, r"read: 10 of 30 frames, about \d+ s left"), (0, "read: 10 frames"),
     (900, "read: 10 of 900 frames")],
)  # fmt: skip
def test_long_work_says_from_time_to_time_how_far_it_is(monkeypatch, capsys, total, line):
    monkeypatch.setattr(module, "_SECONDS_BETWEEN_LINES", 0.0)
    with progress("read", total, "frame") as advance:
        advance(10)

    assert re.fullmatch(line, capsys.readouterr().err.splitlines()[0])


def test_work_that_fails_prints_no_total(capsys):
    with (
        pytest.raises(ZeroDivisionError, match="division"),
        progress("read", 2, "frame") as advance,
    ):
        advance(1 // 0)

    assert capsys.readouterr().err == ""


def test_a_terminal_shows_a_bar_and_is_clean_again_afterwards(monkeypatch):
    own, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    with open(terminal, "w", encoding="utf-8") as screen:  # noqa: PTH123 (a descriptor, no path)
        monkeypatch.setattr(sys, "stderr", screen)
        with progress("preprocess", 4, "frame") as advance:
            for _ in range(4):
                advance(1)
        screen.flush()
        shown = ""
        while select.select([own], [], [], 1)[0]:  # it comes in pieces
            shown += os.read(own, 65536).decode()
    os.close(own)

    assert "preprocess:   0%" in shown
    assert "\n" not in shown
    assert shown.endswith("\r")
