"""Takes that are killed at random moments, and what was on its way to the disk at that moment.

As a script it records until it is killed. What the cameras gave and which marks were set stands in
a file that is mapped into memory, so that it is known up to the very kill.
"""

import hashlib
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS / "recording"))

STREAMS = ("color", "depth", "thermal")
MARK_SECONDS = 0.02
SHAPE = (240, 320)
_MOST_MARKS = 10_000
_FIRST_SECONDS, _LAST_SECONDS = 0.2, 4.0


@dataclass(frozen=True)
class Killed:
    """What a take lost; counted against what the cameras had given when it was killed."""

    verdict: str
    lost: dict[str, int]
    """Frames that had come and are not in the session, by stream."""
    is_lossless: bool
    """Every stored 16-bit frame has the SHA-256 of the one that the camera gave, also archived."""
    is_accounted_for: bool
    """Every frame up to the last that is stored or listed is one of both."""
    marks_behind_seconds: float
    """How much later than the last mark that is stored the last one was that was set."""


def kill_takes(study, times, seed=0):
    """Kills so many takes, each with frames of its own, and yields what an audit made of them."""
    moments = random.Random(seed)
    for number in range(times):
        tally = study.root / f"tally-{number}"
        _new_tally(tally)
        command = [sys.executable, __file__, study.root, tally, str(number)]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _wait_for_frames(child, tally)
        time.sleep(moments.uniform(_FIRST_SECONDS, _LAST_SECONDS))
        child.send_signal(signal.SIGKILL)
        child.wait()
        yield _examine(study, tally, content=number)
        tally.unlink()


def _new_tally(path):
    """Numbers of frames given by stream, number of marks, and when each mark was set."""
    np.zeros(len(STREAMS) + 1 + _MOST_MARKS, np.int64).tofile(path)


def _tally(path, mode="r+"):
    return np.memmap(path, np.int64, mode)


def _wait_for_frames(child, tally):
    while not _tally(tally, "r")[: len(STREAMS)].all():
        assert child.poll() is None
        time.sleep(0.02)


def _examine(study, tally, content):
    """Audits the newest session, and compares it with what the cameras gave."""
    from counting_rig import number_of

    from mavfer.study.session import Session
    from recording.archive import archive_session
    from recording.audit import audit_session

    folder = study.session_folder(study.sessions()[-1])
    report = audit_session(folder)
    session = Session.open(folder)
    given, drops = _tally(tally, "r"), session.drops
    stored = {stream: session.times(stream)["frame_number"].tolist() for stream in STREAMS}
    listed = [drops["frame_number"][drops["stream"] == n].tolist() for n in range(len(STREAMS))]
    together = [sorted([*stored[s], *known]) for s, known in zip(STREAMS, listed, strict=True)]
    is_lossless = [number_of(frame.rgb()) for frame in session.color_frames()] == stored["color"]
    for work in (audit_session, archive_session):  # an audit of what is whole changes nothing
        work(folder)
        for stream in ("depth", "thermal"):
            is_lossless &= _is_lossless(session, stream, stored[stream], content)
    return Killed(
        verdict=report.verdict if audit_session(folder).is_passed else "damaged",
        lost={s: int(given[n]) - len(stored[s]) for n, s in enumerate(STREAMS)},
        is_lossless=is_lossless,
        is_accounted_for=all(numbers == list(range(len(numbers))) for numbers in together),
        marks_behind_seconds=_marks_behind(given[len(STREAMS) :], session.markers),
    )


def _is_lossless(session, stream, numbers, content):
    rows = zip(session.frames(stream, range(len(numbers))), numbers, strict=True)
    return all(_sha256(pixels) == _sha256(_counts(stream, n, content)) for pixels, n in rows)


def _marks_behind(set_marks, markers):
    """Seconds from the last mark that is stored to the last one that was set."""
    count = int(set_marks[0])
    assert markers["host_ns"].tolist() == set_marks[1 : len(markers) + 1].tolist()
    stored_ns = int(markers["host_ns"][-1]) if len(markers) else int(set_marks[1])
    return (int(set_marks[count]) - stored_ns) / 1e9 if count else 0.0


def _sha256(pixels):
    return hashlib.sha256(np.ascontiguousarray(pixels, "<u2")).hexdigest()


def _counts(stream, number, content):
    """Noise, other frames for every take; the low half of it, so that it can be packed."""
    seed = (content, number, stream == "thermal")
    return np.random.default_rng(seed).integers(20_000, 21_000, SHAPE, dtype=np.uint16)


def main(root, tally, content):
    """Records with marks until killed."""
    import counting_rig

    from mavfer.study.study import Study
    from recording import recorder
    from recording.writer import TakeWriter

    given = _tally(tally)
    counting_rig.counts_of = lambda stream, number, _: _counts(stream, number, content)
    read = counting_rig.CountingCamera.read

    def counted_read(camera, timeout_seconds):
        frame = read(camera, timeout_seconds)
        given[STREAMS.index(camera.stream)] = frame.frame_number + 1
        return frame

    class MarkingWriter(TakeWriter):
        """Marks every 20 ms, as a program that shows stimuli might."""

        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            threading.Thread(target=self.mark_on_and_on, daemon=True).start()

        def mark_on_and_on(self):
            while True:
                time.sleep(MARK_SECONDS)
                moment_ns, place = time.monotonic_ns(), int(given[len(STREAMS)])
                given[len(STREAMS) + 1 + place] = moment_ns
                given[len(STREAMS)] = place + 1
                self.mark(moment_ns, f"mark {place}")

    counting_rig.CountingCamera.read = counted_read
    recorder.TakeWriter = MarkingWriter
    rig = counting_rig.CountingRig(None, paced=True, shape=SHAPE, thermal={"details": True})
    recorder.record_take(Study.open(Path(root)), rig, subject="S01")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
