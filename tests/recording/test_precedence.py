"""Threads before others, and their session with them."""

from __future__ import annotations

import subprocess
import sys

import pytest

_REPORT = """
import os, threading
from contextlib import ExitStack
from pathlib import Path
from recording.precedence import precedence

session = Path("/proc/self/autogroup")

def state():
    group = session.read_text().split()[-1] if session.exists() else "none"
    return f"{os.getpriority(os.PRIO_PROCESS, threading.get_native_id())} {group}"

def one_more():
    with precedence():
        pass

print(state())
with precedence():
    thread = threading.Thread(target=one_more)
    thread.start()
    thread.join()
    print(state())
print(state())
"""

_MAY = "import os; os.setpriority(os.PRIO_PROCESS, 0, -10)"


def _run(program):
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, check=False, start_new_session=True,
    )  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="niceness of threads is Linux's")
def test_thread_and_session_go_before_others_as_long_as_one_thread_records():
    before, inside, after = _run(_REPORT).stdout.splitlines()
    is_allowed = _run(_MAY).returncode == 0

    assert after == before
    if not is_allowed:
        assert inside == before
    elif before.endswith("none"):
        assert inside == "-10 none"
    else:
        assert inside == "-10 -10"
