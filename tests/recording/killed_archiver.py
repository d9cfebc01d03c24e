"""Archives copies of a session, or restores them, and is killed at a moment of each.

Run as a script: VERB SESSION MOMENT..., where a moment is "frame 7", "rename 2" or "remove 1"; the
copy for the n-th moment is made in a folder "n" beside the study, and the script prints the signal
that ended each.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

EVENTS = {"os.rename": "rename", "os.remove": "remove"}


def run_and_kill(verb, session, moments):
    """The copies of the session in the order of `moments`; each was killed at its own."""
    command = [sys.executable, __file__, verb, str(session), *moments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == [str(int(signal.SIGKILL))] * len(moments), ended.stdout
    return [copy_place(session, number) for number in range(len(moments))]


def copy_place(session, number):
    return session.parents[2] / str(number) / "sessions" / session.name


class Killer:
    """Ends this process when a kind of thing happens for the n-th time."""

    def __init__(self, moment):
        self.kind, number = moment.split()
        self.left = int(number)

    def see(self, kind):
        if kind == self.kind:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def run_until_killed(run, place, moment):
    killer = Killer(moment)
    sys.addaudithook(lambda event, _: killer.see(EVENTS.get(event)))
    run(place, lambda _: killer.see("frame"))
    os._exit(0)


def main(verb, session, moments):
    from recording.archive import archive_session, restore_session
    from recording.audit import inspect_session

    inspect_session(session)  # loads here, once, what each child would load again
    for number, moment in enumerate(moments):
        place = copy_place(session, number)
        shutil.copytree(session, place)
        child = os.fork()
        if child == 0:
            run_until_killed(
                archive_session if verb == "archive" else restore_session, place, moment
            )
        _, status = os.waitpid(child, 0)
        print(os.WTERMSIG(status), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
