import subprocess
import sys

import pytest

INTERRUPTED_WITHIN = """
import os, signal, sys, time, weakref
from mavfer.interrupts import keep_interrupts

keep_interrupts()

class Passenger:
    pass

def interrupt(_):
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000):
        pass  # the signal's handler runs here

class Doomed:
    def __del__(self):
        interrupt(None)

if sys.argv[1] == "callback":
    passenger = Passenger()
    watch = weakref.ref(passenger, interrupt)
else:
    passenger = Doomed()
try:
    del passenger
    print("went on", flush=True)
    time.sleep(30)
except KeyboardInterrupt:
    sys.exit(130)
"""

OTHER_ERROR = """
from mavfer.interrupts import keep_interrupts

keep_interrupts()

class Doomed:
    def __del__(self):
        raise RuntimeError("in a destructor")

doomed = Doomed()
del doomed
"""


def ended(program, *words):
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("finalizer", ["callback", "destructor"])
def test_an_interrupt_within_a_finalizer_comes_shortly_after(finalizer):
    done = ended(INTERRUPTED_WITHIN, finalizer)

    assert (done.returncode, done.stdout, done.stderr) == (130, "went on\n", "")


def test_other_errors_of_finalizers_are_told_as_ever():
    done = ended(OTHER_ERROR)

    assert done.returncode == 0
    assert "RuntimeError: in a destructor" in done.stderr
