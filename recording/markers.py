"""Marks of stimuli from other programs while a take is recorded: `mark_stimulus`, `mavfer mark`.

The recorder listens on a socket of this computer that is named after the study and the session. The
name lies in Linux's abstract namespace, so that no file is left behind by a recorder that is
killed. The sender stamps the mark with the clock that all programs of a computer share; how long
the message takes does not matter. A mark is answered when it is on its way to the disk.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import struct
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import CommandError, DataError, NotFound
from mavfer.study.study import Study

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recording.writer import TakeWriter

__all__ = ["Mark", "MarkBook", "mark_stimulus", "process_began_ns", "receiving_marks"]

_SOCKETS: Final = Path("/proc/net/unix")
"""Where Linux lists the sockets of this computer."""
_PROCESS: Final = Path("/proc/self/stat")
_START_TICKS: Final = 19
"""Place of the start among what follows the name of the process: field 22 of proc(5)."""
_NAME: Final = "mavfer-marks"
_LONGEST_LABEL_BYTES: Final = 64
_LONGEST_MESSAGE_BYTES: Final = 4096
_LOOK_SECONDS: Final = 0.1
_ANSWER_SECONDS: Final = 5.0
_NANOSECONDS: Final = 1_000_000_000
_EARLY_NS: Final = 20_000_000
"""How early a mark may be: the start of a process is known to a hundredth of a second."""
_CREDENTIALS: Final = struct.Struct("3i")
"""Process, user and group of who sent a message, as the system vouches for them."""


@dataclass(frozen=True)
class Mark:
    """A mark that is in its session."""

    session: str
    label: str
    seconds: float
    """After the take began to be recorded."""


class MarkBook:
    """The marks of a take that is going on."""

    def __init__(self, session: str, writer: TakeWriter) -> None:
        """Has none yet.

        Args:
            session: The session's id.
            writer: Where marks go.
        """
        self.session = session
        self.count = 0
        self._writer = writer
        self._began_ns = time.monotonic_ns()

    def add(self, host_ns: int, label: str) -> Mark:
        """Writes a mark.

        Args:
            host_ns: When, by the clock of this computer.
            label: What began, ended or happened.

        Raises:
            CommandError: The label is empty or too long, or the time is not one of this take.
            OSError, RuntimeError: The disk is full or failed.
        """
        _require_label(label)
        if not self._began_ns - _EARLY_NS <= host_ns <= time.monotonic_ns():
            message = f"mark {label!r}: its time is not within the take. Use time.monotonic_ns()"
            raise CommandError(message)
        self._writer.mark(host_ns, label)
        self.count += 1
        seconds = (host_ns - self._began_ns) / _NANOSECONDS
        return Mark(self.session, label, round(max(seconds, 0.0), 3))


@contextmanager
def receiving_marks(
    folder: Path, writer: TakeWriter, *, is_open: bool = True
) -> Iterator[MarkBook]:
    """Writes the marks that programs of the same user send while the block runs.

    Args:
        folder: Of the session.
        writer: Where marks go.
        is_open: False where nobody may send any, because frames do not come in real time.
    """
    book, is_over = MarkBook(folder.name, writer), threading.Event()
    if not (is_open and _SOCKETS.is_file()):  # elsewhere than on Linux a take gets no marks
        yield book
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(f"\0{_prefix(folder.parents[1])}{folder.name}")
        door.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        door.settimeout(_LOOK_SECONDS)
        thread = threading.Thread(target=_receive, args=(door, book, is_over), name="marks")
        thread.start()
        try:
            yield book
        finally:
            is_over.set()
            thread.join()


def mark_stimulus(
    study: Path | str, label: str, *, host_ns: int | None = None, session: str | None = None
) -> Mark:
    """Marks a moment in the take that is being recorded into a study, and says where it stands.

    For programs that show stimuli, on the computer that records. Takes less than a millisecond;
    what counts is `host_ns`.

    Args:
        study: The study's folder.
        label: What began, ended or happened; at most 64 bytes of UTF-8.
        host_ns: When, by `time.monotonic_ns()`; now unless given.
        session: Which take, where several are recorded at the same time.

    Raises:
        NotFound: Nothing is being recorded into the study, or not that session.
        CommandError: Several takes are being recorded, or the mark was refused.
        DataError: The recorder does not answer, or its disk failed.
    """
    host_ns = time.monotonic_ns() if host_ns is None else host_ns
    _require_label(label)
    root = Study.open(Path(study)).root
    chosen = _choose(root, session)
    message = json.dumps({"host_ns": host_ns, "label": label}).encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.bind("")  # a name of its own, so that there can be an answer
        sender.settimeout(_ANSWER_SECONDS)
        try:
            sender.sendto(message, f"\0{_prefix(root)}{chosen}")
            answer = json.loads(sender.recv(_LONGEST_MESSAGE_BYTES))
        except OSError as error:
            text = f"session {chosen}: its recorder does not answer, so {label!r} may not be marked"
            raise DataError(f"{text}. See whether the take is still going on") from error
    return _read_answer(answer)


def process_began_ns() -> int:
    """When this process was started, by `time.monotonic_ns()`, to a hundredth of a second.

    A mark from the command line is of the moment at which it was given, not of that at which Python
    had started.
    """
    fields = _PROCESS.read_text().rpartition(")")[2].split()
    ticks = int(fields[_START_TICKS])
    age_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - ticks * _NANOSECONDS // os.sysconf(
        "SC_CLK_TCK"
    )
    return time.monotonic_ns() - age_ns


def _choose(root: Path, session: str | None) -> str:
    """The session that is meant."""
    recorded = sorted(_recorded_sessions(root))
    if not recorded:
        message = f"{root}: nothing is being recorded. Start the take first: mavfer record"
        raise NotFound(message)
    if session is None and len(recorded) > 1:
        message = f"{root}: several takes are recorded: {', '.join(recorded)}. Say --session"
        raise CommandError(message)
    if session is not None and session not in recorded:
        message = f"{root}: {session} is not being recorded; what is: {', '.join(recorded)}"
        raise NotFound(message)
    return session or recorded[0]


def _recorded_sessions(root: Path) -> Iterator[str]:
    """Sessions of the study that a recorder of this computer takes marks for."""
    prefix = f"@{_prefix(root)}"
    if _SOCKETS.is_file():
        for line in _SOCKETS.read_text().splitlines()[1:]:
            name = line.split()[-1]
            if name.startswith(prefix):
                yield name.removeprefix(prefix)


def _read_answer(answer: dict[str, Any]) -> Mark:
    if "refused" in answer:
        raise CommandError(answer["refused"])
    if "failed" in answer:
        raise DataError(answer["failed"])
    return Mark(answer["session"], answer["label"], answer["seconds"])


def _receive(door: socket.socket, book: MarkBook, is_over: threading.Event) -> None:
    """Takes messages until the take is over; what came before that is still taken."""
    room = socket.CMSG_SPACE(_CREDENTIALS.size)
    while True:
        try:
            message, ancillary, _, sender = door.recvmsg(_LONGEST_MESSAGE_BYTES, room)
        except TimeoutError:
            if is_over.is_set():
                return
            continue
        if _is_trusted(ancillary) and sender:
            answer = json.dumps(_answer(book, message)).encode()
            try:
                door.sendto(answer, sender)
            except OSError:  # who asked is gone; the mark is there all the same
                continue


def _is_trusted(ancillary: list[tuple[int, int, bytes]]) -> bool:
    """True where the sender is the user who records, or root."""
    users = [
        _CREDENTIALS.unpack(content)[1]
        for level, kind, content in ancillary
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS)
    ]
    return bool(users) and all(user in {0, os.getuid()} for user in users)


def _answer(book: MarkBook, message: bytes) -> dict[str, Any]:
    """What became of a message."""
    try:
        asked = json.loads(message)
        mark = book.add(int(asked["host_ns"]), str(asked["label"]))
    except CommandError as error:
        return {"refused": str(error)}
    except (ValueError, KeyError, TypeError):
        return {"refused": 'a mark is JSON: {"host_ns": 123, "label": "video 1"}'}
    except (OSError, RuntimeError) as error:  # libhdf5 tells of a full disk by either
        return {"failed": f"the mark could not be written: {error}"}
    return {"session": mark.session, "label": mark.label, "seconds": mark.seconds}


def _require_label(label: str) -> None:
    size = len(label.encode())
    if not 0 < size <= _LONGEST_LABEL_BYTES or not label.isprintable():
        message = (
            f"mark {label!r}: a label has 1 to {_LONGEST_LABEL_BYTES} bytes on one line. Shorten it"
        )
        raise CommandError(message)


def _prefix(root: Path) -> str:
    """What names of this study's sockets begin with; short, as sockets' names must be."""
    return f"{_NAME}/{hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]}/"
