"""Work on a study, killed at random moments.

Tests call `kills`; the work is done by a process without threads, which forks a child for every
kill: starting Python anew would take ten times as long as the work.
"""

import importlib.util
import os
import random
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

TESTS = Path(__file__).parents[1]


def imported(name):
    """A module of tests/mavfer by its file's name."""
    spec = importlib.util.spec_from_file_location(name, TESTS / "mavfer" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def kills(work, root, *, times, seed=0):
    """Goes on after each of so many kills of `work` ("write", "index", "release") on a study."""
    command = [sys.executable, __file__, work, root, str(seed)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as killer:
        for number in range(times):
            if number:
                killer.stdin.write("go on\n")
                killer.stdin.flush()
            assert killer.stdout.readline() == "killed\n"
            yield
        killer.kill()  # it waits to go on, so no work is left behind


def main():
    name, root, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    moments = random.Random(seed)
    work = WORK[name](root)
    _, seconds = ended(work, 60.0)
    while True:
        is_killed, _ = ended(work, moments.uniform(0, seconds))
        if is_killed:
            print("killed", flush=True)
            sys.stdin.readline()


def ended(work, seconds):
    """Whether a child had to be killed after so many seconds of `work`, and how long it lived."""
    begin = time.monotonic()
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    while time.monotonic() - begin < seconds:
        if os.waitpid(child, os.WNOHANG)[0]:
            return False, time.monotonic() - begin
        time.sleep(0.0005)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1]), seconds


def writing(root):
    """Writes S02-001, of other frames than before."""
    from mavfer.study.study import Study

    factory, path = imported("shard_factory"), Study.open(root).shard_path("S02-001")
    turns = count()

    def write():
        pixels = factory.faces(30, 32, 32, seed=next(turns))
        factory.write_shard(path, pixels, masks=True, at_once=5)

    return write


def indexing(root):
    """Makes the index of shards anew after a shard was touched."""
    from mavfer.study.shard_index import rebuild_index
    from mavfer.study.study import Study

    study = Study.open(root)

    def index():
        for path in study.shards_folder.glob("*.h5"):
            os.utime(path)
        rebuild_index(study)

    return index


def releasing(root):
    """Makes a release beside the study."""
    from mavfer.release.run import release_study

    target = root.parent / "release"

    def release():
        if target.exists():  # set aside in one step: a kill while deleting would tear it
            target.rename(target.with_name(f"earlier-{os.getpid()}"))
        release_study(root, target)

    return release


WORK = {"write": writing, "index": indexing, "release": releasing}


if __name__ == "__main__":
    main()
