"""Marks of stimuli that other programs send while a take is recorded."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time

import pytest
from counting_rig import CountingRig

from mavfer.errors import CommandError, DataError, NotFound
from mavfer.study.session import Session
from recording import markers
from recording.markers import mark_stimulus, process_began_ns, receiving_marks
from recording.recorder import record_take

SECOND_NS = 1_000_000_000


class Take:
    """A take of a rig that runs in real time, in a thread, until the test is over."""

    def __init__(self, study):
        self.study, self.stop, self.began = study, threading.Event(), threading.Event()
        self.marks = 0
        self.thread = threading.Thread(target=self._record)
        self.thread.start()
        assert self.began.wait(30)

    def _record(self):
        def show(progress):
            self.marks = progress.marks
            self.began.set()

        rig = CountingRig(3000, paced=True)
        self.take = record_take(self.study, rig, subject="S01", stop=self.stop, progress=show)

    def end(self):
        self.stop.set()
        self.thread.join()
        return Session.open(self.take.folder)


@pytest.fixture
def take(study):
    recorded = Take(study)
    yield recorded
    recorded.end()


class HeldWriter:
    def mark(self, host_ns, label):
        pass


class FailingWriter:
    def mark(self, host_ns, label):
        raise OSError("no space left")


def test_marks_stand_in_the_session_with_the_time_of_their_sender(take):
    at_ns = time.monotonic_ns()
    first = mark_stimulus(take.study.root, "video 1", host_ns=at_ns)
    second = mark_stimulus(str(take.study.root), "Ruhe \N{EM DASH} rest")
    session = take.end()

    assert (first.session, first.label) == ("S01-001", "video 1")
    assert 0 <= first.seconds <= second.seconds
    assert session.markers["host_ns"][0] == at_ns
    assert [row["label"].decode() for row in session.markers] == ["video 1", "Ruhe \u2014 rest"]
    assert take.take.report.markers.outside == 0
    assert take.take.progress.marks == 2


def test_the_command_marks_the_moment_at_which_it_was_given(take):
    before_ns = time.monotonic_ns()
    command = [sys.executable, "-m", "mavfer", "mark", str(take.study.root), "video 1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    after_ns = time.monotonic_ns()
    mark = json.loads(done.stdout)
    session = take.end()

    assert mark == {"session": "S01-001", "label": "video 1", "seconds": mark["seconds"]}
    late_ns = int(session.markers["host_ns"][0]) - before_ns
    assert -SECOND_NS // 50 <= late_ns <= (after_ns - before_ns) / 2


@pytest.mark.parametrize("label", ["", "x" * 65, "\u2014" * 22, "two\nlines"])
def test_a_label_that_would_not_be_stored_as_it_is_is_refused(take, label):
    with pytest.raises(CommandError, match="a label has 1 to 64 bytes on one line"):
        mark_stimulus(take.study.root, label)


def test_a_mark_of_the_very_first_moment_may_be_early_by_a_tick(study):
    with receiving_marks(study.session_folder("S01-001"), HeldWriter()) as book:
        marks = [book.add(book._began_ns - early_ns, "video 1") for early_ns in (0, 10_000_000)]

    assert [mark.seconds for mark in marks] == [0, 0]


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_a_time_that_is_not_of_the_take_is_refused(take, seconds):
    host_ns = time.monotonic_ns() + seconds * SECOND_NS
    with pytest.raises(CommandError, match="its time is not within the take"):
        mark_stimulus(take.study.root, "video 1", host_ns=host_ns)


def test_a_mark_without_a_take_is_refused_with_what_to_do(study):
    with pytest.raises(NotFound, match=r"nothing is being recorded\. Start the take"):
        mark_stimulus(study.root, "video 1")


def test_of_several_takes_one_is_named(study):
    folders = [study.session_folder(name) for name in ("S01-001", "S02-001")]
    with receiving_marks(folders[0], FailingWriter()), receiving_marks(folders[1], FailingWriter()):
        with pytest.raises(CommandError, match="several takes are recorded: S01-001, S02-001"):
            mark_stimulus(study.root, "video 1")
        with pytest.raises(NotFound, match="S03-001 is not being recorded; what is: S01-001"):
            mark_stimulus(study.root, "video 1", session="S03-001")
        with pytest.raises(DataError, match="could not be written: no space left"):
            mark_stimulus(study.root, "video 1", session="S02-001")


def test_a_take_that_is_over_or_not_in_real_time_takes_no_marks(study):
    with (
        receiving_marks(study.session_folder("S01-001"), FailingWriter(), is_open=False) as book,
        pytest.raises(NotFound, match="nothing is being recorded"),
    ):
        mark_stimulus(study.root, "video 1")

    assert book.count == 0


@pytest.mark.parametrize("message", [b"{", b"[]", b"{}", b'{"host_ns": "soon", "label": "x"}'])
def test_what_is_no_mark_is_answered_with_what_one_looks_like(study, message):
    folder = study.session_folder("S01-001")
    name = f"\0{markers._prefix(study.root)}S01-001"
    with (
        receiving_marks(folder, FailingWriter()),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
    ):
        sender.bind("")
        sender.settimeout(10)
        sender.sendto(message, name)
        answer = json.loads(sender.recv(4096))

    assert answer["refused"].startswith("a mark is JSON: ")


def test_other_users_are_not_trusted(take):
    credentials = [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, markers._CREDENTIALS.pack(1, 2, 3))]

    assert not markers._is_trusted([])
    assert markers._is_trusted(credentials) == (markers.os.getuid() == 2)


def test_a_process_knows_when_it_began():
    code = "import time; a = time.monotonic_ns(); from recording.markers import process_began_ns"
    code += "; print(a, process_began_ns(), time.monotonic_ns())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    running_ns, began_ns, now_ns = (int(word) for word in done.stdout.split())

    assert running_ns - 5 * SECOND_NS < began_ns <= running_ns + SECOND_NS // 50 < now_ns
    assert process_began_ns() < began_ns
